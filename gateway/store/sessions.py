"""Rows of sessions and of what comes before them: challenges that a browser was given, attempts that are counted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from gateway.store.pool import SET_PERSON

_SESSION = (
    "id, digest, tenant, role, via, waits, issuer, frames, device, said, created_at, proved_at, seen_at, expires_at"
)


class SessionRow(NamedTuple):
    """One session; of its token there is only the hash."""

    id: UUID
    digest: bytes
    tenant: UUID
    role: str
    via: str
    waits: bool
    issuer: str | None
    frames: list[str]
    device: str
    said: Mapping[str, Any] | None
    created_at: datetime
    proved_at: datetime
    seen_at: datetime
    expires_at: datetime


class FoundSession(NamedTuple):
    """A session with what is true of its person now; no role where they no longer belong to its clinic."""

    person: UUID
    name: str
    email: str | None
    role: str | None
    row: SessionRow


async def find(connection: asyncpg.Connection, digest: bytes) -> FoundSession | None:
    """The session of a token; asked before any person is known. The transaction sees the person's own from here on."""
    person = await connection.fetchval("SELECT gateway_session_person($1)", digest)
    if person is None:
        return None
    await connection.fetchval(SET_PERSON, str(person))
    columns = ", ".join(f"s.{name}" for name in _SESSION.split(", "))
    row = await connection.fetchrow(
        f"SELECT p.name, p.email, m.role, {columns} FROM sessions s JOIN people p ON p.person = s.person "
        "LEFT JOIN memberships m ON m.person = s.person AND m.tenant = s.tenant WHERE s.person = $1 AND s.digest = $2",
        person,
        digest,
    )
    return FoundSession(person, row[0], row[1], row[2], SessionRow(*row[3:])) if row else None


async def add(connection: asyncpg.Connection, person: UUID, row: SessionRow) -> None:
    """Store a session."""
    marks = ", ".join(f"${at}" for at in range(1, len(row) + 2))
    await connection.execute(f"INSERT INTO sessions (person, {_SESSION}) VALUES ({marks})", person, *row)


async def replace(connection: asyncpg.Connection, person: UUID, before: bytes, row: SessionRow) -> bool:
    """Give a session another token and what changes with it; False where it ended meanwhile."""
    done = await connection.fetchval(
        "UPDATE sessions SET digest = $3, tenant = $4, role = $5, waits = $6, proved_at = $7, seen_at = $8, "
        "expires_at = $9 WHERE person = $1 AND digest = $2 RETURNING true",
        person, before, row.digest, row.tenant, row.role, row.waits, row.proved_at, row.seen_at, row.expires_at,
    )  # fmt: skip
    return done is not None


async def see(connection: asyncpg.Connection, person: UUID, session: UUID, at: datetime) -> None:
    """Note that a session was used."""
    await connection.execute("UPDATE sessions SET seen_at = $3 WHERE person = $1 AND id = $2", person, session, at)


async def say(connection: asyncpg.Connection, person: UUID, session: UUID, said: Mapping[str, Any] | None) -> None:
    """Keep what the next page is to tell, or forget it."""
    await connection.execute("UPDATE sessions SET said = $3 WHERE person = $1 AND id = $2", person, session, said)


async def of(connection: asyncpg.Connection, person: UUID, now: datetime) -> list[SessionRow]:
    """A person's sessions, the last used first."""
    rows = await connection.fetch(
        f"SELECT {_SESSION} FROM sessions WHERE person = $1 AND expires_at > $2 AND NOT waits ORDER BY seen_at DESC, id",
        person,
        now,
    )
    return [SessionRow(*row) for row in rows]


async def end(connection: asyncpg.Connection, person: UUID, session: UUID) -> bool:
    """End a session; False where the person has no such one."""
    done = await connection.fetchval(
        "DELETE FROM sessions WHERE person = $1 AND id = $2 RETURNING true", person, session
    )
    return done is not None


async def end_others(connection: asyncpg.Connection, person: UUID, but: UUID | None) -> None:
    """End all of a person's sessions but one."""
    await connection.execute("DELETE FROM sessions WHERE person = $1 AND ($2::uuid IS NULL OR id <> $2)", person, but)


async def keep_challenge(
    connection: asyncpg.Connection, digest: bytes, kind: str, browser: bytes, said: Mapping[str, Any], until: datetime
) -> None:
    """Remember what a browser was asked."""
    await connection.execute("SELECT gateway_keep_challenge($1, $2, $3, $4, $5)", digest, kind, browser, said, until)


async def take_challenge(
    connection: asyncpg.Connection, digest: bytes, kind: str, browser: bytes, now: datetime
) -> Mapping[str, Any] | None:
    """Use a challenge up; nothing where it was not this browser's, is over or was used before."""
    found: Mapping[str, Any] | None = await connection.fetchval(
        "SELECT gateway_take_challenge($1, $2, $3, $4)", digest, kind, browser, now
    )
    return found


async def attempt(
    connection: asyncpg.Connection, name: bytes, *, free: int, most_seconds: int, forget: timedelta, now: datetime
) -> int:
    """Count an attempt before it is made; gives the seconds to wait where it may not be made yet."""
    return int(
        await connection.fetchval("SELECT gateway_attempt($1, $2, $3, $4, $5)", name, free, most_seconds, forget, now)
    )


async def succeeded(connection: asyncpg.Connection, account: bytes, address: bytes) -> None:
    """Forget an account's failures, and the last attempt of an address."""
    await connection.execute("SELECT gateway_attempt_succeeded($1, $2)", account, address)


async def forget(connection: asyncpg.Connection, now: datetime) -> None:
    """Destroy what is over: sessions, challenges, counts of attempts."""
    await connection.execute("SELECT gateway_forget_visits($1)", now)
