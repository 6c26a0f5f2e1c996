"""Answer straight on ASGI: the headers that every answer has, and one whole body. Knows no route."""

from __future__ import annotations

from typing import Final

from starlette.types import Send

from gateway.web.problems import Problem

RawHeaders = tuple[tuple[bytes, bytes], ...]

HEADERS: Final[RawHeaders] = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


def header_list(problem: Problem) -> RawHeaders:
    """The headers of a problem document, as ASGI has them."""
    return (*HEADERS, *((name.encode("ascii"), value.encode("ascii")) for name, value in problem.headers.items()))


async def answer(send: Send, status: int, headers: RawHeaders, body: bytes, asked: str) -> None:
    """Send one answer; `asked` is the request's id."""
    whole = [*headers, (b"content-length", b"%d" % len(body)), (b"x-request-id", asked.encode("ascii"))]
    await send({"type": "http.response.start", "status": status, "headers": whole})
    await send({"type": "http.response.body", "body": body})
