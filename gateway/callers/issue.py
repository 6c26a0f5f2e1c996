"""Make and revoke API keys, trust issuers of tokens. Every change is one transaction with its ledger entry.

The entry also counts the tenant's standing up, so that every gateway learns of the change with its next intent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg

from gateway.callers.api_key import ApiKey
from gateway.callers.token import Issuer
from gateway.calls import Actor
from gateway.errors import Conflict, Forbidden, InvalidRequest, NotFound
from gateway.ledger.writer import Draft, append_within
from gateway.store import callers as rows
from gateway.store.callers import IssuerRow, KeyRow
from gateway.store.pool import Store
from scopes.fault import Fault
from scopes.scope import Scope, includes

SYSTEM: Final = "system"  # the gateway itself, on an operator's word: it may hand on what it does not hold
_MAX_TITLE = 80


class Issued(NamedTuple):
    """A new API key: its text, which is shown once and kept nowhere, and its row."""

    text: str
    row: KeyRow


async def create_key(store: Store, actor: Actor, wanted: KeyRow, *, now: datetime) -> Issued:
    """Make a key with the title, scopes and expiry of `wanted`; nobody hands on a scope that they do not hold."""
    _check(wanted, now)
    _check_held(actor, map(Scope.parse, wanted.scopes))
    key = ApiKey.new()
    row = wanted._replace(id=key.id, digest=key.digest, created_at=now, revoked_at=None)
    async with store.tenant(actor.tenant) as connection:
        await rows.add_key(connection, actor.tenant, row)
        entry = {**_about(actor, key.id, "active"), "scopes": row.scopes}
        if row.expires_at is not None:
            entry["until"] = row.expires_at.isoformat()
        await append_within(connection, Draft(actor.tenant, "key", now, entry))
    return Issued(key.text, row)


async def revoke_key(store: Store, actor: Actor, key_id: str, *, now: datetime) -> None:
    """Revoke a key for good; a second time changes nothing. Raises NotFound."""
    async with store.tenant(actor.tenant) as connection:
        if await rows.key(connection, actor.tenant, key_id) is None:
            raise NotFound("there is no such key")
        if await rows.revoke_key(connection, actor.tenant, key_id, now):
            await append_within(connection, Draft(actor.tenant, "key", now, _about(actor, key_id, "revoked")))


async def add_issuer(store: Store, actor: Actor, row: IssuerRow, *, now: datetime) -> Issuer:
    """Trust an issuer's tokens, or replace what it is trusted with. Raises InvalidRequest, Conflict."""
    issuer = Issuer.of(actor.tenant, row)
    scopes = sorted({scope for held in issuer.roles.values() for scope in held})
    _check_held(actor, scopes)
    entry = {**_about(actor, f"issuer:{row.issuer}", "active"), "scopes": [str(scope) for scope in scopes]}
    if row.link_roles:
        entry["query"] = {"link_roles": sorted(row.link_roles), "frames": sorted(row.frames)}
    try:
        async with store.tenant(actor.tenant) as connection:
            await rows.put_issuer(connection, actor.tenant, row)
            await append_within(connection, Draft(actor.tenant, "key", now, entry))
    except asyncpg.UniqueViolationError:
        raise Conflict("this issuer is trusted by another tenant of this gateway; one issuer, one tenant") from None
    return issuer


def proposed(title: str, scopes: Sequence[Scope], expires_at: datetime | None, *, now: datetime) -> KeyRow:
    """A key that is asked for."""
    return KeyRow("", b"", title, sorted({str(scope) for scope in scopes}), now, expires_at, None)


def _check(wanted: KeyRow, now: datetime) -> None:
    faults = []
    if not 1 <= len(wanted.title) <= _MAX_TITLE or not wanted.title.isprintable():
        faults.append(Fault("title", f"must be 1 to {_MAX_TITLE} printable characters"))
    if not wanted.scopes:
        faults.append(Fault("scopes", "must name at least one scope; without one a key opens nothing"))
    if wanted.expires_at is not None and wanted.expires_at <= now:
        faults.append(Fault("expires_at", "must lie in the future"))
    if faults:
        raise InvalidRequest("the key is not complete", faults=faults)


def _check_held(actor: Actor, scopes: Iterable[Scope]) -> None:
    missing = [] if actor.kind == SYSTEM else [str(scope) for scope in scopes if not includes(actor.scopes, scope)]
    if missing:
        raise Forbidden(f"you can hand on only what you hold; this needs: {', '.join(missing)}")


def _about(actor: Actor, key: str, state: str) -> dict[str, Any]:
    return {"v": 1, "actor": {"kind": actor.kind, "id": actor.id}, "key": key, "state": state}
