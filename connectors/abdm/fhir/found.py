"""What a check has found so far: faults, and references to be followed. Stops at a bounded number."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from connectors.abdm.fhir.rules import Rule
from scopes.fault import MOST_NAMED, Fault


class Enough(Exception):
    """So many faults were found that one more tells nobody anything."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """One reference: where it stands, what it says, in which resource, and what its definition lets it point to."""

    path: str
    reference: str
    entry: int
    """The entry that it stands in; -1 for one in the bundle itself."""
    rule: Rule | None


@dataclass(slots=True)
class Found:
    """What was found in one bundle."""

    faults: dict[Fault, None] = field(default_factory=dict)
    pointers: deque[Pointer] = field(default_factory=deque)

    def fault(self, path: str, message: str) -> None:
        """Keep one fault, once."""
        self.faults[Fault(path, message)] = None
        if len(self.faults) >= MOST_NAMED:
            raise Enough

    def point(self, path: str, value: Any, *, entry: int, rule: Rule | None) -> None:
        """Keep a reference to be followed."""
        if isinstance(value, str):
            self.pointers.append(Pointer(path, value, entry, rule))
