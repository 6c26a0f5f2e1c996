"""The map from a subject's keyed lookup to its pseudonym; deleting a row cuts the ledger loose from the person."""

from __future__ import annotations

from uuid import UUID

import asyncpg


async def pseudonym(connection: asyncpg.Connection, tenant: UUID, lookup: bytes, fresh: UUID) -> UUID:
    """The pseudonym under this lookup; `fresh` is stored when there is none."""
    found = await connection.fetchval(
        "SELECT pseudonym FROM subjects WHERE tenant = $1 AND lookup = $2", tenant, lookup
    )
    if found is None:
        found = await connection.fetchval(
            "INSERT INTO subjects (tenant, lookup, pseudonym) VALUES ($1, $2, $3) "
            "ON CONFLICT (tenant, lookup) DO UPDATE SET pseudonym = subjects.pseudonym RETURNING pseudonym",
            tenant,
            lookup,
            fresh,
        )
    return found  # type: ignore[no-any-return]


async def known(connection: asyncpg.Connection, tenant: UUID, lookup: bytes) -> UUID | None:
    """The pseudonym under this lookup, if there is one."""
    found: UUID | None = await connection.fetchval(
        "SELECT pseudonym FROM subjects WHERE tenant = $1 AND lookup = $2", tenant, lookup
    )
    return found
