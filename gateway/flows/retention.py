"""How long what events said is kept after its delivery, as the clinic says. A change stands in the ledger."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from gateway.calls import Actor
from gateway.flows.rooms import Rooms
from gateway.ledger.writer import Draft, append_within
from gateway.store import events

MOST_DAYS: Final = 90
_RETENTION: Final = "retention"  # what the ledger calls the integration whose grant it is


async def keep_days(tenant: UUID, rooms: Rooms) -> int:
    """How many days it is kept."""
    async with rooms.store.tenant(tenant) as connection:
        return await events.keep_days(connection, tenant)


async def set_keep_days(actor: Actor, days: int, rooms: Rooms) -> None:
    """Keep it for so many days from now on; the same once more changes nothing."""
    tenant = actor.tenant
    async with rooms.store.tenant(tenant) as connection:
        if await events.keep_days(connection, tenant) == days:
            return
        entry = {
            "v": 1,
            "actor": {"kind": actor.kind, "id": actor.id},
            "connection": str(tenant),  # it stands for all of them
            "connector": _RETENTION,
            "version": 0,
            "features": [f"deliveries_days:{days}"],
            "withheld": [],
        }
        await append_within(connection, Draft(tenant, "grant", rooms.clock(), entry))
        await events.set_keep_days(connection, tenant, days)
