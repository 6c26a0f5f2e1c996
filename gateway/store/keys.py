"""Rows of wrapped data keys. No cryptography."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

import asyncpg


class DataKeyRow(NamedTuple):
    """A tenant's data key, wrapped under the master key with this id."""

    id: UUID
    master: str
    wrapped: bytes


async def all_of(connection: asyncpg.Connection, tenant: UUID) -> list[DataKeyRow]:
    """A tenant's data keys, newest last."""
    rows = await connection.fetch(
        "SELECT id, master, wrapped FROM data_keys WHERE tenant = $1 ORDER BY created_at, id", tenant
    )
    return [DataKeyRow(*row) for row in rows]


async def add(connection: asyncpg.Connection, tenant: UUID, key: DataKeyRow) -> None:
    """Store one more wrapped data key."""
    await connection.execute(
        "INSERT INTO data_keys (tenant, id, master, wrapped) VALUES ($1, $2, $3, $4)",
        tenant,
        key.id,
        key.master,
        key.wrapped,
    )


async def rewrap(connection: asyncpg.Connection, tenant: UUID, key: DataKeyRow) -> None:
    """Put a data key under another master key."""
    await connection.execute(
        "UPDATE data_keys SET master = $3, wrapped = $4 WHERE tenant = $1 AND id = $2",
        tenant,
        key.id,
        key.master,
        key.wrapped,
    )


async def tenants(connection: asyncpg.Connection) -> list[UUID]:
    """Every tenant that has a data key; for rotation only."""
    return [row[0] for row in await connection.fetch("SELECT tenant FROM gateway_key_tenants() AS tenant")]
