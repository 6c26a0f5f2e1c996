"""Where a call goes and what it says on its outside."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from connectors.abdm import headers
from connectors.contract import Rejected
from tests.connectors.abdm.played import ABDM, played

IST = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2026, 1, 15, 15, 0, tzinfo=IST), "2026-01-15T09:30:00.000Z"),
        (datetime(2026, 1, 15, 9, 30, 0, 123_987, tzinfo=UTC), "2026-01-15T09:30:00.123Z"),
    ],
)
def test_a_time_is_utc_with_milliseconds_and_z(moment: datetime, written: str) -> None:
    assert headers.timestamp(moment) == written


def test_an_id_is_drawn_from_the_key_alike_each_time_and_another_one_for_each_step() -> None:
    first = headers.request_id("key")
    assert first == headers.request_id("key")
    assert first[14] == "4"
    assert first[19] in "89ab"
    assert len({first, headers.request_id("key", "bare"), headers.request_id("other")}) == 3


@pytest.mark.parametrize(
    ("environment", "gateway", "abha"),
    [
        ("sbx", "https://dev.abdm.gov.in", "https://abhasbx.abdm.gov.in/abha/api"),
        ("abdm", "https://apis.abdm.gov.in", "https://abha.abdm.gov.in/api/abha"),
    ],
)
def test_the_environment_decides_both_hosts_whichever_base_is_named(environment: str, gateway: str, abha: str) -> None:
    for base in ("https://dev.abdm.gov.in", "https://apis.abdm.gov.in"):
        assert headers.gateway_base(base, environment) == gateway
        assert headers.abha_base(base, environment) == abha
    assert set(ABDM.manifest.hosts) >= {gateway.split("/")[2], abha.split("/")[2]}


def test_a_stand_in_on_an_address_of_its_own_is_both_services_and_a_sandbox() -> None:
    base = "http://127.0.0.1:8123"
    assert headers.gateway_base(base, "sbx") == base
    assert headers.abha_base(base, "sbx") == f"{base}/abha/api"
    assert headers.environment_of(base) == "sbx"
    assert headers.environment_of("https://apis.abdm.gov.in") == "abdm"
    assert headers.environment_of("https://apis.abdm.gov.in.evil.example") == "sbx"


@pytest.mark.parametrize("settings", [{}, {"environment": "production"}, {"environment": ""}])
def test_without_an_environment_nothing_is_built(settings: dict[str, str]) -> None:
    with pytest.raises(Rejected):
        headers.environment_in(settings)


@pytest.mark.parametrize("account", [None, "", "IN 27", "IN27\r\nX-Injected: 1", "x" * 65])
def test_without_a_facility_nothing_is_sent(account: Any) -> None:
    with pytest.raises(Rejected):
        headers.account_of(account)


async def test_every_call_to_the_gateway_names_facility_and_environment() -> None:
    world = await played()
    await world.call("invite_patient", {"phone": "+919876543210", "facility_name": "Lake Clinic"})
    sent = world.network.heard("notify2")[-1].headers
    assert (sent["x-cm-id"], sent["x-hip-id"]) == ("sbx", world.facility)


def test_a_code_at_a_counter_is_at_the_network_s_own_address() -> None:
    text = headers.scanned_text("sbx", "IN2710001234_1", "desk1")
    assert text == "https://phrsbx.abdm.gov.in/share-profile?hip-id=IN2710001234_1&counter-id=desk1"
    for counter in ("", "a b", "desk-1", "x" * 21, "desk1&hip-id=other"):
        with pytest.raises(ValueError, match="counter"):
            headers.scanned_text("sbx", "IN2710001234_1", counter)
