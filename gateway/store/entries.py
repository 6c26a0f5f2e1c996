"""Read the ledger: entries, leaf and node hashes, and which entries concern whom. Writes nothing."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from gateway.store.ledger import EntryRow


async def entry(connection: asyncpg.Connection, tenant: UUID, index: int) -> EntryRow | None:
    """One stored leaf."""
    row = await connection.fetchrow(
        "SELECT tenant, index, kind, at, body, leaf FROM entries WHERE tenant = $1 AND index = $2", tenant, index
    )
    return EntryRow(*row) if row else None


async def leaves(connection: asyncpg.Connection, tenant: UUID, first: int, count: int) -> list[bytes]:
    """The leaf hashes of a run of entries."""
    rows = await connection.fetch(
        "SELECT leaf FROM entries WHERE tenant = $1 AND index >= $2 AND index < $3 ORDER BY index",
        tenant,
        first,
        first + count,
    )
    return [row[0] for row in rows]


async def nodes(connection: asyncpg.Connection, tenant: UUID, level: int, span: tuple[int, int]) -> list[bytes]:
    """Stored subtree hashes of one level; `span` is (first, count)."""
    rows = await connection.fetch(
        "SELECT hash FROM nodes WHERE tenant = $1 AND level = $2 AND index >= $3 AND index < $4 ORDER BY index",
        tenant,
        level,
        span[0],
        span[0] + span[1],
    )
    return [row[0] for row in rows]


async def span(
    connection: asyncpg.Connection, tenant: UUID, since: datetime | None, until: datetime | None
) -> tuple[int, int] | None:
    """The first and the last index recorded in a period; everything between them belongs to it."""
    row = await connection.fetchrow(
        "SELECT min(index), max(index) FROM entries WHERE tenant = $1 "
        "AND ($2::timestamptz IS NULL OR at >= $2) AND ($3::timestamptz IS NULL OR at < $3)",
        tenant,
        since,
        until,
    )
    return None if row[0] is None else (row[0], row[1])


class Wanted(NamedTuple):
    """Whose entries to gather; None does not narrow."""

    subject: UUID | None
    recipient: str | None
    since: datetime | None
    until: datetime | None


async def indexes_of(connection: asyncpg.Connection, tenant: UUID, wanted: Wanted) -> list[int]:
    """The indexes of all intents of a subject or recipient, and of their outcomes, in order."""
    rows = await connection.fetch(
        "WITH wanted AS (SELECT d.id, d.index FROM disclosures d WHERE d.tenant = $1 "
        "AND ($2::uuid IS NULL OR d.subject = $2) AND ($3::text IS NULL OR d.recipient = $3) "
        "AND ($4::timestamptz IS NULL OR d.at >= $4) AND ($5::timestamptz IS NULL OR d.at < $5)) "
        "SELECT index FROM wanted UNION SELECT o.index FROM outcomes o JOIN wanted w ON o.disclosure = w.id "
        "WHERE o.tenant = $1 ORDER BY 1",
        tenant,
        *wanted,
    )
    return [row[0] for row in rows]


async def stored(connection: asyncpg.Connection, tenant: UUID, first: int, count: int) -> list[tuple[bytes, bytes]]:
    """A run of entries as (stored bytes, recorded leaf hash)."""
    rows = await connection.fetch(
        "SELECT body, leaf FROM entries WHERE tenant = $1 AND index >= $2 AND index < $3 ORDER BY index",
        tenant,
        first,
        first + count,
    )
    return [(row[0], row[1]) for row in rows]
