"""Where the marks of a chart stand: stacked bars, lying bars, the levels of a heat map. Geometry only; templates draw it.

Lengths are in the units of the drawing's own box. What a mark is called, and where it leads, its caller knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

PATTERNS: Final = 7  # as many series as the style sheet has colours and patterns for
LEVELS: Final = 5
_LEAST_HEIGHT: Final = 1.5  # what there is one of can still be seen
_TICKS: Final = 4


@dataclass(frozen=True, slots=True)
class Mark:
    """One box: of which series and which column, and how many it stands for."""

    x: float
    y: float
    width: float
    height: float
    series: int
    column: int
    number: int


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across, or a word below: where it stands and what it says."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Stacked bars in a box of this size."""

    width: float
    height: float
    left: float
    bottom: float
    marks: tuple[Mark, ...]
    lines: tuple[Tick, ...]
    names: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Lying:
    """One lying bar: where it begins, how long it is, where its words stand."""

    y: float
    length: float
    middle: float
    number: int


def steps(most: int) -> list[int]:
    """Round numbers from 0 to at least the most, some four of them apart by 1, 2 or 5 times a power of ten."""
    step = 1
    while step * _TICKS < most:
        power = 10 ** (len(str(step)) - 1)
        step = {1: 2, 2: 5, 5: 10}[step // power] * power
    return [step * place for place in range(max(1, -(-most // step)) + 1)]


def stacked(series: Sequence[Sequence[int]], names: Sequence[str], *, width: float = 960, height: float = 260) -> Bars:
    """One bar for each name, made of what each series has there, the first at the bottom."""
    left, top, bottom, right = 52.0, 10.0, height - 26.0, 6.0
    columns = len(names)
    totals = [sum(each[column] for each in series) for column in range(columns)]
    scale = steps(max(totals, default=0))
    room, most = bottom - top, scale[-1]
    slot = (width - left - right) / max(1, columns)
    gap = min(6.0, slot * 0.2)
    marks = []
    for column in range(columns):
        y = bottom
        for number, each in enumerate(series):
            if count := each[column]:
                tall = max(_LEAST_HEIGHT, count / most * room)
                y -= tall
                x = left + slot * column + gap / 2
                marks.append(Mark(_(x), _(y), _(slot - gap), _(tall), number % PATTERNS, column, count))
    lines = tuple(Tick(_(bottom - value / most * room), f"{value:,}".replace(",", "\u202f")) for value in scale)
    every = max(1, -(-columns * 62 // int(width - left)))  # a name takes some 62 units
    spoken = tuple(Tick(_(left + slot * (column + 0.5)), names[column]) for column in range(0, columns, every))
    return Bars(width=width, height=height, left=left, bottom=bottom, marks=tuple(marks), lines=lines, names=spoken)


def lying(numbers: Sequence[int], *, length: float = 560, row: float = 30) -> list[Lying]:
    """One bar below the other; the longest is `length` long."""
    most = max(numbers, default=0) or 1
    long = [max(_LEAST_HEIGHT, number / most * length) if number else 0 for number in numbers]
    return [
        Lying(_(place * row + 5), _(long[place]), _(place * row + row / 2), number)
        for place, number in enumerate(numbers)
    ]


def levels(numbers: Sequence[Sequence[int]]) -> list[list[int]]:
    """How deep each cell of a heat map is: 0 for nothing, then 1 to 5, each step three times what the one before holds.

    Counts of one kind of data are a thousand times those of another; equal steps would leave all but one cell pale.
    """
    most = max((number for row in numbers for number in row), default=0)
    bounds = [most / 3**back for back in range(LEVELS - 1, 0, -1)]
    return [[0 if not number else 1 + sum(number > bound for bound in bounds) for number in row] for row in numbers]


def folded(days: Sequence[int], size: int) -> list[int]:
    """Days added up, so many at a time, from the last day backwards; the first sum may have fewer."""
    first = len(days) % size or size
    cuts = [0, *range(first, len(days) + 1, size)]
    return [sum(days[begin:end]) for begin, end in pairwise(cuts)]


def _(length: float) -> float:
    return round(length, 2)
