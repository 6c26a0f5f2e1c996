"""Which ledger writers live, and the intents of those that died. A writer lives as long as it holds its advisory lock."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

import asyncpg

WRITER_LOCK_CLASS = 7301


async def register_writer(connection: asyncpg.Connection) -> int:
    """Give this session a writer id; it lives as long as the session holds the advisory lock."""
    async with connection.transaction():
        writer: int = await connection.fetchval("INSERT INTO writers DEFAULT VALUES RETURNING id")
        await connection.execute(
            "SELECT pg_advisory_lock($1, ($2::bigint % 2147483647)::int)", WRITER_LOCK_CLASS, writer
        )
    return writer


class Orphan(NamedTuple):
    """An intent whose writer died before an outcome was written."""

    tenant: UUID
    id: UUID
    leaf_index: int
    writer: int


async def orphans(connection: asyncpg.Connection, at_most: int) -> list[Orphan]:
    """Intents without an outcome whose writers no longer live."""
    return [Orphan(*row) for row in await connection.fetch("SELECT * FROM gateway_orphans($1)", at_most)]


async def forget_writers(connection: asyncpg.Connection) -> None:
    """Drop the rows of writers that no longer live; call it when they have no orphans left."""
    await connection.execute("SELECT gateway_forget_writers()")


async def try_sweeping(connection: asyncpg.Connection) -> bool:
    """Whether this transaction may sweep; one at a time on a database."""
    mine: bool = await connection.fetchval("SELECT pg_try_advisory_xact_lock($1, 0)", WRITER_LOCK_CLASS)
    return mine
