"""The schedule of a delivery and the health of an endpoint, for any time, wish and chance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as any_

from gateway.flows.schedule import (
    DELAYS,
    LONGEST_WISH,
    PATIENCE,
    SHORTEST_WISH,
    TRIPS_AFTER,
    WARNINGS,
    Health,
    next_attempt,
    spread,
    wish_of,
)

NOW = datetime(2027, 1, 4, 9, 0, tzinfo=UTC)
chances = any_.floats(0, 1)
wishes = any_.none() | any_.timedeltas(SHORTEST_WISH, LONGEST_WISH)


def half() -> float:
    """Neither longer nor shorter."""
    return 0.5


def test_there_are_ten_attempts_at_the_times_that_the_clinic_is_promised() -> None:
    hours = [delay / timedelta(hours=1) for delay in DELAYS[3:]]
    assert [delay.total_seconds() for delay in DELAYS[:3]] == [0, 5, 300]
    assert hours == [0.5, 2, 5, 10, 14, 20, 24]
    assert [next_attempt(failed, NOW, wish=None, chance=half) for failed in range(1, 10)] == [
        NOW + delay for delay in DELAYS[1:]
    ]
    assert next_attempt(10, NOW, wish=None, chance=half) is None


@given(any_.integers(1, 9), wishes, chances)
def test_an_attempt_comes_within_a_fifth_of_its_time_and_never_before_the_receiver_wishes(
    failed: int, wish: timedelta | None, chance: float
) -> None:
    at = next_attempt(failed, NOW, wish=wish, chance=lambda: chance)
    assert at is not None
    assert at - NOW >= max(DELAYS[failed] * 0.8, wish or timedelta()) - timedelta(microseconds=1)
    assert at - NOW <= max(DELAYS[failed] * 1.2, wish or timedelta()) + timedelta(microseconds=1)


@given(any_.integers(10, 1_000_000), wishes, chances)
def test_after_ten_attempts_there_is_no_further_one(failed: int, wish: timedelta | None, chance: float) -> None:
    assert next_attempt(failed, NOW, wish=wish, chance=lambda: chance) is None


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120),
        ("0", 1),
        ("999999999", 3600),
        (" 7 ", 7),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(days=9), usegmt=True), 1),
        (format_datetime(NOW + timedelta(days=9), usegmt=True), 3600),
    ],
)
def test_a_wish_is_held_between_a_second_and_an_hour(said: str, seconds: int) -> None:
    assert wish_of(said, now=NOW) == timedelta(seconds=seconds)


@given(any_.text(max_size=60) | any_.none())
def test_whatever_stands_in_retry_after_is_a_wish_within_bounds_or_none(said: str | None) -> None:
    wish = wish_of(said, now=NOW)
    assert wish is None or SHORTEST_WISH <= wish <= LONGEST_WISH


@pytest.mark.parametrize("said", [None, "", "soon", "-5", "1e9", "12:00", "Mon, 99 Jan 2027 09:00:00 GMT"])
def test_what_is_no_wish_is_none(said: str | None) -> None:
    assert wish_of(said, now=NOW) is None


@given(any_.timedeltas(timedelta(), timedelta(days=2)), chances)
def test_the_spread_is_a_fifth_at_most(delay: timedelta, chance: float) -> None:
    assert delay * 0.8 - timedelta(microseconds=1) <= spread(delay, lambda: chance)
    assert spread(delay, lambda: chance) <= delay * 1.2 + timedelta(microseconds=1)


def failing(health: Health, now: datetime = NOW, *, slow: bool = False, wish: timedelta | None = None) -> Health:
    """One more failure."""
    return health.failed(now, slow=slow, wish=wish, chance=half)


def test_the_circuit_opens_at_the_fifth_failure_in_a_row_and_each_probe_that_fails_doubles_the_break() -> None:
    health, now = Health(), NOW
    for _ in range(TRIPS_AFTER - 1):
        health = failing(health, now)
        assert health.paused_until is None
    breaks = []
    for _ in range(9):
        health = failing(health, now)
        assert health.paused_until is not None
        breaks.append((health.paused_until - now).total_seconds())
        now = health.paused_until
        assert health.probing
        assert not health.paused(now)
    assert breaks == [10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert health.succeeded(now) == Health()


def test_a_success_between_failures_keeps_the_circuit_closed() -> None:
    health = Health()
    for at in range(100):
        health = health.succeeded(NOW) if at % 5 == 4 else failing(health)
        assert health.paused_until is None


def test_a_receiver_that_asks_for_patience_is_left_alone_longer_each_time() -> None:
    health, now, pauses = Health(), NOW, []
    for _ in range(4):
        health = failing(health, now, slow=True)
        assert health.paused_until is not None
        pauses.append((health.paused_until - now).total_seconds())
        now = health.paused_until
    assert pauses == [5, 10, 20, 40]
    assert failing(Health(), slow=True, wish=timedelta(seconds=77)).paused_until == NOW + timedelta(seconds=77)


def test_what_was_under_way_when_a_pause_began_counts_no_more() -> None:
    paused = failing(Health(failures=TRIPS_AFTER - 1))
    assert failing(paused) == paused
    assert paused.succeeded(NOW).paused_until == paused.paused_until
    assert paused.succeeded(NOW).failures == 0
    longer = failing(paused, slow=True, wish=timedelta(minutes=30))
    assert longer.paused_until == NOW + timedelta(minutes=30)
    assert longer.failures == paused.failures


@given(any_.lists(any_.integers(0, 24 * 60), min_size=1, max_size=60))
def test_each_warning_comes_once_and_in_order_however_the_failures_fall(minutes: list[int]) -> None:
    health, now, given_ = Health(), NOW, []
    for gap in minutes:
        now += timedelta(minutes=gap)
        health = health.failed(now, slow=False, wish=None, chance=half)
        warning = health.warning(now)
        if warning is not None:
            given_.append(warning)
            health = Health(health.failures, health.failing_since, warning, health.paused_until)
    assert given_ == sorted(set(given_))
    used = (now - NOW - timedelta(minutes=minutes[0])) / PATIENCE * 100
    assert max(given_, default=0) == max((step for step in WARNINGS if step <= used), default=0)
