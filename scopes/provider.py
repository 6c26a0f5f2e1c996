"""The order of one vendor's own scopes: what includes what, the least set to ask for, and drift. Ours are in scope.py.

Edges are declared from the vendor's documents, never guessed from names: Graph's delegated Presence.ReadWrite does not
include Presence.Read.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

Scheme = Literal["delegated", "application", "key"]

_APPLICATION = "application:"


class LatticeError(ValueError):
    """Declared scopes that make no order, or a need that no available scope meets."""


@dataclass(frozen=True, slots=True)
class ProviderScope:
    """One scope of a vendor. The same name means another power for an application than for a person who delegates."""

    name: str
    scheme: Scheme = "delegated"

    @property
    def key(self) -> str:
        """Its name in manifests and connections: an application's scope is marked as such."""
        return f"{_APPLICATION}{self.name}" if self.scheme == "application" else self.name

    @classmethod
    def parse(cls, key: str, *, scheme: Scheme = "delegated") -> "ProviderScope":
        """Read a scope from its key; an unmarked one has the scheme given."""
        if key.startswith(_APPLICATION):
            return cls(key.removeprefix(_APPLICATION), "application")
        return cls(key, scheme)


class Extent(IntEnum):
    """Which resources a scope reaches."""

    OF_THE_APP = 1
    OWNED = 2
    SHARED = 3
    ALL = 4


class Content(IntEnum):
    """How much of a resource a scope shows."""

    EXISTENCE = 1
    METADATA = 2
    FULL = 3


@dataclass(frozen=True, slots=True)
class Reach:
    """The three coordinates of a scope's power, from the vendor's machine-readable documents."""

    methods: frozenset[str]
    extent: Extent
    content: Content


@dataclass(frozen=True, slots=True)
class EdgeFault:
    """A declared edge that the vendor's documents contradict."""

    wider: str
    narrower: str
    why: str


@dataclass(frozen=True, slots=True)
class Drift:
    """The difference between what was asked and what the vendor granted; true where there is one."""

    missing: frozenset[str]
    excess: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.missing or self.excess)


class Lattice:
    """The scopes of one connector in their declared order. Immutable."""

    def __init__(self, scopes: Iterable[ProviderScope], edges: Iterable[tuple[str, str]] = ()) -> None:
        """Take scopes and declared edges (wider, narrower) by key; raise LatticeError unless they make an order."""
        keys = [scope.key for scope in scopes]
        if len(set(keys)) < len(keys):
            raise LatticeError("a scope is declared twice")
        self.scopes = frozenset(keys)
        self.edges = tuple(sorted(set(edges)))
        if unknown := {key for edge in self.edges for key in edge} - self.scopes:
            raise LatticeError(f"not declared: {', '.join(sorted(unknown))}")
        self._below = {key: self._reached(key) for key in sorted(self.scopes)}

    def _reached(self, start: str) -> frozenset[str]:
        """Everything under one scope; raise LatticeError where the edges lead back to it."""
        reached: set[str] = set()
        waiting = [start]
        while waiting:
            at = waiting.pop()
            below = {narrower for wider, narrower in self.edges if wider == at}
            waiting += below - reached
            reached |= below
        if start in reached:
            raise LatticeError(f"{start} includes itself by way of others")
        return frozenset(reached)

    def includes(self, held: Iterable[str], needed: str) -> bool:
        """Tell whether one of the held scopes is the needed one or includes it by declared edges."""
        for scope in held:
            if scope == needed or needed in self._below.get(scope, ()):
                return True
        return False

    def power(self, held: Iterable[str]) -> frozenset[str]:
        """Everything that the held scopes amount to together."""
        return frozenset[str]().union(*map(self._power_of, held))

    def least(self, needed: Iterable[Set[str]], available: Iterable[str] | None = None) -> frozenset[str]:
        """Choose the scopes of least power that meet every need, each by any one of its alternatives.

        Least: no other choice from what is available (by default everything declared) amounts to fewer scopes, and none
        of the chosen is idle; between equals the alphabet decides. Raises LatticeError where a need cannot be met.
        """
        offered = sorted(self.scopes if available is None else set(available))
        # A choice is known by its power: of the same power there is one choice without idle scopes, the widest in it. A
        # choice that holds all the power of another can only end up with more of it, so it is dropped on the way.
        powers = {frozenset[str]()}
        for need in needed:
            meeting = [power for power in map(self._power_of, offered) if power & need]
            powers = _smallest({so_far | more for so_far in powers for more in meeting})
            if not powers:
                raise LatticeError(
                    f"no available scope meets the need for {' or '.join(sorted(need)) or 'nothing named'}"
                )
        return min((self._widest(power) for power in powers), key=lambda some: (*self._cost(some), sorted(some)))

    def _cost(self, chosen: frozenset[str]) -> tuple[int, int]:
        return len(self.power(chosen)), len(chosen)

    def _power_of(self, scope: str) -> frozenset[str]:
        return self._below.get(scope, frozenset()) | {scope}

    def _widest(self, scopes: frozenset[str]) -> frozenset[str]:
        """The scopes that no other one of them includes."""
        return scopes.difference(*(self._below.get(scope, ()) for scope in scopes))

    def drift(self, asked: Iterable[str], granted: Iterable[str]) -> Drift:
        """Compare what was asked with what was granted: what is not covered, and what goes beyond."""
        ours, theirs = frozenset(asked), frozenset(granted)
        return Drift(
            missing=frozenset(scope for scope in ours if not self.includes(theirs, scope)),
            excess=frozenset(scope for scope in theirs if not self.includes(ours, scope)),
        )

    def check_edges(self, reach: Mapping[str, Reach]) -> tuple[EdgeFault, ...]:
        """Name the declared edges that the vendor's documents contradict, where both ends are documented.

        To agree is necessary, not sufficient: Google lists more methods for calendar.events.owned than for
        calendar.events, so an edge is never drawn from this check.
        """
        known = [(edge, reach[edge[0]], reach[edge[1]]) for edge in self.edges if edge[0] in reach and edge[1] in reach]
        return tuple(EdgeFault(*edge, why) for edge, wide, narrow in known for why in _contradictions(wide, narrow))


def _contradictions(wide: Reach, narrow: Reach) -> Iterator[str]:
    if lacking := narrow.methods - wide.methods:
        yield f"does not reach {', '.join(sorted(lacking))}"
    if wide.extent < narrow.extent:
        yield f"reaches fewer resources: {wide.extent.name.lower()}, not {narrow.extent.name.lower()}"
    if wide.content < narrow.content:
        yield f"shows less of them: {wide.content.name.lower()}, not {narrow.content.name.lower()}"


def _smallest(every: Set[frozenset[str]]) -> set[frozenset[str]]:
    """The sets that hold no other one of them."""
    return {some for some in every if not any(other < some for other in every)}
