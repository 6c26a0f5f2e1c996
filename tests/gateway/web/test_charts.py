"""Where marks stand: nothing overlaps, nothing lies outside, and heights tell the numbers."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from gateway.web import charts


@pytest.mark.parametrize("most", [0, 1, 3, 4, 5, 9, 10, 41, 99, 1_000, 123_456, 10**9])
def test_a_scale_has_few_round_steps_and_reaches_the_most(most: int) -> None:
    steps = charts.steps(most)
    assert steps[0] == 0
    assert steps[-1] >= max(1, most)
    assert 2 <= len(steps) <= 6
    assert len({after - before for before, after in pairwise(steps)}) == 1
    assert str(steps[1]).rstrip("0") in ("1", "2", "5")


@pytest.mark.parametrize("columns", [1, 7, 30, 92])
def test_bars_stand_on_each_other_inside_the_box_and_are_as_tall_as_their_numbers(columns: int) -> None:
    chance = random.Random(columns)
    series = [[chance.choice((0, 0, 40, 90, 100)) for _ in range(columns)] for _ in range(charts.PATTERNS)]
    series[0][0] = 400  # nothing is so small that it is drawn taller than it is
    bars = charts.stacked(series, [str(number) for number in range(columns)])
    assert {(mark.series, mark.column): mark.number for mark in bars.marks} == {
        (at, column): each[column] for at, each in enumerate(series) for column in range(columns) if each[column]
    }
    unit = next(mark.height / mark.number for mark in bars.marks)
    for column in range(columns):
        stack = [mark for mark in bars.marks if mark.column == column]
        for below, above in pairwise(stack):
            assert above.y + above.height == pytest.approx(below.y, abs=0.02)
            assert above.series > below.series
        assert all(mark.height == pytest.approx(mark.number * unit, abs=0.02) for mark in stack)
        assert all(bars.left <= mark.x and mark.x + mark.width <= bars.width for mark in stack)
        assert all(mark.y >= 0 and mark.y + mark.height <= bars.bottom + 0.02 for mark in stack)
    rights = sorted((mark.x, mark.x + mark.width) for mark in {mark.column: mark for mark in bars.marks}.values())
    assert all(right <= left for (_, right), (left, _) in pairwise(rights))
    assert all(after.at - before.at >= 55 for before, after in pairwise(bars.names))


def test_what_is_rare_can_still_be_seen() -> None:
    bars = charts.stacked([[1_000_000], [1]], ["a"])
    assert bars.marks[1].height >= 1


def test_a_chart_of_nothing_has_no_marks() -> None:
    assert charts.stacked([], []).marks == ()
    assert charts.stacked([[0, 0]], ["a", "b"]).marks == ()
    assert charts.lying([]) == []
    assert charts.lying([0])[0].length == 0


def test_lying_bars_are_as_long_as_their_numbers() -> None:
    bars = charts.lying([100, 50, 1])
    assert [bar.length for bar in bars] == [560, 280, 5.6]
    assert bars[0].y < bars[1].y < bars[2].y


def test_levels_go_from_nothing_to_the_most_by_threes() -> None:
    assert charts.levels([[0, 1, 3, 4], [9, 10, 27, 28], [81, 0, 0, 0]]) == [[0, 1, 2, 3], [3, 4, 4, 5], [5, 0, 0, 0]]
    assert charts.levels([]) == []


def test_weeks_are_counted_back_from_the_last_day() -> None:
    assert charts.folded([1] * 7, 7) == [7]
    assert charts.folded([1] * 9, 7) == [2, 7]
    assert charts.folded([5, 1, 1], 1) == [5, 1, 1]
    assert sum(charts.folded(list(range(365)), 7)) == sum(range(365))
