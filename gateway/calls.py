"""The call and its answer, as the flows pass them on. No rules, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from scopes.decision import Refusal
from scopes.scope import Scope
from scopes.vocabulary import Outcome, Purpose

_NO_TRACE: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: an API key, a host's token, a person or the gateway itself. `id` is never a name of a person."""

    kind: str
    id: str
    tenant: UUID
    scopes: tuple[Scope, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """One vendor of a family that a call came to: its disclosure and outcome, or why it was refused."""

    connector: str
    id: UUID | None
    outcome: Outcome | None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Waited:
    """What a call brings along that waited: what it was asked for as a whole, hashed, and what stayed at home then."""

    fingerprint: bytes
    withheld: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a host to hand data to a recipient."""

    actor: Actor
    connector: str
    action: str
    purpose: Purpose
    payload: Mapping[str, Any]
    request_id: str
    subject: str | None = None
    idempotency_key: str | None = None
    id: UUID | None = None
    """What ties the disclosures of one call together, where there may be several."""
    family: str | None = None
    """The family that the caller named, where it was no connector."""
    before: tuple[Tried, ...] = ()
    """The family's vendors that it came to before this one."""
    waited: Waited | None = None
    """Where it waited, under its id."""

    @property
    def tenant(self) -> UUID:
        """The tenant comes from the actor's credential only."""
        return self.actor.tenant


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call: the disclosure's id, its outcome, the minimized answer and its place in the ledger."""

    id: UUID
    outcome: Outcome
    answer: Mapping[str, Any]
    withheld: tuple[str, ...]
    index: int
    leaf: bytes
    code: str | None = None
    tried: tuple[Tried, ...] = ()
    """The vendors that the call came to, in order, where it named a family; the last is the one that answered."""


@dataclass(frozen=True, slots=True)
class Parked:
    """What a caller is told of a call that waits: until when and why. It is decided anew then."""

    id: UUID
    until: datetime
    reasons: tuple[Refusal, ...]
    withheld: tuple[str, ...]
