"""The queue of durable work: its tables, putting jobs in, taking the old out of its log. Taking jobs is gateway/jobs.py's.

The queue is pgqueuer's. Whoever causes a job puts it in within the same transaction, so that neither is there without the
other. A job holds ids and nothing else: its table belongs to no tenant.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import orjson

from gateway.store.pool import ROLE

if TYPE_CHECKING:  # half a second to import
    from pgqueuer.domain.settings import DBSettings
    from pgqueuer.queries import Queries

LANE: Final = "lane"
CALLBACK: Final = "callback"
WAITING: Final = "waiting"
TRANSFER: Final = "transfer"
LETTER: Final = "letter"
NETWORK: Final = "network"
WATCH: Final = "watch"

_TABLES: Final = "pgqueuer, pgqueuer_log, pgqueuer_statistics, pgqueuer_schedules"
_SEQUENCES: Final = """
SELECT s.relname::text FROM pg_class s JOIN pg_depend d ON d.objid = s.oid JOIN pg_class t ON t.oid = d.refobjid
 WHERE s.relkind = 'S' AND t.relname LIKE 'pgqueuer%' AND t.relnamespace = current_schema()::regnamespace
"""
_LAID_BY: Final = "SELECT obj_description(to_regclass('pgqueuer'))"


class Job(NamedTuple):
    """One piece of work: which kind, what about, and how long it waits first."""

    entrypoint: str
    payload: bytes
    delay: timedelta | None = None


def lane_job(tenant: UUID, endpoint: UUID, *, alarm: datetime | None = None, now: datetime | None = None) -> Job:
    """Look after a lane: now, or at the moment `alarm`, which the job names so that the lane knows it when it comes."""
    named = f"{tenant} {endpoint}"
    if alarm is None or now is None:
        return Job(LANE, named.encode())
    return Job(LANE, f"{named} {alarm.isoformat()}".encode(), max(alarm - now, timedelta()))


class LaneJob(NamedTuple):
    """What such a job says."""

    tenant: UUID
    endpoint: UUID
    alarm: datetime | None

    @classmethod
    def parse(cls, payload: bytes) -> LaneJob:
        """Read it; raises ValueError for what no gateway wrote."""
        tenant, endpoint, *alarm = payload.decode().split(" ", 2)
        return cls(UUID(tenant), UUID(endpoint), datetime.fromisoformat(alarm[0]) if alarm else None)


def waiting_job(tenant: UUID, call: UUID, due_at: datetime, *, now: datetime) -> Job:
    """Carry a call that waits, when it is due. The job names that moment: one for another moment is out of date."""
    delay = max(due_at - now, timedelta())
    return Job(WAITING, f"{tenant} {call} {due_at.isoformat()}".encode(), delay)


class WaitingJob(NamedTuple):
    """What such a job says."""

    tenant: UUID
    call: UUID
    due_at: datetime

    @classmethod
    def parse(cls, payload: bytes) -> WaitingJob:
        """Read it; raises ValueError for what no gateway wrote."""
        tenant, call, due_at = payload.decode().split(" ", 2)
        return cls(UUID(tenant), UUID(call), datetime.fromisoformat(due_at))


def transfer_job(tenant: UUID, transfer: UUID, due_at: datetime, *, now: datetime) -> Job:
    """Work on a request for records, when it is due. The job names that moment: one for another moment is out of date."""
    delay = max(due_at - now, timedelta())
    return Job(TRANSFER, f"{tenant} {transfer} {due_at.isoformat()}".encode(), delay)


class TransferJob(NamedTuple):
    """What such a job says."""

    tenant: UUID
    transfer: UUID
    due_at: datetime

    @classmethod
    def parse(cls, payload: bytes) -> TransferJob:
        """Read it; raises ValueError for what no gateway wrote."""
        tenant, transfer, due_at = payload.decode().split(" ", 2)
        return cls(UUID(tenant), UUID(transfer), datetime.fromisoformat(due_at))


def watch_job(tenant: UUID, watch: UUID) -> Job:
    """See to a watch now."""
    return Job(WATCH, f"{tenant} {watch}".encode())


class WatchJob(NamedTuple):
    """What such a job says."""

    tenant: UUID
    watch: UUID

    @classmethod
    def parse(cls, payload: bytes) -> WatchJob:
        """Read it; raises ValueError for what no gateway wrote."""
        tenant, watch = payload.decode().split(" ", 1)
        return cls(UUID(tenant), UUID(watch))


async def enqueue(connection: asyncpg.Connection, jobs: Sequence[Job]) -> None:
    """Put jobs into the queue, within the connection's transaction."""
    if jobs:
        await queries(connection, encodes_json=True).enqueue(
            [job.entrypoint for job in jobs],
            [job.payload for job in jobs],
            [0] * len(jobs),
            [job.delay for job in jobs],
        )


async def purge(connection: asyncpg.Connection, before: datetime) -> int:
    """Take out of the queue's log what is older, and its figures with it; says how many lines."""
    await connection.execute("DELETE FROM pgqueuer_statistics WHERE created < $1", before)
    done: str = await connection.execute("DELETE FROM pgqueuer_log WHERE created < $1", before)
    return int(done.split()[-1])


async def install(connection: asyncpg.Connection) -> None:
    """Lay the queue's tables as this version of pgqueuer wants them, and let the request role use them."""
    laid = f"pgqueuer {version('pgqueuer')}"
    if await connection.fetchval(_LAID_BY) == laid:
        return
    queue = queries(connection)
    await (queue.upgrade() if await queue.schema_is_installed() else queue.install())
    await connection.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {_TABLES} TO {ROLE}")
    for row in await connection.fetch(_SEQUENCES):
        await connection.execute(f"GRANT USAGE, SELECT, UPDATE ON SEQUENCE {row[0]} TO {ROLE}")
    await connection.execute(f"COMMENT ON TABLE pgqueuer IS '{laid}'")  # last: until then it is laid anew


def load() -> None:
    """Import what enqueues, half a second of work, before somebody waits for it."""
    _builders()
    _encoding_driver()


def queries(connection: asyncpg.Connection, *, encodes_json: bool = False) -> Queries:
    """pgqueuer's own statements on a connection; `encodes_json` where it writes jsonb from Python's values."""
    from pgqueuer.db import AsyncpgDriver
    from pgqueuer.queries import Queries

    environment, queue, schedules = _builders()
    driver = _encoding_driver()(connection) if encodes_json else AsyncpgDriver(connection)
    return Queries(driver, environment, queue, schedules)


@cache
def settings() -> DBSettings:
    """The names of the queue's tables: ours to choose, so that no variable of the environment moves them."""
    from pgqueuer.domain.settings import DBSettings, Durability

    return DBSettings(
        prefix="", db_schema=None, channel="ch_pgqueuer", function="fn_pgqueuer_changed", queue_table="pgqueuer",
        queue_table_log="pgqueuer_log", statistics_table="pgqueuer_statistics", schedules_table="pgqueuer_schedules",
        queue_status_type="pgqueuer_status", trigger="tg_pgqueuer_changed", durability=Durability.durable, widen_id=True,
    )  # fmt: skip


@cache
def _builders() -> tuple[Any, Any, Any]:
    from pgqueuer.adapters.persistence import qb

    return tuple(  # type: ignore[return-value]
        build(settings()) for build in (qb.QueryBuilderEnvironment, qb.QueryQueueBuilder, qb.QuerySchedulerBuilder)
    )


@cache
def _encoding_driver() -> type[Any]:
    from pgqueuer.db import AsyncpgDriver

    class EncodingDriver(AsyncpgDriver):
        """A driver whose connection encodes jsonb itself: what pgqueuer has encoded already passes as it is."""

        async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
            *others, headers = args
            assert isinstance(headers, list)  # of the statement that enqueues, the last
            return await super().fetch(query, *others, [orjson.Fragment(text) for text in headers])

    return EncodingDriver
