"""Make deliveries again: one, or all of an endpoint since a moment. The webhook-id stays, so a receiver can tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from gateway.errors import Conflict, NotFound
from gateway.flows.rooms import Rooms
from gateway.store import deliveries as rows
from gateway.store import lanes
from gateway.webhooks.endpoints import Status


async def replay_one(tenant: UUID, delivery: UUID, rooms: Rooms) -> rows.DeliveryRow:
    """Put a delivery on the schedule anew, whatever became of it. Raises NotFound or Conflict."""
    found = await one(tenant, delivery, rooms)
    await _check_active(tenant, found.endpoint, rooms)
    async with rooms.store.tenant(tenant) as connection:
        if not await rows.replay(connection, tenant, delivery, rooms.clock()):
            raise Conflict("what this event said is no longer kept", fix="Publish the event again.")
        await lanes.wake(connection, tenant, [found.endpoint])
    return await one(tenant, delivery, rooms)


async def replay_since(
    tenant: UUID, endpoint: UUID, rooms: Rooms, *, since: datetime, states: Sequence[str]
) -> int:  # fmt: skip
    """Put an endpoint's deliveries in these states on the schedule anew, of events since a moment; says how many."""
    await _check_active(tenant, endpoint, rooms)
    async with rooms.store.tenant(tenant) as connection:
        count = await rows.replay_since(connection, tenant, endpoint, since=since, states=states, now=rooms.clock())
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
