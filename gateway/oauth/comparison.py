"""What was asked, granted and needed, compared over a connector's lattice. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

from scopes.provider import Lattice


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of asking: what counts, what was refused us, what is too much."""

    granted: frozenset[str]
    missing: frozenset[str]
    excess: frozenset[str]


def compare(lattice: Lattice, asked: Set[str], told: Set[str] | None, untold: Iterable[str] = ()) -> Comparison:
    """Compare a vendor's answer with what it was asked for. `untold` are scopes that it grants without ever saying so.

    Without an answer everything that was asked counts as granted (RFC 6749 5.1). A scope that nobody declared is too much:
    nobody knows what it reaches.
    """
    granted = frozenset(asked) if told is None else frozenset(told) | (frozenset(untold) & asked)
    drift = lattice.drift(asked, granted)
    return Comparison(granted - drift.excess, drift.missing, drift.excess)
