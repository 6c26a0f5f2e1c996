"""What one page is: its place, who may see it, its work, its template. Keeps declarations; runs nothing.

A page is a method of a path. Its work gets a Visit and gives a View (a template's words), a Go (another page of ours) or
a Content (bytes). Who may come is decided before it runs, by `needs`: one of our scopes, or one of the two Gates.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeAlias
from uuid import UUID

from gateway.calls import Actor
from gateway.errors import NotFound, Unauthenticated
from gateway.flows.rooms import Rooms
from gateway.people import Role, Session
from gateway.web.forms import Form
from scopes.scope import Scope, includes

JSON: Final = "application/json"
INTEGRATIONS: Final = "/settings/integrations/"  # whoever connects at a vendor comes back to one of these


class Gate(StrEnum):
    """Who may come where no scope is asked for."""

    OPEN = "open"  # everybody: what leads to a sign-in
    PERSON = "person"  # whoever has signed in, whatever their role: their own account


@dataclass(frozen=True, slots=True)
class Said:
    """What the next page tells: done, or something to look at. Never a value of a patient."""

    text: str
    tone: str = "good"  # good, warn, bad, info


@dataclass(frozen=True, slots=True)
class View:
    """A page to show: the words that its template needs."""

    words: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    template: str | None = None  # where it is another than the page's own
    title: str | None = None
    token: str | None = field(default=None, repr=False)  # the session's new token, when what was done gave it one


@dataclass(frozen=True, slots=True)
class Go:
    """Another page of ours to go to. `token` begins a session or gives it a new token, `ends` ends it."""

    to: str
    said: Said | None = None
    token: str | None = field(default=None, repr=False)
    ends: bool = False
    embedded: bool = False  # the session may be shown in a frame of another site
    elsewhere: bool = False  # an address outside, which our own code put together: never one that was given


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes: a download, or what a script of ours asked for."""

    body: bytes | AsyncIterator[bytes]
    media: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a browser that was let in."""

    rooms: Rooms
    request_id: str
    path: Mapping[str, Any]
    query: Mapping[str, str]
    form: Form
    cookie: str = field(repr=False)  # that forms and challenges are bound to: the session's, or the browser's before it
    address: str = field(repr=False)
    device: str
    origin: str  # how the browser reaches us: scheme, host and port
    base: str  # the same with the path that stands before all of ours, where there is one
    session: Session | None = None
    faults: Mapping[str, str] = field(default_factory=dict)  # by field, when a form is shown once more
    problem: str | None = None  # what else was wrong with it

    @property
    def known(self) -> Session:
        """The session; pages that are not open to everybody always have one."""
        if self.session is None:
            raise Unauthenticated
        return self.session

    @property
    def actor(self) -> Actor:
        """The person, as flows and rooms know who asks."""
        return self.known.actor

    @property
    def tenant(self) -> UUID:
        """The clinic that is looked at; there is no other way to name one."""
        return self.known.tenant

    @property
    def role(self) -> Role:
        """The person's role there."""
        return self.known.role

    def may(self, needed: Scope) -> bool:
        """Whether the person may do what needs this scope: for showing, not for deciding."""
        return self.session is not None and includes(self.session.actor.scopes, needed)

    def id(self, name: str = "id") -> UUID:
        """An id of the path; raises NotFound for what is none."""
        value: Any = self.path.get(name)
        try:
            return value if isinstance(value, UUID) else UUID(str(value))
        except ValueError:
            raise NotFound from None


Act: TypeAlias = Callable[[Visit], Awaitable[View | Go | Content]]
Again: TypeAlias = Callable[[Visit], Awaitable[View | Go]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One method of one path."""

    path: str
    act: Act
    needs: Scope | Gate
    method: str = "GET"
    title: str = ""
    template: str | None = None
    again: Again | None = None  # shows the form once more, with its faults, when `act` finds the form wrong
    recent: bool = False  # changes who may sign in or act: the person has to have proved themselves a moment ago
    wide: bool = False  # tables that want the whole window
    quiet: bool = (
        False  # a look that a page takes by itself: it keeps no session alive, and takes no word that is to be told
    )


@dataclass(frozen=True, slots=True)
class Tab:
    """One entry of the navigation, shown to whoever may see its page."""

    title: str
    path: str
    icon: str
    needs: Scope
