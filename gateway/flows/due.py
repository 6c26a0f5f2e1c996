"""Carry a call that waited, when it is due, decided anew on what holds then; or call it back. Its key lets it go once."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Final
from uuid import UUID

from gateway.calls import Actor, Answer, Call
from gateway.errors import Conflict, IdempotencyReused, InvalidRequest, NotFound, OutcomeUnrecorded, Refused
from gateway.flows.family import begun_under, carry, keys_of, under_way
from gateway.flows.rooms import Rooms
from gateway.flows.waiting import WaitsNoMore, opened, told
from gateway.ledger.log import note_of
from gateway.ledger.writer import append_within
from gateway.store import jobs, ledger
from gateway.store import waiting as rows
from gateway.store.jobs import WaitingJob
from gateway.store.waiting import End, State

STRANDED: Final = timedelta(minutes=5)
_MOST_STRANDED: Final = 1_000


async def carry_due(job: WaitingJob, rooms: Rooms) -> None:
    """The job of one call. Made again, it sends nothing twice. Raises what keeps it from being decided or recorded now."""
    clinic = await rooms.connections.clinic(job.tenant)
    async with rooms.store.tenant(job.tenant) as connection:
        row = await rows.sealed(connection, job.tenant, job.call)
    if row is None or row.state != State.WAITING or row.due_at != job.due_at:
        return  # ended, or another job is in the queue for when it is due now
    call = opened(row, clinic)
    ending = await _carried(call, rooms)
    if ending is not None:
        async with rooms.store.tenant(job.tenant) as connection:
            await rows.end(connection, job.tenant, job.call, ending, now=rooms.clock())


async def cancel(actor: Actor, call_id: UUID, rooms: Rooms) -> None:
    """Call a call back; from then on nothing of it is sent. Twice changes nothing. Raises NotFound and Conflict."""
    tenant, clinic = actor.tenant, await rooms.connections.clinic(actor.tenant)
    async with rooms.store.tenant(tenant) as connection:
        row = await rows.sealed(connection, tenant, call_id)
    if row is None:
        raise NotFound("there is no such call")
    keys: list[bytes] = []
    if row.sealed is not None:
        with suppress(NotFound):  # nobody knows its connector any more, and so nothing of it can be under way
            keys = await keys_of(opened(row, clinic), rooms)
    async with rooms.store.tenant(tenant) as connection:
        # The head is locked: an intent is written already and seen here, or was decided before and is refused.
        await ledger.lock_and_change_standing(connection, tenant)
        begun = await begun_under(keys, connection, tenant) is not None
        ended = not begun and await rows.end(connection, tenant, call_id, End(State.CANCELLED), now=rooms.clock())
        if ended:
            asked = {"call": str(call_id)}
            await append_within(connection, note_of(actor, "called_back", query=asked, count=1, at=rooms.clock()))
        now = await rows.find(connection, tenant, call_id)
        if not ended and (now is None or now.state != State.CANCELLED):
            raise Conflict("this call waits no more", fix="GET /v1/waiting/{id} says what became of it.")
    rooms.connections.forget(tenant)


async def wake_stranded(rooms: Rooms) -> int:
    """Enqueue a job for each call that was due a while ago and waits still; says how many. For housekeeping."""
    async with rooms.store.nobody() as connection:
        found = await rows.stranded(connection, rooms.clock() - STRANDED, _MOST_STRANDED)
        await jobs.enqueue(connection, [jobs.waiting_job(*due, now=rooms.clock()) for due in found])
    return len(found)


async def _carried(call: Call, rooms: Rooms) -> End | None:
    """How the wait ended; nothing where it goes on."""
    try:
        begun = await _begun(call, rooms)
        if begun is not None:
            return begun
        answer = await carry(call, rooms)
    except Refused as refused:
        return End(State.REFUSED, reasons=told(refused.reasons))
    except (InvalidRequest, NotFound, IdempotencyReused) as failure:
        return End(State.FAILED, code=failure.code)
    except OutcomeUnrecorded:  # it was sent; its outcome finds its way by itself
        return await _begun(call, rooms)
    except WaitsNoMore:
        return None
    return End(State.CARRIED, disclosure=answer.id) if isinstance(answer, Answer) else None


async def _begun(call: Call, rooms: Rooms) -> End | None:
    """The end of a call that is under way or was made: by a job that was cut off, or by a repeat of its key."""
    made = await under_way(call, rooms)
    if made is None:
        return None
    assert call.waited is not None
    if made.fingerprint != call.waited.fingerprint:
        return End(State.FAILED, code=IdempotencyReused.code)
    return End(State.CARRIED, disclosure=made.id)
