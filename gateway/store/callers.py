"""Rows of API keys and of trusted token issuers. No secrets: of a key there is only the hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

_KEY = "id, digest, title, scopes, created_at, expires_at, revoked_at"


class KeyRow(NamedTuple):
    """One API key of a tenant."""

    id: str
    digest: bytes
    title: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class IssuerRow(NamedTuple):
    """One issuer whose tokens a tenant trusts: for which audience, under which keys, and what its roles may do."""

    issuer: str
    audience: str
    jwks: Mapping[str, Any]
    roles: Mapping[str, Sequence[str]]
    link_roles: Sequence[str] = ()  # roles of people that its one-time links may give
    frames: Sequence[str] = ()  # origins that may show the pages in a frame


async def key_owner(connection: asyncpg.Connection, key_id: str) -> UUID | None:
    """The tenant of a key; asked before any tenant is known."""
    owner: UUID | None = await connection.fetchval("SELECT gateway_key_owner($1)", key_id)
    return owner


async def key(connection: asyncpg.Connection, tenant: UUID, key_id: str) -> KeyRow | None:
    """One key, revoked ones too."""
    row = await connection.fetchrow(f"SELECT {_KEY} FROM api_keys WHERE tenant = $1 AND id = $2", tenant, key_id)
    return KeyRow(*row) if row else None


async def keys(connection: asyncpg.Connection, tenant: UUID, *, after: str | None, limit: int) -> list[KeyRow]:
    """A page of a tenant's keys in the order of their ids, revoked ones too."""
    rows = await connection.fetch(
        f'SELECT {_KEY} FROM api_keys WHERE tenant = $1 AND ($2::text IS NULL OR id COLLATE "C" > $2) '
        'ORDER BY id COLLATE "C" LIMIT $3',
        tenant,
        after,
        limit,
    )
    return [KeyRow(*row) for row in rows]


async def add_key(connection: asyncpg.Connection, tenant: UUID, row: KeyRow) -> None:
    """Store a new key."""
    await connection.execute(
        f"INSERT INTO api_keys (tenant, {_KEY}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", tenant, *row
    )


async def revoke_key(connection: asyncpg.Connection, tenant: UUID, key_id: str, at: datetime) -> bool:
    """Revoke a key; False when it was revoked before."""
    changed = await connection.fetchval(
        "UPDATE api_keys SET revoked_at = $3 WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL RETURNING id",
        tenant,
        key_id,
        at,
    )
    return changed is not None


async def issuer_owner(connection: asyncpg.Connection, issuer: str) -> UUID | None:
    """The tenant that trusts an issuer; asked before any tenant is known."""
    owner: UUID | None = await connection.fetchval("SELECT gateway_issuer_owner($1)", issuer)
    return owner


async def issuer(connection: asyncpg.Connection, tenant: UUID, name: str) -> IssuerRow | None:
    """One issuer that a tenant trusts."""
    row = await connection.fetchrow(
        "SELECT issuer, audience, jwks, roles, link_roles, frames FROM issuers WHERE tenant = $1 AND issuer = $2",
        tenant,
        name,
    )
    return IssuerRow(*row) if row else None


async def put_issuer(connection: asyncpg.Connection, tenant: UUID, row: IssuerRow) -> None:
    """Trust an issuer, or replace its row; raises asyncpg.UniqueViolationError when another tenant trusts it."""
    await connection.execute(
        "INSERT INTO issuers (tenant, issuer, audience, jwks, roles, link_roles, frames) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, issuer) DO UPDATE "
        "SET audience = excluded.audience, jwks = excluded.jwks, roles = excluded.roles, "
        "link_roles = excluded.link_roles, frames = excluded.frames",
        tenant,
        *row,
    )
