"""Build requests for, and read answers of, the door. Keeps no vendor's knowledge and never quotes an answer."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from connectors.errors import (
    Ambiguous,
    AnswerRefused,
    ConnectorError,
    ProviderScopeMissing,
    ReconnectNeeded,
    Rejected,
    TryLater,
)
from scopes.wording import Wording

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import httpx2

    from connectors.contract import Egress

_SECONDS: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?")
_LONGEST_WAIT_SECONDS: Final = 3600.0


def build_request(
    method: str, url: str, *, headers: Mapping[str, str], content: bytes | None = None
) -> "httpx2.Request":
    """One request for Egress.send; the credential is added there."""
    import httpx2  # 0.15 s: on the first call, not when the registry loads

    # What is written to goes to a few addresses, over and over; what is read has its id in the address.
    address = _parsed(url) if content is not None else httpx2.URL(url)
    # As a stream that is read at once: given as `content`, httpx2 works out Host and Content-Length, for ten times as
    # much, and the door writes these itself.
    request = httpx2.Request(method, address, headers=headers, stream=httpx2.ByteStream(content or b""))
    request.read()
    return request


class Anew:
    """A body in pieces, from its start each time that it is gone through: such a one, and no other, may be sent again."""

    __slots__ = ("_chunks",)

    def __init__(self, chunks: "Callable[[], AsyncIterator[bytes]]") -> None:
        """`chunks` begins anew each time that it is called."""
        self._chunks = chunks

    def __aiter__(self) -> "AsyncIterator[bytes]":
        """All the pieces."""
        return self._chunks()


def build_streamed(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    length: int,
    chunks: "Callable[[], AsyncIterator[bytes]]",
) -> "httpx2.Request":
    """A request for Egress.send whose body is made while it is sent; `length` is exact, or nothing arrives whole."""
    import httpx2

    stream = cast(
        "httpx2.AsyncByteStream", Anew(chunks)
    )  # httpx2 asks of a stream nothing but that it can be gone through
    return httpx2.Request(method, _parsed(url), headers={**headers, "content-length": str(length)}, stream=stream)


@lru_cache(maxsize=256)
def _parsed(url: str) -> "httpx2.URL":
    import httpx2

    return httpx2.URL(url)


def wording_of(egress: "Egress") -> Wording:
    """What a message says. Raises Rejected where nobody says anything, so that no connector makes words up."""
    if egress.wording is None:
        raise Rejected("wording_missing")
    return egress.wording


def object_in(response: "httpx2.Response") -> dict[str, Any]:
    """The JSON object in an answer. Raises Ambiguous where there is none: the vendor did something, who knows what."""
    parsed = parse_object(response.content)
    if parsed is None:
        raise Ambiguous("unreadable_answer")
    return parsed


def parse_object(raw_body: bytes) -> dict[str, Any] | None:
    """The JSON object in some bytes, or None; never raises on hostile bytes."""
    try:
        parsed = orjson.loads(raw_body)
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """The vendor's Retry-After in seconds, at most an hour; None where it is missing or a date."""
    wish = headers.get("retry-after", "")
    return min(float(wish), _LONGEST_WAIT_SECONDS) if _SECONDS.fullmatch(wish) else None


def error_for(status: int, headers: Mapping[str, str], code: str | None = None) -> ConnectorError | None:
    """What an HTTP status means to the caller; None where the vendor accepted. `code` is a word of our own."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return AnswerRefused("redirect")
    if status == 401:
        return ReconnectNeeded(code)
    if status == 403:
        return ProviderScopeMissing(code)
    if status == 429:
        return TryLater(retry_after_seconds(headers), code)
    if status == 408 or status >= 500 or status < 200:
        return Ambiguous(code)
    return Rejected(code)
