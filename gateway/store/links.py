"""Rows of linking: what a network was asked, permissions to link, how far each visit is, a patient's attempts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

_LOCK_CLASS = 7306
_REQUEST = "id, connector, action, subject, contexts, attempt, at, due_at, told_at, answered_at, code"
_LINK = "context, subject, state, kinds, changed_at, linked_at, code"
_ATTEMPT = "id, connector, transaction, subject, address, contexts, state, code, tries, at, expires_at"


class RequestRow(NamedTuple):
    """Something that the network was told and answers with a letter."""

    id: UUID
    connector: str
    action: str
    subject: UUID
    contexts: list[UUID]
    attempt: int
    at: datetime
    due_at: datetime | None
    told_at: datetime | None = None
    answered_at: datetime | None = None
    code: str | None = None


class LinkRow(NamedTuple):
    """How far a visit is linked."""

    context: UUID
    subject: UUID
    state: str
    kinds: list[str]
    changed_at: datetime
    linked_at: datetime | None = None
    code: str | None = None


class AttemptRow(NamedTuple):
    """A patient's attempt to link: what they were shown, then the code."""

    id: UUID
    connector: str
    transaction: str
    subject: UUID
    address: bytes
    contexts: list[UUID]
    state: str
    code: bytes | None
    tries: int
    at: datetime
    expires_at: datetime


async def lock(connection: asyncpg.Connection, tenant: UUID, subject: UUID) -> None:
    """Keep every other step about one patient waiting until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2::text))", _LOCK_CLASS, f"{tenant} {subject}")


async def ask(connection: asyncpg.Connection, tenant: UUID, row: RequestRow) -> None:
    """Note what is about to be told; told twice under one id changes nothing."""
    await connection.execute(
        f"INSERT INTO network_requests (tenant, {_REQUEST}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
        "ON CONFLICT DO NOTHING",
        tenant,
        *row,
    )


async def request(connection: asyncpg.Connection, tenant: UUID, request_id: UUID) -> RequestRow | None:
    """One of them, locked until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_REQUEST} FROM network_requests WHERE tenant = $1 AND id = $2 FOR UPDATE", tenant, request_id
    )
    return RequestRow(*row) if row else None


async def last_request(connection: asyncpg.Connection, tenant: UUID, subject: UUID, action: str) -> RequestRow | None:
    """What was last told about a patient in this way."""
    row = await connection.fetchrow(
        f"SELECT {_REQUEST} FROM network_requests WHERE tenant = $1 AND subject = $2 AND action = $3 "
        "ORDER BY at DESC, id DESC LIMIT 1",
        tenant,
        subject,
        action,
    )
    return RequestRow(*row) if row else None


async def answer(
    connection: asyncpg.Connection, tenant: UUID, request_id: UUID, *, at: datetime, code: str | None
) -> None:
    """Note the network's answer."""
    await connection.execute(
        "UPDATE network_requests SET answered_at = $3, code = $4, due_at = NULL WHERE tenant = $1 AND id = $2",
        tenant,
        request_id,
        at,
        code,
    )


async def told(
    connection: asyncpg.Connection, tenant: UUID, request_id: UUID, *, at: datetime, due_at: datetime
) -> None:
    """Note that it was told, unless the answer was faster; from `due_at` on it counts as not heard."""
    await connection.execute(
        "UPDATE network_requests SET told_at = $3, due_at = CASE WHEN answered_at IS NULL THEN $4::timestamptz END "
        "WHERE tenant = $1 AND id = $2",
        tenant,
        request_id,
        at,
        due_at,
    )


async def due(connection: asyncpg.Connection, before: datetime, at_most: int) -> list[tuple[UUID, UUID]]:
    """(clinic, request) of every clinic that should have been looked at before then."""
    rows = await connection.fetch("SELECT tenant, id FROM gateway_due_requests($1, $2)", before, at_most)
    return [(row[0], row[1]) for row in rows]


async def put_token(
    connection: asyncpg.Connection, tenant: UUID, connector: str, subject: UUID, sealed: bytes,
    lasts: tuple[datetime, datetime],
) -> None:  # fmt: skip
    """Keep the permission to link a patient's visits, in place of the one before."""
    await connection.execute(
        "INSERT INTO link_tokens (tenant, connector, subject, sealed, got_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT (tenant, connector, subject) DO UPDATE "
        "SET sealed = excluded.sealed, got_at = excluded.got_at, expires_at = excluded.expires_at",
        tenant,
        connector,
        subject,
        sealed,
        *lasts,
    )


async def token(
    connection: asyncpg.Connection, tenant: UUID, connector: str, subject: UUID
) -> tuple[bytes, datetime] | None:
    """The sealed permission, and until when it is good."""
    row = await connection.fetchrow(
        "SELECT sealed, expires_at FROM link_tokens WHERE tenant = $1 AND connector = $2 AND subject = $3",
        tenant,
        connector,
        subject,
    )
    return (row[0], row[1]) if row else None


async def drop_token(connection: asyncpg.Connection, tenant: UUID, connector: str, subject: UUID) -> None:
    """Forget the permission: the network takes it no more."""
    await connection.execute(
        "DELETE FROM link_tokens WHERE tenant = $1 AND connector = $2 AND subject = $3", tenant, connector, subject
    )


async def want(connection: asyncpg.Connection, tenant: UUID, rows: Iterable[LinkRow]) -> None:
    """Want visits to be linked; one that failed is wanted anew, one that is linked with other kinds too."""
    await connection.executemany(
        f"INSERT INTO links (tenant, {_LINK}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
        "ON CONFLICT (tenant, context) DO UPDATE SET state = 'wanted', changed_at = excluded.changed_at, code = NULL "
        "WHERE links.state = 'failed' OR NOT (links.kinds @> excluded.kinds)",
        [(tenant, *row) for row in rows],
    )


async def of_subject(connection: asyncpg.Connection, tenant: UUID, subject: UUID) -> list[LinkRow]:
    """How far each of a patient's visits is linked."""
    rows = await connection.fetch(
        f"SELECT {_LINK} FROM links WHERE tenant = $1 AND subject = $2 ORDER BY context", tenant, subject
    )
    return [LinkRow(*row) for row in rows]


async def of_contexts(connection: asyncpg.Connection, tenant: UUID, contexts: Sequence[UUID]) -> list[LinkRow]:
    """How far these visits are linked; none of one that was never wanted."""
    rows = await connection.fetch(
        f"SELECT {_LINK} FROM links WHERE tenant = $1 AND context = ANY ($2) ORDER BY context", tenant, list(contexts)
    )
    return [LinkRow(*row) for row in rows]


async def due_of(connection: asyncpg.Connection, tenant: UUID, subjects: Sequence[UUID]) -> dict[UUID, datetime]:
    """When the network is next told something of these patients, or looked for an answer; none of whom nothing is planned."""
    rows = await connection.fetch(
        "SELECT subject, min(due_at) FROM network_requests WHERE tenant = $1 AND subject = ANY ($2) AND due_at IS NOT NULL "
        "GROUP BY subject",
        tenant,
        list(subjects),
    )
    return {row[0]: row[1] for row in rows}


async def move(
    connection: asyncpg.Connection, tenant: UUID, contexts: Sequence[UUID], state: str, *, at: datetime,
    code: str | None = None,
) -> None:  # fmt: skip
    """Let visits be `asked`, `linked` or `failed`, from whatever they are."""
    await connection.execute(
        "UPDATE links SET state = $3, changed_at = $4, code = $5, "
        "linked_at = CASE WHEN $3::text = 'linked' THEN coalesce(linked_at, $4) ELSE linked_at END "
        "WHERE tenant = $1 AND context = ANY ($2)",
        tenant,
        list(contexts),
        state,
        at,
        code,
    )


async def know(connection: asyncpg.Connection, tenant: UUID, context: UUID, kinds: Sequence[str]) -> None:
    """Note the kinds that the network knows a visit for."""
    await connection.execute(
        "UPDATE links SET kinds = $3 WHERE tenant = $1 AND context = $2", tenant, context, list(kinds)
    )


async def attempt(connection: asyncpg.Connection, tenant: UUID, row: AttemptRow) -> None:
    """Note what a patient was shown, once for an exchange, or a code, before it goes out."""
    await connection.execute(
        f"INSERT INTO link_attempts (tenant, {_ATTEMPT}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
        "ON CONFLICT DO NOTHING",
        tenant,
        *row,
    )


async def shown_in(connection: asyncpg.Connection, tenant: UUID, connector: str, transaction: str) -> AttemptRow | None:
    """What a patient was shown in an exchange."""
    row = await connection.fetchrow(
        f"SELECT {_ATTEMPT} FROM link_attempts WHERE tenant = $1 AND transaction = $2 AND connector = $3 "
        "AND state = 'shown'",
        tenant,
        transaction,
        connector,
    )
    return AttemptRow(*row) if row else None


async def attempt_of(connection: asyncpg.Connection, tenant: UUID, attempt_id: UUID) -> AttemptRow | None:
    """One attempt, locked until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_ATTEMPT} FROM link_attempts WHERE tenant = $1 AND id = $2 FOR UPDATE", tenant, attempt_id
    )
    return AttemptRow(*row) if row else None


async def codes_since(connection: asyncpg.Connection, tenant: UUID, subject: UUID, since: datetime) -> int:
    """How many codes were sent to a patient."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM link_attempts WHERE tenant = $1 AND subject = $2 AND at >= $3 AND code IS NOT NULL",
        tenant,
        subject,
        since,
    )
    return count


async def try_code(connection: asyncpg.Connection, tenant: UUID, attempt_id: UUID, state: str) -> None:
    """Count a try, and say where the attempt stands after it."""
    await connection.execute(
        "UPDATE link_attempts SET tries = tries + 1, state = $3 WHERE tenant = $1 AND id = $2",
        tenant,
        attempt_id,
        state,
    )


async def forget_all(connection: asyncpg.Connection, tenant: UUID, connector: str) -> None:
    """Forget what was linked at a network and what it was asked: nothing of that is known there any more."""
    await connection.execute(
        "DELETE FROM links WHERE tenant = $1 AND context IN (SELECT id FROM care_contexts WHERE tenant = $1 AND connector = $2)",
        tenant,
        connector,
    )
    for table in ("link_tokens", "link_attempts", "network_requests"):
        await connection.execute(f"DELETE FROM {table} WHERE tenant = $1 AND connector = $2", tenant, connector)


async def remove_subject(connection: asyncpg.Connection, tenant: UUID, subject: UUID) -> None:
    """Take out all of a patient: first what a letter of the network's is still about, which then brings nothing back."""
    for table in ("network_requests", "link_tokens", "link_attempts", "links"):
        await connection.execute(f"DELETE FROM {table} WHERE tenant = $1 AND subject = $2", tenant, subject)


async def purge(connection: asyncpg.Connection, tenant: UUID, before: datetime) -> int:
    """Take out attempts and requests that nothing waits for any more; says how many."""
    first: str = await connection.execute("DELETE FROM link_attempts WHERE tenant = $1 AND at < $2", tenant, before)
    second: str = await connection.execute(
        "DELETE FROM network_requests WHERE tenant = $1 AND at < $2 AND due_at IS NULL", tenant, before
    )
    return int(first.split()[-1]) + int(second.split()[-1])
