"""Rows of views: a person's own named filters of a clinic's log."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg


class ViewRow(NamedTuple):
    """One named filter, as it stands in an address."""

    id: UUID
    title: str
    query: str
    created_at: datetime


async def all_of(connection: asyncpg.Connection, tenant: UUID, person: UUID) -> list[ViewRow]:
    """A person's views, in the order of their titles."""
    rows = await connection.fetch(
        "SELECT id, title, query, created_at FROM views WHERE tenant = $1 AND person = $2 ORDER BY lower(title), id",
        tenant,
        person,
    )
    return [ViewRow(*row) for row in rows]


async def put(connection: asyncpg.Connection, tenant: UUID, person: UUID, row: ViewRow) -> None:
    """Store a view; the one of the same title is replaced."""
    await connection.execute(
        "INSERT INTO views (tenant, person, id, title, query, created_at) VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT (tenant, person, title) DO UPDATE SET query = excluded.query",
        tenant,
        person,
        *row,
    )


async def remove(connection: asyncpg.Connection, tenant: UUID, person: UUID, view: UUID) -> bool:
    """Remove a view; says whether there was one."""
    done: str = await connection.execute(
        "DELETE FROM views WHERE tenant = $1 AND person = $2 AND id = $3", tenant, person, view
    )
    return done == "DELETE 1"
