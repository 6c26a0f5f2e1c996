"""A clinic's own sign-in by OpenID Connect: what is configured, what is asked, what its answer has to say. Sends nothing.

Authorization code with PKCE (RFC 7636, S256), a state that is bound to the browser and good once, and a nonce. Who may
do what is told by one claim: a person none of whose values has a role here is not let in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from gateway.calls import Actor
from gateway.errors import Forbidden, InvalidRequest, NotFound, Unauthenticated
from gateway.ids import new_id
from gateway.ledger.writer import Draft, append_within
from gateway.people.roles import Role
from gateway.people.vouching import Keyed, Voucher
from gateway.store import invitations as rows
from gateway.store.invitations import ProviderRow
from gateway.store.pool import Store
from scopes.fault import Fault

SCOPE: Final = "openid profile"
_PURPOSE: Final = "oidc"
_MOST_TEXT: Final = 255
_STRONGEST_FIRST: Final = tuple(Role)


@dataclass(frozen=True, slots=True)
class Provider:
    """One clinic's own sign-in, ready to be asked."""

    id: UUID
    tenant: UUID
    issuer: str
    client: str
    secret: str = field(repr=False)
    title: str
    claim: str
    roles: Mapping[str, Role]

    def voucher(self, claims: Mapping[str, Any]) -> Voucher:
        """Whom the claims of a genuine token vouch for. Raises Forbidden where they give no role."""
        given = claims.get(self.claim)
        values = given if isinstance(given, list) else [given]
        held = {self.roles[value] for value in values if isinstance(value, str) and value in self.roles}
        if not held:
            raise Forbidden("your account at the clinic gives you no role here", fix="Ask the clinic's administrators.")
        role = next(each for each in _STRONGEST_FIRST if each in held)
        name = claims.get("name")
        return Voucher(self.tenant, self.issuer, str(claims["sub"]), role, name if isinstance(name, str) else "")


@dataclass(frozen=True, slots=True)
class Question:
    """What one browser is sent away with; all of it but the state stays here."""

    state: str
    nonce: str
    verifier: str = field(repr=False)

    @classmethod
    def new(cls) -> Question:
        """A fresh one."""
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))

    def address(self, provider: Provider, endpoint: str, *, back: str) -> str:
        """Where the browser is sent."""
        digest = hashlib.sha256(self.verifier.encode("ascii")).digest()
        asked = {
            "response_type": "code",
            "client_id": provider.client,
            "redirect_uri": back,
            "scope": SCOPE,
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii"),
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"


def check_answer(claims: Mapping[str, Any], provider: Provider, nonce: str) -> None:
    """Raise Unauthenticated unless an ID token, genuine already, answers this very question (OpenID Core 3.1.3.7)."""
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode("utf-8", "replace"), nonce.encode("ascii")):
        raise Unauthenticated("the answer is not to what was asked")
    if claims.get("azp", provider.client) != provider.client:
        raise Unauthenticated("the answer is for another client")
    if isinstance(claims.get("aud"), list) and len(claims["aud"]) > 1 and "azp" not in claims:
        raise Unauthenticated("the answer is for several clients")


class Providers:
    """Keeps clinics' own sign-ins."""

    def __init__(self, store: Store, keyed: Keyed, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._keyed = keyed
        self._clock = clock

    async def put(
        self, actor: Actor, *, issuer: str, client: str, secret: str, title: str, claim: str, roles: Mapping[str, str]
    ) -> UUID:
        """Let a clinic's people sign in by its provider, or replace what was set for it. Raises InvalidRequest."""
        _check(issuer, {"client": client, "secret": secret, "title": title, "claim": claim}, roles)
        ring, now, tenant = (await self._keyed(actor.tenant)).keyring, self._clock(), actor.tenant
        async with self._store.tenant(tenant) as connection:
            provider = await rows.provider_of(connection, tenant, issuer, client) or new_id()
            sealed = ring.seal(secret.encode(), purpose=_PURPOSE, row=str(provider))
            row = ProviderRow(provider, issuer, client, sealed, title, claim, dict(roles), now)
            await rows.put_provider(connection, tenant, row)
            entry = {
                "v": 1, "actor": {"kind": actor.kind, "id": actor.id}, "what": "oidc_trusted",
                "key": f"oidc:{provider}", "state": "active", "query": {"roles": sorted(set(roles.values()))},
            }  # fmt: skip
            await append_within(connection, Draft(tenant, "access", now, entry))
        return provider

    async def find(self, provider: UUID) -> Provider:
        """One sign-in. Raises NotFound."""
        async with self._store.nobody() as connection:
            tenant = await rows.provider_owner(connection, provider)
        if tenant is None:
            raise NotFound("there is no such sign-in")
        async with self._store.tenant(tenant) as connection:
            row = await rows.provider(connection, tenant, provider)
        if row is None:
            raise NotFound("there is no such sign-in")
        secret = (await self._keyed(tenant)).keyring.open(row.secret, purpose=_PURPOSE, row=str(provider)).decode()
        roles = {value: Role(role) for value, role in row.roles.items()}
        return Provider(row.id, tenant, row.issuer, row.client, secret, row.title, row.claim, roles)


def _check(issuer: str, texts: Mapping[str, str], roles: Mapping[str, str]) -> None:
    faults = []
    parts = urlsplit(issuer)
    local = parts.hostname in ("localhost", "127.0.0.1")
    if not (parts.scheme == "https" or (parts.scheme == "http" and local)) or parts.query or parts.fragment:
        faults.append(Fault("issuer", "must be an address: https://host/path"))
    for name, text in texts.items():
        if not 1 <= len(text) <= _MOST_TEXT or not text.isprintable():
            faults.append(Fault(name, f"must be 1 to {_MOST_TEXT} printable characters"))
    if not roles or not {*roles.values()} <= {str(role) for role in Role}:
        faults.append(Fault("roles", f"must map each value of the claim to one of: {', '.join(Role)}"))
    if faults:
        raise InvalidRequest("the sign-in is not complete", faults=faults)
