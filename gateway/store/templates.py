"""Rows of a clinic's own texts for messages, one for each version; of a version only its state ever changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import orjson

TEMPLATE_LOCK_CLASS = 7303
_COLUMNS = "name, version, id, action, channel, language, body, dlt, whatsapp, changed_at"


class TemplateRow(NamedTuple):
    """One version of a text, in one language for one channel."""

    name: str
    version: int
    id: UUID
    action: str
    channel: str
    language: str
    body: str
    dlt: dict[str, Any] | None
    whatsapp: dict[str, Any] | None
    changed_at: datetime


async def present(connection: asyncpg.Connection, tenant: UUID) -> list[TemplateRow]:
    """Every text that is in use."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM templates WHERE tenant = $1 AND state = 'present' ORDER BY name, channel, language",
        tenant,
    )
    return [_row(row) for row in rows]


async def page(connection: asyncpg.Connection, tenant: UUID, *, after: UUID | None, limit: int) -> list[TemplateRow]:
    """The texts that are in use, the longest unchanged first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM templates WHERE tenant = $1 AND state = 'present' AND ($2::uuid IS NULL OR id > $2) "
        "ORDER BY id LIMIT $3",
        tenant,
        after,
        limit,
    )
    return [_row(row) for row in rows]


async def of_name(connection: asyncpg.Connection, tenant: UUID, name: str) -> list[TemplateRow]:
    """The texts of one name that are in use."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM templates WHERE tenant = $1 AND name = $2 AND state = 'present' ORDER BY channel, language",
        tenant,
        name,
    )
    return [_row(row) for row in rows]


async def lock(connection: asyncpg.Connection, tenant: UUID) -> int:
    """Keep every other change of the tenant's texts waiting until the transaction ends; gives how many are in use."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2::text))", TEMPLATE_LOCK_CLASS, str(tenant))
    count: int = await connection.fetchval(
        "SELECT count(*) FROM templates WHERE tenant = $1 AND state = 'present'", tenant
    )
    return count


async def last_version(connection: asyncpg.Connection, tenant: UUID, name: str) -> int:
    """The highest version that a name ever had; 0 for a new one."""
    version: int = await connection.fetchval(
        "SELECT coalesce(max(version), 0) FROM templates WHERE tenant = $1 AND name = $2", tenant, name
    )
    return version


async def add(connection: asyncpg.Connection, tenant: UUID, row: TemplateRow) -> None:
    """Store a new version, in use from now on."""
    await connection.execute(
        f"INSERT INTO templates (tenant, {_COLUMNS}, state) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'present')",
        tenant,
        *row[:7],
        _written(row.dlt),
        _written(row.whatsapp),
        row.changed_at,
    )


async def retire(connection: asyncpg.Connection, tenant: UUID, name: str, version: int, *, state: str) -> None:
    """Take a version out of use: `replaced` by another, or `removed`."""
    await connection.execute(
        "UPDATE templates SET state = $4 WHERE tenant = $1 AND name = $2 AND version = $3", tenant, name, version, state
    )


def _row(row: asyncpg.Record) -> TemplateRow:
    name, version, identity, action, channel, language, body, dlt, whatsapp, changed_at = row
    return TemplateRow(
        name, version, identity, action, channel, language, body, _read(dlt), _read(whatsapp), changed_at
    )


def _read(stored: str | None) -> dict[str, Any] | None:
    return None if stored is None else orjson.loads(stored)


def _written(held: dict[str, Any] | None) -> str | None:
    return None if held is None else orjson.dumps(held).decode()
