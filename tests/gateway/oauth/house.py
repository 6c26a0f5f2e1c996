"""A gateway with two vendors that are connected by OAuth, and the people who do that in a browser. No fixtures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import httpx2

from connectors.sandbox_oauth import OAuthServer
from gateway.app import House
from gateway.calls import Actor, Call
from gateway.connections import Connection
from gateway.demo import EVERYTHING
from gateway.flows.connect import Begun, Wish, begin
from gateway.oauth.clients import Client
from gateway.store import notices
from gateway.store import oauth as rows
from scopes.vocabulary import Purpose
from tests.conformance.test_every_connector import OAUTH_ROOT
from tests.gateway.listener import Clock

PUBLIC = "https://gateway.example"
CALENDAR, ROSTER = "plan/calendar", "plan/roster"
DIRECTORY = "6f0c8a52-3f1e-4d7b-9a55-0d6f1a2b3c4d"
BOTH = frozenset({"free_times", "bookings"})
__all__ = ["OAUTH_ROOT"]


@dataclass
class Oauth:
    """A gateway, its vendors' OAuth servers, and one clinic at it."""

    house: House
    servers: Mapping[str, OAuthServer]
    clock: Clock
    actor: Actor

    @property
    def server(self) -> OAuthServer:
        """The calendar's."""
        return self.servers[CALENDAR]

    @property
    def tenant(self) -> UUID:
        """The clinic."""
        return self.actor.tenant

    def browser(self) -> httpx2.AsyncClient:
        """Somebody's browser: keeps cookies, and goes nowhere by itself."""
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.house.web), base_url=PUBLIC)

    async def begin(self, connector: str = CALENDAR, features: frozenset[str] = BOTH, **given: Any) -> Begun:
        """Begin to connect."""
        if connector == ROSTER:
            given = {"account": DIRECTORY, **given}
            features = frozenset({"shifts", "planning"}) if features == BOTH else features
        return await begin(self.actor, Wish(connector=connector, features=features, **given), self.house.rooms)

    async def connected(self, connector: str = CALENDAR, features: frozenset[str] = BOTH) -> Connection:
        """Connect, all the way."""
        made = await self.begin(connector, features)
        async with self.browser() as browser:
            answer = await through(browser, str(made.address), self.servers[connector])
            assert answer.status_code == 200, answer.text
        return await self.now(connector)

    async def now(self, connector: str = CALENDAR) -> Connection:
        """The connection as it stands."""
        clinic = await self.house.rooms.connections.present(self.tenant)
        return clinic.connection(connector)

    async def row(self, connection: Connection) -> rows.TokensRow:
        """Its tokens as they are stored."""
        async with self.house.rooms.store.tenant(self.tenant) as session:
            found = await rows.tokens(session, self.tenant, connection.id)
        assert found is not None
        return found

    async def notices(self) -> list[tuple[str, dict[str, Any]]]:
        """What the clinic was told, newest first."""
        async with self.house.rooms.store.tenant(self.tenant) as session:
            return [
                (row.kind, dict(row.detail)) for row in await notices.page(session, self.tenant, before=None, limit=50)
            ]

    def call(self, action: str = "look", connector: str = CALENDAR) -> Call:
        """A call that would be let through."""
        return Call(self.actor, connector, action, Purpose.HOPERAT, {"reference": "appt_7Hq2ZkW9"}, "test")


async def registered(house: House, servers: Mapping[str, OAuthServer]) -> None:
    """Register the gateway at each vendor, as its operator does."""
    for connector, server in servers.items():
        await house.rooms.oauth.clients.add(connector, Client(server.client[0], server.client[1]))


async def new_actor(house: House) -> Actor:
    """Somebody of a clinic that has connected nothing yet."""
    return Actor("system", "test", await house.rooms.connections.create_tenant("Clinic <One>"), EVERYTHING)


async def gone(browser: httpx2.AsyncClient, address: str, **pressed: str) -> str:
    """Open the link and press the button; where the vendor's page is."""
    page = await browser.get(address)
    assert page.status_code == 200, page.text
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
    sent = await browser.post("/oauth/start", data={**form, **pressed})
    assert sent.status_code == 303, sent.text
    return sent.headers["location"]


async def through(browser: httpx2.AsyncClient, address: str, server: OAuthServer, **changed: str) -> httpx2.Response:
    """The whole way of somebody who says yes; of the vendor's answer, what is given otherwise."""
    back = server.approve(await gone(browser, address))
    return await returned(browser, back, **changed)


async def returned(browser: httpx2.AsyncClient, back: str, **changed: str) -> httpx2.Response:
    """Come back from the vendor; a parameter that is changed to nothing is left out."""
    told = {**dict(parse_qsl(urlsplit(back).query)), **changed}
    return await browser.get("/oauth/callback", params={name: value for name, value in told.items() if value})
