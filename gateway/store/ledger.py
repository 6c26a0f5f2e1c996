"""Write to the ledger: batches of rows, and the heads they move. No hashing, no rules; reading is in entries.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg


class Head(NamedTuple):
    """Where a tenant's log ends, and the version of what the tenant allows."""

    tenant: UUID
    size: int
    edge: bytes
    standing: int


class HeadMove(NamedTuple):
    """One tenant's head before and after a batch."""

    tenant: UUID
    size: int
    standing: int
    new_size: int
    new_edge: bytes


class EntryRow(NamedTuple):
    """One leaf as stored."""

    tenant: UUID
    leaf_index: int
    kind: str
    at: datetime
    body: bytes
    leaf: bytes


class DisclosureRow(NamedTuple):
    """The searchable side of an intent; the writer adds its index and its own id."""

    tenant: UUID
    id: UUID
    at: datetime
    connector: str
    action: str
    connection: UUID
    recipient: str
    purpose: str
    categories: list[str]
    subject: UUID | None
    actor: str
    salt: bytes
    idempotency: bytes | None
    fingerprint: bytes | None


class OutcomeRow(NamedTuple):
    """What came of a disclosure, of several the latest; the writer adds its index."""

    tenant: UUID
    disclosure: UUID
    at: datetime
    outcome: str
    code: str | None


class AnswerRow(NamedTuple):
    """A sealed answer kept for repeats of an Idempotency-Key."""

    tenant: UUID
    disclosure: UUID
    at: datetime
    sealed: bytes


class RefusalRow(NamedTuple):
    """The searchable side of a refusal; the writer adds its index."""

    tenant: UUID
    id: UUID
    at: datetime
    connector: str
    action: str
    purpose: str
    subject: UUID | None
    reasons: list[str]


class SettlementRow(NamedTuple):
    """How one attempt of a delivery went and what becomes of the delivery; stands or falls with the attempt's outcome."""

    tenant: UUID
    delivery: UUID
    number: int
    at: datetime
    milliseconds: int
    outcome: str
    status: int | None
    code: str | None
    disclosure: UUID
    state: str
    next_at: datetime
    round: int


class ReachRow(NamedTuple):
    """That a disclosure reaches a person: it takes the next number on that channel, and none beyond `at_most`."""

    tenant: UUID
    subject: UUID
    channel: str
    disclosure: UUID
    at: datetime
    at_most: int | None


class NodeRow(NamedTuple):
    """The hash of a full subtree of 2**level leaves."""

    tenant: UUID
    level: int
    leaf_index: int
    hash: bytes


@dataclass(slots=True)
class Batch:
    """Everything that one commit puts down. Rows have their tables' columns, in their order: of disclosures, outcomes and
    refusals the index comes last (and of disclosures then the writer), since only the writer knows it."""

    heads: list[HeadMove] = field(default_factory=list)
    entries: list[EntryRow] = field(default_factory=list)
    disclosures: list[tuple[Any, ...]] = field(default_factory=list)
    outcomes: list[tuple[Any, ...]] = field(default_factory=list)
    answers: list[AnswerRow] = field(default_factory=list)
    refusals: list[tuple[Any, ...]] = field(default_factory=list)
    nodes: list[NodeRow] = field(default_factory=list)
    settlements: list[SettlementRow] = field(default_factory=list)
    reaches: list[ReachRow] = field(default_factory=list)


_APPEND = "SELECT gateway_append($1, $2, $3, $4, $5, $6, $7, $8)"
_APPEND_REACHING = "SELECT gateway_append_reaching($1, $2, $3, $4, $5, $6, $7, $8, $9)"


async def append(connection: asyncpg.Connection, batch: Batch) -> None:
    """Write a batch in one statement, all of it or nothing.

    Raises asyncpg.SerializationError when a head is not where the batch says (another gateway wrote, or the standing
    changed), asyncpg.UniqueViolationError when an idempotency key is already taken or a person has no place left.
    """
    await connection.fetchval(
        _APPEND_REACHING if batch.reaches else _APPEND,
        batch.heads,
        batch.entries,
        batch.disclosures,
        batch.outcomes,
        batch.answers,
        batch.refusals,
        batch.nodes,
        batch.settlements,
        *([batch.reaches] if batch.reaches else ()),
    )


async def lock_heads(connection: asyncpg.Connection, tenants: Sequence[UUID]) -> list[Head]:
    """Lock the heads, in one order everywhere, until the transaction ends."""
    rows = await connection.fetch(
        "SELECT tenant, size, edge, standing FROM heads WHERE tenant = ANY ($1) ORDER BY tenant FOR UPDATE", tenants
    )
    return [Head(*row) for row in rows]


async def lock_and_change_standing(connection: asyncpg.Connection, tenant: UUID) -> Head | None:
    """Lock one head and count its standing up: what was decided before no longer commits. None without such a tenant."""
    row = await connection.fetchrow(
        "UPDATE heads SET standing = standing + 1 WHERE tenant = $1 RETURNING tenant, size, edge, standing", tenant
    )
    return Head(*row) if row else None


async def head(connection: asyncpg.Connection, tenant: UUID) -> Head | None:
    """Read one head, unlocked."""
    row = await connection.fetchrow("SELECT tenant, size, edge, standing FROM heads WHERE tenant = $1", tenant)
    return Head(*row) if row else None


async def taken_keys(
    connection: asyncpg.Connection, tenants: Sequence[UUID], keys: Sequence[bytes]
) -> set[tuple[UUID, bytes]]:
    """Which (tenant, idempotency key) pairs already have a disclosure."""
    rows = await connection.fetch(
        "SELECT d.tenant, d.idempotency FROM disclosures d JOIN unnest($1::uuid[], $2::bytea[]) AS k (tenant, key) "
        "ON d.tenant = k.tenant AND d.idempotency = k.key",
        tenants,
        keys,
    )
    return {(row[0], row[1]) for row in rows}


async def landed_outcomes(
    connection: asyncpg.Connection, outcomes: Sequence[OutcomeRow]
) -> dict[UUID, tuple[int, bytes]]:
    """Which of these outcomes are already in the ledger: disclosure -> (index, leaf)."""
    rows = await connection.fetch(
        "SELECT o.disclosure, o.index, e.leaf FROM outcomes o "
        "JOIN unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS k (tenant, id, at) "
        "ON o.tenant = k.tenant AND o.disclosure = k.id AND o.at = k.at "
        "JOIN entries e ON e.tenant = o.tenant AND e.index = o.index",
        [row.tenant for row in outcomes],
        [row.disclosure for row in outcomes],
        [row.at for row in outcomes],
    )
    return {row[0]: (row[1], row[2]) for row in rows}
