"""Rows of tokens and of what they change about connections; turns between gateways. Tokens are sealed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

_TURNS = 7302  # the class of the advisory locks by which gateways take turns
_TOKENS = (
    "connection, asked, granted, excess, sealed, generation, received_at, expires_at, refresh_at, begun_at, retry_at, "
    "failures, failed_on, failing_days"
)


class TokensRow(NamedTuple):
    """What a vendor granted to one connection."""

    connection: UUID
    asked: list[str]
    granted: list[str]
    excess: list[str]
    sealed: bytes | None
    generation: int
    received_at: datetime | None
    expires_at: datetime | None
    refresh_at: datetime | None
    begun_at: datetime | None
    retry_at: datetime | None
    failures: int
    failed_on: date | None
    failing_days: int


class Received(NamedTuple):
    """Tokens that came in, sealed."""

    granted: Sequence[str]
    sealed: bytes
    at: datetime
    expires_at: datetime
    refresh_at: datetime


class Failure(NamedTuple):
    """That a vendor failed to give the next token."""

    retry_at: datetime
    on: date
    failing_days: int


class DueRow(NamedTuple):
    """A connection whose tokens somebody has to look at."""

    tenant: UUID
    connection: UUID
    connector: str


# Tokens ------------------------------------------------------------------------------------------------------------------


async def tokens(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID) -> TokensRow | None:
    """A connection's tokens."""
    row = await connection.fetchrow(
        f"SELECT {_TOKENS} FROM oauth_tokens WHERE tenant = $1 AND connection = $2", tenant, connection_id
    )
    return TokensRow(*row) if row else None


async def ask(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, asked: Sequence[str]) -> None:
    """Note what is asked for; what was granted before stays."""
    await connection.execute(
        "INSERT INTO oauth_tokens (tenant, connection, asked, granted, excess) VALUES ($1, $2, $3, '{}', '{}') "
        "ON CONFLICT (tenant, connection) DO UPDATE SET asked = excluded.asked",
        tenant,
        connection_id,
        list(asked),
    )


async def begin(
    connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, generation: int, now: datetime
) -> bool:
    """Note that the next generation is about to be asked for; False where this is not the present one."""
    found = await connection.fetchval(
        "UPDATE oauth_tokens SET begun_at = $4 WHERE tenant = $1 AND connection = $2 AND generation = $3 RETURNING true",
        tenant,
        connection_id,
        generation,
        now,
    )
    return bool(found)


async def receive(
    connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, generation: int, received: Received
) -> bool:
    """Store the next generation in place of this one; False where this is not the present one any more."""
    found = await connection.fetchval(
        "UPDATE oauth_tokens SET granted = $4, sealed = $5, received_at = $6, expires_at = $7, refresh_at = $8, excess = '{}', "
        "generation = generation + 1, begun_at = NULL, retry_at = NULL, failures = 0, failed_on = NULL, failing_days = 0 "
        "WHERE tenant = $1 AND connection = $2 AND generation = $3 RETURNING true",
        tenant,
        connection_id,
        generation,
        list(received.granted),
        *received[1:],
    )
    return bool(found)


async def fail(
    connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, failure: Failure, *, unsent: bool
) -> None:
    """Note that the vendor failed; where nothing left, the next generation was not asked for either."""
    await connection.execute(
        "UPDATE oauth_tokens SET retry_at = $3, failed_on = $4, failing_days = $5, failures = failures + 1, "
        "begun_at = CASE WHEN $6 THEN NULL ELSE begun_at END WHERE tenant = $1 AND connection = $2",
        tenant,
        connection_id,
        *failure,
        unsent,
    )


async def refuse(
    connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, granted: Sequence[str], excess: Sequence[str]
) -> None:
    """Destroy the tokens and keep what was too much about them."""
    await connection.execute(
        "UPDATE oauth_tokens SET sealed = NULL, granted = $3, excess = $4, expires_at = NULL, refresh_at = NULL, "
        "begun_at = NULL, retry_at = NULL, generation = generation + 1 WHERE tenant = $1 AND connection = $2",
        tenant,
        connection_id,
        list(granted),
        list(excess),
    )


async def note_excess(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, excess: Sequence[str]) -> None:
    """Keep what was too much about tokens that were not taken; those that there are stay."""
    await connection.execute(
        "UPDATE oauth_tokens SET excess = $3 WHERE tenant = $1 AND connection = $2", tenant, connection_id, list(excess)
    )


async def destroy(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID) -> None:
    """Destroy the tokens; what was asked and granted stays for the report."""
    await connection.execute(
        "UPDATE oauth_tokens SET sealed = NULL, expires_at = NULL, refresh_at = NULL, begun_at = NULL, retry_at = NULL, "
        "generation = generation + 1 WHERE tenant = $1 AND connection = $2",
        tenant,
        connection_id,
    )


async def drop_tokens(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID) -> None:
    """Forget a revoked connection's tokens altogether."""
    await connection.execute("DELETE FROM oauth_tokens WHERE tenant = $1 AND connection = $2", tenant, connection_id)


async def due(connection: asyncpg.Connection, now: datetime, most: int) -> list[DueRow]:
    """Connections whose tokens are to be refreshed ahead of time; for every tenant."""
    return [DueRow(*row) for row in await connection.fetch("SELECT * FROM gateway_tokens_due($1, $2)", now, most)]


async def left(connection: asyncpg.Connection, before: datetime, most: int) -> list[DueRow]:
    """Revoked connections that still have tokens; for every tenant."""
    return [DueRow(*row) for row in await connection.fetch("SELECT * FROM gateway_tokens_left($1, $2)", before, most)]


# A connection's row ------------------------------------------------------------------------------------------------------


async def activate(
    connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, granted: Sequence[str], now: datetime
) -> None:
    """Let a connection be used with what was granted. One that is suspended stays so."""
    await connection.execute(
        "UPDATE connections SET state = CASE WHEN state = 'pending' THEN 'active' ELSE state END, provider_scopes = $3, "
        "reconnect_since = NULL, reconnect_reason = NULL, changed_at = $4 WHERE tenant = $1 AND id = $2",
        tenant,
        connection_id,
        list(granted),
        now,
    )


async def deactivate(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, now: datetime) -> None:
    """Let nothing of a connection be used until somebody connects again."""
    await connection.execute(
        "UPDATE connections SET state = 'pending', provider_scopes = '{}', reconnect_since = NULL, reconnect_reason = NULL, "
        "changed_at = $3 WHERE tenant = $1 AND id = $2",
        tenant,
        connection_id,
        now,
    )


async def need_reconnect(
    connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, reason: str, now: datetime
) -> bool:
    """Note that the vendor's grant has ended; False where that is known already."""
    found = await connection.fetchval(
        "UPDATE connections SET reconnect_since = $4, reconnect_reason = $3, changed_at = $4 "
        "WHERE tenant = $1 AND id = $2 AND reconnect_since IS NULL AND state <> 'revoked' RETURNING true",
        tenant,
        connection_id,
        reason,
        now,
    )
    return bool(found)


# Turns -------------------------------------------------------------------------------------------------------------------


async def try_turn(connection: asyncpg.Connection, connection_id: UUID) -> bool:
    """Take the turn for a connection, for as long as this session lives or until it is given back; False where taken."""
    taken = await connection.fetchval("SELECT pg_try_advisory_lock($1, hashtext($2::text))", _TURNS, str(connection_id))
    return bool(taken)


async def end_turn(connection: asyncpg.Connection, connection_id: UUID) -> None:
    """Give a turn back."""
    await connection.execute("SELECT pg_advisory_unlock($1, hashtext($2::text))", _TURNS, str(connection_id))
