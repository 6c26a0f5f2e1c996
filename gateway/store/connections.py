"""Rows of connections, and the tenant's whole standing in one read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

_COLUMNS = (
    "id, connector, state, account, provider_scopes, features, withheld, free_text, grant_version, credential, "
    "expires_at, created_at, changed_at, settings, reconnect_since, reconnect_reason"
)


class ConnectionRow(NamedTuple):
    """A tenant's credentialed use of a connector."""

    id: UUID
    connector: str
    state: str
    account: str | None
    provider_scopes: list[str]
    features: list[str]
    withheld: list[str]
    free_text: list[str]
    grant_version: int
    credential: bytes | None
    expires_at: datetime | None
    created_at: datetime
    changed_at: datetime
    settings: dict[str, str]
    reconnect_since: datetime | None = None
    reconnect_reason: str | None = None


async def live(connection: asyncpg.Connection, tenant: UUID) -> list[ConnectionRow]:
    """Every connection that is not revoked."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM connections WHERE tenant = $1 AND state <> 'revoked' ORDER BY id", tenant
    )
    return [ConnectionRow(*row) for row in rows]


async def page(connection: asyncpg.Connection, tenant: UUID, *, after: UUID | None, limit: int) -> list[ConnectionRow]:
    """All connections, revoked ones too, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM connections WHERE tenant = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3",
        tenant,
        after,
        limit,
    )
    return [ConnectionRow(*row) for row in rows]


async def lock(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID) -> ConnectionRow | None:
    """One connection, locked until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM connections WHERE tenant = $1 AND id = $2 FOR UPDATE", tenant, connection_id
    )
    return ConnectionRow(*row) if row else None


async def add(connection: asyncpg.Connection, tenant: UUID, row: ConnectionRow) -> None:
    """Store a new connection; raises asyncpg.UniqueViolationError when the connector already has a live one."""
    await connection.execute(
        f"INSERT INTO connections (tenant, {_COLUMNS}) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        tenant,
        *row,
    )


async def regrant(
    connection: asyncpg.Connection,
    tenant: UUID,
    connection_id: UUID,
    *,
    features: Sequence[str],
    withheld: Sequence[str],
    free_text: Sequence[str],
) -> None:
    """Replace what a connection may be used for."""
    await connection.execute(
        "UPDATE connections SET features = $3, withheld = $4, free_text = $5, grant_version = grant_version + 1, "
        "changed_at = now() WHERE tenant = $1 AND id = $2",
        tenant,
        connection_id,
        features,
        withheld,
        free_text,
    )


async def orders(connection: asyncpg.Connection, tenant: UUID) -> dict[str, tuple[str, ...]]:
    """In which order the vendors of each family are tried, where the clinic said so."""
    rows = await connection.fetch("SELECT family, connectors FROM vendor_orders WHERE tenant = $1", tenant)
    return {row[0]: tuple(row[1]) for row in rows}


async def put_order(
    connection: asyncpg.Connection, tenant: UUID, family: str, connectors: Sequence[str], *, at: datetime
) -> int:
    """Replace the order of one family; returns its version."""
    version: int = await connection.fetchval(
        "INSERT INTO vendor_orders (tenant, family, connectors, version, changed_at) VALUES ($1, $2, $3, 1, $4) "
        "ON CONFLICT (tenant, family) DO UPDATE SET connectors = excluded.connectors, "
        "version = vendor_orders.version + 1, changed_at = excluded.changed_at RETURNING version",
        tenant,
        family,
        list(connectors),
        at,
    )
    return version


async def set_settings(
    connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, settings: Mapping[str, str]
) -> None:
    """Replace what the clinic set for a connection."""
    await connection.execute(
        "UPDATE connections SET settings = $3, changed_at = now() WHERE tenant = $1 AND id = $2",
        tenant,
        connection_id,
        dict(settings),
    )


async def set_state(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, state: str) -> None:
    """Change the state; revoking destroys the credential, what its vendor signs with, its watches and its claim of a facility."""
    await connection.execute(
        "UPDATE connections SET state = $3, changed_at = now(), "
        "credential = CASE WHEN $3 = 'revoked' THEN NULL ELSE credential END WHERE tenant = $1 AND id = $2",
        tenant,
        connection_id,
        state,
    )
    if state == "revoked":
        await connection.execute(
            "DELETE FROM callback_secrets WHERE tenant = $1 AND connection = $2", tenant, connection_id
        )
        await connection.execute(
            "DELETE FROM network_facilities WHERE tenant = $1 AND connection = $2", tenant, connection_id
        )
        await connection.execute(
            "DELETE FROM callback_keys WHERE tenant = $1 AND connection = $2", tenant, connection_id
        )
        await connection.execute("DELETE FROM watches WHERE tenant = $1 AND connection = $2", tenant, connection_id)
