"""Rows of the queue at a counter: a place for each who shares their profile there, numbered anew each day."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg

KEPT = timedelta(hours=24)  # and the profile that was shared with it
_LOCK_CLASS = 7305
_COLUMNS = "id, connector, counter, day, number, address, sealed, at, expires_at, seen_at"


class PlaceRow(NamedTuple):
    """One place; who shared is sealed."""

    id: UUID
    connector: str
    counter: str
    day: date
    number: int
    address: bytes
    sealed: bytes
    at: datetime
    expires_at: datetime
    seen_at: datetime | None = None


class Count(NamedTuple):
    """How a day's queue stands: how many places there are, how many were taken, when last."""

    places: int
    taken: int
    taken_at: datetime | None


async def lock(connection: asyncpg.Connection, tenant: UUID, counter: str) -> None:
    """Keep everybody else at this counter waiting until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2::text))", _LOCK_CLASS, f"{tenant} {counter}")


async def held(
    connection: asyncpg.Connection, tenant: UUID, connector: str, counter: str, address: bytes, now: datetime
) -> PlaceRow | None:
    """The place that somebody has at a counter and may keep."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM desk_places WHERE tenant = $1 AND connector = $2 AND counter = $3 AND address = $4 "
        "AND expires_at > $5 ORDER BY at DESC LIMIT 1",
        tenant,
        connector,
        counter,
        address,
        now,
    )
    return PlaceRow(*row) if row else None


async def last(connection: asyncpg.Connection, tenant: UUID, connector: str, counter: str, day: date) -> int:
    """The highest number of a day; 0 where nobody came yet."""
    number: int = await connection.fetchval(
        "SELECT coalesce(max(number), 0) FROM desk_places "
        "WHERE tenant = $1 AND connector = $2 AND counter = $3 AND day = $4",
        tenant,
        connector,
        counter,
        day,
    )
    return number


async def add(connection: asyncpg.Connection, tenant: UUID, row: PlaceRow) -> None:
    """Give a place."""
    await connection.execute(
        f"INSERT INTO desk_places (tenant, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        tenant,
        *row,
    )


async def count(connection: asyncpg.Connection, tenant: UUID, connector: str, day: date) -> Count:
    """How a day's queue stands."""
    row = await connection.fetchrow(
        "SELECT count(*), count(seen_at), max(seen_at) FROM desk_places WHERE tenant = $1 AND connector = $2 AND day = $3",
        tenant,
        connector,
        day,
    )
    return Count(*row)


async def untaken(
    connection: asyncpg.Connection, tenant: UUID, connector: str, day: date, at_most: int
) -> list[PlaceRow]:
    """Who still waits of a day, by counter and number."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM desk_places WHERE tenant = $1 AND connector = $2 AND day = $3 AND seen_at IS NULL "
        "ORDER BY counter, number LIMIT $4",
        tenant,
        connector,
        day,
        at_most,
    )
    return [PlaceRow(*row) for row in rows]


async def taken(
    connection: asyncpg.Connection, tenant: UUID, connector: str, day: date, at_most: int
) -> list[PlaceRow]:
    """Who was taken of a day, the last one first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM desk_places WHERE tenant = $1 AND connector = $2 AND day = $3 AND seen_at IS NOT NULL "
        "ORDER BY seen_at DESC LIMIT $4",
        tenant,
        connector,
        day,
        at_most,
    )
    return [PlaceRow(*row) for row in rows]


async def see(connection: asyncpg.Connection, tenant: UUID, place: UUID, at: datetime) -> bool:
    """Note that the desk took somebody; whether there is such a place."""
    done: str = await connection.execute(
        "UPDATE desk_places SET seen_at = coalesce(seen_at, $3) WHERE tenant = $1 AND id = $2", tenant, place, at
    )
    return done != "UPDATE 0"


async def purge(connection: asyncpg.Connection, tenant: UUID, before: datetime) -> int:
    """Take out old places with the profiles in them; says how many."""
    done: str = await connection.execute("DELETE FROM desk_places WHERE tenant = $1 AND at < $2", tenant, before)
    return int(done.split()[-1])
