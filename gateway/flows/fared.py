"""Look how events fared at endpoints: their health, their deliveries, the attempts of one. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from gateway.flows.replay import one
from gateway.flows.rooms import Rooms
from gateway.flows.schedule import Health
from gateway.store import deliveries as rows
from gateway.store import lanes
from gateway.store.deliveries import AttemptRow, DeliveryRow, Sought

__all__ = ["AttemptRow", "DeliveryRow", "Health", "Sought", "deliveries", "delivery", "health"]

_MOST_ATTEMPTS: Final = 100


async def health(tenant: UUID, rooms: Rooms) -> Mapping[UUID, Health]:
    """How each endpoint's deliveries went lately; one that never had any is well."""
    async with rooms.store.tenant(tenant) as connection:
        found = await lanes.health(connection, tenant)
    return {endpoint: Health(*row) for endpoint, row in found.items()}


async def deliveries(tenant: UUID, sought: Sought, rooms: Rooms) -> list[DeliveryRow]:
    """Deliveries, newest event first."""
    async with rooms.store.tenant(tenant) as connection:
        return await rows.page(connection, tenant, sought)


async def delivery(tenant: UUID, wanted: UUID, rooms: Rooms) -> tuple[DeliveryRow, list[AttemptRow]]:
    """One delivery with its latest attempts, in their order. Raises NotFound."""
    row = await one(tenant, wanted, rooms)
    async with rooms.store.tenant(tenant) as connection:
        return row, await rows.attempts(connection, tenant, wanted, _MOST_ATTEMPTS)
