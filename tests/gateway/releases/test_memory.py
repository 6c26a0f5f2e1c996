"""A large record on the whole way, over HTTP: handed over, linked, asked for, pushed; pushing it costs next to no memory."""

from __future__ import annotations

import asyncio
import hashlib
import random
import threading
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import orjson
import psutil
import pytest

from connectors.abdm.sandbox import FACILITY, PATIENT, create
from connectors.abdm.simulator.artefacts import Wanted
from connectors.abdm.simulator.clock import stamp
from connectors.abdm.simulator.network import CLIENT, Network
from connectors.abdm.simulator.quirks import Quirks
from connectors.abdm.simulator.transfers import Transfer
from gateway import keyfiles
from gateway.app import opened
from gateway.calls import Actor
from gateway.config import Settings
from gateway.demo import EVERYTHING
from gateway.flows.network.facility import link_facility
from gateway.oauth.clients import Client
from gateway.serve import listening, serving
from scopes.grant import Grant
from tests.gateway.network.program import gateway

MB = 1 << 20
HIU = "HIU-LAB"
ON_NOTIFY = "/api/hiecm/consent/v3/request/hip/on-notify"
MOST_BYTES = 4 * MB
"""One copy of the smaller record, as it is kept or as it is sealed, is more than twice as much."""
_LOOK_SECONDS = 0.004


@dataclass
class Played:
    """A clinic at the network, whose gateway is a program; `key` is its host's."""

    network: Network
    key: str
    dsn: str
    folder: Path

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[tuple[httpx2.AsyncClient, psutil.Process]]:
        """A gateway that has just started, where the network calls, and the host's way in."""
        assert self.network.served_at is not None
        async with gateway(self.dsn, self.folder, "abdm", self.network.served_at) as (url, process):
            self.network.register(f"{url}/abdm")
            headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
            async with httpx2.AsyncClient(base_url=url, timeout=120, headers=headers) as client:
                yield client, process

    async def hands_over(self, client: httpx2.AsyncClient, reference: str, file: bytes) -> str:
        """A visit with a file, linked; what the network knows it by."""
        at = datetime.now(UTC) - timedelta(days=1)
        record = {
            "patient": {"name": "Asha Rao", "gender": "female", "abha_address": PATIENT},
            "author": {"name": "Dr Meera Nair", "registration": "KMC-1234"},
            "written_at": at.isoformat(),
            "files": [{"title": "Old file", "media_type": "application/pdf", "data": b64encode(file).decode()}],
        }
        visit = {
            "connector": "abdm", "subject": "patient-1", "reference": reference, "display": "Old papers",
            "documents": [{"kind": "HealthDocumentRecord", "record": record}],
        }  # fmt: skip
        said = await client.post("/v1/care-contexts", content=orjson.dumps(visit), headers=_once())
        assert said.status_code == 201, said.text[:2000]
        context = str(said.json()["id"])
        async with asyncio.timeout(60):
            while (await client.get(f"/v1/care-contexts/{context}")).json()["link"]["state"] != "linked":
                await asyncio.sleep(0.2)
        return context

    async def pushed(self, context: str) -> Transfer:
        """The patient consents to one visit, an HIU asks for it, and the network hears how it went."""
        now, month = self.network.clock.outside(), 30 * 86_400
        wanted = Wanted(
            "CAREMGT", since=stamp(now - month), until=stamp(now + 86_400), erase_at=stamp(now + month),
            references=(context,),
        )  # fmt: skip
        heard = len(self.network.heard(ON_NOTIFY))
        [artefact] = await self.network.grant(self.network.ask_consent(PATIENT, HIU, wanted).id)
        await self.network.until(lambda: len(self.network.heard(ON_NOTIFY)) > heard, 20)
        transfer = await self.network.request_records(artefact.id)
        await self.network.until(lambda: bool(transfer.statuses), 120)
        assert transfer.statuses == {context: "OK"}, transfer
        return transfer


@pytest.fixture
async def played(fresh_dsn: str, tmp_path: Path) -> AsyncIterator[Played]:
    """The network, on the wall's clock, and a clinic in it with a patient's host."""
    app = create(quirks=Quirks(push_needs_token=True, mixed_peer_keys=True))
    network: Network = app.state.sandbox
    network.add_hiu(HIU, "City Laboratory")
    network.latency_seconds = 0.1
    settings = Settings.from_environment({}, data_dir=tmp_path, database_url=fresh_dsn)
    keyfiles.make(settings)
    async with serving(app, listening("127.0.0.1", 0)) as place:
        network.served_at = place
        async with opened(settings, sandboxes={"abdm": place}) as house:
            rooms = house.rooms
            await rooms.oauth.clients.add("abdm@sbx", Client(*CLIENT))
            actor = Actor("system", "test", await rooms.connections.create_tenant("Lake Clinic"), EVERYTHING)
            linked = await link_facility(actor.tenant, "abdm", FACILITY, rooms)
            features = frozenset(rooms.registry.connector("abdm").manifest.features)
            await rooms.connections.grant(
                actor, linked.connection.id, Grant(features), lambda name: rooms.registry.connectors[name].manifest
            )
            key, _ = await house.callers.create_key(actor, "host", actor.scopes)
        yield Played(network, key, fresh_dsn, tmp_path)


def _once() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


@contextmanager
def watched(process: psutil.Process) -> Iterator[list[int]]:
    """How much memory a process has beyond what it has now, at most: one number, once the block has ended."""
    found, before, ended = [0], process.memory_info().rss, threading.Event()

    def look() -> None:
        while not ended.wait(_LOOK_SECONDS):
            found[0] = max(found[0], process.memory_info().rss - before)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "size", [pytest.param(8 * MB, id="8 MB"), pytest.param(50 * MB, id="50 MB", marks=pytest.mark.endure)]
)
async def test_pushing_a_large_record_costs_next_to_no_memory(played: Played, size: int) -> None:
    """The gateway that pushes has never held the record: memory that registering left behind would hide what pushing takes."""
    file = b"%PDF-1.4\n" + random.Random(7).randbytes(size)
    patient: dict[str, Any] = {
        "subject": "patient-1", "name": "Asha Rao", "gender": "F", "year_of_birth": 1984, "address": PATIENT,
    }  # fmt: skip
    async with played.gateway() as (client, _):
        said = await client.put("/v1/patients", content=orjson.dumps(patient), headers=_once())
        assert said.status_code == 200, said.text
        small = await played.hands_over(client, "visit-1", file[: MB // 2])
        large = await played.hands_over(client, "visit-2", file)
        [kept] = (await client.get(f"/v1/care-contexts/{large}")).json()["documents"]
    async with played.gateway() as (_, process):
        await played.pushed(small)  # whatever the first push of a process loads
        with watched(process) as grown:
            transfer = await played.pushed(large)
    [received] = transfer.entries
    assert received.plain is not None
    assert hashlib.sha256(received.plain).digest() == b64decode(kept["sha256"])
    assert kept["bytes"] > size * 4 // 3
    assert [fault.what for fault in transfer.faults] == []
    assert grown[0] < MOST_BYTES
