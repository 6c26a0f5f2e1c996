"""Let a call wait that may not go now, or call it back. Sends nothing; when it is due is due.py's.

A call is kept as far as its action declares, sealed, with its job in the same transaction. It goes once: its intent
stands under its Idempotency-Key, or under a key drawn from its id where it came without one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import orjson

from gateway.calls import Actor, Call, Parked, Waited
from gateway.connections import Clinic
from gateway.errors import Conflict, IdempotencyReused, InProgress, NotFound
from gateway.flows.rooms import Rooms
from gateway.ids import new_id
from gateway.ledger.log import Intent, body_fingerprint, repeat_guard
from gateway.ledger.writer import KeyTaken
from gateway.store import disclosures, jobs, ledger
from gateway.store import waiting as rows
from gateway.store.waiting import End, NewWaitingRow, SealedRow, State
from scopes.decision import Denied, Refusal
from scopes.vocabulary import Purpose, Reason

_SEALED_AS: Final = "waiting"  # what the vault seals it for


class WaitsNoMore(Exception):
    """The call was called back, or carried by another job."""


async def known(call: Call, clinic: Clinic, rooms: Rooms) -> Parked | None:
    """The answer to a repeat of a call that waits. Read after the standing: whoever ends a wait changes that.

    Raises WaitsNoMore, for the job of a call; KeyTaken, IdempotencyReused and Conflict for a repeat of one.
    """
    if call.waited is not None:
        async with rooms.store.tenant(call.tenant) as connection:
            own = await rows.find(connection, call.tenant, call.waited.id)
        if own is None or own.state != State.WAITING:
            raise WaitsNoMore
    if call.waited is not None or call.idempotency_key is None:
        return None
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
        raise KeyTaken
    return Parked(row.id, row.due_at, tuple(map(_refusal, row.reasons)), tuple(row.withheld))


async def park(call: Call, clinic: Clinic, intent: Intent, rooms: Rooms) -> Parked:
    """Let a call wait for what its decision says; one that waited already waits longer. Raises KeyTaken and InProgress."""
    assert isinstance(intent.decision, Denied)
    until, reasons = intent.decision.waits_until, intent.decision.reasons
    assert until is not None
    parked = Parked(call.waited.id if call.waited is not None else new_id(), until, reasons, intent.fields.withheld)
    async with rooms.store.tenant(call.tenant) as connection:
        if call.waited is not None:
            kept = await rows.put_off(connection, call.tenant, parked.id, until=until, reasons=told(reasons))
        else:
            row = _row(parked, call, clinic, intent, rooms)
            if row.idempotency is not None and await disclosures.made_by(connection, call.tenant, row.idempotency):
                raise KeyTaken
            kept = await rows.add(connection, call.tenant, row)
        if kept:
            await jobs.enqueue(connection, [jobs.waiting_job(call.tenant, parked.id, until, now=rooms.clock())])
    if kept:
        return parked
    first = await known(call, clinic, rooms)
    if first is None:
        raise InProgress
    return first


async def cancel(actor: Actor, call: UUID, rooms: Rooms) -> None:
    """Call a call back; from then on nothing of it is sent. Twice changes nothing. Raises NotFound and Conflict."""
    tenant, clinic = actor.tenant, await rooms.connections.clinic(actor.tenant)
    async with rooms.store.tenant(tenant) as connection:
        # The head is locked: an intent is written already and seen here, or was decided before and is refused.
        await ledger.lock_and_change_standing(connection, tenant)
        row = await rows.sealed(connection, tenant, call)
        if row is None:
            raise NotFound("there is no such call")
        if row.state == State.CANCELLED:
            return
        begun = await disclosures.made_by(connection, tenant, guard(row, clinic)[0]) is not None
        if begun or not await rows.end(connection, tenant, call, End(State.CANCELLED), now=rooms.clock()):
            raise Conflict("this call waits no more", fix="GET /v1/waiting/{id} says what became of it.")
    rooms.connections.forget(tenant)


def opened(row: SealedRow, actor: Actor, clinic: Clinic) -> Call:
    """The call that was kept; `actor` is nobody but the tenant."""
    assert row.sealed is not None
    kept = orjson.loads(clinic.keyring.open(row.sealed, purpose=_SEALED_AS, row=str(row.id)))
    return Call(
        actor=Actor(kept["actor"]["kind"], kept["actor"]["id"], actor.tenant, ()),
        connector=kept["connector"],
        action=kept["action"],
        purpose=Purpose(kept["purpose"]),
        payload=kept["payload"],
        request_id=kept["request"],
        subject=kept["subject"],
        waited=Waited(row.id, guard(row, clinic), tuple(kept["withheld"])),
    )


def guard(row: SealedRow, clinic: Clinic) -> tuple[bytes, bytes]:
    """Under what its one disclosure stands."""
    return row.idempotency or clinic.fingerprint(b"waiting|" + row.id.bytes), row.fingerprint


def told(reasons: Sequence[Refusal]) -> list[dict[str, str]]:
    """Reasons as they are stored."""
    return [{"code": str(reason.code), "what": reason.what, "fix": reason.fix} for reason in reasons]


def _refusal(stored: Mapping[str, str]) -> Refusal:
    return Refusal(Reason(stored["code"]), stored["what"], stored["fix"])


def _row(parked: Parked, call: Call, clinic: Clinic, intent: Intent, rooms: Rooms) -> NewWaitingRow:
    key = None
    if call.idempotency_key is not None:
        key, _ = repeat_guard(call, clinic)
    kept = {
        "connector": call.connector,
        "action": call.action,
        "purpose": str(call.purpose),
        "subject": call.subject,
        "payload": intent.fields.values,
        "actor": {"kind": call.actor.kind, "id": call.actor.id},
        "request": call.request_id,
        "withheld": intent.fields.withheld,
    }
    return NewWaitingRow(
        id=parked.id, due_at=parked.until, created_at=rooms.clock(), connector=intent.action.connector,
        action=intent.action.name, purpose=str(call.purpose), subject=intent.subject, reasons=told(parked.reasons),
        withheld=list(parked.withheld), idempotency=key, fingerprint=body_fingerprint(call, clinic),
        sealed=clinic.keyring.seal(orjson.dumps(kept), purpose=_SEALED_AS, row=str(parked.id)),
    )  # fmt: skip
