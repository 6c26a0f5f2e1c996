"""Each certification case of the second milestone passes with every quirk of the network on, and the gateway killed meanwhile."""

from __future__ import annotations

import asyncio
import random
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.abdm.sandbox import FACILITY, FACILITY_NAME
from connectors.abdm.simulator.cases import cases_for
from connectors.abdm.simulator.cases_cast import Cast, Person
from connectors.abdm.simulator.cases_hospital import ByApi
from connectors.abdm.simulator.cases_run import network_for
from connectors.abdm.simulator.cases_stage import Case, Stage, Verdict, certify
from connectors.abdm.simulator.clock import WallClock
from connectors.abdm.simulator.network import Network
from connectors.messaging.twilio import sandbox as twilio_sandbox
from gateway import keyfiles
from gateway.app import opened
from gateway.config import Settings
from gateway.flows.connect import Wish, begin
from gateway.flows.network.facility import link_facility
from gateway.serve import listening, serving
from tests.gateway.network.certified import OFFSET, clock_of
from tests.gateway.network.ward import clinic

SETTINGS = {"environment": "sbx", "unnamed_recipient": "release"}
SEED = 20261130


class SharedClock(WallClock):
    """The wall's time, skipped ahead for the network and the gateway alike."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file
        self._put()

    def outside(self) -> float:
        """What the gateway's clock shows too."""
        return self.now()

    async def advance(self, seconds: float) -> None:
        """Skip ahead, for both."""
        await super().advance(seconds)
        self._put()

    def _put(self) -> None:
        draft = self._file.with_suffix(".new")
        draft.write_bytes(OFFSET.pack(self._skipped))
        draft.replace(self._file)


@dataclass
class Gateway:
    """A gateway that dies and comes again at one address."""

    command: str
    port: int
    kills: int = 0
    program: asyncio.subprocess.Process | None = None
    up: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self) -> None:
        """Start it; returns when it works."""
        self.program = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.gateway.network.certified", self.command,
            stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3],
        )  # fmt: skip
        assert self.program.stdout is not None
        said = await asyncio.wait_for(self.program.stdout.readline(), 60)
        assert said == b"ready\n", "the gateway did not start"
        self.up.set()

    async def kill(self) -> None:
        """End it the hard way."""
        self.up.clear()
        assert self.program is not None
        with suppress(ProcessLookupError):
            self.program.kill()
        await self.program.wait()

    async def dies(self, after_seconds: float) -> None:
        """Die after so much of a life, and come again."""
        async with self.turn:
            await self.up.wait()
            await asyncio.sleep(after_seconds)
            await self.kill()
            self.kills += 1
            await self.start()


@dataclass
class Texts:
    """The patient's phone."""

    sandbox: Any
    seen: int = 0

    async def before(self, person: Person) -> None:
        """What is there already."""
        self.seen = len(self.sandbox.messages)

    async def code(self, person: Person) -> str | None:
        """The code that came since."""
        new = [each.text for each in self.sandbox.messages[self.seen :] if each.to == person.mobile]
        return new[-1][:6] if new else None


@dataclass
class Trial:
    """Everything that cases are played with."""

    network: Network
    gateway: Gateway
    texts: Texts
    service_id: str
    api_key: str
    clock: SharedClock

    def stage(self, cast: Cast) -> Stage:
        """The stage of one run."""
        base = f"http://127.0.0.1:{self.gateway.port}"
        moved = [0, time.monotonic()]

        async def rest() -> None:
            """Time goes by while one waits: the faster, the longer nothing happened. It stands while the gateway is dead."""
            await asyncio.sleep(0.05)
            happened = len(self.network.requests) + len(self.network.told)
            if happened != moved[0]:
                moved[:] = [happened, time.monotonic()]
            quiet = time.monotonic() - moved[1]
            if self.gateway.up.is_set():
                under_way = any(each.state in ("asked", "acknowledged") for each in self.network.transfers.values())
                # Records have twenty minutes, of which a gateway that begins again must have some.
                await self.clock.advance(0.05 if quiet < 2 else 1.0 if under_way or quiet < 6 else 5.0)

        return Stage(
            self.network, f"{base}/abdm", self.service_id, cast, ByApi(base, self.api_key, self.clock.outside),
            self.texts, rest=rest, skip=self.clock.advance, patience=40, tries=4,
        )  # fmt: skip


@asynccontextmanager
async def trial(dsn: str, folder: Path, cast: Cast) -> AsyncIterator[Trial]:
    """A network, a gateway as a program, a clinic in it."""
    clock_file = folder / "clock"
    clock = SharedClock(clock_file)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    app, network, service_id = network_for(
        f"http://127.0.0.1:{port}/abdm", cast, facility=(FACILITY, FACILITY_NAME), clock=clock
    )
    texts = twilio_sandbox.create()
    async with (
        serving(app, listening("127.0.0.1", 0)) as abdm,
        serving(texts, listening("127.0.0.1", 0)) as twilio,
    ):
        sandboxes = {"abdm": abdm, "messaging/twilio": twilio}
        settings = Settings.from_environment({}, data_dir=folder, database_url=dsn)
        keyfiles.make(settings)
        async with opened(settings, sandboxes=sandboxes, clock=clock_of(clock_file)) as house:
            actor = await clinic(house)
            features = frozenset(house.rooms.registry.connector("abdm").manifest.features)
            await begin(actor, Wish(connector="abdm", features=features, settings=SETTINGS), house.rooms)
            await link_facility(actor.tenant, "abdm", FACILITY, house.rooms)
            lasts = house.rooms.clock() + timedelta(days=1)
            api_key, _ = await house.callers.create_key(actor, "test", actor.scopes, expires_at=lasts)
        command = {
            "dsn": dsn, "folder": str(folder), "sandboxes": sandboxes, "clock": str(clock_file), "port": port,
            "url": f"http://127.0.0.1:{port}",
        }  # fmt: skip
        gateway = Gateway(orjson.dumps(command).decode(), port)
        await gateway.start()
        try:
            yield Trial(network, gateway, Texts(texts.state.sandbox), service_id, api_key, clock)
        finally:
            await gateway.kill()


@pytest.mark.parametrize(
    ("rounds", "kills"),
    [
        pytest.param(1, 4, marks=[pytest.mark.endure, pytest.mark.timeout(400)]),
        pytest.param(1, 30, marks=[pytest.mark.endure, pytest.mark.timeout(3600)]),
    ],
    ids=["short", "long"],
)
async def test_every_case_passes_with_every_quirk_on_and_the_gateway_killed_at_random_moments(
    fresh_dsn: str, tmp_path: Path, rounds: int, kills: int
) -> None:
    async with trial(fresh_dsn, tmp_path, Cast.of("r0")) as at:
        for number in range(rounds):
            cast = Cast.of(f"r{number}")
            if number:
                cast.enter(at.network)
            await _check_round(at, at.stage(cast), kills, random.Random(SEED + number))


async def _check_round(at: Trial, stage: Stage, kills: int, chance: random.Random) -> None:
    """Play everything; each kill strikes a case drawn by lot, a moment after that begins."""
    cases, before = cases_for(stage), at.gateway.kills
    struck = Counter(chance.choice(cases).name for _ in range(kills))
    deaths: list[asyncio.Task[None]] = []

    def begun(case: Case) -> None:
        deaths.extend(asyncio.create_task(at.gateway.dies(chance.uniform(0, 0.4))) for _ in range(struck[case.name]))

    verdicts = await certify(stage, cases, lambda verdict: _show(verdict, at.gateway.kills), begun)
    await asyncio.gather(*deaths)
    assert {verdict.case.name: verdict.reasons for verdict in verdicts if not verdict.passed} == {}
    assert at.gateway.kills - before == kills


def _show(verdict: Verdict, kills: int) -> None:
    word = "passed" if verdict.passed else "FAILED"
    why = "; ".join(f"{fault.section} {fault.what}" for fault in verdict.reasons)
    print(f"{verdict.case.name}: {word}, try {verdict.tries}, {verdict.seconds:.1f} s, {kills} kills {why}")
