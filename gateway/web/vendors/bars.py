"""Draw stacked bars, one a day, as SVG's numbers: whole places on a grid, for a template to write. Knows no endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

HEIGHT: Final = 160
WIDTH: Final = 720
_LEFT: Final = 44
_BOTTOM: Final = 22
_TOP: Final = 8
_GAP: Final = 0.22  # of a bar's place
_LABELS: Final = 7
_LEAST: Final = 1.5  # a count that is there is seen


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of thing that is counted: its name in the style sheet, its title, how many on each day."""

    name: str
    title: str
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One part of one bar."""

    name: str
    x: float
    y: float
    width: float
    height: float
    says: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the grid with its number, or a day below the bars."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Bars:
    """A whole chart, and the same numbers as rows."""

    blocks: tuple[Block, ...]
    grid: tuple[Line, ...]
    days: tuple[Line, ...]
    series: tuple[Series, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    """The days on which there was anything, the newest first."""
    totals: tuple[tuple[str, str, int], ...]
    left: int = _LEFT
    width: int = WIDTH
    height: int = HEIGHT
    bottom: int = HEIGHT - _BOTTOM

    @property
    def any(self) -> bool:
        """Whether there is anything to see."""
        return bool(self.rows)


def bars(days: Sequence[date], series: Sequence[Series]) -> Bars:
    """Lay out one bar for each day, the series on top of each other in their order."""
    most = _round_up(max((sum(each.counts[at] for each in series) for at in range(len(days))), default=0))
    place, room = (WIDTH - _LEFT) / max(len(days), 1), HEIGHT - _BOTTOM - _TOP
    blocks = []
    for at, day in enumerate(days):
        y = float(HEIGHT - _BOTTOM)
        for each in series:
            if each.counts[at]:
                height = max(each.counts[at] / most * room, _LEAST)
                y -= height
                x, width = _LEFT + place * (at + _GAP / 2), place * (1 - _GAP)
                says = f"{_day(day)}: {each.counts[at]} {each.title.lower()}"
                blocks.append(Block(each.name, round(x, 2), round(y, 2), round(width, 2), round(height, 2), says))
    step = max(1, -(-len(days) // _LABELS))
    marked = [Line(round(_LEFT + place * (at + 0.5), 2), _day(days[at])) for at in range(0, len(days), step)]
    rows = [(_day(day), tuple(each.counts[at] for each in series)) for at, day in enumerate(days)]
    return Bars(
        blocks=tuple(blocks),
        grid=tuple(Line(round(HEIGHT - _BOTTOM - room * part, 2), _short(most * part)) for part in (0, 0.5, 1)),
        days=tuple(marked),
        series=tuple(series),
        rows=tuple(row for row in reversed(rows) if any(row[1])),
        totals=tuple((each.name, each.title, sum(each.counts)) for each in series),
    )


def _round_up(most: int) -> int:
    """The next even number of the kind 2, 4, 10, 20, 40, 100."""
    size = 1
    while True:
        for lead in (2, 4, 10):
            if most <= lead * size:
                return lead * size
        size *= 10


def _short(count: float) -> str:
    whole = int(count)
    return f"{whole // 1000}k" if whole >= 10_000 and whole % 1000 == 0 else str(whole)


def _day(day: date) -> str:
    return f"{day:%-d %b}"
