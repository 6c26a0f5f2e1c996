"""Rows of events. What an event says is sealed, and gone when its time is over or its subject is erased."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

_COLUMNS = "id, at, type, source, subject, sequence, sealed IS NOT NULL AS kept"


class EventRow(NamedTuple):
    """One event, without what it says."""

    id: UUID
    at: datetime
    type: str
    source: str
    subject: UUID | None
    sequence: int | None
    kept: bool


class NewEventRow(NamedTuple):
    """An event to publish; `only` narrows it to one endpoint."""

    id: UUID
    at: datetime
    type: str
    source: str
    subject: UUID | None
    sealed: bytes
    only: UUID | None


class PublishedRow(NamedTuple):
    """What came of it: how many deliveries, and the endpoints whose lanes slept and need a job in this transaction."""

    deliveries: int
    woken: Sequence[UUID]
    sequence: int | None


async def publish(connection: asyncpg.Connection, tenant: UUID, event: NewEventRow) -> PublishedRow | None:
    """Store an event with a delivery for each endpoint that wants to hear of it; None when it is there already."""
    row = await connection.fetchrow("SELECT * FROM gateway_publish($1, $2, $3, $4, $5, $6, $7, $8)", tenant, *event)
    return PublishedRow(*row) if row else None


async def find(connection: asyncpg.Connection, tenant: UUID, event: UUID) -> EventRow | None:
    """One event."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM events WHERE tenant = $1 AND id = $2", tenant, event)
    return EventRow(*row) if row else None


async def erase_subject(connection: asyncpg.Connection, tenant: UUID, subject: UUID) -> int:
    """Destroy what events say of a subject and cancel their deliveries that still wait; says how many events.

    Count the tenant's standing up before, in the same transaction: what a lane has read already is then read anew and not
    sent, and the head is locked before the deliveries, in the order of the ledger's writer.
    """
    rows = await connection.fetch(
        "UPDATE events SET sealed = NULL, subject = NULL WHERE tenant = $1 AND subject = $2 AND sealed IS NOT NULL "
        "RETURNING id",
        tenant,
        subject,
    )
    await connection.execute(
        "UPDATE deliveries SET state = 'cancelled', code = 'erased', changed_at = now() "
        "WHERE tenant = $1 AND event = ANY ($2) AND state = 'waiting'",
        tenant,
        [row[0] for row in rows],
    )
    return len(rows)


async def forget(connection: asyncpg.Connection, tenant: UUID, before: datetime, at_most: int) -> int:
    """Destroy what events said that were settled at every endpoint before a moment; says how many, at most so many."""
    done: str = await connection.execute(
        "UPDATE events SET sealed = NULL WHERE tenant = $1 AND id IN ("
        "SELECT e.id FROM events e WHERE e.tenant = $1 AND e.at < $2 AND e.sealed IS NOT NULL AND NOT EXISTS ("
        "SELECT FROM deliveries d WHERE d.tenant = $1 AND d.event = e.id AND (d.state = 'waiting' OR d.changed_at >= $2)) "
        "ORDER BY e.at LIMIT $3)",
        tenant,
        before,
        at_most,
    )
    return int(done.split()[-1])


async def drop(connection: asyncpg.Connection, tenant: UUID, before: datetime, at_most: int) -> int:
    """Take out events, deliveries and attempts that were all over before a moment; says how many events, at most so many."""
    gone: list[UUID] = [
        row[0]
        for row in await connection.fetch(
            "SELECT e.id FROM events e WHERE e.tenant = $1 AND e.id < $2 AND e.sealed IS NULL AND NOT EXISTS ("
            "SELECT FROM deliveries d WHERE d.tenant = $1 AND d.event = e.id AND (d.state = 'waiting' OR d.changed_at >= $3)) "
            "ORDER BY e.id LIMIT $4",
            tenant,
            first_id(before),
            before,
            at_most,
        )
    ]
    await connection.execute(
        "DELETE FROM attempts a USING deliveries d WHERE d.tenant = $1 AND d.event = ANY ($2) "
        "AND a.tenant = $1 AND a.delivery = d.id",
        tenant,
        gone,
    )
    await connection.execute("DELETE FROM deliveries WHERE tenant = $1 AND event = ANY ($2)", tenant, gone)
    await connection.execute("DELETE FROM events WHERE tenant = $1 AND id = ANY ($2)", tenant, gone)
    return len(gone)


def first_id(moment: datetime) -> UUID:
    """The smallest id that one made at this moment can have: ids begin with their milliseconds."""
    milliseconds = max(0, int(moment.timestamp() * 1000))
    return UUID(int=min(milliseconds, 2**48 - 1) << 80)


async def keep_days(connection: asyncpg.Connection, tenant: UUID) -> int:
    """How long the tenant keeps what was delivered, in days."""
    days: int | None = await connection.fetchval("SELECT keep_days FROM tenants WHERE tenant = $1", tenant)
    return days if days is not None else 0


async def set_keep_days(connection: asyncpg.Connection, tenant: UUID, days: int) -> None:
    """Keep what was delivered for so many days."""
    await connection.execute("UPDATE tenants SET keep_days = $2 WHERE tenant = $1", tenant, days)


async def all_tenants(connection: asyncpg.Connection) -> list[UUID]:
    """Every tenant, for housekeeping."""
    return [row[0] for row in await connection.fetch("SELECT gateway_all_tenants()")]
