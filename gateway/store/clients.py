"""Rows of the gateway's registrations at vendors. Their secrets are sealed; nothing here can open them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg


class ClientRow(NamedTuple):
    """The gateway's registration at a vendor."""

    connector: str
    client_id: str
    sealed: bytes
    changed_at: datetime


async def client(connection: asyncpg.Connection, tenant: UUID, connector: str) -> ClientRow | None:
    """A registration."""
    row = await connection.fetchrow(
        "SELECT connector, client_id, sealed, changed_at FROM oauth_clients WHERE tenant = $1 AND connector = $2",
        tenant,
        connector,
    )
    return ClientRow(*row) if row else None


async def clients(connection: asyncpg.Connection, tenant: UUID) -> list[ClientRow]:
    """Every registration."""
    rows = await connection.fetch(
        "SELECT connector, client_id, sealed, changed_at FROM oauth_clients WHERE tenant = $1 ORDER BY connector",
        tenant,
    )
    return [ClientRow(*row) for row in rows]


async def put_client(connection: asyncpg.Connection, tenant: UUID, row: ClientRow) -> None:
    """Store a registration, in place of the one before."""
    await connection.execute(
        "INSERT INTO oauth_clients (tenant, connector, client_id, sealed, changed_at) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (tenant, connector) DO UPDATE SET client_id = excluded.client_id, sealed = excluded.sealed, "
        "changed_at = excluded.changed_at",
        tenant,
        *row,
    )


async def drop_client(connection: asyncpg.Connection, tenant: UUID, connector: str) -> bool:
    """Destroy a registration; whether it was there."""
    dropped = await connection.fetchval(
        "DELETE FROM oauth_clients WHERE tenant = $1 AND connector = $2 RETURNING true", tenant, connector
    )
    return bool(dropped)
