"""What may come in: no redirect, no cookie, no bomb. Turns what the engine received into what a connector reads."""

import zlib
from functools import cached_property
from typing import Final

import httpx2

from connectors.contract import AnswerRefused
from gateway.egress.letter import Received

_NOT_MODIFIED: Final = 304
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
_RAW_DEFLATE: Final = -zlib.MAX_WBITS
_NEVER_PASSED_ON: Final = frozenset({"set-cookie", "content-encoding"})


class Answer(httpx2.Response):
    """A complete answer that costs little: no decoder runs over its body, its headers are built when one is read."""

    def __init__(self, received: Received, *, body: bytes, request: httpx2.Request) -> None:
        super().__init__(received.status, stream=httpx2.ByteStream(body), request=request)
        del self.headers  # the empty ones of the base, so that the property below answers
        self._received = received
        self._body = body

    @cached_property
    def headers(self) -> httpx2.Headers:  # type: ignore[override]
        """The headers of the answer, without cookies."""
        return httpx2.Headers([header for header in self._received.headers() if header[0] not in _NEVER_PASSED_ON])

    @property
    def content(self) -> bytes:
        """The body, decoded."""
        return self._body

    def read(self) -> bytes:
        """The body, decoded."""
        return self._body

    async def aread(self) -> bytes:
        """The body, decoded."""
        return self._body


def accept(received: Received, request: httpx2.Request, max_bytes: int) -> Answer:
    """The answer for the connector, or AnswerRefused."""
    status = received.status
    if 300 <= status < 400 and status != _NOT_MODIFIED:
        raise AnswerRefused("redirect")
    if status < 200:
        raise AnswerRefused("bad_encoding")  # a switch of protocols that nobody asked for
    coding = received.coding
    body = received.body if coding is None else _decoded(received.body, coding, max_bytes)
    return Answer(received, body=body, request=request)


def _decoded(body: bytes, coding: str, max_bytes: int) -> bytes:
    """Undo one gzip or deflate, though we ask for none; never more than `max_bytes` come out of it."""
    coding = coding.strip().lower()
    if not body or coding in ("", "identity"):
        return body
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise AnswerRefused("bad_encoding")
    for window in (_GZIP_OR_ZLIB, _RAW_DEFLATE) if coding == "deflate" else (_GZIP_OR_ZLIB,):
        decoder = zlib.decompressobj(window)
        try:
            decoded = decoder.decompress(body, max_bytes + 1)
        except zlib.error:
            continue
        if len(decoded) > max_bytes:
            raise AnswerRefused("too_large")
        if decoder.eof and not decoder.unused_data:
            return decoded
    raise AnswerRefused("bad_encoding")
