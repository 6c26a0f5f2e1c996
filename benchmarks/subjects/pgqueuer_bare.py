"""(Q) The bare job beside our deliveries: pgqueuer, one job per delivery, which posts with aiohttp and records nothing.

Two programs, as with ours: `worker` takes jobs, `enqueuer` puts them in, so many in one transaction as the parent's line says.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

import aiohttp
import asyncpg
import uvloop
from pgqueuer import Queries, QueueManager
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job

from benchmarks.programs import say
from benchmarks.subjects.events import BODY
from benchmarks.subjects.webhooks import lines

CALLERS = 8


async def work(dsn: str, url: str, in_flight: int) -> None:
    """Lay the tables, work until the parent is gone."""
    queries = Queries(AsyncpgDriver(await asyncpg.connect(dsn)))
    await queries.install()
    worker = QueueManager(queries)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        @worker.entrypoint("post")
        async def post(job: Job) -> None:
            async with session.post(url, data=job.payload, headers={"content-type": "application/json"}) as answer:
                await answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"the sink answered {answer.status}")

        working = asyncio.create_task(worker.run(batch_size=in_flight // 2, max_concurrent_tasks=in_flight))
        say({"ready": True})
        async for _ in lines():
            pass
        worker.shutdown.set()
        await working


async def enqueue(dsn: str) -> None:
    """Put in as many jobs as each line says, some at once, by several callers beside each other."""
    callers = [Queries(AsyncpgDriver(await asyncpg.connect(dsn))) for _ in range(CALLERS)]
    say({"ready": True})
    async for message in lines():
        sizes = iter([message["at_once"]] * (message["count"] // message["at_once"]))
        await asyncio.gather(*(_call(queries, sizes) for queries in callers))
        say({"enqueued": message["count"]})


async def _call(queries: Queries, sizes: Iterator[int]) -> None:
    for size in sizes:
        await queries.enqueue(["post"] * size, [BODY] * size, [0] * size)


if __name__ == "__main__":
    role, *given = sys.argv[1:]
    uvloop.run(work(given[0], given[1], int(given[2])) if role == "worker" else enqueue(given[0]))
