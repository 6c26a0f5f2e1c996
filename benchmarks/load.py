"""The load: so many callers, each with its own connection, each sending its next call when the last one is answered.

Its own program, so that its CPU is nobody else's; a raw protocol, so that it is never what is measured.
"""

import asyncio
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import httptools
import uvloop

from benchmarks.programs import say
from benchmarks.window import Window

GIVE_UP_AFTER_ERRORS = 100
DRAIN_SECONDS = 10.0


class Load:
    """What all callers share: the request, the window and whether to go on."""

    def __init__(self, spec: dict[str, Any]) -> None:
        """Compose the request once; `{n}` in a header stands for a number that is new in every call."""
        target = urlsplit(spec["url"])
        body = spec["body"].encode()
        headers = {"Host": target.netloc, "Content-Length": str(len(body)), **spec["headers"]}
        lines = [f"POST {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.before, self.numbered, self.after = "\r\n".join(lines).encode().partition(b"{n}")
        self.after += body
        self.address = (target.hostname, target.port)
        self.window = Window(server=spec["server"], database=spec["database"])
        self.stopped = False
        self.busy = 0
        self.idle = asyncio.Event()
        self.number = 0
        # A run of its own for the numbers, so that the next measurement does not repeat this one's.
        self.run = str(time.time_ns())

    def request(self) -> bytes:
        """The bytes of the next call."""
        self.number += 1
        return self.before + (f"{self.run}-{self.number}".encode() if self.numbered else b"") + self.after

    def fail(self, why: str) -> None:
        """Count an error; too many end the measurement."""
        self.window.fail(why)
        self.stopped = self.stopped or self.window.errors >= GIVE_UP_AFTER_ERRORS


class Caller(asyncio.Protocol):
    """One caller on one connection."""

    def __init__(self, load: Load) -> None:
        """Nothing is sent before the connection stands."""
        self.load = load
        self.answer = b""
        self.waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first call."""
        self.transport: Any = transport
        self.parser = httptools.HttpResponseParser(self)
        self.send()

    def send(self) -> None:
        """Send the next call and start its clock."""
        self.answer = b""
        self.waiting = True
        self.load.busy += 1
        self.sent_at = time.perf_counter()
        self.transport.write(self.load.request())

    def data_received(self, data: bytes) -> None:
        """Read on."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.settle(f"unreadable answer: {error}")
            self.transport.close()

    def on_body(self, body: bytes) -> None:
        """Keep the answer: an error's words are shown."""
        self.answer += body

    def on_message_complete(self) -> None:
        """Count the call and send the next one."""
        status = self.parser.get_status_code()
        self.settle("" if 200 <= status < 300 else f"{status} {self.answer[:300].decode(errors='replace')}")
        if self.load.stopped:
            self.transport.close()
        else:
            self.send()

    def settle(self, error: str) -> None:
        """The call that was on its way has ended, well or not."""
        self.waiting = False
        self.load.busy -= 1
        if self.load.stopped and not self.load.busy:
            self.load.idle.set()
        if error:
            self.load.fail(error)
        else:
            self.load.window.record(time.perf_counter() - self.sent_at)

    def connection_lost(self, error: Exception | None) -> None:
        """A connection that ends under a call is an error."""
        if self.waiting:
            self.settle(f"connection lost: {error}")
        if not self.load.stopped:
            self.again = asyncio.ensure_future(connect(self.load))


async def connect(load: Load) -> None:
    """Give one caller its connection."""
    try:
        await asyncio.get_running_loop().create_connection(lambda: Caller(load), *load.address)
    except OSError as error:
        load.fail(f"no connection: {error}")


async def main() -> None:
    """Warm up, measure, drain, tell."""
    spec = json.loads(sys.stdin.readline())
    load = Load(spec)
    for _ in range(spec["callers"]):
        await connect(load)
    await asyncio.sleep(spec["warm_seconds"])
    load.window.open()
    await asyncio.sleep(spec["seconds"])
    load.window.close()
    load.stopped = True
    if load.busy:
        await asyncio.wait([asyncio.ensure_future(load.idle.wait())], timeout=DRAIN_SECONDS)
    say(load.window.result().as_json())


if __name__ == "__main__":
    uvloop.run(main())
