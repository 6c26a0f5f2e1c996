"""What the gateway asks in its own name: a session, keys, and what is on file about it."""

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from connectors.abdm import session
from connectors.contract import Ambiguous, ConnectorError, ReconnectNeeded, Rejected, TryLater
from connectors.network import SessionRefused
from tests.connectors.abdm.played import KEYS, played

NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
GOOD = {"accessToken": "x" * 40, "expiresIn": 1200, "refreshToken": "y", "tokenType": "bearer"}


def answer(status: int, body: Any = None) -> httpx2.Response:
    return httpx2.Response(status, json=body) if body is not None else httpx2.Response(status)


def test_a_session_is_asked_for_without_a_credential_in_a_header() -> None:
    asked = session.session_request("https://dev.abdm.gov.in", "SBX_1", "secret", request_id="r", now=NOW)
    assert asked.url == "https://dev.abdm.gov.in/api/hiecm/gateway/v3/sessions"
    assert "authorization" not in asked.headers
    assert asked.headers["x-cm-id"] == "sbx"
    assert b'"grantType":"client_credentials"' in asked.content


def test_a_session_lasts_as_long_as_it_says_and_its_token_is_in_no_repr() -> None:
    read = session.read_session(answer(200, GOOD))
    assert (read.token, read.lasts_seconds) == ("x" * 40, 1200)
    assert "xxx" not in repr(read)


@pytest.mark.parametrize(("status", "body"), [
    (401, {"code": "invalid_grant", "message": "Invalid user credentials"}), (400, None), (401, None),
    (403, {"code": "900908", "message": "x"}),
])  # fmt: skip
def test_a_registration_that_is_not_taken_is_no_error_to_repeat(status: int, body: Any) -> None:
    with pytest.raises(SessionRefused) as refused:
        session.read_session(answer(status, body))
    assert refused.value.code == ("subscription_inactive" if status == 403 else "registration_refused")


@pytest.mark.parametrize(("response", "kind"), [
    (answer(500), Ambiguous), (answer(503, {"code": "303001"}), TryLater), (answer(429), TryLater),
    (answer(200, {}), Ambiguous), (answer(200, {**GOOD, "accessToken": "a b"}), Ambiguous),
    (answer(200, {**GOOD, "expiresIn": "1200"}), Ambiguous), (answer(200, {**GOOD, "expiresIn": -1}), Ambiguous),
    (answer(200, {**GOOD, "expiresIn": True}), Ambiguous),
])  # fmt: skip
def test_a_network_out_of_order_is_an_error_and_no_refusal(response: httpx2.Response, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        session.read_session(response)


def test_only_rsa_keys_with_a_name_and_an_algorithm_are_kept() -> None:
    shown = KEYS.jwks()["keys"]
    wrong: list[Any] = [
        {**shown[0], "kty": "EC"}, {**shown[0], "kid": ""}, {**shown[0], "kid": 7}, {**shown[0], "alg": None},
        {**shown[0], "n": "!!"}, {**shown[0], "n": None}, {**shown[0], "use": "enc"}, "key", None, {},
    ]  # fmt: skip
    read = session.read_keys(answer(200, {"keys": [*wrong, *shown]}))
    assert [key.algorithm for key in read] == ["RS256", "RS512"]
    assert all(key.pem.startswith(b"-----BEGIN PUBLIC KEY-----") for key in read)
    assert read == session.read_keys(answer(200, {"keys": [{**each, "d": "AQAB"} for each in shown]}))


async def test_the_keys_are_shown_only_to_who_has_a_session() -> None:
    world = await played()
    assert {key.algorithm for key in await world.keys()} == {"RS256", "RS512"}
    world.token = "x" * 40
    with pytest.raises(ReconnectNeeded):
        await world.keys()


def test_a_service_s_id_is_read_as_it_is_and_one_of_another_form_is_left_out() -> None:
    services = [
        {"id": "IN1410000232_1", "name": "FACILITY", "types": ["HIP", "HIU"], "active": True},
        {"id": "IN1410000232_2", "name": "", "types": ["HIU"], "active": True},
        {"id": "IN1410000232_3", "name": "Off", "types": ["HIP"], "active": "yes"},
        {"id": "a b"},
        {"id": None},
        "x",
    ]
    read = session.read_bridge(
        answer(200, {"bridge": {"id": "B", "url": "https://x", "active": True}, "services": services})
    )
    assert [(each.id, each.active, each.gives_records) for each in read.services] == [
        ("IN1410000232_1", True, True),
        ("IN1410000232_2", True, False),
        ("IN1410000232_3", False, True),
    ]
    assert read.services[1].name == "IN1410000232_2"


@pytest.mark.parametrize("bridge", [
    {"id": "B", "url": "", "active": True}, {"id": "B", "url": None, "active": True, "blocklisted": False}])  # fmt: skip
def test_an_address_that_is_not_told_is_none(bridge: Any) -> None:
    read = session.read_bridge(answer(200, {"bridge": bridge, "services": []}))
    assert (read.url, read.active) == (None, True)


def test_a_bridge_that_is_blocked_is_not_active() -> None:
    told = {"id": "B", "url": "https://x", "active": True, "blocklisted": True}
    assert not session.read_bridge(answer(200, {"bridge": told, "services": []})).active


def test_a_new_address_is_taken_with_202_and_nothing_else_to_say() -> None:
    session.read_moved(answer(202))
    session.read_moved(answer(200, {"message": "ok"}))
    for response in (answer(400), answer(401), answer(500), answer(200, {"error": {"code": "2500"}})):
        with pytest.raises(ConnectorError):
            session.read_moved(response)


def test_a_token_that_cannot_stand_in_a_header_leaves_nowhere() -> None:
    with pytest.raises(Rejected):
        session.keys_request("https://dev.abdm.gov.in", token="a\r\nX: 1", request_id="r", now=NOW)
