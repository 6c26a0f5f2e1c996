"""What the tests of deliveries share: listeners on loopback, endpoints that are active, a look at what became of it all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from gateway.app import House
from gateway.flows.publish import NewEvent, Published, publish
from gateway.jobs import Jobs
from gateway.store import deliveries, lanes, notices
from gateway.store.deliveries import AttemptRow, DeliveryRow, Sought
from gateway.webhooks.endpoints import Endpoint, NewEndpoint, Recipient, Status
from scopes.vocabulary import Category, Purpose
from tests.gateway.egress.vendor import Vendor, answer
from tests.gateway.house import Clinic

Hears = Callable[[dict[str, str], bytes], Awaitable[bytes | None] | bytes | None]
TYPE: Final = "appointment.moved"
EVERYTHING: Final[dict[str, Any]] = {
    "categories": frozenset(Category) - {Category.FREE_TEXT},
    "fields": frozenset({f"{TYPE}:*"}),
}


@dataclass
class Heard:
    """One webhook as it came in."""

    at: float
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        """The body, read."""
        said: dict[str, Any] = orjson.loads(self.body)
        return said


def _yes(headers: dict[str, str], body: bytes) -> bytes:
    return answer(200)


@dataclass
class Listener:
    """A vendor's endpoint that answers as told and keeps what it heard."""

    hears: Hears = _yes
    heard: list[Heard] = field(default_factory=list)
    vendor: Vendor = field(default_factory=Vendor)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Listener]:
        """Listen on loopback until the block ends."""
        self.vendor.answers = [self._hear]
        await self.vendor.open()
        try:
            yield self
        finally:
            self.vendor.close()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.vendor.port}/hooks"

    @property
    def ids(self) -> list[str]:
        """The webhook-ids in the order in which they came."""
        return [heard.headers["webhook-id"] for heard in self.heard]

    def says(self, *statuses: int, **headers: str) -> None:
        """Answer with these in turn, the last one for ever."""
        said = list(statuses)

        def hears(_headers: dict[str, str], _body: bytes) -> bytes:
            return answer(said.pop(0) if len(said) > 1 else said[0], **headers)

        self.hears = hears

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
        head, _, body = self.vendor.requests.pop().partition(b"\r\n\r\n")
        pairs = [line.partition(":") for line in head.decode().split("\r\n")[1:]]
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        self.heard.append(Heard(asyncio.get_running_loop().time(), headers, body))
        said = self.hears(headers, body)
        return said if isinstance(said, bytes) or said is None else await said


@dataclass
class Clock:
    """A clock that is moved by hand."""

    now: datetime = datetime(2027, 1, 4, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def move(self, **by: float) -> None:
        """Let time pass."""
        self.now += timedelta(**by)


async def endpoint_at(
    house: House, clinic: Clinic, url: str, *, events: Sequence[str] = ("appointment.*",), **given: Any
) -> Endpoint:
    """An active endpoint of a clinic."""
    new = NewEndpoint(
        url=url, host="127.0.0.1", purpose=Purpose.HOPERAT, recipient=Recipient("Vendor Ltd", "DE"),
        events=tuple(events), **given,
    )  # fmt: skip
    made, _ = await house.rooms.endpoints.create(clinic.actor, new)
    return await house.rooms.endpoints.set_state(clinic.actor, made.id, Status.ACTIVE)


async def happened(
    house: House, clinic: Clinic, *, type_: str = TYPE, subject: str | None = None, **data: Any
) -> Published:
    """Publish an event of the host's."""
    told = {"id": "appt_7Hq2", **data}
    return await publish(NewEvent(clinic.tenant, type_, told, "host", subject), house.rooms)


@asynccontextmanager
async def working(house: House, *, grace_seconds: float = 2.0) -> AsyncIterator[Jobs]:
    """The gateway sees to its jobs until the block ends."""
    async with Jobs(house.rooms, grace_seconds=grace_seconds).running() as jobs:
        await asyncio.wait_for(jobs.ready.wait(), 10)
        yield jobs


async def rows_of(house: House, clinic: Clinic, **sought: Any) -> list[DeliveryRow]:
    """The clinic's deliveries, newest first."""
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        return await deliveries.page(connection, clinic.tenant, Sought(limit=1_000_000, **sought))


async def attempts_of(house: House, clinic: Clinic, delivery: UUID) -> list[AttemptRow]:
    """The attempts of one delivery."""
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        return await deliveries.attempts(connection, clinic.tenant, delivery, 100)


async def notices_of(house: House, clinic: Clinic) -> list[notices.NoticeRow]:
    """What the clinic was told, oldest first."""
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        return (await notices.page(connection, clinic.tenant, before=None, limit=1_000))[::-1]


async def settled(house: House, clinic: Clinic, *, seconds: float = 20.0) -> list[DeliveryRow]:
    """The clinic's deliveries, once none waits."""
    found: list[DeliveryRow] = []

    async def done() -> bool:
        found[:] = await rows_of(house, clinic)
        return all(row.state != "waiting" for row in found)

    await until(done, seconds=seconds)
    return found


async def until(condition: Callable[[], Awaitable[bool] | bool], *, seconds: float = 20.0) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while True:
            true = condition()
            if true if isinstance(true, bool) else await true:
                return
            await asyncio.sleep(0.02)


async def health_of(house: House, clinic: Clinic, endpoint: UUID) -> lanes.HealthRow:
    """How an endpoint's lane stands."""
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        row = await connection.fetchrow(
            "SELECT failures, failing_since, warned, paused_until FROM lanes WHERE endpoint = $1", endpoint
        )
    return lanes.HealthRow(*row)
