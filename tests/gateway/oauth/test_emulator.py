"""The whole way against an independent emulator of Google and Entra, through google-auth and msal: connect, refresh, revoke."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from connectors.folder import HERE
from gateway import keyfiles
from gateway.app import House, opened
from gateway.calls import Actor
from gateway.config import Settings
from gateway.flows import authorize, tokens
from gateway.flows.connect import Wish, begin
from gateway.flows.leave import REVOKED, revoke
from gateway.oauth.answer import GrantEnded
from gateway.oauth.clients import Client
from scopes.vocabulary import ConnectionState
from tests.gateway.listener import Clock
from tests.gateway.oauth.emulator import CLIENT, Emulator, emulating, write_connectors
from tests.gateway.oauth.house import BOTH, PUBLIC, Oauth, gone, new_actor, returned

VENDORS = pytest.mark.parametrize("vendor", ["google", "microsoft"])


@pytest.fixture
async def emulator(tmp_path: Path) -> AsyncIterator[Emulator]:
    """The emulator."""
    async with emulating(tmp_path) as emulator:
        yield emulator


@pytest.fixture
async def oauth(emulator: Emulator, fresh_dsn: str, tmp_path: Path) -> AsyncIterator[Oauth]:
    """A gateway that is registered there, and a clinic."""
    write_connectors(tmp_path / "root")
    settings = Settings.from_environment({}, data_dir=tmp_path, database_url=fresh_dsn, public_url=PUBLIC)
    keyfiles.make(settings)
    places = {"plan/google": emulator.google, "plan/microsoft": emulator.microsoft}
    clock = Clock(datetime.now(UTC))
    async with opened(settings, sandboxes=places, connectors=[HERE, tmp_path / "root"], clock=clock) as house:
        for connector in places:
            await house.rooms.oauth.clients.add(connector, Client(*CLIENT))
        yield Oauth(house, {}, clock, await new_actor(house))


async def begun(house: House, actor: Actor, vendor: str) -> str:
    """The link of a new connection."""
    made = await begin(actor, Wish(connector=f"plan/{vendor}", features=BOTH), house.rooms)
    return str(made.address)


@VENDORS
async def test_connect_refresh_and_revoke(oauth: Oauth, emulator: Emulator, vendor: str) -> None:
    connector, rooms = f"plan/{vendor}", oauth.house.rooms
    address = await begun(oauth.house, oauth.actor, vendor)
    async with oauth.browser() as browser:
        back = await emulator.signed_in(await gone(browser, address))
        assert back.startswith(f"{PUBLIC}/oauth/callback?")
        answer = await returned(browser, back)
        assert answer.status_code == 200, answer.text
        assert (await returned(browser, back)).status_code == 404
    connection = await oauth.now(connector)
    assert (connection.state, connection.provider_scopes) == (ConnectionState.ACTIVE, {"events", "freebusy"})
    first = await tokens.bearer(connection, rooms)

    oauth.clock.move(minutes=59, seconds=30)
    second = await tokens.bearer(connection, rooms)
    assert second != first
    row = await oauth.row(connection)
    assert (row.generation, row.begun_at, row.failing_days) == (2, None, 0)

    held = await rooms.oauth.tokens.held(await oauth.now(connector))
    assert held is not None
    await revoke(oauth.actor, connection.id, rooms)
    assert (await oauth.notices())[0] == (REVOKED, {"connector": connector, "vendor": "revoked"})
    found = await tokens.vendor_of(connector, None, rooms)
    with pytest.raises(GrantEnded) as ended:
        await found.by_refresh(str(held.refresh), scopes=frozenset({"events"}), now=oauth.clock())
    assert ended.value.code == "invalid_grant"


@VENDORS
async def test_a_code_with_another_verifier_and_a_code_for_the_second_time_are_refused(
    oauth: Oauth, emulator: Emulator, vendor: str
) -> None:
    connector, rooms = f"plan/{vendor}", oauth.house.rooms
    address = await begun(oauth.house, oauth.actor, vendor)
    async with oauth.browser() as browser:
        stolen = dict(parse_qsl(urlsplit(await emulator.signed_in(await gone(browser, address))).query))["code"]
        address = await authorize.again(oauth.actor, await oauth.now(connector), rooms)
        back = await emulator.signed_in(await gone(browser, address))
        answer = await returned(browser, back, code=stolen)  # its verifier is the first attempt's
        assert answer.status_code == 400
        assert "code_refused.invalid_grant" in answer.text

        address = await authorize.again(oauth.actor, await oauth.now(connector), rooms)
        back = await emulator.signed_in(await gone(browser, address))
        assert (await returned(browser, back)).status_code == 200
        used = dict(parse_qsl(urlsplit(back).query))["code"]
        address = await authorize.again(oauth.actor, await oauth.now(connector), rooms)
        back = await emulator.signed_in(await gone(browser, address))
        assert (await returned(browser, back, code=used)).status_code == 400


@VENDORS
async def test_another_address_to_come_back_to_is_refused_there(oauth: Oauth, emulator: Emulator, vendor: str) -> None:
    address = await begun(oauth.house, oauth.actor, vendor)
    async with oauth.browser() as browser, httpx2.AsyncClient() as web:
        page = await gone(browser, address)
        moved = page.replace("oauth%2Fcallback", "oauth%2Fcallback%2Fx")
        assert moved != page
        assert "not registered" in (await web.get(moved)).text
