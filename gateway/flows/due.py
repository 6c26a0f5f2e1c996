"""Carry a call that waited, when it is due: decided anew on what holds then. What keeps it from going twice is its guard."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from gateway.calls import Actor, Answer, Call
from gateway.errors import IdempotencyReused, InProgress, InvalidRequest, NotFound, OutcomeUnrecorded, Refused
from gateway.flows.broker import broker
from gateway.flows.rooms import Rooms
from gateway.flows.waiting import WaitsNoMore, opened, told
from gateway.store import disclosures, jobs
from gateway.store import waiting as rows
from gateway.store.jobs import WaitingJob
from gateway.store.waiting import End, State

STRANDED: Final = timedelta(minutes=5)
_MOST_STRANDED: Final = 1_000


async def carry(job: WaitingJob, rooms: Rooms) -> None:
    """The job of one call. Made again, it sends nothing twice. Raises what keeps it from being decided or recorded now."""
    actor = Actor("system", "waiting", job.tenant, ())
    clinic = await rooms.connections.clinic(job.tenant)
    async with rooms.store.tenant(job.tenant) as connection:
        row = await rows.sealed(connection, job.tenant, job.call)
    if row is None or row.state != State.WAITING or row.due_at != job.due_at:
        return  # ended, or another job is in the queue for when it is due now
    call = opened(row, actor, clinic)
    ending = await _begun(call, rooms) or await _carried(call, rooms)
    if ending is not None:
        async with rooms.store.tenant(job.tenant) as connection:
            await rows.end(connection, job.tenant, job.call, ending, now=rooms.clock())


async def wake_stranded(rooms: Rooms) -> int:
    """Enqueue a job for each call that was due a while ago and waits still; says how many. For housekeeping."""
    async with rooms.store.nobody() as connection:
        found = await rows.stranded(connection, rooms.clock() - STRANDED, _MOST_STRANDED)
        await jobs.enqueue(connection, [jobs.waiting_job(*due, now=rooms.clock()) for due in found])
    return len(found)


async def _carried(call: Call, rooms: Rooms) -> End | None:
    """How the wait ended; nothing where it goes on."""
    try:
        answer = await broker(call, rooms)
    except Refused as refused:
        return End(State.REFUSED, reasons=told(refused.reasons))
    except (InvalidRequest, NotFound, IdempotencyReused) as failure:
        return End(State.FAILED, code=failure.code)
    except (OutcomeUnrecorded, InProgress):  # it was sent; its outcome finds its way by itself
        return await _begun(call, rooms)
    except WaitsNoMore:
        return None
    return End(State.CARRIED, disclosure=answer.id) if isinstance(answer, Answer) else None


async def _begun(call: Call, rooms: Rooms) -> End | None:
    """The end of a call whose intent is written already: by a job that was cut off, or by a repeat of its key."""
    assert call.waited is not None
    key, fingerprint = call.waited.guard
    async with rooms.store.tenant(call.tenant) as connection:
        made = await disclosures.made_by(connection, call.tenant, key)
    if made is None:
        return None
    if made.fingerprint != fingerprint:
        return End(State.FAILED, code=IdempotencyReused.code)
    return End(State.CARRIED, disclosure=made.id)
