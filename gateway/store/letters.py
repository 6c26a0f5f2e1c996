"""Rows of letters of networks: taken once, sealed until they are worked off. Nothing here can open them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from gateway.store.jobs import LETTER, Job


class LetterRow(NamedTuple):
    """One letter that was taken."""

    at: datetime
    late_seconds: int
    sealed: bytes | None
    ended: str | None = None


class LetterJob(NamedTuple):
    """Which letter a job is about."""

    tenant: UUID
    connection: UUID
    identity: bytes

    @classmethod
    def parse(cls, payload: bytes) -> LetterJob:
        """Read it; raises ValueError for what no gateway wrote."""
        tenant, connection, identity = payload.decode("ascii").split()
        return cls(UUID(tenant), UUID(connection), bytes.fromhex(identity))

    @property
    def job(self) -> Job:
        """The job that works the letter off."""
        return Job(LETTER, f"{self.tenant} {self.connection} {self.identity.hex()}".encode())


async def add(connection: asyncpg.Connection, named: LetterJob, row: LetterRow) -> bool:
    """Store a letter; False when it is here already."""
    added = await connection.fetchval(
        "INSERT INTO network_letters (tenant, connection, identity, at, late_seconds, sealed, ended) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING true",
        *named,
        *row,
    )
    return bool(added)


async def find(connection: asyncpg.Connection, named: LetterJob) -> LetterRow | None:
    """One letter."""
    row = await connection.fetchrow(
        "SELECT at, late_seconds, sealed, ended FROM network_letters "
        "WHERE tenant = $1 AND connection = $2 AND identity = $3",
        *named,
    )
    return LetterRow(*row) if row else None


async def open_before(connection: asyncpg.Connection, tenant: UUID, owner: UUID, at: datetime) -> bool:
    """Whether a letter to a connection that came before that moment is not worked off yet."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM network_letters "
            "WHERE tenant = $1 AND connection = $2 AND at < $3 AND sealed IS NOT NULL)",
            tenant,
            owner,
            at,
        )
    )


async def end(connection: asyncpg.Connection, named: LetterJob, ended: str) -> None:
    """Forget what a letter said; that it was here, and what became of it, stays."""
    await connection.execute(
        "UPDATE network_letters SET sealed = NULL, ended = $4 WHERE tenant = $1 AND connection = $2 AND identity = $3",
        *named,
        ended,
    )


async def stranded(connection: asyncpg.Connection, before: datetime, limit: int) -> list[LetterJob]:
    """Letters of any tenant that are older, not worked off, and that no job in the queue is about."""
    found = [
        LetterJob(*row) for row in await connection.fetch("SELECT * FROM gateway_letters_open($1, $2)", before, limit)
    ]
    if not found:
        return []
    queued = await connection.fetch(
        "SELECT payload FROM pgqueuer WHERE entrypoint = $1 AND payload = ANY ($2)",
        LETTER,
        [each.job.payload for each in found],
    )
    known = {bytes(row[0]) for row in queued}
    return [each for each in found if each.job.payload not in known]


async def last(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID) -> datetime | None:
    """When a letter for a connection was last taken."""
    found: datetime | None = await connection.fetchval(
        "SELECT max(at) FROM network_letters WHERE tenant = $1 AND connection = $2", tenant, connection_id
    )
    return found


async def purge(connection: asyncpg.Connection, tenant: UUID, before: datetime) -> int:
    """Forget the letters that are older, how many."""
    status: str = await connection.execute("DELETE FROM network_letters WHERE tenant = $1 AND at < $2", tenant, before)
    return int(status.rpartition(" ")[2])
