"""Rows of patients whom a network of health records may find, and the keyed hashes that they are found by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg


class PatientRow(NamedTuple):
    """One patient; who it is stays sealed here."""

    subject: UUID
    sealed: bytes
    registered_at: datetime
    changed_at: datetime


class KeyRow(NamedTuple):
    """One identifier of a patient, hashed."""

    proof: str
    lookup: bytes


async def put(connection: asyncpg.Connection, tenant: UUID, row: PatientRow, found_by: Sequence[KeyRow]) -> None:
    """Store a patient in place of what was known of them."""
    await connection.execute(
        "INSERT INTO patients (tenant, subject, sealed, registered_at, changed_at) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (tenant, subject) DO UPDATE SET sealed = excluded.sealed, changed_at = excluded.changed_at",
        tenant,
        *row,
    )
    await connection.execute("DELETE FROM patient_keys WHERE tenant = $1 AND subject = $2", tenant, row.subject)
    await connection.executemany(
        "INSERT INTO patient_keys (tenant, subject, proof, lookup) VALUES ($1, $2, $3, $4)",
        [(tenant, row.subject, *each) for each in found_by],
    )


async def find(connection: asyncpg.Connection, tenant: UUID, subject: UUID) -> PatientRow | None:
    """One patient."""
    row = await connection.fetchrow(
        "SELECT subject, sealed, registered_at, changed_at FROM patients WHERE tenant = $1 AND subject = $2",
        tenant,
        subject,
    )
    return PatientRow(*row) if row else None


async def found(connection: asyncpg.Connection, tenant: UUID, key: KeyRow, at_most: int) -> list[PatientRow]:
    """Everybody who has this identifier, the longest known first."""
    rows = await connection.fetch(
        "SELECT p.subject, p.sealed, p.registered_at, p.changed_at FROM patient_keys k "
        "JOIN patients p ON p.tenant = k.tenant AND p.subject = k.subject "
        "WHERE k.tenant = $1 AND k.proof = $2 AND k.lookup = $3 ORDER BY p.registered_at, p.subject LIMIT $4",
        tenant,
        *key,
        at_most,
    )
    return [PatientRow(*row) for row in rows]


async def remove(connection: asyncpg.Connection, tenant: UUID, subject: UUID) -> bool:
    """Forget a patient; whether there was one."""
    await connection.execute("DELETE FROM patient_keys WHERE tenant = $1 AND subject = $2", tenant, subject)
    done: str = await connection.execute("DELETE FROM patients WHERE tenant = $1 AND subject = $2", tenant, subject)
    return done != "DELETE 0"
