"""Who is about to connect: a link for one person and one time, then one browser, then one answer of the vendor's.

Whoever asks for a connection (a host, by the API) is seldom who allows it (a person, in a browser). So the link only shows
a page that says what for; going on from there binds the attempt to that browser by a cookie, and the vendor's answer counts
in no other one. A link that is sent to somebody else connects nothing unless they go on, and a code that is brought into
somebody else's browser connects nothing at all (RFC 9700 4.7).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from gateway.connections import Clinic, Connections
from gateway.errors import NotFound
from gateway.ids import new_id
from gateway.oauth.page import Secrets
from gateway.store import attempts as rows
from gateway.store.pool import Store

LASTS: Final = timedelta(hours=24)
"""How long a link is good for: long enough to be sent to the person who may allow it."""
_SEALED_AS: Final = "oauth_attempt"
_MOST_CHARACTERS: Final = 200


class NoAttempt(NotFound):
    """There is no such attempt, or not any more, or not for this browser; which of these is not told."""

    code = "no_attempt"
    title = "This link is not valid any more"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, found again."""

    clinic: Clinic = field(repr=False)
    row: rows.AttemptRow = field(repr=False)

    @property
    def id(self) -> UUID:
        """Its id."""
        return self.row.id

    @property
    def tenant(self) -> UUID:
        """Whose it is."""
        return self.clinic.tenant

    @property
    def connection(self) -> UUID:
        """What it connects."""
        return self.row.connection

    @property
    def asked(self) -> frozenset[str]:
        """The provider scopes that it asks for."""
        return frozenset(self.row.asked)

    def secrets(self) -> Secrets:
        """What only it knows; raises NoAttempt before it has begun."""
        if self.row.sealed is None:
            raise NoAttempt
        held = orjson.loads(self.clinic.keyring.open(self.row.sealed, purpose=_SEALED_AS, row=str(self.id)))
        return Secrets(held["state"], held["verifier"], held["nonce"])


class Attempts:
    """Makes attempts and finds them again. What a browser or a vendor hands in is hashed before it is compared."""

    def __init__(self, store: Store, connections: Connections, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._connections = connections
        self._clock = clock

    async def make(
        self,
        connection: asyncpg.Connection,
        tenant: UUID,
        connection_id: UUID,
        asked: frozenset[str],
        *,
        back: bool = False,
    ) -> str:
        """A new attempt, in the caller's transaction; what its link holds. The attempts before it end.

        `back` is for somebody who sits at our own pages: the vendor's answer leads them there again.
        """
        attempt, secret, now = new_id(), secrets.token_urlsafe(32), self._clock()
        row = rows.AttemptRow(
            attempt, connection_id, _hash(secret), sorted(asked), None, None, None, None, now, now + LASTS, None, None,
            back,
        )  # fmt: skip
        await rows.add_attempt(connection, tenant, row)
        return f"{attempt}.{secret}"

    async def linked(self, link: str) -> Attempt:
        """The attempt that a link is for, as long as it has not begun. Raises NoAttempt."""
        attempt, secret = await self._named(link)
        row = attempt.row
        known = hmac.compare_digest(row.link, _hash(secret))
        if not known or row.browser is not None or row.ended_at is not None or row.expires_at <= self._clock():
            raise NoAttempt
        return attempt

    async def begin(self, link: str, redirect: str) -> tuple[Attempt, Secrets, str]:
        """Begin it in this browser: the attempt, its secrets, and what the cookie holds. Raises NoAttempt."""
        attempt = await self.linked(link)
        own, browser = Secrets.drawn(str(attempt.id)), secrets.token_urlsafe(32)
        begun = self._begun(attempt, own, browser, redirect)
        async with self._store.tenant(attempt.tenant) as connection:
            if not await rows.begin_attempt(connection, attempt.tenant, attempt.id, begun, self._clock()):
                raise NoAttempt
        return attempt, own, browser

    async def found(self, state: str, browser: str) -> Attempt:
        """The attempt whose answer this is, if it is this browser's and still waits for one. Raises NoAttempt."""
        attempt, _ = await self._named(state)
        row = attempt.row
        ours = hmac.compare_digest(row.state or b"", _hash(state)) & hmac.compare_digest(
            row.browser or b"", _hash(browser)
        )
        if not ours or row.ended_at is not None or row.expires_at <= self._clock():
            raise NoAttempt
        return attempt

    async def take(self, state: str, browser: str) -> Attempt:
        """The same, used up: of two answers one is taken. Raises NoAttempt."""
        attempt, _ = await self._named(state)
        async with self._store.tenant(attempt.tenant) as connection:
            row = await rows.take_attempt(
                connection, attempt.tenant, attempt.id, state=_hash(state), browser=_hash(browser), now=self._clock()
            )
        if row is None:
            raise NoAttempt
        return Attempt(attempt.clinic, row)

    async def restate(self, attempt: Attempt, browser: str) -> Secrets:
        """Go on to a second page of the vendor's in the same browser, under a new state. Raises NoAttempt."""
        own = Secrets.drawn(str(attempt.id))
        begun = self._begun(attempt, own, browser, str(attempt.row.redirect))
        async with self._store.tenant(attempt.tenant) as connection:
            old = attempt.row.state or b""
            if not await rows.restate_attempt(connection, attempt.tenant, attempt.id, old=old, begun=begun):
                raise NoAttempt
        return own

    async def end(self, attempt: Attempt, code: str) -> None:
        """Note how it ended."""
        async with self._store.tenant(attempt.tenant) as connection:
            await rows.end_attempt(connection, attempt.tenant, attempt.id, code, self._clock())

    def _begun(self, attempt: Attempt, own: Secrets, browser: str, redirect: str) -> rows.Begun:
        held = orjson.dumps({"state": own.state, "verifier": own.verifier, "nonce": own.nonce})
        sealed = attempt.clinic.keyring.seal(held, purpose=_SEALED_AS, row=str(attempt.id))
        return rows.Begun(sealed, _hash(own.state), _hash(browser), redirect)

    async def _named(self, text: str) -> tuple[Attempt, str]:
        """The attempt that a link or a state names in front, and what it holds behind; nothing is proved by that."""
        name, dot, secret = text.partition(".")
        if not dot or not secret or len(text) > _MOST_CHARACTERS or not text.isascii():
            raise NoAttempt
        try:
            attempt_id = UUID(name)
        except ValueError:
            raise NoAttempt from None
        async with self._store.nobody() as connection:
            tenant = await rows.attempt_owner(connection, attempt_id)
        if tenant is None:
            raise NoAttempt
        clinic = await self._connections.clinic(tenant)
        async with self._store.tenant(tenant) as connection:
            row = await rows.attempt(connection, tenant, attempt_id)
        if row is None:
            raise NoAttempt
        return Attempt(clinic, row), secret


def _hash(text: str) -> bytes:
    """256 bits of chance need no salt and no slow hash."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
