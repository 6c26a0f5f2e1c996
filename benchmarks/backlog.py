"""A million deliveries that wait: is the worker's memory still flat, and is what is due still found at once?

Ten clinics with a hundred endpoints each, a thousand deliveries for each of these. They are due hours later, but for those of ten
endpoints, which are due now. Meanwhile events come in for all of them.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import psutil

from benchmarks.programs import Program
from benchmarks.stage import START_SECONDS, Stage, ask, bar, percentile, staged
from gateway.store import deliveries
from gateway.store.pool import Store

CLINICS, ENDPOINTS, EVENTS = 10, 100, 1000
DEEP = 1  # endpoints of each clinic for which everything is due
WARM_EVENTS, LIVE_EVENTS = 20, 10  # per clinic; each goes to all its endpoints
LOOKS = 2000
_FILL = """
INSERT INTO deliveries (tenant, id, event, endpoint, state, next_at)
SELECT e.tenant, encode(substring(uuid_send(e.id) FOR 8) || substring(uuid_send(gen_random_uuid()) FROM 9), 'hex')::uuid,
       e.id, p.id, 'waiting', now() + interval '2 hours' + random() * interval '22 hours'
FROM events e JOIN endpoints p ON p.tenant = e.tenant WHERE e.tenant = $1 AND e.type = 'bench.later'
"""
_DUE = """
UPDATE deliveries SET next_at = now() WHERE tenant = $1 AND state = 'waiting' AND endpoint IN (
    SELECT id FROM endpoints WHERE tenant = $1 ORDER BY id LIMIT $2)
"""


def backlog(clinics: int = CLINICS, endpoints: int = ENDPOINTS, events: int = EVENTS) -> dict[str, Any]:
    """Measure one worker before, beside and after the million."""
    with staged() as stage, bar() as progress:
        filled = progress.add_task("a million waiting: clinics", total=clinics)
        for clinic in range(clinics):
            if clinic:
                ask(stage.publisher, {"do": "clinic"})
            stage.publish(events, ["bench.later"], clinic=clinic)  # before anybody listens
            stage.published()
            for number in range(endpoints):
                stage.endpoint(f"/{clinic}/{number}", ["bench.*"], clinic=clinic, checked=False)
            progress.advance(filled)
        with stage.worker() as worker:
            worker.hear(START_SECONDS)
            work(stage, clinics, WARM_EVENTS, endpoints)
            before = resident_mb(worker)
            rows = progress.add_task("a million waiting: rows", total=clinics)
            asyncio.run(_fill(stage.dsn, lambda: progress.advance(rows), _FILL))
            return _measured(stage, worker, before, (clinics, endpoints, DEEP * events * clinics))


def _measured(stage: Stage, worker: Program, before: float, size: tuple[int, int, int]) -> dict[str, Any]:
    clinics, endpoints, deep = size
    ask(worker, {"do": "claims"})
    waiting = stage.rows("SELECT count(*) FROM deliveries WHERE state = 'waiting'")[0][0]
    asyncio.run(_fill(stage.dsn, lambda: None, _DUE, DEEP))
    sizes = [resident_mb(worker)]
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(worker, sizes, over))
    watch.start()
    looks: list[float] = []
    try:
        with_load = threading.Thread(target=lambda: looks.extend(asyncio.run(_looks(stage.dsn))))
        with_load.start()
        worked = work(stage, clinics, LIVE_EVENTS, endpoints, deep)
        with_load.join()
    finally:
        over.set()
        watch.join()
    seen = ask(worker, {"do": "claims"})
    return {
        "waiting": waiting, "worked": worked, "before_mb": before, "least_mb": min(sizes), "most_mb": max(sizes),
        "grown": max(sizes) / before, "shrunk": min(sizes) / before, "looks": len(looks),
        "claim_p50_ms": percentile(looks, 0.5), "claim_p99_ms": percentile(looks, 0.99),
        "claims_seen": len(seen), "claim_seen_p50_ms": percentile(seen, 0.5), "claim_seen_p99_ms": percentile(seen, 0.99),
    }  # fmt: skip


def work(stage: Stage, clinics: int, events: int, endpoints: int, besides: int = 0) -> int:
    """Publish to every endpoint of every clinic and wait until that and what is due besides has arrived; says how much it was."""
    ask(stage.sink, {"do": "forget"})
    goal = clinics * events * endpoints + besides
    stage.sink.tell({"do": "until", "arrivals": goal})
    for clinic in range(clinics):
        stage.publish(events, ["bench.now"], clinic=clinic)
        stage.published()
    stage.sink.hear(START_SECONDS + goal / 50)
    return sum(stage.count().values())


def resident_mb(program: Program) -> float:
    """What it holds in memory."""
    return float(psutil.Process(program.id).memory_info().rss / 1e6)


def _watch(worker: Program, sizes: list[float], over: threading.Event) -> None:
    while not over.wait(0.1):
        sizes.append(resident_mb(worker))


async def _fill(dsn: str, done: Callable[[], None], statement: str, *given: Any) -> None:
    connection = await asyncpg.connect(dsn)
    for row in await connection.fetch("SELECT tenant FROM tenants ORDER BY tenant"):
        await connection.execute(statement, row[0], *given)
        done()
    await connection.execute("ANALYZE deliveries")
    await connection.close()


async def _looks(dsn: str) -> list[float]:
    """Look for what is due as a lane does, at one endpoint after the other, while the worker works; milliseconds each."""
    store = await Store.open(dsn, size=2)
    owner = await asyncpg.connect(dsn)
    endpoints = [tuple(row) for row in await owner.fetch("SELECT tenant, id FROM endpoints")]
    await owner.close()
    chance, times = random.Random(20261122), []
    for tenant, endpoint in chance.choices(endpoints, k=LOOKS):
        async with store.tenant(tenant) as connection:
            began = time.perf_counter()
            await deliveries.due(connection, tenant, endpoint, now=datetime.now(UTC), but=[], at_most=32)
            times.append((time.perf_counter() - began) * 1000)
    await store.close()
    return times
