"""What a clinic is told about: codes and numbers, never values. Showing them is the web's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg


class NoticeRow(NamedTuple):
    """One thing that the clinic should know; `about` is an endpoint, a connection or an agreement."""

    id: UUID
    at: datetime
    kind: str
    about: UUID | None
    detail: Mapping[str, Any]
    read_at: datetime | None = None


async def add(connection: asyncpg.Connection, tenant: UUID, row: NoticeRow) -> None:
    """Tell the clinic."""
    await connection.execute(
        "INSERT INTO notices (tenant, id, at, kind, about, detail, read_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tenant,
        *row,
    )


async def page(connection: asyncpg.Connection, tenant: UUID, *, before: UUID | None, limit: int) -> list[NoticeRow]:
    """Notices, newest first."""
    rows = await connection.fetch(
        "SELECT id, at, kind, about, detail, read_at FROM notices "
        "WHERE tenant = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        tenant,
        before,
        limit,
    )
    return [NoticeRow(*row) for row in rows]


async def drop(connection: asyncpg.Connection, tenant: UUID, before: datetime) -> None:
    """Take out what is older."""
    await connection.execute("DELETE FROM notices WHERE tenant = $1 AND at < $2", tenant, before)
