"""Small drawings of days: a line, and bars that stand on each other. Numbers in, geometry out; templates draw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A line of days with the ground below it, and the point where it ends."""

    width: float
    height: float
    line: str
    ground: str
    end: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a day's bar."""

    day: int
    name: str
    count: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar for each day; `most` is what the tallest comes to."""

    width: float
    height: float
    most: int
    pieces: tuple[Piece, ...]


def line(days: Sequence[int], *, width: float = 240, height: float = 40) -> Line:
    """A line over days; nothing at all is a level one at the bottom."""
    most, inset = max(days, default=0) or 1, 3.0
    step = (width - 2 * inset) / max(1, len(days) - 1)
    points = [
        (inset + at * step, height - inset - (height - 2 * inset) * count / most) for at, count in enumerate(days)
    ] or [(inset, height - inset)]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return Line(width, height, path, f"{path}L{points[-1][0]:.1f} {height:.1f}L{inset:.1f} {height:.1f}Z", points[-1])


def bars(series: Mapping[str, Sequence[int]], *, width: float = 720, height: float = 120) -> Bars:
    """Days beside each other, the first of the series at the bottom; what is there at all can be seen."""
    days = max(map(len, series.values()), default=0)
    totals = [sum(counts[day] for counts in series.values()) for day in range(days)]
    most = max(totals, default=0)
    step = width / max(1, days)
    pieces = []
    for day in range(days):
        floor = height
        for name, counts in series.items():
            if counts[day]:
                tall = max(2.0, (height - 4) * counts[day] / most)
                floor -= tall
                pieces.append(Piece(day, name, counts[day], day * step + step * 0.12, floor, step * 0.76, tall))
    return Bars(width, height, most, tuple(pieces))
