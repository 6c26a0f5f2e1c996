"""A network of health records: what it tells us is proved and read or refused, and its sandbox lets the gateway in as it does."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, get_args
from uuid import uuid4

import httpx2
import pytest

from connectors.contract import CallbackRefused, ConnectorError
from connectors.folder import Connector
from connectors.network import Letter, Network, SessionRefused
from connectors.review import recordings
from connectors.told import Told
from tests.conformance.harness import CANARY, GARBAGE, NOW, STAND_IN, registration, with_length
from tests.conformance.rules_callback import _changed, _paths

HOSTILE: tuple[Any, ...] = (
    None, True, -1, 10**30, 1.5, "", CANARY, "\u00e9\x00", "\ud83d", "9" * 5000, [], [CANARY], [[]], {}, [{}],
    {"id": {"id": CANARY}}, [{"id": CANARY}] * 3,
)  # fmt: skip


def rule_recorded_letters_say_what_is_recorded(connector: Connector) -> None:
    network, kinds = connector.network, set()
    if network is None:
        return
    for recorded in recordings(connector, "letters"):
        told = network.read(recorded["path"], letter(network), json.dumps(recorded["body"]).encode())
        found = None if told is None else {"kind": type(told).__name__, **written(told)}
        assert found == recorded["gives"], recorded["path"]
        assert CANARY not in json.dumps(found)
        kinds |= {type(told)}
    missing = {each.__name__ for each in get_args(Told)} - {kind.__name__ for kind in kinds}
    assert not missing, f"record a letter of each kind: {missing}"


def rule_a_letter_is_read_or_refused_and_nothing_else(connector: Connector) -> None:
    network = connector.network
    if network is None:
        return
    for recorded in recordings(connector, "letters"):
        for body in (*GARBAGE, *_broken(recorded["body"])):
            for path in (recorded["path"], f"{recorded['path']}/"):
                assert CANARY not in _refusal(network, path, body)


def rule_the_outside_of_a_letter_is_read_or_refused_and_nothing_else(connector: Connector) -> None:
    network = connector.network
    if network is None:
        return
    good = _outside(network)
    for name in good:
        for value in (
            "",
            CANARY,
            "Bearer",
            f"Bearer {CANARY}",
            "Bearer a.b.c",
            f"Bearer {'.' * 9000}",
            "\x00",
            "\u00e9",
        ):
            with pytest.raises(CallbackRefused) as refused:
                network.verify(network.outside("/", {**good, name: value}), (), now=NOW)
            assert CANARY not in str(refused.value)
        with pytest.raises(CallbackRefused):
            network.outside("/", {key: value for key, value in good.items() if key != name})


async def rule_the_sandbox_gives_a_session_and_answers_only_in_one(connector: Connector) -> None:
    network = connector.network
    if network is None or connector.manifest.credential.session is None:
        return
    sandbox, base = connector.module("sandbox"), STAND_IN
    client_id, secret = registration(connector)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=sandbox.create())) as web:
        wrong = network.session_request(base, client_id, f"{secret}x", request_id=_id(), now=_now())
        with pytest.raises(SessionRefused):
            network.read_session(await web.send(with_length(wrong)))
        asked = network.session_request(base, client_id, secret, request_id=_id(), now=_now())
        session = network.read_session(await web.send(with_length(asked)))
        assert 60 <= session.lasts_seconds <= 86_400
        with pytest.raises(ConnectorError):
            stranger = network.bridge_request(base, token="x" * 40, request_id=_id(), now=_now())
            network.read_bridge(await web.send(with_length(stranger)))
        keys = network.keys_request(base, token=session.token, request_id=_id(), now=_now())
        assert network.read_keys(await web.send(with_length(keys)))
        bridge = network.bridge_request(base, token=session.token, request_id=_id(), now=_now())
        services = network.read_bridge(await web.send(with_length(bridge))).services
        pattern = str(connector.manifest.credential.account_pattern)
        assert any(each.active and each.gives_records and re.fullmatch(pattern, each.id) for each in services)


async def rule_the_sandbox_sends_everything_where_it_is_told_to(connector: Connector) -> None:
    network = connector.network
    if network is None or connector.manifest.credential.session is None:
        return
    sandbox, base, url = connector.module("sandbox"), STAND_IN, "https://gateway.example/x"
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=sandbox.create())) as web:
        asked = network.session_request(base, *registration(connector), request_id=_id(), now=_now())
        token = network.read_session(await web.send(with_length(asked))).token
        moved = network.move_request(base, url, token=token, request_id=_id(), now=_now())
        network.read_moved(await web.send(with_length(moved)))
        bridge = network.bridge_request(base, token=token, request_id=_id(), now=_now())
        assert network.read_bridge(await web.send(with_length(bridge))).url == url


async def rule_hostile_answers_to_the_gateway_itself_are_errors(connector: Connector) -> None:
    network = connector.network
    if network is None:
        return
    for status in (200, 400, 401, 403, 404, 429, 500, 503):
        for body in GARBAGE:
            for read in (network.read_session, network.read_keys, network.read_bridge):
                with pytest.raises((ConnectorError, SessionRefused)) as raised:
                    read(httpx2.Response(status, content=body))
                assert CANARY not in f"{raised.value!r} {raised.value}"


def letter(network: Network) -> Letter:
    """An outside that can be read, with a token that nobody signed."""
    return network.outside("/", _outside(network))


def written(told: Any) -> Any:
    """What was read, as JSON."""
    if is_dataclass(told):
        return {each.name: written(getattr(told, each.name)) for each in fields(told)}
    if isinstance(told, frozenset):
        return sorted(map(str, told))
    if isinstance(told, tuple | list):
        return [written(each) for each in told]
    if isinstance(told, datetime):
        return told.isoformat()
    if isinstance(told, bytes):
        return told.hex()
    return str(told) if isinstance(told, StrEnum) else dict(told) if hasattr(told, "keys") else told


def _outside(network: Network) -> dict[str, str]:
    token = ".".join(("eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0", "eyJpc3MiOiJ4In0", "c2lnbmF0dXJl"))
    return {
        "Authorization": f"Bearer {token}",
        "REQUEST-ID": "0b3f7c2d-9a41-4e8b-8c55-6d2e1f0a9b83",
        "X-HIP-ID": "IN2710001234_1",
    }


def _broken(body: Any) -> Iterator[bytes]:
    """A recorded letter with each of its parts missing, of another kind, or hostile; and its bytes spoilt."""
    raw = json.dumps(body).encode()
    for path in _paths(body):
        for value in HOSTILE:
            yield json.dumps(_changed(body, path, value)).encode()
    yield from (raw + b"\x00", raw[:-1], b"[" + raw + b"]", raw.replace(b":", b"="), raw * 2)


def _refusal(network: Network, path: str, body: bytes) -> str:
    """What a refusal says; nothing where the body was read."""
    try:
        network.read(path, letter(network), body)
    except CallbackRefused as refused:
        return str(refused)
    return ""


def _id() -> str:
    return str(uuid4())


def _now() -> datetime:
    return datetime.now(UTC)
