"""Rows of tenants. A tenant is one clinic organisation."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg


class TenantRow(NamedTuple):
    """One clinic organisation."""

    tenant: UUID
    name: str
    created_at: datetime


async def add(connection: asyncpg.Connection, tenant: UUID, name: str) -> None:
    """Store a tenant and the empty head of its log."""
    await connection.execute("INSERT INTO tenants (tenant, name) VALUES ($1, $2)", tenant, name)
    await connection.execute("INSERT INTO heads (tenant) VALUES ($1)", tenant)


async def find(connection: asyncpg.Connection, tenant: UUID) -> TenantRow | None:
    """One tenant."""
    row = await connection.fetchrow("SELECT tenant, name, created_at FROM tenants WHERE tenant = $1", tenant)
    return TenantRow(*row) if row else None
