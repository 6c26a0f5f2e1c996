"""Which of a vendor's scopes a connector's features need, and the report of a connection: asked, granted, needed, used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Final

from connectors.registry import Connector
from gateway.connections import Connection
from gateway.flows.rooms import Rooms
from gateway.store import oauth as rows

RECENT: Final = timedelta(days=30)


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
    surplus: frozenset[str]
    """Granted beyond what is needed: what `leave.reduce` gives back."""
    missing: frozenset[str]
    """Needed and not granted."""
    last_used: dict[str, date]
    """By action: the last day (UTC) on which it was called."""
    refused: frozenset[str] = frozenset()
    """What the vendor granted beyond what was asked, the last time that this was not taken."""
    counted: bool = True
    """Whether the whole log is counted: where it is not yet, more may have been used."""


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
    done = await rooms.tallies.last_deeds(tenant, connector.id, _since(connection, rooms))
    last = dict(done.items)
    needed = lattice.least(needs_of(connector, connection.grant.features))
    called = [need for name in last if name in connector.actions for need in connector.actions[name].provider_scopes]
    drift = lattice.drift(needed, granted)
    refused = frozenset() if tokens is None else frozenset(tokens.excess)
    return Report(
        asked=granted if tokens is None else frozenset(tokens.asked),
        granted=granted,
        needed=needed,
        used=lattice.least(called),
        excess=refused or drift.excess,
        surplus=drift.excess,
        missing=drift.missing,
        last_used=last,
        refused=refused,
        counted=done.through.complete,
    )


def _since(connection: Connection, rooms: Rooms) -> date:
    """The first day that counts: of the last 30 days those on which this connection was there. Counts are by day."""
    recent = rooms.clock() - RECENT
    began = connection.created_at or recent
    return max(recent, began).astimezone(UTC).date()
