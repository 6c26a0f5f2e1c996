"""Gateways that are killed while records are sent, and two that are at it: each goes on, and what the log says is what was."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from gateway.flows.network import transfers
from gateway.store.jobs import TransferJob
from tests.gateway.egress.vendor import Behaviour
from tests.gateway.listener import until, working
from tests.gateway.releases.clinic import TAKEN, Release, Ticking, releasing
from tests.gateway.releases.net import CONNECTOR

DOCUMENTS = 6


@pytest.fixture
async def release(fresh_dsn: str, tmp_path: Path) -> AsyncIterator[Release]:
    """A clinic on a database of its own, since a worker takes the jobs of all clinics in it; its clock goes on."""
    async with releasing(fresh_dsn, tmp_path, Ticking(datetime.now(UTC))) as release:
        await release.has_visits(DOCUMENTS)
        yield release


@asynccontextmanager
async def worker(release: Release, dsn: str, data_dir: Path) -> AsyncIterator[Callable[[], None]]:
    """A gateway as a program of its own; what is given kills it."""
    code = "from tests.gateway.worker import run; run()"
    url = f"http://127.0.0.1:{release.network.port}"
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, dsn, str(data_dir), str(release.root), CONNECTOR, url
    )
    try:
        yield lambda: program.send_signal(signal.SIGKILL)
    finally:
        with suppress(ProcessLookupError):
            program.kill()
        await program.wait()


def holding(step: str, count: int, held: asyncio.Event, release: Release) -> Behaviour:
    """Take everything, but never answer the one that is meant."""

    async def answer(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> bytes:
        seen = len(release.hiu.requests) if step == "push_record" else len(release.told(step))
        if seen == count and not held.is_set():
            held.set()
            await asyncio.sleep(120)
        return TAKEN

    return answer


async def ends(release: Release, transfer: UUID) -> None:
    """Another gateway takes over when the dead one gave no sign for a while."""

    async def done() -> bool:
        return (await release.row(transfer)).state == "reported"

    async with working(release.house):
        await until(done, seconds=90)


async def check(release: Release, transfer: UUID) -> Counter[int]:
    """Everything arrived, nothing oftener than twice, and the log says all of it; says how often each page came."""
    await release.house.rooms.ledger.sweep()
    arrived = Counter(page["page"] for page in release.pages)
    assert set(arrived) == set(range(DOCUMENTS))
    assert max(arrived.values()) <= 2
    pushes = await release.pushes()
    assert "none" not in [outcome for _, outcome in pushes], "an intent has no outcome"
    assert len(pushes) >= arrived.total(), "something was sent without an intent"
    assert Counter(outcome for _, outcome in pushes)["accepted"] == DOCUMENTS
    assert [each.state for each in await release.entries(transfer)] == ["sent"] * DOCUMENTS
    reports = release.told("report_transfer")
    assert {report["complete"] for report in reports} == {True}
    assert all(report == reports[0] for report in reports)
    return arrived


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("step", "count"), [("answer_records", 1), ("push_record", 3), ("report_transfer", 1)])
async def test_a_gateway_that_is_killed_in_any_step_is_followed_by_one_that_goes_on(
    release: Release, fresh_dsn: str, tmp_path: Path, step: str, count: int
) -> None:
    artefact = await release.consents()
    held = asyncio.Event()
    vendor = release.hiu if step == "push_record" else release.network
    vendor.answers = [holding(step, count, held, release)]
    transfer = await release.asks(artefact.id)
    async with worker(release, fresh_dsn, tmp_path) as kill:
        await asyncio.wait_for(held.wait(), 60)
        kill()
    await ends(release, transfer)
    arrived = await check(release, transfer)
    assert arrived.total() - DOCUMENTS <= transfers.AT_ONCE, "only what was on its way is sent again"


@pytest.mark.timeout(300)
async def test_gateways_that_are_killed_at_random_moments_lose_nothing(
    release: Release, fresh_dsn: str, tmp_path: Path
) -> None:
    artefact, chance = await release.consents(), random.Random(20270104)
    release.hiu.delay_seconds = 0.2
    transfer = await release.asks(artefact.id)
    for _ in range(3):
        async with worker(release, fresh_dsn, tmp_path) as kill:
            before = len(release.network.requests) + len(release.hiu.requests)
            with suppress(TimeoutError):
                await until(
                    lambda known=before: len(release.network.requests) + len(release.hiu.requests) > known,  # type: ignore[misc]
                    seconds=25,
                )
            await asyncio.sleep(chance.uniform(0.0, 0.5))
            kill()
    await ends(release, transfer)
    await release.house.rooms.ledger.sweep()
    pushes = await release.pushes()
    assert "none" not in [outcome for _, outcome in pushes]
    assert len(pushes) >= len(release.hiu.requests)
    arrived = Counter(page["page"] for page in release.pages)
    sent = {each.number for each in await release.entries(transfer) if each.state == "sent"}
    assert sent <= set(arrived)
    assert max(arrived.values()) <= 2
    [*_, told] = release.told("report_transfer")
    assert told["complete"] == (len(sent) == DOCUMENTS)
    assert sum(each["arrived"] for each in told["entries"]) == len(sent)


@pytest.mark.timeout(120)
async def test_two_gateways_that_are_at_one_request_send_each_record_once(release: Release) -> None:
    artefact = await release.consents()
    release.hiu.delay_seconds = 0.05
    transfer = await release.asks(artefact.id)
    row = await release.row(transfer)
    job = TransferJob(release.tenant, transfer, row.due_at)
    both = [transfers.carry(job, house.rooms) for house in (release.house, release.other)]
    await asyncio.gather(*both, return_exceptions=True)
    await ends(release, transfer)
    arrived = await check(release, transfer)
    assert set(arrived.values()) == {1}
    assert len(await release.pushes()) == DOCUMENTS


@pytest.mark.timeout(120)
async def test_a_worker_takes_a_request_from_the_queue_and_sees_it_through(release: Release) -> None:
    artefact = await release.consents()
    transfer = await release.asks(artefact.id)
    await ends(release, transfer)
    assert set((await check(release, transfer)).values()) == {1}
    async with release.house.rooms.store.nobody() as session:
        assert await session.fetchval("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'transfer'") == 0


async def test_a_request_whose_job_was_lost_is_found_again(release: Release) -> None:
    artefact = await release.consents()
    transfer = await release.asks(artefact.id)
    async with release.house.rooms.store.nobody() as session:
        await session.execute("DELETE FROM pgqueuer WHERE entrypoint = 'transfer'")
    assert await transfers.wake_stranded(release.house.rooms) == 0
    release.clock.move(minutes=2)
    assert await transfers.wake_stranded(release.house.rooms) == 1
    await ends(release, transfer)
