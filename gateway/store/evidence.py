"""What stands behind one disclosure: the consent, the agreement, the connection, its call, its delivery. Reads only.

Every column here is one that the auditor's role may select.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg


class GivenRow(NamedTuple):
    """A consent, without whose it is and how it was given."""

    id: UUID
    purposes: list[str]
    channels: list[str]
    given_at: datetime
    expires_at: datetime | None
    withdrawn_at: datetime | None


class ConnectionRow(NamedTuple):
    """A connection as it stands now."""

    id: UUID
    connector: str
    state: str
    grant_version: int
    created_at: datetime
    changed_at: datetime


class SiblingRow(NamedTuple):
    """A disclosure or a refusal of the same call."""

    id: UUID
    refused: bool
    connector: str
    recipient: str | None
    outcome: str | None
    reasons: list[str] | None


class ToldRow(NamedTuple):
    """A delivery to an endpoint as it stands now."""

    id: UUID
    event: UUID
    endpoint: UUID
    state: str
    attempts: int
    changed_at: datetime


async def consent(connection: asyncpg.Connection, tenant: UUID, wanted: UUID) -> GivenRow | None:
    """One consent."""
    row = await connection.fetchrow(
        "SELECT id, purposes, channels, given_at, expires_at, withdrawn_at FROM consents WHERE tenant = $1 AND id = $2",
        tenant,
        wanted,
    )
    return GivenRow(*row) if row else None


async def agreement(connection: asyncpg.Connection, tenant: UUID, wanted: UUID, before: int) -> bytes | None:
    """The entry that recorded an agreement, before that place in the log."""
    body: bytes | None = await connection.fetchval(
        "SELECT e.body FROM entries e WHERE e.tenant = $1 AND e.kind = 'agreement' AND e.index < $3 "
        "AND position($2::bytea IN e.body) > 0 ORDER BY e.index DESC LIMIT 1",
        tenant,
        f'"agreement":"{wanted}"'.encode(),
        before,
    )
    return body


async def connection_of(connection: asyncpg.Connection, tenant: UUID, wanted: UUID) -> ConnectionRow | None:
    """One connection."""
    row = await connection.fetchrow(
        "SELECT id, connector, state, grant_version, created_at, changed_at FROM connections "
        "WHERE tenant = $1 AND id = $2",
        tenant,
        wanted,
    )
    return ConnectionRow(*row) if row else None


async def siblings(connection: asyncpg.Connection, tenant: UUID, call: str, limit: int) -> list[SiblingRow]:
    """What one call came to, in the order of the log."""
    rows = await connection.fetch(
        "SELECT c.id, c.refused, coalesce(d.connector, r.connector, ''), d.recipient, o.outcome, r.reasons FROM called c "
        "LEFT JOIN LATERAL (SELECT connector, recipient FROM disclosures WHERE tenant = $1 AND id = c.id LIMIT 1) d ON true "
        "LEFT JOIN LATERAL (SELECT connector, reasons FROM refusals WHERE tenant = $1 AND id = c.id LIMIT 1) r ON true "
        "LEFT JOIN LATERAL (SELECT outcome FROM outcomes WHERE tenant = $1 AND disclosure = c.id "
        "ORDER BY index DESC LIMIT 1) o ON true WHERE c.tenant = $1 AND c.call = $2 ORDER BY c.index LIMIT $3",
        tenant,
        call,
        limit,
    )
    return [SiblingRow(*row) for row in rows]


async def delivery(connection: asyncpg.Connection, tenant: UUID, wanted: UUID) -> ToldRow | None:
    """One delivery."""
    row = await connection.fetchrow(
        "SELECT id, event, endpoint, state, attempts, changed_at FROM deliveries WHERE tenant = $1 AND id = $2",
        tenant,
        wanted,
    )
    return ToldRow(*row) if row else None
