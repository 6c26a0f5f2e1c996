"""Search disclosures and refusals; find the one that an Idempotency-Key made. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for; an empty field does not narrow. `before` is the last id of the page before this one."""

    subject: UUID | None = None
    recipient: str | None = None
    connector: str | None = None
    purpose: str | None = None
    category: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: UUID | None = None
    limit: int = 50


class FoundRow(NamedTuple):
    """One disclosure with what came of it; no outcome yet while it is under way."""

    id: UUID
    leaf_index: int
    at: datetime
    connector: str
    action: str
    connection: UUID
    recipient: str
    purpose: str
    categories: list[str]
    subject: UUID | None
    actor: str
    outcome: str | None
    code: str | None
    settled_at: datetime | None
    outcome_index: int | None


class RefusedRow(NamedTuple):
    """One refusal."""

    id: UUID
    leaf_index: int
    at: datetime
    connector: str
    action: str
    purpose: str
    subject: UUID | None
    reasons: list[str]


class RepeatRow(NamedTuple):
    """The disclosure that an Idempotency-Key made, and what was answered."""

    id: UUID
    fingerprint: bytes
    leaf_index: int
    leaf: bytes
    outcome: str | None
    code: str | None
    sealed: bytes | None


_LATEST = (
    "LEFT JOIN LATERAL (SELECT o.outcome, o.code, o.at, o.index FROM outcomes o WHERE o.tenant = d.tenant "
    "AND o.disclosure = d.id ORDER BY o.index DESC LIMIT 1) o ON true"
)
_FOUND = (
    "SELECT d.id, d.index, d.at, d.connector, d.action, d.connection, d.recipient, d.purpose, d.categories, d.subject, "
    f"d.actor, o.outcome, o.code, o.at, o.index FROM disclosures d {_LATEST} "
)


async def search(connection: asyncpg.Connection, tenant: UUID, wanted: Search) -> list[FoundRow]:
    """Disclosures, newest first."""
    where, values = _conditions(tenant, wanted, table="d")
    if wanted.recipient is not None:
        where.append(f"d.recipient = ${len(values) + 1}")
        values.append(wanted.recipient)
    if wanted.category is not None:
        where.append(f"d.categories @> ARRAY[${len(values) + 1}::text]")
        values.append(wanted.category)
    if wanted.outcome is not None:
        where.append(f"coalesce(o.outcome, 'pending') = ${len(values) + 1}")
        values.append(wanted.outcome)
    rows = await connection.fetch(
        f"{_FOUND} WHERE {' AND '.join(where)} ORDER BY d.id DESC LIMIT ${len(values) + 1}", *values, wanted.limit
    )
    return [FoundRow(*row) for row in rows]


async def refusals(connection: asyncpg.Connection, tenant: UUID, wanted: Search) -> list[RefusedRow]:
    """Refusals, newest first."""
    where, values = _conditions(tenant, wanted, table="r")
    rows = await connection.fetch(
        "SELECT r.id, r.index, r.at, r.connector, r.action, r.purpose, r.subject, r.reasons FROM refusals r "
        f"WHERE {' AND '.join(where)} ORDER BY r.id DESC LIMIT ${len(values) + 1}",
        *values,
        wanted.limit,
    )
    return [RefusedRow(*row) for row in rows]


def _conditions(tenant: UUID, wanted: Search, *, table: str) -> tuple[list[str], list[Any]]:
    where, values = [f"{table}.tenant = $1"], [tenant]
    narrowing: tuple[tuple[str, Any], ...] = (
        ("id <", wanted.before),
        ("subject =", wanted.subject),
        ("connector =", wanted.connector),
        ("purpose =", wanted.purpose),
        ("at >=", wanted.since),
        ("at <", wanted.until),
    )
    for condition, value in narrowing:
        if value is not None:
            values.append(value)
            where.append(f"{table}.{condition} ${len(values)}")
    return where, values


async def find(connection: asyncpg.Connection, tenant: UUID, disclosure: UUID) -> FoundRow | None:
    """One disclosure by its id."""
    row = await connection.fetchrow(f"{_FOUND} WHERE d.tenant = $1 AND d.id = $2", tenant, disclosure)
    return FoundRow(*row) if row else None


async def bodies(connection: asyncpg.Connection, tenant: UUID, disclosure: UUID) -> list[bytes]:
    """The stored bytes of a disclosure's entries: its intent, then its outcomes."""
    rows = await connection.fetch(
        "SELECT e.body FROM entries e WHERE e.tenant = $1 AND e.index IN ("
        "SELECT d.index FROM disclosures d WHERE d.tenant = $1 AND d.id = $2 "
        "UNION ALL SELECT o.index FROM outcomes o WHERE o.tenant = $1 AND o.disclosure = $2) ORDER BY e.index",
        tenant,
        disclosure,
    )
    return [row[0] for row in rows]


async def made_by(connection: asyncpg.Connection, tenant: UUID, key: bytes) -> RepeatRow | None:
    """The disclosure that this Idempotency-Key (hashed) made, if any."""
    row = await connection.fetchrow(
        f"SELECT d.id, d.fingerprint, d.index, e.leaf, o.outcome, o.code, a.sealed FROM disclosures d {_LATEST} "
        "JOIN entries e ON e.tenant = d.tenant AND e.index = d.index "
        "LEFT JOIN answers a ON a.tenant = d.tenant AND a.disclosure = d.id "
        "WHERE d.tenant = $1 AND d.idempotency = $2",
        tenant,
        key,
    )
    return RepeatRow(*row) if row else None
