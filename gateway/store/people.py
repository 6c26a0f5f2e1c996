"""Rows of people: who they are, what they prove it with, to which clinics they belong. Secrets come sealed or hashed."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from gateway.store.keys import DataKeyRow

_PASSKEY = "id, credential, public_key, sign_count, title, created_at, used_at"


class PersonRow(NamedTuple):
    """One person."""

    person: UUID
    email: str | None
    name: str
    created_at: datetime


class CredentialRow(NamedTuple):
    """What a person signs in with; `key` wraps what is sealed for them."""

    password: str | None
    key: DataKeyRow
    totp: bytes | None
    totp_since: datetime | None
    totp_step: int
    changed_at: datetime


class PasskeyRow(NamedTuple):
    """One passkey: its public half."""

    id: UUID
    credential: bytes
    public_key: bytes
    sign_count: int
    title: str
    created_at: datetime
    used_at: datetime | None = None


class MembershipRow(NamedTuple):
    """One clinic that a person belongs to."""

    tenant: UUID
    role: str
    since: datetime


class MemberRow(NamedTuple):
    """One person of a clinic."""

    person: UUID
    email: str | None
    name: str
    role: str
    since: datetime


async def person_of(connection: asyncpg.Connection, email: str) -> UUID | None:
    """Whose address this is; asked before any person is known."""
    found: UUID | None = await connection.fetchval("SELECT gateway_person_of($1)", email)
    return found


async def passkey_person(connection: asyncpg.Connection, credential: bytes) -> UUID | None:
    """Whose passkey this is; asked before any person is known."""
    found: UUID | None = await connection.fetchval("SELECT gateway_passkey_person($1)", credential)
    return found


async def add(connection: asyncpg.Connection, row: PersonRow) -> None:
    """Store a person; raises asyncpg.UniqueViolationError where the address has one."""
    await connection.execute("INSERT INTO people (person, email, name, created_at) VALUES ($1, $2, $3, $4)", *row)


async def find(connection: asyncpg.Connection, person: UUID) -> PersonRow | None:
    """One person."""
    row = await connection.fetchrow("SELECT person, email, name, created_at FROM people WHERE person = $1", person)
    return PersonRow(*row) if row else None


async def rename(connection: asyncpg.Connection, person: UUID, name: str) -> None:
    """Call a person by another name."""
    await connection.execute("UPDATE people SET name = $2 WHERE person = $1", person, name)


# --- What a person signs in with --------------------------------------------------------------------------------------


async def add_credentials(connection: asyncpg.Connection, person: UUID, row: CredentialRow) -> None:
    """Store a person's credentials."""
    await connection.execute(
        "INSERT INTO credentials (person, password, key, master, wrapped, changed_at) VALUES ($1, $2, $3, $4, $5, $6)",
        person,
        row.password,
        *row.key,
        row.changed_at,
    )


async def credentials(
    connection: asyncpg.Connection, person: UUID, *, for_update: bool = False
) -> CredentialRow | None:
    """A person's credentials; locked until the transaction ends where they are about to change."""
    row = await connection.fetchrow(
        "SELECT password, key, master, wrapped, totp, totp_since, totp_step, changed_at FROM credentials "
        "WHERE person = $1" + (" FOR UPDATE" if for_update else ""),
        person,
    )
    return CredentialRow(row[0], DataKeyRow(row[1], row[2], row[3]), *row[4:]) if row else None


async def set_password(connection: asyncpg.Connection, person: UUID, password: str, at: datetime) -> None:
    """Replace the password's hash."""
    await connection.execute(
        "UPDATE credentials SET password = $2, changed_at = $3 WHERE person = $1", person, password, at
    )


async def set_totp(
    connection: asyncpg.Connection, person: UUID, sealed: bytes | None, since: datetime | None, step: int = 0
) -> None:
    """Propose a secret for codes (no `since`), put it in force, or take it away (no secret)."""
    await connection.execute(
        "UPDATE credentials SET totp = $2, totp_since = $3, totp_step = $4 WHERE person = $1",
        person,
        sealed,
        since,
        step,
    )


async def take_totp_step(connection: asyncpg.Connection, person: UUID, step: int) -> bool:
    """Use a time step up; False where it or a later one was used before."""
    done = await connection.fetchval(
        "UPDATE credentials SET totp_step = $2 WHERE person = $1 AND totp_step < $2 RETURNING true", person, step
    )
    return done is not None


async def replace_recovery_codes(connection: asyncpg.Connection, person: UUID, digests: list[bytes]) -> None:
    """Put these codes in place of all that were there."""
    await connection.execute("DELETE FROM recovery_codes WHERE person = $1", person)
    await connection.executemany(
        "INSERT INTO recovery_codes (person, digest) VALUES ($1, $2)", [(person, digest) for digest in digests]
    )


async def take_recovery_code(connection: asyncpg.Connection, person: UUID, digest: bytes, at: datetime) -> bool:
    """Use a code up; False where there is no such code left."""
    done = await connection.fetchval(
        "UPDATE recovery_codes SET used_at = $3 WHERE person = $1 AND digest = $2 AND used_at IS NULL RETURNING true",
        person,
        digest,
        at,
    )
    return done is not None


async def recovery_codes_left(connection: asyncpg.Connection, person: UUID) -> int:
    """How many codes can still be used."""
    return int(
        await connection.fetchval("SELECT count(*) FROM recovery_codes WHERE person = $1 AND used_at IS NULL", person)
    )


async def add_passkey(connection: asyncpg.Connection, person: UUID, row: PasskeyRow) -> None:
    """Store a passkey; raises asyncpg.UniqueViolationError where it is known already."""
    await connection.execute(
        f"INSERT INTO passkeys (person, {_PASSKEY}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", person, *row
    )


async def passkeys(connection: asyncpg.Connection, person: UUID) -> list[PasskeyRow]:
    """A person's passkeys, oldest first."""
    rows = await connection.fetch(f"SELECT {_PASSKEY} FROM passkeys WHERE person = $1 ORDER BY id", person)
    return [PasskeyRow(*row) for row in rows]


async def used_passkey(
    connection: asyncpg.Connection, person: UUID, passkey: UUID, sign_count: int, at: datetime
) -> None:
    """Note that a passkey was used."""
    await connection.execute(
        "UPDATE passkeys SET sign_count = $3, used_at = $4 WHERE person = $1 AND id = $2",
        person,
        passkey,
        sign_count,
        at,
    )


async def drop_passkey(connection: asyncpg.Connection, person: UUID, passkey: UUID) -> bool:
    """Forget a passkey; False where the person has no such one."""
    done = await connection.fetchval(
        "DELETE FROM passkeys WHERE person = $1 AND id = $2 RETURNING true", person, passkey
    )
    return done is not None


async def all_keys(connection: asyncpg.Connection) -> list[tuple[UUID, DataKeyRow]]:
    """Every person's data key; for rotation only."""
    rows = await connection.fetch("SELECT person, key, master, wrapped FROM gateway_person_keys()")
    return [(row[0], DataKeyRow(*row[1:])) for row in rows]


async def rewrap(connection: asyncpg.Connection, person: UUID, key: DataKeyRow) -> None:
    """Put a person's data key under another master key."""
    await connection.execute(
        "UPDATE credentials SET master = $3, wrapped = $4 WHERE person = $1 AND key = $2", person, *key
    )


# --- Clinics ----------------------------------------------------------------------------------------------------------


async def add_membership(connection: asyncpg.Connection, person: UUID, row: MembershipRow) -> bool:
    """Let a person belong to a clinic; False where they do already."""
    done = await connection.fetchval(
        "INSERT INTO memberships (tenant, person, role, since) VALUES ($2, $1, $3, $4) "
        "ON CONFLICT DO NOTHING RETURNING true",
        person,
        *row,
    )
    return done is not None


async def memberships(connection: asyncpg.Connection, person: UUID) -> list[MembershipRow]:
    """The clinics that a person belongs to, the longest known first."""
    rows = await connection.fetch(
        "SELECT tenant, role, since FROM memberships WHERE person = $1 ORDER BY since, tenant", person
    )
    return [MembershipRow(*row) for row in rows]


async def members(connection: asyncpg.Connection, tenant: UUID) -> list[MemberRow]:
    """The people of a clinic, by name."""
    rows = await connection.fetch(
        "SELECT m.person, p.email, p.name, m.role, m.since FROM memberships m JOIN people p ON p.person = m.person "
        "WHERE m.tenant = $1 ORDER BY lower(p.name), m.person",
        tenant,
    )
    return [MemberRow(*row) for row in rows]


async def lock_roles(connection: asyncpg.Connection, tenant: UUID) -> dict[UUID, str]:
    """Who has which role, locked: two changes at once cannot leave a clinic without an owner."""
    rows = await connection.fetch(
        "SELECT person, role FROM memberships WHERE tenant = $1 ORDER BY person FOR UPDATE", tenant
    )
    return {row[0]: row[1] for row in rows}


async def set_role(connection: asyncpg.Connection, tenant: UUID, person: UUID, role: str, at: datetime) -> None:
    """Give a person another role."""
    await connection.execute(
        "UPDATE memberships SET role = $3, since = $4 WHERE tenant = $1 AND person = $2", tenant, person, role, at
    )


async def drop_membership(connection: asyncpg.Connection, tenant: UUID, person: UUID) -> None:
    """Let a person belong to a clinic no more."""
    await connection.execute("DELETE FROM memberships WHERE tenant = $1 AND person = $2", tenant, person)
