"""A patient finds and links their visits from their own app: what is shown, the code to their mobile, the link.

What is shown is only what is not linked yet, and nothing clinical. What is linked is only what was shown, chosen, and proved by
a code that went to the mobile in the clinic's own file: hashed here, good for ten minutes and three tries.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4, uuid5

from connectors.told import Identifier, LinkConfirmed, LinkWanted, Proof, Setback, Sought
from gateway.calls import Actor, Answer, Call
from gateway.connections import Clinic
from gateway.errors import GatewayError
from gateway.flows.family import carry
from gateway.flows.network.heard import Heard
from gateway.flows.network.insisting import insist
from gateway.flows.network.linking import shown
from gateway.flows.network.telling import Word
from gateway.flows.rooms import Rooms
from gateway.log import Log
from gateway.records import Context, Patient
from gateway.records.matching import Match, asked_by, matched
from gateway.records.patients import key_of
from gateway.store import links as rows
from gateway.store.links import AttemptRow, LinkRow
from scopes.vocabulary import Outcome, Purpose

log = Log("gateway.discovery")

CODE_LASTS: Final = timedelta(minutes=10)
SHOWN_LASTS: Final = timedelta(hours=24)
MOST_TRIES: Final = 3
MOST_CODES_AN_HOUR: Final = 5
_CODE_DIGITS: Final = 6
_MESSAGING: Final = "messaging"
_SEND_CODE: Final = "send_code"


async def sought(heard: Heard, told: Sought, rooms: Rooms) -> None:
    """Say which of a patient's visits lie here and are not linked yet."""
    match = matched(told, await _found(heard.tenant, told, rooms))
    if not isinstance(match, Match):
        setback = Setback.SEVERAL_PATIENTS if match.several else Setback.PATIENT_NOT_FOUND
        await _answer(
            heard, "answer_discovery", {"transaction": told.transaction, "problem": str(setback)}, None, rooms
        )
        return
    visits = await _unlinked(heard, match.patient, rooms)
    if not visits:
        nothing = {"transaction": told.transaction, "problem": str(Setback.NOTHING_TO_LINK)}
        await _answer(heard, "answer_discovery", nothing, match.patient, rooms)
        return
    await _remember(heard, told, match.patient, visits, rooms)
    payload: dict[str, object] = {
        "transaction": told.transaction, **_file_of(match.patient), "contexts": shown(visits),
        "matched_by": [str(proof) for proof in match.by],
    }  # fmt: skip
    await _answer(heard, "answer_discovery", payload, match.patient, rooms)


async def link_wanted(heard: Heard, told: LinkWanted, rooms: Rooms) -> None:
    """Send a code to the mobile in the clinic's file, and say that it is on its way."""
    clinic, now = await rooms.connections.clinic(heard.tenant), rooms.clock()
    async with rooms.store.tenant(heard.tenant) as session:
        attempt = await rows.shown_in(session, heard.tenant, heard.connector, told.transaction)
    patient = None if attempt is None else await rooms.records.patient(heard.tenant, attempt.subject)
    chosen, setback = _chosen(clinic, told, attempt, patient)
    payload: dict[str, object] = {"transaction": told.transaction}
    if attempt is None or patient is None or setback is not None:
        payload["problem"] = str(setback or Setback.LINK_UNKNOWN)
        await _answer(heard, "answer_link", payload, patient, rooms)
        return
    setback = await _send_code(heard, attempt, patient, chosen, rooms)
    if setback is not None:
        payload["problem"] = str(setback)
    else:
        mobile = patient.first(Proof.MOBILE) or ""
        payload |= {
            "reference": str(_reference(heard)),
            "hint": f"******{mobile[-4:]}",
            "expires_at": (now + CODE_LASTS).isoformat(),
        }
    await _answer(heard, "answer_link", payload, patient, rooms)


async def link_confirmed(heard: Heard, told: LinkConfirmed, rooms: Rooms) -> None:
    """Link what was chosen where the code is right; each wrong one counts."""
    clinic = await rooms.connections.clinic(heard.tenant)
    attempt, setback = await _tried(heard, told, clinic, rooms)
    patient = None if attempt is None else await rooms.records.patient(heard.tenant, attempt.subject)
    if attempt is None or patient is None or setback is not None:
        payload: dict[str, object] = {"problem": str(setback or Setback.LINK_UNKNOWN)}
        await _answer(heard, "answer_confirmation", payload, patient, rooms)
        return
    visits = await rooms.records.contexts(heard.tenant, attempt.contexts)
    await _answer(heard, "answer_confirmation", {**_file_of(patient), "contexts": shown(visits)}, patient, rooms)
    now = rooms.clock()
    async with rooms.store.tenant(heard.tenant) as session:
        linked = [
            LinkRow(each.id, each.subject, "linked", [str(kind) for kind in each.kinds], now, now) for each in visits
        ]
        await rows.want(session, heard.tenant, linked)
        await rows.move(session, heard.tenant, [each.id for each in visits], "linked", at=now)


async def _found(tenant: UUID, told: Sought, rooms: Rooms) -> dict[Identifier, list[Patient]]:
    asked = {identifier for some in asked_by(told) for identifier in some}
    return {identifier: await rooms.records.known_by(tenant, identifier) for identifier in asked}


async def _unlinked(heard: Heard, patient: Patient, rooms: Rooms) -> list[Context]:
    visits = await rooms.records.contexts_of(heard.tenant, patient.subject)
    async with rooms.store.tenant(heard.tenant) as session:
        known = await rows.of_subject(session, heard.tenant, patient.subject)
    # What the network was just asked to link may be linked there already, before its letter says so here.
    linked = {row.context for row in known if row.linked_at or row.state == "asked"}
    return [each for each in visits if each.connector == heard.connector and each.kinds and each.id not in linked]


async def _remember(heard: Heard, told: Sought, patient: Patient, visits: Sequence[Context], rooms: Rooms) -> None:
    """What was shown to whom: nothing else can be linked by it."""
    now, clinic = rooms.clock(), await rooms.connections.clinic(heard.tenant)
    row = AttemptRow(
        uuid4(), heard.connector, told.transaction, patient.subject, _asker(clinic, told.address),
        [each.id for each in visits], "shown", None, 0, now, now + SHOWN_LASTS,
    )  # fmt: skip
    async with rooms.store.tenant(heard.tenant) as session:
        await rows.attempt(session, heard.tenant, row)


def _chosen(
    clinic: Clinic, told: LinkWanted, attempt: AttemptRow | None, patient: Patient | None
) -> tuple[list[UUID], Setback | None]:
    """The visits that were chosen, or why they cannot be."""
    if attempt is None or patient is None or not hmac.compare_digest(attempt.address, _asker(clinic, told.address)):
        return [], Setback.LINK_UNKNOWN
    offered = {str(each): each for each in attempt.contexts}
    chosen = [offered[name.reference] for name in told.contexts if name.reference in offered]
    same_file = all(name.patient == patient.network_reference for name in told.contexts)
    if not chosen or len(chosen) < len(told.contexts) or not same_file:
        return [], Setback.CONTEXT_UNKNOWN
    if patient.first(Proof.MOBILE) is None:
        return [], Setback.CODE_NOT_SENT
    return list(dict.fromkeys(chosen)), None


async def _send_code(
    heard: Heard, shown: AttemptRow, patient: Patient, chosen: Sequence[UUID], rooms: Rooms
) -> Setback | None:
    """Have the clinic's own messaging vendor carry a code; its hash is kept first. None where it went."""
    now, clinic = rooms.clock(), await rooms.connections.clinic(heard.tenant)
    code = _code(clinic, heard)
    reference = _reference(heard)
    sent = shown._replace(
        id=reference, contexts=list(chosen), state="sent", code=_hash(clinic, reference, code), at=now,
        expires_at=now + CODE_LASTS,
    )  # fmt: skip
    async with rooms.store.tenant(heard.tenant) as session:
        await rows.lock(session, heard.tenant, patient.subject)
        if (
            await rows.codes_since(session, heard.tenant, patient.subject, now - timedelta(hours=1))
            >= MOST_CODES_AN_HOUR
        ):
            return Setback.TOO_MANY_ATTEMPTS
        await rows.attempt(session, heard.tenant, sent)
    call = Call(
        actor=Actor("system", "network", heard.tenant, ()), connector=_MESSAGING, action=_SEND_CODE,
        purpose=Purpose.PATRQT, request_id=heard.request_id, subject=patient.reference,
        payload={"phone": patient.first(Proof.MOBILE), "code": code},
        idempotency_key=f"{heard.request_id}:code",
    )  # fmt: skip
    try:
        answer = await carry(call, rooms)
    except GatewayError as failure:
        log.warning("link_code_not_sent", tenant=heard.tenant, code=failure.code)
        return Setback.CODE_NOT_SENT
    went = isinstance(answer, Answer) and answer.outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN)
    return None if went else Setback.CODE_NOT_SENT


async def _tried(
    heard: Heard, told: LinkConfirmed, clinic: Clinic, rooms: Rooms
) -> tuple[AttemptRow | None, Setback | None]:
    """The attempt, once the code is weighed; a try counts before anybody is told how it ended."""
    reference = _id(told.reference)
    if reference is None:
        return None, Setback.LINK_UNKNOWN
    async with rooms.store.tenant(heard.tenant) as session:
        attempt = await rows.attempt_of(session, heard.tenant, reference)
        if attempt is None or attempt.connector != heard.connector or attempt.code is None:
            return None, Setback.LINK_UNKNOWN
        setback = _setback(attempt, _hash(clinic, attempt.id, told.code.zfill(_CODE_DIGITS)), rooms.clock())
        if setback in (None, Setback.CODE_WRONG) and attempt.state == "sent":
            state = "confirmed" if setback is None else "failed" if attempt.tries + 1 >= MOST_TRIES else "sent"
            await rows.try_code(session, heard.tenant, attempt.id, state)
    return attempt, setback


def _setback(attempt: AttemptRow, given: bytes, now: datetime) -> Setback | None:
    """Why the code does not count. A letter that comes again after it was right is right again, and links nothing more."""
    right = hmac.compare_digest(given, attempt.code or b"")
    if attempt.state == "confirmed":
        return None if right else Setback.LINK_UNKNOWN
    if attempt.state == "failed" or attempt.tries >= MOST_TRIES:
        return Setback.TOO_MANY_ATTEMPTS
    if attempt.expires_at <= now:
        return Setback.LINK_EXPIRED
    return None if right else Setback.CODE_WRONG


async def _answer(
    heard: Heard, action: str, payload: Mapping[str, object], patient: Patient | None, rooms: Rooms
) -> None:
    """Answer, until the network takes it: what it did not take is not linked there, and must not be taken for linked here."""
    word = Word(
        action, {"answers": heard.request_id, **payload}, Purpose.PATRQT, patient.reference if patient else None
    )
    await insist(heard.tenant, heard.connector, word, rooms, key=f"{heard.request_id}:{action}")


def _file_of(patient: Patient) -> dict[str, object]:
    return {"patient_reference": patient.network_reference, "patient_display": patient.name}


def _asker(clinic: Clinic, address: str) -> bytes:
    return key_of(clinic, Identifier(Proof.ADDRESS, address)).lookup


def _reference(heard: Heard) -> UUID:
    """What the network knows an attempt by: a new one for each letter, and the same when its job runs again."""
    return uuid5(heard.connection, f"link|{heard.request_id}")


def _code(clinic: Clinic, heard: Heard) -> str:
    """Six digits, the same for a letter whose job runs again: so a code that went out is the one that counts."""
    drawn = int.from_bytes(clinic.fingerprint(f"link code|{heard.connection}|{heard.request_id}".encode()))
    return str(drawn % 10**_CODE_DIGITS).zfill(_CODE_DIGITS)


def _hash(clinic: Clinic, attempt: UUID, code: str) -> bytes:
    return clinic.fingerprint(f"link code|{attempt}|{code}".encode())


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
