"""What a webhook costs: deliveries a second beside a bare pgqueuer job, and the wait of one event on an idle gateway.

A delivery counts when its outcome is recorded. Events are published one per transaction by the gateway's own flow, in a program
of its own; so are the bare jobs put in, a thousand at a time or as many as an event makes. Both have as many posts in flight.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg

from benchmarks.programs import Program
from benchmarks.stage import START_SECONDS, Stage, ask, bar, percentile, staged
from benchmarks.subjects.events import TYPE
from gateway.store.embedded import Embedded

ENDPOINTS = 8
IN_FLIGHT = 64  # eight at each endpoint
SPREAD = "bench.number_{}"
MOST_AT_ONCE = 1000
IDLE_EVENTS = 100
BARE = "benchmarks.subjects.pgqueuer_bare"
# W1 beside Q would say what a transaction per event costs beside one per thousand.
RATIOS = (("W8", "Q"), ("W8", "Q8"), ("W1", "Q1"))
_SETTLED = "SELECT count(*) FROM deliveries WHERE state = 'waiting'"


def throughput(count: int, rounds: int) -> dict[str, Any]:
    """Deliveries a second by subject (benchmarks/webhooks.py says what each is), so many in a round, and their ratios."""
    with ExitStack() as stack, bar() as progress:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="clinic-gateway-bench-")))
        embedded = stack.enter_context(Embedded.start(folder))
        asyncio.run(_create(embedded.dsn(), "bare"))
        stage = stack.enter_context(staged(embedded.dsn(), folder))
        for number in range(ENDPOINTS):
            stage.endpoint(f"/{number}", [TYPE, SPREAD.format(number)], checked=False)
        stack.enter_context(stage.worker()).hear(START_SECONDS)
        arguments = (embedded.dsn("bare"), f"{stage.url}/bare", str(IN_FLIGHT))
        stack.enter_context(Program(BARE, "worker", *arguments)).hear(START_SECONDS)
        bare = stack.enter_context(Program(BARE, "enqueuer", embedded.dsn("bare")))
        bare.hear(START_SECONDS)
        subjects = {
            "W8": lambda: _ours(stage, count // ENDPOINTS, [TYPE], ENDPOINTS),
            "W1": lambda: _ours(stage, count, [SPREAD.format(number) for number in range(ENDPOINTS)], 1),
            "Q": lambda: _bare(stage, bare, count, at_once=min(count, MOST_AT_ONCE)),
            "Q8": lambda: _bare(stage, bare, count, at_once=ENDPOINTS),
            "Q1": lambda: _bare(stage, bare, count, at_once=1),
        }
        rates: dict[str, list[float]] = {name: [] for name in subjects}
        done = progress.add_task("deliveries a second", total=(rounds + 1) * len(subjects))
        for turn in range(rounds + 1):
            for name in subjects if turn % 2 == 0 else reversed(subjects):
                rate = subjects[name]()
                if turn:  # the first round warms up
                    rates[name].append(rate)
                progress.advance(done)
    return {
        "in_flight": IN_FLIGHT, "deliveries": count, "rates": rates,
        **{f"{ours}/{bare}": _ratio(rates[ours], rates[bare]) for ours, bare in RATIOS},
    }  # fmt: skip


def idle(events: int = IDLE_EVENTS) -> dict[str, Any]:
    """Milliseconds from asking to publish one event, nothing else going on, to the first byte of its first attempt."""
    waits: list[float] = []
    chance = random.Random(20261122)
    with staged() as stage, stage.worker() as worker, bar() as progress:
        worker.hear(START_SECONDS)
        stage.endpoint("/idle", [TYPE])
        done = progress.add_task("one event at a time", total=events)
        for _ in range(events):
            stage.publish(1, [TYPE])
            stage.sink.tell({"do": "until", "arrivals": 1})
            arrived = stage.sink.hear(START_SECONDS)["at"]
            (asked,) = stage.published()["ids"].values()
            waits.append((arrived - asked) * 1000)
            ask(stage.sink, {"do": "forget"})
            time.sleep(chance.uniform(0.05, 0.2))  # its outcome is recorded and its lane closed meanwhile
            progress.advance(done)
    waits = waits[len(waits) // 10 :]
    return {"events": len(waits), "p50_ms": percentile(waits, 0.5), "p99_ms": percentile(waits, 0.99)}


def _ours(stage: Stage, events: int, types: list[str], endpoints: int) -> float:
    """Publish, and wait until every delivery is settled; gives deliveries a second."""
    count = events * endpoints
    ask(stage.sink, {"do": "forget"})
    stage.sink.tell({"do": "until", "arrivals": count})
    stage.publish(events, types)
    began = stage.published()["began"]
    stage.sink.hear(START_SECONDS + count / 50)
    asyncio.run(_settled(stage.dsn))
    return count / (time.time() - began)


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return median(one / other for one, other in zip(ours, theirs, strict=True))


def _bare(stage: Stage, bare: Program, count: int, *, at_once: int) -> float:
    ask(stage.sink, {"do": "forget"})
    stage.sink.tell({"do": "until", "arrivals": count})
    began = time.time()
    ask(bare, {"count": count, "at_once": at_once})
    ended: float = stage.sink.hear(START_SECONDS + count / 50)["at"]
    return count / (ended - began)


async def _settled(dsn: str) -> None:
    """Wait until no delivery waits; the database tells nobody by itself."""
    connection = await asyncpg.connect(dsn)
    try:
        async with asyncio.timeout(START_SECONDS):
            while await connection.fetchval(_SETTLED):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    finally:
        await connection.close()


async def _create(dsn: str, name: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
