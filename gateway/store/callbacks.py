"""Rows of callbacks and of the secrets that they are verified with. Both are sealed; nothing here can open them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

_DOOR = "connector, state, account, expires_at"


class SecretRow(NamedTuple):
    """One signing secret of a vendor's, sealed."""

    id: UUID
    sealed: bytes
    created_at: datetime
    expires_at: datetime | None


class DoorRow(NamedTuple):
    """What of a connection matters to its vendor's messages."""

    connector: str
    state: str
    account: str | None
    expires_at: datetime | None


class CallbackRow(NamedTuple):
    """One message that was taken; sealed until its events are published."""

    at: datetime
    sealed: bytes | None


async def owner(connection: asyncpg.Connection, connection_id: UUID) -> UUID | None:
    """Whose connection it is; asked before a tenant is known."""
    found: UUID | None = await connection.fetchval("SELECT gateway_connection_owner($1)", connection_id)
    return found


async def door(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID) -> DoorRow | None:
    """One connection, as it stands."""
    row = await connection.fetchrow(
        f"SELECT {_DOOR} FROM connections WHERE tenant = $1 AND id = $2", tenant, connection_id
    )
    return DoorRow(*row) if row else None


async def hold(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID) -> DoorRow | None:
    """One connection, which nobody suspends, revokes or gives another secret before the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_DOOR} FROM connections WHERE tenant = $1 AND id = $2 FOR SHARE", tenant, connection_id
    )
    return DoorRow(*row) if row else None


async def secrets(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID) -> list[SecretRow]:
    """A connection's secrets, oldest first, expired ones too."""
    rows = await connection.fetch(
        "SELECT id, sealed, created_at, expires_at FROM callback_secrets WHERE tenant = $1 AND connection = $2 "
        "ORDER BY id",
        tenant,
        connection_id,
    )
    return [SecretRow(*row) for row in rows]


async def add_secret(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, row: SecretRow) -> None:
    """Store one more secret."""
    await connection.execute(
        "INSERT INTO callback_secrets (tenant, connection, id, sealed, created_at, expires_at) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        tenant,
        connection_id,
        *row,
    )


async def remove_secret(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, secret_id: UUID) -> bool:
    """Destroy one secret; whether it was there."""
    removed = await connection.fetchval(
        "DELETE FROM callback_secrets WHERE tenant = $1 AND connection = $2 AND id = $3 RETURNING true",
        tenant,
        connection_id,
        secret_id,
    )
    return bool(removed)


async def add(
    connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, identity: bytes, row: CallbackRow
) -> bool:
    """Store a message that was taken; False when it is here already."""
    added = await connection.fetchval(
        "INSERT INTO callbacks (tenant, connection, identity, at, sealed) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT DO NOTHING RETURNING true",
        tenant,
        connection_id,
        identity,
        *row,
    )
    return bool(added)


async def find(
    connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, identity: bytes
) -> CallbackRow | None:
    """One message that was taken."""
    row = await connection.fetchrow(
        "SELECT at, sealed FROM callbacks WHERE tenant = $1 AND connection = $2 AND identity = $3",
        tenant,
        connection_id,
        identity,
    )
    return CallbackRow(*row) if row else None


async def clear(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, identity: bytes) -> None:
    """Forget what a message said; that it was here stays."""
    await connection.execute(
        "UPDATE callbacks SET sealed = NULL WHERE tenant = $1 AND connection = $2 AND identity = $3",
        tenant,
        connection_id,
        identity,
    )


async def stranded(
    connection: asyncpg.Connection, tenant: UUID, before: datetime, limit: int
) -> list[tuple[UUID, bytes]]:
    """Messages that are older and still not published, oldest first: their job was lost, or failed."""
    rows = await connection.fetch(
        "SELECT connection, identity FROM callbacks WHERE tenant = $1 AND at < $2 AND sealed IS NOT NULL "
        "ORDER BY at LIMIT $3",
        tenant,
        before,
        limit,
    )
    return [(row[0], row[1]) for row in rows]


async def purge(connection: asyncpg.Connection, tenant: UUID, before: datetime) -> int:
    """Forget the messages that are older, how many; no vendor repeats one for that long."""
    status: str = await connection.execute("DELETE FROM callbacks WHERE tenant = $1 AND at < $2", tenant, before)
    return int(status.rpartition(" ")[2])
