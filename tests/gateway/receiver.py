"""A vendor's endpoint on loopback: echoes challenges until it is told otherwise, and keeps what it heard."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.gateway.egress.vendor import Vendor, answer


@dataclass
class Receiver(Vendor):
    """A vendor whose answers echo the challenge; anything else gets 204."""

    heard: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin honest."""
        self.answers = [self.honest]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hooks"

    def body(self, index: int = -1) -> bytes:
        """The raw body of one request."""
        return self.requests[index].partition(b"\r\n\r\n")[2]

    def headers(self, index: int = -1) -> dict[str, str]:
        """The headers of one request, in lower case."""
        pairs = [line.partition(":") for line in self.lines(index)[1:]]
        return {name.lower(): value.strip() for name, _, value in pairs}

    async def honest(self, _reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> bytes:
        """Echo a challenge, take anything else."""
        said = orjson.loads(self.body())
        self.heard.append(said)
        if said["type"] != "endpoint.challenge":
            return answer(204)
        return answer(200, orjson.dumps({"challenge": said["challenge"]}))

    async def late(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The right answer, too late."""
        await asyncio.sleep(1.0)
        return await self.honest(reader, writer)

    async def dripping(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The right answer, byte by byte."""
        for byte in await self.honest(reader, writer):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)

    async def moved(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """Send on to itself with a redirect that would work."""
        said = await self.honest(reader, writer)
        return answer(308, said.partition(b"\r\n\r\n")[2], location=self.url)
