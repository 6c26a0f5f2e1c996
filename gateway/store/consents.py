"""Rows of consents. The evidence stays sealed here."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

_COLUMNS = "id, subject, purposes, channels, given_at, expires_at, withdrawn_at, stopped, time_zone"


class ConsentRow(NamedTuple):
    """One consent, without its evidence."""

    id: UUID
    subject: UUID
    purposes: list[str]
    channels: list[str]
    given_at: datetime
    expires_at: datetime | None
    withdrawn_at: datetime | None
    stopped: bool = False
    """Whether a STOP took it back, so that a START may give it again."""
    time_zone: str | None = None


async def add(connection: asyncpg.Connection, tenant: UUID, row: ConsentRow, *, evidence: bytes, salt: bytes) -> None:
    """Store a consent with its sealed evidence."""
    await connection.execute(
        f"INSERT INTO consents (tenant, {_COLUMNS}, evidence, salt) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        tenant,
        *row,
        evidence,
        salt,
    )


async def of_subject(connection: asyncpg.Connection, tenant: UUID, subject: UUID) -> list[ConsentRow]:
    """Every consent of one subject, withdrawn and expired ones too, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM consents WHERE tenant = $1 AND subject = $2 ORDER BY id", tenant, subject
    )
    return [ConsentRow(*row) for row in rows]


async def page(
    connection: asyncpg.Connection, tenant: UUID, *, subject: UUID | None, after: UUID | None, limit: int
) -> list[ConsentRow]:
    """Consents, withdrawn and expired ones too, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM consents WHERE tenant = $1 AND ($2::uuid IS NULL OR subject = $2) "
        "AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4",
        tenant,
        subject,
        after,
        limit,
    )
    return [ConsentRow(*row) for row in rows]


async def find(connection: asyncpg.Connection, tenant: UUID, consent: UUID) -> ConsentRow | None:
    """One consent."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM consents WHERE tenant = $1 AND id = $2", tenant, consent)
    return ConsentRow(*row) if row else None


async def lock(connection: asyncpg.Connection, tenant: UUID, consent: UUID) -> ConsentRow | None:
    """One consent, locked until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM consents WHERE tenant = $1 AND id = $2 FOR UPDATE", tenant, consent
    )
    return ConsentRow(*row) if row else None


async def withdraw(
    connection: asyncpg.Connection, tenant: UUID, consent: UUID, *, at: datetime, stopped: bool = False
) -> None:
    """Take a consent back."""
    await connection.execute(
        "UPDATE consents SET withdrawn_at = $3, stopped = $4 WHERE tenant = $1 AND id = $2",
        tenant,
        consent,
        at,
        stopped,
    )


async def expire(connection: asyncpg.Connection, tenant: UUID, consent: UUID, *, at: datetime) -> None:
    """Let a consent expire at a moment, unless it does so before."""
    await connection.execute(
        "UPDATE consents SET expires_at = least(expires_at, $3) WHERE tenant = $1 AND id = $2", tenant, consent, at
    )


async def keep_back(connection: asyncpg.Connection, tenant: UUID, consent: UUID) -> None:
    """Let no START give a consent again: it was given again, or the person took it back in another way too."""
    await connection.execute("UPDATE consents SET stopped = false WHERE tenant = $1 AND id = $2", tenant, consent)
