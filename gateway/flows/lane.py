"""Work through one endpoint's deliveries: a few in flight at a time, until nothing is due. What an attempt is, is delivery.py's.

A lane is held by one gateway, under its ledger writer's id. It keeps a window of deliveries in flight: each that lands
makes room for the next, so a slow one holds up none but itself. When the endpoint does badly it is left alone for a
while, and when it has done badly for days it is switched off.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from gateway.calls import Actor
from gateway.errors import Conflict, LedgerUnavailable, NotFound, Unavailable
from gateway.flows.delivery import Attempted, Ended, Waiting, deliver
from gateway.flows.publish import NewEvent, publish
from gateway.flows.rooms import Rooms
from gateway.flows.schedule import WARNINGS, Health, next_attempt
from gateway.ids import new_id
from gateway.log import Log
from gateway.store import deliveries, notices
from gateway.store import lanes as rows
from gateway.store.jobs import LaneJob
from gateway.webhooks.endpoints import Status, Why
from gateway.webhooks.kinds import FAILING, GATEWAY, ID, OFF

log = Log("gateway.deliveries")

IN_FLIGHT: Final = 8
FETCHED_AT_ONCE: Final = 32
_FEW_LEFT: Final = 12  # fetch more before the last of them is begun
_BETWEEN_LOOKS_SECONDS: Final = 0.005
_LONGEST_POLL_SECONDS: Final = 0.5
_LINGER_SECONDS: Final = 0.02
_HANDING_ON_SECONDS: Final = 2.0


async def work(job: LaneJob, rooms: Rooms, *, stopping: Callable[[], bool] = lambda: False) -> None:
    """Work through what is due at an endpoint. Does nothing where another gateway is at it.

    Raises Unavailable when the database is away: the lane is left as it is, to be opened anew.
    """
    holding = rows.Holding(job.tenant, job.endpoint, rooms.ledger.writer)
    standing = (await rooms.connections.clinic(job.tenant)).standing.version  # before what is due is read
    async with rooms.store.tenant(job.tenant) as connection:
        health = await rows.open_lane(connection, holding, job.alarm)
        if health is None:
            return
        found = await deliveries.due(
            connection, job.tenant, job.endpoint, now=rooms.clock(), but=[], at_most=FETCHED_AT_ONCE
        )
    lane = _Lane(holding, Health(*health), rooms, stopping)
    lane.take(found, standing)
    await lane.work()


class _Lane:
    """A lane while it is worked on."""

    def __init__(self, holding: rows.Holding, health: Health, rooms: Rooms, stopping: Callable[[], bool]) -> None:
        self._holding = holding
        self._rooms = rooms
        self._stopping = stopping
        self._health = health
        self._fetched: deque[Waiting] = deque()
        self._more = False  # the last look found as much as it asked for
        self._look = True
        self._looked = 0.0  # when it was last looked for what is due
        self._now = asyncio.get_running_loop().time
        self._fetching: asyncio.Task[None] | None = None
        self._flying: dict[asyncio.Task[None], Waiting] = {}
        self._begun = False  # something was tried since the lane last lingered
        self._landed = asyncio.Event()
        self._broken: BaseException | None = None  # what ends the work
        self._idle = False
        self._why_off: Why | None = None
        self._warning: int | None = None

    def take(self, found: list[deliveries.WaitingRow], standing: int) -> None:
        """Take what was found to be due, when the tenant's standing was at least this one."""
        tenant, endpoint, _ = self._holding
        self._fetched.extend([Waiting(tenant, endpoint, standing, row) for row in found])
        self._more = len(found) == FETCHED_AT_ONCE
        self._look, self._looked = False, self._now()

    async def work(self) -> None:
        """Until nothing is due, or nothing may be done."""
        try:
            while True:
                await self._run()
                if self._broken is not None:
                    raise self._broken
                if self._rooms.ledger.writer != self._holding.writer:
                    raise LedgerUnavailable  # it was away, and meanwhile the lane was free for anybody
                if self._warning is not None:
                    await self._warn(self._warning)
                if self._why_off is not None:
                    await self._switch_off(self._why_off)
                if self._begun and self._may_begin:
                    # What follows soon costs one look now, or a job, an opening and a closing of the lane later.
                    self._begun = False
                    await asyncio.sleep(_LINGER_SECONDS)
                    continue
                if await self._close():
                    return
                if self._idle:  # it is active again: what was remembered of it is old
                    self._rooms.connections.forget(self._holding.tenant)
                    self._idle = False
        except asyncio.CancelledError:
            await self._drop()
            with suppress(Unavailable, TimeoutError):
                async with asyncio.timeout(_HANDING_ON_SECONDS):
                    await self._close(handing_on=True)
            raise
        finally:
            await self._drop()

    async def _run(self) -> None:
        """Keep the window full until nothing more can be begun and nothing is under way."""
        poll = _BETWEEN_LOOKS_SECONDS
        while True:
            await self._fill()
            if not self._flying:
                break
            self._landed.clear()
            # With the window full, or nothing to be begun, only a landing changes anything.
            if len(self._flying) >= self._window or not self._may_begin:
                await self._landed.wait()
                continue
            soonest = self._looked + _BETWEEN_LOOKS_SECONDS
            try:
                async with asyncio.timeout(max(poll, soonest - self._now())):
                    await self._landed.wait()
                poll = _BETWEEN_LOOKS_SECONDS
            except TimeoutError:
                poll = min(2 * poll, _LONGEST_POLL_SECONDS)
            # With a look for each that lands a look would find one at a time, and cost more than what it finds.
            self._look = not self._flying or self._now() >= soonest
        if self._fetching is not None:
            await asyncio.wait({self._fetching})
        self._fetched.clear()
        self._look = True

    async def _fill(self) -> None:
        while self._may_begin and len(self._flying) < self._window:
            if not self._fetched and (self._look or self._more):
                await asyncio.wait({self._fetch()})
            if not self._fetched or not self._may_begin:
                return
            self._begin(self._fetched.popleft())
            if self._more and len(self._fetched) < _FEW_LEFT:
                self._fetch()

    @property
    def _may_begin(self) -> bool:
        return (
            self._broken is None
            and not self._idle
            and self._why_off is None
            and self._warning is None
            and not self._health.paused(self._rooms.clock())
            and not self._stopping()
            and self._rooms.ledger.writer == self._holding.writer
        )

    @property
    def _window(self) -> int:
        return 1 if self._health.probing else IN_FLIGHT

    def _fetch(self) -> asyncio.Task[None]:
        """Look for what is due, unless that is being done."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch_now())
            self._fetching.add_done_callback(self._fetch_ended)
        return self._fetching

    def _fetch_ended(self, task: asyncio.Task[None]) -> None:
        self._fetching = None
        if not task.cancelled() and task.exception() is not None:
            self._broken = task.exception()

    async def _fetch_now(self) -> None:
        rooms, (tenant, endpoint, _) = self._rooms, self._holding
        taken = [waiting.row.id for waiting in (*self._flying.values(), *self._fetched)]
        standing = (await rooms.connections.clinic(tenant)).standing.version
        async with rooms.store.tenant(tenant) as connection:
            found = await deliveries.due(
                connection, tenant, endpoint, now=rooms.clock(), but=taken, at_most=FETCHED_AT_ONCE
            )
        self.take(found, standing)

    def _begin(self, waiting: Waiting) -> None:
        self._begun = True
        task = asyncio.create_task(self._attempt(waiting))
        self._flying[task] = waiting
        task.add_done_callback(self._land)

    def _land(self, task: asyncio.Task[None]) -> None:
        del self._flying[task]
        self._landed.set()

    async def _attempt(self, waiting: Waiting) -> None:
        try:
            self._hear(await deliver(waiting, self._rooms))
        except Unavailable as outage:
            self._broken = outage
        except Exception as failure:  # a defect of ours, or a payload that nothing opens: the others go on
            log.error("delivery_broken", failure=failure, delivery=waiting.row.id, event_id=waiting.row.event)
            await self._put_off(waiting)

    async def _put_off(self, waiting: Waiting) -> None:
        rooms, row = self._rooms, waiting.row
        now = rooms.clock()
        again = next_attempt(row.round + 1, now, wish=None, chance=rooms.egress.policy.chance)
        try:
            async with rooms.store.tenant(waiting.tenant) as connection:
                await deliveries.put_off(
                    connection, waiting.tenant, row.id, code="gateway_fault", next_at=again or now,
                    state="exhausted" if again is None else "waiting", now=now,
                )  # fmt: skip
        except Unavailable as outage:
            self._broken = outage

    def _hear(self, attempted: Attempted) -> None:
        """What an attempt says about the endpoint."""
        now, ended = self._rooms.clock(), attempted.ended
        if ended is Ended.DELIVERED:
            self._health = self._health.succeeded(now)
        elif ended is Ended.IDLE:
            self._idle = True
        elif ended is Ended.FAILED:
            chance = self._rooms.egress.policy.chance
            self._health = self._health.failed(now, slow=attempted.slow, wish=attempted.wish, chance=chance)
            if attempted.gone:
                self._why_off = Why.GONE
            elif self._health.used_up(now) >= WARNINGS[-1]:
                self._why_off = Why.FAILING
            else:
                self._warning = self._health.warning(now)

    async def _close(self, *, handing_on: bool = False) -> bool:
        """Let go of the lane, with a job for when there is something to do again; false when something is due now."""
        async with self._rooms.store.tenant(self._holding.tenant) as connection:
            await rows.lock(connection, self._holding)
            now, health = self._rooms.clock(), self._health
            until = health.paused_until if health.paused(now) else None
            if until is None and (handing_on or self._stopping()):
                until = now  # to whoever is there
            return await rows.close(connection, self._holding, _row(health), now=now, until=until)

    async def _warn(self, percent: int) -> None:
        """Tell the clinic, once for each step, that the endpoint takes nothing."""
        self._warning = None
        since = self._health.failing_since
        told = {"percent": percent, "failing_since": since.isoformat() if since is not None else None}
        await self._tell(FAILING, told, warned=percent)
        await self._publish(FAILING, told)

    async def _switch_off(self, why: Why) -> None:
        """Switch the endpoint off and tell the clinic. What waits for it stays, for when it is resumed."""
        rooms, (tenant, endpoint, _) = self._rooms, self._holding
        if self._health.warned < WARNINGS[-1]:
            await self._tell(OFF, {"why": str(why)}, warned=WARNINGS[-1])
        gateway = Actor("system", "delivery", tenant, ())
        try:
            await rooms.endpoints.set_state(gateway, endpoint, Status.OFF, why, before=frozenset({Status.ACTIVE}))
        except (Conflict, NotFound):  # the clinic was faster
            self._idle = True
        else:
            log.warning("endpoint_off", endpoint=endpoint, why=str(why))
            await self._publish(OFF, {"why": str(why)})
        self._why_off, self._health = None, Health()

    async def _tell(self, kind: str, detail: dict[str, Any], *, warned: int) -> None:
        tenant, endpoint, _ = self._holding
        self._health = replace(self._health, warned=warned)
        async with self._rooms.store.tenant(tenant) as connection:
            notice = notices.NoticeRow(new_id(), self._rooms.clock(), kind, endpoint, detail)
            await notices.add(connection, tenant, notice)
            await rows.note(connection, self._holding, _row(self._health))

    async def _publish(self, kind: str, detail: dict[str, Any]) -> None:
        tenant, endpoint, _ = self._holding
        await publish(NewEvent(tenant, kind, {ID: str(endpoint), **detail}, GATEWAY), self._rooms)

    async def _drop(self) -> None:
        """Break off what is under way; each attempt that had begun gets its outcome."""
        under_way = [*self._flying, *([self._fetching] if self._fetching is not None else [])]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


def _row(health: Health) -> rows.HealthRow:
    return rows.HealthRow(health.failures, health.failing_since, health.warned, health.paused_until)
