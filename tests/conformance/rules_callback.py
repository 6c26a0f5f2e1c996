"""What the vendor tells us: hostile messages are refused, genuine ones give declared fields only."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest

from connectors.contract import CallbackEvent, CallbackRefused
from connectors.folder import Connector
from connectors.registry import Registry
from connectors.review import recordings
from gateway.webhooks.kinds import Kinds, prefix_of
from scopes.minimize import minimize
from tests.conformance.harness import CANARY, GARBAGE

NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
URL = "https://gateway.example/hooks/0190163d-8694-7a3c-8f0e-6c7f3e8f7a01"


def rule_hostile_callbacks_are_refused_and_nothing_else(connector: Connector) -> None:
    if connector.callback is None:
        return
    verify = connector.callback.verify
    for body in (*GARBAGE, *(_raw(each) for each in recordings(connector, "callback") or ())):
        for headers in _hostile_headers(connector):
            for secrets in ((), ("",), (" ",), ("whsec_wrong",), ("a", "b", "ü")):
                with pytest.raises(CallbackRefused) as refused:
                    verify(body, headers, "https://gateway.example/hooks/1", secrets, now=NOW)
                assert CANARY not in str(refused.value)


def rule_unreadable_events_are_refused_and_nothing_else(connector: Connector) -> None:
    if connector.callback is None:
        return
    for body in (*GARBAGE, *_broken_events(connector)):
        for read in _readers(connector):
            assert CANARY not in _refusal_of(read, body)


def rule_recorded_events_give_what_is_recorded_and_only_declared_fields(connector: Connector) -> None:
    if connector.callback is None:
        return
    assert connector.callback.EVENTS.keys() >= connector.callback.KNOWN
    for recorded in recordings(connector, "callback"):
        given = connector.callback.translate(_raw(recorded), _url(recorded))
        found = [
            {
                "type": event.type,
                "vendor_id": event.vendor_id,
                "account": event.account,
                "occurred_at": event.occurred_at.isoformat() if event.occurred_at is not None else None,
                "data": dict(event.data),
                **_further(event),
            }
            for event in given
        ]
        assert found == recorded["gives"]
        assert CANARY not in json.dumps(found)
        assert connector.callback.identity(_raw(recorded)) != ""
        for event in given:
            assert event.data.keys() <= {leaf.name for leaf in connector.callback.EVENTS[event.type].fields}


def rule_bytes_of_every_kind_are_read_or_refused_and_nothing_else(connector: Connector) -> None:
    """Genuine messages, spoilt: a message is only bytes until it is verified, and may be signed and still be anything."""
    if connector.callback is None:
        return
    callback = connector.callback
    addresses = ("", "https://gateway.example/hooks/1?CANARY=\u00e9", "\x00", "https://" + "x" * 10_000)
    for at, body in enumerate(_spoilt_bytes(connector)):
        for read in _readers(connector):
            assert CANARY not in _refusal_of(read, body)
        for headers in (*_signed_alike(connector), {}):
            with pytest.raises(CallbackRefused) as refused:
                callback.verify(body, headers, addresses[at % len(addresses)], ("whsec_wrong",), now=NOW)
            assert CANARY not in str(refused.value)


def rule_an_envelope_is_read_or_refused_and_nothing_else(connector: Connector) -> None:
    """Where a vendor says everything in headers: what they may hold is as hostile as a body."""
    if connector.envelope is None:
        return
    for headers in (*_hostile_headers(connector), *_signed_alike(connector)):
        for body in GARBAGE:
            assert CANARY not in _refusal_of(partial(connector.envelope, headers=headers), body)


def rule_recorded_events_can_be_published(connector: Connector) -> None:
    """What publishing asks of an event: a name of the right form, and data that fits its own declaration."""
    if connector.callback is None:
        return
    kinds = Kinds(Registry([connector]))
    for recorded in recordings(connector, "callback"):
        for event in connector.callback.translate(_raw(recorded), _url(recorded)):
            kind = kinds.kind(f"{prefix_of(connector.id)}{event.type}")
            assert kind.source == connector.id
            assert minimize(kind.shape, {"id": event.vendor_id, **event.data}).withheld == ()


def _further(event: CallbackEvent) -> dict[str, Any]:
    """What an event says of a disclosure or of a person who answered, where it does; as it is recorded."""
    settles, answered = event.settles, event.answered
    said: dict[str, Any] = {}
    if settles is not None:
        said["settles"] = [settles.key, settles.arrival.outcome, settles.code]
    if answered is not None:
        said["answered"] = [answered.channel, answered.wish]
    return said


def _refusal_of(read: Callable[[bytes], Any], body: bytes) -> str:
    try:
        read(body)
    except CallbackRefused as refused:
        return str(refused)
    return ""


def _readers(connector: Connector) -> Iterator[Callable[[bytes], Any]]:
    """Everything that reads a message's bytes, at a plain address and at a hostile one."""
    assert connector.callback is not None
    callback = connector.callback
    yield callback.identity
    yield partial(callback.translate, url=URL)
    yield partial(callback.translate, url=f"{URL}?d={CANARY}&d=&\u00e9=%ff%00#{CANARY}")


def _raw(recorded: dict[str, Any]) -> bytes:
    """The bytes of a recorded message: JSON under `event`, or a form's pairs under `form`."""
    if "form" in recorded:
        return urlencode(list(recorded["form"].items())).encode()
    return json.dumps(recorded["event"]).encode()


def _url(recorded: dict[str, Any]) -> str:
    """The address that a recorded message came to."""
    return f"{URL}{recorded.get('query', '')}"


def _named_headers(connector: Connector) -> list[str]:
    """The headers that the callback's code names, and one that it may build."""
    source = (connector.folder / "callback.py").read_text(encoding="utf-8")
    return sorted({*re.findall(r'"((?:[a-z0-9]+-)+[a-z0-9]+)"', source, re.IGNORECASE), "x-signature"})


def _hostile_headers(connector: Connector) -> Iterator[dict[str, str]]:
    """No header, and each header that the callback's code names with every unfriendly value."""
    yield {}
    stamp = int(NOW.timestamp())
    for name in _named_headers(connector):
        for value in (
            "",
            CANARY,
            "=",
            ",,,",
            "t=,v1=",
            f"t={stamp}",
            f"t={stamp},v1=",
            f"t={stamp},v1=é",
            f"t={stamp},v1={'0' * 64}",
            f"t={stamp + 10**6},v1={'0' * 64}",
            f"t={'9' * 400},v1=x",
            f"t=-1,v1={'f' * 64}",
            f"t=\u0661,v1={'f' * 64}",
            f"t={stamp}" + f",v1={'0' * 64}" * 5000,
            "sha256=" + "0" * 64,
            "\x00",
        ):
            yield {name: value}


def _signed_alike(connector: Connector) -> Iterator[dict[str, str]]:
    """Headers that come as far as the comparison of signatures, and hold bytes of every value."""
    alike = f"t={int(NOW.timestamp())},v1={'0' * 64}"
    every = bytes(range(1, 256)).decode("latin-1")
    for name in _named_headers(connector):
        for value in (alike, alike + every, "sha256=" + "0" * 64, every, every * 300):
            yield {name: value}


def _spoilt_bytes(connector: Connector) -> Iterator[bytes]:
    """What no JSON is, what looks like it, and recorded messages with a byte changed, lost or too many."""
    yield from (b"\x00" * 1000, b"\xef\xbb\xbf{}", b"9" * 5000, b"-", b"NaN", b"1e999", b'"\\ud800"', b"{}" * 2)
    yield from (b'{"id":' * 2000, b"[" * 100_000, b'{"\\u0000": "\\ud800CANARY"}', b"BodyST=OP&From=CANARY")
    for recorded in recordings(connector, "callback"):
        body = _raw(recorded)
        yield from (body.decode().encode(name) for name in ("utf-16", "utf-32", "utf-7"))
        yield from (body + b"\x00", body * 2, b"[" + body + b"]", b'"' + body + b'"', body.replace(b":", b"="))
        yield from (
            body.replace(b'"', b"'"),
            body.replace(b"{", b'{"id": "CANARY", ', 1),
            body.replace(b'"id"', b'"ID"'),
        )
        for at in range(0, len(body), max(len(body) // 40, 1)):
            yield from (body[:at], body[:at] + b"\x00" + body[at:], body[:at] + b"\xff" + body[at + 1 :])


def _broken_events(connector: Connector) -> Iterator[bytes]:
    """Each recorded event with each of its parts missing, of another kind, or hostile."""
    hostile: list[Any] = [None, 1, -(10**30), CANARY, "é\x00", [], {}, [{}]]
    for recorded in recordings(connector, "callback"):
        if "form" in recorded:
            yield from _broken_forms(recorded["form"])
            continue
        event = recorded["event"]
        for path in _paths(event):
            for value in hostile:
                yield json.dumps(_changed(event, path, value)).encode()


def _broken_forms(form: dict[str, str]) -> Iterator[bytes]:
    """A recorded form with each of its pairs missing, hostile, or there twice."""
    pairs = list(form.items())
    for at, (name, value) in enumerate(pairs):
        others = pairs[:at] + pairs[at + 1 :]
        yield urlencode(others).encode()
        yield urlencode([*pairs, (name, value)]).encode()
        for hostile in ("", CANARY, "\x00", "é", "9" * 5000, f"{value}\n"):
            yield urlencode([*others, (name, hostile)]).encode()
        yield urlencode(
            [*others, (f"{name}{value[:1]}", value[1:])]
        ).encode()  # a signature over names and values can't tell


def _paths(node: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, inner in node.items() if isinstance(node, dict) and len(above) < 3 else ():
        yield (*above, name)
        yield from _paths(inner, (*above, name))


def _changed(event: Any, path: tuple[str, ...], value: Any) -> Any:
    first, *rest = path
    return {**event, first: _changed(event[first], tuple(rest), value) if rest else value}
