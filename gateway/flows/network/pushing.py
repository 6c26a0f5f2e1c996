"""Send one document to whoever asked for it: a disclosure of its own, decided in the transaction of its intent.

Every attempt is one disclosure with its own key, so that two gateways, or a job that was cut off and runs again, never make
the same attempt twice, and each looks first what became of it.

An attempt whose outcome is not known (no answer, or the gateway died) is followed by one more, and by no third. A second
delivery does no harm: it is the same document, for the same recipient, under the same consent, and a page says by itself with
which key it is sealed, so whoever takes pages takes this one too, under a fresh key as the scheme demands. A record that is
missing at a hospital does harm. But it is a disclosure of its own, decided anew: under the first one's intent it would be
sent although the patient has taken the consent back meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from connectors.contract import CallbackRefused, OutOfBounds
from connectors.network import Entry, Place
from gateway.errors import Unavailable
from gateway.flows.bearer import bearer_for
from gateway.flows.challenge import route_of
from gateway.flows.delivery import judge
from gateway.flows.network.keeping import network_of
from gateway.flows.network.made import made
from gateway.flows.network.releasing import Basis, Errand, Step, basis_of, call_of, decided, intent_of
from gateway.flows.rooms import Rooms
from gateway.ledger.log import Intent
from gateway.ledger.writer import KeyTaken, StandingChanged
from gateway.log import Log
from gateway.records import Document
from gateway.store.transfers import EntryRow, EntryState
from scopes.decision import Denied
from scopes.vocabulary import Outcome, Repeat

log = Log("gateway.transfers")

PUSH_SECONDS: Final = 60.0
MOST_ATTEMPTS: Final = 5
KEPT_FROM: Final = "push_token_withheld"
"""A connection's setting: the ids of those who do not get the network's token with a record, with commas between them."""
_PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 300))
_MOST_ANSWER_BYTES: Final = 1 << 16
_DECISIONS: Final = 5  # how often an attempt is decided anew when the clinic changes its settings meanwhile
_STOPPED: Final = "cancelled"  # the ledger's word for an attempt that the gateway broke off
_FAULT: Final = "gateway_fault"
# Not a byte of it left.
_UNSENT: Final = frozenset(
    {
        "unreachable",
        "dns_failed",
        "connect_failed",
        "connect_timeout",
        "tls_failed",
        "deadline",
        "engine_closed",
        _STOPPED,
    }
)
# The recipient asks for patience.
_LATER: Final = frozenset({"http_408", "http_425", "http_429"})


@dataclass(frozen=True, slots=True)
class _Came:
    """What came of an attempt."""

    outcome: Outcome
    code: str | None
    disclosure: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A document that may go, with what was decided of it."""

    document: Document = field(repr=False)
    basis: Basis
    intent: Intent


async def push(errand: Errand, entry: EntryRow, rooms: Rooms) -> EntryRow:
    """Attempt one document; how it stands afterwards. Raises Unavailable (StillUnderWay) and leaves it as it was."""
    for _ in range(_DECISIONS):
        try:
            return await _attempt(errand, entry, rooms)
        except StandingChanged:
            rooms.connections.forget(errand.tenant)
        except KeyTaken:
            continue  # by another gateway: what became of it is looked up
        except Unavailable:
            raise
        except Exception as failure:  # a defect of ours, or a document that nothing opens: the others go on
            log.error("push_broken", failure=failure, transfer=errand.row.id, page=entry.number)
            return _after(errand, entry, _Came(Outcome.UNKNOWN, _FAULT), rooms.clock())
    raise Unavailable("the clinic's settings keep changing")


async def refuse(errand: Errand, reasons: Denied, rooms: Rooms) -> None:
    """Record that a request was refused as a whole."""
    for _ in range(_DECISIONS):
        try:
            basis = await basis_of(errand, rooms)
            step = Step(call_of(errand, basis, {}), None)
            await rooms.ledger.refused(await intent_of(errand, basis, step, reasons, rooms))
        except StandingChanged:
            rooms.connections.forget(errand.tenant)
        else:
            return
    raise Unavailable("the clinic's settings keep changing")


async def _attempt(errand: Errand, entry: EntryRow, rooms: Rooms) -> EntryRow:
    basis, number = await basis_of(errand, rooms), entry.attempts + 1
    payload = {
        "transaction": errand.row.transaction, "context_reference": entry.context, "kind": entry.kind,
        "page": entry.number, "pages": errand.row.pages,
    }  # fmt: skip
    call = call_of(errand, basis, payload, key=f"transfer {errand.row.id} {entry.number} {number}")
    earlier = await made(call, rooms)
    if earlier is not None:
        came = _Came(Outcome(str(earlier.outcome)), earlier.code, earlier.id)
        return _after(errand, entry, came, rooms.clock())
    if rooms.clock() >= errand.row.deadline_at:
        return entry._replace(state=str(EntryState.LATE), code="too_late")
    document = errand.documents.get(entry.document)
    decision = decided(errand, basis, document, now=rooms.clock())
    if isinstance(decision, Denied):
        await rooms.ledger.refused(await intent_of(errand, basis, Step(call, document, number), decision, rooms))
        return entry._replace(state=str(EntryState.REFUSED), code=str(decision.reasons[0].code))
    if document is None:
        return entry._replace(state=str(EntryState.FAILED), code="record_gone")
    intent = await intent_of(errand, basis, Step(call, document, number), decision, rooms)
    return _after(errand, entry, await _sent(errand, entry, _Parcel(document, basis, intent), rooms), rooms.clock())


async def _sent(errand: Errand, entry: EntryRow, parcel: _Parcel, rooms: Rooms) -> _Came:
    """Let it leave, and say what came of it."""
    wanted, document, connection = errand.wanted, parcel.document, parcel.basis.connection
    assert wanted is not None
    network = network_of(errand.row.connector, rooms)
    token = await _token(parcel.basis, rooms)
    record = Entry(document.context_reference, document.length, document.digest)
    place = Place(entry.number, errand.row.pages or 1, rooms.clock(), connection.settings)
    route = route_of(wanted.push_url, seconds=PUSH_SECONDS, max_answer_bytes=_MOST_ANSWER_BYTES)
    async with rooms.ledger.disclosing(parcel.intent) as disclosure:
        passage = rooms.egress.through(
            route, credential=None, idempotency_key=disclosure.idempotency_key, repeat=Repeat.NEVER
        )
        disclosure.through(passage)
        try:
            body = network.sealed(
                record, lambda: rooms.records.chunks(connection.clinic, document.id), wanted, place=place
            )
        except CallbackRefused:
            raise OutOfBounds("key_refused") from None
        request = network.push_request(wanted.push_url, body, token=token, settings=connection.settings)
        answer = await passage.send(request)
        judge(answer.status_code, disclosure)
    return _Came(disclosure.outcome, disclosure.code, disclosure.id)


async def _token(basis: Basis, rooms: Rooms) -> str | None:
    """The network's token, for those who let nobody in without one; what that hands them, docs/records.md says."""
    if basis.party.id in {each.strip() for each in basis.connection.settings.get(KEPT_FROM, "").split(",")}:
        return None
    bearer = await bearer_for(basis.connection, basis.action.manifest, rooms)
    return None if bearer is None else bearer.token


def _after(errand: Errand, entry: EntryRow, came: _Came, now: datetime) -> EntryRow:
    """How a document stands after an attempt with this outcome."""
    attempts, doubts = entry.attempts + 1, entry.doubts + (came.outcome is Outcome.UNKNOWN)
    tried = entry._replace(attempts=attempts, doubts=doubts, disclosure=came.disclosure, code=came.code)
    if came.outcome is Outcome.ACCEPTED:
        return tried._replace(state=str(EntryState.SENT), code=None)
    stopped = came.outcome is Outcome.FAILED and came.code == _STOPPED
    again = now if stopped else now + _PAUSES[min(attempts, len(_PAUSES)) - 1]
    may = attempts < MOST_ATTEMPTS and again < errand.row.deadline_at and _is_worth_it(came, doubts)
    return tried._replace(next_at=again) if may else tried._replace(state=str(EntryState.FAILED))


def _is_worth_it(came: _Came, doubts: int) -> bool:
    """Whether another attempt may fare better; what may have arrived is sent once more and no oftener."""
    code = came.code or ""
    if came.outcome is Outcome.UNKNOWN:
        return doubts <= 1
    return code in _UNSENT or (doubts == 0 and (code in _LATER or code.startswith("http_5")))
