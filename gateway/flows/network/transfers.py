"""Release records to whoever asks for them with a patient's consent: one request, from its letter to its report.

The letter is weighed as a whole and taken with its job in one transaction. The job, which may be cut off anywhere and run
again, on any gateway: tells the network whether records will come; writes down which; sends each (pushing.py); and tells the
network how each visit's records fared, until it takes that. What is not sent within twenty minutes is not sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from connectors.told import RecordsWanted, Setback
from gateway.flows.network.heard import Heard
from gateway.flows.network.insisting import once, purpose_for
from gateway.flows.network.pushing import push, refuse
from gateway.flows.network.releasing import Errand, weighed
from gateway.flows.network.reporting import held_of, report
from gateway.flows.network.telling import Word
from gateway.flows.place import place
from gateway.flows.rooms import Rooms
from gateway.flows.settle import StillUnderWay
from gateway.ids import new_id
from gateway.log import Log
from gateway.network.artefacts import opened
from gateway.network.asked import opened as asked
from gateway.network.asked import sealed
from gateway.records import Document
from gateway.store import artefacts, jobs, letters
from gateway.store import transfers as rows
from gateway.store.jobs import TransferJob
from gateway.store.transfers import EntryRow, EntryState, State, TransferRow
from scopes import artefact as rules
from scopes.decision import Denied, Refusal
from scopes.vocabulary import Reason

log = Log("gateway.transfers")

DEADLINE: Final = timedelta(minutes=20)
OVERTAKEN: Final = timedelta(minutes=1)
STRANDED: Final = timedelta(minutes=1)
AT_ONCE: Final = 4
_MOST_STRANDED: Final = 1_000
_PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (2, 5, 10, 30, 60))
_LOOK_AGAIN: Final = timedelta(seconds=2)
# What a refusal is called to the network; its connector says it in the network's form.
_WORDS: Final = {
    Reason.CONSENT_MISSING: Setback.CONSENT_UNKNOWN,
    Reason.CONSENT_WITHDRAWN: Setback.CONSENT_NOT_GRANTED,
    Reason.CONSENT_EXPIRED: Setback.CONSENT_EXPIRED,
    Reason.PURPOSE_NOT_ALLOWED: Setback.CONSENT_NOT_GRANTED,
    Reason.RECIPIENT_UNNAMED: Setback.CONSENT_NOT_GRANTED,
    Reason.RANGE_NOT_COVERED: Setback.DATES_REFUSED,
    Reason.FREQUENCY_CAP: Setback.ASKED_TOO_OFTEN,
    Reason.KEY_UNUSABLE: Setback.KEY_REFUSED,
    Reason.ADDRESS_NOT_ALLOWED: Setback.ADDRESS_REFUSED,
}


async def wanted(heard: Heard, told: RecordsWanted, rooms: Rooms) -> None:
    """Take a request, let through or refused, with its job in one transaction. The same exchange is taken once.

    A patient's app asks in the moment in which the consent is given: the letter with the consent may be on another job.
    Raises StillUnderWay then, and the request comes again.
    """
    tenant, now = heard.tenant, rooms.clock()
    clinic = await rooms.connections.clinic(tenant)
    url, wrong = place(told.push_url, rooms)
    async with rooms.store.tenant(tenant) as connection:
        found = await artefacts.under(connection, tenant, heard.connector, told.consent, lock=True)
        fresh = now - heard.at < OVERTAKEN
        if found is None and fresh and await letters.open_before(connection, tenant, heard.connection, heard.at):
            raise StillUnderWay
        held = None if found is None else opened(clinic, found)
        before = [] if held is None else await rows.let_through(connection, tenant, held.id)
        settings = clinic.connection(heard.connector).settings
        purpose = held.purpose if held is not None else None
        artefact, request = weighed(held, told, settings, purpose)
        assert request is not None
        whole = rules.admits(artefact, request, before, now=now)
        reasons = [*(whole.reasons if isinstance(whole, Denied) else ()), *_unusable(told, wrong)]
        transfer = new_id()
        row = TransferRow(
            id=transfer, connector=heard.connector, connection=heard.connection, transaction=told.transaction,
            request=heard.request_id, consent=told.consent, artefact=held.id if held is not None else None,
            state=str(State.ASKED), reasons=[_kept(each) for each in reasons], host=url.host or None,
            sealed=sealed(clinic, transfer, told), asked_at=heard.at, deadline_at=heard.at + DEADLINE, due_at=now,
            contexts=[each.reference for each in held.terms.contexts] if held is not None and held.terms is not None else [],
        )  # fmt: skip
        if await rows.add(connection, tenant, row, now=now):
            await jobs.enqueue(connection, [jobs.transfer_job(tenant, transfer, now, now=now)])


async def carry(job: TransferJob, rooms: Rooms) -> None:
    """The job of one request: as far as it goes now. Made again, it repeats nothing. Raises what keeps it from going on."""
    row = await _row(job.tenant, job.transfer, rooms)
    if row is None or not State(row.state).open or row.due_at != job.due_at:
        return  # ended, or another job is in the queue for when it is due now
    for state, step in ((State.ASKED, _answer), (State.SENDING, _send), (State.REPORTING, _report)):
        if row is not None and row.state == state:
            row = await step(job.tenant, row, rooms)


async def wake_stranded(rooms: Rooms) -> int:
    """Enqueue a job for each request that was due a while ago and is still open; says how many. For housekeeping."""
    async with rooms.store.nobody() as connection:
        found = await rows.stranded(connection, rooms.clock() - STRANDED, _MOST_STRANDED)
        await jobs.enqueue(connection, [jobs.transfer_job(*due, now=rooms.clock()) for due in found])
    return len(found)


async def _answer(tenant: UUID, row: TransferRow, rooms: Rooms) -> TransferRow | None:
    """Tell the network that records will come, or why not; nothing is sent that it does not know of."""
    held = await held_of(tenant, row, rooms)
    if row.reasons and row.answers == 0:
        await refuse(await _errand(tenant, row, (), rooms), Denied(tuple(map(_refusal, row.reasons))), rooms)
    payload: dict[str, Any] = {"answers": row.request, "transaction": row.transaction}
    if row.reasons:
        payload["problem"] = str(_WORDS.get(Reason(row.reasons[0]["code"]), Setback.NOT_AVAILABLE))
    word = Word(
        "answer_records", payload, purpose_for(row.connector, "answer_records", held.purpose if held else None, rooms)
    )
    heeded = await once(tenant, row.connector, word, rooms, key=f"transfer {row.id} answer {row.answers}")
    if heeded.taken or (row.in_doubt and not heeded.in_doubt):
        # After an answer in doubt the network says no to another one: it has the first.
        return await _answered(tenant, row, State.REPORTING if row.reasons else State.SENDING, rooms)
    if rooms.clock() >= row.deadline_at:
        return await _answered(tenant, row, State.REPORTING, rooms)
    tried = row._replace(answers=row.answers + 1, in_doubt=row.in_doubt or heeded.in_doubt)
    await _later(tenant, tried, min(rooms.clock() + _pause(tried.answers), row.deadline_at), rooms)
    return None


async def _send(tenant: UUID, row: TransferRow, rooms: Rooms) -> TransferRow | None:
    """Send what is due, a few documents at a time."""
    documents = await _documents(tenant, row, rooms)
    if row.pages is None:
        planned = list(_entries(documents, rooms.clock()))
        async with rooms.store.tenant(tenant) as connection:
            await rows.plan(connection, tenant, row.id, planned)
        row = await _row(tenant, row.id, rooms) or row
    errand = await _errand(tenant, row, documents, rooms)
    async with rooms.store.tenant(tenant) as connection:
        entries = await rows.entries(connection, tenant, row.id)
    now = rooms.clock()
    due = iter(
        [each for each in entries if each.state == EntryState.WAITING and (each.next_at <= now or _is_late(row, now))]
    )
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(_work(errand, due, rooms))
    async with rooms.store.tenant(tenant) as connection:
        waiting = [each for each in await rows.entries(connection, tenant, row.id) if each.state == EntryState.WAITING]
        if not waiting:
            await rows.sent(connection, tenant, row.id, now=rooms.clock())
    if waiting:
        soon = rooms.clock() + _LOOK_AGAIN  # for one that is under way in another gateway
        until = min(max(min(each.next_at for each in waiting), soon), max(row.deadline_at, soon))
        await _later(tenant, row, until, rooms)
        return None
    return await _row(tenant, row.id, rooms)


async def _work(errand: Errand, due: Iterator[EntryRow], rooms: Rooms) -> None:
    """One document after the other, until none is left."""
    for entry in due:
        try:
            stands = await push(errand, entry, rooms)
        except StillUnderWay:
            continue
        async with rooms.store.tenant(errand.tenant) as connection:
            await rows.settle(connection, errand.tenant, errand.row.id, stands, now=rooms.clock())


async def _report(tenant: UUID, row: TransferRow, rooms: Rooms) -> TransferRow | None:
    """Tell the network how it went, until it takes that or a day is over."""
    ended = await report(tenant, row, rooms)
    if ended is None:
        tried = row._replace(reports=row.reports + 1)
        await _later(tenant, tried, rooms.clock() + _pause(tried.reports), rooms)
        return None
    async with rooms.store.tenant(tenant) as connection:
        await rows.end(connection, tenant, row.id, ended, now=rooms.clock())
    return None


async def _answered(tenant: UUID, row: TransferRow, state: State, rooms: Rooms) -> TransferRow | None:
    async with rooms.store.tenant(tenant) as connection:
        await rows.answered(connection, tenant, row.id, state, now=rooms.clock())
    return await _row(tenant, row.id, rooms)


async def _later(tenant: UUID, row: TransferRow, until: datetime, rooms: Rooms) -> None:
    """Go on at a later moment, with a job for then in the same transaction."""
    now = rooms.clock()
    async with rooms.store.tenant(tenant) as connection:
        if await rows.put_off(connection, tenant, row, until=until, now=now):
            await jobs.enqueue(connection, [jobs.transfer_job(tenant, row.id, until, now=now)])


async def _row(tenant: UUID, transfer: UUID, rooms: Rooms) -> TransferRow | None:
    async with rooms.store.tenant(tenant) as connection:
        return await rows.find(connection, tenant, transfer)


async def _errand(tenant: UUID, row: TransferRow, documents: Sequence[Document], rooms: Rooms) -> Errand:
    clinic = await rooms.connections.clinic(tenant)
    before: list[datetime] = []
    if row.artefact is not None:
        async with rooms.store.tenant(tenant) as connection:
            before = await rows.let_through(connection, tenant, row.artefact, before=row.id)
    return Errand(tenant, row, asked(clinic, row), before, {each.id: each for each in documents})


async def _documents(tenant: UUID, row: TransferRow, rooms: Rooms) -> list[Document]:
    """What lies here of what is asked for; nothing where the consent ended meanwhile."""
    clinic = await rooms.connections.clinic(tenant)
    told = asked(clinic, row)
    held = await held_of(tenant, row, rooms)
    if told is None or held is None or held.terms is None:
        return []
    return await rooms.records.documents(tenant, held.terms.contexts, held.terms.kinds, told.since, told.until)


def _entries(documents: Sequence[Document], now: datetime) -> Iterator[EntryRow]:
    """A page for each document."""
    for number, each in enumerate(documents):
        yield EntryRow(number, each.id, each.context_reference, str(each.kind), str(EntryState.WAITING), 0, 0, now)


def _unusable(told: RecordsWanted, wrong: str | None) -> Iterator[Refusal]:
    """What is wrong with where and how the records are to be sent."""
    if told.fault is not None:
        yield Refusal(Reason.KEY_UNUSABLE, told.fault, "Send a key and a nonce that records can be sealed for.")
    if wrong is not None:
        yield Refusal(Reason.ADDRESS_NOT_ALLOWED, wrong, "Name an https address on the public internet.")


def _kept(refusal: Refusal) -> dict[str, str]:
    return {"code": str(refusal.code), "what": refusal.what, "fix": refusal.fix}


def _refusal(kept: Any) -> Refusal:
    return Refusal(Reason(kept["code"]), kept["what"], kept["fix"])


def _is_late(row: TransferRow, now: datetime) -> bool:
    return now >= row.deadline_at


def _pause(failures: int) -> timedelta:
    """How long to wait after so many failures in a row."""
    return _PAUSES[min(failures, len(_PAUSES)) - 1]
