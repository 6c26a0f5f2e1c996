"""A call to a family of two vendors that has to wait: it waits as a whole, and is tried in order when it is due."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, time
from pathlib import Path
from uuid import UUID

import pytest

from gateway.calls import Answer, Call, Parked
from gateway.flows.due import cancel, carry_due
from gateway.flows.preview import preview
from gateway.store import waiting as rows
from gateway.store.jobs import WaitingJob
from scopes.policy import Policy
from scopes.quiet import QuietHours
from scopes.vocabulary import ConnectionState, Outcome, Purpose
from tests.gateway.egress.vendor import answer
from tests.gateway.listener import Clock
from tests.gateway.message import Message, messaging

ONE, TWO = "labs/one", "labs/two"
EVENING = datetime(2027, 1, 4, 22, 0, tzinfo=UTC)
MORNING = datetime(2027, 1, 5, 8, 0, tzinfo=UTC)
KEY = "7c0f5e0e-ad52-4b7e-9d0e-2f3e9a6f1b11"
SAYS_NO = answer(400, b'{"error": {"code": "no"}}')


@pytest.fixture
async def message(dsn: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Message]:
    async with messaging(dsn, tmp_path, clock=clock, names=(ONE, TWO)) as message:
        clock.now = EVENING
        await message.consents()
        policy = Policy(quiet_hours=QuietHours(begins=time(21), ends=time(8)))
        await message.other.rooms.agreements.set_policy(message.actor, policy)
        yield message


async def parked(message: Message, key: str | None) -> Parked:
    told = await message.sends(connector="labs", idempotency_key=key)
    assert isinstance(told, Parked)
    return told


async def carried(message: Message, call: Parked) -> rows.WaitingRow:
    """The call after its job."""
    await carry_due(WaitingJob(message.tenant, call.id, call.until), message.house.rooms)
    return await row_of(message, call.id)


async def row_of(message: Message, call: UUID) -> rows.WaitingRow:
    async with message.house.rooms.store.tenant(message.tenant) as connection:
        row = await rows.find(connection, message.tenant, call)
    assert row is not None
    return row


def heard(message: Message) -> tuple[int, int]:
    return len(message.vendors[ONE].requests), len(message.vendors[TWO].requests)


@pytest.mark.parametrize("key", [None, KEY])
async def test_it_waits_once_and_goes_to_the_first_vendor(message: Message, clock: Clock, key: str | None) -> None:
    call = await parked(message, key)
    if key is not None:
        assert (await parked(message, key)).id == call.id
    async with message.house.rooms.store.tenant(message.tenant) as connection:
        assert len(await rows.page(connection, message.tenant, rows.Sought())) == 1
    clock.now = MORNING
    assert (await carried(message, call)).state == "carried"
    assert heard(message) == (1, 0)
    (intent,) = await message.log("intent")
    assert (intent["call"], intent["connector"]) == (str(call.id), ONE)


@pytest.mark.parametrize("key", [None, KEY])
async def test_where_the_first_says_no_the_second_is_tried_under_the_same_call(
    message: Message, clock: Clock, key: str | None
) -> None:
    call = await parked(message, key)
    clock.now = MORNING
    message.vendors[ONE].answers = [SAYS_NO]
    row = await carried(message, call)
    first, second = await message.log("intent")
    assert first["call"] == second["call"] == str(call.id)
    assert (row.state, str(row.disclosure)) == ("carried", second["disclosure"])
    assert heard(message) == (1, 1)
    if key is not None:
        clock.now = EVENING
        again = await message.sends(connector="labs", idempotency_key=key)
        assert isinstance(again, Answer)
        assert (str(again.id), again.outcome) == (second["disclosure"], Outcome.ACCEPTED)
        assert [each.connector for each in again.tried] == [ONE, TWO]
        assert heard(message) == (1, 1)


async def test_a_vendor_that_may_never_have_it_is_passed_over_and_the_next_has_it_wait(
    message: Message, clock: Clock
) -> None:
    connection = await message.house.rooms.connections.active(message.tenant, ONE)
    await message.house.rooms.connections.set_state(message.actor, connection.id, ConnectionState.SUSPENDED)
    call = await parked(message, KEY)
    seen = await preview(
        Call(message.actor, "labs", "send", Purpose.HOPERAT, {"reference": "inv_7Hq2ZkW9"}, "test", "patient-4711"),
        message.house.rooms,
    )
    assert (seen.connector, getattr(seen.decision, "waits_until", None)) == (TWO, MORNING)
    clock.now = MORNING
    assert (await carried(message, call)).state == "carried"
    assert heard(message) == (0, 1)


async def test_where_neither_may_have_it_any_more_it_is_refused_with_the_reasons_of_both(
    message: Message, clock: Clock
) -> None:
    call = await parked(message, None)
    for name in (ONE, TWO):
        connection = await message.house.rooms.connections.active(message.tenant, name)
        await message.house.rooms.connections.set_state(message.actor, connection.id, ConnectionState.SUSPENDED)
    clock.now = MORNING
    row = await carried(message, call)
    assert row.state == "refused"
    assert [each["what"].partition(":")[0] for each in row.reasons] == [ONE, TWO]
    assert heard(message) == (0, 0)


async def test_it_is_called_back_as_a_whole(message: Message, clock: Clock) -> None:
    call = await parked(message, KEY)
    await cancel(message.actor, call.id, message.house.rooms)
    clock.now = MORNING
    assert (await carried(message, call)).state == "cancelled"
    assert heard(message) == (0, 0)
