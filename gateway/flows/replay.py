"""Make deliveries again: one, or all of an endpoint since a moment. The webhook-id stays, so a receiver can tell.

Who asked for it stands in the ledger, in the transaction that puts the deliveries on the schedule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from gateway.calls import Actor
from gateway.errors import Conflict, NotFound
from gateway.flows.rooms import Rooms
from gateway.ledger.log import note_of
from gateway.ledger.writer import append_within
from gateway.store import deliveries as rows
from gateway.store import lanes
from gateway.webhooks.endpoints import Status

if TYPE_CHECKING:
    import asyncpg


async def replay_one(actor: Actor, delivery: UUID, rooms: Rooms) -> rows.DeliveryRow:
    """Put a delivery on the schedule anew, whatever became of it. Raises NotFound or Conflict."""
    tenant, now = actor.tenant, rooms.clock()
    found = await one(tenant, delivery, rooms)
    await _check_active(tenant, found.endpoint, rooms)
    async with rooms.store.tenant(tenant) as connection:
        await _written(connection, actor, now, {"delivery": str(delivery)}, 1)
        if not await rows.replay(connection, tenant, delivery, now):
            raise Conflict("what this event said is no longer kept", fix="Publish the event again.")
        await lanes.wake(connection, tenant, [found.endpoint])
    return await one(tenant, delivery, rooms)


async def replay_since(
    actor: Actor, endpoint: UUID, rooms: Rooms, *, since: datetime, states: Sequence[str]
) -> int:  # fmt: skip
    """Put an endpoint's deliveries in these states on the schedule anew, of events since a moment; says how many."""
    tenant, now = actor.tenant, rooms.clock()
    await _check_active(tenant, endpoint, rooms)
    asked = {"endpoint": str(endpoint), "since": since.isoformat(), "states": sorted(states)}
    async with rooms.store.tenant(tenant) as connection:
        expected = await rows.replayable(connection, tenant, endpoint, since=since, states=states)
        await _written(connection, actor, now, asked, expected)
        count = await rows.replay_since(connection, tenant, endpoint, since=since, states=states, now=now)
        await lanes.wake(connection, tenant, [endpoint])
    return count


async def replayable(tenant: UUID, endpoint: UUID, rooms: Rooms, *, since: datetime, states: Sequence[str]) -> int:
    """How many deliveries `replay_since` would put on the schedule. Raises NotFound or Conflict, as it would."""
    await _check_active(tenant, endpoint, rooms)
    async with rooms.store.tenant(tenant) as connection:
        return await rows.replayable(connection, tenant, endpoint, since=since, states=states)


async def one(tenant: UUID, delivery: UUID, rooms: Rooms) -> rows.DeliveryRow:
    """One delivery. Raises NotFound."""
    async with rooms.store.tenant(tenant) as connection:
        found = await rows.find(connection, tenant, delivery)
    if found is None:
        raise NotFound("there is no such delivery")
    return found


async def _check_active(tenant: UUID, endpoint: UUID, rooms: Rooms) -> None:
    status = (await rooms.endpoints.one(tenant, endpoint)).status
    if status is not Status.ACTIVE:
        raise Conflict(f"this endpoint is {status}", fix="Resume it first; then what waits is delivered anyway.")


async def _written(
    connection: asyncpg.Connection, actor: Actor, now: datetime, asked: Mapping[str, Any], count: int
) -> None:  # fmt: skip
    """Write down who asked for it. First of all that is locked: whoever settles a delivery holds the log's head before it."""
    await append_within(connection, note_of(actor, "replay", query=asked, count=count, at=now))
