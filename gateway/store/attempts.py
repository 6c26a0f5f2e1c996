"""Rows of attempts to connect by OAuth: links, states and browsers as hashes, what else is secret sealed."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

_ATTEMPT = "id, connection, link, asked, sealed, state, browser, redirect, created_at, expires_at, ended_at, code, back"


class AttemptRow(NamedTuple):
    """Somebody is about to connect."""

    id: UUID
    connection: UUID
    link: bytes
    asked: list[str]
    sealed: bytes | None
    state: bytes | None
    browser: bytes | None
    redirect: str | None
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    code: str | None
    back: bool = False  # whether it began on our own pages, to which the person comes back


class Begun(NamedTuple):
    """What is kept of an attempt once it has begun in a browser."""

    sealed: bytes
    state: bytes
    browser: bytes
    redirect: str


async def attempt_owner(connection: asyncpg.Connection, attempt: UUID) -> UUID | None:
    """Whose attempt it is; asked before a tenant is known."""
    found: UUID | None = await connection.fetchval("SELECT gateway_attempt_owner($1)", attempt)
    return found


async def add_attempt(connection: asyncpg.Connection, tenant: UUID, row: AttemptRow) -> None:
    """Store an attempt; those of the same connection that were made before are good for nothing any more."""
    await connection.execute(
        "UPDATE oauth_attempts SET ended_at = $3, code = 'replaced', sealed = NULL "
        "WHERE tenant = $1 AND connection = $2 AND ended_at IS NULL",
        tenant,
        row.connection,
        row.created_at,
    )
    await connection.execute(
        f"INSERT INTO oauth_attempts (tenant, {_ATTEMPT}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, "
        "$14)",
        tenant,
        *row,
    )


async def attempt(connection: asyncpg.Connection, tenant: UUID, attempt_id: UUID) -> AttemptRow | None:
    """One attempt."""
    row = await connection.fetchrow(
        f"SELECT {_ATTEMPT} FROM oauth_attempts WHERE tenant = $1 AND id = $2", tenant, attempt_id
    )
    return AttemptRow(*row) if row else None


async def begin_attempt(
    connection: asyncpg.Connection, tenant: UUID, attempt_id: UUID, begun: Begun, now: datetime
) -> bool:
    """Bind an attempt to the browser in which it begins; False where it has begun already, or is over."""
    found = await connection.fetchval(
        "UPDATE oauth_attempts SET sealed = $3, state = $4, browser = $5, redirect = $6, "
        "expires_at = least(expires_at, $7 + interval '1 hour') "
        "WHERE tenant = $1 AND id = $2 AND browser IS NULL AND ended_at IS NULL AND expires_at > $7 RETURNING true",
        tenant,
        attempt_id,
        *begun,
        now,
    )
    return bool(found)


async def restate_attempt(
    connection: asyncpg.Connection, tenant: UUID, attempt_id: UUID, *, old: bytes, begun: Begun
) -> bool:
    """Give a begun attempt another state, in the same browser; False where the old state was used already."""
    found = await connection.fetchval(
        "UPDATE oauth_attempts SET sealed = $4, state = $5, browser = $6, redirect = $7 "
        "WHERE tenant = $1 AND id = $2 AND state = $3 AND ended_at IS NULL RETURNING true",
        tenant,
        attempt_id,
        old,
        *begun,
    )
    return bool(found)


async def take_attempt(
    connection: asyncpg.Connection, tenant: UUID, attempt_id: UUID, *, state: bytes, browser: bytes, now: datetime
) -> AttemptRow | None:
    """Use an attempt up: once, in the browser in which it began, in time; otherwise nothing."""
    row = await connection.fetchrow(
        f"WITH old AS (SELECT {_ATTEMPT} FROM oauth_attempts WHERE tenant = $1 AND id = $2 FOR UPDATE), "
        "used AS (UPDATE oauth_attempts a SET ended_at = $5, code = 'taken', sealed = NULL FROM old "
        "WHERE a.tenant = $1 AND a.id = old.id AND old.state = $3 AND old.browser = $4 AND old.ended_at IS NULL "
        "AND old.expires_at > $5 RETURNING a.id) "
        f"SELECT {_ATTEMPT} FROM old WHERE EXISTS (SELECT FROM used)",
        tenant,
        attempt_id,
        state,
        browser,
        now,
    )
    return AttemptRow(*row) if row else None


async def end_attempt(connection: asyncpg.Connection, tenant: UUID, attempt_id: UUID, code: str, now: datetime) -> None:
    """Note how an attempt ended."""
    await connection.execute(
        "UPDATE oauth_attempts SET code = $3, ended_at = coalesce(ended_at, $4), sealed = NULL WHERE tenant = $1 AND id = $2",
        tenant,
        attempt_id,
        code,
        now,
    )


async def drop_attempts(connection: asyncpg.Connection, tenant: UUID, before: datetime) -> None:
    """Forget attempts that are older."""
    await connection.execute("DELETE FROM oauth_attempts WHERE tenant = $1 AND created_at < $2", tenant, before)
