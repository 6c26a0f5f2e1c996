"""What the network answers later with a letter of its own: planned, told under an id of ours, looked after until it is heard.

A row is there before anything is told, with its job in the same transaction; told twice, the broker sends it once. Where the
network says nothing in time (it accepts what it then forgets), whoever planned it decides what comes next.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid4

import asyncpg

from connectors.told import Problem
from gateway.calls import Answer
from gateway.errors import InvalidRequest, Refused
from gateway.flows.network.heard import Heard
from gateway.flows.network.telling import Word, tell
from gateway.flows.rooms import Rooms
from gateway.store import jobs
from gateway.store import links as rows
from gateway.store.links import RequestRow
from scopes.vocabulary import Outcome

STRANDED: Final = timedelta(minutes=1)
UNHEARD: Final = "not_answered"
REFUSED_HERE: Final = "refused_here"
_MOST_STRANDED: Final = 1_000


class Step(StrEnum):
    """What is told; the names of the network's actions, and the clinic's own wish to link."""

    LINK = "link"
    PERMISSION = "request_link_token"
    CONTEXTS = "link_contexts"
    NOTICE = "notify_context"
    INVITATION = "invite_patient"


@dataclass(frozen=True, slots=True)
class Plan:
    """Something to be told, now or later."""

    connector: str
    step: Step
    subject: UUID
    contexts: tuple[UUID, ...] = ()
    attempt: int = 1
    after: timedelta = timedelta()


async def plan(session: asyncpg.Connection, tenant: UUID, new: Plan, *, now: datetime) -> UUID:
    """Plan it in the caller's transaction, with its job; its id is the network's REQUEST-ID."""
    request_id = uuid4()
    due_at = now + new.after
    row = RequestRow(
        request_id, new.connector, str(new.step), new.subject, list(new.contexts), new.attempt, now, due_at
    )
    await rows.ask(session, tenant, row)
    await jobs.enqueue(session, [_job(tenant, request_id, new.after)])
    return request_id


async def told(tenant: UUID, row: RequestRow, word: Word, rooms: Rooms, *, patience: timedelta) -> str | None:
    """Tell it; the code of what went wrong at once, None where the network took it and will answer."""
    try:
        answer = await tell(tenant, row.connector, word, rooms, key=str(row.id))
    except Refused:
        return await _ended(tenant, row, REFUSED_HERE, rooms)
    except InvalidRequest as invalid:
        return await _ended(tenant, row, invalid.code, rooms)
    if answer.outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN):  # an answer may come all the same
        now = rooms.clock()
        async with rooms.store.tenant(tenant) as session:
            await rows.told(session, tenant, row.id, at=now, due_at=now + patience)
            await jobs.enqueue(session, [_job(tenant, row.id, patience)])
        return None
    return await _ended(tenant, row, _code(answer), rooms)


async def heard_of(
    session: asyncpg.Connection, heard: Heard, to_request: str, step: Step, problem: Problem | None, now: datetime
) -> RequestRow | None:
    """What a letter answers, noted as answered; None where nothing is open under that id, or it was another thing."""
    request_id = _id(to_request)
    row = None if request_id is None else await rows.request(session, heard.tenant, request_id)
    if row is None or row.answered_at is not None or (row.connector, row.action) != (heard.connector, str(step)):
        return None
    await rows.answer(session, heard.tenant, row.id, at=now, code=None if problem is None else problem.word)
    return row


async def waits(tenant: UUID, request_id: UUID, rooms: Rooms) -> RequestRow | None:
    """The row of a job, where it is due; None where it was seen to, or is for later."""
    async with rooms.store.tenant(tenant) as session:
        row = await rows.request(session, tenant, request_id)
    if row is None or row.due_at is None or row.due_at > rooms.clock():
        return None
    return row


async def unheard(tenant: UUID, row: RequestRow, rooms: Rooms) -> None:
    """Note that the network said nothing in time."""
    await _ended(tenant, row, UNHEARD, rooms)


async def done(tenant: UUID, row: RequestRow, rooms: Rooms) -> None:
    """Note that a wish was seen to."""
    async with rooms.store.tenant(tenant) as session:
        await rows.answer(session, tenant, row.id, at=rooms.clock(), code=None)


async def wake_due(rooms: Rooms) -> int:
    """Enqueue a job for each that is due and whose job was lost; says how many. For housekeeping."""
    async with rooms.store.nobody() as session:
        found = await rows.due(session, rooms.clock() - STRANDED, _MOST_STRANDED)
        await jobs.enqueue(session, [_job(tenant, request_id, timedelta()) for tenant, request_id in found])
    return len(found)


def named(payload: bytes) -> tuple[UUID, UUID]:
    """(clinic, request) of a job."""
    tenant, request_id = payload.decode("ascii").split()
    return UUID(tenant), UUID(request_id)


async def _ended(tenant: UUID, row: RequestRow, code: str, rooms: Rooms) -> str:
    async with rooms.store.tenant(tenant) as session:
        await rows.answer(session, tenant, row.id, at=rooms.clock(), code=code)
    return code


def _code(answer: Answer) -> str:
    return answer.code or str(answer.outcome)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _job(tenant: UUID, request_id: UUID, after: timedelta) -> jobs.Job:
    return jobs.Job(jobs.NETWORK, f"{tenant} {request_id}".encode(), after)
