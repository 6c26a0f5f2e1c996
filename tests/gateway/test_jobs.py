"""The queue and the lanes together: nothing is missed, nothing is done twice, whoever dies on the way."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import psutil
import pytest

from gateway.app import House, opened
from gateway.config import Settings
from gateway.errors import Unavailable
from gateway.flows.housekeeping import wake_stranded
from gateway.flows.lane import work
from gateway.ids import new_id
from gateway.store import events, lanes
from gateway.store import jobs as queue
from gateway.webhooks.endpoints import Status
from tests.gateway.egress.vendor import answer
from tests.gateway.house import Clinic, OpenHouse, connected
from tests.gateway.listener import TYPE, Listener, endpoint_at, happened, rows_of, settled, until, working

CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'clinic-gateway jobs' "
    "AND datname = current_database()"
)


@pytest.fixture
def dsn(fresh_dsn: str) -> str:
    """A database of each test's own: a worker sees to the lanes of all clinics in it."""
    return fresh_dsn


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    """A listener that takes everything until it is told otherwise."""
    async with Listener().listening() as listener:
        yield listener


async def queued(house: House) -> int:
    """How many jobs of lanes lie in the queue."""
    async with house.rooms.store.nobody() as connection:
        count: int = await connection.fetchval("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'lane'")
    return count


async def as_owner(dsn: str, statement: str, *given: object) -> list[asyncpg.Record]:
    """A statement that no gateway makes."""
    connection = await asyncpg.connect(dsn)
    try:
        return list(await connection.fetch(statement, *given))
    finally:
        await connection.close()


async def test_an_idle_worker_delivers_at_once(house: House, clinic: Clinic, listener: Listener) -> None:
    await endpoint_at(house, clinic, listener.url)
    took = []
    async with working(house):
        for count in range(1, 22):
            loop = asyncio.get_running_loop()
            began = loop.time()
            await happened(house, clinic)
            while len(listener.heard) < count:
                await asyncio.sleep(0.001)
            took.append(listener.heard[-1].at - began)
            await settled(house, clinic)
            await asyncio.sleep(0.05)
    assert sorted(took)[10] < 0.2  # the benchmark holds it to 50 ms; here other tests run beside


async def test_a_failed_delivery_is_tried_again_by_itself(house: House, clinic: Clinic, listener: Listener) -> None:
    listener.says(500, 200)
    await endpoint_at(house, clinic, listener.url)
    async with working(house):
        await happened(house, clinic)
        rows = await settled(house, clinic)
    assert [(row.state, row.attempts) for row in rows] == [("delivered", 2)]
    assert 3.9 < listener.heard[1].at - listener.heard[0].at < 9
    assert listener.ids[0] == listener.ids[1]


async def test_two_workers_on_one_database_deliver_nothing_twice(open_house: OpenHouse, listener: Listener) -> None:
    first, second = await open_house(), await open_house()
    clinic = await connected(first)
    async with Listener().listening() as other, working(first), working(second):
        for each in (listener, other):
            await endpoint_at(first, clinic, each.url)
        for at in range(150):
            await happened((first, second)[at % 2], clinic)
        await settled(first, clinic)
        for each in (listener, other):
            assert len(each.ids) == len(set(each.ids)) == 150


async def test_every_event_arrives_while_many_publish_and_lanes_fall_asleep_all_the_time(
    open_house: OpenHouse, listener: Listener
) -> None:
    first, second = await open_house(), await open_house()
    clinic = await connected(first)
    published: list[str] = []

    async def publisher(house: House, count: int, pause: float) -> None:
        for _ in range(count):
            published.append(str((await happened(house, clinic)).id))
            await asyncio.sleep(pause)

    async with working(first), working(second):
        await endpoint_at(first, clinic, listener.url)
        await asyncio.gather(
            *(publisher((first, second)[at % 2], 40, 0.001 * (at * 7 % 31)) for at in range(8)),
            publisher(first, 20, 0.06),
        )
        # No minute passes in which lanes are looked for: what arrives now, arrives because its lane was woken.
        await until(lambda: len(set(listener.ids)) == len(published), seconds=15)
        await settled(first, clinic)
    assert Counter(listener.ids) == Counter(published)
    assert await queued(first) <= 1


async def test_the_queue_holds_one_job_for_a_lane_however_much_is_published(house: House, clinic: Clinic) -> None:
    endpoint = await endpoint_at(house, clinic, "http://127.0.0.1:9/hooks")
    before = await queued(house)
    for _ in range(30):
        await happened(house, clinic)
    assert await queued(house) == before + 1
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        await lanes.wake(connection, clinic.tenant, [endpoint.id])
    assert await queued(house) == before + 1


async def test_a_pending_alarm_is_not_set_a_second_time_by_each_wake_up(
    house: House, clinic: Clinic, listener: Listener
) -> None:
    listener.hears = lambda headers, body: answer(200 if b"fine1" in body else 400)
    await endpoint_at(house, clinic, listener.url)
    async with working(house):
        await happened(house, clinic)
        await until(lambda: len(listener.heard) == 1)
        for count in range(2, 12):
            await happened(house, clinic, id="appt_fine1")
            await until(lambda count=count: len(listener.heard) >= count)
            await asyncio.sleep(0.15)
        assert await queued(house) <= 2
        await until(lambda: len(listener.heard) == 12, seconds=10)


async def test_a_lane_whose_gateway_died_is_taken_over(
    open_house: OpenHouse, listener: Listener, dsn: str, tmp_path: Path
) -> None:
    house = await open_house()
    clinic = await connected(house)
    listener.vendor.delay_seconds = 0.05
    await endpoint_at(house, clinic, listener.url)
    for _ in range(60):
        await happened(house, clinic)
    code = "from tests.gateway.worker import run; run()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, dsn, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    await until(lambda: len(listener.heard) >= 10)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    heard = len(listener.heard)
    assert heard < 60
    async with working(house):
        rows = await settled(house, clinic, seconds=30)
    assert {row.state for row in rows} == {"delivered"}
    again = Counter(listener.ids)
    assert len(again) == 60
    assert sum(count - 1 for count in again.values()) <= 8  # what was under way when it died


async def test_a_gateway_that_stops_hands_its_lanes_on(open_house: OpenHouse, listener: Listener) -> None:
    first, second = await open_house(), await open_house()
    clinic = await connected(first)
    listener.vendor.delay_seconds = 0.02
    await endpoint_at(first, clinic, listener.url)
    for _ in range(80):
        await happened(first, clinic)
    async with working(first):
        await until(lambda: len(listener.heard) >= 10)
    assert len(listener.heard) < 80
    async with working(second):
        await until(lambda: len(set(listener.ids)) == 80, seconds=5)
        await settled(second, clinic)
    assert len(listener.ids) == 80


async def test_an_attempt_that_hangs_when_the_gateway_stops_is_cut_recorded_and_made_again_by_the_next(
    open_house: OpenHouse, listener: Listener
) -> None:
    first = await open_house()
    clinic = await connected(first)
    late = asyncio.Event()

    async def hangs(_headers: dict[str, str], _body: bytes) -> bytes:
        await late.wait()
        return answer(200)

    listener.hears = hangs
    await endpoint_at(first, clinic, listener.url)
    await happened(first, clinic)
    began = asyncio.get_running_loop().time()
    async with working(first, grace_seconds=0.3):
        await until(lambda: len(listener.heard) == 1)
    assert asyncio.get_running_loop().time() - began < 5
    row = (await rows_of(first, clinic))[0]
    assert (row.state, row.code, row.attempts) == ("waiting", "cancelled", 1)
    late.set()
    async with working(first):
        assert [row.state for row in await settled(first, clinic, seconds=5)] == ["delivered"]


async def test_of_two_gateways_that_have_a_job_for_one_lane_only_one_works_on_it(
    open_house: OpenHouse, listener: Listener
) -> None:
    first, second = await open_house(), await open_house()
    clinic = await connected(first)
    listener.vendor.delay_seconds = 0.01
    endpoint = await endpoint_at(first, clinic, listener.url)
    for _ in range(40):
        await happened(first, clinic)
    job = queue.LaneJob(clinic.tenant, endpoint.id, None)
    await asyncio.gather(*(work(job, house.rooms) for house in (first, second)))
    assert len(listener.ids) == len(set(listener.ids)) == 40


async def test_nobody_stops_while_somebody_publishes_who_saw_the_lane_awake(
    open_house: OpenHouse, listener: Listener
) -> None:
    house = await open_house()
    clinic = await connected(house)
    endpoint = await endpoint_at(house, clinic, listener.url)
    rooms, well = house.rooms, lanes.HealthRow(0, None, 0, None)
    holding = lanes.Holding(clinic.tenant, endpoint.id, rooms.ledger.writer)

    async def close() -> bool:
        async with rooms.store.tenant(clinic.tenant) as connection:
            await lanes.lock(connection, holding)
            return await lanes.close(connection, holding, well, now=rooms.clock())

    async with rooms.store.tenant(clinic.tenant) as connection:
        assert await lanes.open_lane(connection, holding, None) == well
    async with rooms.store.tenant(clinic.tenant) as connection:
        row = events.NewEventRow(new_id(), rooms.clock(), TYPE, "host", None, b"sealed", None)
        published = await events.publish(connection, clinic.tenant, row)
        assert published is not None
        assert published.woken == []  # the lane is awake: no job
        closing = asyncio.create_task(close())
        await asyncio.sleep(0.2)
        assert not closing.done()
    assert await closing is False
    assert await queued(house) == 0


@pytest.mark.parametrize("held", [False, True])
async def test_an_alarm_that_rings_a_moment_too_early_is_set_again(
    open_house: OpenHouse, listener: Listener, held: bool
) -> None:
    house, other = await open_house(), await open_house()
    clinic = await connected(house)
    listener.says(400)
    endpoint = await endpoint_at(house, clinic, listener.url)
    await happened(house, clinic)
    await work(queue.LaneJob(clinic.tenant, endpoint.id, None), house.rooms)
    due = (await rows_of(house, clinic))[0].next_at
    jobs = await queued(house)
    if held:  # it rings while another gateway is at the lane, which then stops before the moment
        holding = lanes.Holding(clinic.tenant, endpoint.id, other.rooms.ledger.writer)
        async with other.rooms.store.tenant(clinic.tenant) as connection:
            await lanes.open_lane(connection, holding, None)
    await work(queue.LaneJob(clinic.tenant, endpoint.id, due), house.rooms)
    if held:
        async with other.rooms.store.tenant(clinic.tenant) as connection:
            await lanes.lock(connection, holding)
            now, health = other.rooms.clock(), lanes.HealthRow(1, None, 0, None)
            assert await lanes.close(connection, holding, health, now=now)
    assert await queued(house) == jobs + 1
    assert len(listener.heard) == 1


async def test_a_queue_whose_connection_is_cut_does_not_wait_for_a_lane_that_hangs(
    house: House, clinic: Clinic, listener: Listener, dsn: str
) -> None:
    late = asyncio.Event()

    async def hangs(_headers: dict[str, str], _body: bytes) -> bytes:
        await late.wait()
        return answer(200)

    async with Listener(hears=hangs).listening() as slow, working(house):
        await endpoint_at(house, clinic, slow.url, events=["invoice.paid"])
        await endpoint_at(house, clinic, listener.url)
        await happened(house, clinic, type_="invoice.paid")
        await until(lambda: len(slow.heard) == 1)
        await as_owner(dsn, CUT)
        await happened(house, clinic)
        await until(lambda: len(listener.heard) == 1, seconds=8)
        late.set()
        await settled(house, clinic)
        assert len(slow.heard) == 1


async def test_a_queue_whose_connection_is_cut_goes_on_with_a_new_one(
    house: House, clinic: Clinic, listener: Listener, dsn: str
) -> None:
    await endpoint_at(house, clinic, listener.url)
    async with working(house) as jobs:
        for _ in range(3):
            await as_owner(dsn, CUT)
            before = len(listener.heard)
            await happened(house, clinic)
            await until(lambda before=before: len(listener.heard) == before + 1, seconds=15)
            await asyncio.wait_for(jobs.ready.wait(), 10)
        await settled(house, clinic)
    assert len(listener.ids) == len(set(listener.ids)) == 3


async def test_a_lane_with_work_that_nobody_looks_at_is_found_at_start_and_by_whoever_looks(
    house: House, clinic: Clinic, listener: Listener, dsn: str
) -> None:
    endpoint = await endpoint_at(house, clinic, listener.url)
    await happened(house, clinic)
    await as_owner(dsn, "DELETE FROM pgqueuer WHERE convert_from(payload, 'UTF8') LIKE $1", f"%{endpoint.id}%")
    async with working(house):
        await settled(house, clinic)
        # Once the lane sleeps: awake, and no job for it.
        lost = "UPDATE lanes SET woken = true WHERE endpoint = $1 AND NOT woken RETURNING true"
        await until(lambda: as_owner(dsn, lost, endpoint.id))
        await happened(house, clinic)
        await asyncio.sleep(0.3)
        assert len(listener.heard) == 1
        assert await wake_stranded(house.rooms) >= 1
        await until(lambda: len(listener.heard) == 2)


async def test_deliveries_go_on_after_the_database_was_killed(tmp_path: Path, listener: Listener) -> None:
    settings = Settings.from_environment({}, data_dir=tmp_path / "data")
    async with opened(settings, sandboxes={"payments/stripe": listener.url}) as house:
        clinic = await connected(house)
        listener.vendor.delay_seconds = 0.01
        await endpoint_at(house, clinic, listener.url)
        published = [(await happened(house, clinic)).id for _ in range(100)]
        async with working(house):
            await until(lambda: len(listener.heard) >= 20)
            pid = (tmp_path / "data" / "postgres" / "postmaster.pid").read_text().split()[0]
            psutil.Process(int(pid)).send_signal(signal.SIGKILL)
            await until(lambda: set(listener.ids) == {str(event) for event in published}, seconds=60)
            await until(lambda: _again(house, clinic, published), seconds=30)
            rows = await settled(house, clinic, seconds=30)
    assert {row.state for row in rows} == {"delivered"}
    assert len(listener.ids) - len(set(listener.ids)) <= 16


async def _again(house: House, clinic: Clinic, published: list[UUID]) -> bool:
    """Whether an event can be published once more, and when it can, that it is among those that must arrive."""
    try:
        published.append((await happened(house, clinic)).id)
    except Unavailable:
        return False
    return True


async def test_the_queue_is_laid_once_and_no_variable_of_the_environment_moves_it(
    fresh_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGQUEUER_PREFIX", "elsewhere_")
    monkeypatch.setenv("PGQUEUER_QUEUE_TABLE", "elsewhere")
    queue.settings.cache_clear()
    try:
        names = (queue.settings().queue_table, queue.settings().channel, queue.settings().queue_table_log)
    finally:
        queue.settings.cache_clear()
    assert names == ("pgqueuer", "ch_pgqueuer", "pgqueuer_log")
    connection = await asyncpg.connect(fresh_dsn)
    await connection.execute("COMMENT ON TABLE pgqueuer IS 'pgqueuer 0.1'")
    await queue.install(connection)
    await queue.install(connection)
    assert (await connection.fetchval("SELECT obj_description('pgqueuer'::regclass)")).startswith("pgqueuer 1.")
    await connection.close()


def test_a_job_of_a_lane_names_its_alarm_to_the_microsecond() -> None:
    now = datetime(2027, 1, 4, 9, 0, 0, 123456, tzinfo=UTC)
    alarm = now + timedelta(seconds=5)
    tenant, endpoint = UUID(int=1), UUID(int=2)
    job = queue.lane_job(tenant, endpoint, alarm=alarm, now=now)
    assert job.delay == timedelta(seconds=5)
    assert queue.LaneJob.parse(job.payload) == (tenant, endpoint, alarm)
    assert queue.LaneJob.parse(queue.lane_job(tenant, endpoint).payload) == (tenant, endpoint, None)
    assert queue.lane_job(tenant, endpoint, alarm=now, now=alarm).delay == timedelta()


async def test_resuming_an_endpoint_while_its_lane_closes_ends_in_no_deadlock(
    open_house: OpenHouse, listener: Listener
) -> None:
    house = await open_house()
    clinic = await connected(house)
    endpoint = await endpoint_at(house, clinic, listener.url)
    rooms = house.rooms
    holding = lanes.Holding(clinic.tenant, endpoint.id, rooms.ledger.writer)
    await rooms.endpoints.set_state(clinic.actor, endpoint.id, Status.SUSPENDED)
    async with rooms.store.tenant(clinic.tenant) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(7302, hashtext($1::uuid::text))", clinic.tenant)
        resuming = asyncio.create_task(rooms.endpoints.set_state(clinic.actor, endpoint.id, Status.ACTIVE))
        await asyncio.sleep(0.2)
        await lanes.lock(connection, holding)
    assert (await resuming).status is Status.ACTIVE
