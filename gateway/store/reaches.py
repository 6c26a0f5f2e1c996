"""Rows of reaches: which message to a person, on which channel, when. They are written with their intents (ledger.py)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

_LAST = (
    "SELECT r.number FROM reaches r WHERE r.tenant = {0} AND r.subject = {1} AND r.channel = {2} "
    "ORDER BY r.number DESC LIMIT 1"
)
# A message counts until its outcome says that the person did not get it.
_COUNTED = (
    "SELECT r.at FROM reaches r LEFT JOIN LATERAL ("
    "SELECT o.outcome FROM outcomes o WHERE o.tenant = r.tenant AND o.disclosure = r.disclosure "
    "ORDER BY o.index DESC LIMIT 1) o ON true "
    "WHERE r.tenant = $1 AND r.subject = $2 AND r.channel = $3 AND r.at > $4 "
    "AND coalesce(o.outcome, 'pending') NOT IN ('failed', 'rejected') ORDER BY r.at"
)


class PlaceRow(NamedTuple):
    """One person on one channel."""

    tenant: UUID
    subject: UUID
    channel: str


async def last(connection: asyncpg.Connection, place: PlaceRow) -> int:
    """The number of the person's last message on a channel; 0 where there is none."""
    number: int | None = await connection.fetchval(_LAST.format("$1", "$2", "$3"), *place)
    return number or 0


async def counted(connection: asyncpg.Connection, place: PlaceRow, *, since: datetime) -> list[datetime]:
    """When the messages after a moment went that reached the person, or may have, in order of time."""
    return [row[0] for row in await connection.fetch(_COUNTED, *place, since)]


async def last_of(connection: asyncpg.Connection, places: Sequence[PlaceRow]) -> dict[PlaceRow, int]:
    """The number of the last message at each of these places."""
    rows = await connection.fetch(
        "SELECT p.tenant, p.subject, p.channel, (" + _LAST.format("p.tenant", "p.subject", "p.channel") + ") "
        "FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS p (tenant, subject, channel)",
        [place.tenant for place in places],
        [place.subject for place in places],
        [place.channel for place in places],
    )
    return {PlaceRow(*row[:3]): row[3] or 0 for row in rows}


async def drop(connection: asyncpg.Connection, tenant: UUID, before: datetime) -> None:
    """Take out what is older than any cap looks back, but for the last message at each place: the next is numbered by it."""
    await connection.execute(
        "DELETE FROM reaches r WHERE r.tenant = $1 AND r.at < $2 AND EXISTS ("
        "SELECT FROM reaches later WHERE later.tenant = $1 AND later.subject = r.subject "
        "AND later.channel = r.channel AND later.number > r.number)",
        tenant,
        before,
    )


async def erase_subject(connection: asyncpg.Connection, tenant: UUID, subject: UUID) -> None:
    """Forget how often a person was reached."""
    await connection.execute("DELETE FROM reaches WHERE tenant = $1 AND subject = $2", tenant, subject)
