"""Rows of the register of recipients, one for each version; none is ever changed."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg


class RegisterRow(NamedTuple):
    """The register of recipients as it stood from a moment on."""

    version: int
    at: datetime
    hash: bytes
    body: bytes


async def latest(connection: asyncpg.Connection, tenant: UUID) -> RegisterRow | None:
    """The newest version."""
    row = await connection.fetchrow(
        "SELECT version, at, hash, body FROM registers WHERE tenant = $1 ORDER BY version DESC LIMIT 1", tenant
    )
    return RegisterRow(*row) if row else None


async def find(connection: asyncpg.Connection, tenant: UUID, version: int) -> RegisterRow | None:
    """One version."""
    row = await connection.fetchrow(
        "SELECT version, at, hash, body FROM registers WHERE tenant = $1 AND version = $2", tenant, version
    )
    return RegisterRow(*row) if row else None


async def times(connection: asyncpg.Connection, tenant: UUID, limit: int) -> list[tuple[int, datetime]]:
    """The newest versions and since when each was in force, the newest first."""
    rows = await connection.fetch(
        "SELECT version, at FROM registers WHERE tenant = $1 ORDER BY version DESC LIMIT $2", tenant, limit
    )
    return [(row[0], row[1]) for row in rows]


async def add(connection: asyncpg.Connection, tenant: UUID, row: RegisterRow) -> bool:
    """Store the next version; False where another gateway stored one of that number first."""
    added = await connection.fetchval(
        "INSERT INTO registers (tenant, version, at, hash, body) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT DO NOTHING RETURNING true",
        tenant,
        *row,
    )
    return bool(added)
