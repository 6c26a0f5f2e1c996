"""What becomes of a message that was taken: published once and forgotten, whatever happens on the way."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from connectors.contract import CallbackEvent
from connectors.payments.stripe import callback
from gateway.app import House, opened
from gateway.callbacks import DoorChanged
from gateway.calls import Actor
from gateway.config import Settings
from gateway.demo import EVERYTHING
from gateway.errors import Conflict, NotFound
from gateway.flows import inbound
from gateway.flows.connect import Wish, connect
from gateway.flows.inbound import Received, publish_callback, receive
from gateway.metrics import Result
from gateway.store import callbacks
from gateway.store.errors import StoreUnavailable
from scopes.vocabulary import ConnectionState
from tests.acceptance.whole import ROOTS
from tests.gateway.callbacks import PAYMENT, events_of, jobs_of, message, ready, signed, stored
from tests.gateway.egress.vendor import Vendor
from tests.gateway.house import Clinic, OpenHouse

TOLD = {"id": PAYMENT, "status": "succeeded", "amount_minor": 4250, "currency": "EUR", "reference": "inv_7Hq2ZkW9"}


@pytest.fixture
async def job(house: House, clinic: Clinic) -> bytes:
    """The job of a message that was taken."""
    await ready(house, clinic)
    assert await taken(house, clinic) == Received(Result.ACCEPTED)
    (payload,) = await jobs_of(house, clinic)
    return payload


async def taken(house: House, clinic: Clinic, body: bytes | None = None) -> Received:
    body = message() if body is None else body
    return await receive(clinic.connection.id, body, signed(body), "", house.rooms)


async def test_a_message_is_published_under_its_connector_s_name_and_forgotten(
    house: House, clinic: Clinic, job: bytes
) -> None:
    await publish_callback(job, house.rooms)
    ((kind, source, told),) = await events_of(house, clinic.tenant)
    assert (kind, source) == ("payments.stripe.payment_intent.succeeded", "payments/stripe")
    assert TOLD.items() <= told.items()
    assert told.keys() <= {*TOLD, "created_at"}
    assert await stored(house, clinic.tenant) == [None]


async def test_a_job_that_is_made_again_publishes_nothing_twice(house: House, clinic: Clinic, job: bytes) -> None:
    for _ in range(3):
        await publish_callback(job, house.rooms)
    assert len(await events_of(house, clinic.tenant)) == 1


async def test_a_job_that_was_cut_off_before_it_forgot_publishes_nothing_twice(
    house: House, clinic: Clinic, job: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut(*given: Any) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(callbacks, "clear", cut)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await publish_callback(job, house.rooms)
    assert len(await events_of(house, clinic.tenant)) == 1
    assert await stored(house, clinic.tenant) != [None]
    await publish_callback(job, house.rooms)
    assert len(await events_of(house, clinic.tenant)) == 1
    assert await stored(house, clinic.tenant) == [None]


async def test_two_gateways_with_one_job_publish_once(house: House, clinic: Clinic, job: bytes) -> None:
    await asyncio.gather(*(publish_callback(job, house.rooms) for _ in range(6)))
    assert len(await events_of(house, clinic.tenant)) == 1


async def test_each_event_of_a_message_has_an_id_of_its_own_that_sorts_by_time(
    house: House, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    several = tuple(CallbackEvent("charge.refunded", f"ch_{at}", None, now, {"id": f"ch_{at}"}) for at in range(3))
    monkeypatch.setattr(callback, "translate", lambda raw_body, url: several)
    await ready(house, clinic)
    assert await taken(house, clinic) == Received(Result.ACCEPTED)
    (payload,) = await jobs_of(house, clinic)
    for _ in range(2):
        await publish_callback(payload, house.rooms)
    assert sorted(told["id"] for _, _, told in await events_of(house, clinic.tenant)) == ["ch_0", "ch_1", "ch_2"]
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        ids: list[UUID] = [
            row[0] for row in await connection.fetch("SELECT id FROM events WHERE tenant = $1", clinic.tenant)
        ]
    assert {each.version for each in ids} == {7}
    for each in ids:
        assert abs((each.int >> 80) / 1000 - now.timestamp()) < 30


async def test_what_is_of_another_account_is_left_out_of_a_message_of_several(
    house: House, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    accounts = {"ch_1": None, "ch_2": "acct_1RkT2vLkdIwHu7ix"}
    several = tuple(CallbackEvent("charge.refunded", each, of, now, {"id": each}) for each, of in accounts.items())
    monkeypatch.setattr(callback, "translate", lambda raw_body, url: several)
    await ready(house, clinic)
    assert await taken(house, clinic) == Received(Result.ACCEPTED)
    await publish_callback((await jobs_of(house, clinic))[0], house.rooms)
    assert [told for _, _, told in await events_of(house, clinic.tenant)] == [{"id": "ch_1"}]


async def test_an_event_that_does_not_fit_its_declaration_keeps_the_others_from_nothing(
    house: House, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    several = tuple(CallbackEvent("charge.refunded", each, None, now, {"id": each}) for each in ("not an id", "ch_2"))
    monkeypatch.setattr(callback, "translate", lambda raw_body, url: several)
    await ready(house, clinic)
    await taken(house, clinic)
    await publish_callback((await jobs_of(house, clinic))[0], house.rooms)
    assert [told for _, _, told in await events_of(house, clinic.tenant)] == [{"id": "ch_2"}]
    assert await stored(house, clinic.tenant) == [None]


async def test_of_a_connection_that_was_revoked_meanwhile_nothing_is_published(
    house: House, clinic: Clinic, job: bytes
) -> None:
    await house.rooms.connections.set_state(clinic.actor, clinic.connection.id, ConnectionState.REVOKED)
    await publish_callback(job, house.rooms)
    assert await events_of(house, clinic.tenant) == []
    assert await stored(house, clinic.tenant) == [None]


async def test_a_door_that_is_not_as_this_gateway_remembers_it_is_looked_at_anew(house: House, clinic: Clinic) -> None:
    await ready(house, clinic)
    assert await taken(house, clinic) == Received(Result.ACCEPTED)
    before = await stored(house, clinic.tenant)
    await house.rooms.connections.set_state(clinic.actor, clinic.connection.id, ConnectionState.SUSPENDED)
    remembered = await house.rooms.callbacks.door(clinic.connection.id)
    assert remembered.is_open(house.rooms.clock())
    assert await taken(house, clinic) == Received(Result.SUSPENDED)
    assert await stored(house, clinic.tenant) == before
    await house.rooms.connections.set_state(clinic.actor, clinic.connection.id, ConnectionState.ACTIVE)
    assert await taken(house, clinic) == Received(Result.ACCEPTED)


async def test_who_suspends_a_connection_waits_for_the_message_that_is_being_stored(
    house: House, clinic: Clinic
) -> None:
    await ready(house, clinic)
    door = await house.rooms.callbacks.door(clinic.connection.id)
    async with house.rooms.callbacks.taking(door):
        suspending = asyncio.create_task(
            house.rooms.connections.set_state(clinic.actor, clinic.connection.id, ConnectionState.SUSPENDED)
        )
        await asyncio.sleep(0.3)
        assert not suspending.done()
    await asyncio.wait_for(suspending, 10)
    with pytest.raises(DoorChanged):
        async with house.rooms.callbacks.taking(door):
            raise AssertionError("it was let through")


async def test_a_connector_that_reads_no_messages_has_no_door(
    dsn: str, tmp_path: Path, vendor: Vendor, open_house: OpenHouse
) -> None:
    await open_house()  # for the key files
    settings = Settings.from_environment({}, data_dir=tmp_path, database_url=dsn)
    sandboxes = {"echo/echo": f"http://127.0.0.1:{vendor.port}"}
    async with opened(settings, sandboxes=sandboxes, connectors=ROOTS) as house:
        echo = house.rooms.registry.connector("echo/echo")
        actor = Actor("system", "test", await house.rooms.connections.create_tenant("a clinic"), EVERYTHING)
        secret = str(echo.module("sandbox").CREDENTIAL)
        made = await connect(actor, Wish(connector=echo.id, secret=secret, features=frozenset()), house.rooms)
        manifests = {name: each.manifest for name, each in house.rooms.registry.connectors.items()}
        with pytest.raises(Conflict):
            await house.rooms.callbacks.add_secret(actor, made.id, "whsec_oneTwoThree12345", manifests)
        with pytest.raises(NotFound):
            await receive(made.id, b"", {}, "", house.rooms)


async def test_an_expired_connection_takes_nothing(house: House, clinic: Clinic) -> None:
    await ready(house, clinic)
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        await connection.execute(
            "UPDATE connections SET expires_at = now() - interval '1 second' WHERE tenant = $1", clinic.tenant
        )
    assert await taken(house, clinic) == Received(Result.SUSPENDED)


async def test_an_expired_secret_counts_no_more(house: House, clinic: Clinic) -> None:
    await ready(house, clinic)
    assert (await taken(house, clinic)).result is Result.ACCEPTED
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        await connection.execute(
            "UPDATE callback_secrets SET expires_at = now() - interval '1 second' WHERE tenant = $1", clinic.tenant
        )
    house.rooms.callbacks.forget(clinic.connection.id)
    assert (await taken(house, clinic)).code == "bad_signature"
    assert await house.rooms.callbacks.secrets(clinic.tenant, clinic.connection.id) == ()


async def test_a_message_and_its_job_exist_together_or_not_at_all(
    house: House, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*given: Any) -> None:
        raise StoreUnavailable

    await ready(house, clinic)
    with monkeypatch.context() as patch:
        patch.setattr(inbound.jobs, "enqueue", away)
        with pytest.raises(StoreUnavailable):
            await taken(house, clinic)
    assert await stored(house, clinic.tenant) == await jobs_of(house, clinic) == []


async def test_a_message_whose_job_was_lost_is_enqueued_again(house: House, clinic: Clinic, job: bytes) -> None:
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        await connection.execute("DELETE FROM pgqueuer WHERE payload = $1", job)
    assert await inbound.enqueue_stranded(clinic.tenant, house.rooms) == 0  # it may just be slow
    await _age(house, clinic, timedelta(minutes=6))
    assert await inbound.enqueue_stranded(clinic.tenant, house.rooms) == 1
    assert await jobs_of(house, clinic) == [job]
    await publish_callback(job, house.rooms)
    assert await inbound.enqueue_stranded(clinic.tenant, house.rooms) == 0


async def test_messages_are_forgotten_after_thirty_days(house: House, clinic: Clinic, job: bytes) -> None:
    await taken(house, clinic)
    before = house.rooms.clock() - inbound.KEPT
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        assert await callbacks.purge(connection, clinic.tenant, before) == 0
    await _age(house, clinic, timedelta(days=30, minutes=1))
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        assert await callbacks.purge(connection, clinic.tenant, before) == 2
    assert await stored(house, clinic.tenant) == []
    await publish_callback(job, house.rooms)
    assert await events_of(house, clinic.tenant) == []


async def _age(house: House, clinic: Clinic, by: timedelta) -> None:
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        await connection.execute("UPDATE callbacks SET at = at - $2::interval WHERE tenant = $1", clinic.tenant, by)
