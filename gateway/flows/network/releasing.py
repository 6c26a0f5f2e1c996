"""What one document of a request is decided on, and how the ledger writes it down. Sends nothing, writes nothing.

What the clinic allows and what the patient consented to come to one decision, read at one standing of the clinic's; the
commit of the intent refuses any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from connectors.contract import Action
from connectors.told import Party, RecordsWanted
from gateway.calls import Actor, Call
from gateway.connections import Connection
from gateway.flows.network.insisting import purpose_for
from gateway.flows.rooms import Rooms
from gateway.ledger.log import Intent
from gateway.network.artefacts import Held
from gateway.records import Document
from gateway.store.transfers import TransferRow
from scopes import artefact as rules
from scopes.decision import Allowed, Denied, Refusal, decide
from scopes.minimize import Minimized, minimize
from scopes.vocabulary import Category, ConnectionState, Purpose, Reason, Role

ACTION: Final = "push_record"
UNNAMED: Final = "unnamed_recipient"
"""A connection's setting: `release` lets records go under a consent that does not name who may have them; else none go."""
_LONGEST_NAME: Final = 200
_NOT_NAMED: Final = Party("unnamed", "a requester that the network does not name")


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
        role = str(Role.INDEPENDENT_CONTROLLER)
        return {"name": self.legal_name, "id": self.id, "role": role, "country": self.country}


@dataclass(frozen=True, slots=True)
class Push:
    """The telling of one document, as the ledger writes it down."""

    connector: str
    feature: str
    recipient: Hiu
    name: str = ACTION


@dataclass(frozen=True, slots=True)
class Basis:
    """What an attempt is decided on, read at one standing of the clinic's."""

    connection: Connection
    action: Action
    held: Held | None
    purpose: Purpose

    @property
    def party(self) -> Party:
        """Who is to have it, as far as the consent names anybody."""
        return (self.held.hiu if self.held is not None else None) or _NOT_NAMED


async def basis_of(errand: Errand, rooms: Rooms) -> Basis:
    """How things stand for a request."""
    row = errand.row
    connection = await rooms.connections.active(errand.tenant, row.connector)
    if connection.id != row.connection:  # the consent was given to what that one was connected to
        connection = replace(connection, state=ConnectionState.REVOKED)
    held = None if row.artefact is None else await rooms.artefacts.held(connection.clinic, row.artefact)
    purpose = purpose_for(row.connector, ACTION, held.purpose if held is not None else None, rooms)
    return Basis(connection, rooms.registry.action(row.connector, ACTION), held, purpose)


def decided(errand: Errand, basis: Basis, document: Document | None, *, now: datetime) -> Allowed | Denied:
    """What the clinic and the patient's consent say to one document, as one decision."""
    hiu, action = Hiu.of(basis.party, basis.action), basis.action.rule
    holds = document.categories if document is not None else frozenset()
    rule = replace(
        action, recipient=hiu.legal_name, categories=action.categories | holds, regions=frozenset(hiu.regions)
    )
    clinics = decide(rule, basis.connection, basis.purpose, basis.connection.clinic.standing, now=now)
    return rules.joined(clinics, _released(errand, basis, document, now))


def weighed(
    held: Held | None, asked: RecordsWanted | None, settings: Mapping[str, str], purpose: Purpose | None
) -> tuple[rules.Artefact | None, rules.Request | None]:
    """The consent and the request as a decision weighs them."""
    artefact = None if held is None else held.weighed()
    if artefact is not None and artefact.hiu is None and settings.get(UNNAMED) == "release":
        artefact = replace(artefact, hiu=_NOT_NAMED.id)
    if asked is None:
        return artefact, None
    return artefact, rules.Request(
        hiu=artefact.hiu if artefact is not None else None, purpose=None if purpose is None else str(purpose),
        since=asked.since, until=asked.until,
    )  # fmt: skip


def _released(errand: Errand, basis: Basis, document: Document | None, now: datetime) -> Allowed | Denied:
    artefact, request = weighed(basis.held, errand.wanted, basis.connection.settings, basis.purpose)
    if request is None:
        gone = Refusal(Reason.CONSENT_WITHDRAWN, "what was asked for is erased", "Ask the patient anew.")
        return Denied((gone,))
    if document is None:
        return rules.admits(artefact, request, errand.before, now=now)
    record = rules.Record(
        visit=rules.Visit(document.patient_reference, document.context_reference), subject=str(document.subject),
        kind=str(document.kind), since=document.since, until=document.until,
    )  # fmt: skip
    return rules.release(artefact, request, record, errand.before, now=now)


def call_of(errand: Errand, basis: Basis, payload: Mapping[str, Any], *, key: str | None = None) -> Call:
    """The step as a call of the gateway's own; under its key it is made once."""
    return Call(
        actor=Actor("system", "network", errand.tenant, ()), connector=errand.row.connector, action=ACTION,
        purpose=basis.purpose, payload=payload, request_id=errand.row.request, idempotency_key=key,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One document that is about to be sent or refused, or a request as a whole; `attempt` counts from 1."""

    call: Call
    document: Document | None = field(repr=False)
    attempt: int | None = None


async def intent_of(errand: Errand, basis: Basis, step: Step, decision: Allowed | Denied, rooms: Rooms) -> Intent:
    """What is about to be done. Every document of one request stands under the request's own id."""
    action, connection, document = basis.action, basis.connection, step.document
    register = await rooms.registers.place(connection.clinic)
    deed = Push(action.connector, action.feature, Hiu.of(basis.party, action))
    fields = Minimized(action.shape.model.model_construct(), {}, (), ())
    subject = basis.held.row.subject if basis.held is not None else None
    if document is not None:
        held_back = connection.grant.holds_back(action.shape.free_text_paths)
        fields = _with(minimize(action.shape, step.call.payload, held_back), document)
        subject = document.subject
    trace: dict[str, Any] = {"call": str(errand.row.id)}
    if step.attempt is not None:
        trace["attempt"] = step.attempt
    return Intent(step.call, deed, connection, fields, decision, subject, errand.row.host or "", register, trace)


def _with(fields: Minimized, document: Document) -> Minimized:
    """What leaves with the document in it: the kinds of its parts with their categories, and which bytes, never a value."""
    held = {"id": str(document.id), "digest": document.digest, "length": document.length}
    holds = tuple((f"document.{part}", category) for part, category in document.contents)
    if not holds:
        holds = tuple(("document", category) for category in sorted(document.categories or {Category.CLINICAL}))
    return replace(fields, values={**fields.values, "document": held}, sent=(*fields.sent, *holds))
