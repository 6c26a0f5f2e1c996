"""Rows of the key pairs that vendors encrypt their messages to; the private keys are sealed."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

_COLUMNS = "id, certificate, sealed, created_at"


class KeyRow(NamedTuple):
    """One pair."""

    id: UUID
    certificate: str
    sealed: bytes
    created_at: datetime


class GoneRow(NamedTuple):
    """A pair that was destroyed."""

    connection: UUID
    id: UUID


async def hold(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID) -> bool:
    """Keep others from adding a pair before the transaction ends; False where the connection is not there, or revoked."""
    found = await connection.fetchval(
        "SELECT true FROM connections WHERE tenant = $1 AND id = $2 AND state <> 'revoked' FOR UPDATE",
        tenant,
        connection_id,
    )
    return bool(found)


async def newest(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID) -> KeyRow | None:
    """The pair whose certificate is handed out."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM callback_keys WHERE tenant = $1 AND connection = $2 ORDER BY created_at DESC LIMIT 1",
        tenant,
        connection_id,
    )
    return KeyRow(*row) if row else None


async def all_of(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID) -> list[KeyRow]:
    """Every pair of a connection."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM callback_keys WHERE tenant = $1 AND connection = $2", tenant, connection_id
    )
    return [KeyRow(*row) for row in rows]


async def add(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, row: KeyRow) -> None:
    """Store a pair."""
    await connection.execute(
        f"INSERT INTO callback_keys (tenant, connection, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)",
        tenant,
        connection_id,
        *row,
    )


async def drop(connection: asyncpg.Connection, tenant: UUID, before: datetime) -> list[GoneRow]:
    """Destroy the pairs that were made before a moment and are not the newest of their connection."""
    rows = await connection.fetch(
        "DELETE FROM callback_keys k WHERE k.tenant = $1 AND k.created_at < $2 AND EXISTS (SELECT FROM callback_keys n "
        "WHERE n.tenant = $1 AND n.connection = k.connection AND n.created_at > k.created_at) RETURNING k.connection, k.id",
        tenant,
        before,
    )
    return [GoneRow(*row) for row in rows]
