"""Lanes: who works through an endpoint's deliveries, and how these go. What a failure means is decided in the flows.

A lane is awake when a job that will look at it is in the queue or works on it. Publishers hold a lock of the tenant that
whoever closes a lane takes alone; see gateway_publish and gateway_close_lane in migrations/0002_webhooks.sql.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from gateway.store.jobs import enqueue, lane_job


class HealthRow(NamedTuple):
    """How an endpoint's deliveries went lately."""

    failures: int
    failing_since: datetime | None
    warned: int
    paused_until: datetime | None


class Holding(NamedTuple):
    """A lane, and the ledger writer under whose id it is held."""

    tenant: UUID
    endpoint: UUID
    writer: int


class Stranded(NamedTuple):
    """A lane with work that nobody will look at."""

    tenant: UUID
    endpoint: UUID


async def open_lane(connection: asyncpg.Connection, holding: Holding, alarm: datetime | None) -> HealthRow | None:
    """Begin to work on a lane; None when another gateway is at it. `alarm` is the moment that the job was put there for."""
    if not await connection.fetchval("SELECT gateway_open_lane($1, $2, $3, $4)", *holding, alarm):
        return None
    row = await connection.fetchrow(
        "SELECT failures, failing_since, warned, paused_until FROM lanes WHERE tenant = $1 AND endpoint = $2",
        holding.tenant,
        holding.endpoint,
    )
    return HealthRow(*row) if row else None


async def health(connection: asyncpg.Connection, tenant: UUID) -> dict[UUID, HealthRow]:
    """How the deliveries of each of a tenant's endpoints went lately."""
    rows = await connection.fetch(
        "SELECT endpoint, failures, failing_since, warned, paused_until FROM lanes WHERE tenant = $1", tenant
    )
    return {row[0]: HealthRow(*row[1:]) for row in rows}


async def lock(connection: asyncpg.Connection, holding: Holding) -> None:
    """Begin to stop: from here to the commit nobody publishes for the tenant, so read the clock after this."""
    await connection.execute("SELECT gateway_lock_lane($1, $2)", holding.tenant, holding.endpoint)


async def close(
    connection: asyncpg.Connection, holding: Holding, health: HealthRow, *, now: datetime, until: datetime | None = None
) -> bool:
    """Stop, with a job for when there is something to do again; false when something is due now. After `lock`.

    With `until` nothing is due before that moment: the lane is paused, or handed on where the moment is now.
    """
    row = await connection.fetchrow("SELECT * FROM gateway_close_lane($1, $2, $3, $4, $5)", *holding, now, until)
    if not row["closed"]:
        return False
    await note(connection, holding, health)
    alarm = row["alarm_at"]
    if alarm is not None:
        await enqueue(connection, [lane_job(holding.tenant, holding.endpoint, alarm=alarm, now=now)])
    return True


async def note(connection: asyncpg.Connection, holding: Holding, health: HealthRow) -> None:
    """Write down how the deliveries go."""
    await connection.execute(
        "UPDATE lanes SET failures = $3, failing_since = $4, warned = $5, paused_until = $6 "
        "WHERE tenant = $1 AND endpoint = $2 AND (failures, failing_since, warned, paused_until) "
        "IS DISTINCT FROM ($3, $4::timestamptz, $5::smallint, $6::timestamptz)",
        holding.tenant,
        holding.endpoint,
        *health,
    )


async def wake(connection: asyncpg.Connection, tenant: UUID, endpoints: Sequence[UUID]) -> None:
    """Make sure that somebody will look at these lanes; within the transaction that gives them something to do."""
    woken = await connection.fetchval("SELECT gateway_wake($1, $2)", tenant, endpoints)
    await enqueue(connection, [lane_job(tenant, endpoint) for endpoint in woken])


async def stranded(connection: asyncpg.Connection, now: datetime, at_most: int) -> list[Stranded]:
    """Lanes of any tenant that have work and nobody who will look at it."""
    return [
        Stranded(*row) for row in await connection.fetch("SELECT * FROM gateway_stranded_lanes($1, $2)", now, at_most)
    ]
