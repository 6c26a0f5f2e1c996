"""Our own scopes, ``area:verb[:path]``: what a caller of the gateway may do. Vendors' scopes are in provider.py."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Area(StrEnum):
    """The part of the HTTP API a scope opens."""

    CALLS = "calls"
    CATALOG = "catalog"
    CONNECTIONS = "connections"
    DISCLOSURES = "disclosures"
    LOG = "log"
    BUNDLES = "bundles"
    KEYS = "keys"
    ENDPOINTS = "endpoints"
    EVENTS = "events"
    CONSENTS = "consents"
    AGREEMENTS = "agreements"
    SUBJECTS = "subjects"
    TEMPLATES = "templates"
    PEOPLE = "people"
    RECORDS = "records"


class Verb(StrEnum):
    """What is done there; to write does not mean to read."""

    READ = "read"
    WRITE = "write"


class ScopeError(ValueError):
    """A text that is no scope; the message never repeats it."""


_AREAS = {area.value: area for area in Area}
_VERBS = {verb.value: verb for verb in Verb}
_SEGMENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_MOST_SEGMENTS = 8


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """One permission, such as ``calls:write:payments/stripe/refund``; a shorter path opens more."""

    area: Area
    verb: Verb
    path: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Scope":
        """Read a scope from its text, or raise ScopeError: one spelling per scope, nothing is trimmed or guessed."""
        area, _, rest = text.partition(":")
        verb, more, path = rest.partition(":")
        if area not in _AREAS or verb not in _VERBS:
            raise ScopeError(f"a scope is area:verb[:path] with an area of {', '.join(Area)} and a verb read or write")
        segments = tuple(path.split("/")) if more else ()
        if len(segments) > _MOST_SEGMENTS or not all(_SEGMENT.fullmatch(segment) for segment in segments):
            raise ScopeError(f"a scope's path is 1 to {_MOST_SEGMENTS} names of a-z, 0-9, _ and -, joined by /")
        return cls(_AREAS[area], _VERBS[verb], segments)

    def __str__(self) -> str:
        """Write the scope the way parse() reads it."""
        return ":".join((self.area, self.verb, *(("/".join(self.path),) if self.path else ())))

    def covers(self, needed: "Scope") -> bool:
        """Tell whether this scope opens the other: same area, same verb, and whole segments in front."""
        same_door = self.area is needed.area and self.verb is needed.verb
        return same_door and needed.path[: len(self.path)] == self.path


def includes(held: Iterable[Scope], needed: Scope) -> bool:
    """Tell whether one of the held scopes opens what is needed; holding nothing opens nothing."""
    for scope in held:
        if scope.covers(needed):
            return True
    return False


def touches(held: Iterable[Scope], door: Scope) -> bool:
    """Tell whether one of the held scopes opens anything behind the door, were it only one path."""
    for scope in held:
        if scope.area is door.area and scope.verb is door.verb:
            return True
    return False
