"""Read a request: its headers, its body within limits, its JSON. Trusts nothing and keeps nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from gateway.errors import BodyTooLarge, InvalidRequest
from gateway.web.problems import BodyTooSlow, UnsupportedMedia
from gateway.web.within import within
from scopes.fault import Fault

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_JSON: Final = b"application/json"
# Only forms that cannot hold a name or a number of somebody: a request id goes into the ledger and the logs.
_REQUEST_ID: Final = re.compile(
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-f]{32}|[0-7][0-9A-HJKMNP-TV-Z]{25}"
)
_IDEMPOTENCY_KEY: Final = re.compile(r"[!-~]{1,255}")
_LONGEST_NUMBER: Final = 18
_ONCE: Final = (b"authorization", b"content-length", b"content-type", b"idempotency-key")


class ClientGone(Exception):
    """The client hung up while it sent its body; there is nobody to answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a body is read, and for how long."""

    body_bytes: int
    body_seconds: float


class Headers:
    """The headers that the API looks at; one of them given twice is refused, since two readers may pick two values."""

    __slots__ = ("_found",)

    def __init__(self, raw: Collection[tuple[bytes, bytes]]) -> None:
        """Take ASGI's list: names in lower case."""
        self._found = dict(raw)
        if len(self._found) < len(raw):
            names = [name for name, _ in raw]
            for name in _ONCE:
                if names.count(name) > 1:
                    raise InvalidRequest(f"the header {name.decode()} is there more than once")

    @property
    def authorization(self) -> bytes | None:
        """The Authorization header as it came."""
        return self._found.get(b"authorization")

    @property
    def idempotency_key(self) -> str | None:
        """The Idempotency-Key, if there is one; raises InvalidRequest for one of another form."""
        value = self._found.get(b"idempotency-key")
        if value is None:
            return None
        key = value.decode("latin-1")
        if not _IDEMPOTENCY_KEY.fullmatch(key):
            raise InvalidRequest(faults=[Fault("Idempotency-Key", "must be 1 to 255 visible ASCII characters")])
        return key

    def check_json(self) -> None:
        """Raise UnsupportedMedia unless the body is announced as plain JSON."""
        media = self._found.get(b"content-type", b"")
        if media != _JSON and media.partition(b";")[0].strip().lower() != _JSON:
            raise UnsupportedMedia
        if self._found.get(b"content-encoding", b"identity").lower() != b"identity":
            raise UnsupportedMedia("a compressed body is not taken")

    async def body(self, receive: Receive, limits: Limits) -> bytes:
        """The whole body; raises BodyTooLarge before reading on, BodyTooSlow, or ClientGone."""
        announced = self._found.get(b"content-length")
        if announced is not None and not _fits(announced, limits.body_bytes):
            raise _too_large(limits)
        try:
            return await within(limits.body_seconds, _read(receive, limits))
        except TimeoutError:
            raise BodyTooSlow(f"a body must arrive within {limits.body_seconds:g} seconds") from None


async def _read(receive: Receive, limits: Limits) -> bytes:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > limits.body_bytes:
            raise _too_large(limits)
        return body
    parts, size = [], 0
    while True:
        if message["type"] != "http.request":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limits.body_bytes:
            raise _too_large(limits)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()


def request_id(raw: Collection[tuple[bytes, bytes]]) -> str:
    """The caller's X-Request-Id where it is a UUID, a ULID or 32 hexadecimal digits, otherwise a new one."""
    for name, value in raw:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            if _REQUEST_ID.fullmatch(given):
                return given
    return os.urandom(16).hex()


def headers_once(raw: Collection[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers by their names in lower case; one that is there twice is left out, since two readers may pick two."""
    found: dict[str, str] = {}
    twice = set()
    for raw_name, raw_value in raw:
        name = raw_name.decode("latin-1").lower()
        if name in found:
            twice.add(name)
        found[name] = raw_value.decode("latin-1")
    return {name: value for name, value in found.items() if name not in twice}


def json_of(body: bytes) -> Any:
    """The body as JSON; of a name that is there twice the last one counts. Raises InvalidRequest."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}" if body else "it is empty"
        raise InvalidRequest(f"the body is not JSON ({where})") from None


def _fits(announced: bytes, most: int) -> bool:
    return announced.isdigit() and len(announced) <= _LONGEST_NUMBER and int(announced) <= most


def _too_large(limits: Limits) -> BodyTooLarge:
    return BodyTooLarge(f"the body is larger than {limits.body_bytes} bytes, which is all that is read")
