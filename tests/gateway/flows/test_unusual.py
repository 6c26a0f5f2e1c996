"""What is out of the ordinary: which days are floods, which hours are night, what was the first of its kind."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from gateway.flows.unusual import HISTORY_DAYS, _debuts, _floods, _nights
from gateway.store.tallies import DebutRow, SentRow
from gateway.tallies import Party

PARTY = Party("payments/stripe", "payments/stripe", "Stripe, Inc.", "US")
BEGUN = date(2026, 10, 1)


def floods(counts: dict[int, int]) -> list[tuple[int, int, int, int]]:
    """The floods among these days, counted from the first, of thirty after the history."""
    row = SentRow(1, "accepted", list(counts), list(counts.values()))
    found = _floods([row], {1: PARTY}, BEGUN, 30)
    return [((each.day - BEGUN).days, each.number, each.usual, each.most) for each in found]


USUAL = dict.fromkeys(range(HISTORY_DAYS + 30), 10)


@pytest.mark.parametrize("number", [31, 500])
def test_a_day_of_more_than_three_times_the_usual_is_a_flood(number: int) -> None:
    assert floods({**USUAL, 40: number}) == [(40, number, 10, 10)]


def test_a_day_that_is_busy_but_not_that_busy_is_none() -> None:
    assert floods({**USUAL, 40: 30}) == []
    assert floods({**USUAL, 15: 30, 40: 44}) == []  # as it was before: not half as much again as the most


def test_few_are_never_a_flood() -> None:
    assert floods({**dict.fromkeys(range(58), 1), 40: 19}) == []
    assert floods({**dict.fromkeys(range(58), 1), 40: 20}) == [(40, 20, 1, 1)]


def test_a_recipient_without_a_week_of_history_has_nothing_to_be_compared_with() -> None:
    assert floods({30: 1, 36: 400}) == []
    assert floods({30: 1, 37: 400}) == [(37, 400, 0, 1)]


def test_outcomes_of_one_day_count_together() -> None:
    rows = [SentRow(1, outcome, [*range(58)], [5] * 40 + [200] + [5] * 17) for outcome in ("accepted", "failed")]
    assert [each.number for each in _floods(rows, {1: PARTY}, BEGUN, 30)] == [400]


@pytest.mark.parametrize(
    ("zone", "begins", "ends"),
    [("UTC", 22, 30), ("Asia/Kolkata", 16.5, 24.5), ("America/New_York", 27, 35), ("Europe/Oslo", 21, 29)],
)
def test_a_night_is_by_the_clinics_clock(zone: str, begins: float, ends: float) -> None:
    spans = _nights(datetime(2026, 11, 25, 12, tzinfo=UTC), 3, ZoneInfo(zone))
    evening = datetime(2026, 11, 24, tzinfo=UTC)
    assert spans[0] == (evening + timedelta(hours=begins), evening + timedelta(hours=ends))
    assert len(spans) == 3


def test_the_night_in_which_the_clock_is_put_back_is_an_hour_longer() -> None:
    spans = _nights(datetime(2026, 10, 26, 12, tzinfo=UTC), 3, ZoneInfo("Europe/Oslo"))
    assert [(ends - begins).total_seconds() / 3600 for begins, ends in spans] == [8, 9, 8]


def test_a_night_that_has_begun_is_there_already() -> None:
    assert _nights(datetime(2026, 11, 25, 23, tzinfo=UTC), 1, UTC)[0][0] == datetime(2026, 11, 25, 22, tzinfo=UTC)


def test_a_new_recipients_kinds_of_data_are_no_news_of_their_own() -> None:
    first = datetime(2026, 11, 1, 9, tzinfo=UTC)

    def row(what: str, name: str, at: datetime) -> DebutRow:
        return DebutRow(1, what, name, at, UUID(int=1), first)

    later = first + timedelta(days=1)
    found = [row("host", "a.example", first), row("category", "billing", first), row("category", "clinical", later),
             row("host", "b.example", later)]  # fmt: skip
    assert [(each.name, each.new_recipient) for each in _debuts(found, {1: PARTY})] == [
        ("a.example", True), ("clinical", False), ("b.example", False),
    ]  # fmt: skip
