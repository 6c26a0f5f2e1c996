"""Find the actor behind a bearer token, and remember it for a while. What an actor may do is decided where it asks.

What is remembered is keyed by the token's hash. A key that is revoked through this gateway stops at once (forget); in
other gateways it stops within 30 seconds, or with their next intent for the tenant, because revoking counts the
standing up. A host's signing key that is replaced elsewhere stops within 60 seconds in the same way.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from gateway.callers import issue
from gateway.callers.api_key import PREFIX, ApiKey
from gateway.callers.issue import Issued
from gateway.callers.link import Link
from gateway.callers.link import read as read_link
from gateway.callers.token import MAX_TOKEN_CHARACTERS, Bearer, Issuer, issuer_named_in
from gateway.calls import Actor
from gateway.errors import NotFound, Unauthenticated
from gateway.ledger.log import Fingerprints
from gateway.store import callers as rows
from gateway.store.callers import IssuerRow, KeyRow
from gateway.store.pool import Store
from scopes.opaque import check_opaque
from scopes.scope import Scope

KEY_SECONDS: Final = 30.0
ISSUER_SECONDS: Final = 60.0
_TOKENS = 10_000
_ISSUERS = 1_000
_UNKNOWN = "this API key is not known"
_Name = TypeVar("_Name")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class _Remembered:
    actor: Actor
    until: float


class Callers:
    """Establishes who calls. One per gateway."""

    def __init__(
        self, store: Store, *, keyed: Callable[[UUID], Awaitable[Fingerprints]], clock: Callable[[], datetime]
    ) -> None:
        """`keyed` finds a tenant's own key: under it a host's user is recorded whose subject (sub) may name them."""
        self._store = store
        self._keyed = keyed
        self._clock = clock
        self._tokens: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._issuers: OrderedDict[str, tuple[Issuer, float]] = OrderedDict()
        self._forgotten = 0

    async def caller(self, raw_authorization: bytes | None) -> Actor:
        """The actor behind an Authorization header; raises Unauthenticated, or Unavailable when it cannot be told."""
        if raw_authorization is None:
            raise Unauthenticated
        name = hashlib.sha256(raw_authorization).digest()
        now = self._clock().timestamp()
        known = self._tokens.get(name)
        if known is not None and now < known.until:
            self._tokens.move_to_end(name)
            return known.actor
        forgotten = self._forgotten
        token = _bearer(raw_authorization)
        found = await (self._by_key(token, now) if token.startswith(PREFIX) else self._by_token(token, now))
        if forgotten == self._forgotten:  # else a revocation may have come between reading and remembering
            _remember(self._tokens, name, found, most=_TOKENS)
        return found.actor

    def forget(self, tenant: UUID) -> None:
        """Look every caller of this tenant up anew; its standing changed."""
        self._forgotten += 1
        for name in [name for name, known in self._tokens.items() if known.actor.tenant == tenant]:
            del self._tokens[name]
        for issuer in [issuer for issuer, (known, _) in self._issuers.items() if known.tenant == tenant]:
            del self._issuers[issuer]

    async def create_key(
        self, actor: Actor, title: str, scopes: Sequence[Scope], expires_at: datetime | None = None
    ) -> Issued:
        """Make an API key: (its text, its row). The text is shown here and never again."""
        now = self._clock()
        wanted = issue.proposed(title, scopes, expires_at, now=now)
        issued = await issue.create_key(self._store, actor, wanted, now=now)
        self.forget(actor.tenant)
        return issued

    async def revoke_key(self, actor: Actor, key_id: str) -> None:
        """Revoke a key for good."""
        await issue.revoke_key(self._store, actor, key_id, now=self._clock())
        self.forget(actor.tenant)

    async def keys(self, tenant: UUID, *, after: str | None = None, limit: int = 50) -> list[KeyRow]:
        """A page of a tenant's keys, revoked ones too."""
        async with self._store.tenant(tenant) as connection:
            return await rows.keys(connection, tenant, after=after, limit=limit)

    async def key(self, tenant: UUID, key_id: str) -> KeyRow:
        """One key. Raises NotFound."""
        async with self._store.tenant(tenant) as connection:
            row = await rows.key(connection, tenant, key_id)
        if row is None:
            raise NotFound("there is no such key")
        return row

    async def add_issuer(
        self,
        actor: Actor,
        issuer: str,
        audience: str,
        *,
        jwks: Mapping[str, Any],
        roles: Mapping[str, Sequence[str]],
        link_roles: Sequence[str] = (),
        frames: Sequence[str] = (),
    ) -> None:
        """Trust an issuer's tokens: under these keys, for this audience; `roles` maps its roles to our scopes.

        Its one-time links may give the people's roles of `link_roles`, and `frames` may show their pages.
        """
        row = IssuerRow(issuer, audience, jwks, roles, list(link_roles), list(frames))
        await issue.add_issuer(self._store, actor, row, now=self._clock())
        self.forget(actor.tenant)

    async def link(self, token: str) -> Link:
        """What a host's one-time link says, when it is genuine; raises Unauthenticated. Using it up is the flow's."""
        now = self._clock().timestamp()
        issuer, _ = await self._issuer(issuer_named_in(token), now)
        return read_link(issuer, token, now=now)

    async def _by_key(self, text: str, now: float) -> _Remembered:
        key = ApiKey.parse(text)
        if key is None:
            raise Unauthenticated("this API key is not complete; it reads cgk_<12 characters>_<43 characters>")
        async with self._store.nobody() as connection:
            tenant = await rows.key_owner(connection, key.id)
        if tenant is None:
            raise Unauthenticated(_UNKNOWN)
        async with self._store.tenant(tenant) as connection:
            row = await rows.key(connection, tenant, key.id)
        if row is None or not key.matches(row.digest):
            raise Unauthenticated(_UNKNOWN)
        if row.revoked_at is not None:
            raise Unauthenticated("this API key is revoked")
        until = now + KEY_SECONDS
        if row.expires_at is not None:
            if row.expires_at.timestamp() <= now:
                raise Unauthenticated("this API key has expired")
            until = min(until, row.expires_at.timestamp())
        scopes = tuple(Scope.parse(scope) for scope in row.scopes)
        return _Remembered(Actor("api_key", row.id, tenant, scopes), until)

    async def _by_token(self, token: str, now: float) -> _Remembered:
        issuer, until = await self._issuer(issuer_named_in(token), now)
        bearer = issuer.check(token, now=now)
        actor = Actor("jwt", await self._reference(issuer, bearer), issuer.tenant, bearer.scopes)
        return _Remembered(actor, min(until, bearer.expires_at))

    async def _issuer(self, name: str, now: float) -> tuple[Issuer, float]:
        known = self._issuers.get(name)
        if known is not None and now < known[1]:
            self._issuers.move_to_end(name)
            return known
        forgotten = self._forgotten
        async with self._store.nobody() as connection:
            tenant = await rows.issuer_owner(connection, name)
        row = None
        if tenant is not None:
            async with self._store.tenant(tenant) as connection:
                row = await rows.issuer(connection, tenant, name)
        if tenant is None or row is None:
            raise Unauthenticated("no tenant trusts this token's issuer")
        found = (Issuer.of(tenant, row), now + ISSUER_SECONDS)
        if forgotten == self._forgotten:
            _remember(self._issuers, name, found, most=_ISSUERS)
        return found

    async def _reference(self, issuer: Issuer, bearer: Bearer) -> str:
        """The host's user as the ledger may know it: a subject can be an e-mail address, and entries are for ever."""
        try:
            return check_opaque(bearer.subject)
        except ValueError:
            keyed = await self._keyed(issuer.tenant)
            return "u_" + keyed.fingerprint(f"user|{issuer.name}|{bearer.subject}".encode()).hex()[:32]


def _bearer(raw_authorization: bytes) -> str:
    """The token of `Bearer <token>` (RFC 6750 2.1)."""
    scheme, _, raw_token = raw_authorization.partition(b" ")
    token = raw_token.strip(b" ")
    if scheme.lower() != b"bearer" or not token:
        raise Unauthenticated("the Authorization header must read: Bearer <API key or token>")
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise Unauthenticated(f"the token is longer than {MAX_TOKEN_CHARACTERS} characters")
    if not token.isascii():
        raise Unauthenticated("a token has ASCII characters only")
    return token.decode("ascii")


def _remember(shelf: OrderedDict[_Name, _Value], name: _Name, value: _Value, *, most: int) -> None:
    shelf[name] = value
    if len(shelf) > most:
        shelf.popitem(last=False)
