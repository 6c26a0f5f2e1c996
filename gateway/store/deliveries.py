"""Rows of deliveries and their attempts. An attempt is settled with its outcome, by the ledger (gateway_append)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from gateway.store.events import first_id

_COLUMNS = (
    "d.id, d.event, d.endpoint, d.state, d.next_at, d.attempts, d.code, d.status, d.changed_at, e.at, e.type, "
    "e.sealed IS NOT NULL AS kept"
)
_CLOCKS_APART = timedelta(minutes=1)  # an id is made a moment before its event's time is read, perhaps elsewhere
_WAITING = "d.id, d.attempts, d.round, d.event, e.at, e.type, e.subject, e.sequence, e.sealed"
_FROM = "deliveries d JOIN events e ON e.tenant = d.tenant AND e.id = d.event"


class WaitingRow(NamedTuple):
    """A delivery that is due, with its event."""

    id: UUID
    attempts: int
    round: int
    event: UUID
    at: datetime
    type: str
    subject: UUID | None
    sequence: int | None
    sealed: bytes | None


class DeliveryRow(NamedTuple):
    """How the telling of one event to one endpoint stands."""

    id: UUID
    event: UUID
    endpoint: UUID
    state: str
    next_at: datetime
    attempts: int
    code: str | None
    status: int | None
    changed_at: datetime
    at: datetime
    type: str
    kept: bool


class AttemptRow(NamedTuple):
    """One attempt of it."""

    number: int
    at: datetime
    milliseconds: int
    outcome: str
    status: int | None
    code: str | None
    disclosure: UUID


class Sought(NamedTuple):
    """What narrows a list of deliveries; None narrows nothing."""

    endpoint: UUID | None = None
    event: UUID | None = None
    state: str | None = None
    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: UUID | None = None
    limit: int = 50


async def due(
    connection: asyncpg.Connection,
    tenant: UUID,
    endpoint: UUID,
    *,
    now: datetime,
    but: Sequence[UUID],
    at_most: int,
) -> list[WaitingRow]:
    """What is due at an endpoint, the longest due first, but for what is being worked on."""
    rows = await connection.fetch("SELECT * FROM gateway_due($1, $2, $3, $4, $5)", tenant, endpoint, now, but, at_most)
    return [WaitingRow(*row) for row in rows]


async def waiting(connection: asyncpg.Connection, tenant: UUID, delivery: UUID) -> WaitingRow | None:
    """One delivery that waits, read anew; None when it waits no more."""
    row = await connection.fetchrow(
        f"SELECT {_WAITING} FROM {_FROM} WHERE d.tenant = $1 AND d.id = $2 AND d.state = 'waiting'", tenant, delivery
    )
    return WaitingRow(*row) if row else None


async def cancel(connection: asyncpg.Connection, tenant: UUID, delivery: UUID, *, code: str, now: datetime) -> None:
    """End a delivery of which nothing can be sent any more."""
    await connection.execute(
        "UPDATE deliveries SET state = 'cancelled', code = $3, changed_at = $4 "
        "WHERE tenant = $1 AND id = $2 AND state = 'waiting'",
        tenant,
        delivery,
        code,
        now,
    )


async def put_off(
    connection: asyncpg.Connection, tenant: UUID, delivery: UUID, *, code: str, next_at: datetime, state: str, now: datetime
) -> None:  # fmt: skip
    """Count an attempt that failed before anything could be decided, and go on with the schedule."""
    await connection.execute(
        "UPDATE deliveries SET state = $3, code = $4, next_at = $5, round = round + 1, changed_at = $6 "
        "WHERE tenant = $1 AND id = $2 AND state = 'waiting'",
        tenant,
        delivery,
        state,
        code,
        next_at,
        now,
    )


async def page(connection: asyncpg.Connection, tenant: UUID, sought: Sought) -> list[DeliveryRow]:
    """Deliveries, newest event first. Ids begin with their event's time, so a period is a range of ids."""
    conditions, given = ["d.tenant = $1"], list[Any]([tenant])

    def narrow(condition: str, value: Any) -> None:
        if value is not None:
            given.append(value)
            conditions.append(condition.format(f"${len(given)}"))

    narrow("d.endpoint = {}", sought.endpoint)
    narrow("d.event = {}", sought.event)
    narrow("d.state = {}", sought.state)
    narrow("e.type = {}", sought.type)
    narrow("d.id >= {}", sought.since and first_id(sought.since))
    narrow("d.id < {}", sought.until and first_id(sought.until))
    narrow("d.id < {}", sought.before)
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM {_FROM} WHERE {' AND '.join(conditions)} ORDER BY d.id DESC LIMIT {int(sought.limit)}",
        *given,
    )
    return [DeliveryRow(*row) for row in rows]


async def find(connection: asyncpg.Connection, tenant: UUID, delivery: UUID) -> DeliveryRow | None:
    """One delivery."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM {_FROM} WHERE d.tenant = $1 AND d.id = $2", tenant, delivery
    )
    return DeliveryRow(*row) if row else None


async def attempts(connection: asyncpg.Connection, tenant: UUID, delivery: UUID, at_most: int) -> list[AttemptRow]:
    """The latest attempts of a delivery, in their order."""
    rows = await connection.fetch(
        "SELECT number, at, milliseconds, outcome, status, code, disclosure FROM attempts "
        "WHERE tenant = $1 AND delivery = $2 ORDER BY number DESC, at DESC LIMIT $3",
        tenant,
        delivery,
        at_most,
    )
    return [AttemptRow(*row) for row in reversed(rows)]


async def replay(connection: asyncpg.Connection, tenant: UUID, delivery: UUID, now: datetime) -> bool:
    """Put one delivery on the schedule anew; false when what its event said is gone."""
    done: str = await connection.execute(
        "UPDATE deliveries d SET state = 'waiting', next_at = $3, round = 0, changed_at = $3 FROM events e "
        "WHERE d.tenant = $1 AND d.id = $2 AND e.tenant = $1 AND e.id = d.event AND e.sealed IS NOT NULL",
        tenant,
        delivery,
        now,
    )
    return done != "UPDATE 0"


async def replayable(
    connection: asyncpg.Connection, tenant: UUID, endpoint: UUID, *, since: datetime, states: Sequence[str]
) -> int:
    """How many deliveries of an endpoint would be put on the schedule anew."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM deliveries d JOIN events e ON e.tenant = d.tenant AND e.id = d.event "
        "WHERE d.tenant = $1 AND d.endpoint = $2 AND d.id >= $3 AND d.state = ANY ($5) AND d.state <> 'waiting' "
        "AND e.at >= $4 AND e.sealed IS NOT NULL",
        tenant,
        endpoint,
        first_id(since - _CLOCKS_APART),
        since,
        states,
    )
    return count


async def replay_since(
    connection: asyncpg.Connection, tenant: UUID, endpoint: UUID, *, since: datetime, states: Sequence[str], now: datetime
) -> int:  # fmt: skip
    """Put an endpoint's deliveries of these states anew on the schedule, of events since a moment; says how many."""
    done: str = await connection.execute(
        "UPDATE deliveries d SET state = 'waiting', next_at = $6, round = 0, changed_at = $6 FROM events e "
        "WHERE d.tenant = $1 AND d.endpoint = $2 AND d.id >= $3 AND d.state = ANY ($5) AND d.state <> 'waiting' "
        "AND e.tenant = $1 AND e.id = d.event AND e.at >= $4 AND e.sealed IS NOT NULL",
        tenant,
        endpoint,
        first_id(since - _CLOCKS_APART),
        since,
        states,
        now,
    )
    return int(done.split()[-1])
