"""Keep up what a vendor watches for a clinic: begin it, renew it before it ends, read now and then, tell what changed.

Each step is a call like any other: decided anew, an intent in the ledger before anything leaves. What a step came to is
stored before the next begins, so a gateway that dies in between is followed by another that does the step once more:
- begun and not stored: the call that begins it has a key of its own, and a repeat gets the first answer;
- renewed, read or stopped and not stored: done again, which does no harm;
- told of a change and not stored: neither, they are one transaction.
While nothing watches, it is read instead, every quarter of an hour.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from connectors.manifest import WatchRule
from gateway.calls import Actor, Answer, Call
from gateway.connections import Clinic, Connection
from gateway.errors import Conflict, GatewayError, InvalidRequest, NotFound, Refused
from gateway.flows.broker import action_of, broker, minimized
from gateway.flows.publish import NewEvent, prepared, put
from gateway.flows.rooms import Rooms
from gateway.ids import new_id
from gateway.ledger.log import note_of
from gateway.ledger.writer import append_beside
from gateway.log import Log
from gateway.store import jobs
from gateway.store import watches as rows
from gateway.store.watches import Nudge, State, WatchRow
from gateway.watches import (
    Step,
    Watch,
    about,
    begun,
    due_at,
    from_answer,
    next_step,
    opened,
    paused,
    reads_at,
    vendor_id,
)
from gateway.webhooks.kinds import GATEWAY, WATCH_LOST, WATCH_RESUMED, prefix_of
from scopes.fault import Fault
from scopes.vocabulary import Outcome, Purpose

log = Log("gateway.watching")

_LEASE: Final = timedelta(minutes=15)  # longer than a step takes
_STEPS: Final = 6  # at one go: stop, begin, read, and what was said meanwhile
_MOST_PAGES: Final = 200
_AT_ONCE: Final = 200
_SIDE_BY_SIDE: Final = 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a clinic wants watched: one of a connector's watches, what for, and the fields that say what."""

    connector: str
    name: str
    purpose: Purpose
    payload: Mapping[str, Any]


async def want(actor: Actor, wanted: Wanted, rooms: Rooms) -> Watch:
    """Have something watched from now on; the same thing a second time changes nothing. Raises InvalidRequest, Conflict."""
    connector, rule = _rule(wanted, rooms)
    connection = await _live(actor.tenant, connector, rooms)
    values = _checked(actor, wanted, rule, connection, rooms)
    clinic, now, watch_id = connection.clinic, rooms.clock(), new_id()
    row = WatchRow(
        id=watch_id, connection=connection.id, connector=connector, name=wanted.name, about=about(clinic, values),
        state=str(State.WANTED), purpose=str(wanted.purpose), sealed=b"", vendor_id=None, expires_at=None, read_at=None,
        sync_at=now, retry_at=None, due_at=now, generation=0, nudge=None, nudged_at=None, failures=0, code=None,
        lost_at=None, created_at=now,
    )  # fmt: skip
    row = Watch(clinic, row, actor, values).kept()
    watch = opened(clinic, row)
    async with rooms.store.tenant(actor.tenant) as session:
        if await rows.add(session, actor.tenant, row):
            await jobs.enqueue(session, [jobs.watch_job(actor.tenant, watch_id)])
            said = {"watch": str(watch_id), "of": f"{connector}/{wanted.name}", "purpose": row.purpose}
            await append_beside(session, note_of(actor, "watch_begun", query=said, count=1, at=now))
            return watch
        known = await rows.same(session, actor.tenant, connection.id, wanted.name, row.about)
    if known is None or known.state == State.ENDING:
        raise Conflict("this is just being stopped", fix="Ask for it again in a moment.")
    return opened(clinic, known)


async def leave_off(actor: Actor, watch: UUID, rooms: Rooms) -> None:
    """Have something watched no more. Raises NotFound; a second time changes nothing."""
    now = rooms.clock()
    async with rooms.store.tenant(actor.tenant) as session:
        ended = await rows.end(session, actor.tenant, watch, now=now)
        if not ended and await rows.find(session, actor.tenant, watch) is None:
            raise NotFound("there is no such watch")
        await jobs.enqueue(session, [jobs.watch_job(actor.tenant, watch)])
        if ended:
            said = {"watch": str(watch)}
            await append_beside(session, note_of(actor, "watch_stopped", query=said, count=1, at=now))


async def listed(tenant: UUID, rooms: Rooms, *, after: UUID | None = None, limit: int = 200) -> list[Watch]:
    """A clinic's watches, oldest first."""
    clinic = await rooms.connections.clinic(tenant)
    async with rooms.store.tenant(tenant) as session:
        return [opened(clinic, row) for row in await rows.page(session, tenant, after=after, limit=limit)]


async def one(tenant: UUID, watch: UUID, rooms: Rooms) -> Watch:
    """One watch. Raises NotFound."""
    clinic = await rooms.connections.clinic(tenant)
    async with rooms.store.tenant(tenant) as session:
        row = await rows.find(session, tenant, watch)
    if row is None:
        raise NotFound("there is no such watch")
    return opened(clinic, row)


async def heard(connection: Connection, event: str, named: str, rooms: Rooms) -> None:
    """Take what a vendor says of a watch itself: it is seen to at once. Of anything else nothing."""
    connector, tenant = rooms.registry.connectors[connection.connector], connection.clinic.tenant
    for rule in connector.manifest.watches.values():
        kind = _kind_of(rule, event)
        if kind is None:
            continue
        by = vendor_id(connection.clinic, connector.id, named)
        async with rooms.store.tenant(tenant) as session:
            found = await rows.nudge(session, tenant, connection.id, by, kind=kind, now=rooms.clock())
            await jobs.enqueue(session, [jobs.watch_job(tenant, watch) for watch in found])


async def see_to_due(rooms: Rooms) -> int:
    """See to every watch that is due, for every clinic; says how many there were."""
    async with rooms.store.nobody() as session:
        found = await rows.due(session, rooms.clock(), _AT_ONCE)
    few = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def seen(due: rows.DueRow) -> None:
        async with few:
            try:
                await see_to(due.tenant, due.id, rooms)
            except Exception as failure:  # the other clinics' watches end all the same
                log.error("watch_not_seen_to", failure=failure, watch=due.id)

    await asyncio.gather(*map(seen, found))
    return len(found)


async def see_to(tenant: UUID, watch_id: UUID, rooms: Rooms) -> None:
    """Do what is to be done for one watch, unless another gateway does it now."""
    now = rooms.clock()
    async with rooms.store.tenant(tenant) as session:
        row = await rows.take(session, tenant, watch_id, now=now, until=now + _LEASE)
    if row is None:
        return
    for _ in range(_STEPS):
        if not await _step(tenant, row, rooms):
            break
        async with rooms.store.tenant(tenant) as session:
            row = await rows.find(session, tenant, watch_id)
        if row is None:
            return
    async with rooms.store.tenant(tenant) as session:
        await rows.let_go(session, tenant, watch_id)


async def _step(tenant: UUID, row: WatchRow, rooms: Rooms) -> bool:
    """Do the next step; False where there is none."""
    clinic = await rooms.connections.present(tenant)
    connector = rooms.registry.connectors.get(row.connector)
    rule = connector.manifest.watches.get(row.name) if connector is not None else None
    if rule is None or clinic.connection(row.connector).id != row.connection:
        async with rooms.store.tenant(tenant) as session:  # revoked, or of a connector that is no more
            await rows.remove(session, tenant, row.id)
        return True
    watch = opened(clinic, row)
    step = next_step(watch, rule, rooms.clock())
    if step is Step.WAIT:
        await _keep(watch, watch.kept(due_at=due_at(watch, rule, rooms.clock())), rooms)
        return False
    await _DO[step](watch, rule, rooms)
    return True


async def _start(watch: Watch, rule: WatchRule, rooms: Rooms) -> None:
    now, replaces = rooms.clock(), watch.lives(rooms.clock())
    # No caller's key holds a line break. A repeat after a crash gets the first answer; after a failure it is another call.
    key = f"watch\n{watch.id}\n{watch.row.generation}"
    answer = await _asked(watch, rule.start, {**watch.payload, **rule.lasts}, rooms, key=key)
    ends = _moment(answer, rule.ends) if isinstance(answer, Answer) else None
    if not isinstance(answer, Answer) or ends is None:
        await _failed(watch, rule, answer, rooms, again=isinstance(answer, Answer))
        return
    fresh = begun(watch, answer.answer, replaces=replaces)
    named = vendor_id(watch.clinic, watch.row.connector, str(answer.answer[rule.id]))
    kept = fresh.kept(
        expires_at=ends, vendor_id=named, generation=watch.row.generation + 1, failures=0, retry_at=None, code=None,
        lost_at=None, nudge=None,
        # What happened while nothing watched is read; where one watches on, nothing was lost.
        sync_at=watch.row.sync_at if replaces else now, due_at=now,
    )  # fmt: skip
    await _keep(fresh, kept, rooms, tells=() if watch.row.lost_at is None else (_told(watch, WATCH_RESUMED, None),))


async def _renew(watch: Watch, rule: WatchRule, rooms: Rooms) -> None:
    assert rule.renew is not None
    answer = await _asked(watch, rule.renew, _fields(watch, rule.renew, rule, rooms), rooms)
    now = rooms.clock()
    if isinstance(answer, Answer) and answer.outcome is Outcome.REJECTED:
        # The vendor knows it no more, or allows it no more: beginning anew finds out which.
        await _keep(watch, watch.kept(nudge=str(Nudge.ENDED), code=answer.code, due_at=now), rooms)
        return
    ends = _moment(answer, rule.ends) if isinstance(answer, Answer) else None
    if ends is None:
        await _failed(watch, rule, answer, rooms)
        return
    nudge = None if watch.row.nudge == Nudge.RENEW else watch.row.nudge
    kept = watch.kept(expires_at=ends, failures=0, retry_at=None, code=None, nudge=nudge, due_at=now)
    await _keep(watch, kept, rooms)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a reading found, to its last page; `whole` where it lists everything that there is."""

    items: list[Mapping[str, Any]]
    whole: bool
    remembered: Mapping[str, Any]


async def _read(watch: Watch, rule: WatchRule, rooms: Rooms) -> None:
    """Read to the last page, tell what changed since the last time, and remember what there is: in one transaction."""
    now, found = rooms.clock(), await _pages(watch, rule, rooms)
    if isinstance(found, str):
        later = watch.kept(
            code=found, sync_at=paused(watch, now), nudge=_unless_missed(watch), failures=watch.row.failures + 1
        )
        await _keep(watch, later._replace(due_at=due_at(replace(watch, row=later), rule, now)), rooms)
        return
    marks = {str(item["id"]): watch.mark(item) for item in found.items if rule.each}
    tells = list(_changes(watch, rule, found, marks))
    fresh = replace(
        watch, remembered=found.remembered, marks=marks if found.whole else {**(watch.marks or {}), **marks}
    )  # fmt: skip
    code, failures = (None, 0) if watch.row.retry_at is None else (watch.row.code, watch.row.failures)
    row = fresh.kept(
        read_at=now, sync_at=reads_at(watch, rule, now), code=code, failures=failures, nudge=_unless_missed(watch)
    )
    await _keep(fresh, row._replace(due_at=due_at(replace(fresh, row=row), rule, now)), rooms, tells=tells)


async def _pages(watch: Watch, rule: WatchRule, rooms: Rooms) -> _Reading | str:
    """Everything that there is to read; or why it could not be read to its end."""
    whole, items = rule.whole is None, list[Mapping[str, Any]]()
    asked = {**_fields(watch, rule.sync, rule, rooms), **watch.remembered}
    for _ in range(_MOST_PAGES):
        answer = await _asked(watch, rule.sync, asked, rooms)
        if isinstance(answer, str):
            return answer
        if answer.outcome is not Outcome.ACCEPTED:
            return answer.code or str(answer.outcome)
        if rule.whole is not None and answer.answer.get(rule.whole):
            whole = True
        items += [item for item in answer.answer.get(rule.items, ()) if isinstance(item, Mapping)]
        on = _taken(rule.goes_on, answer.answer)
        if not on:
            return _Reading(items, whole, _taken(rule.remembers, answer.answer))
        asked = {**asked, **on}
    return "too_many_pages"


def _taken(fields: Mapping[str, str], answer: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the next request that an answer has."""
    return {name: answer[there] for name, there in fields.items() if answer.get(there) is not None}


async def _stop(watch: Watch, rule: WatchRule, rooms: Rooms) -> None:
    """Stop the one that is not wanted any more; whatever the vendor says, it ends by itself at last."""
    old = watch.before or watch.told
    await _asked(watch, rule.stop, from_answer(rule, old), rooms)
    fresh = replace(watch, before={}) if watch.before else replace(watch, told={})
    await _keep(fresh, fresh.kept(due_at=rooms.clock()), rooms)


async def _forget(watch: Watch, rule: WatchRule, rooms: Rooms) -> None:
    async with rooms.store.tenant(watch.clinic.tenant) as session:
        await rows.remove(session, watch.clinic.tenant, watch.id)


_Do = Callable[[Watch, WatchRule, Rooms], Awaitable[None]]
_DO: Final[Mapping[Step, _Do]] = {
    Step.START: _start, Step.RENEW: _renew, Step.READ: _read, Step.STOP: _stop, Step.FORGET: _forget,
}  # fmt: skip


async def _asked(
    watch: Watch, action: str, payload: Mapping[str, Any], rooms: Rooms, *, key: str | None = None
) -> Answer | str:
    """One call for a watch; where it was not made, why."""
    call = Call(
        watch.actor, watch.row.connector, action, watch.purpose, payload, str(watch.id), idempotency_key=key
    )  # fmt: skip
    try:
        answer = await broker(call, rooms)
    except Refused as refused:
        return str(refused.reasons[0].code)
    except GatewayError as failure:
        return failure.code
    return answer if isinstance(answer, Answer) else "waiting"


async def _failed(watch: Watch, rule: WatchRule, answer: Answer | str, rooms: Rooms, *, again: bool = False) -> None:
    """Try again later; the clinic is told once, as soon as nothing watches any more."""
    now = rooms.clock()
    code = (answer.code or str(answer.outcome)) if isinstance(answer, Answer) else answer
    generation, lives = watch.row.generation + again, watch.lives(now)
    row = watch.kept(
        code=code, failures=watch.row.failures + 1, retry_at=paused(watch, now), generation=generation,
        lost_at=watch.row.lost_at or (None if lives else now), nudge=watch.row.nudge if lives else None,
        expires_at=watch.row.expires_at if lives else None,
        sync_at=watch.row.sync_at if lives else min(watch.row.sync_at, reads_at(watch, rule, now)),
    )  # fmt: skip
    row = row._replace(due_at=due_at(replace(watch, row=row), rule, now))
    log.warning("watch_failed", watch=watch.id, code=code, failures=row.failures)
    lost = row.lost_at is not None and watch.row.lost_at is None
    await _keep(watch, row, rooms, tells=(_told(watch, WATCH_LOST, code),) if lost else ())


async def _keep(watch: Watch, row: WatchRow, rooms: Rooms, *, tells: Any = ()) -> None:
    """Store what a step came to, and in the same transaction what it tells."""
    tenant, events = watch.clinic.tenant, []
    for event in tells:
        try:
            events.append(await prepared(event, rooms))
        except InvalidRequest:  # it does not fit its own declaration, and never will
            log.error("watch_not_publishable", watch=watch.id, type=event.type)
    async with rooms.store.tenant(tenant) as session:
        if await rows.keep(session, tenant, row, now=rooms.clock()):
            for event in events:
                await put(session, event)


def _changes(watch: Watch, rule: WatchRule, found: _Reading, marks: Mapping[str, str]) -> Iterator[NewEvent]:
    """What a reading tells; the first one only remembers what there is."""
    if watch.marks is None:
        return
    held = {**watch.payload, **from_answer(rule, watch.told)}
    if not rule.each:
        if found.items or found.whole:
            yield _event(watch, rule, {**held, "id": watch.told.get(rule.id, str(watch.id))})
        return
    for name, mark in marks.items():
        if watch.marks.get(name) != mark:
            yield _event(watch, rule, {**held, "id": name, "change": "updated" if name in watch.marks else "created"})
    if found.whole:
        for name in watch.marks.keys() - marks.keys():
            yield _event(watch, rule, {**held, "id": name, "change": "deleted"})


def _event(watch: Watch, rule: WatchRule, data: Mapping[str, Any]) -> NewEvent:
    connector = watch.row.connector
    return NewEvent(watch.clinic.tenant, f"{prefix_of(connector)}{rule.changed}", data, connector)


def _told(watch: Watch, kind: str, code: str | None) -> NewEvent:
    data: dict[str, Any] = {"id": str(watch.id), "connection": str(watch.row.connection)}
    if code is not None:
        data["reason"] = code
    return NewEvent(watch.clinic.tenant, kind, data, GATEWAY)


def _fields(watch: Watch, action: str, rule: WatchRule, rooms: Rooms) -> dict[str, Any]:
    """What an action of the watch's is asked with: what is watched, for how long, and what the vendor answered."""
    known = {**watch.payload, **rule.lasts, **from_answer(rule, watch.told)}
    names = {each.name for each in rooms.registry.action(watch.row.connector, action).shape.fields}
    return {name: value for name, value in known.items() if name in names}


def _unless_missed(watch: Watch) -> str | None:
    return None if watch.row.nudge == Nudge.MISSED else watch.row.nudge


def _moment(answer: Answer, name: str) -> datetime | None:
    """When a watch ends, as the vendor answered; None where it was not taken."""
    text = answer.answer.get(name)
    if answer.outcome is not Outcome.ACCEPTED or text is None:
        return None
    return text if isinstance(text, datetime) else datetime.fromisoformat(str(text))


def _kind_of(rule: WatchRule, event: str) -> Nudge | None:
    for kind, events in ((Nudge.ENDED, rule.ended), (Nudge.RENEW, rule.renewed_on), (Nudge.MISSED, rule.missed)):
        if event in events:
            return kind
    return None


def _rule(wanted: Wanted, rooms: Rooms) -> tuple[str, WatchRule]:
    connector = rooms.registry.connectors.get(wanted.connector)
    rule = connector.manifest.watches.get(wanted.name) if connector is not None else None
    if connector is None or rule is None:
        raise InvalidRequest(faults=[Fault("watch", "no connector watches that; the catalog names what each does")])
    return connector.id, rule


async def _live(tenant: UUID, connector: str, rooms: Rooms) -> Connection:
    clinic: Clinic = await rooms.connections.present(tenant)
    found = clinic.connections.get(connector)
    if found is None:
        raise Conflict(f"{connector} is not connected")
    return found


def _checked(actor: Actor, wanted: Wanted, rule: WatchRule, connection: Connection, rooms: Rooms) -> dict[str, Any]:
    """The declared fields of what is to be watched. Raises InvalidRequest."""
    call = Call(actor, wanted.connector, rule.start, wanted.purpose, {**wanted.payload, **rule.lasts}, "")
    action = action_of(call, rooms)
    for name in rule.actions:
        if wanted.purpose not in rooms.registry.action(wanted.connector, name).purposes:
            raise InvalidRequest(faults=[Fault("purpose", f"{name} is not for it; the catalog names what each is for")])
    values = minimized(call, action, connection).values
    return {name: value for name, value in values.items() if name not in rule.lasts}
