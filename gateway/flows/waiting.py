"""Let a call wait that may not go now. Sends nothing; what happens when it is due, or called back, is due.py's.

A call is kept as far as its action declares, sealed, with its job in the same transaction. It goes once: its intent
stands under its Idempotency-Key, or under a key drawn from its id where it came without one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

import orjson

from connectors.registry import UnknownAction
from gateway.calls import Actor, Call, Parked, Waited
from gateway.connections import Clinic
from gateway.errors import Conflict, IdempotencyReused, InProgress
from gateway.flows.rooms import Rooms
from gateway.ids import new_id
from gateway.ledger.log import Intent, body_fingerprint, repeat_guard
from gateway.ledger.writer import KeyTaken
from gateway.store import disclosures, jobs
from gateway.store import waiting as rows
from gateway.store.waiting import NewWaitingRow, SealedRow, Sought, State, WaitingRow
from scopes.decision import Denied, Refusal
from scopes.vocabulary import Purpose, Reason

_SEALED_AS: Final = "waiting"  # what the vault seals it for


class WaitsNoMore(Exception):
    """The call was called back, or carried by another job."""


def may_wait(call: Call, rooms: Rooms) -> bool:
    """Whether a call reaches a person, at any of the vendors that it may go to."""
    try:
        actions = rooms.registry.actions(call.connector, call.action)
    except UnknownAction:
        return False
    return any(action.channel is not None for action in actions)


async def of_subject(actor: Actor, subject: UUID, at_most: int, rooms: Rooms) -> list[WaitingRow]:
    """The calls about one subject that wait, newest first. The look is recorded."""
    async with rooms.store.tenant(actor.tenant) as connection:
        found = await rows.page(connection, actor.tenant, Sought(str(State.WAITING), subject, None, at_most))
    await rooms.ledger.accessed(actor, what="waiting", query={"subject": str(subject)}, count=len(found))
    return found


async def known(call: Call, rooms: Rooms) -> Parked | State | None:
    """The answer to a repeat of a call that waits; State.CARRIED where it waited and was carried, None where none did.

    Raises IdempotencyReused, and Conflict where it was called back.
    """
    clinic = await rooms.connections.clinic(call.tenant)
    key, fingerprint = repeat_guard(call, clinic)
    async with rooms.store.tenant(call.tenant) as connection:
        found = await rows.under(connection, call.tenant, key)
    if found is None:
        return None
    row, first = found
    if first != fingerprint:
        raise IdempotencyReused
    if row.state == State.CANCELLED:
        raise Conflict("this call was called back", fix="Use a new Idempotency-Key to make it after all.")
    if row.state != State.WAITING:
        return State.CARRIED
    return Parked(row.id, row.due_at, tuple(map(_refusal, row.reasons)), tuple(row.withheld))


async def still_waits(call: Call, rooms: Rooms) -> None:
    """Raise WaitsNoMore unless it waits. Asked after the standing is read: whoever calls it back changes that too."""
    assert call.id is not None
    async with rooms.store.tenant(call.tenant) as connection:
        own = await rows.find(connection, call.tenant, call.id)
    if own is None or own.state != State.WAITING:
        raise WaitsNoMore


async def park(call: Call, clinic: Clinic, intent: Intent, rooms: Rooms) -> Parked:
    """Let a call wait for what its decision says; one that waited already waits longer. Raises KeyTaken and InProgress."""
    assert isinstance(intent.decision, Denied)
    until, reasons = intent.decision.waits_until, intent.decision.reasons
    assert until is not None
    parked = Parked(call.id or new_id(), until, reasons, intent.fields.withheld)
    async with rooms.store.tenant(call.tenant) as connection:
        if call.waited is not None:
            kept = await rows.put_off(connection, call.tenant, parked.id, until=until, reasons=told(reasons))
        else:
            if call.idempotency_key is not None:
                key, _ = repeat_guard(call, clinic)
                if await disclosures.made_by(connection, call.tenant, key) is not None:
                    raise KeyTaken
            kept = await rows.add(connection, call.tenant, _row(parked, call, clinic, intent, rooms))
        if kept:
            await jobs.enqueue(connection, [jobs.waiting_job(call.tenant, parked.id, until, now=rooms.clock())])
    if kept:
        return parked
    first = await known(replace(call, idempotency_key=_own_key(call)), rooms)
    if isinstance(first, Parked):
        return first
    raise InProgress


def opened(row: SealedRow, clinic: Clinic) -> Call:
    """The call that was kept, under the key that it came with or one of its own: so it is made once."""
    assert row.sealed is not None
    kept = orjson.loads(clinic.keyring.open(row.sealed, purpose=_SEALED_AS, row=str(row.id)))
    return Call(
        actor=Actor(kept["actor"]["kind"], kept["actor"]["id"], clinic.tenant, ()),
        connector=kept["connector"],
        action=kept["action"],
        purpose=Purpose(kept["purpose"]),
        payload=kept["payload"],
        request_id=kept["request"],
        subject=kept["subject"],
        # A header holds no line break, so no caller's own key is like this.
        idempotency_key=kept["key"] or f"waiting\n{row.id}",
        id=UUID(bytes=row.id.bytes),
        waited=Waited(row.fingerprint, tuple(kept["withheld"])),
    )


def told(reasons: Sequence[Refusal]) -> list[dict[str, str]]:
    """Reasons as they are stored."""
    return [{"code": str(reason.code), "what": reason.what, "fix": reason.fix} for reason in reasons]


def _own_key(call: Call) -> str | None:
    """The caller's own key, without the place among a family's vendors."""
    return None if call.idempotency_key is None else call.idempotency_key.partition("\n")[0]


def _refusal(stored: Mapping[str, str]) -> Refusal:
    return Refusal(Reason(stored["code"]), stored["what"], stored["fix"])


def _row(parked: Parked, call: Call, clinic: Clinic, intent: Intent, rooms: Rooms) -> NewWaitingRow:
    own, key = _own_key(call), None
    if own is not None:
        key, _ = repeat_guard(replace(call, idempotency_key=own), clinic)
    kept = {
        "connector": call.family or call.connector,
        "action": call.action,
        "purpose": str(call.purpose),
        "subject": call.subject,
        "payload": intent.fields.values,
        "actor": {"kind": call.actor.kind, "id": call.actor.id},
        "request": call.request_id,
        "key": own,
        "withheld": intent.fields.withheld,
    }
    return NewWaitingRow(
        id=parked.id, due_at=parked.until, created_at=rooms.clock(), connector=intent.action.connector,
        action=intent.action.name, purpose=str(call.purpose), subject=intent.subject, reasons=told(parked.reasons),
        withheld=list(parked.withheld), idempotency=key, fingerprint=body_fingerprint(call, clinic),
        sealed=clinic.keyring.seal(orjson.dumps(kept), purpose=_SEALED_AS, row=str(parked.id)),
    )  # fmt: skip
