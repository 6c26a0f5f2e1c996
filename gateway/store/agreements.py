"""Rows of agreements with recipients and of the clinic's own policy."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

_RULES = "jurisdiction, allowed_regions, time_zone, quiet_hours, caps"
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


class ToldRow(NamedTuple):
    """An agreement of whose end the clinic was told, and when."""

    told_at: datetime
    agreement: AgreementRow


class Rules(NamedTuple):
    """What a clinic's law and its own rules ask."""

    jurisdiction: str | None
    allowed_regions: list[str] | None
    time_zone: str
    quiet_hours: dict[str, Any] | None
    caps: list[dict[str, Any]]


class PolicyRow(NamedTuple):
    """A clinic's rules and which version of them these are."""

    rules: Rules
    version: int


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
        "services = excluded.services, since = excluded.since, until = excluded.until, "
        "changed_at = excluded.changed_at, told_at = NULL",
        tenant,
        *row,
    )


async def policy(connection: asyncpg.Connection, tenant: UUID) -> PolicyRow | None:
    """The clinic's policy, if it ever said one."""
    row = await connection.fetchrow(f"SELECT {_RULES}, version FROM policies WHERE tenant = $1", tenant)
    return PolicyRow(Rules(*row[:-1]), row[-1]) if row else None


async def put_policy(connection: asyncpg.Connection, tenant: UUID, rules: Rules, *, at: datetime) -> int:
    """Store the policy in place of the one before; gives its version."""
    version: int = await connection.fetchval(
        f"INSERT INTO policies AS p (tenant, {_RULES}, version, changed_at) VALUES ($1, $2, $3, $4, $5, $6, 1, $7) "
        "ON CONFLICT (tenant) DO UPDATE SET jurisdiction = excluded.jurisdiction, "
        "allowed_regions = excluded.allowed_regions, time_zone = excluded.time_zone, quiet_hours = excluded.quiet_hours, "
        "caps = excluded.caps, version = p.version + 1, changed_at = excluded.changed_at RETURNING version",
        tenant,
        *rules,
        at,
    )
    return version


async def expiring(
    connection: asyncpg.Connection, tenant: UUID, *, now: datetime, until: datetime
) -> list[AgreementRow]:
    """Agreements that end before `until` and of which the clinic was not told; from now on it was."""
    rows = await connection.fetch(
        "UPDATE agreements SET told_at = $2 WHERE tenant = $1 AND until > $2 AND until <= $3 AND told_at IS NULL "
        f"RETURNING {_COLUMNS}",
        tenant,
        now,
        until,
    )
    return [AgreementRow(*row) for row in rows]


async def told_since(connection: asyncpg.Connection, tenant: UUID, since: datetime) -> list[ToldRow]:
    """Agreements of whose end the clinic was told after a moment."""
    rows = await connection.fetch(
        f"SELECT told_at, {_COLUMNS} FROM agreements WHERE tenant = $1 AND told_at >= $2 AND until IS NOT NULL",
        tenant,
        since,
    )
    return [ToldRow(row[0], AgreementRow(*row[1:])) for row in rows]
