"""What a network of health records tells us, in our words: every kind of letter, minimized to what is used. No I/O, no form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class RecordKind(StrEnum):
    """What kind of document a record is, as a patient consents to it: the network's HI types."""

    PRESCRIPTION = "Prescription"
    DIAGNOSTIC_REPORT = "DiagnosticReport"
    OP_CONSULTATION = "OPConsultation"
    DISCHARGE_SUMMARY = "DischargeSummary"
    IMMUNIZATION_RECORD = "ImmunizationRecord"
    HEALTH_DOCUMENT_RECORD = "HealthDocumentRecord"
    WELLNESS_RECORD = "WellnessRecord"
    INVOICE = "Invoice"


class Proof(StrEnum):
    """What an identifier is; the network proved some of them and a patient typed the others."""

    ADDRESS = "address"
    """The patient's address at the network (ABHA address)."""
    NUMBER = "number"
    """The patient's number at the network (ABHA number), digits only."""
    MOBILE = "mobile"
    """A mobile number as E.164."""
    RECORD_NUMBER = "record_number"
    """The clinic's own number of the patient."""
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Identifier:
    """One identifier of a patient."""

    proof: Proof
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ContextName:
    """One care context, by the two references that the clinic gave it."""

    patient: str = field(repr=False)
    reference: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong there: the network's code in its one spelling, never its words."""

    code: str


class Setback(StrEnum):
    """What went wrong here, as we tell the network: each a word of ours, which the connector says in the network's form."""

    PATIENT_NOT_FOUND = "patient_not_found"
    SEVERAL_PATIENTS = "several_patients"
    NOTHING_TO_LINK = "nothing_to_link"
    CONTEXT_UNKNOWN = "context_unknown"
    LINK_UNKNOWN = "link_unknown"
    LINK_EXPIRED = "link_expired"
    CODE_WRONG = "code_wrong"
    CODE_NOT_SENT = "code_not_sent"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    CONSENT_UNKNOWN = "consent_unknown"
    CONSENT_NOT_GRANTED = "consent_not_granted"
    CONSENT_EXPIRED = "consent_expired"
    CONSENT_UNREADABLE = "consent_unreadable"
    DATES_REFUSED = "dates_refused"
    ASKED_TOO_OFTEN = "asked_too_often"
    KEY_REFUSED = "key_refused"
    ADDRESS_REFUSED = "address_refused"
    QUEUE_CLOSED = "queue_closed"
    NOT_AVAILABLE = "not_available"


@dataclass(frozen=True, slots=True)
class ProfileShared:
    """A patient at the desk scanned the clinic's code and shares who they are."""

    counter: str
    intent: str
    profile: Mapping[str, Any] = field(repr=False)
    """Under the names of the connector's own declared model, minimized."""
    address: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sought:
    """A patient asks which records of theirs lie here."""

    transaction: str
    address: str = field(repr=False)
    verified: tuple[Identifier, ...] = field(repr=False)
    unverified: tuple[Identifier, ...] = field(repr=False)
    name: str | None = field(repr=False)
    gender: str | None = field(repr=False)
    """M, F or O; anything else reads as None."""
    year_of_birth: int | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class LinkWanted:
    """A patient chose records to link; a code to their mobile must prove that they are theirs."""

    transaction: str
    address: str = field(repr=False)
    contexts: tuple[ContextName, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class LinkConfirmed:
    """The code that a patient typed, digits as text; leading zeros may be lost on the way where the network says a number."""

    reference: str
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LinkTokenCame:
    """The answer to request_link_token: a token, or a problem."""

    to_request: str
    address: str | None = field(repr=False)
    token: str | None = field(repr=False)
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class Linked:
    """The answer to link_contexts: linked unless there is a problem."""

    to_request: str
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class ContextNoted:
    """The answer to notify_context."""

    to_request: str
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class PatientInvited:
    """The answer to invite_patient."""

    to_request: str
    problem: Problem | None


class ArtefactStatus(StrEnum):
    """Where a patient's consent at the network stands."""

    GRANTED = "granted"
    REVOKED = "revoked"
    EXPIRED = "expired"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Party:
    """A facility or an app that takes part in the network."""

    id: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Frequency:
    """How often records may be asked for: `value` times in each `hours`, or `repeats` times in all where that is more than 0."""

    value: int
    hours: int
    repeats: int


@dataclass(frozen=True, slots=True)
class Artefact:
    """What a patient consented to, exactly: for whom, which records, of which time, how often, until when."""

    id: str
    address: str = field(repr=False)
    purpose: str
    """The network's code, which is HL7's: CAREMGT, BTG, PUBHLTH, HPAYMT, DSRCH, PATRQT."""
    hiu: Party | None
    requester: str | None = field(repr=False)
    contexts: tuple[ContextName, ...] = field(repr=False)
    kinds: frozenset[RecordKind]
    since: datetime
    until: datetime
    erase_at: datetime
    frequency: Frequency | None
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class ConsentTold:
    """A consent was granted, or ended. What came is kept as it came, in the letter."""

    consent: str
    status: ArtefactStatus
    artefact: Artefact | None = field(repr=False)
    """None where the network tells the end only."""


@dataclass(frozen=True, slots=True)
class RecordsWanted:
    """Somebody with a consent asks for the records behind it, sealed for a key of theirs, at an address of theirs."""

    transaction: str
    consent: str
    since: datetime
    until: datetime
    push_url: str = field(repr=False)
    key: bytes = field(repr=False)
    """As it came, decoded: a raw point or SPKI."""
    nonce: bytes = field(repr=False)
    fault: str | None = None
    """A word of ours where the key material is none that can be used: such a request is refused."""


Told = (
    ProfileShared
    | Sought
    | LinkWanted
    | LinkConfirmed
    | LinkTokenCame
    | Linked
    | ContextNoted
    | PatientInvited
    | ConsentTold
    | RecordsWanted
)
