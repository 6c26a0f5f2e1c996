"""Messages that wait, with a worker that takes their jobs from the queue; and with one that is killed on the way."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time
from pathlib import Path
from uuid import UUID

import pytest

from gateway.calls import Parked
from gateway.store import waiting as rows
from scopes.policy import Policy
from scopes.quiet import QuietHours
from tests.gateway.listener import Clock, until, working
from tests.gateway.message import CONNECTOR, Message, messaging

EVENING = datetime(2027, 1, 4, 22, 0, tzinfo=UTC)


@pytest.fixture
async def message(fresh_dsn: str, tmp_path: Path) -> AsyncIterator[Message]:
    """A clinic at night, on a database of its own: a worker takes the jobs of all clinics in it."""
    async with messaging(fresh_dsn, tmp_path, clock=Clock(EVENING)) as message:
        await message.consents()
        yield message


async def due_now(message: Message) -> Parked:
    """A message that waits, is due this very moment and may go."""
    agreements = message.house.rooms.agreements
    await agreements.set_policy(message.actor, Policy(quiet_hours=QuietHours(begins=time(21), ends=time(8))))
    call = await message.sends()
    assert isinstance(call, Parked)
    await agreements.set_policy(message.actor, Policy())
    async with message.house.rooms.store.nobody() as connection:
        await connection.execute("UPDATE pgqueuer SET execute_after = now() WHERE entrypoint = 'waiting'")
    return call


async def state_of(message: Message, call: UUID) -> str:
    async with message.house.rooms.store.tenant(message.tenant) as connection:
        row = await rows.find(connection, message.tenant, call)
    assert row is not None
    return row.state


async def test_a_worker_carries_it_when_it_is_due(message: Message) -> None:
    call = await due_now(message)
    async with working(message.house):
        await until(lambda: len(message.vendor.requests) == 1, seconds=10)
        for _ in range(200):
            if await state_of(message, call.id) == "carried":
                break
            await asyncio.sleep(0.05)
    assert await state_of(message, call.id) == "carried"
    async with message.house.rooms.store.nobody() as connection:
        assert await connection.fetchval("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'waiting'") == 0


async def test_a_worker_that_is_killed_between_intent_and_outcome_sends_nothing_twice(
    message: Message, fresh_dsn: str, tmp_path: Path
) -> None:
    message.vendor.delay_seconds = 60
    call = await due_now(message)
    code = "from tests.gateway.worker import run; run()"
    url = f"http://127.0.0.1:{message.vendor.port}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, fresh_dsn, str(tmp_path), str(tmp_path / "connectors"), CONNECTOR, url
    )
    try:
        await until(lambda: len(message.vendor.requests) == 1, seconds=30)
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert len(await message.log("intent")) == 1
    assert await message.log("outcome") == []
    assert await state_of(message, call.id) == "waiting"
    message.vendor.delay_seconds = 0
    async with working(message.house):  # takes the job over when the dead worker gave no sign for a while
        for _ in range(600):
            if await state_of(message, call.id) != "waiting":
                break
            await asyncio.sleep(0.05)
    assert await state_of(message, call.id) == "carried"
    assert len(message.vendor.requests) == len(await message.log("intent")) == 1
    assert await message.house.rooms.ledger.sweep() == 1
    (outcome,) = await message.log("outcome")
    assert outcome["outcome"] == "unknown"
