"""Decide whether one call may go out. Pure: the standing and the time come in; what leaves is minimize.py's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, Protocol

from scopes import agreement, consent
from scopes.agreement import Agreement, Need
from scopes.cap import Reach, Reached
from scopes.consent import Channel, Consent
from scopes.grant import Grant
from scopes.policy import Policy
from scopes.quiet import zone_of
from scopes.vocabulary import Category, ConnectionState, Otherwise, Purpose, Reason
from scopes.wording import Unworded, Wording

# Marketing is refused whatever a connector or a clinic says (DESIGN 10: no advertising with patients' data).
DENIED_PURPOSES = frozenset({Purpose.HMARKT})
_ACTIVE: Final = ConnectionState.ACTIVE
_NO_POLICY: Final = Policy()
_NOTHING_TO_SAY: Final = Unworded("template", "Register the clinic's text with PUT /v1/templates/{name}.")
_NOBODY: Final = Reached()
_LOOKS_AHEAD: Final = 10
_ALMOST_A_SECOND: Final = timedelta(microseconds=999_999)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRule:
    """What a connector says about one action, as far as a decision needs it."""

    connector: str
    name: str
    feature: str
    purposes: frozenset[Purpose]
    """An empty set serves no purpose, so the action is never allowed."""
    provider_scopes: tuple[frozenset[str], ...]
    """Each member is a need, met by any one of its alternatives; a need without alternatives is never met."""
    required_paths: frozenset[str]
    categories: frozenset[Category]
    free_text_paths: frozenset[str]
    recipient: str
    recipient_id: str = ""
    """Under what the agreements with the recipient are found: a connector's or an endpoint's id. Empty: under nothing."""
    channel: Channel | None = None
    """The way on which a person is reached. Without one nobody is, and no consent is weighed."""
    service: str | None = None
    """The recipient's service that is used, where its agreements tell them apart."""
    agreement: Need = Need.BY_LAW
    regions: frozenset[str] = frozenset()
    """Where the recipient processes the data; an empty set is anywhere."""
    message: bool = False
    """Whether it is a message to a person, which says what a template of the clinic's says."""
    requested: bool = False
    """Whether the person asked for it a moment ago: then no consent is weighed, and no limit on reaching them."""
    tracks: bool = False
    """Its place is one for advertising or for tracking people (scopes/tracking.py), which no clinic can allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What holds for the tenant at one moment; an intent carries the version that it was decided on."""

    version: int
    denied_recipients: frozenset[str] = frozenset()
    policy: Policy = _NO_POLICY
    agreements: Mapping[str, tuple[Agreement, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """By the recipient's id."""
    consents: tuple[Consent, ...] = ()
    """Those of the one subject that the data is about."""
    wording: Wording | None = None
    """What the message says, where it is one."""
    unworded: Unworded | None = None
    """What is missing, where it is one and has nothing to say."""
    reached: Reached = _NOBODY
    """How often that subject was reached on the action's channel, as far as the policy's caps look back."""


class ConnectionView(Protocol):
    """What a decision sees of a connection; ``includes(held, needed)`` is its connector's Lattice.includes."""

    @property
    def state(self) -> ConnectionState: ...
    @property
    def grant(self) -> Grant: ...
    @property
    def provider_scopes(self) -> frozenset[str]: ...
    @property
    def includes(self) -> Callable[[frozenset[str], str], bool]: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def reconnect_needed(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason: its code, what it is about (a name, never a value), and what to do about it."""

    code: Reason
    what: str
    fix: str
    until: datetime | None = None
    """From when on it stands in the way no more, where the clinic lets a message wait for that."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """The call may go out; the rules that it passed and the grounds that it stands on, for the ledger."""

    rules: tuple[str, ...]
    consent: str | None = None
    agreement: str | None = None
    reach: Reach | None = None
    """The place among the person's messages that it is given for, where it reaches one."""

    def __bool__(self) -> Literal[True]:
        return True


@dataclass(frozen=True, slots=True)
class Denied:
    """The call may not go out; every rule that it failed, in the order of the rules."""

    reasons: tuple[Refusal, ...]
    waits_until: datetime | None = None
    """When to decide anew, where the clinic lets it wait for every one of the reasons."""

    def __bool__(self) -> Literal[False]:
        return False


class _Question(NamedTuple):
    """One call as the rules see it."""

    rule: ActionRule
    connection: ConnectionView
    purpose: Purpose
    standing: Standing
    now: datetime


Weighed = Sequence[Refusal]
_FINE: Final[Weighed] = ()


def _connection_is_active(question: _Question) -> Weighed:
    connection = question.connection
    if connection.state is not _ACTIVE:
        return [Refusal(Reason.CONNECTION_INACTIVE, connection.state, "Connect or resume the connection first.")]
    if connection.expires_at is not None and connection.expires_at <= question.now:
        return [Refusal(Reason.CONNECTION_INACTIVE, "expired", "Renew the connection's credential.")]
    if connection.reconnect_needed:
        fix = "Connect again: the vendor accepts what it granted no more."
        return [Refusal(Reason.CONNECTION_INACTIVE, "reconnect_needed", fix)]
    return _FINE


def _feature_is_on(question: _Question) -> Weighed:
    feature = question.rule.feature
    if question.connection.grant.covers(feature, now=question.now):
        return _FINE
    return [Refusal(Reason.FEATURE_OFF, feature, "Let the clinic switch this feature on.")]


def _vendor_allows_it(question: _Question) -> Weighed:
    includes, held = question.connection.includes, question.connection.provider_scopes
    missing = []
    for need in question.rule.provider_scopes:
        for scope in need:
            if includes(held, scope):
                break
        else:
            named = " or ".join(sorted(need))
            missing.append(Refusal(Reason.SCOPE_MISSING, named, "Connect again and allow this permission."))
    return missing


def _purpose_is_served(question: _Question) -> Weighed:
    if question.purpose in question.rule.purposes:
        return _FINE
    served = ", ".join(sorted(question.rule.purposes)) or "none"
    return [Refusal(Reason.PURPOSE_NOT_ALLOWED, question.purpose, f"This action serves: {served}.")]


def _purpose_is_not_denied(question: _Question) -> Weighed:
    if question.purpose not in DENIED_PURPOSES:
        return _FINE
    return [Refusal(Reason.PURPOSE_DENIED, question.purpose, "No integration may serve this purpose.")]


def _recipient_is_not_denied(question: _Question) -> Weighed:
    recipient = question.rule.recipient
    if question.rule.tracks:
        fix = "No integration may send anything to a place of advertising or tracking; use another recipient."
        return [Refusal(Reason.RECIPIENT_DENIED, recipient, fix)]
    if recipient not in question.standing.denied_recipients:
        return _FINE
    return [Refusal(Reason.RECIPIENT_DENIED, recipient, "Lift the objection to this recipient.")]


def _nothing_required_is_withheld(question: _Question) -> Weighed:
    kept_back = question.rule.required_paths & question.connection.grant.withheld
    if not kept_back:
        return _FINE
    fix = "Stop withholding this field, or withhold the whole feature."
    return [Refusal(Reason.REQUIRED_WITHHELD, path, fix) for path in sorted(kept_back)]


def _no_free_text_is_needed_that_is_off(question: _Question) -> Weighed:
    needed = question.rule.required_paths & question.rule.free_text_paths - question.connection.grant.free_text
    if not needed:
        return _FINE
    fix = "Let the clinic switch this free text on."
    return [Refusal(Reason.FREE_TEXT_REFUSED, path, fix) for path in sorted(needed)]


def _uninvited(question: _Question) -> Channel | None:
    """The channel on which a person is reached who did not just ask for it."""
    return None if question.rule.requested else question.rule.channel


def _consent_is_given(question: _Question) -> Weighed:
    channel, purpose = _uninvited(question), question.purpose
    if channel is None:
        return _FINE
    reason = consent.lacking(question.standing.consents, purpose, channel, now=question.now)
    if reason is None:
        return _FINE
    return [
        Refusal(reason, f"{channel} for {purpose}", "Ask the person, and record the consent with POST /v1/consents.")
    ]


def _agreement_holds(question: _Question) -> Weighed:
    if not _needs_agreement(question):
        return _FINE
    signed, rule = _agreements(question), question.rule
    reason = agreement.lacking(signed, now=question.now)
    if reason is None:
        return _FINE
    kind = question.standing.policy.agreement_kind
    what = f"{kind} with {rule.recipient}" if kind is not None else rule.recipient
    return [Refusal(reason, what, "Sign an agreement and record it with PUT /v1/agreements.")]


def _service_is_covered(question: _Question) -> Weighed:
    """Where an agreement holds, one that does must cover the service; where none holds, that is said already."""
    service = question.rule.service
    if service is None or not _needs_agreement(question):
        return _FINE
    holding = [each for each in _agreements(question) if each.in_force(question.now)]
    if not holding or any(each.covers(service) for each in holding):
        return _FINE
    return [Refusal(Reason.SERVICE_NOT_COVERED, service, "Use a service that the agreement covers, or extend it.")]


def _region_is_allowed(question: _Question) -> Weighed:
    outside = question.standing.policy.outside(question.rule.regions)
    if not outside:
        return _FINE
    fix = "Use a recipient that keeps the data in the regions that the clinic allows."
    return [Refusal(Reason.REGION_NOT_ALLOWED, region, fix) for region in outside]


def _template_is_registered(question: _Question) -> Weighed:
    """A message says what the clinic registered; where nothing may leave at all, that is said already."""
    rule, standing = question.rule, question.standing
    if not rule.message or standing.wording is not None:
        return _FINE
    if rule.required_paths & question.connection.grant.holds_back(rule.free_text_paths):
        return _FINE
    missing = standing.unworded or _NOTHING_TO_SAY
    return [Refusal(Reason.TEMPLATE_UNREGISTERED, missing.what, missing.fix)]


def _channel_is_lawful(question: _Question) -> Weighed:
    rule, policy = question.rule, question.standing.policy
    if rule.channel is None or not policy.bars(rule.channel, rule.categories):
        return _FINE
    fix = (
        f"Nobody signs a business associate agreement for {rule.channel}, so under the clinic's law no data about patients "
        f"may go there. Send it by {Channel.SMS}."
    )
    return [Refusal(Reason.RECIPIENT_DENIED, rule.channel, fix)]


def _quiet_hours_are_kept(question: _Question) -> Weighed:
    channel, policy = _uninvited(question), question.standing.policy
    if channel is None or policy.quiet_hours is None:
        return _FINE
    lives = consent.time_zone(question.standing.consents, question.purpose, channel, now=question.now)
    zone = zone_of(lives or policy.time_zone)
    if zone is None:  # one that was known when it was recorded: nobody can say what time it is there
        fix = "Record the consent, or the policy, with a time zone that IANA knows."
        return [Refusal(Reason.QUIET_HOURS, "an unknown time zone", fix)]
    hours = policy.quiet_hours
    end = hours.end_after(question.now, zone)
    if end is None:
        return _FINE
    what = f"{channel} from {hours}, the person's time"
    return [_for_now(Reason.QUIET_HOURS, what, f"They end at {_written(end)}.", end, hours.otherwise)]


def _caps_are_kept(question: _Question) -> Weighed:
    channel, reached, now = _uninvited(question), question.standing.reached, question.now
    if channel is None or not question.standing.policy.caps:
        return _FINE
    found = []
    for cap in question.standing.policy.caps_on(channel):
        free = cap.free_at(reached.sent, now)
        if free is not None:
            fix = f"One more may go at {_written(free)}."
            found.append(_for_now(Reason.FREQUENCY_CAP, f"{channel}: {cap}", fix, free, cap.otherwise))
    return found


def _for_now(code: Reason, what: str, fix: str, until: datetime, otherwise: Otherwise) -> Refusal:
    """A reason that passes by itself."""
    return Refusal(code, what, fix, until if otherwise is Otherwise.WAIT else None)


def _written(moment: datetime) -> str:
    # Rounded up to a second, so that whoever comes at that time does not come too early.
    return (moment.astimezone(UTC) + _ALMOST_A_SECOND).isoformat(timespec="seconds").replace("+00:00", "Z")


def needs_agreement(rule: ActionRule, policy: Policy) -> bool:
    """Whether an action needs an agreement with its recipient: its connector says so, or the clinic's law does."""
    if rule.agreement is Need.BY_LAW:
        return policy.demands_agreement(rule.categories)
    return rule.agreement is Need.ALWAYS


def _needs_agreement(question: _Question) -> bool:
    return needs_agreement(question.rule, question.standing.policy)


def _agreements(question: _Question) -> list[Agreement]:
    """What the recipient signed, of the kind that counts."""
    standing = question.standing
    return agreement.of_kind(standing.agreements.get(question.rule.recipient_id, ()), standing.policy.agreement_kind)


RULES: Final[tuple[tuple[str, Callable[[_Question], Weighed]], ...]] = (
    ("connection_active", _connection_is_active),
    ("feature_on", _feature_is_on),
    ("provider_scopes", _vendor_allows_it),
    ("purpose_served", _purpose_is_served),
    ("purpose_not_denied", _purpose_is_not_denied),
    ("recipient_not_denied", _recipient_is_not_denied),
    ("nothing_required_withheld", _nothing_required_is_withheld),
    ("free_text_on", _no_free_text_is_needed_that_is_off),
    ("consent", _consent_is_given),
    ("agreement", _agreement_holds),
    ("service_covered", _service_is_covered),
    ("region_allowed", _region_is_allowed),
    ("template_registered", _template_is_registered),
    ("channel_lawful", _channel_is_lawful),
    ("quiet_hours", _quiet_hours_are_kept),
    ("frequency_cap", _caps_are_kept),
)
_ALLOWED: Final = Allowed(tuple(name for name, _ in RULES))


def decide(
    rule: ActionRule, connection: ConnectionView, purpose: Purpose, standing: Standing, *, now: datetime
) -> Allowed | Denied:
    """Weigh one call against every rule; a refusal names all rules that fail, not only the first."""
    question = _Question(rule, connection, purpose, standing, now)
    reasons: list[Refusal] = []
    for _, weigh in RULES:
        reasons += weigh(question)
    return Denied(tuple(reasons), _waits_until(question, reasons)) if reasons else _allowed(question)


def _waits_until(question: _Question, reasons: Sequence[Refusal]) -> datetime | None:
    """The end of the last reason, and of what follows on it: a cap may end in the quiet hours. None: it does not wait."""
    found: datetime | None = None
    for _ in range(_LOOKS_AHEAD):
        ends = [reason.until for reason in reasons if reason.until is not None]
        if not ends or len(ends) < len(reasons):
            break
        found = max(ends)
        then = question._replace(now=found)
        reasons = [*_quiet_hours_are_kept(then), *_caps_are_kept(then)]
    return found


def _allowed(question: _Question) -> Allowed:
    """The permission, with the consent and the agreement that made it one."""
    rule, purpose, standing, now = question.rule, question.purpose, question.standing, question.now
    given = consent.in_force(standing.consents, purpose, rule.channel, now=now) if rule.channel is not None else None
    signed = _agreements(question) if _needs_agreement(question) else ()
    covering = next((each for each in signed if each.in_force(now) and each.covers(rule.service)), None)
    if given is None and covering is None:
        return _ALLOWED
    return Allowed(
        _ALLOWED.rules,
        given.id if given is not None else None,
        covering.id if covering is not None else None,
        _reach(rule.channel, standing, now) if _uninvited(question) is not None and rule.channel is not None else None,
    )


def _reach(channel: Channel, standing: Standing, now: datetime) -> Reach:
    """The places that the caps leave: who was let through at the same time takes one of them."""
    rooms = [cap.room(standing.reached.sent, now) for cap in standing.policy.caps_on(channel)]
    return Reach(channel, standing.reached.last + min(rooms) if rooms else None)
