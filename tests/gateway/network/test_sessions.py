"""One session for every clinic and gateway: asked for once, renewed in time, and never so often that the network locks us out."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import asyncpg
import pytest

from gateway.connections import OPERATOR
from gateway.doctor import sessions_at
from gateway.errors import Conflict
from gateway.flows.broker import broker
from gateway.network.sessions import LOCKED, LockedOut, NoSession
from scopes.vocabulary import Outcome
from tests.gateway.network.conftest import OpenMore
from tests.gateway.network.house import LIVE, Bridge

CALLERS = 40


async def token_of(bridge: Bridge) -> str:
    return await bridge.house.rooms.networks.sessions.token(LIVE)


async def test_many_calls_of_many_clinics_at_two_gateways_log_in_once(bridge: Bridge, open_more: OpenMore) -> None:
    bridge.office.serves("IN01", "IN02")
    first, second = await bridge.clinic("IN01"), await bridge.clinic("IN02")
    houses = [bridge.house, await open_more()]
    bridge.office.end_sessions()
    bridge.clock.move(minutes=25)  # what there was is over
    bridge.office.logins.clear()
    calls = [broker(bridge.call((first, second)[at % 2]), houses[at % 2].rooms) for at in range(CALLERS)]
    assert {answer.outcome for answer in await asyncio.gather(*calls)} == {Outcome.ACCEPTED}
    assert len(bridge.office.logins) == 1
    assert {facility for facility, _ in bridge.office.answers} == {"IN01", "IN02"}


async def test_a_session_is_renewed_half_a_minute_before_its_end(bridge: Bridge) -> None:
    first = await token_of(bridge)
    bridge.clock.move(seconds=1200 - 31)
    assert await token_of(bridge) == first
    bridge.clock.move(seconds=2)
    assert await token_of(bridge) != first
    assert len(bridge.office.logins) == 2


async def test_a_second_gateway_takes_the_session_that_is_there(bridge: Bridge, open_more: OpenMore) -> None:
    first = await token_of(bridge)
    other = await open_more()
    assert await other.rooms.networks.sessions.token(LIVE) == first
    assert len(bridge.office.logins) == 1


async def test_a_session_that_the_network_ended_is_asked_anew_once_and_the_call_goes_through(bridge: Bridge) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    bridge.clock.move(minutes=5)
    bridge.office.end_sessions()
    answer = await broker(bridge.call(clinic), bridge.house.rooms)
    assert answer.outcome is Outcome.ACCEPTED
    assert len(bridge.office.logins) == 2
    assert bridge.office.answers == [("IN01", "r-1")]


async def test_a_network_that_takes_no_session_at_all_is_not_asked_in_a_loop(bridge: Bridge) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    bridge.clock.move(minutes=5)
    before, bridge.office.deaf = len(bridge.office.logins), True
    for _ in range(10):
        answer = await broker(bridge.call(clinic), bridge.house.rooms)
        assert (answer.outcome, answer.code) == (Outcome.REJECTED, "reconnect_needed")
    assert len(bridge.office.logins) - before == 1


async def test_after_three_refused_logins_nobody_asks_for_ten_minutes_in_any_gateway(
    bridge: Bridge, open_more: OpenMore, capsys: pytest.CaptureFixture[str]
) -> None:
    await bridge.registered("a wrong secret")
    houses = [bridge.house, await open_more()]
    for at in range(30):
        with pytest.raises(NoSession):
            await houses[at % 2].rooms.networks.sessions.token(LIVE)
        bridge.clock.move(seconds=5)
    assert len(bridge.office.logins) == 3
    with pytest.raises(LockedOut) as locked:
        await token_of(bridge)
    assert "3 times in a row (bad_credentials)" in str(locked.value)
    bridge.clock.move(minutes=10)
    for _ in range(5):
        with pytest.raises(NoSession):
            await token_of(bridge)
    assert len(bridge.office.logins) == 4  # one, and the ten minutes begin anew
    await bridge.registered()
    bridge.clock.move(minutes=9)
    with pytest.raises(LockedOut):
        await token_of(bridge)
    bridge.clock.move(minutes=2)
    assert await token_of(bridge)
    assert len(bridge.office.logins) == 5


async def test_a_hundred_callers_at_once_cannot_lock_the_registration(bridge: Bridge, open_more: OpenMore) -> None:
    await bridge.registered("a wrong secret")
    houses = [bridge.house, await open_more(), await open_more()]
    for _ in range(4):
        asked = [houses[at % 3].rooms.networks.sessions.token(LIVE) for at in range(100)]
        assert all(isinstance(each, NoSession) for each in await asyncio.gather(*asked, return_exceptions=True))
        bridge.clock.move(seconds=20)
    assert len(bridge.office.logins) == 3


async def test_the_doctor_says_that_the_network_refuses_us(bridge: Bridge) -> None:
    store = bridge.house.rooms.store
    await token_of(bridge)
    assert await sessions_at(store, bridge.clock()) == f"{LIVE}: in session"
    bridge.clock.move(hours=1)
    await bridge.registered("a wrong secret")
    for _ in range(3):
        with pytest.raises(NoSession):
            await token_of(bridge)
        bridge.clock.move(seconds=20)
    with pytest.raises(Exception, match="postbox@live refused"):
        await sessions_at(store, bridge.clock())


async def test_a_network_that_is_out_of_order_locks_nothing_and_is_asked_seldom(bridge: Bridge) -> None:
    bridge.office.failing = 503
    for _ in range(60):
        with pytest.raises(NoSession):
            await token_of(bridge)
        bridge.clock.move(seconds=1)
    assert 3 <= len(bridge.office.logins) <= 8
    bridge.office.failing = None
    bridge.clock.move(minutes=2)
    assert await token_of(bridge)


async def test_a_gateway_that_is_killed_while_it_logs_in_counts_as_refused(
    bridge: Bridge, place: str, fresh_dsn: str, tmp_path: Path
) -> None:
    for _ in range(3):
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.gateway.network.killed", fresh_dsn, str(tmp_path), place,
            bridge.clock().isoformat(), "login", cwd=Path(__file__).parents[3],
        )  # fmt: skip
        assert await asyncio.wait_for(program.wait(), 40) == -signal.SIGKILL
    assert len(bridge.office.logins) == 3
    with pytest.raises(LockedOut, match="unanswered"):
        await token_of(bridge)
    bridge.clock.now += LOCKED
    assert await token_of(bridge)  # and no turn is left behind
    async with bridge.house.rooms.store.tenant(OPERATOR) as session:
        assert await session.fetchval("SELECT refused FROM network_sessions") == 0


async def test_no_session_can_be_read_in_the_database(bridge: Bridge, fresh_dsn: str) -> None:
    token = await token_of(bridge)
    owner = await asyncpg.connect(fresh_dsn)
    dumped = str(await owner.fetch("SELECT s::text, encode(sealed, 'escape') FROM network_sessions s"))
    await owner.close()
    assert token not in dumped
    assert token.encode().hex() not in dumped


async def test_without_a_registration_a_call_says_what_the_operator_has_to_do(open_more: OpenMore) -> None:
    house = await open_more()
    with pytest.raises(Conflict) as refused:
        await house.rooms.networks.sessions.token(LIVE)
    assert "gateway clients add postbox --environment live" in refused.value.fix
