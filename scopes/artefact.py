"""Decide whether one record may be released under a patient's consent at a network. Pure: the artefact and the time come in.

Such a consent names exactly what it allows: to whom, which visits, which kinds of documents, of which time, why, how often,
until when. What the clinic itself allows is decision.py's; `joined` makes one decision of both.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from scopes.decision import Allowed, Denied, Refusal
from scopes.vocabulary import Reason

_ASK_AGAIN: Final = "Ask the patient for a new consent at the network."


class State(StrEnum):
    """Where a consent at the network stands here."""

    GRANTED = "granted"
    REVOKED = "revoked"
    EXPIRED = "expired"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    """It was taken back here, and not at the network."""


_OVER: Final = {
    State.REVOKED: Reason.CONSENT_WITHDRAWN,
    State.WITHDRAWN: Reason.CONSENT_WITHDRAWN,
    State.EXPIRED: Reason.CONSENT_EXPIRED,
    State.DENIED: Reason.CONSENT_MISSING,
}


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit by the two references that the network has for it."""

    patient: str = field(repr=False)
    reference: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Frequency:
    """How often records may be asked for: `value` times within any `hours`, and `repeats` times in all unless that is 0."""

    value: int
    hours: int
    repeats: int = 0

    def leaves_room(self, before: Sequence[datetime], now: datetime) -> bool:
        """Whether one more request is within it, after those that were let through."""
        within = sum(each > now - timedelta(hours=self.hours) for each in before)
        return within < self.value and not 0 < self.repeats <= len(before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """What a patient consented to. An empty set of visits or kinds allows none."""

    id: str
    """Of the consent, as our ledger names it."""
    state: State
    hiu: str | None
    """Who may have the records, by the network's id."""
    purpose: str
    subject: str
    """The patient's pseudonym."""
    visits: frozenset[Visit]
    kinds: frozenset[str]
    since: datetime
    until: datetime
    erase_at: datetime
    frequency: Frequency | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for, as it is about to be done: the intent will say this purpose and this recipient."""

    hiu: str | None
    purpose: str | None
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One document, as far as a consent says something about it."""

    visit: Visit
    subject: str
    kind: str
    since: datetime
    until: datetime


class _Asking(NamedTuple):
    """One request as the rules see it; `before` are the times of those that were let through earlier."""

    artefact: Artefact
    request: Request
    before: Sequence[datetime]
    now: datetime


Weighed = Sequence[Refusal]
_FINE: Final[Weighed] = ()


def _is_in_force(asking: _Asking) -> Weighed:
    artefact = asking.artefact
    if artefact.state is State.GRANTED:
        return _FINE
    return [Refusal(_OVER[artefact.state], f"the consent is {artefact.state}", _ASK_AGAIN)]


def _is_within_its_time(asking: _Asking) -> Weighed:
    if asking.now < asking.artefact.erase_at:
        return _FINE
    return [Refusal(Reason.CONSENT_EXPIRED, "the time of the consent is over", _ASK_AGAIN)]


def _purpose_is_the_consents(asking: _Asking) -> Weighed:
    wanted = asking.request.purpose
    if wanted is not None and wanted == asking.artefact.purpose:
        return _FINE
    fix = "Ask for the records for the purpose that the patient consented to."
    return [Refusal(Reason.PURPOSE_NOT_ALLOWED, wanted or "a purpose that nobody knows", fix)]


def _recipient_is_named(asking: _Asking) -> Weighed:
    named = asking.artefact.hiu
    if named is not None and named == asking.request.hiu:
        return _FINE
    what = "nobody is named" if named is None else "somebody else is named"
    return [Refusal(Reason.RECIPIENT_UNNAMED, what, "Ask for a consent that names who is to have the records.")]


def _range_is_within_the_consents(asking: _Asking) -> Weighed:
    artefact, request = asking.artefact, asking.request
    if artefact.since <= request.since <= request.until <= artefact.until:
        return _FINE
    fix = "Ask for a range within the one that the patient consented to."
    return [Refusal(Reason.RANGE_NOT_COVERED, "the range that is asked for", fix)]


def _frequency_is_kept(asking: _Asking) -> Weighed:
    frequency = asking.artefact.frequency
    if frequency is None or frequency.leaves_room(asking.before, asking.now):
        return _FINE
    what = f"{frequency.value} in {frequency.hours} hours" + (f", {frequency.repeats} in all" * (frequency.repeats > 0))
    return [Refusal(Reason.FREQUENCY_CAP, what, "Ask later, as often as the consent allows.")]


def _visit_is_named(artefact: Artefact, _request: Request, record: Record) -> Weighed:
    if record.visit in artefact.visits and record.subject == artefact.subject:
        return _FINE
    return [Refusal(Reason.RECORD_NOT_NAMED, "a visit", "Ask for a consent that names the visit of this patient.")]


def _kind_is_consented_to(artefact: Artefact, _request: Request, record: Record) -> Weighed:
    if record.kind in artefact.kinds:
        return _FINE
    fix = "Ask for a consent for documents of this kind."
    return [Refusal(Reason.RECORD_KIND_NOT_COVERED, record.kind, fix)]


def _dates_are_asked_for(artefact: Artefact, request: Request, record: Record) -> Weighed:
    """A document that only begins or ends in the range tells of a time that nobody consented to."""
    since, until = max(artefact.since, request.since), min(artefact.until, request.until)
    if since <= record.since <= record.until <= until:
        return _FINE
    fix = "Ask for a range, with a consent for it, that holds the whole time of the document."
    return [Refusal(Reason.RECORD_DATE_NOT_COVERED, "the time of the document", fix)]


REQUEST_RULES: Final[tuple[tuple[str, Callable[[_Asking], Weighed]], ...]] = (
    ("artefact_in_force", _is_in_force),
    ("artefact_in_time", _is_within_its_time),
    ("artefact_purpose", _purpose_is_the_consents),
    ("artefact_recipient", _recipient_is_named),
    ("artefact_range", _range_is_within_the_consents),
    ("artefact_frequency", _frequency_is_kept),
)
RECORD_RULES: Final[tuple[tuple[str, Callable[[Artefact, Request, Record], Weighed]], ...]] = (
    ("record_named", _visit_is_named),
    ("record_kind", _kind_is_consented_to),
    ("record_dates", _dates_are_asked_for),
)
_UNKNOWN: Final = Denied((Refusal(Reason.CONSENT_MISSING, "no consent of this id is here", _ASK_AGAIN),))


def admits(
    artefact: Artefact | None, request: Request, before: Sequence[datetime], *, now: datetime
) -> Allowed | Denied:
    """Weigh a request as a whole, before any record is looked at; a refusal names all rules that fail."""
    if artefact is None:
        return _UNKNOWN
    asking = _Asking(artefact, request, before, now.astimezone(UTC))
    reasons = [refusal for _, weigh in REQUEST_RULES for refusal in weigh(asking)]
    if reasons:
        return Denied(tuple(reasons))
    return Allowed(tuple(name for name, _ in REQUEST_RULES), consent=artefact.id)


def release(
    artefact: Artefact | None, request: Request, record: Record, before: Sequence[datetime], *, now: datetime
) -> Allowed | Denied:
    """Weigh one record against every rule of the consent; a refusal names all rules that fail, not only the first."""
    whole = admits(artefact, request, before, now=now)
    if artefact is None:
        return whole
    reasons = tuple(refusal for _, weigh in RECORD_RULES for refusal in weigh(artefact, request, record))
    if isinstance(whole, Denied):
        return Denied((*whole.reasons, *reasons))
    if reasons:
        return Denied(reasons)
    return Allowed((*whole.rules, *(name for name, _ in RECORD_RULES)), consent=artefact.id)


def joined(clinics: Allowed | Denied, patients: Allowed | Denied) -> Allowed | Denied:
    """One decision of what the clinic allows and what the patient consented to: both, with the reasons of both."""
    if isinstance(clinics, Allowed) and isinstance(patients, Allowed):
        return Allowed(
            (*clinics.rules, *patients.rules), patients.consent or clinics.consent, clinics.agreement, clinics.reach
        )
    return Denied(tuple(reason for each in (clinics, patients) if isinstance(each, Denied) for reason in each.reasons))
