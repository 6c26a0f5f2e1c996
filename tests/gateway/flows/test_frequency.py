"""Caps under pressure: however many messages are decided at the same moment, as many go as the clinic allows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.app import House
from gateway.calls import Answer, Call, Parked
from gateway.errors import Refused
from gateway.flows.broker import broker
from gateway.flows.housekeeping import REACHES_KEPT, keep_one
from gateway.store import reaches
from scopes.cap import Cap
from scopes.consent import Channel
from scopes.policy import Policy
from scopes.quiet import QuietHours
from scopes.vocabulary import Otherwise, Outcome, Purpose
from tests.gateway.egress.vendor import answer
from tests.gateway.house import Clinic
from tests.gateway.listener import Clock
from tests.gateway.message import CONNECTOR, Message, messaging

THREE = Cap(most=3, hours=24, otherwise=Otherwise.REFUSE)


@pytest.fixture
async def message(dsn: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Message]:
    async with messaging(dsn, tmp_path, clock=clock) as message:
        await message.consents()
        yield message


async def caps(message: Message, *given: Cap) -> None:
    await message.other.rooms.agreements.set_policy(message.actor, Policy(caps=given))


async def sends(message: Message, house: House, subject: str = "patient-4711") -> str:
    """What became of one message."""
    call = Call(message.actor, CONNECTOR, "send", Purpose.HOPERAT, {"reference": "inv_7Hq2ZkW9"}, "test", subject)
    try:
        told = await broker(call, house.rooms)
    except Refused as refused:
        return ",".join(str(reason.code) for reason in refused.reasons)
    return "waiting" if isinstance(told, Parked) else str(told.outcome)


async def test_of_fifty_at_once_three_go(message: Message) -> None:
    await caps(message, THREE)
    told = Counter(await asyncio.gather(*(sends(message, message.house) for _ in range(50))))
    assert told == {"accepted": 3, "frequency_cap": 47}
    assert len(message.vendor.requests) == len(await message.log("intent")) == 3
    assert len(await message.log("refusal")) == 47


@pytest.mark.parametrize("most", [1, 7])
async def test_of_fifty_at_once_over_two_gateways_as_many_go_as_may(message: Message, most: int) -> None:
    await caps(message, Cap(most=most, hours=24, otherwise=Otherwise.REFUSE))
    told = Counter(await asyncio.gather(*(sends(message, (message.house, message.other)[at % 2]) for at in range(50))))
    assert told == {"accepted": most, "frequency_cap": 50 - most}
    assert len(message.vendor.requests) == most


async def test_others_are_not_held_up_by_somebody_elses_cap(message: Message) -> None:
    await caps(message, Cap(most=1, hours=24, otherwise=Otherwise.REFUSE))
    people = [f"patient-{number}" for number in range(10)]
    for subject in people:
        await message.consents(subject=subject)
    told = await asyncio.gather(*(sends(message, message.house, subject) for subject in people * 3))
    assert Counter(told) == {"accepted": 10, "frequency_cap": 20}


async def test_the_strictest_of_several_caps_counts_and_all_that_are_reached_are_named(message: Message) -> None:
    await caps(
        message, Cap(most=2, hours=1, otherwise=Otherwise.REFUSE), Cap(most=2, hours=48, otherwise=Otherwise.REFUSE)
    )
    assert [await sends(message, message.house) for _ in range(3)] == ["accepted"] * 2 + ["frequency_cap,frequency_cap"]


async def test_a_cap_is_free_again_at_the_very_end_of_its_hours_and_no_moment_before(
    message: Message, clock: Clock
) -> None:
    await caps(message, Cap(most=1, hours=24, otherwise=Otherwise.REFUSE))
    assert await sends(message, message.house) == "accepted"
    clock.move(hours=24, microseconds=-1)
    assert await sends(message, message.house) == "frequency_cap"
    clock.move(microseconds=1)
    assert await sends(message, message.house) == "accepted"
    assert await sends(message, message.other) == "frequency_cap"


@pytest.mark.parametrize(
    ("status", "outcome", "counts"),
    [
        (200, Outcome.ACCEPTED, True),
        (400, Outcome.REJECTED, False),
        (302, Outcome.FAILED, False),
        (500, Outcome.UNKNOWN, True),
    ],
)
async def test_a_message_counts_unless_it_is_known_not_to_have_arrived(
    message: Message, status: int, outcome: Outcome, counts: bool
) -> None:
    await caps(message, Cap(most=1, hours=24, otherwise=Otherwise.REFUSE))
    good = message.vendor.answers[0]
    message.vendor.answers = [good if status == 200 else answer(status, b"{}", location="https://elsewhere.example/")]
    assert await sends(message, message.house) == outcome
    message.vendor.answers = [good]
    assert await sends(message, message.house) == ("frequency_cap" if counts else "accepted")


async def test_what_was_sent_before_there_was_a_cap_counts(message: Message) -> None:
    assert [await sends(message, message.house) for _ in range(2)] == ["accepted"] * 2
    await caps(message, Cap(most=2, hours=24, otherwise=Otherwise.REFUSE))
    assert await sends(message, message.house) == "frequency_cap"


async def test_a_message_under_way_counts(message: Message) -> None:
    await caps(message, Cap(most=1, hours=24, otherwise=Otherwise.REFUSE))
    message.vendor.delay_seconds = 0.3
    under_way = asyncio.create_task(sends(message, message.house))
    while not message.vendor.requests:
        await asyncio.sleep(0.01)
    assert await sends(message, message.other) == "frequency_cap"
    assert await under_way == "accepted"


async def test_fifty_that_may_wait_let_three_out_and_keep_the_others(message: Message) -> None:
    await caps(message, Cap(most=3, hours=24))
    told = Counter(await asyncio.gather(*(sends(message, message.house) for _ in range(50))))
    assert told == {"accepted": 3, "waiting": 47}
    assert await message.log("refusal") == []


async def test_numbers_go_on_after_old_messages_are_taken_out(message: Message, clock: Clock) -> None:
    for _ in range(3):
        await sends(message, message.house)
    clock.move(days=REACHES_KEPT / timedelta(days=1) + 1)
    await keep_one(message.tenant, message.house.rooms)
    async with message.house.rooms.store.tenant(message.tenant) as connection:
        rows = await connection.fetch("SELECT subject, number FROM reaches WHERE tenant = $1", message.tenant)
        place = reaches.PlaceRow(message.tenant, rows[0]["subject"], Channel.EMAIL)
        assert [row["number"] for row in rows] == [3] == [await reaches.last(connection, place)]
    await caps(message, Cap(most=1, hours=24, otherwise=Otherwise.REFUSE))
    assert await sends(message, message.house) == "accepted"


async def test_a_call_that_reaches_nobody_knows_neither_hours_nor_caps(house: House, clinic: Clinic) -> None:
    now = house.rooms.clock()
    hours = QuietHours(begins=(now - timedelta(hours=2)).time(), ends=(now + timedelta(hours=2)).time())
    policy = Policy(quiet_hours=hours, caps=(Cap(most=1, hours=24),))
    await house.rooms.agreements.set_policy(clinic.actor, policy)
    for _ in range(2):
        assert isinstance(await broker(clinic.call(subject="patient-4711"), house.rooms), Answer)
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        assert await connection.fetchval("SELECT count(*) FROM reaches WHERE tenant = $1", clinic.tenant) == 0
