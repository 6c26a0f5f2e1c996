"""Keep the house: wake what nobody looks at, destroy what was kept long enough. Nothing here waits for a clinic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from gateway.errors import Unavailable
from gateway.flows import inbound
from gateway.flows.expiring import tell_of_expiring
from gateway.flows.rooms import Rooms
from gateway.log import Log
from gateway.store import (
    attempts,
    callbacks,
    desks,
    events,
    jobs,
    lanes,
    letters,
    links,
    notices,
    reaches,
    replies,
    transfers,
    waiting,
)

log = Log("gateway.housekeeping")

ROWS_KEPT: Final = timedelta(days=90)  # what was delivered where and when, after what it said is gone
NOTICES_KEPT: Final = timedelta(days=400)
REPLIES_KEPT: Final = timedelta(hours=24)
REACHES_KEPT: Final = timedelta(days=400)  # longer than any cap looks back
PLACES_KEPT: Final = desks.KEPT
LETTERS_KEPT: Final = timedelta(days=30)  # longer than any network repeats one
ATTEMPTS_KEPT: Final = timedelta(days=30)
_QUEUE_LOG_KEPT: Final = timedelta(days=1)
_MOST_STRANDED: Final = 1_000
_AT_ONCE: Final = 1_000


async def wake_stranded(rooms: Rooms) -> int:
    """Enqueue a job for each lane that has work and nobody to see to it; says how many."""
    async with rooms.store.nobody() as connection:
        found = await lanes.stranded(connection, rooms.clock(), _MOST_STRANDED)
        await jobs.enqueue(connection, [jobs.lane_job(lane.tenant, lane.endpoint) for lane in found])
    if found:
        log.warning("stranded_lanes_woken", lanes=len(found))
    return len(found)


async def wake_callbacks(rooms: Rooms) -> None:
    """The same for the messages of vendors that were taken and not published."""
    async with rooms.store.nobody() as connection:
        tenants = await events.all_tenants(connection)
    for tenant in tenants:
        await inbound.enqueue_stranded(tenant, rooms)


async def keep(rooms: Rooms) -> None:
    """Destroy what each clinic has kept long enough, and the queue's own traces."""
    await rooms.people.sessions.forget()
    async with rooms.store.nobody() as connection:
        await jobs.purge(connection, rooms.clock() - _QUEUE_LOG_KEPT)
        tenants = await events.all_tenants(connection)
    for tenant in tenants:
        try:
            await keep_one(tenant, rooms)
        except Unavailable:
            raise
        except Exception as failure:  # the other clinics' time is over all the same
            log.error("clinic_not_kept", failure=failure, tenant=tenant)


async def keep_one(tenant: UUID, rooms: Rooms) -> None:
    """Destroy what one clinic has kept long enough, and tell it which of its agreements end soon."""
    now = rooms.clock()
    async with rooms.store.tenant(tenant) as connection:
        days = await events.keep_days(connection, tenant)
        await notices.drop(connection, tenant, now - NOTICES_KEPT)
        await callbacks.purge(connection, tenant, now - inbound.KEPT)
        await letters.purge(connection, tenant, now - LETTERS_KEPT)
        await links.purge(connection, tenant, now - LETTERS_KEPT)
        await desks.purge(connection, tenant, now - PLACES_KEPT)
        await replies.drop(connection, tenant, now - REPLIES_KEPT)
        await waiting.drop(connection, tenant, now - ROWS_KEPT)
        await transfers.drop(connection, tenant, now - ROWS_KEPT)
        await reaches.drop(connection, tenant, now - REACHES_KEPT)
        await attempts.drop_attempts(connection, tenant, now - ATTEMPTS_KEPT)
    await _all_of(tenant, rooms, events.forget, now - timedelta(days=days))
    await _all_of(tenant, rooms, events.drop, now - timedelta(days=days) - ROWS_KEPT)
    await rooms.callback_keys.destroy_old(tenant)
    await tell_of_expiring(tenant, rooms)


async def _all_of(
    tenant: UUID, rooms: Rooms, destroy: Callable[[asyncpg.Connection, UUID, datetime, int], Awaitable[int]], before: datetime
) -> None:  # fmt: skip
    """A few at a time, so that nobody waits long for a row."""
    while True:
        async with rooms.store.tenant(tenant) as connection:
            if await destroy(connection, tenant, before, _AT_ONCE) < _AT_ONCE:
                return
