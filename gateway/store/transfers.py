"""Rows of requests for records and of the documents that are sent for each. What was asked for is sealed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

_COLUMNS: Final = (
    "id, connector, connection, transaction, request, consent, artefact, state, reasons, host, sealed, asked_at, "
    "deadline_at, due_at, contexts, answers, in_doubt, pages, done_at, reports"
)
_ENTRY: Final = "number, document, context, kind, state, attempts, doubts, next_at, disclosure, code"


class State(StrEnum):
    """How far a request has come."""

    ASKED = "asked"
    """Taken, and still to be answered."""
    SENDING = "sending"
    REPORTING = "reporting"
    """Nothing more is sent; the network has yet to hear how it went."""
    REPORTED = "reported"
    UNREPORTED = "unreported"
    """The network did not take the report for as long as it was tried."""

    @property
    def open(self) -> bool:
        """Whether there is still something to do."""
        return self not in (State.REPORTED, State.UNREPORTED)


class EntryState(StrEnum):
    """What became of one document."""

    WAITING = "waiting"
    SENT = "sent"
    """Whoever asked took it."""
    FAILED = "failed"
    REFUSED = "refused"
    """The decision said no."""
    LATE = "late"
    """The time to send it was over."""


class TransferRow(NamedTuple):
    """One request for records."""

    id: UUID
    connector: str
    connection: UUID
    transaction: str
    request: str
    consent: str
    artefact: UUID | None
    state: str
    reasons: Sequence[Mapping[str, str]]
    host: str | None
    sealed: bytes | None
    asked_at: datetime
    deadline_at: datetime
    due_at: datetime
    contexts: Sequence[str] = ()
    answers: int = 0
    in_doubt: bool = False
    pages: int | None = None
    done_at: datetime | None = None
    reports: int = 0


class EntryRow(NamedTuple):
    """One document of a transfer."""

    number: int
    document: UUID
    context: str
    kind: str
    state: str
    attempts: int
    doubts: int
    next_at: datetime
    disclosure: UUID | None = None
    code: str | None = None


class DueRow(NamedTuple):
    """A transfer that was due and nobody saw to."""

    tenant: UUID
    id: UUID
    due_at: datetime


async def add(connection: asyncpg.Connection, tenant: UUID, row: TransferRow, *, now: datetime) -> bool:
    """Take a request; False where one of its transaction is here."""
    added = await connection.fetchval(
        f"INSERT INTO transfers (tenant, changed_at, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
        "$13, $14, $15, $16, $17, $18, $19, $20, $21, $22) ON CONFLICT (transaction, connector, tenant) DO NOTHING "
        "RETURNING true",
        tenant,
        now,
        *row,
    )
    return bool(added)


async def find(connection: asyncpg.Connection, tenant: UUID, transfer: UUID) -> TransferRow | None:
    """One request."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM transfers WHERE tenant = $1 AND id = $2", tenant, transfer)
    return TransferRow(*row) if row else None


async def page(connection: asyncpg.Connection, tenant: UUID, *, before: UUID | None, limit: int) -> list[TransferRow]:
    """Requests, newest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM transfers WHERE tenant = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        tenant,
        before,
        limit,
    )
    return [TransferRow(*row) for row in rows]


async def newest(
    connection: asyncpg.Connection, tenant: UUID, connector: str, *, before: UUID | None, limit: int
) -> list[TransferRow]:
    """Requests at one network, newest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM transfers WHERE tenant = $1 AND connector = $2 AND ($3::uuid IS NULL OR id < $3) "
        "ORDER BY id DESC LIMIT $4",
        tenant,
        connector,
        before,
        limit,
    )
    return [TransferRow(*row) for row in rows]


async def of_artefacts(
    connection: asyncpg.Connection, tenant: UUID, consents: Sequence[UUID], limit: int
) -> list[TransferRow]:
    """Requests under these consents, newest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM transfers WHERE tenant = $1 AND artefact = ANY ($2) ORDER BY id DESC LIMIT $3",
        tenant,
        list(consents),
        limit,
    )
    return [TransferRow(*row) for row in rows]


async def counts(
    connection: asyncpg.Connection, tenant: UUID, transfers: Sequence[UUID]
) -> dict[UUID, dict[EntryState, int]]:
    """How many documents of each request stand where."""
    rows = await connection.fetch(
        "SELECT transfer, state, count(*) FROM transfer_entries WHERE tenant = $1 AND transfer = ANY ($2) "
        "GROUP BY transfer, state",
        tenant,
        list(transfers),
    )
    found: dict[UUID, dict[EntryState, int]] = {}
    for transfer, state, count in rows:
        found.setdefault(transfer, {})[EntryState(state)] = count
    return found


async def let_through(
    connection: asyncpg.Connection, tenant: UUID, artefact: UUID, *, before: UUID | None = None
) -> list[datetime]:
    """When requests under a consent were let through, those taken before this one; of all of them without one.

    Under the lock of the consent's row each sees all that came before it.
    """
    rows = await connection.fetch(
        "SELECT asked_at FROM transfers WHERE artefact = $2 AND tenant = $1 AND reasons = '[]' "
        "AND ($3::uuid IS NULL OR id < $3) ORDER BY asked_at",
        tenant,
        artefact,
        before,
    )
    return [row[0] for row in rows]


async def plan(connection: asyncpg.Connection, tenant: UUID, transfer: UUID, entries: Sequence[EntryRow]) -> bool:
    """Write down which documents are to be sent; False where that is written already, or nothing is to be sent any more."""
    planned = await connection.fetchval(
        "UPDATE transfers SET pages = $3 WHERE tenant = $1 AND id = $2 AND pages IS NULL AND state = 'sending' "
        "RETURNING true",
        tenant,
        transfer,
        len(entries),
    )
    if planned:
        await connection.executemany(
            f"INSERT INTO transfer_entries (tenant, transfer, changed_at, {_ENTRY}) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            [(tenant, transfer, entry.next_at, *entry) for entry in entries],
        )
    return bool(planned)


async def entries(connection: asyncpg.Connection, tenant: UUID, transfer: UUID) -> list[EntryRow]:
    """The documents of a transfer, page by page."""
    rows = await connection.fetch(
        f"SELECT {_ENTRY} FROM transfer_entries WHERE tenant = $1 AND transfer = $2 ORDER BY number", tenant, transfer
    )
    return [EntryRow(*row) for row in rows]


async def settle(
    connection: asyncpg.Connection, tenant: UUID, transfer: UUID, entry: EntryRow, *, now: datetime
) -> None:
    """Write down how a document stands after an attempt; one that is not waiting any more stays as it is."""
    await connection.execute(
        "UPDATE transfer_entries SET state = $4, attempts = $5, doubts = $6, next_at = $7, disclosure = $8, code = $9, "
        "changed_at = $10 WHERE tenant = $1 AND transfer = $2 AND number = $3 AND state = 'waiting'",
        tenant,
        transfer,
        entry.number,
        *entry[4:],
        now,
    )


async def answered(
    connection: asyncpg.Connection, tenant: UUID, transfer: UUID, state: State, *, now: datetime
) -> None:
    """The network took the answer, or is asked no more whether it does; what is not to be sent is destroyed."""
    await connection.execute(
        "UPDATE transfers SET state = $3, changed_at = $4, done_at = CASE WHEN $3 = 'reporting' THEN $4::timestamptz END, "
        "sealed = CASE WHEN $3 = 'sending' THEN sealed END WHERE tenant = $1 AND id = $2 AND state = 'asked'",
        tenant,
        transfer,
        str(state),
        now,
    )


async def sent(connection: asyncpg.Connection, tenant: UUID, transfer: UUID, *, now: datetime) -> None:
    """Nothing more is sent: what was asked for is destroyed, and the network is to hear how it went."""
    await connection.execute(
        "UPDATE transfers SET state = 'reporting', done_at = $3, changed_at = $3, sealed = NULL "
        "WHERE tenant = $1 AND id = $2 AND state = 'sending'",
        tenant,
        transfer,
        now,
    )


async def end(connection: asyncpg.Connection, tenant: UUID, transfer: UUID, state: State, *, now: datetime) -> None:
    """The network took the report, or is told no more."""
    await connection.execute(
        "UPDATE transfers SET state = $3, changed_at = $4 WHERE tenant = $1 AND id = $2 AND state = 'reporting'",
        tenant,
        transfer,
        str(state),
        now,
    )


async def put_off(
    connection: asyncpg.Connection, tenant: UUID, row: TransferRow, *, until: datetime, now: datetime
) -> bool:
    """Work on it at a later moment, with the counts that the row has now; False where somebody else put it off."""
    moved = await connection.fetchval(
        "UPDATE transfers SET due_at = $3, answers = $4, in_doubt = $5, reports = $6, changed_at = $7 "
        "WHERE tenant = $1 AND id = $2 AND due_at = $8 AND state IN ('asked', 'sending', 'reporting') RETURNING true",
        tenant,
        row.id,
        until,
        row.answers,
        row.in_doubt,
        row.reports,
        now,
        row.due_at,
    )
    return bool(moved)


async def stranded(connection: asyncpg.Connection, before: datetime, at_most: int) -> list[DueRow]:
    """Transfers of all tenants that were due before a moment and are still open, the longest due first."""
    found = await connection.fetch("SELECT * FROM gateway_stranded_transfers($1, $2)", before, at_most)
    return [DueRow(*row) for row in found]


async def erase_subject(connection: asyncpg.Connection, tenant: UUID, subject: UUID) -> int:
    """Destroy what was asked for about a subject; nothing of it is sent from then on. Says how many requests were open.

    Count the tenant's standing up before, in the same transaction: what a job has read already is then not sent.
    """
    done: str = await connection.execute(
        "UPDATE transfers SET sealed = NULL WHERE tenant = $1 AND sealed IS NOT NULL "
        "AND artefact IN (SELECT a.id FROM artefacts a WHERE a.subject = $2 AND a.tenant = $1)",
        tenant,
        subject,
    )
    return int(done.split()[-1])


async def drop(connection: asyncpg.Connection, tenant: UUID, before: datetime) -> None:
    """Take out what ended before a moment, with its documents' rows. A consent's own count of requests stays with it."""
    await connection.execute(
        "DELETE FROM transfer_entries e USING transfers t WHERE e.tenant = $1 AND t.tenant = $1 AND t.id = e.transfer "
        "AND t.state IN ('reported', 'unreported') AND t.changed_at < $2",
        tenant,
        before,
    )
    await connection.execute(
        "DELETE FROM transfers t WHERE t.tenant = $1 AND t.state IN ('reported', 'unreported') AND t.changed_at < $2 "
        "AND NOT EXISTS (SELECT FROM artefacts a WHERE a.tenant = $1 AND a.id = t.artefact AND a.state = 'granted')",
        tenant,
        before,
    )
