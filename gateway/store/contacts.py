"""Rows of addresses: whom messages to them were about, and which of them said stop. Keyed hashes; no address is here."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg


async def remember(connection: asyncpg.Connection, tenant: UUID, lookup: bytes, subject: UUID) -> None:
    """Keep that a message to the address was about the subject."""
    await connection.execute(
        "INSERT INTO contacts (tenant, lookup, subject) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        tenant,
        lookup,
        subject,
    )


async def subjects(connection: asyncpg.Connection, tenant: UUID, lookup: bytes) -> list[UUID]:
    """Everybody whom messages to the address were about."""
    rows = await connection.fetch(
        "SELECT subject FROM contacts WHERE tenant = $1 AND lookup = $2 ORDER BY subject", tenant, lookup
    )
    return [row[0] for row in rows]


async def stopped_at(connection: asyncpg.Connection, tenant: UUID, lookup: bytes) -> datetime | None:
    """When the last STOP came from the address, if it stands."""
    found: datetime | None = await connection.fetchval(
        "SELECT at FROM stops WHERE tenant = $1 AND lookup = $2", tenant, lookup
    )
    return found


async def stop(connection: asyncpg.Connection, tenant: UUID, lookup: bytes, at: datetime) -> None:
    """Keep that a STOP came from the address."""
    await connection.execute(
        "INSERT INTO stops (tenant, lookup, at) VALUES ($1, $2, $3) "
        "ON CONFLICT (tenant, lookup) DO UPDATE SET at = greatest(stops.at, excluded.at)",
        tenant,
        lookup,
        at,
    )


async def start(connection: asyncpg.Connection, tenant: UUID, lookup: bytes) -> None:
    """Lift the address's STOP."""
    await connection.execute("DELETE FROM stops WHERE tenant = $1 AND lookup = $2", tenant, lookup)


async def erase_subject(connection: asyncpg.Connection, tenant: UUID, subject: UUID) -> None:
    """Forget which addresses were a subject's. That an address said stop is kept: it protects whoever has it now."""
    await connection.execute("DELETE FROM contacts WHERE tenant = $1 AND subject = $2", tenant, subject)
