"""(W) A gateway as its own program: `worker` delivers, `publisher` makes clinics and endpoints and publishes. No web, no load.

Each line of the parent's is a question, answered with one line. Endpoints are on loopback: a gateway with sandboxes allows it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import uvloop

from benchmarks.programs import listen_to_parent, say
from gateway.app import House, opened
from gateway.calls import Actor
from gateway.config import Settings
from gateway.demo import EVERYTHING
from gateway.flows.endpoints import Wish, register
from gateway.flows.publish import NewEvent, publish
from gateway.jobs import Jobs
from gateway.log import configure
from gateway.store import deliveries
from gateway.webhooks.endpoints import Recipient
from scopes.vocabulary import Purpose

Ask = Callable[[dict[str, Any]], Awaitable[Any]]


class Publisher:
    """Makes clinics, registers endpoints, publishes one event per transaction."""

    def __init__(self, house: House) -> None:
        """No clinic yet."""
        self.rooms = house.rooms
        self.clinics: list[Actor] = []

    async def ask(self, message: dict[str, Any]) -> Any:
        """Answer one line: clinic, endpoint or publish."""
        match message["do"]:
            case "clinic":
                tenant = await self.rooms.connections.create_tenant("bench")
                self.clinics.append(Actor("system", "bench", tenant, EVERYTHING))
                return {"tenant": str(tenant)}
            case "endpoint":
                return await self.endpoint(self.clinics[message.get("clinic", 0)], message["url"], message["events"])
            case "publish":
                return await self.publish(
                    self.clinics[message.get("clinic", 0)].tenant, message["count"], message["types"],
                    callers=message["callers"], per_second=message.get("per_second"),
                )  # fmt: skip

    async def endpoint(self, actor: Actor, url: str, events: list[str]) -> Any:
        """Register one endpoint, which must answer its challenge."""
        wish = Wish(events=tuple(events), url=url, purpose=Purpose.HPAYMT, recipient=Recipient("Bench", "DE"))
        made = await register(actor, wish, self.rooms)
        assert made.endpoint.status == "active", f"the endpoint did not prove itself: {made.code}"
        return {"id": str(made.endpoint.id), "secret": made.secret}

    async def publish(
        self, tenant: UUID, count: int, types: list[str], *, callers: int, per_second: float | None
    ) -> Any:
        """Publish so many events, as fast as so many callers can or at a pace; gives each id with the time it was asked for."""
        ids: dict[str, float] = {}
        numbers = iter(range(count))
        began = time.time()

        async def call() -> None:
            for number in numbers:
                if per_second:
                    await asyncio.sleep(max(0.0, began + number / per_second - time.time()))
                asked = time.time()
                event = NewEvent(tenant, types[number % len(types)], {"id": f"apt_{number:06}"}, source="host")
                ids[str((await publish(event, self.rooms)).id)] = asked

        await asyncio.gather(*(call() for _ in range(callers)))
        return {"ids": ids, "began": began, "seconds": time.time() - began}


class Worker:
    """Delivers; and tells how long each look for due deliveries took, as it waited for it."""

    def __init__(self) -> None:
        """Stand between the lanes and the statement that finds what is due."""
        self.claims: list[float] = []
        self._due = deliveries.due
        deliveries.due = self.timed

    async def timed(self, *arguments: Any, **named: Any) -> Any:
        """The statement, with its time taken."""
        began = time.perf_counter()
        rows = await self._due(*arguments, **named)
        self.claims.append((time.perf_counter() - began) * 1000)
        return rows

    async def ask(self, message: dict[str, Any]) -> Any:
        """Answer one line: the times since the last one, in milliseconds."""
        claims, self.claims = self.claims, []
        return claims


async def main(role: str, dsn: str, data_dir: str, sink: str) -> None:
    """Open the house, say so, answer until the parent is gone."""
    settings = Settings.from_environment({}, database_url=dsn, data_dir=Path(data_dir))
    async with opened(settings, sandboxes={"payments/stripe": sink}) as house:
        if role == "publisher":
            await answering(Publisher(house).ask)
        else:
            worker = Worker()
            async with Jobs(house.rooms).running() as jobs:
                await jobs.ready.wait()
                await answering(worker.ask)


async def answering(ask: Ask) -> None:
    """Answer each line in turn."""
    say({"ready": True})
    async for message in lines():
        say(await ask(message))


async def lines() -> AsyncIterator[dict[str, Any]]:
    """What the parent says, until it is gone."""
    loop = asyncio.get_running_loop()
    heard: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
    listen_to_parent(
        lambda message: loop.call_soon_threadsafe(heard.put_nowait, message),
        at_end=lambda: loop.call_soon_threadsafe(heard.put_nowait, None),
    )
    while (message := await heard.get()) is not None:
        yield message


if __name__ == "__main__":
    configure("ERROR")
    uvloop.run(main(*sys.argv[1:5]))
