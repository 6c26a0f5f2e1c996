"""Rows of visits and of the documents that were handed over for them. A document's bytes are in parts, sealed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

_LOCK_CLASS = 7304
_CONTEXT = "id, subject, connector, lookup, sealed, created_at"
_RECORD = "id, context, kind, length, md5, sha256, since, until, categories, created_at, contents"


class ContextRow(NamedTuple):
    """One visit, as the network knows it; how it is called stays sealed."""

    id: UUID
    subject: UUID
    connector: str
    lookup: bytes
    sealed: bytes
    created_at: datetime


class RecordRow(NamedTuple):
    """One document, without its bytes."""

    id: UUID
    context: UUID
    kind: str
    length: int
    md5: str
    sha256: bytes
    since: datetime
    until: datetime
    categories: list[str]
    created_at: datetime
    contents: list[str]


async def lock(connection: asyncpg.Connection, tenant: UUID) -> None:
    """Keep every other one who keeps a visit of the clinic's waiting until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2::text))", _LOCK_CLASS, str(tenant))


async def add_context(connection: asyncpg.Connection, tenant: UUID, row: ContextRow) -> None:
    """Store a visit. Under the lock."""
    await connection.execute(
        f"INSERT INTO care_contexts (tenant, {_CONTEXT}) VALUES ($1, $2, $3, $4, $5, $6, $7)", tenant, *row
    )


async def under(connection: asyncpg.Connection, tenant: UUID, lookup: bytes) -> ContextRow | None:
    """The visit of one reference of the host's."""
    row = await connection.fetchrow(
        f"SELECT {_CONTEXT} FROM care_contexts WHERE tenant = $1 AND lookup = $2", tenant, lookup
    )
    return ContextRow(*row) if row else None


async def contexts(connection: asyncpg.Connection, tenant: UUID, ids: Sequence[UUID]) -> list[ContextRow]:
    """The visits of these ids, as far as there are any."""
    rows = await connection.fetch(
        f"SELECT {_CONTEXT} FROM care_contexts WHERE tenant = $1 AND id = ANY ($2) ORDER BY id", tenant, list(ids)
    )
    return [ContextRow(*row) for row in rows]


async def contexts_of(connection: asyncpg.Connection, tenant: UUID, subject: UUID) -> list[ContextRow]:
    """The visits of one patient, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_CONTEXT} FROM care_contexts WHERE tenant = $1 AND subject = $2 ORDER BY id", tenant, subject
    )
    return [ContextRow(*row) for row in rows]


async def page(connection: asyncpg.Connection, tenant: UUID, *, after: UUID | None, limit: int) -> list[ContextRow]:
    """The clinic's visits, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_CONTEXT} FROM care_contexts WHERE tenant = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3",
        tenant,
        after,
        limit,
    )
    return [ContextRow(*row) for row in rows]


async def newest(
    connection: asyncpg.Connection, tenant: UUID, connector: str, *, before: UUID | None, limit: int
) -> list[ContextRow]:
    """The clinic's visits at one network, newest first."""
    rows = await connection.fetch(
        f"SELECT {_CONTEXT} FROM care_contexts WHERE tenant = $1 AND connector = $2 AND ($3::uuid IS NULL OR id < $3) "
        "ORDER BY id DESC LIMIT $4",
        tenant,
        connector,
        before,
        limit,
    )
    return [ContextRow(*row) for row in rows]


async def add(connection: asyncpg.Connection, tenant: UUID, row: RecordRow, parts: Sequence[bytes]) -> None:
    """Store a document with its sealed parts, in order."""
    await connection.execute(
        f"INSERT INTO records (tenant, {_RECORD}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        tenant,
        *row,
    )
    await connection.executemany(
        "INSERT INTO record_parts (tenant, record, number, sealed) VALUES ($1, $2, $3, $4)",
        [(tenant, row.id, number, part) for number, part in enumerate(parts)],
    )


async def find(connection: asyncpg.Connection, tenant: UUID, record: UUID) -> RecordRow | None:
    """One document."""
    row = await connection.fetchrow(f"SELECT {_RECORD} FROM records WHERE tenant = $1 AND id = $2", tenant, record)
    return RecordRow(*row) if row else None


async def of_contexts(connection: asyncpg.Connection, tenant: UUID, ids: Sequence[UUID]) -> list[RecordRow]:
    """The documents of these visits, in the order in which they were handed over."""
    rows = await connection.fetch(
        f"SELECT {_RECORD} FROM records WHERE tenant = $1 AND context = ANY ($2) ORDER BY id", tenant, list(ids)
    )
    return [RecordRow(*row) for row in rows]


async def remove_subject(connection: asyncpg.Connection, tenant: UUID, subject: UUID) -> int:
    """Take out every visit of a patient with its documents; how many visits that were. Under the lock."""
    await connection.execute(
        "DELETE FROM record_parts p USING records r, care_contexts c WHERE p.tenant = $1 AND r.tenant = $1 AND c.tenant = $1 "
        "AND p.record = r.id AND r.context = c.id AND c.subject = $2",
        tenant,
        subject,
    )
    await connection.execute(
        "DELETE FROM records r USING care_contexts c WHERE r.tenant = $1 AND c.tenant = $1 AND r.context = c.id "
        "AND c.subject = $2",
        tenant,
        subject,
    )
    done: str = await connection.execute(
        "DELETE FROM care_contexts WHERE tenant = $1 AND subject = $2", tenant, subject
    )
    return int(done.removeprefix("DELETE "))


async def part(connection: asyncpg.Connection, tenant: UUID, record: UUID, number: int) -> bytes | None:
    """One sealed part of a document; None behind its end."""
    sealed: bytes | None = await connection.fetchval(
        "SELECT sealed FROM record_parts WHERE tenant = $1 AND record = $2 AND number = $3", tenant, record, number
    )
    return sealed
