"""Send one document to whoever asked for it: a disclosure of its own, decided in the transaction of its intent.

Every attempt is one disclosure with its own key, so that two gateways, or a job that was cut off and runs again, never make
the same attempt twice, and each looks first what became of it.

An attempt whose outcome is not known (no answer, or the gateway died) is followed by one more, and by no third. A second
delivery does no harm: it is the same document, for the same recipient, under the same consent, and a page says by itself with
which key it is sealed, so whoever takes pages takes this one too, under a fresh key as the scheme demands (facts of the
network: key material stands on each page). A record that is missing at a hospital does harm. But it is a disclosure of its
own, decided anew: under the first one's intent it would be sent although the patient has taken the consent back meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from connectors.contract import Action
from connectors.network import Entry, Network
from connectors.told import Party, RecordsWanted
from gateway.calls import Actor, Call
from gateway.connections import Connection
from gateway.egress import Route
from gateway.errors import Unavailable
from gateway.flows.bearer import bearer_for
from gateway.flows.challenge import route_of
from gateway.flows.delivery import judge
from gateway.flows.network.insisting import purpose_for
from gateway.flows.network.made import made
from gateway.flows.rooms import Rooms
from gateway.ledger.log import Intent
from gateway.ledger.writer import KeyTaken, StandingChanged
from gateway.log import Log
from gateway.network.artefacts import Held
from gateway.records import Document
from gateway.store.transfers import EntryRow, EntryState, TransferRow
from scopes import artefact as rules
from scopes.decision import Allowed, Denied, Refusal, decide
from scopes.minimize import Minimized, minimize
from scopes.vocabulary import Category, ConnectionState, Outcome, Purpose, Reason, Repeat, Role

log = Log("gateway.transfers")

ACTION: Final = "push_record"
PUSH_SECONDS: Final = 60.0
MOST_ATTEMPTS: Final = 5
_PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 300))
_MOST_ANSWER_BYTES: Final = 1 << 16
_DECISIONS: Final = 5  # how often an attempt is decided anew when the clinic changes its settings meanwhile
_LONGEST_NAME: Final = 200
_STOPPED: Final = "cancelled"  # the ledger's word for an attempt that the gateway broke off
# Not a byte left, or none that anybody took for a document.
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
_LATER: Final = frozenset({"http_408", "http_425", "http_429"})
UNNAMED: Final = "unnamed_recipient"
"""A connection's setting: `release` lets records go under a consent that does not name who may have them. Otherwise none go."""
BEARER: Final = "push_bearer"
"""A connection's setting: `no` keeps the network's token from those who ask; with `yes`, or without it, they get it."""
BEARER_ELSE: Final = "push_bearer_else"
"""A connection's setting: ids of those for whom it is the other way round, with commas between them."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What is the same for every document of a request, in one run of its job."""

    tenant: UUID
    row: TransferRow
    wanted: RecordsWanted | None = field(repr=False)
    """None where the subject was erased: nothing is sent any more."""
    before: Sequence[datetime]
    """When requests under the same consent were let through before this one."""
    documents: Mapping[UUID, Document] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hiu:
    """Whoever asked, as the ledger names them."""

    id: str
    legal_name: str
    country: str
    regions: Sequence[str]
    transfer: str | None = None

    @classmethod
    def of(cls, party: Party, action: Action) -> Hiu:
        """Somebody in the network, in its country: it takes part in none other."""
        country = action.manifest.recipient.country
        return cls(party.id, (party.name or party.id)[:_LONGEST_NAME], country, (country,))

    def recorded(self) -> dict[str, str]:
        """Who it is, as every entry of the ledger says it."""
        return {
            "name": self.legal_name,
            "id": self.id,
            "role": str(Role.INDEPENDENT_CONTROLLER),
            "country": self.country,
        }


@dataclass(frozen=True, slots=True)
class Push:
    """The telling of one document, as the ledger writes it down."""

    connector: str
    feature: str
    recipient: Hiu
    name: str = ACTION


@dataclass(frozen=True, slots=True)
class _Basis:
    """What an attempt is decided on, read at one standing of the clinic's."""

    connection: Connection
    action: Action
    held: Held | None
    purpose: Purpose

    @property
    def party(self) -> Party:
        """Who is to have it, as far as the consent names anybody."""
        found = self.held.hiu if self.held is not None else None
        return found or Party("unnamed", "a requester that the network does not name")


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
            return _after(errand, entry, _Came(Outcome.UNKNOWN, "gateway_fault"), rooms.clock())
    raise Unavailable("the clinic's settings keep changing")


async def refuse(errand: Errand, reasons: Denied, rooms: Rooms) -> None:
    """Record that a request was refused as a whole."""
    for _ in range(_DECISIONS):
        try:
            basis = await _basis(errand, rooms)
            call = _call(errand, basis, {}, key=None)
            await rooms.ledger.refused(await _intent(errand, basis, call, None, reasons, rooms))
        except StandingChanged:
            rooms.connections.forget(errand.tenant)
        else:
            return
    raise Unavailable("the clinic's settings keep changing")


async def _attempt(errand: Errand, entry: EntryRow, rooms: Rooms) -> EntryRow:
    basis, number = await _basis(errand, rooms), entry.attempts + 1
    payload = {
        "transaction": errand.row.transaction, "context_reference": entry.context, "kind": entry.kind, "page": entry.number,
        "pages": errand.row.pages,
    }  # fmt: skip
    call = _call(errand, basis, payload, key=f"transfer {errand.row.id} {entry.number} {number}")
    earlier = await made(call, rooms)
    if earlier is not None:
        came = _Came(Outcome(str(earlier.outcome)), earlier.code, earlier.id)
        return _after(errand, entry, came, rooms.clock())
    if rooms.clock() >= errand.row.deadline_at:
        return entry._replace(state=str(EntryState.LATE), code="too_late")
    document = errand.documents.get(entry.document)
    decision = _decided(errand, basis, document, rooms.clock())
    if document is None and decision:
        return entry._replace(state=str(EntryState.FAILED), code="record_gone")
    intent = await _intent(errand, basis, call, document, decision, rooms)
    intent = replace(intent, trace={**intent.trace, "attempt": number})
    if isinstance(decision, Denied):
        await rooms.ledger.refused(intent)
        return entry._replace(state=str(EntryState.REFUSED), code=str(decision.reasons[0].code))
    assert document is not None
    assert errand.wanted is not None
    return _after(errand, entry, await _sent(errand, entry, _Parcel(document, basis, intent), rooms), rooms.clock())


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A document that may go, with what was decided of it."""

    document: Document = field(repr=False)
    basis: _Basis
    intent: Intent


@dataclass(frozen=True, slots=True)
class _Came:
    """What came of an attempt."""

    outcome: Outcome
    code: str | None
    disclosure: UUID | None = None


async def _sent(errand: Errand, entry: EntryRow, parcel: _Parcel, rooms: Rooms) -> _Came:
    """Let it leave, and say what came of it."""
    wanted, document, connection = errand.wanted, parcel.document, parcel.basis.connection
    assert wanted is not None
    network = network_of(errand.row.connector, rooms)
    token = await _token(parcel.basis, rooms)
    page = Entry(document.context_reference, document.length, document.digest)
    async with rooms.ledger.disclosing(parcel.intent) as disclosure:
        passage = rooms.egress.through(
            _route(wanted), credential=None, idempotency_key=disclosure.idempotency_key, repeat=Repeat.NEVER
        )
        disclosure.through(passage)
        body = network.sealed(
            page, lambda: rooms.records.chunks(connection.clinic, document.id), wanted, page=entry.number,
            pages=errand.row.pages or 1,
        )  # fmt: skip
        answer = await passage.send(network.push_request(wanted.push_url, body, token=token))
        judge(answer.status_code, disclosure)
    return _Came(disclosure.outcome, disclosure.code, disclosure.id)


async def _basis(errand: Errand, rooms: Rooms) -> _Basis:
    row = errand.row
    connection = await rooms.connections.active(errand.tenant, row.connector)
    if connection.id != row.connection:  # the consent was given to what that one was connected to
        connection = replace(connection, state=ConnectionState.REVOKED)
    action = rooms.registry.action(row.connector, ACTION)
    held = None if row.artefact is None else await rooms.artefacts.held(connection.clinic, row.artefact)
    purpose = purpose_for(row.connector, ACTION, held.purpose if held is not None else None, rooms)
    return _Basis(connection, action, held, purpose)


def _decided(errand: Errand, basis: _Basis, document: Document | None, now: datetime) -> Allowed | Denied:
    """What the clinic and the patient's consent say to one document, as one decision."""
    hiu = Hiu.of(basis.party, basis.action)
    categories = basis.action.rule.categories | (document.categories if document is not None else frozenset())
    rule = replace(
        basis.action.rule, recipient=hiu.legal_name, categories=categories, regions=frozenset(hiu.regions), channel=None
    )
    clinics = decide(rule, basis.connection, basis.purpose, basis.connection.clinic.standing, now=now)
    return rules.joined(clinics, _released(errand, basis, document, now))


def _released(errand: Errand, basis: _Basis, document: Document | None, now: datetime) -> Allowed | Denied:
    artefact, request = weighed(basis.held, errand.wanted or errand.row, basis.connection.settings, basis.purpose)
    if errand.wanted is None:
        gone = Refusal(Reason.CONSENT_WITHDRAWN, "what was asked for is erased", "Ask the patient anew.")
        return Denied((gone,))
    if document is None:
        return rules.admits(artefact, request, errand.before, now=now)
    record = rules.Record(
        visit=rules.Visit(document.patient_reference, document.context_reference), subject=str(document.subject),
        kind=str(document.kind), since=document.since, until=document.until,
    )  # fmt: skip
    return rules.release(artefact, request, record, errand.before, now=now)


def weighed(
    held: Held | None, asked: RecordsWanted | TransferRow, settings: Mapping[str, str], purpose: Purpose | None
) -> tuple[rules.Artefact | None, rules.Request]:
    """The consent and the request as a decision weighs them."""
    artefact = None if held is None else held.weighed()
    since, until = (asked.since, asked.until) if isinstance(asked, RecordsWanted) else (asked.asked_at, asked.asked_at)
    hiu = None if artefact is None else artefact.hiu
    if artefact is not None and hiu is None and settings.get(UNNAMED) == "release":
        hiu = "unnamed"
        artefact = replace(artefact, hiu=hiu)
    return artefact, rules.Request(hiu=hiu, purpose=None if purpose is None else str(purpose), since=since, until=until)


def _call(errand: Errand, basis: _Basis, payload: Mapping[str, Any], *, key: str | None) -> Call:
    return Call(
        actor=Actor("system", "network", errand.tenant, ()), connector=errand.row.connector, action=ACTION,
        purpose=basis.purpose, payload=payload, request_id=errand.row.request, idempotency_key=key,
    )  # fmt: skip


async def _intent(
    errand: Errand, basis: _Basis, call: Call, document: Document | None, decision: Allowed | Denied, rooms: Rooms
) -> Intent:
    """What is about to be done. Every document of one request stands under the request's own id."""
    action, connection, held = basis.action, basis.connection, basis.held
    register = await rooms.registers.place(connection.clinic)
    deed = Push(action.connector, action.feature, Hiu.of(basis.party, action))
    subject = document.subject if document is not None else held.row.subject if held is not None else None
    fields = Minimized(action.shape.model.model_construct(), {}, (), ())
    if document is not None:
        fields = _with(
            minimize(action.shape, call.payload, connection.grant.holds_back(action.shape.free_text_paths)), document
        )
    trace = {"call": str(errand.row.id)}
    return Intent(call, deed, connection, fields, decision, subject, errand.row.host or "", register, trace)


def _with(fields: Minimized, document: Document) -> Minimized:
    """What leaves with the document in it: the categories of what it holds, and which bytes they are, never a value."""
    held = {"id": str(document.id), "digest": document.digest, "length": document.length}
    holds = tuple(("document", category) for category in sorted(document.categories or {Category.CLINICAL}))
    return replace(fields, values={**fields.values, "document": held}, sent=(*fields.sent, *holds))


async def _token(basis: _Basis, rooms: Rooms) -> str | None:
    """The network's token, for those who let nobody in without one; what that hands them, docs/records.md says."""
    settings = basis.connection.settings
    handed = settings.get(BEARER, "yes") != "no"
    if basis.party.id in {each.strip() for each in settings.get(BEARER_ELSE, "").split(",")}:
        handed = not handed
    bearer = await bearer_for(basis.connection, basis.action.manifest, rooms) if handed else None
    return None if bearer is None else bearer.token


def _route(wanted: RecordsWanted) -> Route:
    return route_of(wanted.push_url, seconds=PUSH_SECONDS, max_answer_bytes=_MOST_ANSWER_BYTES)


def network_of(connector: str, rooms: Rooms) -> Network:
    """What knows the network's form."""
    return rooms.networks.known[connector]


def _after(errand: Errand, entry: EntryRow, came: _Came, now: datetime) -> EntryRow:
    """How a document stands after an attempt with this outcome."""
    attempts, doubts = entry.attempts + 1, entry.doubts + (came.outcome is Outcome.UNKNOWN)
    tried = entry._replace(attempts=attempts, doubts=doubts, disclosure=came.disclosure, code=came.code)
    if came.outcome is Outcome.ACCEPTED:
        return tried._replace(state=str(EntryState.SENT), code=None)
    stopped = came.code == _STOPPED and came.outcome is Outcome.FAILED
    again = now if stopped else now + _PAUSES[min(attempts, len(_PAUSES)) - 1]
    may = attempts < MOST_ATTEMPTS and again < errand.row.deadline_at and _is_worth_it(came, doubts)
    return tried._replace(next_at=again) if may else tried._replace(state=str(EntryState.FAILED))


def _is_worth_it(came: _Came, doubts: int) -> bool:
    """Whether another attempt may fare better; what may have arrived is sent once more and no oftener."""
    code = came.code or ""
    if came.outcome is Outcome.UNKNOWN:
        return doubts <= 1
    return code in _UNSENT or (doubts == 0 and (code in _LATER or code.startswith("http_5")))
