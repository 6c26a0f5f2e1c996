"""A vendor on loopback that answers as told and keeps every request. Not a vendor's rules, only its bytes."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx2

from gateway.egress import Passage

# What it returns is answered and the connection kept; where it returns nothing the vendor hangs up.
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes | None]]


@dataclass
class Vendor:
    """A server whose every connection and request is kept; `answers` are given in turn, the last one for ever."""

    port: int = 0
    answers: list[bytes | Behaviour] = field(default_factory=lambda: [answer(200, b"{}")])
    delay_seconds: float = 0.0  # before each answer in bytes
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    async def open(self, context: ssl.SSLContext | None = None) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Listen no more."""
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_length(head))
                self.requests.append(head + body)
                await self._answer(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0], reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _answer(
        self, said: bytes | Behaviour, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        words = said if isinstance(said, bytes) else await said(reader, writer)
        if words is None:
            raise asyncio.IncompleteReadError(b"", None)
        await asyncio.sleep(self.delay_seconds)
        writer.write(words)
        await writer.drain()

    def lines(self, index: int = -1) -> list[str]:
        """The request line and the headers of one request."""
        return self.requests[index].partition(b"\r\n\r\n")[0].decode().split("\r\n")

    def header(self, name: str, index: int = -1) -> list[str]:
        """The values of one request header."""
        pairs = [line.partition(":") for line in self.lines(index)[1:]]
        return [value.strip() for key, _, value in pairs if key.lower() == name]


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """One HTTP/1.1 answer in bytes."""
    lines = [f"HTTP/1.1 {status} Said", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def ask(passage: Passage, path: str = "/v1/things", method: str = "POST", **headers: str) -> httpx2.Request:
    """A small request along a passage."""
    pairs = {name.replace("_", "-"): value for name, value in headers.items()}
    content = b"a=1" if method == "POST" else None
    return httpx2.Request(method, passage.base_url + path, headers=pairs, content=content)
