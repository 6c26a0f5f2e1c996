"""Group commit: whatever waits while one commit runs goes down together in the next. Knows nothing of what entries mean.

One writer per gateway, on a connection of its own. It remembers where each tenant's log ends and writes in a single
statement that does nothing if a head moved meanwhile (another gateway wrote); then it locks the heads and writes again.
So entries carry gapless indexes and two gateways cannot fork a log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

import asyncpg

from gateway.errors import LedgerUnavailable, NotFound, OutcomeUnrecorded
from gateway.ledger.entry import EntryError, canonical, timestamp
from gateway.ledger.merkle import HASH_BYTES, Edge, leaf_hash
from gateway.log import Log
from gateway.store import ledger as rows
from gateway.store import reaches, writers
from gateway.store.errors import StoreUnavailable
from gateway.store.pool import SET_TENANTS, Store, tenants_setting
from gateway.store.reaches import PlaceRow

log = Log("gateway.ledger")

MOST_PER_COMMIT = 512
COMMIT_SECONDS = 10.0
PATIENCE_SECONDS = 5.0  # how long a caller waits for an outcome that the ledger cannot take
_PAUSES_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0)
_FEW = 6
# Whatever of these a statement raises: let go of the connection and try with a new one. A connection that is cut while
# a statement begins shows as an error of asyncpg's own state.
_OUTAGES = (
    StoreUnavailable,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
_LOCK_FIRST_SECONDS = 0.5  # after losing a race for a head, lock before writing for this long


class StandingChanged(Exception):
    """What the tenant allows changed after the decision: decide again. Nothing was written."""


class PlacesTaken(StandingChanged):
    """Others reached the person meanwhile as often as the clinic's caps allow: decide again. Nothing was written."""


class KeyTaken(Exception):
    """The Idempotency-Key already has a disclosure. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Appended:
    """Where an entry stands in its tenant's log."""

    index: int
    leaf: bytes


class Landing(asyncio.Future[Appended]):
    """The place of an entry, once it is durable. Cannot be cancelled: a caller that leaves hears first what became of it."""

    def cancel(self, msg: Any | None = None) -> bool:
        """Refused; the task that waits is cancelled as soon as this is done."""
        return False


@dataclass(slots=True)
class Draft:
    """An entry on its way: everything but its index. Rows go into the searchable tables, with the index put in."""

    tenant: UUID
    kind: str
    at: datetime
    fields: dict[str, Any]
    decided_on: int | None = None  # refuse to write if the tenant's standing is another one
    must_land: bool = False  # keep trying until it is written: an outcome of something that happened
    disclosure: rows.DisclosureRow | None = None
    outcome: rows.OutcomeRow | None = None
    answer: rows.AnswerRow | None = None
    refusal: rows.RefusalRow | None = None
    settlement: rows.SettlementRow | None = None
    reach: rows.ReachRow | None = None
    landed: Landing = field(init=False)  # from when it is appended
    since: float = 0.0
    told: bool = False  # the caller was told that it has to wait, and waits no more

    @property
    def open(self) -> bool:
        """Whether it is still to be written."""
        return self.told or not self.landed.done()


@dataclass(slots=True)
class _End:
    """The remembered end of one tenant's log."""

    standing: int
    edge: Edge


def end_of(head: rows.Head) -> Edge:
    """A stored head as an edge that can grow."""
    packed = head.edge
    return Edge(head.size, (packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)))


def assemble(
    drafts: list[Draft], ends: dict[UUID, _End], writer: int
) -> tuple[rows.Batch, list[tuple[Draft, Appended]]]:
    """Give each draft its index and its leaf; `ends` grow. Drafts that were decided on another standing are left out."""
    batch = rows.Batch()
    before = {tenant: (end.edge.size, end.standing) for tenant, end in ends.items()}
    placed: list[tuple[Draft, Appended]] = []
    for draft in drafts:
        end = ends[draft.tenant]
        if draft.decided_on is not None and draft.decided_on != end.standing:
            draft.landed.set_exception(StandingChanged())
            continue
        try:
            placed.append((draft, _place(draft, end, batch, writer)))
        except EntryError as failure:  # a defect of whoever drafted it; those beside it are written
            draft.landed.set_exception(failure)
    for tenant, end in ends.items():
        size, standing = before[tenant]
        batch.heads.append(rows.HeadMove(tenant, size, standing, end.edge.size, b"".join(end.edge.hashes)))
    return batch, placed


def _place(draft: Draft, end: _End, batch: rows.Batch, writer: int) -> Appended:
    index, tenant = end.edge.size, draft.tenant
    body = canonical(
        {**draft.fields, "at": timestamp(draft.at), "index": index, "kind": draft.kind, "tenant": str(tenant)}
    )
    leaf = leaf_hash(body)
    if completed := end.edge.append(leaf):
        batch.nodes += [rows.NodeRow(tenant, *node) for node in completed]
    batch.entries.append(rows.EntryRow(tenant, index, draft.kind, draft.at, body, leaf))
    if draft.disclosure is not None:
        batch.disclosures.append((*draft.disclosure, index, writer))
    if draft.outcome is not None:
        batch.outcomes.append((*draft.outcome, index))
    if draft.answer is not None:
        batch.answers.append(draft.answer)
    if draft.refusal is not None:
        batch.refusals.append((*draft.refusal, index))
    if draft.settlement is not None:
        batch.settlements.append(draft.settlement)
    if draft.reach is not None:
        batch.reaches.append(draft.reach)
    return Appended(index, leaf)


async def append_within(connection: asyncpg.Connection, draft: Draft, *, writer: int = 0) -> tuple[Appended, int]:
    """Append one entry in the caller's transaction and count the tenant's standing up.

    For changes of what a tenant allows: the change, its entry and the new standing exist together or not at all.
    Returns where the entry stands and the new standing.
    """
    head = await rows.lock_and_change_standing(connection, draft.tenant)
    if head is None:
        raise NotFound("there is no such tenant")
    return await _append_at(connection, draft, head, writer), head.standing


async def append_beside(connection: asyncpg.Connection, draft: Draft) -> Appended:
    """Append one entry in the caller's transaction and leave the tenant's standing as it is.

    For changes that no decision rests on: the change and its entry exist together or not at all, and nobody decides anew.
    """
    heads = await rows.lock_heads(connection, [draft.tenant])
    if not heads:
        raise NotFound("there is no such tenant")
    return await _append_at(connection, draft, heads[0], writer=0)


async def _append_at(connection: asyncpg.Connection, draft: Draft, head: rows.Head, writer: int) -> Appended:
    draft.landed = Landing()
    batch, placed = assemble([draft], {draft.tenant: _End(head.standing, end_of(head))}, writer)
    await rows.append(connection, batch)
    draft.landed.set_result(placed[0][1])
    return placed[0][1]


def _refuse(drafts: list[Draft]) -> None:
    """Nobody may rely on these entries; whoever waits is told."""
    for draft in drafts:
        if not draft.landed.done():
            draft.landed.set_exception(LedgerUnavailable())


class Writer:
    """The one task of a gateway that appends to the ledger."""

    def __init__(self, store: Store, *, moved: Callable[[UUID, int], None] = lambda tenant, standing: None) -> None:
        """`moved` is told when another gateway changed a tenant's standing."""
        self._store = store
        self._moved = moved
        self.recovered: Callable[[], None] = lambda: None  # told when the ledger can be written again, under a new id
        self._waiting: list[Draft] = []
        self._ends: dict[UUID, _End] = {}
        self._wake = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failures = 0
        self._lock_first_until = 0.0
        self._stopped = False
        self.id = 0
        self.commits = 0

    async def start(self) -> None:
        """Connect and begin; raises StoreUnavailable when the ledger cannot be reached."""
        self._loop = asyncio.get_running_loop()
        await self._connect()
        self._task = asyncio.create_task(self._run(), name="ledger-writer")

    async def stop(self) -> None:
        """Write what waits, then let go of the connection."""
        if self._task is not None:
            if waiting := [draft.landed for draft in self._waiting]:
                await asyncio.wait(waiting, timeout=COMMIT_SECONDS)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._stopped = True
        _refuse(self._waiting)
        if self._connection is not None:
            await self._connection.close()

    @property
    def healthy(self) -> bool:
        """Whether the last attempt to write succeeded."""
        return self._failures == 0 and self._task is not None and not self._task.done()

    def append(self, draft: Draft) -> Landing:
        """Queue an entry. The future gives its place once it is durable.

        It raises LedgerUnavailable (nothing is written, or nobody may rely on it), StandingChanged (PlacesTaken) or KeyTaken.
        """
        landed = draft.landed = Landing(loop=self._loop)
        draft.since = monotonic()
        if self._stopped or (self._failures and not draft.must_land):
            _refuse([draft])
        else:
            self._waiting.append(draft)
        self._wake.set()
        return landed

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await self._gather()
            drafts, self._waiting = self._waiting[:MOST_PER_COMMIT], self._waiting[MOST_PER_COMMIT:]
            if not self._waiting:
                self._wake.clear()
            await self._land(drafts)

    async def _gather(self) -> None:
        """Let what is ready now come along: wait for a turn of the loop or a few, never for a clock.

        No longer than until a few wait: callers that all wait for one commit leave the loop with nothing to do meanwhile.
        """
        before = -1
        while before < len(self._waiting) and (before < 0 or len(self._waiting) < _FEW):
            before = len(self._waiting)
            await asyncio.sleep(0)

    async def _land(self, drafts: list[Draft]) -> None:
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await self._put_down(drafts)
            self._failures = 0
        except _OUTAGES as failure:
            await self._give_up(drafts, failure)
        except asyncio.CancelledError:
            _refuse(drafts)
            raise
        except Exception as failure:  # a defect must not end the only task that can write
            log.error("append_failed", failure=failure)
            _refuse(drafts)
            self._ends.clear()

    async def _give_up(self, drafts: list[Draft], failure: BaseException) -> None:
        """Tell the callers, keep what must land, let go of the connection and pause.

        Who waits for something that must land is told late: a ledger that is back in a moment is nothing to speak of.
        """
        self._failures += 1
        log.error("ledger_unavailable", failure=failure, waiting=len(drafts), failures=self._failures)
        self._ends.clear()
        waiting, self._waiting = [*drafts, *self._waiting], []
        for draft in waiting:
            if draft.must_land and draft.open:
                self._waiting.append(draft)
                if not draft.told and monotonic() - draft.since > PATIENCE_SECONDS:
                    draft.told = True
                    draft.landed.set_exception(OutcomeUnrecorded())
            elif not draft.landed.done():
                draft.landed.set_exception(LedgerUnavailable())
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
        await asyncio.sleep(_PAUSES_SECONDS[min(self._failures, len(_PAUSES_SECONDS)) - 1])
        try:
            await self._connect()
            await self._forget_landed()
            self._failures = 0
            self.recovered()
        except _OUTAGES:
            pass  # counted above; the wake below tries again
        if self._waiting or self._failures:
            self._wake.set()

    async def _connect(self) -> None:
        async with asyncio.timeout(COMMIT_SECONDS):
            self._connection = await self._store.dedicated()
            self.id = await writers.register_writer(self._connection)

    async def _forget_landed(self) -> None:
        """After a broken commit: an outcome that did land must not land twice."""
        kept = [draft for draft in self._waiting if draft.outcome is not None]
        if not kept:
            return
        async with self._store.tenants([draft.tenant for draft in kept]) as connection:
            outcomes = [draft.outcome for draft in kept if draft.outcome is not None]
            landed = await rows.landed_outcomes(connection, outcomes)
        for draft in kept:
            place = landed.get(draft.outcome.disclosure) if draft.outcome is not None else None
            if place is not None:
                self._waiting.remove(draft)
                if not draft.landed.done():
                    draft.landed.set_result(Appended(*place))

    async def _put_down(self, drafts: list[Draft]) -> None:
        if self._connection is None:
            raise StoreUnavailable("the ledger's connection is gone")
        placed: list[tuple[Draft, Appended]] = []
        while drafts:
            try:
                placed = await self._write(self._connection, drafts)
                break
            except asyncpg.UniqueViolationError:  # another gateway may take one more while we look which are taken
                self._ends.clear()
                drafts = await self._with_places(await self._without_taken(drafts))
        self.commits += 1
        for draft, where in placed:
            if not draft.landed.done():
                draft.landed.set_result(where)

    async def _write(self, connection: asyncpg.Connection, drafts: list[Draft]) -> list[tuple[Draft, Appended]]:
        tenants = {draft.tenant for draft in drafts}
        if monotonic() > self._lock_first_until and all(self._remembers(draft) for draft in drafts):
            ends = {tenant: _End(end.standing, end.edge.copy()) for tenant in tenants if (end := self._ends[tenant])}
            batch, placed = assemble(drafts, ends, self.id)
            try:
                if placed:
                    await rows.append(connection, batch)
                self._ends.update(ends)
                return placed
            except asyncpg.SerializationError:
                self._lock_first_until = monotonic() + _LOCK_FIRST_SECONDS
        return await self._write_locked(connection, drafts, sorted(tenants))

    def _remembers(self, draft: Draft) -> bool:
        end = self._ends.get(draft.tenant)
        return end is not None and (draft.decided_on is None or draft.decided_on == end.standing)

    async def _write_locked(
        self, connection: asyncpg.Connection, drafts: list[Draft], tenants: list[UUID]
    ) -> list[tuple[Draft, Appended]]:
        async with connection.transaction():
            await connection.fetchval(SET_TENANTS, tenants_setting(tenants))
            heads = {head.tenant: head for head in await rows.lock_heads(connection, tenants)}
            for draft in drafts:
                if draft.tenant not in heads:
                    draft.landed.set_exception(NotFound("there is no such tenant"))
            drafts = [draft for draft in drafts if draft.tenant in heads and draft.open]
            ends = {tenant: _End(head.standing, end_of(head)) for tenant, head in heads.items()}
            batch, placed = assemble(drafts, ends, self.id)
            if placed:
                await rows.append(connection, batch)
        for tenant, end in ends.items():
            known = self._ends.get(tenant)
            self._ends[tenant] = end
            if known is None or known.standing != end.standing:
                self._moved(tenant, end.standing)
        return placed

    async def _without_taken(self, drafts: list[Draft]) -> list[Draft]:
        """Leave out the drafts whose Idempotency-Key is taken, in the database or twice in this batch."""
        keyed = [(draft.tenant, draft.disclosure.idempotency) for draft in drafts if draft.disclosure is not None]
        keys = [(tenant, key) for tenant, key in keyed if key is not None]
        async with self._store.tenants([tenant for tenant, _ in keys]) as connection:
            taken = await rows.taken_keys(connection, [tenant for tenant, _ in keys], [key for _, key in keys])
        kept = []
        for draft in drafts:
            key = draft.disclosure.idempotency if draft.disclosure is not None else None
            if not draft.open:
                continue
            if key is not None and (draft.tenant, key) in taken:
                draft.landed.set_exception(KeyTaken())
                continue
            if key is not None:
                taken.add((draft.tenant, key))
            kept.append(draft)
        return kept

    async def _with_places(self, drafts: list[Draft]) -> list[Draft]:
        """Leave out the drafts that reach a person for whom no place is left, in the database or after those before them."""
        places = {PlaceRow(*draft.reach[:3]) for draft in drafts if draft.reach is not None}
        if not places:
            return drafts
        async with self._store.tenants({place.tenant for place in places}) as connection:
            last = await reaches.last_of(connection, list(places))
        kept = []
        for draft in drafts:
            if draft.reach is not None:
                place = PlaceRow(*draft.reach[:3])
                if draft.reach.at_most is not None and last[place] >= draft.reach.at_most:
                    draft.landed.set_exception(PlacesTaken())
                    continue
                last[place] += 1
            kept.append(draft)
        return kept
