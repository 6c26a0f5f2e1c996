"""Messages that wait: sent when they may be and once, or not at all; each interleaving is forced and looked at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from gateway.calls import Answer, Parked
from gateway.errors import Conflict, IdempotencyReused, NotFound, Refused
from gateway.flows import due
from gateway.flows.due import cancel
from gateway.ledger.log import Disclosure
from gateway.store import ledger
from gateway.store import waiting as rows
from gateway.store.jobs import WaitingJob
from scopes.cap import Cap
from scopes.policy import Policy
from scopes.quiet import QuietHours
from scopes.vocabulary import ConnectionState, Otherwise, Outcome
from tests.gateway.house import entries_of
from tests.gateway.listener import Clock
from tests.gateway.message import Message, messaging

NIGHT = QuietHours(begins=time(21), ends=time(8))
EVENING = datetime(2027, 1, 4, 22, 0, tzinfo=UTC)
MORNING = datetime(2027, 1, 5, 8, 0, tzinfo=UTC)
KEY = "7c0f5e0e-ad52-4b7e-9d0e-2f3e9a6f1b11"


@pytest.fixture
async def message(dsn: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Message]:
    """A clinic at night, with a person who agreed to its messages."""
    async with messaging(dsn, tmp_path, clock=clock) as message:
        clock.now = EVENING
        await message.consents()
        await policy(message)
        yield message


async def policy(message: Message, **given: Any) -> None:
    """The clinic's rules, set at the other gateway."""
    await message.other.rooms.agreements.set_policy(message.actor, Policy(**{"quiet_hours": NIGHT, **given}))


async def parked(message: Message, **given: Any) -> Parked:
    """A message that has to wait."""
    told = await message.sends(**given)
    assert isinstance(told, Parked)
    return told


async def carried(message: Message, call: Parked, *, due_at: datetime | None = None) -> None:
    """The job of a call, as the queue hands it out."""
    await due.carry_due(WaitingJob(message.tenant, call.id, due_at or call.until), message.house.rooms)


async def row_of(message: Message, call: UUID) -> rows.WaitingRow:
    async with message.house.rooms.store.tenant(message.tenant) as connection:
        row = await rows.find(connection, message.tenant, call)
    assert row is not None
    return row


async def queued(message: Message, call: UUID) -> list[str]:
    """The jobs that there are for a call."""
    async with message.house.rooms.store.nobody() as connection:
        found = await connection.fetch("SELECT payload FROM pgqueuer WHERE entrypoint = 'waiting'")
    return [row["payload"].decode() for row in found if str(call) in row["payload"].decode()]


async def test_a_message_at_night_waits_for_the_morning_and_goes_then(message: Message, clock: Clock) -> None:
    call = await parked(message, payload={"reference": "inv_7Hq2ZkW9", "diagnosis": "never kept"})
    assert (call.until, [str(reason.code) for reason in call.reasons]) == (MORNING, ["quiet_hours"])
    assert call.withheld == ("diagnosis",)
    assert await queued(message, call.id) == [f"{message.tenant} {call.id} {MORNING.isoformat()}"]
    assert message.vendor.requests == []
    assert await message.log("intent", "refusal") == []
    clock.now = MORNING
    await carried(message, call)
    assert len(message.vendor.requests) == 1
    intent, outcome = await message.log("intent", "outcome")
    assert (intent["call"], intent["withheld"], intent["request"]) == (str(call.id), ["diagnosis"], "test")
    assert intent["actor"] == {"kind": "system", "id": "test"}
    row = await row_of(message, call.id)
    assert (row.state, str(row.disclosure), outcome["outcome"]) == ("carried", intent["disclosure"], "accepted")


async def test_what_waits_is_sealed_and_holds_no_more_than_is_declared(message: Message) -> None:
    call = await parked(message, payload={"reference": "inv_7Hq2ZkW9", "diagnosis": "never kept"})
    async with message.house.rooms.store.tenant(message.tenant) as connection:
        stored = dict(await connection.fetchrow("SELECT * FROM waiting_calls WHERE id = $1", call.id))
    assert not any(word in repr(stored) for word in ("inv_7Hq2ZkW9", "4711", "never kept"))
    clinic = await message.house.rooms.connections.clinic(message.tenant)
    kept = orjson.loads(clinic.keyring.open(stored["sealed"], purpose="waiting", row=str(call.id)))
    assert kept["payload"] == {"reference": "inv_7Hq2ZkW9"}


@pytest.mark.parametrize("end", ["carried", "cancelled", "refused"])
async def test_what_it_said_is_gone_when_it_waits_no_more(message: Message, clock: Clock, end: str) -> None:
    consent = await message.consents()
    call = await parked(message)
    clock.now = MORNING
    if end == "refused":
        for each in [consent, *await _consents(message)]:
            await message.house.rooms.consents.withdraw(message.actor, each)
    if end == "cancelled":
        await cancel(message.actor, call.id, message.house.rooms)
    await carried(message, call)
    async with message.house.rooms.store.tenant(message.tenant) as connection:
        row = await connection.fetchrow("SELECT state, sealed FROM waiting_calls WHERE id = $1", call.id)
    assert tuple(row) == (end, None)


async def _consents(message: Message) -> list[UUID]:
    found = await message.house.rooms.consents.page(message.tenant, subject=None, after=None, limit=100)
    return [row.id for row in found]


@pytest.mark.parametrize("through", ["house", "other"])
async def test_a_consent_withdrawn_while_it_waits_sends_nothing(message: Message, clock: Clock, through: str) -> None:
    call = await parked(message)
    for consent in await _consents(message):
        await getattr(message, through).rooms.consents.withdraw(message.actor, consent)
    clock.now = MORNING
    await carried(message, call)
    assert message.vendor.requests == []
    row = await row_of(message, call.id)
    assert (row.state, [each["code"] for each in row.reasons]) == ("refused", ["consent_withdrawn"])
    (refusal,) = await message.log("refusal")
    assert (refusal["call"], refusal["reasons"][0][0]) == (str(call.id), "consent_withdrawn")


async def test_a_connection_revoked_while_it_waits_sends_nothing(message: Message, clock: Clock) -> None:
    call = await parked(message)
    connection = await message.house.rooms.connections.active(message.tenant, "labs/one")
    await message.other.rooms.connections.set_state(message.actor, connection.id, ConnectionState.REVOKED)
    clock.now = MORNING
    await carried(message, call)
    assert message.vendor.requests == []
    row = await row_of(message, call.id)
    assert row.state == "refused"
    assert "connection_inactive" in [each["code"] for each in row.reasons]


@pytest.mark.parametrize("early", [timedelta(microseconds=1), timedelta(hours=2)])
async def test_a_job_that_comes_too_early_puts_it_off_to_the_same_moment(
    message: Message, clock: Clock, early: timedelta
) -> None:
    call = await parked(message)
    clock.now = MORNING - early
    await carried(message, call)
    assert message.vendor.requests == []
    assert (await row_of(message, call.id)).due_at == MORNING
    assert len(await queued(message, call.id)) == 2
    clock.now = MORNING
    await carried(message, call)
    assert len(message.vendor.requests) == 1


async def test_it_waits_longer_where_the_clinic_changed_its_hours_and_its_old_job_does_nothing(
    message: Message, clock: Clock
) -> None:
    call = await parked(message)
    await policy(message, quiet_hours=QuietHours(begins=time(21), ends=time(10)))
    clock.now = MORNING
    await carried(message, call)
    later = MORNING + timedelta(hours=2)
    assert (await row_of(message, call.id)).due_at == later
    clock.now = later
    await carried(message, call)
    assert message.vendor.requests == []
    await carried(message, call, due_at=later)
    assert len(message.vendor.requests) == 1


async def test_where_the_clinic_now_says_refuse_it_is_refused_when_it_is_due(message: Message, clock: Clock) -> None:
    call = await parked(message)
    hours = QuietHours(begins=time(21), ends=time(10), otherwise=Otherwise.REFUSE)
    await policy(message, quiet_hours=hours)
    clock.now = MORNING
    await carried(message, call)
    assert (await row_of(message, call.id)).state == "refused"


async def test_messages_that_a_cap_put_off_go_as_it_lets_them(message: Message, clock: Clock) -> None:
    clock.now = MORNING
    await policy(message, caps=(Cap(most=1, hours=2),))
    assert isinstance(await message.sends(), Answer)
    first, second = await parked(message), await parked(message)
    assert first.until == second.until == MORNING + timedelta(hours=2)
    clock.now = first.until
    await asyncio.gather(carried(message, first), carried(message, second))
    assert len(message.vendor.requests) == 2
    states = {(await row_of(message, call.id)).state: call for call in (first, second)}
    assert sorted(states) == ["carried", "waiting"]
    left = states["waiting"]
    clock.move(hours=2)
    await carried(message, left, due_at=clock.now)
    assert len(message.vendor.requests) == 3


# The same Idempotency-Key --------------------------------------------------------------------------------------------------


async def test_a_repeat_gets_the_same_answer_while_it_waits_and_the_final_one_after(
    message: Message, clock: Clock
) -> None:
    call = await parked(message, idempotency_key=KEY)
    again = await parked(message, idempotency_key=KEY)
    assert (again.id, again.until, again.withheld) == (call.id, call.until, call.withheld)
    assert [each.code for each in again.reasons] == [each.code for each in call.reasons]
    clock.now = MORNING  # it may go now, and its job has not come yet
    assert (await parked(message, idempotency_key=KEY)).id == call.id
    await carried(message, call)
    for moment in (MORNING, EVENING + timedelta(days=1)):
        clock.now = moment
        told = await message.sends(idempotency_key=KEY)
        assert isinstance(told, Answer)
        assert (told.outcome, told.id) == (Outcome.ACCEPTED, (await row_of(message, call.id)).disclosure)
    assert len(message.vendor.requests) == 1


async def test_another_call_under_the_key_is_refused(message: Message, clock: Clock) -> None:
    await parked(message, idempotency_key=KEY)
    for moment in (EVENING, MORNING):
        clock.now = moment
        with pytest.raises(IdempotencyReused):
            await message.sends(idempotency_key=KEY, payload={"reference": "inv_another1"})


async def test_a_repeat_of_what_was_sent_by_day_does_not_wait_at_night(message: Message, clock: Clock) -> None:
    clock.now = MORNING
    sent = await message.sends(idempotency_key=KEY)
    clock.now = EVENING + timedelta(days=1)
    again = await message.sends(idempotency_key=KEY)
    assert isinstance(again, Answer)
    assert again.id == sent.id


async def test_many_repeats_at_once_make_one_message_wait(message: Message, clock: Clock) -> None:
    calls = await asyncio.gather(*(parked(message, idempotency_key=KEY) for _ in range(20)))
    assert len({call.id for call in calls}) == 1
    assert len(await queued(message, calls[0].id)) == 1
    clock.now = MORNING
    await asyncio.gather(*(carried(message, calls[0]) for _ in range(5)))
    assert len(message.vendor.requests) == len(await message.log("intent")) == 1


async def test_a_key_whose_message_was_refused_may_be_used_anew(message: Message, clock: Clock) -> None:
    call = await parked(message, idempotency_key=KEY)
    for consent in await _consents(message):
        await message.house.rooms.consents.withdraw(message.actor, consent)
    clock.now = MORNING
    await carried(message, call)
    with pytest.raises(Refused):
        await message.sends(idempotency_key=KEY)
    await message.consents()
    assert isinstance(await message.sends(idempotency_key=KEY), Answer)


# Cut off on the way --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, KEY])
async def test_a_job_that_was_cut_off_after_its_intent_sends_nothing_a_second_time(
    message: Message, clock: Clock, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    call = await parked(message, idempotency_key=key)
    clock.now = MORNING

    class Killed(BaseException):
        """The gateway ends here: nothing more of it runs."""

    entered = Disclosure.__aenter__

    async def killed(self: Disclosure) -> Disclosure:
        await entered(self)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Disclosure, "__aenter__", killed)
        with pytest.raises(Killed):
            await carried(message, call)
    (intent,) = await message.log("intent")
    assert (await row_of(message, call.id)).state == "waiting"
    await asyncio.wait_for(carried(message, call), 5)
    assert message.vendor.requests == []
    row = await row_of(message, call.id)
    assert (row.state, str(row.disclosure)) == ("carried", intent["disclosure"])
    assert len(await message.log("intent")) == 1


async def test_two_jobs_of_one_call_at_two_gateways_send_it_once(message: Message, clock: Clock) -> None:
    call = await parked(message)
    clock.now = MORNING
    job = WaitingJob(message.tenant, call.id, call.until)
    await asyncio.gather(
        *(due.carry_due(job, house.rooms) for house in (message.house, message.other) for _ in range(3))
    )
    assert len(message.vendor.requests) == len(await message.log("intent")) == 1
    assert (await row_of(message, call.id)).state == "carried"


async def test_a_call_whose_job_was_lost_is_found(message: Message, clock: Clock) -> None:
    call = await parked(message)
    async with message.house.rooms.store.nobody() as connection:
        await connection.execute("DELETE FROM pgqueuer WHERE entrypoint = 'waiting'")
    clock.now = MORNING + due.STRANDED
    await due.wake_stranded(message.house.rooms)
    assert await queued(message, call.id) == []
    clock.move(seconds=1)
    await due.wake_stranded(message.house.rooms)
    assert await queued(message, call.id) == [f"{message.tenant} {call.id} {MORNING.isoformat()}"]


# Called back, erased -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, KEY])
async def test_a_call_that_is_called_back_is_never_sent(message: Message, clock: Clock, key: str | None) -> None:
    call = await parked(message, idempotency_key=key)
    for _ in range(2):
        await cancel(message.actor, call.id, message.other.rooms)
    clock.now = MORNING
    await carried(message, call)
    assert message.vendor.requests == []
    log = await entries_of(message.house, message.tenant)
    asked = [(each["actor"]["id"], each["query"]) for each in log if each.get("what") == "called_back"]
    assert asked == [(message.actor.id, {"call": str(call.id)})]
    if key is not None:
        with pytest.raises(Conflict):
            await message.sends(idempotency_key=key)
    with pytest.raises(NotFound):
        await cancel(message.actor, uuid4(), message.house.rooms)


@pytest.mark.parametrize("how", ["cancelled", "erased"])
async def test_a_call_that_is_called_back_between_its_decision_and_its_intent_is_not_sent(
    message: Message, clock: Clock, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    call = await parked(message)
    clock.now = MORNING
    entered, begun = Disclosure.__aenter__, []

    async def back() -> None:
        if how == "cancelled":
            return await cancel(message.actor, call.id, message.other.rooms)
        subject = (await row_of(message, call.id)).subject
        assert subject is not None
        async with message.other.rooms.store.tenant(message.tenant) as connection:
            await ledger.lock_and_change_standing(connection, message.tenant)
            assert await rows.erase_subject(connection, message.tenant, subject) == 1

    async def late(self: Disclosure) -> Disclosure:
        begun.append(True)
        await back()
        return await entered(self)

    monkeypatch.setattr(Disclosure, "__aenter__", late)
    await carried(message, call)
    assert begun == [True], "it was allowed once, and then read anew"
    assert message.vendor.requests == []
    assert await message.log("intent") == []


async def test_a_call_that_is_on_its_way_is_not_called_back(message: Message, clock: Clock) -> None:
    call = await parked(message)
    clock.now = MORNING
    message.vendor.delay_seconds = 0.3
    under_way = asyncio.create_task(carried(message, call))
    while not message.vendor.requests:
        await asyncio.sleep(0.01)
    with pytest.raises(Conflict):
        await cancel(message.actor, call.id, message.other.rooms)
    await under_way
    assert (await row_of(message, call.id)).state == "carried"
    with pytest.raises(Conflict):
        await cancel(message.actor, call.id, message.house.rooms)


async def test_a_payload_that_fits_no_more_fails_and_says_so(message: Message, clock: Clock) -> None:
    call = await parked(message)
    async with message.house.rooms.store.tenant(message.tenant) as connection:
        row = await rows.sealed(connection, message.tenant, call.id)
    assert row is not None
    clinic = await message.house.rooms.connections.clinic(message.tenant)
    assert row.sealed is not None
    kept = orjson.loads(clinic.keyring.open(row.sealed, purpose="waiting", row=str(call.id)))
    sealed = clinic.keyring.seal(orjson.dumps({**kept, "payload": {}}), purpose="waiting", row=str(call.id))
    async with message.house.rooms.store.tenant(message.tenant) as connection:
        await connection.execute("UPDATE waiting_calls SET sealed = $2 WHERE id = $1", call.id, sealed)
    clock.now = MORNING
    await carried(message, call)
    told = await row_of(message, call.id)
    assert (told.state, told.code) == ("failed", "invalid_request")
