"""The ledger cannot be written: nothing is sent, callers are told, and it recovers by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import asyncpg
import psutil
import pytest

from gateway.app import House, opened
from gateway.config import Settings
from gateway.errors import Unavailable
from gateway.flows.broker import broker
from gateway.ledger.log import Intent, RegisterPlace
from gateway.store.embedded import Embedded
from scopes.decision import Allowed
from scopes.minimize import minimize
from scopes.vocabulary import Outcome
from tests.gateway.egress.vendor import Vendor
from tests.gateway.house import Clinic, connected, entries_of, outcome_of

_RECOVERY_SECONDS = 20
Result = TypeVar("Result")


@pytest.fixture
async def own_house(tmp_path: Path, vendor: Vendor) -> AsyncIterator[House]:
    """A gateway with a database server of its own, which the test may hurt."""
    settings = Settings.from_environment({}, data_dir=tmp_path / "data")
    async with opened(settings, sandboxes={"payments/stripe": f"http://127.0.0.1:{vendor.port}"}) as house:
        yield house


async def test_a_read_only_database_refuses_calls_and_recovers(
    own_house: House, vendor: Vendor, tmp_path: Path
) -> None:
    clinic = await connected(own_house)
    await _as_owner(tmp_path, "ALTER SYSTEM SET default_transaction_read_only = on")
    await _refused_within_seconds(clinic, own_house)
    sent = len(vendor.requests)
    for _ in range(5):
        with pytest.raises(Unavailable):
            await broker(clinic.call(), own_house.rooms)
    assert len(vendor.requests) == sent
    await _as_owner(tmp_path, "ALTER SYSTEM RESET default_transaction_read_only")
    assert (await _recovered(lambda: broker(clinic.call(), own_house.rooms))).outcome is Outcome.ACCEPTED


async def test_a_database_that_was_killed_refuses_calls_and_recovers(
    own_house: House, vendor: Vendor, tmp_path: Path
) -> None:
    clinic = await connected(own_house)
    before = len(await entries_of(own_house, clinic.tenant))
    _postmaster(tmp_path).send_signal(signal.SIGKILL)
    with pytest.raises(Unavailable):
        await broker(clinic.call(), own_house.rooms)
    assert vendor.requests == []
    assert (await _recovered(lambda: broker(clinic.call(), own_house.rooms))).outcome is Outcome.ACCEPTED
    log = await entries_of(own_house, clinic.tenant)
    assert [entry["index"] for entry in log] == list(range(len(log)))
    assert len(log) >= before + 2


async def test_an_outcome_waits_for_the_ledger_and_is_written_when_it_is_back(
    own_house: House, vendor: Vendor, tmp_path: Path
) -> None:
    clinic = await connected(own_house)

    async def kill_the_database(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _postmaster(tmp_path).send_signal(signal.SIGKILL)
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{"id":"pi_1"}')
        await writer.drain()

    vendor.answers = [kill_the_database]
    calling = asyncio.create_task(broker(clinic.call(), own_house.rooms))
    assert (await calling).outcome is Outcome.ACCEPTED
    log = await _recovered(lambda: entries_of(own_house, clinic.tenant))
    assert [entry["kind"] for entry in log] == ["connection", "intent", "outcome"]
    assert log[-1]["outcome"] == "accepted"


async def test_a_full_disk_refuses_calls_and_recovers_when_there_is_room(vendor: Vendor, tmp_path: Path) -> None:
    with _small_disk(tmp_path) as disk:
        settings = Settings.from_environment({}, data_dir=disk / "data")
        async with opened(settings, sandboxes={"payments/stripe": f"http://127.0.0.1:{vendor.port}"}) as house:
            clinic = await connected(house)
            await broker(clinic.call(), house.rooms)
            ballast = disk / "ballast"
            _fill(ballast)
            await _refused_within_seconds(clinic, house)
            sent = len(vendor.requests)
            with pytest.raises(Unavailable):
                await broker(clinic.call(), house.rooms)
            assert len(vendor.requests) == sent
            ballast.unlink()
            assert (await _recovered(lambda: broker(clinic.call(), house.rooms))).outcome is Outcome.ACCEPTED
            log = await entries_of(house, clinic.tenant)
            assert [entry["index"] for entry in log] == list(range(len(log)))


@contextmanager
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a hundred megabytes; only root can have one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=110m", "tmpfs", str(place)], check=False, capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("only root can mount the small disk that this test fills")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 65536)


async def test_an_intent_that_was_cut_off_gets_an_outcome_when_the_ledger_is_back(
    own_house: House, vendor: Vendor, tmp_path: Path
) -> None:
    clinic = await connected(own_house)
    await broker(clinic.call(), own_house.rooms)
    orphan = await _intent_without_outcome(own_house, clinic)
    _postmaster(tmp_path).send_signal(signal.SIGKILL)

    async def outcome() -> str:
        await broker(clinic.call(), own_house.rooms)  # without traffic nobody notices that the database is gone
        found = await outcome_of(own_house, clinic.tenant, orphan)
        if found.outcome is None:
            raise Unavailable
        return found.outcome

    assert await _recovered(outcome) == "unknown"


async def _intent_without_outcome(house: House, clinic: Clinic) -> UUID:
    """What a commit leaves behind whose answer got lost: durable, and nobody waits for it."""
    rooms, call = house.rooms, clinic.call()
    action = rooms.registry.action(call.connector, call.action)
    fields = minimize(action.shape, call.payload)
    ground = await rooms.connections.active(call.tenant, action.connector)
    intent = Intent(call, action, ground, fields, Allowed(()), None, "127.0.0.1", RegisterPlace(1, ""))
    disclosure = rooms.ledger.disclosing(intent)
    await disclosure.__aenter__()
    rooms.ledger._open.discard(disclosure.id)
    return disclosure.id


async def _refused_within_seconds(clinic: Clinic, house: House) -> None:
    """Sessions notice a changed setting within a moment, a full disk when the next file has to grow."""
    async with asyncio.timeout(30):
        while True:
            try:
                await broker(clinic.call(), house.rooms)
            except Unavailable:
                return
            await asyncio.sleep(0.05)


async def _recovered(attempt: Callable[[], Awaitable[Result]]) -> Result:
    async with asyncio.timeout(_RECOVERY_SECONDS):
        while True:
            try:
                return await attempt()
            except Unavailable:
                await asyncio.sleep(0.1)


async def _as_owner(tmp_path: Path, statement: str) -> None:
    with Embedded.start(tmp_path / "data") as embedded:
        owner = await asyncpg.connect(embedded.dsn())
        await owner.execute("SET default_transaction_read_only = off")
        await owner.execute(statement)
        await owner.execute("SELECT pg_reload_conf()")
        await owner.close()


def _postmaster(tmp_path: Path) -> psutil.Process:
    pid = (tmp_path / "data" / "postgres" / "postmaster.pid").read_text().split()[0]
    return psutil.Process(int(pid))
