"""Less grant never allows more, and a refusal names every rule that fails."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopes.agreement import Agreement, AgreementKind, Need
from scopes.cap import Cap, Reached
from scopes.consent import Channel, Consent
from scopes.decision import RULES, ActionRule, Allowed, Denied, Standing, decide
from scopes.grant import Grant
from scopes.minimize import minimize
from scopes.policy import Policy
from scopes.provider import Lattice, ProviderScope
from scopes.quiet import QuietHours
from scopes.vocabulary import Category, ConnectionState, Otherwise, Purpose, Reason
from tests.scopes.shapes import ORDER, PATHS, full_order

_NOW = datetime(2026, 11, 17, 12, tzinfo=UTC)
_LATTICE = Lattice(map(ProviderScope, ["admin", "write", "read", "other"]), [("admin", "write"), ("write", "read")])


@dataclass(frozen=True)
class _Connection:
    """A connection as a decision sees it."""

    state: ConnectionState = ConnectionState.ACTIVE
    grant: Grant = field(default_factory=Grant)
    provider_scopes: frozenset[str] = frozenset()
    includes: Callable[[frozenset[str], str], bool] = _LATTICE.includes
    expires_at: datetime | None = None
    reconnect_needed: bool = False


@dataclass(frozen=True)
class _Case:
    """Everything that a decision is made of."""

    rule: ActionRule
    connection: _Connection
    purpose: Purpose
    standing: Standing

    def decided(self) -> Allowed | Denied:
        return decide(self.rule, self.connection, self.purpose, self.standing, now=_NOW)

    def codes(self) -> set[tuple[Reason, str]]:
        decision = self.decided()
        return {(reason.code, reason.what) for reason in decision.reasons} if isinstance(decision, Denied) else set()


_PASSES = _Case(
    rule=ActionRule(
        connector="payments/stripe",
        name="refund",
        feature="refunds",
        purposes=frozenset({Purpose.HPAYMT}),
        provider_scopes=(frozenset({"write", "other"}), frozenset({"read"})),
        required_paths=frozenset({"amount", "note"}),
        categories=frozenset({Category.BILLING}),
        free_text_paths=frozenset({"note", "memo"}),
        recipient="Stripe, Inc.",
        recipient_id="payments/stripe",
        regions=frozenset({"US", "IE"}),
    ),
    connection=_Connection(
        grant=Grant(features=frozenset({"refunds", "links"}), free_text=frozenset({"note"})),
        provider_scopes=frozenset({"admin"}),
    ),
    purpose=Purpose.HPAYMT,
    standing=Standing(version=1),
)

_paths = st.frozensets(st.sampled_from(["amount", "note", "memo", "phone"]))
_purposes = st.sampled_from([Purpose.HPAYMT, Purpose.TREAT, Purpose.HMARKT])
_scopes = st.frozensets(st.sampled_from(["admin", "write", "read", "other", "unknown"]))
_expiries = st.sampled_from([None, _NOW - timedelta(1), _NOW, _NOW + timedelta(1)])
_regions = st.frozensets(st.sampled_from(["US", "IE", "IN"]))
_consents = st.builds(
    Consent,
    id=st.just("c"),
    purposes=st.frozensets(_purposes),
    channels=st.frozensets(st.sampled_from([Channel.SMS, Channel.WHATSAPP])),
    given_at=st.sampled_from([_NOW - timedelta(9), _NOW + timedelta(1)]),
    expires_at=_expiries,
    withdrawn_at=st.sampled_from([None, _NOW]),
)
_agreements = st.builds(
    Agreement,
    id=st.just("a"),
    kind=st.sampled_from(AgreementKind),
    recipient=st.just("payments/stripe"),
    services=st.frozensets(st.sampled_from(["sms", "mail"])),
    since=st.sampled_from([_NOW - timedelta(9), _NOW + timedelta(1)]),
    until=_expiries,
)
_otherwise = st.sampled_from(Otherwise)
# Noon in London, 17:30 in Kolkata, seven in New York.
_quiet = st.builds(
    QuietHours,
    begins=st.sampled_from([time(12), time(21), time(17, 30), time(7)]),
    ends=st.sampled_from([time(8), time(13), time(0)]),
    otherwise=_otherwise,
)
_caps = st.builds(
    Cap,
    channel=st.sampled_from([None, Channel.SMS, Channel.WHATSAPP]),
    most=st.integers(1, 3),
    hours=st.sampled_from([1, 24]),
    otherwise=_otherwise,
)
_moments = st.sampled_from([_NOW - timedelta(hours=hours) for hours in (0, 1, 2, 24, 25)])
_policies = st.builds(
    Policy,
    jurisdiction=st.sampled_from([None, "US", "DE"]),
    allowed_regions=st.one_of(st.none(), _regions),
    quiet_hours=st.one_of(st.none(), _quiet),
    caps=st.lists(_caps, max_size=2).map(tuple),
)
_rules = st.builds(
    ActionRule,
    connector=st.just("payments/stripe"),
    name=st.just("refund"),
    feature=st.sampled_from(["refunds", "links"]),
    purposes=st.frozensets(_purposes),
    provider_scopes=st.lists(_scopes, max_size=2).map(tuple),
    required_paths=_paths,
    categories=st.frozensets(st.sampled_from([Category.BILLING, Category.OPERATIONAL])),
    free_text_paths=_paths,
    recipient=st.sampled_from(["Stripe, Inc.", "Ads Ltd"]),
    recipient_id=st.sampled_from(["payments/stripe", ""]),
    channel=st.sampled_from([None, Channel.SMS, Channel.WHATSAPP]),
    service=st.sampled_from([None, "sms", "mail"]),
    agreement=st.sampled_from(Need),
    regions=_regions,
    tracks=st.booleans(),
)
_grants = st.builds(Grant, st.frozensets(st.sampled_from(["refunds", "links"])), _paths, st.just(1), _paths, _expiries)
_connections = st.builds(
    _Connection, st.sampled_from(ConnectionState), _grants, _scopes, st.just(_LATTICE.includes), _expiries
)
_standings = st.builds(
    Standing,
    version=st.just(1),
    denied_recipients=st.frozensets(st.just("Ads Ltd")),
    policy=_policies,
    agreements=st.fixed_dictionaries({"payments/stripe": st.lists(_agreements, max_size=2).map(tuple)}),
    consents=st.lists(_consents, max_size=3).map(tuple),
    reached=st.builds(Reached, st.just(7), st.lists(_moments, max_size=4).map(lambda sent: tuple(sorted(sent)))),
)


def _in_one_zone(case: _Case, zone: str) -> _Case:
    """The same case with the clinic and the person in one place: which of two counts is no matter of more or less."""
    standing = case.standing
    consents = tuple(replace(each, time_zone=zone) for each in standing.consents)
    return replace(case, standing=replace(standing, policy=replace(standing.policy, time_zone=zone), consents=consents))


_zones = st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York"])
_cases = st.builds(_in_one_zone, st.builds(_Case, _rules, _connections, _purposes, _standings), _zones)


def _weaker(draw: st.DrawFn, case: _Case, *, or_no_grant: bool = False) -> _Case:
    """The same case with something taken from what allows it, or added to what forbids it."""
    connection, grant = case.connection, case.connection.grant

    def less(some: frozenset[Any]) -> frozenset[Any]:
        return some - draw(st.frozensets(st.sampled_from(sorted(some)))) if some else some

    def sooner(end: datetime | None) -> datetime | None:
        return draw(_expiries.filter(lambda new: end is None or (new is not None and new <= end)))

    def fewer(some: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(each for each in some if draw(st.booleans()))

    def narrower(policy: Policy) -> Policy:
        had = policy.allowed_regions
        return replace(
            policy,
            allowed_regions=draw(st.one_of(st.none(), _regions)) if had is None else less(had),
            quiet_hours=policy.quiet_hours or draw(st.one_of(st.none(), _quiet)),
            caps=(*policy.caps, *draw(st.lists(_caps, max_size=1))),
        )

    def oftener(reached: Reached) -> Reached:
        return replace(reached, sent=tuple(sorted((*reached.sent, *draw(st.lists(_moments, max_size=2))))))

    weaker_grant = replace(
        grant,
        features=less(grant.features),
        withheld=grant.withheld | draw(_paths),
        free_text=less(grant.free_text),
        expires_at=sooner(grant.expires_at),
    )
    return _Case(
        replace(case.rule, purposes=less(case.rule.purposes), tracks=case.rule.tracks or draw(st.booleans())),
        replace(
            connection,
            state=draw(st.sampled_from([connection.state, ConnectionState.SUSPENDED])),
            grant=draw(st.sampled_from([weaker_grant, Grant()])) if or_no_grant else weaker_grant,
            provider_scopes=less(connection.provider_scopes),
            expires_at=sooner(connection.expires_at),
            reconnect_needed=connection.reconnect_needed or draw(st.booleans()),
        ),
        case.purpose,
        replace(
            case.standing,
            denied_recipients=case.standing.denied_recipients | draw(st.frozensets(st.just("Stripe, Inc."))),
            policy=narrower(case.standing.policy),
            agreements={
                name: tuple(
                    replace(each, services=less(each.services), until=sooner(each.until)) for each in fewer(signed)
                )
                for name, signed in case.standing.agreements.items()
            },
            consents=tuple(
                replace(
                    each,
                    purposes=less(each.purposes),
                    channels=less(each.channels),
                    expires_at=sooner(each.expires_at),
                    withdrawn_at=draw(st.sampled_from([each.withdrawn_at, _NOW])),
                )
                for each in fewer(case.standing.consents)
            ),
            reached=oftener(case.standing.reached),
        ),
    )


@settings(max_examples=300)
@given(st.data())
def test_taking_something_away_never_turns_a_refusal_into_a_permission(data: st.DataObject) -> None:
    case = data.draw(_cases | st.just(_PASSES))
    weaker = _weaker(data.draw, case, or_no_grant=True)
    assert not weaker.decided() or case.decided()


@given(st.data())
def test_taking_something_away_keeps_every_reason_that_there_was(data: st.DataObject) -> None:
    case = data.draw(_cases)
    weaker = _weaker(data.draw, case)
    assert _failing(case) <= _failing(weaker)


def _failing(case: _Case) -> set[str]:
    """The rules that refuse; a consent that is gone and one that was withdrawn are two reasons of one rule.

    So are an agreement that holds without the service, and none that holds.
    """
    words = {"service_not_covered": "agreement"}
    codes = {str(code) for code, _ in case.codes()}
    return {
        words.get(code, code.partition("_")[0] if code.startswith(("consent", "agreement")) else code) for code in codes
    }


def _one_rule_each(case: _Case) -> list[_Case]:
    """For each rule, a case that passes all the others and has what this rule looks at from the case given."""
    good, connection, grant = _PASSES, case.connection, case.connection.grant
    plain = replace(good.rule, required_paths=frozenset(), free_text_paths=frozenset())
    return [
        replace(
            good,
            connection=replace(
                good.connection,
                state=connection.state,
                expires_at=connection.expires_at,
                reconnect_needed=connection.reconnect_needed,
            ),
        ),
        replace(
            good,
            rule=replace(good.rule, feature=case.rule.feature),
            connection=replace(
                good.connection,
                grant=replace(good.connection.grant, features=grant.features, expires_at=grant.expires_at),
            ),
        ),
        replace(
            good,
            rule=replace(good.rule, provider_scopes=case.rule.provider_scopes),
            connection=replace(good.connection, provider_scopes=connection.provider_scopes),
        ),
        replace(good, rule=replace(good.rule, purposes=case.rule.purposes), purpose=case.purpose),
        replace(
            good,
            rule=replace(good.rule, recipient=case.rule.recipient, tracks=case.rule.tracks),
            standing=replace(good.standing, denied_recipients=case.standing.denied_recipients),
        ),
        replace(
            good,
            rule=replace(good.rule, channel=case.rule.channel, purposes=frozenset({case.purpose})),
            purpose=case.purpose,
            standing=replace(good.standing, consents=case.standing.consents),
        ),
        *(
            replace(
                good,
                rule=replace(
                    good.rule,
                    agreement=case.rule.agreement,
                    categories=case.rule.categories,
                    service=service,
                    recipient=case.rule.recipient,
                    recipient_id=case.rule.recipient_id,
                ),
                standing=replace(
                    good.standing,
                    agreements=case.standing.agreements,
                    policy=Policy(jurisdiction=case.standing.policy.jurisdiction),
                ),
            )
            for service in (None, case.rule.service)
        ),
        replace(
            good,
            rule=replace(good.rule, regions=case.rule.regions),
            standing=replace(good.standing, policy=Policy(allowed_regions=case.standing.policy.allowed_regions)),
        ),
        *_limits_each(good, case),
        replace(
            good,
            rule=replace(plain, required_paths=case.rule.required_paths),
            connection=replace(good.connection, grant=replace(good.connection.grant, withheld=grant.withheld)),
        ),
        replace(
            good,
            rule=replace(plain, required_paths=case.rule.required_paths, free_text_paths=case.rule.free_text_paths),
            connection=replace(good.connection, grant=replace(good.connection.grant, free_text=grant.free_text)),
        ),
    ]


def _limits_each(good: _Case, case: _Case) -> list[_Case]:
    """The law on channels, the quiet hours and the caps, each alone on a message that is consented to."""
    rule, policy = case.rule, case.standing.policy
    reaching = replace(
        good.rule,
        channel=rule.channel,
        categories=rule.categories,
        purposes=frozenset({case.purpose}),
        agreement=Need.NEVER,
    )
    given = Consent(
        id="c", purposes=reaching.purposes, channels=frozenset(Channel), given_at=_NOW, time_zone=policy.time_zone
    )  # fmt: skip
    return [
        replace(
            good,
            rule=reaching,
            purpose=case.purpose,
            standing=replace(good.standing, consents=(given,), policy=kept, reached=case.standing.reached),
        )
        for kept in (
            Policy(jurisdiction=policy.jurisdiction),
            Policy(quiet_hours=policy.quiet_hours),
            Policy(caps=policy.caps),
        )
    ]


@settings(max_examples=300)
@given(_cases)
def test_a_message_waits_where_the_clinic_lets_it_for_every_reason_and_never_otherwise(case: _Case) -> None:
    decision = case.decided()
    if isinstance(decision, Denied):
        waits = all(reason.until is not None for reason in decision.reasons)
        assert (decision.waits_until is not None) == waits
        passing = {Reason.QUIET_HOURS, Reason.FREQUENCY_CAP}
        assert not waits or {reason.code for reason in decision.reasons} <= passing
        if decision.waits_until is not None:
            assert decision.waits_until > _NOW
            assert all(reason.until is not None and reason.until <= decision.waits_until for reason in decision.reasons)


@settings(max_examples=300)
@given(_cases)
def test_a_refusal_names_every_rule_that_fails_and_no_other(case: _Case) -> None:
    alone = [single.codes() for single in _one_rule_each(case)]
    assert case.codes() == set().union(*alone)
    assert bool(case.decided()) == (not any(alone))


def test_a_permission_lists_the_rules_that_it_passed() -> None:
    decision = _PASSES.decided()
    assert decision == Allowed(tuple(name for name, _ in RULES))
    assert decision


def test_a_grant_by_default_allows_nothing() -> None:
    denied = replace(_PASSES, connection=replace(_PASSES.connection, grant=Grant())).decided()
    assert not denied
    assert isinstance(denied, Denied)
    assert denied.reasons[0].code is Reason.FEATURE_OFF


@pytest.mark.parametrize("purpose", Purpose)
def test_an_action_without_purposes_serves_none(purpose: Purpose) -> None:
    case = replace(_PASSES, rule=replace(_PASSES.rule, purposes=frozenset()), purpose=purpose)
    assert (Reason.PURPOSE_NOT_ALLOWED, purpose) in case.codes()


def test_marketing_is_denied_even_where_an_action_claims_to_serve_it() -> None:
    case = replace(_PASSES, rule=replace(_PASSES.rule, purposes=frozenset(Purpose)), purpose=Purpose.HMARKT)
    assert case.codes() == {(Reason.PURPOSE_DENIED, "HMARKT")}


def test_a_need_without_alternatives_is_never_met() -> None:
    case = replace(_PASSES, rule=replace(_PASSES.rule, provider_scopes=(frozenset(),)))
    assert case.codes() == {(Reason.SCOPE_MISSING, "")}


@pytest.mark.parametrize(("after", "allowed"), [(-1, False), (0, False), (1, True)])
def test_what_has_expired_counts_no_more(after: int, allowed: bool) -> None:
    end = _NOW + timedelta(seconds=after)
    connection = _PASSES.connection
    assert bool(replace(_PASSES, connection=replace(connection, expires_at=end)).decided()) is allowed
    expiring = replace(connection, grant=replace(connection.grant, expires_at=end))
    assert bool(replace(_PASSES, connection=expiring).decided()) is allowed


def test_what_the_vendor_accepts_no_more_is_not_called() -> None:
    ended = replace(_PASSES, connection=replace(_PASSES.connection, reconnect_needed=True))
    assert ended.codes() == {(Reason.CONNECTION_INACTIVE, "reconnect_needed")}


def test_every_reason_says_what_to_do() -> None:
    worst = _Case(
        replace(_PASSES.rule, purposes=frozenset(), recipient="Ads Ltd"),
        _Connection(ConnectionState.REVOKED, Grant(withheld=frozenset({"amount"}))),
        Purpose.HMARKT,
        Standing(version=1, denied_recipients=frozenset({"Ads Ltd"})),
    ).decided()
    assert isinstance(worst, Denied)
    assert [reason.code for reason in worst.reasons] == [
        Reason.CONNECTION_INACTIVE,
        Reason.FEATURE_OFF,
        Reason.SCOPE_MISSING,
        Reason.SCOPE_MISSING,
        Reason.PURPOSE_NOT_ALLOWED,
        Reason.PURPOSE_DENIED,
        Reason.RECIPIENT_DENIED,
        Reason.REQUIRED_WITHHELD,
        Reason.FREE_TEXT_REFUSED,
    ]
    assert all(reason.fix.endswith(".") for reason in worst.reasons)


@settings(max_examples=200)
@given(st.frozensets(st.sampled_from(PATHS)), st.frozensets(st.just("note")))
def test_what_minimize_leaves_out_whole_is_what_decide_refuses(
    withheld: frozenset[str], free_text: frozenset[str]
) -> None:
    grant = Grant(features=frozenset({"refunds"}), withheld=withheld, free_text=free_text)
    rule = replace(_PASSES.rule, required_paths=ORDER.required_paths, free_text_paths=ORDER.free_text_paths)
    case = replace(_PASSES, rule=rule, connection=replace(_PASSES.connection, grant=grant))
    copied = minimize(ORDER, full_order, grant.holds_back(ORDER.free_text_paths))
    assert bool(case.decided()) == bool(copied.values)
    assert not (grant.holds_back(["note"]) & {path for path, _ in copied.sent})
    assert ("note" in copied.values) == (bool(copied.values) and "note" in free_text - withheld)
