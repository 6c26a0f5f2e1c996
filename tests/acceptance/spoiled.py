"""Marked data: payloads, requests and vendors' answers that hold a mark in every place that they have. Sends nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from connectors.contract import Action
from connectors.example import example_of
from scopes.field import Shape
from tests.conformance.harness import CANARY, GARBAGE, with_canaries
from tests.gateway.egress.vendor import Behaviour, answer

NAMED = f"{CANARY} Lovelace"  # no id and no word of a list
ECHOED = orjson.dumps(
    dict.fromkeys(("id", "object", "status", "url", "currency", "code", "type", "message", "name", "email"), NAMED)
    | {"metadata": {"ref": NAMED, CANARY: NAMED}, "error": dict.fromkeys(("code", "message", "param"), NAMED)}
)
HEADERS = {
    "x-request-id": NAMED,
    "user-agent": CANARY,
    "referer": f"https://host.example/{CANARY}",
    "cookie": f"a={CANARY}",
    "x-forwarded-for": CANARY,
    "traceparent": CANARY,
    "accept-language": CANARY,
}
# What does not belong where it is put, whatever belongs there.
WRONG: tuple[Any, ...] = (
    NAMED, [NAMED], {NAMED: NAMED}, 10**30, -1, True, None, f"{CANARY}\u0000\ud7ff\U0001f600", f"{CANARY}'; --",
)  # fmt: skip
# Moments that a calendar here or there does not have.
MOMENTS = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z", f"2026-{CANARY}")
BODIES = (
    CANARY.encode(),
    f'{{"{CANARY}'.encode(),
    f'{{"title": "{CANARY}'.encode(),
    b"\xff" + CANARY.encode(),
    b"[" * 9000,
)
AUTHORIZATIONS = (f"Bearer {CANARY}", f"Basic {CANARY}", f"Bearer cgk_{CANARY}", f"Bearer a.{CANARY}.c", CANARY)
# What a client library would not send; the headers of somebody who may call go in between.
HARDLY_HTTP = (
    b"CANARY\r\n\r\n",
    b"GET /CANARY HTTP/9.9\r\n\r\n",
    b"GET /v1/catalog?%ff=CANARY HTTP/1.1%b\r\n",
    b"POST /v1/calls HTTP/1.1%bContent-Length: CANARY\r\n\r\n",
    b"POST /v1/calls HTTP/1.1%bTransfer-Encoding: CANARY\r\n\r\nCANARY",
    b"POST /v1/calls HTTP/1.1%bTransfer-Encoding: chunked\r\n\r\nCANARY\r\n\r\n",
    b"GET /v1/catalog HTTP/1.1%bIdempotency-Key: \xffCANARY\r\nCANARY: \xfe\r\n\r\n",
    b'POST /v1/calls HTTP/1.1%bContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"CANARY',
)


def payloads(action: Action) -> Iterator[dict[str, Any]]:
    """Payloads that are taken: marks wherever any text will do, and in every spot that nobody declared."""
    full = with_canaries(action.shape) | _declared(action.shape, example_of(action.shape))
    yield full
    yield {**full, NAMED: {NAMED: [NAMED]}}
    yield example_of(action.shape, optional=False)


def _declared(shape: Shape, values: dict[str, Any]) -> dict[str, Any]:
    for each in shape.fields:
        if each.shape:
            inner = values[each.name]
            values[each.name] = [_declared(each.shape, inner[0])] if each.many else _declared(each.shape, inner)
            continue
        mark = [NAMED] if each.many else NAMED
        try:
            TypeAdapter(each.rule).validate_python(mark)
        except ValidationError:
            continue
        values[each.name] = mark
    return values


def telling(values: Any) -> Iterator[str]:
    """Every text in an example that could name somebody: not the words of a list, not days."""
    if isinstance(values, dict):
        values = list(values.values())
    if isinstance(values, list):
        for each in values:
            yield from telling(each)
    elif (
        isinstance(values, str)
        and len(values) > 7
        and re.search(r"[0-9@]", values)
        and not re.match(r"\d{4}-\d\d", values)
    ):
        yield values


def trouble() -> list[bytes | Behaviour]:
    """Vendors' answers of every unfriendly kind."""
    spoiled = {
        "x_echo": CANARY,
        "request_id": CANARY,
        "set_cookie": f"a={CANARY}",
        "www_authenticate": f'Bearer "{CANARY}"',
    }
    statuses = (200, 201, 400, 401, 402, 403, 404, 409, 422, 429, 500, 503)
    said: list[bytes | Behaviour] = [answer(200, ECHOED, **spoiled)] * 4
    said += [answer(status, body, **spoiled) for status in statuses for body in (GARBAGE[-1], ECHOED)]
    said += [answer(status, body, **spoiled) for status, body in zip(statuses * 2, GARBAGE * 2, strict=False)]
    said += [answer(302, b"", location=f"https://{CANARY}.example/{CANARY}"), answer(429, b"{}", retry_after=CANARY)]
    said += [answer(200, CANARY.encode(), content_encoding=coding) for coding in ("gzip", "br", CANARY)]
    said += [answer(200, b'{"id": "%b"}' % (CANARY.encode() * 150_000))]
    return said + [_raw(raw.replace(b"%b", CANARY.encode())) for raw in _BROKEN]


_BROKEN = (
    b"%b",
    b"",
    b"HTTP/1.1 200 %b\r\ncontent-length: 99\r\n\r\n%b",
    b"HTTP/1.1 %b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n%b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%b\r\n",
)


def _raw(said: bytes) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()

    return behave
