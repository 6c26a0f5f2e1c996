"""A record goes only where every rule of the patient's consent lets it, and a refusal names every rule that does not."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopes.artefact import (
    RECORD_RULES,
    REQUEST_RULES,
    Artefact,
    Frequency,
    Record,
    Request,
    State,
    Visit,
    admits,
    joined,
    release,
)
from scopes.decision import Allowed, Denied, Refusal
from scopes.vocabulary import Reason

NOW = datetime(2027, 1, 4, 9, tzinfo=UTC)
DAY = timedelta(days=1)
VISIT, OTHER = Visit("P-1", "V-1"), Visit("P-1", "V-2")


@dataclass(frozen=True)
class Case:
    """Everything that a release is made of."""

    artefact: Artefact | None
    request: Request
    record: Record
    before: tuple[datetime, ...] = ()
    now: datetime = NOW

    def decided(self) -> Allowed | Denied:
        return release(self.artefact, self.request, self.record, self.before, now=self.now)

    def codes(self) -> list[Reason]:
        decision = self.decided()
        return [each.code for each in decision.reasons] if isinstance(decision, Denied) else []

    def with_artefact(self, **changes: Any) -> "Case":
        assert self.artefact is not None
        return replace(self, artefact=replace(self.artefact, **changes))

    def with_request(self, **changes: Any) -> "Case":
        return replace(self, request=replace(self.request, **changes))

    def with_record(self, **changes: Any) -> "Case":
        return replace(self, record=replace(self.record, **changes))


PASSES = Case(
    Artefact(
        id="c-1", state=State.GRANTED, hiu="hiu-1", purpose="CAREMGT", subject="s-1", visits=frozenset({VISIT}),
        kinds=frozenset({"Prescription"}), since=NOW - 30 * DAY, until=NOW, erase_at=NOW + DAY,
        frequency=Frequency(2, 24, 5),
    ),
    Request(hiu="hiu-1", purpose="CAREMGT", since=NOW - 20 * DAY, until=NOW - DAY),
    Record(visit=VISIT, subject="s-1", kind="Prescription", since=NOW - 3 * DAY, until=NOW - 2 * DAY),
)  # fmt: skip

# Each breaks one rule and no other.
BREAKS: dict[str, tuple[Callable[[Case], Case], Reason]] = {
    "it was revoked": (lambda case: case.with_artefact(state=State.REVOKED), Reason.CONSENT_WITHDRAWN),
    "it was taken back here": (lambda case: case.with_artefact(state=State.WITHDRAWN), Reason.CONSENT_WITHDRAWN),
    "the network let it expire": (lambda case: case.with_artefact(state=State.EXPIRED), Reason.CONSENT_EXPIRED),
    "it was denied": (lambda case: case.with_artefact(state=State.DENIED), Reason.CONSENT_MISSING),
    "its time is over": (lambda case: case.with_artefact(erase_at=NOW), Reason.CONSENT_EXPIRED),
    "it is for another purpose": (lambda case: case.with_request(purpose="HPAYMT"), Reason.PURPOSE_NOT_ALLOWED),
    "its purpose is none": (lambda case: case.with_request(purpose=None), Reason.PURPOSE_NOT_ALLOWED),
    "it names nobody": (lambda case: case.with_artefact(hiu=None).with_request(hiu=None), Reason.RECIPIENT_UNNAMED),
    "it names somebody else": (lambda case: case.with_artefact(hiu="hiu-2"), Reason.RECIPIENT_UNNAMED),
    "the range begins before": (lambda case: case.with_request(since=NOW - 31 * DAY), Reason.RANGE_NOT_COVERED),
    "the range ends after": (lambda case: case.with_request(until=NOW + DAY), Reason.RANGE_NOT_COVERED),
    "it was asked twice today": (lambda case: replace(case, before=(NOW - DAY / 2, NOW - DAY / 4)), Reason.FREQUENCY_CAP),
    "it was asked five times": (lambda case: replace(case, before=(NOW - 9 * DAY,) * 5), Reason.FREQUENCY_CAP),
    "another visit": (lambda case: case.with_record(visit=OTHER), Reason.RECORD_NOT_NAMED),
    "another patient": (lambda case: case.with_record(subject="s-2"), Reason.RECORD_NOT_NAMED),
    "another kind": (lambda case: case.with_record(kind="Invoice"), Reason.RECORD_KIND_NOT_COVERED),
    "an older document": (lambda case: case.with_record(since=NOW - 25 * DAY), Reason.RECORD_DATE_NOT_COVERED),
    "a newer document": (lambda case: case.with_record(until=NOW - DAY / 2), Reason.RECORD_DATE_NOT_COVERED),
}  # fmt: skip


def test_what_passes_every_rule_is_released_and_names_them_with_its_consent() -> None:
    assert PASSES.decided() == Allowed(tuple(name for name, _ in (*REQUEST_RULES, *RECORD_RULES)), consent="c-1")


@pytest.mark.parametrize("broken", BREAKS)
def test_each_rule_refuses_by_itself(broken: str) -> None:
    breaks, reason = BREAKS[broken]
    assert breaks(PASSES).codes() == [reason]


# At most one of each is broken at a time: two of one would undo each other.
GROUPS = (
    ("it was revoked", "it was taken back here", "the network let it expire", "it was denied"),
    ("its time is over",),
    ("it is for another purpose", "its purpose is none"),
    ("it names nobody", "it names somebody else"),
    ("the range begins before", "the range ends after", "an older document", "a newer document"),
    ("it was asked twice today", "it was asked five times"),
    ("another visit", "another patient"),
    ("another kind",),
)


@given(st.tuples(*(st.none() | st.sampled_from(group) for group in GROUPS)))
def test_every_rule_that_refuses_is_named_and_one_is_enough(broken: tuple[str | None, ...]) -> None:
    case, named = PASSES, list(filter(None, broken))
    for each in named:
        case = BREAKS[each][0](case)
    assert bool(case.decided()) == (not named)
    assert sorted(case.codes()) == sorted(BREAKS[each][1] for each in named)
    assert {each for group in GROUPS for each in group} == set(BREAKS)


moments = st.integers(-60, 60).map(lambda days: NOW + days * DAY)
visits = st.sampled_from([VISIT, OTHER, Visit("P-2", "V-1")])
frequencies = st.builds(Frequency, st.integers(0, 3), st.integers(1, 48), st.integers(0, 3))
artefacts = st.builds(
    Artefact, id=st.just("c"), state=st.sampled_from(State), hiu=st.sampled_from([None, "a", "b"]),
    purpose=st.sampled_from(["CAREMGT", "PATRQT"]), subject=st.sampled_from(["s", "t"]), visits=st.frozensets(visits),
    kinds=st.frozensets(st.sampled_from(["Prescription", "Invoice"])), since=moments, until=moments, erase_at=moments,
    frequency=st.none() | frequencies,
)  # fmt: skip
cases = st.builds(
    Case, artefacts,
    st.builds(Request, hiu=st.sampled_from([None, "a", "b"]), purpose=st.sampled_from([None, "CAREMGT", "PATRQT"]),
              since=moments, until=moments),
    st.builds(Record, visit=visits, subject=st.sampled_from(["s", "t"]), kind=st.sampled_from(["Prescription", "Invoice"]),
              since=moments, until=moments),
    st.lists(moments, max_size=4).map(tuple),
)  # fmt: skip


@given(cases | cases.map(lambda case: PASSES), st.data())
def test_less_consent_never_allows_more(case: Case, data: st.DataObject) -> None:
    assert case.artefact is not None
    wide = case.artefact
    frequency = wide.frequency or Frequency(9, 1, 0)
    narrower = data.draw(
        st.sampled_from(
            [
                replace(
                    wide, visits=frozenset(data.draw(st.sets(st.sampled_from([*wide.visits, OTHER])))) & wide.visits
                ),
                replace(wide, kinds=frozenset()),
                replace(wide, since=wide.since + DAY),
                replace(wide, until=wide.until - DAY),
                replace(wide, erase_at=wide.erase_at - DAY),
                replace(wide, hiu=None),
                replace(wide, state=State.REVOKED),
                replace(wide, frequency=replace(frequency, value=frequency.value - 1) if wide.frequency else frequency),
                replace(
                    wide, frequency=replace(frequency, hours=frequency.hours + 24) if wide.frequency else frequency
                ),
            ]
        )
    )
    if replace(case, artefact=narrower).decided():
        assert case.decided()
    stays = set(case.codes()) - {Reason.CONSENT_EXPIRED, Reason.CONSENT_MISSING}  # of one that is revoked it says that
    assert stays <= set(replace(case, artefact=narrower).codes())


@given(cases, st.lists(moments, min_size=1, max_size=3).map(tuple))
def test_requests_that_were_made_before_never_let_one_more_through(case: Case, more: tuple[datetime, ...]) -> None:
    if replace(case, before=(*case.before, *more)).decided():
        assert case.decided()


@given(cases)
def test_what_is_refused_as_a_whole_is_refused_for_every_record(case: Case) -> None:
    whole = admits(case.artefact, case.request, case.before, now=case.now)
    if not whole:
        assert not case.decided()
        assert isinstance(whole, Denied)
        assert {each.code for each in whole.reasons} <= set(case.codes())


@given(cases)
def test_a_record_goes_only_as_the_consent_says_read_by_another_hand(case: Case) -> None:
    """The rules once more, written as one sentence."""
    a, q, r = case.artefact, case.request, case.record
    assert a is not None
    lately = [each for each in case.before if a.frequency and each > case.now - timedelta(hours=a.frequency.hours)]
    expected = (
        a.state is State.GRANTED and case.now < a.erase_at and q.purpose == a.purpose and q.hiu == a.hiu is not None
        and a.since <= q.since and q.until <= a.until and q.since <= r.since <= r.until <= q.until
        and r.visit in a.visits and r.kind in a.kinds and r.subject == a.subject
        and (a.frequency is None or (len(lately) < a.frequency.value
             and (a.frequency.repeats == 0 or len(case.before) < a.frequency.repeats)))
    )  # fmt: skip
    assert bool(case.decided()) == expected


def test_a_consent_that_nobody_knows_releases_nothing() -> None:
    assert replace(PASSES, artefact=None).codes() == [Reason.CONSENT_MISSING]


def test_one_decision_says_the_reasons_of_the_clinic_and_of_the_consent() -> None:
    clinics = Denied((Refusal(Reason.FEATURE_OFF, "records", "Switch it on."),), waits_until=NOW)
    patients = PASSES.with_artefact(state=State.REVOKED).decided()
    both = joined(clinics, patients)
    assert isinstance(both, Denied)
    assert [each.code for each in both.reasons] == [Reason.FEATURE_OFF, Reason.CONSENT_WITHDRAWN]
    assert both.waits_until is None, "a record never waits for a clinic's quiet hours"
    allowed = Allowed(("feature_on",), agreement="a-1")
    assert not joined(allowed, patients)
    assert not joined(clinics, PASSES.decided())
    whole = joined(allowed, PASSES.decided())
    assert isinstance(whole, Allowed)
    assert (whole.consent, whole.agreement, whole.rules[0], whole.rules[-1]) == (
        "c-1", "a-1", "feature_on", "record_dates",
    )  # fmt: skip
