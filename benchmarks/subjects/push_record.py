"""What both subjects of the pushes push: one record of invented bytes, for one peer, under one line of work from the parent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

from benchmarks.programs import say
from benchmarks.subjects.webhooks import lines
from connectors.abdm.crypto import KeyPair, generate

AT_ONCE = 64
CONTEXT = "V-1042"
TRANSACTION = "0c5ba1b8-9f5e-4a3c-9d4e-0d5c2f5f1a11"
EXPIRY = datetime(2026, 12, 1, tzinfo=UTC)
Push = Callable[[str, bytes], Awaitable[int]]


def peer() -> KeyPair:
    """Whoever asked: the same in every run."""
    return generate(Random(20261130).randbytes)


def record(size: int) -> bytes:
    """A record of so many bytes."""
    return Random(size).randbytes(size)


async def serve(push: Push) -> None:
    """Push as many records of a size to a URL as each line says, AT_ONCE in flight; tell how long it took, and our CPU."""
    say({"ready": True})
    async for message in lines():
        say(await _pushed(push, message))


async def _pushed(push: Push, message: dict[str, Any]) -> dict[str, Any]:
    body = record(message["size"])
    left = iter(range(message["count"]))
    refused = 0

    async def caller() -> None:
        nonlocal refused
        for _ in left:
            refused += await push(message["url"], body) != 200

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "refused": refused,
    }
