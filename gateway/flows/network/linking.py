"""Link a patient's visits at the network from the clinic's side, step by step, each step a job that may run again.

wish → a token for the patient (kept for half a year, asked for once in seven minutes at most) → the visits, at most twenty at
once, by every kind of document they have → the network's letter says linked → a notice of the kinds, half a minute later,
since one that comes sooner is refused. Linked is what the letter says, never that the network took the request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg

from connectors.told import ContextNoted, Linked, LinkTokenCame, PatientInvited, Proof
from gateway.calls import Actor
from gateway.connections import Clinic
from gateway.errors import Conflict, NotFound
from gateway.flows.network import asking
from gateway.flows.network.asking import UNHEARD, Plan, Step, heard_of, plan
from gateway.flows.network.heard import Heard
from gateway.flows.network.telling import Word
from gateway.flows.rooms import Rooms
from gateway.ledger.log import note_of
from gateway.ledger.writer import append_beside
from gateway.log import Log
from gateway.records import Context, Patient
from gateway.store import links as rows
from gateway.store.links import LinkRow, RequestRow
from scopes.vocabulary import Purpose

log = Log("gateway.linking")

MOST_AT_ONCE: Final = 20
PERMISSION_LASTS: Final = timedelta(days=180)  # the network's own say 182.5 days
PERMISSION_PATIENCE: Final = timedelta(
    minutes=7
)  # a second request within about 6.2 minutes is a duplicate, answered or not
LINK_PATIENCE: Final = timedelta(minutes=15)
NOTICE_PATIENCE: Final = timedelta(minutes=10)
FIRST_NOTICE: Final = timedelta(seconds=30)
NOTICE_AGAIN: Final = (timedelta(minutes=1), timedelta(minutes=3), timedelta(minutes=10))
INVITATION_AGAIN: Final = timedelta(minutes=1)
BLOCKED_FOR: Final = timedelta(hours=24, minutes=5)
_MOST_ATTEMPTS: Final = 3
_SEALED_AS: Final = "link_token"
_PERMISSION_GONE: Final = "link_token_refused"
_NO_ADDRESS: Final = "no_address"
_BLOCKED: Final = "patient_blocked_for_a_day"
_PERMISSION_PENDING: Final = "link_token_pending"
_HELPED_BY_TIME: Final = frozenset(
    {
        UNHEARD,
        "rate_limited",
        "link_pending",
        _PERMISSION_PENDING,
        "service_behind_it_down",
        "network_suspended",
        "failed",
    }
)


async def want(session: asyncpg.Connection, tenant: UUID, context: Context, rooms: Rooms) -> None:
    """Want a visit to be linked, in the caller's transaction; what its documents are is told as often as that changes."""
    now = rooms.clock()
    kinds = [str(kind) for kind in context.kinds]
    await rows.want(session, tenant, [LinkRow(context.id, context.subject, "wanted", kinds, now)])
    await rows.know(session, tenant, context.id, kinds)
    await plan(session, tenant, Plan(context.connector, Step.LINK, context.subject), now=now)


async def invite(actor: Actor, connector: str, subject: UUID, rooms: Rooms) -> None:
    """Let the network write to a patient of whom only the mobile is known. Raises NotFound and Conflict."""
    patient = await rooms.records.patient(actor.tenant, subject)
    if patient is None:
        raise NotFound("this patient is not registered", fix="PUT /v1/patients registers them.")
    if patient.first(Proof.MOBILE) is None:
        raise Conflict("no mobile number of this patient is known", fix="PUT /v1/patients registers it.")
    said, now = {"subject": str(subject), "connector": connector}, rooms.clock()
    async with rooms.store.tenant(actor.tenant) as session:
        await plan(session, actor.tenant, Plan(connector, Step.INVITATION, subject), now=now)
        await append_beside(session, note_of(actor, "patient_invited", query=said, count=1, at=now))


async def link_of(tenant: UUID, context: UUID, rooms: Rooms) -> LinkRow | None:
    """How far a visit is linked; None where that was never wanted."""
    async with rooms.store.tenant(tenant) as session:
        found = await rows.of_contexts(session, tenant, [context])
    return found[0] if found else None


async def go_on(payload: bytes, rooms: Rooms) -> None:
    """The job of one request: tell it, or see why nothing was heard of it. Made again, it tells nothing twice."""
    tenant, request_id = asking.named(payload)
    row = await asking.waits(tenant, request_id, rooms)
    if row is None:
        return
    patient = await rooms.records.patient(tenant, row.subject)
    if patient is None:  # forgotten meanwhile: nothing more is said of them
        await asking.unheard(tenant, row, rooms)
    elif row.told_at is not None:
        await asking.unheard(tenant, row, rooms)
        await _after_silence(tenant, row, rooms)
    elif row.action == Step.LINK:
        await _step(tenant, row.connector, patient, row.attempt, rooms)
        await asking.done(tenant, row, rooms)
    else:
        await _tell(tenant, row, patient, rooms)


async def token_came(heard: Heard, told: LinkTokenCame, rooms: Rooms) -> None:
    """Keep the permission to link, or see what is wrong with the patient's data."""
    tenant, now, clinic = heard.tenant, rooms.clock(), await rooms.connections.clinic(heard.tenant)
    async with rooms.store.tenant(tenant) as session:
        row = await heard_of(session, heard, told.to_request, Step.PERMISSION, told.problem, now)
        if row is None:
            return
        if told.token is not None and told.problem is None:
            sealed = _sealed(clinic, row.subject, told.token)
            lasts = (now, now + PERMISSION_LASTS)
            await rows.put_token(session, tenant, heard.connector, row.subject, sealed, lasts)
            await plan(session, tenant, Plan(heard.connector, Step.LINK, row.subject), now=now)
            return
        await _went_wrong(session, tenant, row, told.problem.word if told.problem else UNHEARD, rooms)


async def linked(heard: Heard, told: Linked, rooms: Rooms) -> None:
    """The network's word that visits are linked, or why not."""
    tenant, now = heard.tenant, rooms.clock()
    async with rooms.store.tenant(tenant) as session:
        row = await heard_of(session, heard, told.to_request, Step.CONTEXTS, told.problem, now)
        if row is None:
            return
        if told.problem is not None:
            await _went_wrong(session, tenant, row, told.problem.word, rooms)
            return
        await rows.move(session, tenant, row.contexts, "linked", at=now)
        for context in row.contexts:
            notice = Plan(row.connector, Step.NOTICE, row.subject, (context,), after=FIRST_NOTICE)
            await plan(session, tenant, notice, now=now)


async def noted(heard: Heard, told: ContextNoted, rooms: Rooms) -> None:
    """Whether the network took note of a visit's documents; too soon after the link it does not."""
    async with rooms.store.tenant(heard.tenant) as session:
        row = await heard_of(session, heard, told.to_request, Step.NOTICE, told.problem, rooms.clock())
        if row is not None and told.problem is not None:
            await _went_wrong(session, heard.tenant, row, told.problem.word, rooms)


async def invited(heard: Heard, told: PatientInvited, rooms: Rooms) -> None:
    """Whether the network wrote to a patient."""
    async with rooms.store.tenant(heard.tenant) as session:
        await heard_of(session, heard, told.to_request, Step.INVITATION, told.problem, rooms.clock())


async def _step(tenant: UUID, connector: str, patient: Patient, attempt: int, rooms: Rooms) -> None:
    """The next step towards the visits of one patient that are wanted."""
    now, clinic = rooms.clock(), await rooms.connections.clinic(tenant)
    async with rooms.store.tenant(tenant) as session:
        await rows.lock(session, tenant, patient.subject)  # two visits at once ask for one token
        wanted = [
            link.context for link in await rows.of_subject(session, tenant, patient.subject) if link.state == "wanted"
        ]
        if not wanted:
            return
        if patient.first(Proof.ADDRESS) is None:
            await rows.move(session, tenant, wanted, "failed", at=now, code=_NO_ADDRESS)
            return
        if await _token(session, clinic, connector, patient.subject, rooms) is None:
            await _ask_for_token(session, tenant, connector, patient.subject, attempt, rooms)
            return
        for start in range(0, len(wanted), MOST_AT_ONCE):
            some = tuple(wanted[start : start + MOST_AT_ONCE])
            await rows.move(session, tenant, some, "asked", at=now)
            await plan(session, tenant, Plan(connector, Step.CONTEXTS, patient.subject, some, attempt), now=now)


async def _ask_for_token(
    session: asyncpg.Connection, tenant: UUID, connector: str, subject: UUID, attempt: int, rooms: Rooms
) -> None:
    """Ask for a token, or wait: for the answer to the last request, or for the end of a block."""
    now = rooms.clock()
    last = await rows.last_request(session, tenant, subject, str(Step.PERMISSION))
    if last is not None and last.answered_at is None:
        return  # its own job goes on
    again = timedelta()
    if last is not None and last.code is not None:
        pause = BLOCKED_FOR if last.code == _BLOCKED else PERMISSION_PATIENCE
        again = max((last.told_at or last.at) + pause - now, timedelta())
    await plan(session, tenant, Plan(connector, Step.PERMISSION, subject, attempt=attempt, after=again), now=now)


async def _tell(tenant: UUID, row: RequestRow, patient: Patient, rooms: Rooms) -> None:
    """Tell what was planned; what is wrong with it at once is seen to like what the network says later."""
    word, patience = await _word(tenant, row, patient, rooms)
    if word is None:
        await asking.done(tenant, row, rooms)
        return
    code = await asking.told(tenant, row, word, rooms, patience=patience)
    if code is not None:
        async with rooms.store.tenant(tenant) as session:
            await _went_wrong(session, tenant, row, code, rooms)


async def _word(tenant: UUID, row: RequestRow, patient: Patient, rooms: Rooms) -> tuple[Word | None, timedelta]:
    match Step(row.action):
        case Step.PERMISSION:
            return _token_word(row, patient), PERMISSION_PATIENCE
        case Step.CONTEXTS:
            return await _contexts_word(tenant, row, patient, rooms), LINK_PATIENCE
        case Step.NOTICE:
            return await _notice_word(tenant, row, patient, rooms), NOTICE_PATIENCE
        case Step.INVITATION:
            return await _invitation_word(tenant, row, patient, rooms), NOTICE_PATIENCE
        case Step.LINK:
            raise AssertionError("a wish is told to nobody")


def _token_word(row: RequestRow, patient: Patient) -> Word | None:
    address = patient.first(Proof.ADDRESS)
    if address is None:
        return None
    payload = {
        "request_id": str(row.id), "address": address, "number": patient.first(Proof.NUMBER), "name": patient.name,
        "gender": patient.gender, "year_of_birth": patient.year_of_birth,
    }  # fmt: skip
    return Word(str(Step.PERMISSION), _without_none(payload), Purpose.PATADMIN, patient.reference)


async def _contexts_word(tenant: UUID, row: RequestRow, patient: Patient, rooms: Rooms) -> Word | None:
    clinic, address = await rooms.connections.clinic(tenant), patient.first(Proof.ADDRESS)
    async with rooms.store.tenant(tenant) as session:
        token = await _token(session, clinic, row.connector, patient.subject, rooms)
    visits = await _visits(tenant, row.contexts, rooms)
    if token is None or address is None or not visits:
        return None
    payload = {
        "request_id": str(row.id), "link_token": token, "address": address, "number": patient.first(Proof.NUMBER),
        "patient_reference": patient.network_reference, "patient_display": patient.name, "contexts": shown(visits),
    }  # fmt: skip
    return Word(str(Step.CONTEXTS), _without_none(payload), Purpose.PATADMIN, patient.reference)


async def _notice_word(tenant: UUID, row: RequestRow, patient: Patient, rooms: Rooms) -> Word | None:
    address, visits = patient.first(Proof.ADDRESS), await _visits(tenant, row.contexts, rooms)
    if address is None or not visits:
        return None
    documents = await rooms.records.documents_of(tenant, visits[0].id)
    payload = {
        "request_id": str(row.id), "address": address, "patient_reference": patient.network_reference,
        "context_reference": visits[0].network_reference, "kinds": [str(kind) for kind in visits[0].kinds],
        "at": max(each.until for each in documents).isoformat(),
    }  # fmt: skip
    return Word(str(Step.NOTICE), payload, Purpose.PATADMIN, patient.reference)


async def _invitation_word(tenant: UUID, row: RequestRow, patient: Patient, rooms: Rooms) -> Word | None:
    mobile = patient.first(Proof.MOBILE)
    if mobile is None:
        return None
    name = await rooms.connections.name_of(tenant)
    payload = {"request_id": str(row.id), "phone": mobile, "facility_name": name}
    return Word(str(Step.INVITATION), payload, Purpose.PATADMIN, patient.reference)


async def _after_silence(tenant: UUID, row: RequestRow, rooms: Rooms) -> None:
    async with rooms.store.tenant(tenant) as session:
        await _went_wrong(session, tenant, row, UNHEARD, rooms)


async def _went_wrong(session: asyncpg.Connection, tenant: UUID, row: RequestRow, code: str, rooms: Rooms) -> None:
    """What comes next: another attempt where one may help, otherwise the visits say why they are not linked."""
    now, step = rooms.clock(), Step(row.action)
    log.info("network_step_failed", request=row.id, step=str(step), code=code, attempt=row.attempt)
    if step is Step.NOTICE:
        if row.attempt <= len(NOTICE_AGAIN):
            pause = NOTICE_AGAIN[row.attempt - 1]
            again = Plan(row.connector, step, row.subject, tuple(row.contexts), row.attempt + 1, pause)
            await plan(session, tenant, again, now=now)
        return
    if step is Step.INVITATION:
        if code in _HELPED_BY_TIME and row.attempt < _MOST_ATTEMPTS:  # a text that comes twice is better than none
            again = Plan(row.connector, step, row.subject, attempt=row.attempt + 1, after=INVITATION_AGAIN)
            await plan(session, tenant, again, now=now)
        return
    if step is Step.CONTEXTS:
        if code == _PERMISSION_GONE:
            await rows.drop_token(session, tenant, row.connector, row.subject)
        waiting: Sequence[UUID] = row.contexts
    else:
        waiting = [
            link.context for link in await rows.of_subject(session, tenant, row.subject) if link.state == "wanted"
        ]
    hopeful = code in _HELPED_BY_TIME or code == _BLOCKED or (step is Step.CONTEXTS and code == _PERMISSION_GONE)
    if hopeful and row.attempt < _MOST_ATTEMPTS:
        await rows.move(session, tenant, waiting, "wanted", at=now, code=code)
        await plan(session, tenant, Plan(row.connector, Step.LINK, row.subject, attempt=row.attempt + 1), now=now)
    else:
        await rows.move(session, tenant, waiting, "failed", at=now, code=code)


def shown(visits: Sequence[Context]) -> list[dict[str, object]]:
    """Visits as the network is told of them."""
    return [
        {"reference": each.network_reference, "display": each.display, "kinds": [str(kind) for kind in each.kinds]}
        for each in visits
    ]


async def _visits(tenant: UUID, contexts: Sequence[UUID], rooms: Rooms) -> list[Context]:
    found = await rooms.records.contexts(tenant, contexts)
    return [each for each in found if each.kinds]


async def _token(
    session: asyncpg.Connection, clinic: Clinic, connector: str, subject: UUID, rooms: Rooms
) -> str | None:
    held = await rows.token(session, clinic.tenant, connector, subject)
    if held is None or held[1] <= rooms.clock():
        return None
    return clinic.keyring.open(held[0], purpose=_SEALED_AS, row=str(subject)).decode()


def _sealed(clinic: Clinic, subject: UUID, token: str) -> bytes:
    return clinic.keyring.seal(token.encode(), purpose=_SEALED_AS, row=str(subject))


def _without_none(payload: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in payload.items() if value is not None}
