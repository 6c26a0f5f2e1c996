"""Rows of networks: the gateway's sessions, how its bridges stand, whose each facility is. Tokens are sealed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

_SESSION = "sealed, generation, received_at, expires_at, refused, asked_at, troubles, retry_at, code"
_FACILITY = "connection, environment, facility, service, name, faults, since, looked_at"


class SessionRow(NamedTuple):
    """The gateway's session at one network."""

    sealed: bytes | None
    generation: int
    received_at: datetime | None
    expires_at: datetime | None
    refused: int
    asked_at: datetime | None
    troubles: int
    retry_at: datetime | None
    code: str | None


class BridgeRow(NamedTuple):
    """How what a network has on file about us compares with what we are."""

    faults: list[str]
    since: datetime
    looked_at: datetime


class FacilityRow(NamedTuple):
    """A clinic's facility at a network."""

    connection: UUID
    environment: str
    facility: str
    service: str
    name: str
    faults: list[str]
    since: datetime
    looked_at: datetime


class HeldRow(NamedTuple):
    """What of a connection matters to letters; the environment is that of its facility."""

    connector: str
    state: str
    account: str | None
    expires_at: datetime | None
    environment: str | None


class OwnedRow(NamedTuple):
    """Somebody's facility, as the whole bridge sees it."""

    tenant: UUID
    connection: UUID
    facility: str
    service: str
    name: str
    faults: list[str]


class OwnerRow(NamedTuple):
    """Whose a facility is."""

    tenant: UUID
    connection: UUID


# Sessions ----------------------------------------------------------------------------------------------------------------


async def session(connection: asyncpg.Connection, tenant: UUID, line: str) -> SessionRow | None:
    """A session as it stands."""
    row = await connection.fetchrow(
        f"SELECT {_SESSION} FROM network_sessions WHERE tenant = $1 AND line = $2", tenant, line
    )
    return SessionRow(*row) if row else None


async def sessions(connection: asyncpg.Connection, tenant: UUID) -> dict[str, SessionRow]:
    """Every session, by line."""
    rows = await connection.fetch(f"SELECT line, {_SESSION} FROM network_sessions WHERE tenant = $1", tenant)
    return {row[0]: SessionRow(*row[1:]) for row in rows}


async def begin_login(connection: asyncpg.Connection, tenant: UUID, line: str, now: datetime) -> None:
    """Count a login as refused before it is made, so that one whose answer is lost counts."""
    await connection.execute(
        "INSERT INTO network_sessions AS s (tenant, line, refused, asked_at, code) VALUES ($1, $2, 1, $3, 'unanswered') "
        "ON CONFLICT (tenant, line) DO UPDATE SET refused = s.refused + 1, asked_at = excluded.asked_at, "
        "code = excluded.code",
        tenant,
        line,
        now,
    )


async def keep_session(
    connection: asyncpg.Connection, tenant: UUID, line: str, *, sealed: bytes, at: datetime, expires_at: datetime
) -> int:
    """Store a token that came; its generation."""
    generation: int = await connection.fetchval(
        "UPDATE network_sessions SET sealed = $3, generation = generation + 1, received_at = $4, expires_at = $5, "
        "refused = 0, troubles = 0, retry_at = NULL, code = NULL WHERE tenant = $1 AND line = $2 RETURNING generation",
        tenant,
        line,
        sealed,
        at,
        expires_at,
    )
    return generation


async def refuse_login(
    connection: asyncpg.Connection, tenant: UUID, line: str, *, code: str, retry_at: datetime | None
) -> None:
    """Note that a login was refused; it is counted already."""
    await connection.execute(
        "UPDATE network_sessions SET code = $3, retry_at = $4, troubles = 0 WHERE tenant = $1 AND line = $2",
        tenant,
        line,
        code,
        retry_at,
    )


async def put_login_off(
    connection: asyncpg.Connection, tenant: UUID, line: str, *, code: str, retry_at: datetime
) -> None:
    """Note that the network was out of order: such a login was none."""
    await connection.execute(
        "UPDATE network_sessions SET refused = greatest(refused - 1, 0), troubles = troubles + 1, code = $3, retry_at = $4 "
        "WHERE tenant = $1 AND line = $2",
        tenant,
        line,
        code,
        retry_at,
    )


# Bridges -----------------------------------------------------------------------------------------------------------------


async def bridge(connection: asyncpg.Connection, tenant: UUID, line: str) -> BridgeRow | None:
    """How a bridge stands; the row stays as it is until the transaction ends."""
    row = await connection.fetchrow(
        "SELECT faults, since, looked_at FROM network_bridges WHERE tenant = $1 AND line = $2 FOR UPDATE",
        tenant,
        line,
    )
    return BridgeRow(*row) if row else None


async def put_bridge(connection: asyncpg.Connection, tenant: UUID, line: str, row: BridgeRow) -> None:
    """Store how a bridge stands."""
    await connection.execute(
        "INSERT INTO network_bridges (tenant, line, faults, since, looked_at) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (tenant, line) DO UPDATE SET faults = excluded.faults, since = excluded.since, "
        "looked_at = excluded.looked_at",
        tenant,
        line,
        *row,
    )


# Facilities --------------------------------------------------------------------------------------------------------------


async def owner(connection: asyncpg.Connection, connector: str, environment: str, service: str) -> OwnerRow | None:
    """Whose facility it is; asked before a tenant is known."""
    row = await connection.fetchrow("SELECT * FROM gateway_facility_owner($1, $2, $3)", connector, environment, service)
    return OwnerRow(*row) if row else None


async def owned(connection: asyncpg.Connection, connector: str, environment: str) -> list[OwnedRow]:
    """Every clinic's facility on one line."""
    rows = await connection.fetch("SELECT * FROM gateway_facilities($1, $2)", connector, environment)
    return [OwnedRow(*row) for row in rows]


async def hold(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID) -> HeldRow | None:
    """One connection, which nobody suspends, revokes or moves before the transaction ends."""
    row = await connection.fetchrow(
        "SELECT c.connector, c.state, c.account, c.expires_at, f.environment FROM connections c "
        "LEFT JOIN network_facilities f ON f.tenant = c.tenant AND f.connection = c.id "
        "WHERE c.tenant = $1 AND c.id = $2 FOR SHARE OF c",
        tenant,
        connection_id,
    )
    return HeldRow(*row) if row else None


async def facility(
    connection: asyncpg.Connection, tenant: UUID, connector: str, *, lock: bool = False
) -> FacilityRow | None:
    """A clinic's facility at a network."""
    row = await connection.fetchrow(
        f"SELECT {_FACILITY} FROM network_facilities WHERE tenant = $1 AND connector = $2{' FOR UPDATE' if lock else ''}",
        tenant,
        connector,
    )
    return FacilityRow(*row) if row else None


async def claim(connection: asyncpg.Connection, tenant: UUID, connector: str, row: FacilityRow) -> None:
    """Make a facility this clinic's; raises asyncpg.UniqueViolationError where it is another's."""
    await connection.execute(
        f"INSERT INTO network_facilities (tenant, connector, {_FACILITY}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
        "ON CONFLICT (tenant, connector) DO UPDATE SET connection = excluded.connection, "
        "environment = excluded.environment, facility = excluded.facility, "
        "service = excluded.service, name = excluded.name, faults = excluded.faults, since = excluded.since, "
        "looked_at = excluded.looked_at",
        tenant,
        connector,
        *row,
    )


async def mark_facility(
    connection: asyncpg.Connection, tenant: UUID, connector: str, *, faults: Sequence[str], since: datetime, at: datetime
) -> None:  # fmt: skip
    """Note what is wrong about a facility, or that nothing is."""
    await connection.execute(
        "UPDATE network_facilities SET faults = $3, since = $4, looked_at = $5 WHERE tenant = $1 AND connector = $2",
        tenant,
        connector,
        list(faults),
        since,
        at,
    )


async def act_for(
    connection: asyncpg.Connection, tenant: UUID, connection_id: UUID, account: str, granted: Sequence[str]
) -> None:
    """Let a connection act for this account from now on; one that is suspended stays so."""
    await connection.execute(
        "UPDATE connections SET account = $3, provider_scopes = $4, changed_at = now(), "
        "state = CASE WHEN state = 'pending' THEN 'active' ELSE state END WHERE tenant = $1 AND id = $2",
        tenant,
        connection_id,
        account,
        list(granted),
    )
