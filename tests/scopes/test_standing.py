"""Consent, agreement and region, case by case: what holds, what does not, and the reason that is told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from scopes.agreement import Agreement, AgreementKind, Need
from scopes.consent import Channel, Consent
from scopes.decision import ActionRule, Allowed, Denied, Standing, decide
from scopes.grant import Grant
from scopes.policy import ABOUT_PATIENTS, Policy
from scopes.vocabulary import Category, ConnectionState, Purpose, Reason
from scopes.wording import Encoding, Unworded, Wording

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
GIVEN = Consent(
    id="c-1", purposes=frozenset({Purpose.TREAT}), channels=frozenset({Channel.SMS}), given_at=NOW - HOUR
)  # fmt: skip
BAA = Agreement(
    id="a-1", kind=AgreementKind.BAA, recipient="messaging/one", services=frozenset({"sms"}), since=NOW - HOUR
)  # fmt: skip
RULE = ActionRule(
    connector="messaging/one",
    name="send_reminder",
    feature="reminders",
    purposes=frozenset({Purpose.TREAT, Purpose.HPAYMT}),
    provider_scopes=(),
    required_paths=frozenset(),
    categories=frozenset({Category.CONTACT}),
    free_text_paths=frozenset(),
    recipient="One Ltd",
    recipient_id="messaging/one",
    channel=Channel.SMS,
    service="sms",
    agreement=Need.ALWAYS,
    regions=frozenset({"US", "IE"}),
)


class Connection:
    """A connection that has nothing against it."""

    state = ConnectionState.ACTIVE
    grant = Grant(features=frozenset({"reminders"}))
    provider_scopes: frozenset[str] = frozenset()
    expires_at = None
    reconnect_needed = False

    @staticmethod
    def includes(held: frozenset[str], needed: str) -> bool:
        return False


def decided(rule: ActionRule = RULE, purpose: Purpose = Purpose.TREAT, **standing: object) -> Allowed | Denied:
    """Decide with one good consent and a BAA, but for what is given otherwise."""
    signed = standing.pop("signed", (BAA,))
    whole = Standing(version=1, agreements={"messaging/one": signed}, **{"consents": (GIVEN,), **standing})  # type: ignore[arg-type, dict-item]
    return decide(rule, Connection(), purpose, whole, now=NOW)


def codes(decision: Allowed | Denied) -> list[str]:
    return [str(reason.code) for reason in decision.reasons] if isinstance(decision, Denied) else []


def test_a_permission_names_the_consent_and_the_agreement_that_it_stands_on() -> None:
    decision = decided()
    assert isinstance(decision, Allowed)
    assert (decision.consent, decision.agreement) == ("c-1", "a-1")


@pytest.mark.parametrize(
    ("consents", "reason"),
    [
        ((), "consent_missing"),
        ((replace(GIVEN, channels=frozenset({Channel.WHATSAPP})),), "consent_missing"),
        ((replace(GIVEN, purposes=frozenset({Purpose.HPAYMT})),), "consent_missing"),
        ((replace(GIVEN, purposes=frozenset(), channels=frozenset()),), "consent_missing"),
        ((replace(GIVEN, given_at=NOW + HOUR),), "consent_missing"),
        ((replace(GIVEN, expires_at=NOW),), "consent_expired"),
        ((replace(GIVEN, withdrawn_at=NOW),), "consent_withdrawn"),
        ((replace(GIVEN, withdrawn_at=NOW, expires_at=NOW - HOUR),), "consent_withdrawn"),
        ((replace(GIVEN, expires_at=NOW), replace(GIVEN, withdrawn_at=NOW)), "consent_withdrawn"),
    ],
)
def test_without_a_consent_in_force_the_most_telling_reason_is_given(
    consents: tuple[Consent, ...], reason: str
) -> None:
    assert codes(decided(consents=consents)) == [reason]


def test_one_consent_in_force_is_enough_whatever_became_of_others() -> None:
    assert decided(consents=(replace(GIVEN, withdrawn_at=NOW), replace(GIVEN, expires_at=NOW), GIVEN))
    assert decided(consents=(replace(GIVEN, expires_at=NOW + HOUR),))


def test_a_withdrawal_counts_even_where_the_clock_runs_late() -> None:
    assert codes(decided(consents=(replace(GIVEN, withdrawn_at=NOW + HOUR),))) == ["consent_withdrawn"]


def test_an_action_that_reaches_nobody_weighs_no_consent() -> None:
    assert decided(replace(RULE, channel=None), consents=())


@pytest.mark.parametrize(
    ("signed", "reason"),
    [
        ((), "agreement_missing"),
        ((replace(BAA, since=NOW + HOUR),), "agreement_missing"),
        ((replace(BAA, until=NOW),), "agreement_expired"),
        ((replace(BAA, services=frozenset({"mail"})),), "service_not_covered"),
        ((replace(BAA, services=frozenset()),), "service_not_covered"),
        ((replace(BAA, until=NOW), replace(BAA, services=frozenset({"mail"}))), "service_not_covered"),
    ],
)
def test_without_an_agreement_that_covers_the_service_the_call_is_refused(
    signed: tuple[Agreement, ...], reason: str
) -> None:
    assert codes(decided(signed=signed)) == [reason]


def test_an_agreement_with_another_recipient_covers_nothing() -> None:
    assert codes(decided(replace(RULE, recipient_id="messaging/two"))) == ["agreement_missing"]
    assert codes(decided(replace(RULE, recipient_id=""))) == ["agreement_missing"]


def test_where_the_law_asks_for_a_baa_a_dpa_is_not_enough() -> None:
    signed = (replace(BAA, kind=AgreementKind.DPA),)
    assert decided(signed=signed)
    assert codes(decided(signed=signed, policy=Policy(jurisdiction="US"))) == ["agreement_missing"]
    assert decided(policy=Policy(jurisdiction="US"))


@pytest.mark.parametrize("category", Category)
def test_a_law_asks_for_an_agreement_for_data_about_patients_only(category: Category) -> None:
    rule = replace(RULE, agreement=Need.BY_LAW, categories=frozenset({category}))
    about_patients = category in ABOUT_PATIENTS
    assert bool(decided(rule, signed=(), policy=Policy(jurisdiction="US"))) is not about_patients
    assert decided(rule, signed=())
    assert about_patients is (category not in {Category.STAFF, Category.SCHEDULE, Category.OPERATIONAL})


def test_a_connector_that_needs_none_is_asked_for_no_agreement() -> None:
    assert decided(replace(RULE, agreement=Need.NEVER), signed=(), policy=Policy(jurisdiction="US"))


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        (None, []),
        ({"US", "IE", "IN"}, []),
        ({"IE"}, ["US"]),
        ({"IN"}, ["IE", "US"]),
        (set(), ["IE", "US"]),
    ],
)
def test_every_region_of_the_recipient_must_be_allowed(allowed: set[str] | None, refused: list[str]) -> None:
    policy = Policy(allowed_regions=None if allowed is None else frozenset(allowed))
    decision = decided(policy=policy)
    told = [(reason.code, reason.what) for reason in decision.reasons] if isinstance(decision, Denied) else []
    assert told == [(Reason.REGION_NOT_ALLOWED, region) for region in refused]


def test_a_recipient_that_names_no_region_is_in_none_that_is_allowed() -> None:
    rule = replace(RULE, regions=frozenset())
    assert codes(decided(rule, policy=Policy(allowed_regions=frozenset({"IN"})))) == ["region_not_allowed"]
    assert decided(rule)


def test_every_reason_is_told_at_once() -> None:
    policy = Policy(jurisdiction="US", allowed_regions=frozenset({"IN"}))
    decision = decided(consents=(), signed=(), policy=policy)
    assert codes(decision) == ["consent_missing", "agreement_missing", "region_not_allowed", "region_not_allowed"]
    assert isinstance(decision, Denied)
    assert all(reason.fix.endswith(".") for reason in decision.reasons)


# Messages -----------------------------------------------------------------------------------------------------------------

MESSAGE = replace(RULE, message=True, required_paths=frozenset({"phone"}))
WORDS = Wording(
    template="reminder", version=1, language="en", channel=Channel.SMS, text="Hello", segments=1, encoding=Encoding.GSM7
)  # fmt: skip


def test_a_message_with_the_clinics_words_goes() -> None:
    decision = decided(MESSAGE, wording=WORDS)
    assert isinstance(decision, Allowed)
    assert "template_registered" in decision.rules


def test_a_message_without_words_is_refused_and_told_what_is_missing() -> None:
    assert codes(decided(MESSAGE)) == ["template_unregistered"]
    decision = decided(MESSAGE, unworded=Unworded("reminder: no DLT registration", "Register it."))
    assert isinstance(decision, Denied)
    (reason,) = decision.reasons
    assert (reason.what, reason.fix) == ("reminder: no DLT registration", "Register it.")


def test_nothing_but_a_message_needs_words() -> None:
    assert codes(decided(wording=None)) == []


def test_a_message_whose_required_field_is_withheld_is_told_that_alone() -> None:
    class Withholding(Connection):
        grant = Grant(features=frozenset({"reminders"}), withheld=frozenset({"phone"}))

    whole = Standing(version=1, agreements={"messaging/one": (BAA,)}, consents=(GIVEN,))
    assert codes(decide(MESSAGE, Withholding(), Purpose.TREAT, whole, now=NOW)) == ["required_withheld"]
