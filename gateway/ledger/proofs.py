"""Prove what the ledger holds: signed checkpoints, inclusion, consistency, runs. Reads only; the key is never stored here."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import InvalidRequest, NotFound
from gateway.ledger.checkpoint import Checkpoint, Signer
from gateway.ledger.merkle import Edge, Plan, consistency_plan, edge_plan, inclusion_plan, range_plan
from gateway.ledger.writer import end_of
from gateway.store import entries
from gateway.store import ledger as rows
from gateway.store.pool import Store


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That a leaf stands at `index` in the log of `size` entries whose root the checkpoint signs."""

    index: int
    size: int
    leaf: bytes
    hashes: list[bytes]
    checkpoint: str


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """That the log of `new_size` entries begins with the whole log of `old_size` entries."""

    old_size: int
    new_size: int
    old_root: bytes
    new_root: bytes
    hashes: list[bytes]
    checkpoint: str


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The Ed25519 key that signs every tenant's heads, each under the name of its own log (its origin)."""

    host: str
    key: Ed25519PrivateKey

    def signer(self, tenant: UUID) -> Signer:
        """The signer of one tenant's log."""
        return Signer(f"{self.host}/t/{tenant}", self.key)


class Proofs:
    """Makes checkpoints and proofs of tenants' logs."""

    def __init__(self, store: Store, keys: LogKeys) -> None:
        self._store = store
        self._keys = keys

    def signer(self, tenant: UUID) -> Signer:
        """The signer of one tenant's log; its `.vkey` is public."""
        return self._keys.signer(tenant)

    async def checkpoint(self, tenant: UUID) -> str:
        """The tenant's head as a signed note (C2SP tlog-checkpoint)."""
        async with self._store.reading(tenant) as connection:
            return self._signed(tenant, await _edge(connection, tenant))

    async def inclusion(self, tenant: UUID, index: int) -> InclusionProof:
        """That the entry at `index` is in the log as it stands now; raises NotFound."""
        async with self._store.reading(tenant) as connection:
            edge = await _edge(connection, tenant)
            entry = await entries.entry(connection, tenant, index)
            if entry is None or index >= edge.size:
                raise NotFound("there is no such entry")
            hashes = await built(connection, tenant, inclusion_plan(index, edge.size))
        return InclusionProof(index, edge.size, entry.leaf, hashes, self._signed(tenant, edge))

    async def consistency(self, tenant: UUID, old_size: int, new_size: int | None = None) -> ConsistencyProof:
        """That the newer log begins with the older one; `new_size` is the present size when left out."""
        async with self._store.reading(tenant) as connection:
            edge = await _edge(connection, tenant)
            newer = edge.size if new_size is None else new_size
            if not 1 <= old_size <= newer <= edge.size:
                raise InvalidRequest(f"sizes must fit 1 <= old <= new <= {edge.size}, the log's present size")
            hashes = await built(connection, tenant, consistency_plan(old_size, newer))
            old_root = (await _past_edge(connection, tenant, old_size)).root()
            new_root = (await _past_edge(connection, tenant, newer)).root()
        return ConsistencyProof(old_size, newer, old_root, new_root, hashes, self._signed(tenant, edge))

    async def run(
        self, connection: asyncpg.Connection, tenant: UUID, *, first: int, count: int, size: int
    ) -> list[bytes]:
        """The hashes beside a run of entries, in the log of `size` entries; for bundles."""
        return await built(connection, tenant, range_plan(first, count, size))

    async def head(self, connection: asyncpg.Connection, tenant: UUID) -> tuple[int, str]:
        """The size of the log and its signed checkpoint, as this transaction sees them."""
        edge = await _edge(connection, tenant)
        return edge.size, self._signed(tenant, edge)

    def _signed(self, tenant: UUID, edge: Edge) -> str:
        signer = self._keys.signer(tenant)
        return signer.sign(Checkpoint(signer.name, edge.size, edge.root()))


async def built(connection: asyncpg.Connection, tenant: UUID, plan: Plan) -> list[bytes]:
    """Fetch what a plan needs, in one query per stretch, and build the proof."""
    needed = plan.needed()
    hashes: dict[tuple[int, int], bytes] = {}
    for first, count in needed.leaves:
        found = await entries.leaves(connection, tenant, first, count)
        hashes.update({(0, first + at): leaf for at, leaf in enumerate(found)})
    for level, first, count in needed.nodes:
        found = await entries.nodes(connection, tenant, level, (first, count))
        hashes.update({(level, first + at): node for at, node in enumerate(found)})
    return plan.build(hashes)


async def _edge(connection: asyncpg.Connection, tenant: UUID) -> Edge:
    head = await rows.head(connection, tenant)
    if head is None:
        raise NotFound("there is no such tenant")
    return end_of(head)


async def _past_edge(connection: asyncpg.Connection, tenant: UUID, size: int) -> Edge:
    return Edge(size, await built(connection, tenant, edge_plan(size)))
