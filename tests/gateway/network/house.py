"""A gateway that is registered at the network of the tests, and clinics whose facilities are known there. No fixtures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2

from gateway.app import House
from gateway.calls import Call
from gateway.demo import EVERYTHING
from gateway.flows.connect import Wish, begin
from gateway.flows.network.facility import link_facility
from gateway.network.lines import Line
from gateway.oauth.clients import Client
from gateway.serve import listening, serving
from gateway.store import notices
from scopes.vocabulary import Purpose
from tests.gateway.house import Actor, Clinic
from tests.gateway.listener import Clock
from tests.gateway.network.office import CLIENT, Office

ROOT = Path(__file__).parent / "network_root"
NETWORK = "postbox"
LIVE, TRIAL = "postbox@live", "postbox@trial"
SETTINGS = {"environment": "live"}
PUBLIC = "https://gateway.example"


@dataclass
class Bridge:
    """A gateway, the network, and the clock of both."""

    house: House
    office: Office
    clock: Clock

    @property
    def line(self) -> Line:
        """The network's environment for patients."""
        return self.house.rooms.networks.lines[LIVE]

    async def registered(self, secret: str = CLIENT[1], *, line: str = LIVE) -> None:
        """Register the gateway, as its operator does."""
        await self.house.rooms.oauth.clients.add(line, Client(CLIENT[0], secret))

    async def clinic(self, facility: str | None = None, *, environment: str | None = None) -> Clinic:
        """A clinic that is connected, and whose facility the operator has linked, if one is given."""
        tenant = await self.house.rooms.connections.create_tenant("a clinic")
        actor = Actor("system", "test", tenant, EVERYTHING)
        if facility is not None:
            linked = await link_facility(tenant, NETWORK, facility, self.house.rooms, environment=environment)
            return Clinic(actor, linked.connection)
        wish = Wish(connector=NETWORK, features=frozenset({"answers"}), settings=SETTINGS)
        return Clinic(actor, (await begin(actor, wish, self.house.rooms)).connection)

    def call(self, clinic: Clinic, answers: str = "r-1") -> Call:
        """A call that would be let through."""
        return Call(clinic.actor, NETWORK, "answer", Purpose.TREAT, {"answers": answers}, "test")

    async def letters(self, clinic: Clinic) -> list[Any]:
        """What lies here of a clinic's letters, oldest first."""
        async with self.house.rooms.store.tenant(clinic.tenant) as session:
            return list(
                await session.fetch("SELECT * FROM network_letters WHERE tenant = $1 ORDER BY at", clinic.tenant)
            )

    async def jobs(self, tenant: UUID) -> list[bytes]:
        """The jobs in the queue that work a clinic's letters off."""
        async with self.house.rooms.store.nobody() as session:
            rows = await session.fetch("SELECT payload FROM pgqueuer WHERE entrypoint = 'letter' ORDER BY id")
        return [bytes(row[0]) for row in rows if bytes(row[0]).startswith(str(tenant).encode())]

    async def notices(self, tenant: UUID) -> list[notices.NoticeRow]:
        """What a clinic was told, newest first."""
        async with self.house.rooms.store.tenant(tenant) as session:
            return await notices.page(session, tenant, before=None, limit=50)

    @asynccontextmanager
    async def over_http(self) -> AsyncIterator[httpx2.AsyncClient]:
        """The network's way to the gateway, over a socket."""
        async with (
            serving(self.house.web, listening("127.0.0.1", 0)) as url,
            httpx2.AsyncClient(base_url=url, timeout=20) as client,
        ):
            yield client
