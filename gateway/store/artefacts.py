"""Rows of patients' consents at a network. What such a consent says is sealed here, and gone when it ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

BY_NETWORK: Final = "network"
BY_CLINIC: Final = "clinic"
BY_TIME: Final = "time"
_COLUMNS: Final = (
    "id, connector, artefact, state, subject, purpose, hiu, hiu_name, erase_at, letter, terms, digest, told_at, "
    "ended_at, ended_by"
)


class ArtefactRow(NamedTuple):
    """One consent; `letter`, `terms` and most else are None of one that ended."""

    id: UUID
    connector: str
    artefact: str
    state: str
    subject: UUID | None
    purpose: str | None
    hiu: str | None
    hiu_name: str | None
    erase_at: datetime | None
    letter: bytes | None
    terms: bytes | None
    digest: bytes | None
    told_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None


class Ending(NamedTuple):
    """How a consent ended: `revoked`, `expired` or `denied`, when, by whom."""

    state: str
    at: datetime
    by: str


class EndedRow(NamedTuple):
    """A consent whose time is over."""

    tenant: UUID
    id: UUID


async def add(connection: asyncpg.Connection, tenant: UUID, row: ArtefactRow) -> bool:
    """Store a consent; False where one of that id is here, whatever became of it."""
    added = await connection.fetchval(
        f"INSERT INTO artefacts (tenant, {_COLUMNS}) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) "
        "ON CONFLICT (artefact, connector, tenant) DO NOTHING RETURNING true",
        tenant,
        *row,
    )
    return bool(added)


async def under(
    connection: asyncpg.Connection, tenant: UUID, connector: str, artefact: str, *, lock: bool = False
) -> ArtefactRow | None:
    """The consent that the network knows by this id; with `lock` nobody else counts under it until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM artefacts WHERE artefact = $3 AND connector = $2 AND tenant = $1"
        f"{' FOR UPDATE' if lock else ''}",
        tenant,
        connector,
        artefact,
    )
    return ArtefactRow(*row) if row else None


async def find(connection: asyncpg.Connection, tenant: UUID, consent: UUID) -> ArtefactRow | None:
    """One consent, by our own id of it."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM artefacts WHERE tenant = $1 AND id = $2", tenant, consent)
    return ArtefactRow(*row) if row else None


async def some(connection: asyncpg.Connection, tenant: UUID, consents: Sequence[UUID]) -> list[ArtefactRow]:
    """Consents by our own ids of them."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM artefacts WHERE tenant = $1 AND id = ANY ($2)", tenant, list(consents)
    )
    return [ArtefactRow(*row) for row in rows]


async def of_subject(connection: asyncpg.Connection, tenant: UUID, subject: UUID) -> list[ArtefactRow]:
    """A patient's consents, ended ones too, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM artefacts WHERE subject = $2 AND tenant = $1 ORDER BY id", tenant, subject
    )
    return [ArtefactRow(*row) for row in rows]


async def end(connection: asyncpg.Connection, tenant: UUID, consent: UUID, ending: Ending) -> bool:
    """End a consent and destroy what it said; False where it had ended, or is none of a network's.

    Count the tenant's standing up in the same transaction: what was decided before is then not sent.
    """
    done: str = await connection.execute(
        "UPDATE artefacts SET state = $3, ended_at = $4, ended_by = $5, letter = NULL, terms = NULL "
        "WHERE tenant = $1 AND id = $2 AND state = 'granted'",
        tenant,
        consent,
        *ending,
    )
    return done != "UPDATE 0"


async def ended(connection: asyncpg.Connection, now: datetime, at_most: int) -> list[EndedRow]:
    """Consents of all tenants whose time is over and that still count as granted."""
    return [
        EndedRow(*row) for row in await connection.fetch("SELECT * FROM gateway_ended_artefacts($1, $2)", now, at_most)
    ]
