"""Roll the counts forward, and read them: by day, recipient, kind of data, field, reason. Never a subject, never a value."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

LAST_ID: Final = UUID(int=2**128 - 1)


class Counted(NamedTuple):
    """How far a tenant's log is counted: the entries below `next`, of `size`."""

    next: int
    size: int


class PartyRow(NamedTuple):
    """A recipient as entries named it, and the number under which its counts are kept."""

    party: int
    connector: str
    recipient_id: str
    recipient: str
    country: str


class SentRow(NamedTuple):
    """What came to one outcome at one recipient: the days that had any, counted from the period's first, and how many."""

    party: int
    outcome: str
    days: list[int]
    numbers: list[int]


class DeedRow(NamedTuple):
    """How often something was done at a recipient for a purpose, and came to an outcome."""

    party: int
    action: str
    purpose: str
    outcome: str
    number: int


class CategoryRow(NamedTuple):
    """How many disclosures to a recipient held a kind of data; `failed` of these came to that."""

    party: int
    category: str
    number: int
    failed: int


class FieldRow(NamedTuple):
    """How many disclosures held a field; `failed` of these came to that."""

    action: str
    path: str
    category: str
    reduction: str
    number: int
    failed: int


class RefusedRow(NamedTuple):
    """How often one reason refused something: the days that had any, counted from the period's first, and how many."""

    reason: str
    days: list[int]
    numbers: list[int]


class DebutRow(NamedTuple):
    """The first disclosure to a recipient at a host, or of a kind of data; `known_since` is its first of all."""

    party: int
    what: str
    name: str
    at: datetime
    id: UUID
    known_since: datetime


class NightRow(NamedTuple):
    """How many disclosures went to a recipient in one of the spans that were asked for, counted from 0."""

    span: int
    party: int
    number: int


async def counted(connection: asyncpg.Connection, tenant: UUID) -> Counted:
    """How far the tenant's log is counted."""
    row = await connection.fetchrow(
        "SELECT coalesce(t.next, 0), h.size FROM heads h LEFT JOIN tallied t ON t.tenant = h.tenant WHERE h.tenant = $1",
        tenant,
    )
    return Counted(*row) if row else Counted(0, 0)


async def roll(connection: asyncpg.Connection, tenant: UUID, at_most: int) -> Counted:
    """Count the next entries, at most so many; another gateway that does it now is waited for, and nothing counts twice."""
    return Counted(*await connection.fetchrow("SELECT next, size FROM gateway_tally($1, $2)", tenant, at_most))


async def untallied(connection: asyncpg.Connection) -> list[UUID]:
    """The tenants whose logs have entries that are not counted yet."""
    return [row[0] for row in await connection.fetch("SELECT gateway_untallied()")]


async def parties(connection: asyncpg.Connection, tenant: UUID) -> list[PartyRow]:
    """Every recipient that there ever was."""
    rows = await connection.fetch(
        "SELECT party, connector, recipient_id, recipient, country FROM parties WHERE tenant = $1", tenant
    )
    return [PartyRow(*row) for row in rows]


async def sent(connection: asyncpg.Connection, tenant: UUID, since: date, until: date) -> list[SentRow]:
    """By recipient, outcome and day; `until` is the first day that does not count."""
    rows = await connection.fetch(
        "SELECT party, outcome, array_agg(day - $2), array_agg(count) FROM tallies_days "
        "WHERE tenant = $1 AND day >= $2 AND day < $3 AND count > 0 GROUP BY 1, 2",
        tenant,
        since,
        until,
    )
    return [SentRow(*row) for row in rows]


async def deeds(connection: asyncpg.Connection, tenant: UUID, since: date, until: date) -> list[DeedRow]:
    """By recipient, action, purpose and outcome."""
    rows = await connection.fetch(
        "SELECT party, action, purpose, outcome, sum(count)::bigint FROM tallies_sent "
        "WHERE tenant = $1 AND day >= $2 AND day < $3 AND count > 0 GROUP BY 1, 2, 3, 4",
        tenant,
        since,
        until,
    )
    return [DeedRow(*row) for row in rows]


async def categories(connection: asyncpg.Connection, tenant: UUID, since: date, until: date) -> list[CategoryRow]:
    """By kind of data and recipient."""
    rows = await connection.fetch(
        "SELECT party, category, sum(count)::bigint, sum(failed)::bigint FROM tallies_categories "
        "WHERE tenant = $1 AND day >= $2 AND day < $3 AND count > 0 GROUP BY 1, 2",
        tenant,
        since,
        until,
    )
    return [CategoryRow(*row) for row in rows]


async def fields(
    connection: asyncpg.Connection, tenant: UUID, recipient_id: str, since: date, until: date
) -> list[FieldRow]:
    """Of one recipient, whatever it was called, by action and field."""
    rows = await connection.fetch(
        "SELECT f.action, f.path, f.category, f.reduction, sum(f.count)::bigint, sum(f.failed)::bigint FROM parties p "
        "CROSS JOIN LATERAL (SELECT * FROM tallies_fields f WHERE f.tenant = $1 AND f.party = p.party "
        "AND f.day >= $3 AND f.day < $4 AND f.count > 0 OFFSET 0) f "
        "WHERE p.tenant = $1 AND p.recipient_id = $2 GROUP BY 1, 2, 3, 4",
        tenant,
        recipient_id,
        since,
        until,
    )
    return [FieldRow(*row) for row in rows]


async def last_deeds(
    connection: asyncpg.Connection, tenant: UUID, connector: str, since: date
) -> list[tuple[str, date]]:
    """Each action of a connector's that was done since a day, and the last day on which it was."""
    rows = await connection.fetch(
        "SELECT s.action, max(s.day) FROM parties p CROSS JOIN LATERAL (SELECT t.action, t.day FROM tallies_sent t "
        "WHERE t.tenant = $1 AND t.day >= $3 AND t.party = p.party AND t.count > 0 OFFSET 0) s "
        "WHERE p.tenant = $1 AND p.connector = $2 GROUP BY 1",
        tenant,
        connector,
        since,
    )
    return [(row[0], row[1]) for row in rows]


async def refused(
    connection: asyncpg.Connection, tenant: UUID, since: date, until: date, connector: str | None
) -> list[RefusedRow]:
    """By reason and day, of one connector or of all; a refusal with two reasons counts under each of them."""
    rows = await connection.fetch(
        "SELECT reason, array_agg(day), array_agg(count) FROM ("
        "SELECT reason, day - $2 AS day, sum(count)::bigint AS count FROM tallies_refused WHERE tenant = $1 "
        "AND day >= $2 AND day < $3 AND ($4::text IS NULL OR connector = $4) GROUP BY 1, 2) d GROUP BY 1",
        tenant,
        since,
        until,
        connector,
    )
    return [RefusedRow(*row) for row in rows]


async def last_accepted(connection: asyncpg.Connection, tenant: UUID) -> dict[str, datetime]:
    """When the newest disclosure that a recipient took was made, by connector."""
    rows = await connection.fetch(
        "SELECT c.connector, s.at FROM (SELECT f.connector, array_agg(f.facet) AS facets FROM facets f "
        "WHERE f.tenant = $1 AND f.outcome = 'accepted' GROUP BY 1) c CROSS JOIN LATERAL gateway_sighted("
        f"$1, c.facets, '-infinity', 'infinity', 'infinity', '{LAST_ID}', 1) s",
        tenant,
    )
    return {row[0]: row[1] for row in rows}


async def debuts(connection: asyncpg.Connection, tenant: UUID, since: datetime, limit: int) -> list[DebutRow]:
    """What was the first of its kind since then, newest first."""
    rows = await connection.fetch(
        "SELECT d.party, d.what, d.name, d.at, d.id, (SELECT min(f.at) FROM debuts f "
        "WHERE f.tenant = $1 AND f.party = d.party) FROM debuts d WHERE d.tenant = $1 AND d.at >= $2 "
        "ORDER BY d.at DESC, d.id DESC LIMIT $3",
        tenant,
        since,
        limit,
    )
    return [DebutRow(*row) for row in rows]


async def nights(
    connection: asyncpg.Connection, tenant: UUID, begins: list[datetime], ends: list[datetime]
) -> list[NightRow]:
    """Disclosures by recipient in each of these spans; each counts in half hours."""
    rows = await connection.fetch(
        "SELECT n.span - 1, s.party, s.number FROM unnest($2::timestamptz[], $3::timestamptz[]) "
        "WITH ORDINALITY AS n (begins, ends, span) CROSS JOIN LATERAL (SELECT t.party, sum(t.count)::bigint AS number "
        "FROM tallies_slots t WHERE t.tenant = $1 AND t.slot >= n.begins AND t.slot < n.ends GROUP BY 1 OFFSET 0) s",
        tenant,
        begins,
        ends,
    )
    return [NightRow(*row) for row in rows]


async def names(connection: asyncpg.Connection, tenant: UUID) -> list[tuple[str, str]]:
    """Every connector and recipient's name that anything was ever about to go to, once each."""
    rows = await connection.fetch(
        "SELECT DISTINCT connector, recipient FROM parties WHERE tenant = $1 ORDER BY 2, 1", tenant
    )
    return [(row[0], row[1]) for row in rows]
