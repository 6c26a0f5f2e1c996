"""Rows of endpoints, of their signing secrets, and the lane that each gets. Sealed secrets stay sealed here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

_COLUMNS = (
    "id, url, state, why, events, purpose, categories, fields, recipient, country, agreement, signing, grant_version, "
    "created_at, changed_at"
)


class EndpointRow(NamedTuple):
    """A vendor's address and what the clinic lets it hear."""

    id: UUID
    url: str
    state: str
    why: str | None
    events: list[str]
    purpose: str
    categories: list[str]
    fields: list[str]
    recipient: str
    country: str
    agreement: str | None
    signing: str
    grant_version: int
    created_at: datetime
    changed_at: datetime


class SecretRow(NamedTuple):
    """A signing secret, sealed. One without an end is the present one."""

    id: UUID
    sealed: bytes
    created_at: datetime
    expires_at: datetime | None


async def find(connection: asyncpg.Connection, tenant: UUID, endpoint: UUID) -> EndpointRow | None:
    """One endpoint, a removed one too."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM endpoints WHERE tenant = $1 AND id = $2", tenant, endpoint)
    return EndpointRow(*row) if row else None


async def page(connection: asyncpg.Connection, tenant: UUID, *, after: UUID | None, limit: int) -> list[EndpointRow]:
    """All endpoints, removed ones too, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM endpoints WHERE tenant = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3",
        tenant,
        after,
        limit,
    )
    return [EndpointRow(*row) for row in rows]


async def lock(connection: asyncpg.Connection, tenant: UUID, endpoint: UUID) -> EndpointRow | None:
    """One endpoint, locked until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM endpoints WHERE tenant = $1 AND id = $2 FOR UPDATE", tenant, endpoint
    )
    return EndpointRow(*row) if row else None


async def add(connection: asyncpg.Connection, tenant: UUID, row: EndpointRow) -> None:
    """Store a new endpoint and its lane, which sleeps."""
    places = ", ".join(f"${at}" for at in range(1, len(row) + 2))
    await connection.execute(f"INSERT INTO endpoints (tenant, {_COLUMNS}) VALUES ({places})", tenant, *row)
    await connection.execute("INSERT INTO lanes (tenant, endpoint) VALUES ($1, $2)", tenant, row.id)


async def regrant(
    connection: asyncpg.Connection,
    tenant: UUID,
    endpoint: UUID,
    *,
    events: Sequence[str],
    categories: Sequence[str],
    fields: Sequence[str],
) -> None:
    """Replace what an endpoint may hear."""
    await connection.execute(
        "UPDATE endpoints SET events = $3, categories = $4, fields = $5, grant_version = grant_version + 1, "
        "changed_at = now() WHERE tenant = $1 AND id = $2",
        tenant,
        endpoint,
        events,
        categories,
        fields,
    )


async def set_state(
    connection: asyncpg.Connection, tenant: UUID, endpoint: UUID, *, state: str, why: str | None
) -> None:
    """Change the state, and say why it is so."""
    await connection.execute(
        "UPDATE endpoints SET state = $3, why = $4, changed_at = now() WHERE tenant = $1 AND id = $2",
        tenant,
        endpoint,
        state,
        why,
    )


async def refresh_lane(connection: asyncpg.Connection, tenant: UUID, endpoint: UUID) -> None:
    """Let its lane begin anew: what failed before it was resumed does not count, and whoever wakes it adds a job."""
    await connection.execute("SELECT gateway_lock_lane($1, $2)", tenant, endpoint)
    await connection.execute(
        "UPDATE lanes SET woken = false, failures = 0, failing_since = NULL, warned = 0, paused_until = NULL, "
        "alarm_at = NULL WHERE tenant = $1 AND endpoint = $2",
        tenant,
        endpoint,
    )


async def cancel_waiting(connection: asyncpg.Connection, tenant: UUID, endpoint: UUID) -> None:
    """Cancel what still waits for an endpoint that was removed; publishers that saw it active have committed before."""
    await connection.execute("SELECT gateway_lock_lane($1, $2)", tenant, endpoint)
    await connection.execute(
        "UPDATE deliveries SET state = 'cancelled', changed_at = now() "
        "WHERE tenant = $1 AND endpoint = $2 AND state = 'waiting'",
        tenant,
        endpoint,
    )


async def secrets_of(
    connection: asyncpg.Connection, tenant: UUID, endpoints: Sequence[UUID]
) -> dict[UUID, list[SecretRow]]:
    """The sealed secrets of each endpoint, newest first; none of a removed one."""
    found: dict[UUID, list[SecretRow]] = {}
    for endpoint, *row in await connection.fetch(
        "SELECT endpoint, id, sealed, created_at, expires_at FROM endpoint_secrets "
        "WHERE tenant = $1 AND endpoint = ANY ($2) ORDER BY expires_at IS NULL DESC, created_at DESC, id DESC",
        tenant,
        endpoints,
    ):
        found.setdefault(endpoint, []).append(SecretRow(*row))
    return found


async def add_secret(connection: asyncpg.Connection, tenant: UUID, endpoint: UUID, row: SecretRow) -> None:
    """Store one more sealed secret."""
    await connection.execute(
        "INSERT INTO endpoint_secrets (tenant, endpoint, id, sealed, created_at, expires_at) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        tenant,
        endpoint,
        *row,
    )


async def end_secrets(
    connection: asyncpg.Connection, tenant: UUID, endpoint: UUID, *, keep: UUID, until: datetime
) -> None:
    """Let one secret sign until a moment and destroy every other one."""
    await connection.execute(
        "DELETE FROM endpoint_secrets WHERE tenant = $1 AND endpoint = $2 AND id <> $3", tenant, endpoint, keep
    )
    await connection.execute(
        "UPDATE endpoint_secrets SET expires_at = $4 WHERE tenant = $1 AND endpoint = $2 AND id = $3",
        tenant,
        endpoint,
        keep,
        until,
    )


async def drop_secrets(connection: asyncpg.Connection, tenant: UUID, endpoint: UUID) -> None:
    """Destroy every secret of an endpoint that was removed."""
    await connection.execute("DELETE FROM endpoint_secrets WHERE tenant = $1 AND endpoint = $2", tenant, endpoint)
