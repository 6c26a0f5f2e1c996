"""Replies to POSTs that carried an Idempotency-Key, kept sealed for a day. Calls keep theirs with their disclosure."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg


class ReplyRow(NamedTuple):
    """What a key was used for; without a status the first request is still under way."""

    fingerprint: bytes
    status: int | None
    sealed: bytes | None


class Ages(NamedTuple):
    """Older rows do not count: replies from before `kept_since`, and requests begun before `alive_since` without one."""

    kept_since: datetime
    alive_since: datetime


async def claim(
    connection: asyncpg.Connection, tenant: UUID, key: bytes, *, fingerprint: bytes, ages: Ages
) -> ReplyRow | None:
    """Take a key for a request; None when it is now ours, otherwise what it was taken for."""
    await connection.execute(
        "DELETE FROM replies WHERE tenant = $1 AND (created_at < $2 OR (status IS NULL AND created_at < $3))",
        tenant,
        ages.kept_since,
        ages.alive_since,
    )
    ours = await connection.fetchval(
        "INSERT INTO replies (tenant, key, fingerprint) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING true",
        tenant,
        key,
        fingerprint,
    )
    if ours:
        return None
    row = await connection.fetchrow(
        "SELECT fingerprint, status, sealed FROM replies WHERE tenant = $1 AND key = $2", tenant, key
    )
    return ReplyRow(*row) if row else ReplyRow(fingerprint, None, None)  # let go of this very moment: ask again


async def settle(connection: asyncpg.Connection, tenant: UUID, key: bytes, *, status: int, sealed: bytes) -> None:
    """Keep the reply."""
    await connection.execute(
        "UPDATE replies SET status = $3, sealed = $4 WHERE tenant = $1 AND key = $2", tenant, key, status, sealed
    )


async def release(connection: asyncpg.Connection, tenant: UUID, key: bytes) -> None:
    """Let go of a key whose request changed nothing."""
    await connection.execute("DELETE FROM replies WHERE tenant = $1 AND key = $2 AND status IS NULL", tenant, key)


async def drop(connection: asyncpg.Connection, tenant: UUID, before: datetime) -> None:
    """Take out what is older."""
    await connection.execute("DELETE FROM replies WHERE tenant = $1 AND created_at < $2", tenant, before)
