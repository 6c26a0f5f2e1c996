"""The bridge against the simulator of ABDM, with its quirks: linked, moved, heard late and once, and locked by nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.abdm.sandbox import FACILITY, PATIENT, create
from connectors.abdm.simulator.clock import Clock
from connectors.abdm.simulator.network import CLIENT, Network
from connectors.abdm.simulator.quirks import Quirks
from gateway import keyfiles
from gateway.app import opened
from gateway.calls import Actor
from gateway.config import Settings
from gateway.flows.network.bridge import look
from gateway.flows.network.facility import link_facility, move
from gateway.flows.network.reading import read_letter
from gateway.network.sessions import NoSession
from gateway.oauth.clients import Client
from gateway.serve import listening, serving, url_of
from scopes.vocabulary import ConnectionState
from tests.gateway.house import Clinic
from tests.gateway.listener import Clock as OurClock
from tests.gateway.network.house import Bridge
from tests.gateway.network.office import Office

LINE = "abdm@sbx"
QUIRKS = (
    "late_repeat", "login_lock", "strict_clock", "request_id_once", "session_expiry", "certs_behind_token",
    "suffixed_service_ids", "error_shapes",
)  # fmt: skip


@pytest.fixture
async def played(fresh_dsn: str, tmp_path: Path) -> AsyncIterator[tuple[Bridge, Network, str]]:
    """A gateway on a socket, registered at the simulator; both go by the simulator's clock."""
    app = create(clock=Clock(datetime(2027, 1, 4, 9, 0, tzinfo=UTC)), quirks=Quirks(**dict.fromkeys(QUIRKS, True)))
    network: Network = app.state.sandbox
    listener = listening("127.0.0.1", 0)
    url = url_of(listener)
    settings = Settings.from_environment({}, data_dir=tmp_path, database_url=fresh_dsn, public_url=url)
    keyfiles.make(settings)
    async with (
        serving(app, listening("127.0.0.1", 0)) as place,
        opened(settings, sandboxes={"abdm": place}, clock=network.today) as house,
        serving(house.web, listener),
    ):
        await house.rooms.oauth.clients.add(LINE, Client(*CLIENT))
        yield Bridge(house, Office(OurClock()), OurClock()), network, url


async def linked(bridge: Bridge) -> Clinic:
    tenant = await bridge.house.rooms.connections.create_tenant("Lake Clinic")
    made = await link_facility(tenant, "abdm", FACILITY, bridge.house.rooms)
    return Clinic(Actor("system", "test", tenant, ()), made.connection)


async def test_a_patients_question_comes_late_and_once_to_the_clinic_whose_service_it_names(
    played: tuple[Bridge, Network, str],
) -> None:
    bridge, network, url = played
    rooms = bridge.house.rooms
    clinic = await linked(bridge)
    assert clinic.connection.account == f"{FACILITY}_1"
    line = rooms.networks.lines[LINE]
    assert [str(fault) for fault in (await look(line, rooms)).drift.bridge] == ["url_missing"]
    assert await move(line, rooms) == f"{url}/abdm"
    assert not (await look(line, rooms)).drift
    await rooms.connections.set_state(clinic.actor, clinic.connection.id, ConnectionState.SUSPENDED)
    asked = asyncio.ensure_future(network.discover(PATIENT, str(clinic.connection.account)))
    await network.until(lambda: bool(network.told and network.told[-1].status is not None), 10)
    assert network.told[-1].status == 503
    await rooms.connections.set_state(clinic.actor, clinic.connection.id, ConnectionState.ACTIVE)
    await network.clock.advance(17 * 60)
    assert network.told[-1].status == 202
    (row,) = await bridge.letters(clinic)
    assert row["late_seconds"] > 0
    (job,) = await bridge.jobs(clinic.tenant)
    await read_letter(job, rooms, {})
    (row,) = await bridge.letters(clinic)
    assert (row["sealed"], row["ended"]) == (None, "untaken")
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)


async def test_a_wrong_registration_never_reaches_the_lock_of_the_network(played: tuple[Bridge, Network, str]) -> None:
    bridge, network, _ = played
    await bridge.house.rooms.oauth.clients.add(LINE, Client(CLIENT[0], "a wrong secret"))
    for _ in range(60):
        with pytest.raises(NoSession):
            await bridge.house.rooms.networks.sessions.token(LINE)
        await network.clock.advance(10)
    assert network.bad_logins == 3
    assert network.locked_until == 0
