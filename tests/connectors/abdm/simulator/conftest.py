"""A network and an honest hospital in it, each on a socket of its own; the time is the tests' to move."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import ModuleType

import httpx2
import pytest

from connectors.abdm.simulator.app import serve
from connectors.abdm.simulator.clock import Clock
from connectors.abdm.simulator.keys import Keyring
from connectors.abdm.simulator.network import Network
from connectors.abdm.simulator.people import Patient
from connectors.abdm.simulator.transfers import Transfer
from gateway.serve import listening, serving
from tests.connectors.abdm.simulator import curve
from tests.connectors.abdm.simulator.hip import Hip, Record

KEYS = Keyring()
NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


def crypto() -> ModuleType:
    """What opens records at the HIU's end: the connector's own where it has it, which then proves itself against ours."""
    try:
        from connectors.abdm import crypto as landed
    except ImportError:
        return curve
    return landed


@dataclass
class World:
    """The network, the hospital, one patient, and the shortest ways through them."""

    network: Network
    hip: Hip
    asha: Patient
    url: str
    hospital: str

    @property
    def clock(self) -> Clock:
        return self.network.clock

    async def go(self, seconds: float = 10) -> None:
        """Let time go by until nothing is left of what it brought."""
        await self.clock.advance(seconds)
        await self.hip.settled()

    async def token(self) -> str:
        """A link token for the patient."""
        await self.hip.ask_token(self.asha.address)
        await self.go()
        return str(self.hip.told("on-generate-token")[-1].body["linkToken"])

    async def linked(self, *records: Record) -> None:
        """These records, linked by the hospital."""
        self.hip.records += records
        assert (await self.hip.link(self.asha.address, await self.token(), *records)).status_code == 202
        await self.go()

    async def finished(self, transfer: Transfer) -> Transfer:
        """A transfer that is over."""
        await self.hip.settled()
        return transfer

    def faults(self, path: str) -> list[tuple[str, str]]:
        """What is wrong with the last request under a path."""
        return [(each.section, each.what) for each in self.network.heard(path)[-1].faults]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A network with one patient and one hospital, which has signed in and registered its bridge."""
    network = Network(clock=Clock(NOW), crypto=crypto(), keys=KEYS, chance=random.Random(7))
    facility = network.add_facility("Lake Clinic", hfr_id="IN2910000123")
    network.add_hiu("IN2910000999", "Hill Hospital")
    asha = network.add_patient(
        "Asha Rao", mobile="9876543210", year_of_birth=1984, address="asha.rao@sbx", aadhaar="234123412346"
    )
    async with serving(serve(network), listening("127.0.0.1", 0)) as url:
        hip = Hip(url, network.clock.outside, facility.service_id)
        async with serving(hip.app, listening("127.0.0.1", 0)) as hospital, hip.http:
            assert (await hip.sign_in()).status_code == 200
            assert (await hip.register(hospital)).status_code == 202
            yield World(network, hip, asha, url, hospital)


@pytest.fixture
async def browser(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    """A person's browser, or another program's client, at the network."""
    async with httpx2.AsyncClient(base_url=world.url, timeout=20, trust_env=False, follow_redirects=True) as client:
        yield client
