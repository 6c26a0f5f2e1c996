"""Rows of calls that wait until they may go. What such a call says is sealed here, and gone when it waits no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import asyncpg

_COLUMNS = "id, state, due_at, created_at, changed_at, connector, action, purpose, subject, reasons, withheld, disclosure, code"


class State(StrEnum):
    """What became of a call that waits."""

    WAITING = "waiting"
    CARRIED = "carried"
    """It was carried to its recipient; its disclosure says what came of that."""
    REFUSED = "refused"
    """It was decided anew, and the decision said no."""
    FAILED = "failed"
    """It fits its action no more."""
    CANCELLED = "cancelled"


class WaitingRow(NamedTuple):
    """One call, without what it says."""

    id: UUID
    state: str
    due_at: datetime
    created_at: datetime
    changed_at: datetime
    connector: str
    action: str
    purpose: str
    subject: UUID | None
    reasons: Sequence[Mapping[str, str]]
    withheld: Sequence[str]
    disclosure: UUID | None
    code: str | None


class NewWaitingRow(NamedTuple):
    """A call to keep until it is due."""

    id: UUID
    due_at: datetime
    created_at: datetime
    connector: str
    action: str
    purpose: str
    subject: UUID | None
    reasons: Sequence[Mapping[str, str]]
    withheld: Sequence[str]
    idempotency: bytes | None
    fingerprint: bytes
    sealed: bytes


class SealedRow(NamedTuple):
    """A call as its job needs it; `idempotency` is None where it came without a key, or may be repeated under it."""

    id: UUID
    state: str
    due_at: datetime
    idempotency: bytes | None
    fingerprint: bytes
    sealed: bytes | None


class End(NamedTuple):
    """How a call's wait ended."""

    state: State
    disclosure: UUID | None = None
    code: str | None = None
    reasons: Sequence[Mapping[str, str]] | None = None


class Sought(NamedTuple):
    """What narrows a list; None narrows nothing."""

    state: str | None = None
    subject: UUID | None = None
    before: UUID | None = None
    limit: int = 50


class DueRow(NamedTuple):
    """A call that was due and nobody saw to."""

    tenant: UUID
    id: UUID
    due_at: datetime


async def add(connection: asyncpg.Connection, tenant: UUID, row: NewWaitingRow) -> bool:
    """Keep a call; False where another one waits, or waited, under its Idempotency-Key."""
    added = await connection.fetchval(
        "INSERT INTO waiting_calls (tenant, state, id, due_at, created_at, changed_at, connector, action, purpose, subject, "
        "reasons, withheld, idempotency, fingerprint, sealed) "
        "VALUES ($1, 'waiting', $2, $3, $4, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) "
        "ON CONFLICT (idempotency, tenant) WHERE idempotency IS NOT NULL DO NOTHING RETURNING true",
        tenant,
        *row,
    )
    return bool(added)


async def find(connection: asyncpg.Connection, tenant: UUID, call: UUID) -> WaitingRow | None:
    """One call."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM waiting_calls WHERE tenant = $1 AND id = $2", tenant, call)
    return WaitingRow(*row) if row else None


async def sealed(connection: asyncpg.Connection, tenant: UUID, call: UUID) -> SealedRow | None:
    """One call with what it says."""
    row = await connection.fetchrow(
        "SELECT id, state, due_at, idempotency, fingerprint, sealed FROM waiting_calls WHERE tenant = $1 AND id = $2",
        tenant,
        call,
    )
    return SealedRow(*row) if row else None


async def under(connection: asyncpg.Connection, tenant: UUID, key: bytes) -> tuple[WaitingRow, bytes] | None:
    """The call that waits, or waited, under this Idempotency-Key (hashed), and its fingerprint."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS}, fingerprint FROM waiting_calls WHERE idempotency = $2 AND tenant = $1", tenant, key
    )
    return (WaitingRow(*row[:-1]), row[-1]) if row else None


async def page(connection: asyncpg.Connection, tenant: UUID, sought: Sought) -> list[WaitingRow]:
    """Calls that wait or waited, newest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM waiting_calls WHERE tenant = $1 AND ($2::text IS NULL OR state = $2) "
        "AND ($3::uuid IS NULL OR subject = $3) AND ($4::uuid IS NULL OR id < $4) ORDER BY id DESC LIMIT $5",
        tenant,
        *sought,
    )
    return [WaitingRow(*row) for row in rows]


async def count(connection: asyncpg.Connection, tenant: UUID) -> int:
    """How many calls wait."""
    found: int = await connection.fetchval(
        "SELECT count(*) FROM waiting_calls WHERE tenant = $1 AND state = 'waiting'", tenant
    )
    return found


async def put_off(
    connection: asyncpg.Connection, tenant: UUID, call: UUID, *, until: datetime, reasons: Sequence[Mapping[str, str]]
) -> bool:
    """Let a call wait longer; False where it waits no more."""
    done: str = await connection.execute(
        "UPDATE waiting_calls SET due_at = $3, reasons = $4 WHERE tenant = $1 AND id = $2 AND state = 'waiting'",
        tenant,
        call,
        until,
        reasons,
    )
    return done != "UPDATE 0"


async def end(connection: asyncpg.Connection, tenant: UUID, call: UUID, ending: End, *, now: datetime) -> bool:
    """End a call's wait and destroy what it said; False where it had ended. The key of one that came to nothing is free."""
    done: str = await connection.execute(
        "UPDATE waiting_calls SET state = $3, disclosure = $4, code = $5, reasons = coalesce($6, reasons), changed_at = $7, "
        "sealed = NULL, idempotency = CASE WHEN $3 IN ('refused', 'failed') THEN NULL ELSE idempotency END "
        "WHERE tenant = $1 AND id = $2 AND state = 'waiting'",
        tenant,
        call,
        str(ending.state),
        *ending[1:],
        now,
    )
    return done != "UPDATE 0"


async def stranded(connection: asyncpg.Connection, before: datetime, at_most: int) -> list[DueRow]:
    """Calls of all tenants that were due before a moment and wait still, the longest due first."""
    return [
        DueRow(*row) for row in await connection.fetch("SELECT * FROM gateway_stranded_calls($1, $2)", before, at_most)
    ]


async def erase_subject(connection: asyncpg.Connection, tenant: UUID, subject: UUID) -> int:
    """Destroy every call about a subject that waits or waited; says how many.

    Count the tenant's standing up before, in the same transaction: what a job has read already is then not sent.
    """
    done: str = await connection.execute(
        "DELETE FROM waiting_calls WHERE tenant = $1 AND subject = $2", tenant, subject
    )
    return int(done.split()[-1])


async def drop(connection: asyncpg.Connection, tenant: UUID, before: datetime) -> None:
    """Take out what waits no more since before a moment."""
    await connection.execute(
        "DELETE FROM waiting_calls WHERE tenant = $1 AND state <> 'waiting' AND changed_at < $2", tenant, before
    )
