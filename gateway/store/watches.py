"""Rows of what vendors watch for clinics. What is watched, and what the vendor answered, is sealed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import asyncpg

_COLUMNS = (
    "id, connection, connector, name, about, state, purpose, sealed, vendor_id, expires_at, read_at, sync_at, retry_at, "
    "due_at, generation, nudge, nudged_at, failures, code, lost_at, created_at"
)


class State(StrEnum):
    """Whether it is to be kept up, or to be ended."""

    WANTED = "wanted"
    ENDING = "ending"


class Nudge(StrEnum):
    """What a vendor says of a watch itself, the gravest last."""

    MISSED = "missed"
    """Changes may not have been told."""
    RENEW = "renew"
    """It wants to be renewed before its time."""
    ENDED = "ended"
    """It is no more."""


class WatchRow(NamedTuple):
    """One watch as it is stored."""

    id: UUID
    connection: UUID
    connector: str
    name: str
    about: bytes
    state: str
    purpose: str
    sealed: bytes
    vendor_id: bytes | None
    expires_at: datetime | None
    read_at: datetime | None
    sync_at: datetime
    retry_at: datetime | None
    due_at: datetime
    generation: int
    nudge: str | None
    nudged_at: datetime | None
    failures: int
    code: str | None
    lost_at: datetime | None
    created_at: datetime


class DueRow(NamedTuple):
    """A watch that somebody has to see to."""

    tenant: UUID
    id: UUID


async def add(connection: asyncpg.Connection, tenant: UUID, row: WatchRow) -> bool:
    """Store a watch; False where the same thing is watched already."""
    places = ", ".join(f"${place}" for place in range(2, len(row) + 2))
    added = await connection.fetchval(
        f"INSERT INTO watches (tenant, {_COLUMNS}, changed_at) VALUES ($1, {places}, ${len(row) + 1}) "
        "ON CONFLICT (tenant, connection, name, about) DO NOTHING RETURNING true",
        tenant,
        *row,
    )
    return bool(added)


async def find(connection: asyncpg.Connection, tenant: UUID, watch: UUID) -> WatchRow | None:
    """One watch."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM watches WHERE tenant = $1 AND id = $2", tenant, watch)
    return WatchRow(*row) if row else None


async def same(
    connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, name: str, about: bytes
) -> WatchRow | None:
    """The watch of the same thing."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM watches WHERE tenant = $1 AND connection = $2 AND name = $3 AND about = $4",
        tenant,
        connection_id,
        name,
        about,
    )
    return WatchRow(*row) if row else None


async def page(connection: asyncpg.Connection, tenant: UUID, *, after: UUID | None, limit: int) -> list[WatchRow]:
    """A clinic's watches, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM watches WHERE tenant = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3",
        tenant,
        after,
        limit,
    )
    return [WatchRow(*row) for row in rows]


async def take(
    connection: asyncpg.Connection, tenant: UUID, watch: UUID, *, now: datetime, until: datetime
) -> WatchRow | None:
    """See to a watch until then, if it is due and nobody does."""
    row = await connection.fetchrow(
        "UPDATE watches SET taken_until = $4 WHERE tenant = $1 AND id = $2 AND due_at <= $3 "
        f"AND coalesce(taken_until <= $3, true) RETURNING {_COLUMNS}",
        tenant,
        watch,
        now,
        until,
    )
    return WatchRow(*row) if row else None


async def keep(connection: asyncpg.Connection, tenant: UUID, row: WatchRow, *, now: datetime) -> bool:
    """Store what a step came to; what the vendor or the clinic said meanwhile stays, and makes it due at once."""
    done: str = await connection.execute(
        "UPDATE watches SET sealed = $3, vendor_id = $4, expires_at = $5, read_at = $6, sync_at = $7, retry_at = $8, "
        "due_at = CASE WHEN nudged_at IS DISTINCT FROM $11::timestamptz OR state <> $10 THEN $15::timestamptz "
        "ELSE $9::timestamptz END, "
        "nudge = CASE WHEN nudged_at IS DISTINCT FROM $11::timestamptz THEN nudge ELSE $16::text END, "
        "generation = $12, failures = $13, code = $14, lost_at = $17, changed_at = $15::timestamptz "
        "WHERE tenant = $1 AND id = $2",
        tenant,
        row.id,
        row.sealed,
        row.vendor_id,
        row.expires_at,
        row.read_at,
        row.sync_at,
        row.retry_at,
        row.due_at,
        row.state,
        row.nudged_at,
        row.generation,
        row.failures,
        row.code,
        now,
        row.nudge,
        row.lost_at,
    )
    return done != "UPDATE 0"


async def let_go(connection: asyncpg.Connection, tenant: UUID, watch: UUID) -> None:
    """Let others see to a watch."""
    await connection.execute("UPDATE watches SET taken_until = NULL WHERE tenant = $1 AND id = $2", tenant, watch)


async def nudge(
    connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, vendor_id: bytes, *, kind: Nudge, now: datetime
) -> Sequence[UUID]:
    """Note what the vendor says of a watch: the gravest stays. The watches that it names are due at once."""
    rows = await connection.fetch(
        "UPDATE watches SET nudged_at = $5::timestamptz, due_at = least(due_at, $5::timestamptz), nudge = CASE "
        "WHEN nudge = 'ended' OR nudge = 'renew' AND $4::text = 'missed' THEN nudge ELSE $4::text END "
        "WHERE tenant = $1 AND connection = $2 AND vendor_id = $3 RETURNING id",
        tenant,
        connection_id,
        vendor_id,
        str(kind),
        now,
    )
    return [row[0] for row in rows]


async def end(connection: asyncpg.Connection, tenant: UUID, watch: UUID, *, now: datetime) -> bool:
    """Let a watch be ended; False where there is none, or it is being ended already."""
    done: str = await connection.execute(
        "UPDATE watches SET state = 'ending', due_at = $3, changed_at = $3 "
        "WHERE tenant = $1 AND id = $2 AND state <> 'ending'",
        tenant,
        watch,
        now,
    )
    return done != "UPDATE 0"


async def remove(connection: asyncpg.Connection, tenant: UUID, watch: UUID) -> None:
    """Forget a watch."""
    await connection.execute("DELETE FROM watches WHERE tenant = $1 AND id = $2", tenant, watch)


async def due(connection: asyncpg.Connection, now: datetime, most: int) -> list[DueRow]:
    """Watches of all tenants that somebody has to see to and nobody does, the longest due first."""
    return [DueRow(*row) for row in await connection.fetch("SELECT * FROM gateway_watches_due($1, $2)", now, most)]
