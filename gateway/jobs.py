"""Take jobs from the queue and see to them: deliveries, vendors' messages, networks' letters, watches, calls that waited.

What each does is a flow's.

The queue's own loop (pgqueuer) lives and dies with its connection; a lane that is being worked on does not. So the loop
is begun anew whenever the database was away, and a job that comes a second time waits for the first to end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID
from weakref import WeakValueDictionary

import asyncpg

from gateway.errors import Unavailable
from gateway.flows import due, housekeeping, inbound, lane, leave, tally, tokens, watching
from gateway.flows.network import artefacts, asking, bridge, linking, reading, transfers
from gateway.flows.rooms import Rooms
from gateway.flows.settle import StillUnderWay
from gateway.log import Log
from gateway.store import jobs as queue

if TYPE_CHECKING:  # half a second to import
    from pgqueuer import PgQueuer
    from pgqueuer.models import Job

log = Log("gateway.jobs")

GRACE_SECONDS: Final = 10.0  # what is under way when the gateway stops may end by itself for so long
_EVERY_MINUTE: Final = "* * * * *"
_EVERY_TEN_MINUTES: Final = "*/10 * * * *"
_EVERY_HOUR: Final = "17 * * * *"
_BATCH: Final = 64
_MOST_AT_ONCE: Final = 1_000
_TAKEN_OVER_AFTER: Final = timedelta(seconds=10)  # a job whose gateway gave no sign of life for so long
_LOOK_EVERY: Final = timedelta(seconds=5)
_COMMAND_SECONDS: Final = 30.0
_RECONNECT_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.0)
_OUTAGE_SECONDS: Final = 0.5
_FAULT_SECONDS: Final = 5.0
_LONGEST_FAULT_SECONDS: Final = 300


class Jobs:
    """What a gateway does besides answering: `async with Jobs(rooms).running()`."""

    def __init__(self, rooms: Rooms, *, grace_seconds: float = GRACE_SECONDS) -> None:
        self._rooms = rooms
        self._grace_seconds = grace_seconds
        self._stopping = asyncio.Event()
        self._loop: PgQueuer | None = None
        self._lost: asyncio.Future[None] | None = None  # done when the queue's connection is gone
        self._lanes: set[asyncio.Task[None]] = set()
        self._turns: WeakValueDictionary[tuple[UUID, UUID], asyncio.Lock] = WeakValueDictionary()
        self.ready = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Jobs]:
        """See to jobs until the block ends; what is under way then ends by itself, or is cut and handed on."""
        keeping = asyncio.create_task(self._keep_going(), name="jobs")
        looking = asyncio.create_task(self._looked_at_start(), name="bridges")
        try:
            yield self
        finally:
            self._stopping.set()
            if self._loop is not None:
                self._loop.shutdown.set()
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            await self._finish(keeping)

    async def _finish(self, keeping: asyncio.Task[None]) -> None:
        await asyncio.wait({keeping, *self._lanes}, timeout=self._grace_seconds)
        for each in self._lanes:
            each.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(keeping), 2.0)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    async def _keep_going(self) -> None:
        """Take jobs; when the queue's connection is gone, with a new one."""
        failures = 0
        while not self._stopping.is_set():
            try:
                await self._take()
                failures = 0
            except (Unavailable, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as failure:
                log.warning("queue_lost", error=type(failure).__name__)
                failures += 1
            except Exception as failure:  # whatever it was, deliveries must go on
                log.error("queue_broken", failure=failure)
                failures += 1
            self.ready.clear()
            await self._pause(_RECONNECT_SECONDS[min(failures, len(_RECONNECT_SECONDS) - 1)])

    async def _take(self) -> None:
        connection = await self._rooms.store.dedicated(
            name="clinic-gateway jobs", plain=True, command_seconds=_COMMAND_SECONDS
        )
        lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        connection.add_termination_listener(lambda _: _end(lost))
        self._lost, self._loop = lost, self._queue_on(connection)
        try:
            await housekeeping.wake_stranded(self._rooms)
            self.ready.set()
            if not self._stopping.is_set():
                await self._loop.run(
                    dequeue_timeout=_LOOK_EVERY,
                    batch_size=_BATCH,
                    max_concurrent_tasks=_MOST_AT_ONCE,
                    shutdown_on_listener_failure=True,
                    heartbeat_timeout=_TAKEN_OVER_AFTER,
                )
        finally:
            self._loop = None
            _end(lost)
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=2)

    def _queue_on(self, connection: asyncpg.Connection) -> PgQueuer:
        from pgqueuer import PgQueuer

        queries = queue.queries(connection)
        loop = PgQueuer(queries.driver, channel=queue.settings().channel, queries=queries)
        loop.entrypoint(queue.LANE, accepts_context=False)(self._lane)
        loop.entrypoint(queue.CALLBACK, accepts_context=False)(self._callback)
        loop.entrypoint(queue.WAITING, accepts_context=False)(self._waiting)
        loop.entrypoint(queue.LETTER, accepts_context=False)(self._letter)
        loop.entrypoint(queue.TRANSFER, accepts_context=False)(self._transfer)
        loop.entrypoint(queue.WATCH, accepts_context=False)(self._watch)
        loop.schedule("stranded", _EVERY_MINUTE, accepts_context=False)(self._stranded)
        loop.schedule("tallies", _EVERY_MINUTE, accepts_context=False)(self._tallies)
        loop.schedule("callbacks", _EVERY_TEN_MINUTES, accepts_context=False)(self._callbacks)
        loop.schedule("waiting", _EVERY_TEN_MINUTES, accepts_context=False)(self._overdue)
        loop.schedule("tokens", _EVERY_MINUTE, accepts_context=False)(self._tokens)
        loop.entrypoint(queue.NETWORK, accepts_context=False)(self._network)
        loop.schedule("requests", _EVERY_MINUTE, accepts_context=False)(self._requests)
        loop.schedule("letters", _EVERY_MINUTE, accepts_context=False)(self._letters)
        loop.schedule("transfers", _EVERY_MINUTE, accepts_context=False)(self._transfers)
        loop.schedule("bridges", _EVERY_TEN_MINUTES, accepts_context=False)(self._bridges)
        loop.schedule("watches", _EVERY_MINUTE, accepts_context=False)(self._watches)
        loop.schedule("housekeeping", _EVERY_HOUR, accepts_context=False)(self._housekeeping)
        return loop

    async def _lane(self, job: Job) -> None:
        """Look after a lane. The job stays in the queue until that ends, so that another gateway can take over."""
        named = queue.LaneJob.parse(job.payload or b"")
        task = asyncio.create_task(self._look_after(named))
        self._lanes.add(task)
        task.add_done_callback(self._lanes.discard)
        await self._unless_lost(task)

    async def _unless_lost(self, task: asyncio.Task[None]) -> None:
        """Wait for a task; without the queue's connection its loop must not wait, and the job comes again."""
        from pgqueuer import RetryRequested

        assert self._lost is not None
        await asyncio.wait({task, self._lost}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise RetryRequested

    async def _look_after(self, named: queue.LaneJob) -> None:
        work = self._until_done(lambda: lane.work(named, self._rooms, stopping=self._stopping.is_set), named.endpoint)
        await self._in_turn((named.tenant, named.endpoint), work)

    async def _until_done(self, work: Callable[[], Awaitable[None]], about: UUID) -> None:
        """Work, again after a pause where it fails: nothing is left lying."""
        pause = _FAULT_SECONDS
        while True:
            try:
                return await work()
            except Unavailable:
                await self._pause(_OUTAGE_SECONDS)
            except Exception as failure:
                log.error("lane_broken", failure=failure, endpoint=about)
                await self._pause(pause)
                pause = min(2 * pause, _LONGEST_FAULT_SECONDS)
            if self._stopping.is_set():
                return  # whoever starts next finds it stranded

    async def _callback(self, job: Job) -> None:
        """Publish what a vendor's message said."""
        await self._or_later(inbound.publish_callback(job.payload or b"", self._rooms), job)

    async def _waiting(self, job: Job) -> None:
        """Carry a call that waited. It may take as long as a call does, so the gateway waits for it when it stops."""
        await self._carried(due.carry_due(queue.WaitingJob.parse(job.payload or b""), self._rooms), job)

    async def _letter(self, job: Job) -> None:
        """Work a network's letter off; what it causes may be a call, too."""
        await self._carried(reading.read_letter(job.payload or b"", self._rooms), job)

    async def _transfer(self, job: Job) -> None:
        """Work on a request for records; its job is alone in this gateway, since it may come while its first run goes on."""
        named = queue.TransferJob.parse(job.payload or b"")
        await self._carried(self._in_turn((named.tenant, named.transfer), transfers.carry(named, self._rooms)), job)

    async def _in_turn(self, key: tuple[UUID, UUID], work: Awaitable[None]) -> None:
        turn = self._turns.get(key) or asyncio.Lock()
        self._turns[key] = turn
        async with turn:
            await work

    async def _carried(self, work: Coroutine[Any, Any, None], job: Job) -> None:
        task = asyncio.create_task(self._or_later(work, job))
        self._lanes.add(task)
        task.add_done_callback(self._lanes.discard)
        await self._unless_lost(task)
        if not task.cancelled():
            task.result()

    async def _watch(self, job: Job) -> None:
        """See to what a vendor watches."""
        named = queue.WatchJob.parse(job.payload or b"")
        await self._or_later(watching.see_to(named.tenant, named.watch, self._rooms), job)

    async def _or_later(self, work: Awaitable[None], job: Job) -> None:
        """Do a job's work; where that fails the job comes again, each time later."""
        from pgqueuer import RetryRequested

        try:
            return await work
        except StillUnderWay:
            pass
        except Exception as failure:
            log.error(f"{job.entrypoint}_broken", failure=failure, job=int(job.id))
        raise RetryRequested(timedelta(seconds=min(2.0**job.attempts, _LONGEST_FAULT_SECONDS)))

    async def _stranded(self, _schedule: Any) -> None:
        await self._kept_house(housekeeping.wake_stranded)

    async def _tallies(self, _schedule: Any) -> None:
        await self._kept_house(tally.tally)

    async def _callbacks(self, _schedule: Any) -> None:
        await self._kept_house(housekeeping.wake_callbacks)

    async def _overdue(self, _schedule: Any) -> None:
        await self._kept_house(due.wake_stranded)

    async def _tokens(self, _schedule: Any) -> None:
        await self._kept_house(tokens.renew_due)
        await self._kept_house(leave.clear_left)

    async def _looked_at_start(self) -> None:
        """Whether networks still know us: somebody may have moved their address while we were away."""
        await self.ready.wait()
        await self._kept_house(lambda rooms: bridge.watch(rooms, at_start=True))

    async def _network(self, job: Job) -> None:
        """Tell a network what was planned, or see why nothing was heard of it."""
        await self._carried(linking.go_on(job.payload or b"", self._rooms), job)

    async def _requests(self, _schedule: Any) -> None:
        await self._kept_house(asking.wake_due)

    async def _letters(self, _schedule: Any) -> None:
        await self._kept_house(reading.wake_letters)

    async def _transfers(self, _schedule: Any) -> None:
        await self._kept_house(transfers.wake_stranded)
        await self._kept_house(artefacts.end_overdue)

    async def _bridges(self, _schedule: Any) -> None:
        await self._kept_house(bridge.watch)

    async def _watches(self, _schedule: Any) -> None:
        await self._kept_house(watching.see_to_due)

    async def _housekeeping(self, _schedule: Any) -> None:
        await self._kept_house(housekeeping.keep)

    async def _kept_house(self, work: Callable[[Rooms], Awaitable[Any]]) -> None:
        try:
            await work(self._rooms)
        except Unavailable as outage:  # the next time, then
            log.warning("housekeeping_put_off", error=type(outage).__name__)
        except Exception as failure:
            log.error("housekeeping_broken", failure=failure)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


def _end(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
