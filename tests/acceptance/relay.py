"""Stands between the gateway and a vendor: passes every byte on in both directions and keeps what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Sent:
    """One request as it went over the wire."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The body as a form; a name that is there twice fails."""
        pairs = parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=bool(self.body))
        assert len(dict(pairs)) == len(pairs), "a name is there twice"
        return dict(pairs)


@dataclass
class Relay:
    """Every byte that went to the vendor, by connection."""

    url: str = ""
    raw: list[bytearray] = field(default_factory=list)

    def sent(self) -> list[Sent]:
        """All requests, by connection and in order."""
        return [request for each in self.raw for request in _requests(bytes(each))]


@asynccontextmanager
async def relay(vendor_url: str) -> AsyncIterator[Relay]:
    """A relay to a vendor on loopback."""
    kept, target = Relay(), urlsplit(vendor_url)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept.raw.append(bytearray())
        keep = kept.raw[-1]
        there, back = await asyncio.open_connection(target.hostname, target.port)
        await asyncio.gather(_pump(reader, back, keep), _pump(there, writer, bytearray()))

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    kept.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield kept
    finally:
        server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keep: bytearray) -> None:
    try:
        while part := await reader.read(65_536):
            keep += part
            writer.write(part)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


def _requests(raw: bytes) -> list[Sent]:
    found = []
    while raw:
        head, blank, raw = raw.partition(b"\r\n\r\n")
        assert blank, "half a request"
        line, *pairs = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (pair.partition(":") for pair in pairs)}
        assert "transfer-encoding" not in headers, "bodies are sent with their length"
        length = int(headers.get("content-length", 0))
        found.append(Sent(line, headers, raw[:length]))
        raw = raw[length:]
    return found
