"""Which of a vendor's scopes a connector's features need, and the report of a connection: asked, granted, needed, used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from connectors.registry import Connector
from gateway.connections import Connection
from gateway.flows.rooms import Rooms
from gateway.ids import id_of
from gateway.store import oauth as rows

RECENT: Final = timedelta(days=30)
_MOST_LOOKED_AT: Final = 100_000


@dataclass(frozen=True, slots=True)
class Report:
    """What a connection may do at the vendor, and what it does."""

    asked: frozenset[str]
    granted: frozenset[str]
    needed: frozenset[str]
    """The least for the features that are on."""
    used: frozenset[str]
    """The least for the actions that were called in the last 30 days."""
    excess: frozenset[str]
    """Granted beyond what is needed; or what a connection was refused for, when it was not taken."""
    missing: frozenset[str]
    """Needed and not granted."""
    last_used: dict[str, datetime]
    """By action."""


def needs_of(connector: Connector, features: frozenset[str]) -> list[frozenset[str]]:
    """What the actions of these features need: of each group any one."""
    return [
        need for action in connector.actions.values() if action.feature in features for need in action.provider_scopes
    ]


async def report(connection: Connection, rooms: Rooms) -> Report:
    """The report of one connection, whether it is connected by OAuth or with a key."""
    connector, tenant = rooms.registry.connector(connection.connector), connection.clinic.tenant
    lattice, granted = connector.lattice, connection.provider_scopes
    async with rooms.store.tenant(tenant) as session:
        tokens = await rows.tokens(session, tenant, connection.id)
        last = await rows.used(session, tenant, connection.id, _first_id(rooms.clock() - RECENT), _MOST_LOOKED_AT)
    needed = lattice.least(needs_of(connector, connection.grant.features))
    called = [need for name in last if name in connector.actions for need in connector.actions[name].provider_scopes]
    drift = lattice.drift(needed, granted)
    return Report(
        asked=granted if tokens is None else frozenset(tokens.asked),
        granted=granted,
        needed=needed,
        used=lattice.least(called),
        excess=frozenset(tokens.excess) if tokens is not None and tokens.excess else drift.excess,
        missing=drift.missing,
        last_used=last,
    )


def _first_id(moment: datetime) -> UUID:
    """The smallest id that anything since this moment can have: ids sort by time."""
    return id_of(int(moment.timestamp() * 1000), bytes(10))
