"""What one operation of the API is: its place, its scope, its models, its work. Keeps declarations; runs nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from uuid import UUID

from gateway.calls import Actor
from gateway.flows.rooms import Rooms
from gateway.web.api.answers import Told
from gateway.web.api.models import Given
from scopes.scope import Scope

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
ZIP: Final = "application/zip"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was let in: read, checked, and its caller's scope weighed."""

    actor: Actor
    rooms: Rooms
    request_id: str
    path: Mapping[str, Any] = field(default_factory=dict)
    query: Any = None
    body: Any = None

    @property
    def tenant(self) -> UUID:
        """The caller's tenant; there is no other way to name one."""
        return self.actor.tenant


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: a model, text, bytes or chunks of bytes; nothing for 204."""

    content: Told | str | bytes | AsyncIterator[bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Act: TypeAlias = Callable[[Asked], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path. Without `needs` it is open to everybody and has no actor."""

    method: str
    path: str
    summary: str
    act: Act
    needs: Scope | None
    query: type[Given] | None = None
    body: type[Given] | None = None
    answer: type[Told] | None = None
    media: str = JSON
    status: int = 200
    keeps_reply: bool = False  # a repeated Idempotency-Key gets the first reply again
    largest_bytes: int | None = None  # of a body that may be larger than others are
    problems: tuple[int, ...] = ()
