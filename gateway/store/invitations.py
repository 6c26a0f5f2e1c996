"""Rows of the ways in that a clinic gives: invitations, its own sign-in (OIDC), one-time links, whom these vouch for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

_INVITATION = "id, digest, email, role, created_at, expires_at, ended_at"
_PROVIDER = "id, issuer, client, secret, title, claim, roles, created_at"


class InvitationRow(NamedTuple):
    """One invitation; of its link there is only the hash."""

    id: UUID
    digest: bytes
    email: str
    role: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None


class ProviderRow(NamedTuple):
    """A clinic's own sign-in: an OpenID provider, and what its people may do here."""

    id: UUID
    issuer: str
    client: str
    secret: bytes
    title: str
    claim: str
    roles: Mapping[str, str]
    created_at: datetime


async def owner(connection: asyncpg.Connection, digest: bytes) -> UUID | None:
    """The clinic that invites; asked before any clinic is known."""
    found: UUID | None = await connection.fetchval("SELECT gateway_invitation_owner($1)", digest)
    return found


async def add(connection: asyncpg.Connection, tenant: UUID, row: InvitationRow) -> None:
    """Store an invitation."""
    await connection.execute(
        f"INSERT INTO invitations (tenant, {_INVITATION}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", tenant, *row
    )


async def by_digest(
    connection: asyncpg.Connection, tenant: UUID, digest: bytes, *, for_update: bool = False
) -> InvitationRow | None:
    """The invitation of a link."""
    row = await connection.fetchrow(
        f"SELECT {_INVITATION} FROM invitations WHERE tenant = $1 AND digest = $2"
        + (" FOR UPDATE" if for_update else ""),
        tenant,
        digest,
    )
    return InvitationRow(*row) if row else None


async def waiting(connection: asyncpg.Connection, tenant: UUID, now: datetime) -> list[InvitationRow]:
    """Invitations that can still be accepted, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_INVITATION} FROM invitations WHERE tenant = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY id",
        tenant,
        now,
    )
    return [InvitationRow(*row) for row in rows]


async def end(connection: asyncpg.Connection, tenant: UUID, invitation: UUID, at: datetime) -> bool:
    """End an invitation; False where there is no such one, or it ended before."""
    done = await connection.fetchval(
        "UPDATE invitations SET ended_at = $3 WHERE tenant = $1 AND id = $2 AND ended_at IS NULL RETURNING true",
        tenant,
        invitation,
        at,
    )
    return done is not None


async def vouched_for(connection: asyncpg.Connection, tenant: UUID, issuer: str, subject: bytes) -> UUID | None:
    """The person whom an issuer means."""
    found: UUID | None = await connection.fetchval(
        "SELECT person FROM identities WHERE tenant = $1 AND issuer = $2 AND subject = $3", tenant, issuer, subject
    )
    return found


async def vouch(connection: asyncpg.Connection, tenant: UUID, issuer: str, subject: bytes, person: UUID) -> bool:
    """Remember whom an issuer means; False where another gateway was faster."""
    done = await connection.fetchval(
        "INSERT INTO identities (tenant, issuer, subject, person) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT DO NOTHING RETURNING true",
        tenant,
        issuer,
        subject,
        person,
    )
    return done is not None


async def use_link(
    connection: asyncpg.Connection, tenant: UUID, issuer: str, link: bytes, *, until: datetime, now: datetime
) -> bool:
    """Use a one-time link up; False where it was used before. Forgets those that no longer open anything by themselves."""
    await connection.execute("DELETE FROM used_links WHERE tenant = $1 AND expires_at < $2", tenant, now)
    done = await connection.fetchval(
        "INSERT INTO used_links (tenant, issuer, link, expires_at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT DO NOTHING RETURNING true",
        tenant,
        issuer,
        link,
        until,
    )
    return done is not None


async def provider_owner(connection: asyncpg.Connection, provider: UUID) -> UUID | None:
    """Whose sign-in this is; asked before any clinic is known."""
    found: UUID | None = await connection.fetchval("SELECT gateway_oidc_owner($1)", provider)
    return found


async def put_provider(connection: asyncpg.Connection, tenant: UUID, row: ProviderRow) -> None:
    """Store a clinic's own sign-in, or what it is now."""
    await connection.execute(
        f"INSERT INTO oidc_providers (tenant, {_PROVIDER}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
        "ON CONFLICT (tenant, id) DO UPDATE SET secret = excluded.secret, title = excluded.title, "
        "claim = excluded.claim, roles = excluded.roles",
        tenant,
        *row,
    )


async def provider(connection: asyncpg.Connection, tenant: UUID, provider_id: UUID) -> ProviderRow | None:
    """One sign-in of a clinic."""
    row = await connection.fetchrow(
        f"SELECT {_PROVIDER} FROM oidc_providers WHERE tenant = $1 AND id = $2", tenant, provider_id
    )
    return ProviderRow(*row) if row else None


async def provider_of(connection: asyncpg.Connection, tenant: UUID, issuer: str, client: str) -> UUID | None:
    """The id of a sign-in that is known already."""
    found: UUID | None = await connection.fetchval(
        "SELECT id FROM oidc_providers WHERE tenant = $1 AND issuer = $2 AND client = $3", tenant, issuer, client
    )
    return found
