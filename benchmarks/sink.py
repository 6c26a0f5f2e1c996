"""The receivers of webhooks: one path each, every one with a temper; checks each signature and remembers what arrived when.

Its own program, raw asyncio and httptools like the stub, so that it is never what is measured. Lines from its parent say what
to expect and what to tell; see `heard`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httptools
import uvloop
from standardwebhooks import Webhook

from benchmarks.programs import listen_to_parent, say

TEMPERS = ("well", "hangs", "broken", "moved", "gone", "moody")
_CHALLENGE = b'"endpoint.challenge"'
_SAMPLES = 50
_ELSEWHERE = "/elsewhere"  # where the redirect points: nobody may follow


def _answer(status: str, body: bytes = b"", *more: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *more)
    return "\r\n".join([*lines, "", ""]).encode() + body


_WELL = _answer("200 OK", b"{}")
_BROKEN = _answer("500 Internal Server Error")
_MOVED = _answer("302 Found", b"", f"Location: {_ELSEWHERE}")
_GONE = _answer("410 Gone")


@dataclass
class Receiver:
    """One path: how it answers, what it holds for genuine, and what it got."""

    temper: str = "well"
    verifier: Webhook | None = None
    arrivals: int = 0
    first: dict[str, float] = field(default_factory=dict)
    """When each webhook-id arrived for the first time, in seconds since 1970."""
    again: Counter[str] = field(default_factory=Counter)
    """How often each one arrived after that."""
    bodies: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    """The first messages as they came, for other verifiers."""

    def take(self, headers: dict[str, str], body: bytes) -> bytes | None:
        """One request's answer; nothing means that there is none."""
        if _CHALLENGE in body:
            return _answer("200 OK", json.dumps({"challenge": json.loads(body)["challenge"]}).encode())
        now = time.time()
        self.arrivals += 1
        if len(self.samples) < _SAMPLES:
            self.samples.append({"headers": headers, "body": body.decode()})
        if self.verifier is not None:
            try:
                self.verifier.verify(body, headers, json_parse=False)
            except Exception as failure:  # whatever it is that makes the reference raise, it did not accept the message
                self.faults.append(str(failure))
        webhook_id = headers.get("webhook-id", "")
        if webhook_id in self.first:
            self.again[webhook_id] += 1
            if self.bodies[webhook_id] != zlib.crc32(body):
                self.faults.append("the same id with another body")
        else:
            self.first[webhook_id] = now
            self.bodies[webhook_id] = zlib.crc32(body)
        return self._reply()

    def _reply(self) -> bytes | None:
        if self.temper == "hangs":
            return None
        if self.temper == "moody":
            return _WELL if self.arrivals % 2 else _BROKEN
        return {"well": _WELL, "broken": _BROKEN, "moved": _MOVED, "gone": _GONE}[self.temper]

    def told(self) -> dict[str, Any]:
        """Everything about it, for the parent."""
        return {"arrivals": self.arrivals, "first": self.first, "again": dict(self.again), "faults": self.faults[:10]}


class Sink:
    """All receivers, and what the parent waits for."""

    def __init__(self) -> None:
        """Nobody is expected yet; whoever comes is answered well."""
        self.receivers: dict[str, Receiver] = {}
        self.arrivals = 0
        self.goal = 0

    def take(self, path: str, headers: dict[str, str], body: bytes) -> bytes | None:
        """One request's answer."""
        reply = self.receivers.setdefault(path, Receiver()).take(headers, body)
        self.arrivals += _CHALLENGE not in body
        if self.goal and self.arrivals >= self.goal:
            self.goal = 0
            say({"at": time.time()})
        return reply

    def heard(self, message: dict[str, Any]) -> None:
        """One line of the parent's: expect, until, count, tell, samples or forget; each is answered with one line."""
        match message["do"]:
            case "expect":
                secret = message.get("secret")
                self.receivers[message["path"]] = Receiver(
                    message.get("temper", "well"), Webhook(secret) if secret else None
                )
                say({})
            case "until":
                self.goal = message["arrivals"]
                if self.arrivals >= self.goal:
                    self.goal = 0
                    say({"at": time.time()})
            case "count":
                say({path: len(one.first) for path, one in self.receivers.items()})
            case "tell":
                say(self.receivers.get(message["path"], Receiver()).told())
            case "samples":
                say(self.receivers[message["path"]].samples)
            case "forget":
                self.arrivals = 0
                for path, one in self.receivers.items():
                    self.receivers[path] = Receiver(one.temper, one.verifier)
                say({})


class Connection(asyncio.Protocol):
    """One connection; requests on it are answered in turn."""

    def __init__(self, sink: Sink) -> None:
        """Nothing has come yet."""
        self.sink = sink

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to read."""
        self.transport: Any = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Read on; an unreadable request ends the connection."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    def on_message_begin(self) -> None:
        """A new request."""
        self.path, self.body = "", b""
        self.headers: dict[str, str] = {}

    def on_url(self, url: bytes) -> None:
        """Its path."""
        self.path += url.decode()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its headers."""
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        self.body += body

    def on_message_complete(self) -> None:
        """Answer it, if it gets an answer."""
        answer = self.sink.take(self.path, self.headers, self.body)
        if answer is not None:
            self.transport.write(answer)


async def main() -> None:
    """Serve on a free port of the loopback until the parent is gone."""
    sink = Sink()
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    server = await loop.create_server(lambda: Connection(sink), sock=listener, backlog=2048)
    say({"port": listener.getsockname()[1]})
    listen_to_parent(lambda message: loop.call_soon_threadsafe(sink.heard, message))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
