"""Quiet hours on every sort of day: by the person's clock, over midnight, where clocks are put forward, back or a day on."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopes.cap import Cap, Reached
from scopes.consent import Channel
from scopes.decision import Denied
from scopes.policy import Policy
from scopes.quiet import QuietHours, zone_of
from scopes.vocabulary import Otherwise, Reason
from tests.scopes.test_standing import GIVEN, NOW, codes, decided

NIGHT = QuietHours(begins=time(21), ends=time(8))
MINUTE = timedelta(minutes=1)
NEW_YORK, LONDON = "America/New_York", "Europe/London"


def ends(hours: QuietHours, now: str, zone: str) -> str | None:
    """When the quiet ends, both moments in UTC."""
    place = zone_of(zone)
    assert place is not None
    end = hours.end_after(datetime.fromisoformat(now).replace(tzinfo=UTC), place)
    return end.strftime("%Y-%m-%dT%H:%M:%S") if end is not None else None


@pytest.mark.parametrize(
    ("now", "zone", "end"),
    [
        ("2026-11-22T20:59:59.999999", "UTC", None),
        ("2026-11-22T21:00:00", "UTC", "2026-11-23T08:00:00"),
        ("2026-11-23T00:00:00", "UTC", "2026-11-23T08:00:00"),
        ("2026-11-23T07:59:59.999999", "UTC", "2026-11-23T08:00:00"),
        ("2026-11-23T08:00:00", "UTC", None),
        ("2026-11-22T15:29:59", "Asia/Kolkata", None),
        ("2026-11-22T15:30:00", "Asia/Kolkata", "2026-11-23T02:30:00"),
        ("2026-11-23T02:30:00", "Asia/Kolkata", None),
    ],
)
def test_quiet_begins_and_ends_at_the_very_moment(now: str, zone: str, end: str | None) -> None:
    assert ends(NIGHT, now, zone) == end


def test_quiet_hours_may_lie_within_one_day() -> None:
    siesta = QuietHours(begins=time(13), ends=time(15, 30))
    assert ends(siesta, "2026-11-22T14:00:00", "UTC") == "2026-11-22T15:30:00"
    assert ends(siesta, "2026-11-22T15:30:00", "UTC") is None
    assert ends(siesta, "2026-11-22T23:00:00", "UTC") is None


@pytest.mark.parametrize(
    ("hours", "now", "zone", "end"),
    [
        # 8 March 2026: in New York 02:00 EST is followed by 03:00 EDT, at 07:00 UTC.
        (NIGHT, "2026-03-08T04:00:00", NEW_YORK, "2026-03-08T12:00:00"),
        (QuietHours(begins=time(21), ends=time(2, 30)), "2026-03-08T06:59:59", NEW_YORK, "2026-03-08T07:00:00"),
        (QuietHours(begins=time(21), ends=time(2, 30)), "2026-03-08T07:00:00", NEW_YORK, None),
        (QuietHours(begins=time(2, 30), ends=time(8)), "2026-03-08T06:59:59", NEW_YORK, None),
        (QuietHours(begins=time(2, 30), ends=time(8)), "2026-03-08T07:00:00", NEW_YORK, "2026-03-08T12:00:00"),
        (QuietHours(begins=time(2, 10), ends=time(2, 40)), "2026-03-08T07:00:00", NEW_YORK, None),
        # 1 November 2026: 02:00 EDT is followed by 01:00 EST, at 06:00 UTC; 01:30 is shown at 05:30 and 06:30.
        (NIGHT, "2026-11-01T02:00:00", NEW_YORK, "2026-11-01T13:00:00"),
        (QuietHours(begins=time(21), ends=time(1, 30)), "2026-11-01T05:29:00", NEW_YORK, "2026-11-01T06:30:00"),
        (QuietHours(begins=time(21), ends=time(1, 30)), "2026-11-01T06:29:00", NEW_YORK, "2026-11-01T06:30:00"),
        (QuietHours(begins=time(21), ends=time(1, 30)), "2026-11-01T06:30:00", NEW_YORK, None),
        (QuietHours(begins=time(1, 30), ends=time(8)), "2026-11-01T05:29:00", NEW_YORK, None),
        (QuietHours(begins=time(1, 30), ends=time(8)), "2026-11-01T06:10:00", NEW_YORK, "2026-11-01T13:00:00"),
        # Samoa went from the end of 29 December 2011 to the beginning of the 31st, at 10:00 UTC on the 30th.
        (NIGHT, "2011-12-30T08:00:00", "Pacific/Apia", "2011-12-30T18:00:00"),
    ],
)
def test_quiet_is_kept_where_clocks_are_changed(hours: QuietHours, now: str, zone: str, end: str | None) -> None:
    assert ends(hours, now, zone) == end


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([NEW_YORK, LONDON, "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata", "Pacific/Apia"]),
    st.sampled_from(["2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31", "2011-12-29"]),
    st.times(),
    st.times(),
)
def test_no_moment_is_free_at_which_the_clock_shows_quiet_hours_and_none_is_quiet_for_another_reason(
    zone: str, day: str, begins: time, end: time
) -> None:
    begins, end = (each.replace(second=0, microsecond=0) for each in (begins, end))
    place = zone_of(zone)
    if begins == end or place is None:
        return
    hours = QuietHours(begins=begins, ends=end)
    now = datetime.fromisoformat(day).replace(tzinfo=UTC)
    for _ in range(0, 60 * 60, 7):
        now += 7 * MINUTE
        shown, quiet = now.astimezone(place), hours.end_after(now, place)
        inside = begins <= shown.time() < end if begins < end else not end <= shown.time() < begins
        # Twice shown: quiet is one stretch, so a moment between the two may be quiet though the clock shows later.
        twice = any(
            (now + off).astimezone(place).utcoffset() != shown.utcoffset() for off in (-180 * MINUTE, 180 * MINUTE)
        )
        assert quiet is not None or not inside
        assert quiet is None or inside or twice
        if quiet is not None:
            assert now < quiet <= now + timedelta(days=2)
            assert hours.end_after(quiet, place) is None
            assert hours.end_after(quiet - timedelta(seconds=1), place) == quiet


@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "../etc/passwd", "America", "/Europe/Oslo", "Europe/Oslo\0"])
def test_what_is_no_time_zone_is_none(name: str) -> None:
    assert zone_of(name) is None


def test_hours_that_never_end_are_refused() -> None:
    with pytest.raises(ValueError, match="never end"):
        QuietHours(begins=time(8), ends=time(8))


# What a decision makes of it ---------------------------------------------------------------------------------------------


def test_the_zone_of_the_consent_in_force_counts_and_else_the_clinics() -> None:
    evening = Policy(quiet_hours=NIGHT, time_zone="Asia/Kolkata")  # 17:30 there, 21:00 in Tokyo
    assert decided(policy=evening)
    assert codes(decided(policy=evening, consents=(replace(GIVEN, time_zone="Asia/Tokyo"),))) == ["quiet_hours"]
    assert decided(policy=replace(evening, time_zone="Asia/Tokyo"), consents=(replace(GIVEN, time_zone="UTC"),))
    withdrawn = replace(GIVEN, time_zone="Asia/Tokyo", withdrawn_at=NOW)
    assert decided(policy=evening, consents=(withdrawn, GIVEN))
    moved = replace(GIVEN, time_zone="Asia/Tokyo", given_at=NOW - timedelta(seconds=1))
    lived = replace(GIVEN, time_zone="UTC")
    for consents in ((lived, moved), (moved, lived)):
        assert codes(decided(policy=evening, consents=consents)) == ["quiet_hours"]


def test_a_refusal_names_the_local_window_and_when_it_ends_and_not_where_the_person_lives() -> None:
    decision = decided(policy=Policy(quiet_hours=NIGHT), consents=(replace(GIVEN, time_zone="Asia/Tokyo"),))
    assert isinstance(decision, Denied)
    (reason,) = decision.reasons
    assert reason.code is Reason.QUIET_HOURS
    assert reason.what == "sms from 21:00 until 08:00, the person's time"
    assert "2026-11-22T23:00:00Z" in reason.fix
    assert "Tokyo" not in reason.what + reason.fix
    assert decision.waits_until == datetime(2026, 11, 22, 23, tzinfo=UTC)


def test_where_the_clinic_says_so_it_is_refused_and_does_not_wait() -> None:
    hours = replace(NIGHT, otherwise=Otherwise.REFUSE)
    decision = decided(policy=Policy(quiet_hours=hours, time_zone="Asia/Tokyo"))
    assert isinstance(decision, Denied)
    assert (codes(decision), decision.waits_until) == (["quiet_hours"], None)


def test_a_zone_that_nobody_knows_any_more_refuses_and_never_waits() -> None:
    decision = decided(policy=Policy(quiet_hours=NIGHT, time_zone="Europe/Atlantis"))
    assert isinstance(decision, Denied)
    assert (codes(decision), decision.waits_until) == (["quiet_hours"], None)


def test_a_message_waits_for_the_last_of_its_reasons_and_for_what_follows_on_it() -> None:
    cap = Cap(most=1, hours=10)
    policy = Policy(quiet_hours=NIGHT, caps=(cap,))
    sent = Reached(1, (NOW - timedelta(minutes=30),))
    decision = decided(policy=policy, reached=sent)  # free at 21:30, when it is quiet
    assert isinstance(decision, Denied)
    assert codes(decision) == ["frequency_cap"]
    assert decision.waits_until == datetime(2026, 11, 23, 8, tzinfo=UTC)


def test_one_reason_that_does_not_pass_keeps_a_message_from_waiting() -> None:
    decision = decided(policy=Policy(quiet_hours=NIGHT, time_zone="Asia/Tokyo"), signed=())
    assert isinstance(decision, Denied)
    assert (codes(decision), decision.waits_until) == (["agreement_missing", "quiet_hours"], None)


# Caps ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ages", "most", "free"),
    [
        ((), 1, None),
        ((timedelta(hours=24),), 1, None),
        ((timedelta(hours=24) - timedelta(microseconds=1),), 1, timedelta(microseconds=1)),
        ((timedelta(0),), 1, timedelta(hours=24)),
        ((timedelta(hours=20), timedelta(hours=4)), 3, None),
        ((timedelta(hours=20), timedelta(hours=4)), 2, timedelta(hours=4)),
        ((timedelta(hours=20), timedelta(hours=4), timedelta(hours=1)), 2, timedelta(hours=20)),
    ],
)
def test_a_cap_counts_what_lies_within_its_hours_to_the_microsecond(
    ages: tuple[timedelta, ...], most: int, free: timedelta | None
) -> None:
    sent = [NOW - age for age in ages]
    assert Cap(most=most, hours=24).free_at(sent, NOW) == (NOW + free if free is not None else None)


def test_a_day_on_which_clocks_change_has_as_many_hours_for_a_cap_as_any_other() -> None:
    sent = datetime(2026, 3, 8, 6, 59, tzinfo=UTC)
    new_york = zone_of(NEW_YORK)
    assert new_york is not None
    local = sent.astimezone(new_york)
    assert Cap(most=1, hours=24).free_at([local], sent + timedelta(hours=23, minutes=59)) is not None
    assert Cap(most=1, hours=24).free_at([sent], sent + timedelta(hours=24)) is None


def test_a_cap_of_another_channel_does_not_count_and_one_of_none_counts_on_each() -> None:
    reached = Reached(1, (NOW,))
    assert decided(policy=Policy(caps=(Cap(most=1, hours=24, channel=Channel.WHATSAPP),)), reached=reached)
    for channel in (None, Channel.SMS):
        policy = Policy(caps=(Cap(most=1, hours=24, channel=channel),))
        assert codes(decided(policy=policy, reached=reached)) == ["frequency_cap"]


def test_a_permission_names_the_last_place_that_the_caps_leave() -> None:
    policy = Policy(caps=(Cap(most=5, hours=24), Cap(most=9, hours=100)))
    decision = decided(policy=policy, reached=Reached(40, (NOW - timedelta(hours=50), NOW - timedelta(hours=1))))
    assert decision
    assert decision.reach is not None
    assert decision.reach.at_most == 44
    unlimited = decided(reached=Reached(40, ()))
    assert unlimited
    assert unlimited.reach is not None
    assert unlimited.reach.at_most is None


@pytest.mark.parametrize("given", [{"most": 0}, {"hours": 0}])
def test_a_cap_of_nothing_is_refused(given: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="cap"):
        Cap(**{"most": 1, "hours": 1, **given})
