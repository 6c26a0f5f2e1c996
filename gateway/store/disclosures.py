"""Search disclosures and refusals; find the one that an Idempotency-Key made. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from gateway.store.tallies import LAST_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for; an empty field does not narrow. `before` is the last id of the page before this one.

    `through` says that everything below that index of the log is among the sightings: then these are searched, and the
    answer is the log as it was there. Without it, and for a subject, the rows themselves are looked through.
    """

    subject: UUID | None = None
    recipient: str | None = None
    connector: str | None = None
    purpose: str | None = None
    category: str | None = None
    outcome: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: UUID | None = None
    limit: int = 50
    through: int | None = None


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


_OUTCOMES = "SELECT o.outcome, o.code, o.at, o.index FROM outcomes o WHERE o.tenant = d.tenant AND o.disclosure = d.id"
_LAST = "ORDER BY o.index DESC LIMIT 1"
_LATEST = f"LEFT JOIN LATERAL ({_OUTCOMES} {_LAST}) o ON true"
_FOUND_COLUMNS = (
    "SELECT d.id, d.index, d.at, d.connector, d.action, d.connection, d.recipient, d.purpose, d.categories, d.subject, "
    "d.actor, o.outcome, o.code, o.at, o.index"
)
_FOUND = f"{_FOUND_COLUMNS} FROM disclosures d {_LATEST}"
_REFUSED_COLUMNS = "SELECT d.id, d.index, d.at, d.connector, d.action, d.purpose, d.subject, d.reasons"
_REFUSED = f"{_REFUSED_COLUMNS} FROM refusals d"
_NEWEST_FOUND = "ORDER BY f.at DESC, f.id DESC"


class Deed(NamedTuple):
    """What is done about whom, by which action."""

    connector: str
    action: str
    subject: UUID


async def is_under_way(connection: asyncpg.Connection, tenant: UUID, deed: Deed, since: datetime) -> bool:
    """Whether something of this kind has its intent since then, and no outcome yet."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM disclosures d WHERE d.tenant = $1 AND d.connector = $2 AND d.action = $3 "
        "AND d.subject = $4 AND d.at >= $5 AND NOT EXISTS "
        "(SELECT 1 FROM outcomes o WHERE o.tenant = d.tenant AND o.disclosure = d.id))",
        tenant,
        *deed,
        since,
    )
    return found


async def search(connection: asyncpg.Connection, tenant: UUID, wanted: Search) -> list[FoundRow]:
    """Disclosures, newest first."""
    if wanted.through is not None and wanted.subject is None:
        sighted, values = _sighted(tenant, wanted, table="disclosures", refused=False)
        values.append(wanted.through)
        query = (
            f"{sighted} {_FOUND_COLUMNS} FROM found f {_row_of('disclosures', 'd')} "
            f"LEFT JOIN LATERAL ({_OUTCOMES} AND o.index < ${len(values)} {_LAST}) o ON true {_NEWEST_FOUND}"
        )
    elif wanted.outcome is not None:
        where, values = _conditions(tenant, wanted, table="disclosures")
        values += [wanted.outcome, wanted.limit]
        query = (
            f"{_FOUND} WHERE {where} AND coalesce(o.outcome, 'pending') = ${len(values) - 1} "
            f"ORDER BY d.at DESC, d.id DESC LIMIT ${len(values)}"
        )
    else:  # the page first, then what came of each on it
        where, values = _conditions(tenant, wanted, table="disclosures")
        values.append(wanted.limit)
        page = f"SELECT d.* FROM disclosures d WHERE {where} ORDER BY d.at DESC, d.id DESC LIMIT ${len(values)}"
        query = f"{_FOUND_COLUMNS} FROM ({page}) d {_LATEST} ORDER BY d.at DESC, d.id DESC"
    return [FoundRow(*row) for row in await connection.fetch(query, *values)]


async def refusals(connection: asyncpg.Connection, tenant: UUID, wanted: Search) -> list[RefusedRow]:
    """Refusals, newest first."""
    if wanted.through is not None and wanted.subject is None:
        sighted, values = _sighted(tenant, wanted, table="refusals", refused=True)
        query = f"{sighted} {_REFUSED_COLUMNS} FROM found f {_row_of('refusals', 'd')} {_NEWEST_FOUND}"
    else:
        where, values = _conditions(tenant, wanted, table="refusals")
        values.append(wanted.limit)
        query = f"{_REFUSED} WHERE {where} ORDER BY d.at DESC, d.id DESC LIMIT ${len(values)}"
    return [RefusedRow(*row) for row in await connection.fetch(query, *values)]


async def count(connection: asyncpg.Connection, tenant: UUID, wanted: Search, *, refused: bool, at_most: int) -> int:
    """How many a search finds on all its pages; counts no further than asked."""
    if wanted.through is not None and wanted.subject is None:
        where, values = _faceted(tenant, wanted, refused=refused)
        values += [wanted.since, wanted.until]
        since, until = len(values) - 1, len(values)
        found = (
            f"SELECT 1 FROM facets f CROSS JOIN LATERAL (SELECT 1 FROM sightings s WHERE s.tenant = $1 "
            f"AND s.facet = f.facet AND s.at >= coalesce(${since}::timestamptz, '-infinity') "
            f"AND s.at < coalesce(${until}::timestamptz, 'infinity')) s WHERE {where}"
        )
    else:
        table = "refusals" if refused else "disclosures"
        where, values = _conditions(tenant, wanted, table=table)
        found = f"SELECT 1 FROM {table} d {'' if refused else _LATEST} WHERE {where}"
        if wanted.outcome is not None:
            values.append(wanted.outcome)
            found += f" AND coalesce(o.outcome, 'pending') = ${len(values)}"
    values.append(at_most)
    number: int = await connection.fetchval(f"SELECT count(*) FROM ({found} LIMIT ${len(values)}) c", *values)
    return number


def _sighted(tenant: UUID, wanted: Search, *, table: str, refused: bool) -> tuple[str, list[Any]]:
    """A WITH that finds the ids of a page among the sightings, and its values."""
    where, values = _faceted(tenant, wanted, refused=refused)
    since, until, before, limit = (f"${len(values) + place}" for place in (1, 2, 3, 4))
    values += [wanted.since, wanted.until, wanted.before, wanted.limit]
    return (
        f"WITH found AS (SELECT s.id, s.at FROM gateway_sighted($1, ARRAY(SELECT f.facet FROM facets f "
        f"WHERE {where}), coalesce({since}::timestamptz, '-infinity'), "
        f"coalesce({until}::timestamptz, 'infinity'), CASE WHEN {before}::uuid IS NULL THEN 'infinity' "
        f"ELSE {_at_of(table, before)} END, coalesce({before}::uuid, '{LAST_ID}'), {limit}) s)"
    ), values


def _faceted(tenant: UUID, wanted: Search, *, refused: bool) -> tuple[str, list[Any]]:
    """What picks the facets that a search is after."""
    where, values = ["f.tenant = $1", f"f.outcome {'=' if refused else '<>'} 'refused'"], list[Any]((tenant,))
    outcome = "open" if wanted.outcome == "pending" else wanted.outcome
    _narrow(
        where, values,
        ("f.recipient = {}", wanted.recipient), ("f.connector = {}", wanted.connector), ("f.purpose = {}", wanted.purpose),
        ("f.categories @> ARRAY[{}::text]", wanted.category), ("f.outcome = {}", outcome),
        ("f.reasons @> ARRAY[{}::text]", wanted.reason),
    )  # fmt: skip
    return " AND ".join(where), values


def _conditions(tenant: UUID, wanted: Search, *, table: str) -> tuple[str, list[Any]]:
    """What narrows the rows themselves, but for the outcome."""
    where, values = ["d.tenant = $1"], list[Any]((tenant,))
    _narrow(
        where, values,
        (f"(d.at, d.id) < ({_at_of(table, '{}')}, {{}})", wanted.before), ("d.subject = {}", wanted.subject),
        ("d.connector = {}", wanted.connector), ("d.purpose = {}", wanted.purpose), ("d.at >= {}", wanted.since),
        ("d.at < {}", wanted.until), ("d.recipient = {}", wanted.recipient),
        ("d.categories @> ARRAY[{}::text]", wanted.category), ("d.reasons @> ARRAY[{}::text]", wanted.reason),
    )  # fmt: skip
    return " AND ".join(where), values


def _narrow(where: list[str], values: list[Any], *conditions: tuple[str, Any]) -> None:
    for condition, value in conditions:
        if value is not None:
            values.append(value)
            where.append(condition.replace("{}", f"${len(values)}"))


def _at_of(table: str, place: str) -> str:
    """When the row of an id was made; a page begins after that, and one of an unknown id is empty."""
    return f"(SELECT b.at FROM {table} b WHERE b.tenant = $1 AND b.id = {place})"


def _row_of(table: str, name: str) -> str:
    """Each row that was found, by its key: the limit keeps a plan from reading the table's rows for a page's."""
    return f"CROSS JOIN LATERAL (SELECT * FROM {table} t WHERE t.tenant = $1 AND t.id = f.id LIMIT 1) {name}"


async def find_refusal(connection: asyncpg.Connection, tenant: UUID, refusal: UUID) -> RefusedRow | None:
    """One refusal by its id."""
    row = await connection.fetchrow(f"{_REFUSED} WHERE d.tenant = $1 AND d.id = $2", tenant, refusal)
    return RefusedRow(*row) if row else None


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
