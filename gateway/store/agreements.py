"""Rows of agreements with recipients and of the clinic's own policy."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

_COLUMNS = "recipient, id, kind, services, since, until, changed_at"


class AgreementRow(NamedTuple):
    """The present agreement with one recipient."""

    recipient: str
    id: UUID
    kind: str
    services: list[str]
    since: datetime
    until: datetime | None
    changed_at: datetime


class PolicyRow(NamedTuple):
    """What a clinic's law and its own rules ask."""

    jurisdiction: str | None
    allowed_regions: list[str] | None
    version: int
    changed_at: datetime


async def all_of(connection: asyncpg.Connection, tenant: UUID) -> list[AgreementRow]:
    """Every present agreement, expired ones too, in the order of the recipients."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM agreements WHERE tenant = $1 ORDER BY recipient", tenant)
    return [AgreementRow(*row) for row in rows]


async def lock(connection: asyncpg.Connection, tenant: UUID, recipient: str) -> AgreementRow | None:
    """The agreement with one recipient, locked until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM agreements WHERE tenant = $1 AND recipient = $2 FOR UPDATE", tenant, recipient
    )
    return AgreementRow(*row) if row else None


async def put(connection: asyncpg.Connection, tenant: UUID, row: AgreementRow) -> None:
    """Store the agreement with a recipient in place of the one before."""
    await connection.execute(
        f"INSERT INTO agreements (tenant, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
        "ON CONFLICT (tenant, recipient) DO UPDATE SET id = excluded.id, kind = excluded.kind, "
        "services = excluded.services, since = excluded.since, until = excluded.until, changed_at = excluded.changed_at",
        tenant,
        *row,
    )


async def policy(connection: asyncpg.Connection, tenant: UUID) -> PolicyRow | None:
    """The clinic's policy, if it ever said one."""
    row = await connection.fetchrow(
        "SELECT jurisdiction, allowed_regions, version, changed_at FROM policies WHERE tenant = $1", tenant
    )
    return PolicyRow(*row) if row else None


async def put_policy(
    connection: asyncpg.Connection,
    tenant: UUID,
    *,
    jurisdiction: str | None,
    allowed_regions: list[str] | None,
    at: datetime,
) -> int:
    """Store the policy in place of the one before; gives its version."""
    version: int = await connection.fetchval(
        "INSERT INTO policies AS p (tenant, jurisdiction, allowed_regions, version, changed_at) VALUES ($1, $2, $3, 1, $4) "
        "ON CONFLICT (tenant) DO UPDATE SET jurisdiction = excluded.jurisdiction, "
        "allowed_regions = excluded.allowed_regions, version = p.version + 1, changed_at = excluded.changed_at "
        "RETURNING version",
        tenant,
        jurisdiction,
        allowed_regions,
        at,
    )
    return version
