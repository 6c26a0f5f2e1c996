"""What the network has on file about us: drift is found, told once to whom it concerns, and seen when it is mended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway import metrics
from gateway.connections import OPERATOR
from gateway.flows.network.bridge import look, standing_of, watch
from gateway.network.drift import DRIFTED, MEND, WHAT, Fault
from gateway.store import network as rows
from tests.gateway.listener import until, working
from tests.gateway.network.conftest import OpenMore
from tests.gateway.network.house import LIVE, NETWORK, PUBLIC, Bridge


async def standing(bridge: Bridge, tenant: Any) -> tuple[str, ...]:
    found = await standing_of(tenant, NETWORK, bridge.house.rooms)
    assert found is not None
    return tuple(trouble.code for trouble in found.troubles)


async def test_where_all_is_as_it_should_be_nobody_is_told_anything(bridge: Bridge) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    found = await look(bridge.line, bridge.house.rooms)
    assert not found.drift
    assert await standing(bridge, clinic.tenant) == ()
    assert await bridge.notices(clinic.tenant) == []
    assert f'gateway_network_drift{{line="{LIVE}"}} 0.0' in metrics.written().decode()


async def test_an_address_that_somebody_moved_is_told_to_every_clinic_once_and_seen_when_it_is_mended(
    bridge: Bridge, caplog: pytest.LogCaptureFixture
) -> None:
    bridge.office.serves("IN01", "IN02")
    clinics = [await bridge.clinic("IN01"), await bridge.clinic("IN02")]
    bridge.office.url = "https://a-colleagues-tunnel.example/postbox"
    for _ in range(3):
        await look(bridge.line, bridge.house.rooms)
        bridge.clock.move(hours=1)
    for clinic in clinics:
        assert await standing(bridge, clinic.tenant) == ("url_elsewhere",)
        (notice,) = await bridge.notices(clinic.tenant)
        assert (notice.kind, notice.about) == (DRIFTED, clinic.connection.id)
        assert notice.detail == {"connector": NETWORK, "faults": ["url_elsewhere"]}
    assert "bridge_drifted" in caplog.text
    assert f'gateway_network_drift{{line="{LIVE}"}} 1.0' in metrics.written().decode()
    bridge.office.url = f"{PUBLIC}/postbox/"
    await look(bridge.line, bridge.house.rooms)
    found = await standing_of(clinics[0].tenant, NETWORK, bridge.house.rooms)
    assert found is not None
    assert (found.well, found.since) == (True, bridge.clock())
    assert len(await bridge.notices(clinics[0].tenant)) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"id": "IN09"}, "service_gone"),
        ({"active": False}, "service_off"),
        ({"records": False}, "gives_no_records"),
    ],
)
async def test_what_is_wrong_about_one_facility_is_told_to_its_clinic_only(
    bridge: Bridge, change: dict[str, Any], code: str
) -> None:
    bridge.office.serves("IN01", "IN02")
    first, second = await bridge.clinic("IN01"), await bridge.clinic("IN02")
    bridge.office.services[0] |= change
    await look(bridge.line, bridge.house.rooms)
    assert await standing(bridge, first.tenant) == (code,)
    assert await standing(bridge, second.tenant) == ()
    assert len(await bridge.notices(first.tenant)) == 1
    assert await bridge.notices(second.tenant) == []


async def test_two_gateways_that_look_at_once_tell_a_clinic_once(bridge: Bridge, open_more: OpenMore) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    bridge.office.active = False
    bridge.office.url = None
    other = await open_more()
    await asyncio.gather(*(look(bridge.line, rooms) for rooms in [bridge.house.rooms, other.rooms] * 5))
    assert await standing(bridge, clinic.tenant) == ("url_missing", "bridge_off")
    assert len(await bridge.notices(clinic.tenant)) == 1


async def test_a_registration_that_is_refused_is_told_as_what_it_is(bridge: Bridge) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    await bridge.registered("a wrong secret")
    bridge.clock.move(hours=1)
    for _ in range(4):
        await watch(bridge.house.rooms, at_start=True)
        bridge.clock.move(seconds=20)
    assert await standing(bridge, clinic.tenant) == ("locked_out",)
    assert len(bridge.office.logins) == 1 + 3


async def test_it_is_looked_at_daily_and_hourly_while_something_is_wrong(bridge: Bridge) -> None:
    bridge.office.serves("IN01")
    await bridge.clinic("IN01")

    async def looks(hours: int) -> int:
        before = bridge.office.asked.count("bridge")
        for _ in range(hours * 6):
            bridge.clock.move(minutes=10)
            await watch(bridge.house.rooms)
        return bridge.office.asked.count("bridge") - before

    assert await looks(1) == 1
    assert await looks(48) == 2
    bridge.office.url = None
    await watch(bridge.house.rooms, at_start=True)
    assert await looks(12) == 12


async def test_a_network_that_does_not_answer_changes_nothing_that_is_known(bridge: Bridge) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    await look(bridge.line, bridge.house.rooms)
    bridge.clock.move(hours=30)
    bridge.office.failing = 503
    await watch(bridge.house.rooms, at_start=True)
    assert await standing(bridge, clinic.tenant) == ()
    async with bridge.house.rooms.store.tenant(OPERATOR) as session:
        row = await rows.bridge(session, OPERATOR, LIVE)
    assert row is not None
    assert row.looked_at < bridge.clock()


async def test_a_gateway_that_starts_to_work_looks_at_once(bridge: Bridge) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    bridge.office.url = "https://elsewhere.example"
    async with working(bridge.house):
        await until(lambda: _told(bridge, clinic.tenant))


async def _told(bridge: Bridge, tenant: Any) -> bool:
    return bool(await bridge.notices(tenant))


async def test_without_a_registration_nothing_is_asked(open_more: OpenMore, bridge: Bridge) -> None:
    await bridge.house.rooms.oauth.clients.remove(LIVE)
    await watch(bridge.house.rooms, at_start=True)
    assert bridge.office.logins == []


def test_every_fault_says_what_it_is_and_how_to_mend_it() -> None:
    assert set(WHAT) == set(MEND) == set(Fault)
