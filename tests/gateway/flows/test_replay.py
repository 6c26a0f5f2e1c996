"""Replays keep the webhook-id; what is kept long enough is destroyed, and nothing that still waits."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from gateway.app import House
from gateway.errors import Conflict, NotFound
from gateway.flows.housekeeping import ROWS_KEPT, keep, keep_one
from gateway.flows.lane import work
from gateway.flows.replay import replay_one, replay_since
from gateway.ids import new_id
from gateway.store import events
from gateway.store.jobs import LaneJob
from gateway.webhooks.endpoints import Endpoint, Status
from tests.gateway.house import Clinic, entries_of
from tests.gateway.listener import Clock, Listener, attempts_of, endpoint_at, happened, notices_of, rows_of


async def look(house: House, clinic: Clinic, endpoint: Endpoint) -> None:
    """Let the lane work until nothing is due."""
    await work(LaneJob(clinic.tenant, endpoint.id, None), house.rooms)


async def replays_of(house: House, clinic: Clinic) -> list[dict[str, Any]]:
    """What the log says of replays."""
    return [each for each in await entries_of(house, clinic.tenant) if each.get("what") == "replay"]


async def test_one_delivery_is_made_again_under_the_same_id_and_all_its_attempts_stay(
    house: House, clinic: Clinic, listener: Listener
) -> None:
    endpoint = await endpoint_at(house, clinic, listener.url)
    published = await happened(house, clinic)
    await look(house, clinic, endpoint)
    row = (await rows_of(house, clinic))[0]
    assert (await replay_one(clinic.actor, row.id, house.rooms)).state == "waiting"
    await look(house, clinic, endpoint)
    assert listener.ids == [str(published.id)] * 2
    assert [each.number for each in await attempts_of(house, clinic, row.id)] == [1, 2]
    assert listener.heard[0].body == listener.heard[1].body
    written = (await replays_of(house, clinic))[0]
    assert (written["actor"]["id"], written["query"]) == (clinic.actor.id, {"delivery": str(row.id)})


async def test_a_replay_begins_the_schedule_anew(
    timed_house: House, timed_clinic: Clinic, listener: Listener, clock: Clock
) -> None:
    house, clinic = timed_house, timed_clinic
    listener.says(400)
    endpoint = await endpoint_at(house, clinic, listener.url)
    await happened(house, clinic)
    for _ in range(3):
        await look(house, clinic, endpoint)
        clock.now = (await rows_of(house, clinic))[0].next_at
    row = await replay_one(clinic.actor, (await rows_of(house, clinic))[0].id, house.rooms)
    await look(house, clinic, endpoint)
    row = (await rows_of(house, clinic))[0]
    assert row.attempts == 4
    assert timedelta(seconds=4) <= row.next_at - clock.now <= timedelta(seconds=6)


async def test_all_since_a_moment_are_made_again_in_the_states_that_are_named(
    house: House, clinic: Clinic, listener: Listener
) -> None:
    endpoint = await endpoint_at(house, clinic, listener.url)
    other = await endpoint_at(house, clinic, listener.url)
    await happened(house, clinic)
    await asyncio.sleep(0.02)
    since = house.rooms.clock()
    late = [await happened(house, clinic) for _ in range(3)]
    await look(house, clinic, endpoint)
    await look(house, clinic, other)
    listener.heard.clear()
    assert await replay_since(clinic.actor, endpoint.id, house.rooms, since=since, states=["exhausted"]) == 0
    assert await replay_since(clinic.actor, endpoint.id, house.rooms, since=since, states=["delivered"]) == 3
    await look(house, clinic, endpoint)
    await look(house, clinic, other)
    assert sorted(listener.ids) == sorted(str(each.id) for each in late)
    assert [each["count"] for each in await replays_of(house, clinic)] == [0, 3]


async def test_a_delivery_whose_endpoint_is_not_active_or_whose_event_is_gone_is_not_made_again(
    house: House, clinic: Clinic, listener: Listener
) -> None:
    endpoint = await endpoint_at(house, clinic, listener.url)
    await happened(house, clinic)
    await look(house, clinic, endpoint)
    row = (await rows_of(house, clinic))[0]
    await house.rooms.endpoints.set_state(clinic.actor, endpoint.id, Status.SUSPENDED)
    with pytest.raises(Conflict):
        await replay_one(clinic.actor, row.id, house.rooms)
    await house.rooms.endpoints.set_state(clinic.actor, endpoint.id, Status.ACTIVE)
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        await connection.execute("UPDATE events SET sealed = NULL WHERE tenant = $1", clinic.tenant)
    with pytest.raises(Conflict):
        await replay_one(clinic.actor, row.id, house.rooms)
    with pytest.raises(NotFound):
        await replay_one(clinic.actor, new_id(), house.rooms)
    assert (await rows_of(house, clinic))[0].state == "delivered"
    assert await replays_of(house, clinic) == []  # what was not done stands nowhere


async def test_what_events_said_is_destroyed_when_they_are_settled_and_older_than_the_clinic_keeps_it(
    timed_house: House, timed_clinic: Clinic, listener: Listener, clock: Clock
) -> None:
    house, clinic = timed_house, timed_clinic
    listener.says(200, 500)
    endpoint = await endpoint_at(house, clinic, listener.url)
    delivered = await happened(house, clinic)
    await look(house, clinic, endpoint)
    waits = await happened(house, clinic)
    await look(house, clinic, endpoint)
    nobody_heard = await happened(house, clinic, type_="invoice.paid")

    async def kept() -> set[str]:
        await keep_one(clinic.tenant, house.rooms)
        async with house.rooms.store.tenant(clinic.tenant) as connection:
            found = [await events.find(connection, clinic.tenant, each.id) for each in (delivered, waits, nobody_heard)]
        return {str(each.id) for each in found if each is not None and each.kept}

    everything = {str(each.id) for each in (delivered, waits, nobody_heard)}
    clock.move(days=6, hours=23)
    assert await kept() == everything
    clock.move(hours=2)
    assert await kept() == {str(waits.id)}
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        await events.set_keep_days(connection, clinic.tenant, 0)
    assert await kept() == {str(waits.id)}
    clock.now = max(clock.now, (await rows_of(house, clinic, event=waits.id))[0].next_at)
    listener.says(200)
    clock.move(hours=1)
    await look(house, clinic, endpoint)
    assert await kept() == {str(waits.id)}  # settled this moment
    clock.move(seconds=1)
    assert await kept() == set()
    assert len(await rows_of(house, clinic)) == 2  # what was delivered where and when stays for a while
    clock.move(days=ROWS_KEPT.days + 3)
    await kept()
    assert await rows_of(house, clinic) == []
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        assert await connection.fetchval("SELECT count(*) FROM attempts WHERE tenant = $1", clinic.tenant) == 0


async def test_housekeeping_goes_through_all_clinics_and_the_queues_own_log(
    timed_house: House, timed_clinic: Clinic, listener: Listener, clock: Clock
) -> None:
    await endpoint_at(timed_house, timed_clinic, listener.url)
    await happened(timed_house, timed_clinic)
    clock.move(days=3)
    await keep(timed_house.rooms)
    async with timed_house.rooms.store.nobody() as connection:
        assert await connection.fetchval("SELECT count(*) FROM pgqueuer_log WHERE created < $1", clock.now) == 0
    assert await notices_of(timed_house, timed_clinic) == []
