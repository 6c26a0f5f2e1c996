"""Tokens in use: renewed once however many wait, kept through a vendor's trouble, lost only with a word about it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from connectors.contract import ReconnectNeeded
from gateway.app import House
from gateway.errors import Refused
from gateway.flows import tokens
from gateway.flows.broker import broker
from gateway.flows.tokens import NoToken, renew_due
from gateway.ledger.writer import StandingChanged
from gateway.oauth.tokens import Tokens
from gateway.webhooks.kinds import RECONNECT_NEEDED
from scopes.vocabulary import ConnectionState, Outcome
from tests.gateway.house import Clinic, OpenHouse, connected, entries_of
from tests.gateway.oauth.conftest import OpenMore, Sandboxes
from tests.gateway.oauth.house import CALENDAR, ROSTER, Oauth

CALLERS = 50


def refreshes(oauth: Oauth) -> int:
    """How often the calendar was asked for the next token."""
    return len([form for form in oauth.server.asked if form["grant_type"] == "refresh_token"])


async def called(houses: Sequence[House], oauth: Oauth, times: int) -> list[Outcome]:
    """Many calls at once, spread over gateways."""
    calls = (broker(oauth.call(), houses[at % len(houses)].rooms) for at in range(times))
    return [answer.outcome for answer in await asyncio.gather(*calls)]


async def refused_for(oauth: Oauth) -> str:
    """Why a call is refused."""
    with pytest.raises(Refused) as refused:
        await broker(oauth.call(), oauth.house.rooms)
    return refused.value.reasons[0].what


async def test_fifty_calls_at_the_moment_a_token_runs_out_ask_for_one(oauth: Oauth) -> None:
    await oauth.connected()
    oauth.clock.move(seconds=3600 - 30)
    assert await called([oauth.house], oauth, CALLERS) == [Outcome.ACCEPTED] * CALLERS
    assert refreshes(oauth) == 1
    assert await called([oauth.house], oauth, 3) == [Outcome.ACCEPTED] * 3
    assert refreshes(oauth) == 1


async def test_so_do_fifty_calls_at_three_gateways(oauth: Oauth, open_more: OpenMore) -> None:
    houses = [oauth.house, await open_more(), await open_more()]
    await oauth.connected()
    assert await called(houses, oauth, 6) == [Outcome.ACCEPTED] * 6
    oauth.clock.move(hours=2)
    assert await called(houses, oauth, CALLERS) == [Outcome.ACCEPTED] * CALLERS
    assert refreshes(oauth) == 1
    connection = await oauth.now()
    assert (await oauth.row(connection)).generation == 2


async def test_an_application_s_token_is_asked_for_once_too(oauth: Oauth) -> None:
    await oauth.connected(ROSTER)
    asked = len(oauth.servers[ROSTER].asked)
    oauth.clock.move(hours=2)
    answers = await asyncio.gather(*(broker(oauth.call("look", ROSTER), oauth.house.rooms) for _ in range(CALLERS)))
    assert {answer.outcome for answer in answers} == {Outcome.ACCEPTED}
    assert len(oauth.servers[ROSTER].asked) == asked + 1


async def test_a_caller_that_gives_up_takes_the_token_from_nobody(oauth: Oauth) -> None:
    connection = await oauth.connected()
    oauth.clock.move(hours=2)
    first = asyncio.ensure_future(tokens.bearer(connection, oauth.house.rooms))
    second = asyncio.ensure_future(tokens.bearer(connection, oauth.house.rooms))
    await asyncio.sleep(0)
    first.cancel()
    assert await second
    assert refreshes(oauth) == 1


async def test_tokens_are_renewed_ahead_of_time_and_the_calls_notice_nothing(oauth: Oauth) -> None:
    connection = await oauth.connected()
    assert await renew_due(oauth.house.rooms) == 0
    oauth.clock.move(minutes=51)
    assert await renew_due(oauth.house.rooms) == 1
    assert await renew_due(oauth.house.rooms) == 0
    assert refreshes(oauth) == 1
    oauth.clock.move(minutes=30)
    assert await called([oauth.house], oauth, 2) == [Outcome.ACCEPTED] * 2
    assert refreshes(oauth) == 1
    await oauth.house.rooms.connections.set_state(oauth.actor, connection.id, ConnectionState.SUSPENDED)
    oauth.clock.move(hours=30)
    assert await renew_due(oauth.house.rooms) == 0
    oauth.clock.move(days=8)
    assert await renew_due(oauth.house.rooms) == 1  # now and then, so that the grant does not lapse


async def test_no_token_can_be_read_in_the_database(oauth: Oauth, fresh_dsn: str) -> None:
    connection = await oauth.connected()
    held = await oauth.house.rooms.oauth.tokens.held(connection)
    assert held is not None
    owner = await asyncpg.connect(fresh_dsn)
    dumped = ""
    for table in ("oauth_tokens", "oauth_attempts", "oauth_clients", "connections", "entries", "notices"):
        dumped += str(await owner.fetch(f"SELECT {table}::text FROM {table}"))
        dumped += str([bytes(row[0] or b"") for row in await owner.fetch("SELECT sealed FROM oauth_tokens")])
    await owner.close()
    for secret in (held.access, str(held.refresh), "calendar-secret"):
        assert secret not in dumped
        assert secret.encode().hex() not in dumped
    assert held.access not in repr(held)


async def test_a_vendor_in_trouble_is_asked_seldom_and_kills_no_connection_in_three_days(oauth: Oauth) -> None:
    connection = await oauth.connected()
    oauth.server.answers.failing = (503, "temporarily_unavailable")
    oauth.clock.move(minutes=59, seconds=30)
    assert await called([oauth.house], oauth, 3) == [Outcome.ACCEPTED] * 3  # what there is lasts just long enough
    oauth.clock.move(seconds=31)
    for _ in range(20):
        with pytest.raises(NoToken):
            await broker(oauth.call(), oauth.house.rooms)
    assert refreshes(oauth) <= 3
    for _ in range(3 * 24 - 11):
        oauth.clock.move(hours=1)
        await renew_due(oauth.house.rooms)
    assert not (await oauth.now()).reconnect_needed
    assert (await oauth.row(connection)).failing_days == 3
    oauth.server.answers.failing = None
    oauth.clock.move(hours=1)
    assert await called([oauth.house], oauth, 2) == [Outcome.ACCEPTED] * 2
    assert (await oauth.row(connection)).failing_days == 0


async def test_after_four_failing_days_somebody_must_connect_again(oauth: Oauth) -> None:
    await oauth.connected()
    oauth.server.answers.failing = (500, "server_error")
    for _ in range(4):
        assert not (await oauth.now()).reconnect_needed
        oauth.clock.move(days=1)
        await renew_due(oauth.house.rooms)
    assert (await oauth.now()).reconnect_reason == "vendor_failing"
    assert await refused_for(oauth) == "reconnect_needed"


async def test_a_registration_that_the_vendor_refuses_ends_no_clinic_s_grant(oauth: Oauth) -> None:
    await oauth.connected()
    oauth.server.answers.failing = (401, "invalid_client")
    oauth.clock.move(hours=2)
    with pytest.raises(NoToken):
        await broker(oauth.call(), oauth.house.rooms)
    assert not (await oauth.now()).reconnect_needed


async def test_a_grant_that_has_ended_is_said_everywhere_and_never_asked_for_again(oauth: Oauth) -> None:
    connection = await oauth.connected()
    oauth.server.answers.failing = (400, "invalid_grant")
    oauth.clock.move(hours=2)
    assert await refused_for(oauth) == "reconnect_needed"
    asked = refreshes(oauth)
    for _ in range(5):
        oauth.clock.move(hours=7)
        assert await refused_for(oauth) == "reconnect_needed"
        assert await renew_due(oauth.house.rooms) == 0
    assert refreshes(oauth) == asked == 1
    now = await oauth.now()
    assert (now.state, now.reconnect_reason) == (ConnectionState.ACTIVE, "invalid_grant")
    assert (await oauth.row(connection)).sealed is None
    told = [notice for notice in await oauth.notices() if notice[0] == RECONNECT_NEEDED]
    assert told == [(RECONNECT_NEEDED, {"connector": CALENDAR, "reason": "invalid_grant"})]
    codes = [each.get("code") for each in await entries_of(oauth.house, oauth.tenant) if each["kind"] == "connection"]
    assert codes[-1] == "reconnect_needed.invalid_grant"
    assert await events_of(oauth) == [RECONNECT_NEEDED]


async def events_of(oauth: Oauth) -> list[str]:
    """The types of the events that were published."""
    async with oauth.house.rooms.store.tenant(oauth.tenant) as session:
        return [row[0] for row in await session.fetch("SELECT type FROM events ORDER BY id")]


async def test_after_connecting_again_calls_go_out_again(oauth: Oauth) -> None:
    await oauth.connected()
    oauth.server.answers.failing = (400, "invalid_grant")
    oauth.clock.move(hours=2)
    assert await refused_for(oauth) == "reconnect_needed"
    oauth.server.answers.failing = None
    from gateway.flows import authorize
    from tests.gateway.oauth.house import through

    address = await authorize.again(oauth.actor, await oauth.now(), oauth.house.rooms)
    async with oauth.browser() as browser:
        assert (await through(browser, address, oauth.server)).status_code == 200
    assert not (await oauth.now()).reconnect_needed
    assert await called([oauth.house], oauth, 2) == [Outcome.ACCEPTED] * 2


async def test_a_token_that_a_call_s_vendor_refuses_is_renewed_before_the_next_call_and_not_in_a_loop(
    oauth: Oauth,
) -> None:
    await oauth.connected()
    oauth.clock.move(minutes=20)
    for grant in oauth.server._grants:
        grant.tokens = dict.fromkeys(grant.tokens, 0.0)  # the vendor forgot them
    first = await broker(oauth.call(), oauth.house.rooms)
    assert (first.outcome, first.code) == (Outcome.REJECTED, ReconnectNeeded.kind)
    assert (await broker(oauth.call(), oauth.house.rooms)).outcome is Outcome.ACCEPTED
    assert refreshes(oauth) == 1
    for grant in oauth.server._grants:
        grant.tokens = dict.fromkeys(grant.tokens, 0.0)
    for _ in range(10):
        assert (await broker(oauth.call(), oauth.house.rooms)).outcome is Outcome.REJECTED
    assert refreshes(oauth) == 1  # one that is new was refused: another one would be, too
    oauth.clock.move(minutes=6)
    assert (await broker(oauth.call(), oauth.house.rooms)).outcome is Outcome.ACCEPTED


async def test_a_renewal_that_brings_less_leaves_features_off_and_one_that_brings_more_ends_it(oauth: Oauth) -> None:
    connection = await oauth.connected()
    grant = next(each for each in oauth.server._grants if each.refresh)
    grant.scopes = frozenset({"https://calendar.example/auth/freebusy"})
    oauth.clock.move(hours=2)
    assert await called([oauth.house], oauth, 1) == [Outcome.ACCEPTED]
    assert (await oauth.now()).provider_scopes == {"freebusy"}
    with pytest.raises(Refused) as refused:
        await broker(oauth.call("book"), oauth.house.rooms)
    assert str(refused.value.reasons[0].code) == "scope_missing"
    grant.scopes |= {"https://calendar.example/auth/everything"}
    oauth.clock.move(hours=2)
    assert await refused_for(oauth) == "reconnect_needed"
    assert (await oauth.now()).reconnect_reason == "scope_excess"
    assert (await oauth.row(connection)).sealed is None


async def test_a_call_with_a_key_asks_for_no_token(
    open_house: OpenHouse, clinic: Clinic, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(tokens, "bearer", never)
    monkeypatch.setattr(Tokens, "held", never)
    assert (await broker(clinic.call(), house.rooms)).outcome is Outcome.ACCEPTED
    assert await connected(house)


@pytest.mark.parametrize("takes_old", [True, False])
async def test_a_gateway_killed_between_the_vendor_s_rotation_and_its_own_commit_leaves_nothing_silent(
    oauth: Oauth, sandboxes: Sandboxes, fresh_dsn: str, tmp_path: Path, takes_old: bool
) -> None:
    connection = await oauth.connected()
    oauth.clock.move(hours=2)
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.gateway.oauth.killed", fresh_dsn, str(tmp_path), sandboxes[0][CALENDAR],
        str(oauth.tenant), oauth.clock().isoformat(), cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert await asyncio.wait_for(program.wait(), 60) == -signal.SIGKILL
    assert refreshes(oauth) == 1  # the vendor rotated, and whoever asked is gone
    row = await oauth.row(connection)
    assert row.begun_at is not None
    assert row.generation == 1

    oauth.server.answers.takes_old = takes_old
    if takes_old:
        assert await called([oauth.house], oauth, 5) == [Outcome.ACCEPTED] * 5
        assert (await oauth.row(connection)).begun_at is None
    else:
        assert await refused_for(oauth) == "reconnect_needed"
        assert (await oauth.now()).reconnect_reason == "rotation_lost"
        assert [kind for kind, _ in await oauth.notices()] == [RECONNECT_NEEDED]
    for _ in range(5):
        await renew_due(oauth.house.rooms)
    assert refreshes(oauth) == 2


async def test_an_answer_that_is_lost_on_the_way_is_asked_for_again_with_the_mark_of_the_first_time(
    oauth: Oauth, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await oauth.connected()
    oauth.clock.move(hours=2)

    async def breaks(*_: Any, **__: Any) -> Any:
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(tokens, "keep", breaks)
        with pytest.raises(OSError):  # noqa: PT011
            await tokens.bearer(connection, oauth.house.rooms)
    with pytest.raises(StandingChanged):
        await tokens.bearer(connection, oauth.house.rooms)
    assert (await oauth.now()).reconnect_reason == "rotation_lost"
