"""Lay out a Sankey picture: bands that run through columns of bars, as wide as what they carry. Numbers in, numbers out.

Every column shows the same bands. A bar is a name in a column; each name gets room for its label, so that the picture
grows with the names and nothing covers anything. Where a column has too many names, the smallest are drawn as one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

BAR: Final = 12.0  # how wide a bar is
ROOM: Final = 26.0  # the least height that a name gets: a line of text and air
_GAP: Final = 10.0  # between two bars
_THINNEST: Final = 1.5  # a band that carries little can still be seen, and be pointed at
_MOST_NAMES: Final = 20
_TALLEST: Final = 0.62  # of the width: what is drawn of few bands is no wall
_LEAST: Final = 150.0
_SWEEPS: Final = 6
_FURTHER_ON: Final = 4  # where things end up is to be seen at once; what they consist of may cross


@dataclass(frozen=True, slots=True)
class Band:
    """What runs through: a name in each column, how much, and whatever the caller wants to know it by."""

    names: tuple[str, ...]
    amount: int
    key: Hashable = None


@dataclass(frozen=True, slots=True)
class Bar:
    """One name of one column."""

    column: int
    name: str
    amount: int
    x: float
    y: float
    height: float
    folded: int = 0  # how many names it stands for, where it is the rest of them

    @property
    def middle(self) -> float:
        """Where its label stands."""
        return self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class Ribbon:
    """One band as it is drawn; `path` is a closed outline for each gap between columns."""

    band: Band
    width: float
    path: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything to draw."""

    width: float
    height: float
    bars: tuple[Bar, ...]
    ribbons: tuple[Ribbon, ...]


def sankey(
    bands: Iterable[Band], *, xs: Sequence[float], width: float, most: int = _MOST_NAMES, rest: str = "Others"
) -> Picture:
    """Lay the bands out; `xs` says where each column's bars begin. Nothing to draw gives a picture without bars."""
    given = [band for band in bands if band.amount > 0]
    if not given:
        return Picture(width, 0.0, (), ())
    folded = _Folded(given, len(xs), most, rest)
    order = _order(folded)
    scale = _scale(folded, width)
    thick = [max(_THINNEST, amount * scale) for amount in folded.amounts]
    slots = _slots(folded, order, thick)
    height = max(sum(room for _, room in column) + _GAP * (len(column) - 1) for column in slots)
    bars = _bars(folded, order, slots, xs, height)
    return Picture(width, height, tuple(bars.values()), tuple(_ribbons(folded, bars, thick)))


class _Folded:
    """The bands with the smallest names of a crowded column made one."""

    def __init__(self, bands: Sequence[Band], columns: int, most: int, rest: str) -> None:
        self.bands = bands
        self.amounts = [band.amount for band in bands]
        self.columns = columns
        self.counts: dict[tuple[int, str], int] = {}
        names = [list(band.names) for band in bands]
        for column in range(columns):
            totals = self._totals(names, column)
            if len(totals) > most:
                kept = sorted(totals, key=lambda name: (-totals[name], name))[: most - 1]
                for each in names:
                    if each[column] not in kept:
                        each[column] = rest
                self.counts[column, rest] = len(totals) - len(kept)
        self.names = [tuple(each) for each in names]
        self.totals = [self._totals(names, column) for column in range(columns)]

    def _totals(self, names: Sequence[Sequence[str]], column: int) -> Mapping[str, int]:
        totals: dict[str, int] = defaultdict(int)
        for each, amount in zip(names, self.amounts, strict=True):
            totals[each[column]] += amount
        return totals


def _scale(folded: _Folded, width: float) -> float:
    """Height per unit. What carries most is tall, but no taller than reads well; more names make the picture taller."""
    names = max(len(totals) for totals in folded.totals)
    height = min(max(_LEAST, names * (ROOM + _GAP)), width * _TALLEST)
    return height / sum(folded.amounts)


def _order(folded: _Folded) -> list[list[str]]:
    """The names of each column from top to bottom: first the biggest, then each where its bands come from and go to."""
    order = [sorted(totals, key=lambda name, t=totals: (-t[name], name)) for totals in folded.totals]  # type: ignore[misc]
    best, fewest = [list(column) for column in order], _crossings(folded, order)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        columns = range(1, folded.columns) if forward else range(folded.columns - 2, -1, -1)
        for column in columns:
            _pull(folded, order, column, beside=column - 1 if forward else column + 1)
        if (crossings := _crossings(folded, order)) < fewest:
            best, fewest = [list(column) for column in order], crossings
    return best


def _pull(folded: _Folded, order: list[list[str]], column: int, *, beside: int) -> None:
    """Order a column by where its bands stand in the one beside it, by weight."""
    places = {name: place for place, name in enumerate(order[beside])}
    pulled: dict[str, float] = defaultdict(float)
    for names, amount in zip(folded.names, folded.amounts, strict=True):
        pulled[names[column]] += places[names[beside]] * amount
    totals = folded.totals[column]
    order[column].sort(key=lambda name: (pulled[name] / totals[name], -totals[name], name))


def _crossings(folded: _Folded, order: list[list[str]]) -> int:
    """How much crosses, by weight."""
    places = [{name: place for place, name in enumerate(column)} for column in order]
    crossed = 0
    for left in range(folded.columns - 1):
        links: dict[tuple[int, int], int] = defaultdict(int)
        for names, amount in zip(folded.names, folded.amounts, strict=True):
            links[places[left][names[left]], places[left + 1][names[left + 1]]] += amount
        ordered = sorted(links.items())
        weight = 1 if left == 0 else _FURTHER_ON
        for at, ((a, b), amount) in enumerate(ordered):
            crossed += weight * sum(min(amount, other) for (c, d), other in ordered[at + 1 :] if c > a and d < b)
    return crossed


def _slots(folded: _Folded, order: list[list[str]], thick: Sequence[float]) -> list[list[tuple[float, float]]]:
    """For each name the height of its bar and the room that it gets."""
    heights: list[dict[str, float]] = [defaultdict(float) for _ in range(folded.columns)]
    for names, one in zip(folded.names, thick, strict=True):
        for column, name in enumerate(names):
            heights[column][name] += one
    return [
        [(heights[column][name], max(ROOM, heights[column][name])) for name in names]
        for column, names in enumerate(order)
    ]


def _bars(
    folded: _Folded,
    order: list[list[str]],
    slots: list[list[tuple[float, float]]],
    xs: Sequence[float],
    height: float,
) -> dict[tuple[int, str], Bar]:
    """The bars; a column that needs less room stands in the middle of the picture's height, with wider gaps."""
    bars = {}
    for column, names in enumerate(order):
        needed = sum(room for _, room in slots[column])
        gap = min((height - needed) / max(1, len(names) - 1), ROOM * 2) if len(names) > 1 else 0.0
        top = (height - needed - gap * (len(names) - 1)) / 2
        for name, (tall, room) in zip(names, slots[column], strict=True):
            total = folded.totals[column][name]
            bars[column, name] = Bar(
                column, name, total, xs[column], top + (room - tall) / 2, tall, folded.counts.get((column, name), 0)
            )
            top += room + gap
    return bars


def _ribbons(folded: _Folded, bars: Mapping[tuple[int, str], Bar], thick: Sequence[float]) -> Iterable[Ribbon]:
    """Each band through all of its gaps. At a bar the bands lie in the order of where they come from, or go to."""
    every = range(len(folded.bands))
    starts = [_stacked(folded, bars, thick, every, column, towards=1) for column in range(folded.columns - 1)]
    ends = [_stacked(folded, bars, thick, every, column, towards=-1) for column in range(1, folded.columns)]
    for at in every:
        pieces = []
        for left, right in pairwise(range(folded.columns)):
            x0 = bars[left, folded.names[at][left]].x + BAR
            x1 = bars[right, folded.names[at][right]].x
            pieces.append(_outline(x0, starts[left][at], x1, ends[left][at], thick[at]))
        yield Ribbon(folded.bands[at], thick[at], " ".join(pieces))


def _stacked(
    folded: _Folded,
    bars: Mapping[tuple[int, str], Bar],
    thick: Sequence[float],
    every: Iterable[int],
    column: int,
    *,
    towards: int,
) -> dict[int, float]:
    """Where each band begins at its bar's edge: in the order of the bars that it meets next, the nearest column first."""
    ahead = range(column + towards, folded.columns if towards > 0 else -1, towards)

    def place(at: int) -> tuple[float, ...]:
        met = (bars[other, folded.names[at][other]].y for other in ahead)
        return (*met, bars[0, folded.names[at][0]].y, float(at))

    tops: dict[int, float] = {}
    filled: dict[str, float] = defaultdict(float)
    for at in sorted(every, key=place):
        name = folded.names[at][column]
        tops[at] = bars[column, name].y + filled[name]
        filled[name] += thick[at]
    return tops


def _outline(x0: float, y0: float, x1: float, y1: float, thick: float) -> str:
    """A closed outline between two edges, level where it leaves and where it arrives."""
    middle = (x0 + x1) / 2
    over = f"M{x0:.1f} {y0:.1f}C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
    under = f"V{y1 + thick:.1f}C{middle:.1f} {y1 + thick:.1f} {middle:.1f} {y0 + thick:.1f} {x0:.1f} {y0 + thick:.1f}Z"
    return over + under
