"""An endpoint's deliveries worked through: the window, the circuit, the patience, and who is told."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from gateway.app import House
from gateway.flows.lane import IN_FLIGHT, work
from gateway.flows.publish import NewEvent, publish
from gateway.ledger.writer import Draft, append_within
from gateway.store import events
from gateway.store.jobs import LaneJob
from gateway.webhooks.endpoints import Endpoint, Status
from tests.gateway.egress.vendor import answer
from tests.gateway.house import Clinic, entries_of
from tests.gateway.listener import (
    TYPE,
    Clock,
    Listener,
    endpoint_at,
    happened,
    health_of,
    notices_of,
    rows_of,
    settled,
    until,
    working,
)


@pytest.fixture
def dsn(fresh_dsn: str) -> str:
    """A database of each test's own: a worker sees to the lanes of all clinics in it."""
    return fresh_dsn


async def look(house: House, clinic: Clinic, endpoint: Endpoint) -> None:
    """Let the lane work until nothing is due."""
    await work(LaneJob(clinic.tenant, endpoint.id, None), house.rooms)


async def test_a_lane_keeps_its_window_full_and_never_fuller(house: House, clinic: Clinic, listener: Listener) -> None:
    under_way, most = 0, 0
    late = asyncio.Event()

    async def hears(_headers: dict[str, str], _body: bytes) -> bytes:
        nonlocal under_way, most
        first = not listener.heard[1:]
        under_way += 1
        most = max(most, under_way)
        await (late.wait() if first else asyncio.sleep(0.003))
        under_way -= 1
        return answer(200)

    listener.hears = hears
    endpoint = await endpoint_at(house, clinic, listener.url)
    for _ in range(100):
        await happened(house, clinic)
    working_ = asyncio.create_task(look(house, clinic, endpoint))
    # One that hangs holds up none but itself.
    await until(lambda: len(listener.heard) == 100)
    assert under_way <= 2
    late.set()
    await working_
    assert most == IN_FLIGHT
    assert [row.state for row in await rows_of(house, clinic)] == ["delivered"] * 100
    assert len(set(listener.ids)) == 100


async def test_what_is_published_while_one_hangs_is_delivered_meanwhile(
    house: House, clinic: Clinic, listener: Listener
) -> None:
    late = asyncio.Event()

    async def hears(_headers: dict[str, str], _body: bytes) -> bytes:
        if len(listener.heard) == 1:
            await late.wait()
        return answer(200)

    listener.hears = hears
    await endpoint_at(house, clinic, listener.url)
    async with working(house):
        await happened(house, clinic)
        await until(lambda: len(listener.heard) == 1)
        for _ in range(5):
            await happened(house, clinic)
            await asyncio.sleep(0.1)
        await until(lambda: len(listener.heard) == 6, seconds=5)
        late.set()
        await settled(house, clinic)


async def test_a_slow_endpoint_delays_no_other(house: House, clinic: Clinic, listener: Listener) -> None:
    late = asyncio.Event()

    async def hangs(_headers: dict[str, str], _body: bytes) -> bytes:
        await late.wait()
        return answer(200)

    async with Listener(hears=hangs).listening() as slow, working(house):
        await endpoint_at(house, clinic, slow.url)
        await endpoint_at(house, clinic, listener.url)
        for _ in range(50):
            await happened(house, clinic)
        await until(lambda: len(listener.heard) == 50, seconds=10)
        assert len(slow.heard) == IN_FLIGHT
        late.set()
        await settled(house, clinic)


async def test_five_failures_open_the_circuit_one_probe_keeps_it_open_and_a_success_closes_it(
    timed_house: House, timed_clinic: Clinic, listener: Listener, clock: Clock
) -> None:
    house, clinic = timed_house, timed_clinic
    listener.says(500)
    endpoint = await endpoint_at(house, clinic, listener.url)
    for _ in range(40):
        await happened(house, clinic)
    await look(house, clinic, endpoint)
    health = await health_of(house, clinic, endpoint.id)
    assert 5 <= len(listener.heard) <= 5 + IN_FLIGHT
    assert health.failures == 5
    assert health.paused_until is not None
    assert timedelta(seconds=8) <= health.paused_until - clock.now <= timedelta(seconds=12)
    before = len(listener.heard)
    await look(house, clinic, endpoint)  # too early
    assert len(listener.heard) == before
    clock.now = health.paused_until
    await look(house, clinic, endpoint)
    assert len(listener.heard) == before + 1  # one probe
    again = await health_of(house, clinic, endpoint.id)
    assert again.paused_until is not None
    assert timedelta(seconds=16) <= again.paused_until - clock.now <= timedelta(seconds=24)
    listener.says(200)
    clock.now = again.paused_until
    await look(house, clinic, endpoint)
    assert (await health_of(house, clinic, endpoint.id)) == (0, None, 0, None)
    clock.move(hours=1)
    await look(house, clinic, endpoint)
    assert {row.state for row in await rows_of(house, clinic)} == {"delivered"}


@pytest.mark.parametrize("status", [429, 502, 504])
async def test_a_receiver_that_is_overrun_is_left_alone_and_then_asked_one_at_a_time(
    timed_house: House, timed_clinic: Clinic, listener: Listener, clock: Clock, status: int
) -> None:
    house, clinic = timed_house, timed_clinic
    listener.says(status, retry_after="40")
    endpoint = await endpoint_at(house, clinic, listener.url)
    await happened(house, clinic)
    await look(house, clinic, endpoint)
    health = await health_of(house, clinic, endpoint.id)
    assert health.paused_until == clock.now + timedelta(seconds=40)
    most = under_way = 0

    async def hears(_headers: dict[str, str], _body: bytes) -> bytes:
        nonlocal most, under_way
        under_way += 1
        most = max(most, under_way) if len(listener.heard) <= 2 else most
        await asyncio.sleep(0.01)
        under_way -= 1
        return answer(200)

    listener.hears = hears
    for _ in range(4):
        await happened(house, clinic)
    clock.move(minutes=2)
    await look(house, clinic, endpoint)
    assert most == 1
    assert {row.state for row in await rows_of(house, clinic)} == {"delivered"}


async def test_an_endpoint_that_says_it_is_gone_is_switched_off_and_the_others_are_told(
    house: House, clinic: Clinic, listener: Listener
) -> None:
    async with Listener().listening() as other:
        listener.says(410)
        endpoint = await endpoint_at(house, clinic, listener.url)
        await endpoint_at(house, clinic, other.url, events=["endpoint.*"])
        await happened(house, clinic)
        async with working(house):
            await until(lambda: len(other.heard) == 1)
            await happened(house, clinic)
            await asyncio.sleep(0.2)
        assert other.heard[0].said["type"] == "endpoint.off"
        assert other.heard[0].said["data"] == {"id": str(endpoint.id)}
    off = await house.rooms.endpoints.one(clinic.tenant, endpoint.id)
    assert (off.status, off.why) == (Status.OFF, "gone")
    assert len(listener.heard) == 1
    assert [(row.kind, row.about, row.detail) for row in await notices_of(house, clinic)] == [
        ("endpoint.off", endpoint.id, {"why": "gone"})
    ]
    assert [entry["state"] for entry in await entries_of(house, clinic.tenant) if entry["kind"] == "connection"][
        -1
    ] == "off"
    # What waited stays, and goes on when the endpoint is active again.
    assert [row.state for row in await rows_of(house, clinic, endpoint=endpoint.id)] == ["waiting"]


async def test_five_days_of_failing_warn_at_each_step_once_and_then_switch_the_endpoint_off(
    timed_house: House, timed_clinic: Clinic, listener: Listener, clock: Clock
) -> None:
    house, clinic = timed_house, timed_clinic
    listener.says(500)
    endpoint = await endpoint_at(house, clinic, listener.url)
    began, told = clock.now, list[tuple[str, Any, float]]()
    while clock.now - began < timedelta(days=6):
        await publish(NewEvent(clinic.tenant, TYPE, {"id": "appt_7Hq2"}, "host"), house.rooms)
        await look(house, clinic, endpoint)
        found = await notices_of(house, clinic)
        days = (clock.now - began) / timedelta(days=1)
        told += [(row.kind, row.detail.get("percent"), days) for row in found[len(told) :]]
        clock.move(hours=3)
    assert [(kind, percent) for kind, percent, _ in told] == [
        ("endpoint.failing", 50), ("endpoint.failing", 70), ("endpoint.failing", 90), ("endpoint.off", None),
    ]  # fmt: skip
    for (_, _, days), step in zip(told, (50, 70, 90, 100), strict=True):
        assert 5 * step / 100 <= days <= 5 * step / 100 + 0.25
    off = await house.rooms.endpoints.one(clinic.tenant, endpoint.id)
    assert (off.status, off.why) == (Status.OFF, "failing")
    assert await health_of(house, clinic, endpoint.id) == (0, None, 0, None)


async def test_a_success_on_the_way_begins_the_five_days_anew(
    timed_house: House, timed_clinic: Clinic, listener: Listener, clock: Clock
) -> None:
    house, clinic = timed_house, timed_clinic
    endpoint = await endpoint_at(house, clinic, listener.url)
    for day in range(12):
        listener.says(200 if day % 2 else 500)
        await happened(house, clinic)
        await look(house, clinic, endpoint)
        clock.move(days=1)
    assert await notices_of(house, clinic) == []


async def test_what_a_lane_has_read_already_is_not_sent_once_its_subject_is_erased(
    timed_house: House, timed_clinic: Clinic, listener: Listener, clock: Clock
) -> None:
    house, clinic = timed_house, timed_clinic
    endpoint = await endpoint_at(house, clinic, listener.url)
    subject = None

    async def hears(_headers: dict[str, str], _body: bytes) -> bytes:
        async with house.rooms.store.tenant(clinic.tenant) as connection:
            assert subject is not None
            fields = {"v": 1, "actor": {"kind": "system", "id": "test"}, "key": "k", "state": "made"}
            await append_within(connection, Draft(clinic.tenant, "key", clock.now, fields))
            await events.erase_subject(connection, clinic.tenant, subject)
        return answer(200)

    listener.says(429)  # afterwards the lane reads all that is due and sends one at a time
    await happened(house, clinic)
    await look(house, clinic, endpoint)
    for _ in range(3):
        await happened(house, clinic, subject="patient-1")
    keyed = await house.rooms.connections.clinic(clinic.tenant)
    subject = await house.rooms.subjects.known(clinic.tenant, "patient-1", keyed=keyed)
    listener.hears = hears
    clock.move(minutes=1)
    await look(house, clinic, endpoint)
    states = [row.state for row in await rows_of(house, clinic)]
    assert sorted(states) == ["cancelled", "cancelled", "cancelled", "delivered"]
    assert len(listener.heard) == 3  # the first of them was under way
