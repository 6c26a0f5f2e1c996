"""The call and its answer, as the flows pass them on. No rules, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from scopes.scope import Scope
from scopes.vocabulary import Outcome, Purpose


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: an API key, a host's token, a person or the gateway itself. `id` is never a name of a person."""

    kind: str
    id: str
    tenant: UUID
    scopes: tuple[Scope, ...]


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
