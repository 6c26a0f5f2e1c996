"""From sign-in to sign-out. A session's token is in one cookie and kept nowhere; here there is its hash.

A session ends 30 minutes after it was last used and 12 hours after it began, whichever comes first. Its token changes at
sign-in and whenever the person's role does: whoever saw the old one holds nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from gateway.calls import Actor
from gateway.errors import NotFound
from gateway.ids import new_id
from gateway.people.roles import Role, scopes_of
from gateway.store import sessions as rows
from gateway.store.pool import Store
from gateway.store.sessions import FoundSession, SessionRow

IDLE: Final = timedelta(minutes=30)
ABSOLUTE: Final = timedelta(hours=12)
WAITING: Final = timedelta(minutes=10)  # between the password and the second factor
RECENT: Final = timedelta(minutes=15)  # how long a proof is good for what changes who may sign in
_SEEN_EVERY: Final = timedelta(seconds=60)
_TOKEN_BYTES: Final = 32
_TOKEN_CHARACTERS: Final = 43


@dataclass(frozen=True, slots=True)
class Session:
    """One session that is in force, with its person as they stand now."""

    id: UUID
    token: str = field(repr=False)
    person: UUID
    name: str = field(repr=False)
    email: str | None = field(repr=False)
    tenant: UUID
    role: Role
    via: str
    waits: bool
    frames: tuple[str, ...]
    said: Mapping[str, Any] | None
    proved_at: datetime
    expires_at: datetime
    is_new: bool = False  # its token changed with this request: the browser has to hear of it

    @property
    def actor(self) -> Actor:
        """The person as everything else knows them: an id, and what they may do."""
        scopes = () if self.waits else scopes_of(self.role)
        return Actor("person", str(self.person), self.tenant, scopes)

    def is_recent(self, now: datetime) -> bool:
        """Whether the person proved who they are a moment ago."""
        return now < self.proved_at + RECENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A session that is to begin."""

    person: UUID
    tenant: UUID
    role: Role
    via: str
    device: str
    waits: bool = False
    issuer: str | None = None
    frames: Sequence[str] = ()


def new_token() -> str:
    """A fresh token for a cookie."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def is_token(text: str) -> bool:
    """Whether a text has a token's form."""
    return len(text) == _TOKEN_CHARACTERS and text.isascii() and text.replace("-", "a").replace("_", "a").isalnum()


def digest_of(token: str) -> bytes:
    """What is kept of a token."""
    # A plain hash, as for API keys: nobody guesses 256 random bits.
    return hashlib.sha256(token.encode("ascii")).digest()


def form_token(token: str) -> str:
    """What every form of a browser with this cookie carries; says nothing of the cookie's own value."""
    return hmac.digest(token.encode("ascii"), b"clinic-gateway forms v1", "sha256").hex()


class Sessions:
    """Opens, finds, changes and ends sessions."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def open(self, opening: Opening) -> str:
        """Begin a session; gives its token."""
        now, token = self._clock(), new_token()
        row = SessionRow(
            id=new_id(), digest=digest_of(token), tenant=opening.tenant, role=str(opening.role), via=opening.via,
            waits=opening.waits, issuer=opening.issuer, frames=list(opening.frames), device=opening.device, said=None,
            created_at=now, proved_at=now, seen_at=now, expires_at=now + (WAITING if opening.waits else ABSOLUTE),
        )  # fmt: skip
        async with self._store.person(opening.person) as connection:
            await rows.add(connection, opening.person, row)
        return token

    async def find(self, token: str, *, seen: bool = True) -> Session | None:
        """The session of a token, while it is in force; nothing for any other text. `seen` is somebody's own doing."""
        if not is_token(token):
            return None
        now = self._clock()
        async with self._store.nobody() as connection:
            found = await rows.find(connection, digest_of(token))
            if found is None or found.role is None or now >= _ends(found.row):
                return None
            if found.role != found.row.role:
                return await self._renewed(connection, found, now)
            if seen and now - found.row.seen_at > _SEEN_EVERY:
                await rows.see(connection, found.person, found.row.id, now)
        return _session(found, token)

    async def complete(self, session: Session) -> str:
        """The second factor came: a session begins in earnest, under another token."""
        now = self._clock()
        return await self._replaced(session, waits=False, proved_at=now, expires_at=now + ABSOLUTE)

    async def prove(self, session: Session) -> str:
        """The person proved anew who they are: the same session under another token."""
        return await self._replaced(session, proved_at=self._clock())

    async def turn_to(self, session: Session, tenant: UUID, role: Role) -> str:
        """Look at another of the person's clinics."""
        return await self._replaced(session, tenant=tenant, role=str(role))

    async def end(self, session: Session) -> None:
        """Sign out."""
        async with self._store.person(session.person) as connection:
            await rows.end(connection, session.person, session.id)

    async def of(self, person: UUID) -> list[SessionRow]:
        """A person's sessions, the last used first."""
        now = self._clock()
        async with self._store.person(person) as connection:
            return [row for row in await rows.of(connection, person, now) if now < _ends(row)]

    async def revoke(self, person: UUID, session: UUID) -> None:
        """End one of a person's sessions. Raises NotFound."""
        async with self._store.person(person) as connection:
            if not await rows.end(connection, person, session):
                raise NotFound("there is no such session")

    async def revoke_others(self, session: Session) -> None:
        """End all of the person's sessions but this."""
        async with self._store.person(session.person) as connection:
            await rows.end_others(connection, session.person, session.id)

    async def revoke_all(self, person: UUID) -> None:
        """End all of a person's sessions."""
        async with self._store.person(person) as connection:
            await rows.end_others(connection, person, None)

    async def say(self, session: Session, said: Mapping[str, Any] | None) -> None:
        """Keep what the next page is to tell, or forget it."""
        async with self._store.person(session.person) as connection:
            await rows.say(connection, session.person, session.id, said)

    async def forget(self) -> None:
        """Destroy what is over."""
        async with self._store.nobody() as connection:
            await rows.forget(connection, self._clock())

    async def _renewed(self, connection: Any, found: FoundSession, now: datetime) -> Session | None:
        """The person's role changed: from here on another token is the session's."""
        token = new_token()
        row = found.row._replace(digest=digest_of(token), role=str(found.role), seen_at=now)
        if not await rows.replace(connection, found.person, found.row.digest, row):
            return None
        return _session(found._replace(row=row), token, is_new=True)

    async def _replaced(self, session: Session, **changed: Any) -> str:
        token = new_token()
        async with self._store.nobody() as connection:
            found = await rows.find(connection, digest_of(session.token))
            if found is None:
                raise NotFound("this session has ended")
            row = found.row._replace(digest=digest_of(token), seen_at=self._clock(), **changed)
            await rows.replace(connection, session.person, found.row.digest, row)
        return token


def _ends(row: SessionRow) -> datetime:
    return min(row.expires_at, row.seen_at + IDLE)


def _session(found: FoundSession, token: str, *, is_new: bool = False) -> Session:
    row = found.row
    return Session(
        id=row.id, token=token, person=found.person, name=found.name, email=found.email, tenant=row.tenant,
        role=Role(row.role), via=row.via, waits=row.waits, frames=tuple(row.frames), said=row.said,
        proved_at=row.proved_at, expires_at=row.expires_at, is_new=is_new,
    )  # fmt: skip
