"""What went to whom about one subject. Reads only."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg


class AccountRow(NamedTuple):
    """Everything that one recipient got, or was about to get, about a subject."""

    connector: str
    recipient: str
    first_at: datetime
    last_at: datetime
    number: int
    failed: int
    purposes: list[str]
    categories: list[str]


async def account(
    connection: asyncpg.Connection, tenant: UUID, subject: UUID, since: datetime | None, until: datetime | None
) -> list[AccountRow]:
    """By recipient, the latest first; `failed` of the number came to that."""
    rows = await connection.fetch(
        "WITH found AS MATERIALIZED (SELECT d.id, d.connector, d.recipient, d.at, d.purpose, d.categories FROM disclosures d "
        "WHERE d.tenant = $1 AND d.subject = $2 AND ($3::timestamptz IS NULL OR d.at >= $3) "
        "AND ($4::timestamptz IS NULL OR d.at < $4)), settled AS (SELECT f.*, o.outcome FROM found f LEFT JOIN LATERAL ("
        "SELECT outcome FROM outcomes WHERE tenant = $1 AND disclosure = f.id ORDER BY index DESC LIMIT 1) o ON true) "
        "SELECT s.connector, s.recipient, min(s.at), max(s.at), count(*), "
        "count(*) FILTER (WHERE s.outcome = 'failed'), "
        "array_agg(DISTINCT s.purpose), array(SELECT DISTINCT c FROM found f CROSS JOIN LATERAL unnest(f.categories) c "
        "WHERE f.connector = s.connector AND f.recipient = s.recipient ORDER BY c) "
        "FROM settled s GROUP BY 1, 2 ORDER BY 4 DESC, 2",
        tenant,
        subject,
        since,
        until,
    )
    return [AccountRow(*row) for row in rows]
