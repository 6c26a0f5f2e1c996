"""Kill -9 under load, at fifty random moments: nothing is sent without an intent, no intent stays without an outcome."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx2
import pytest

from gateway.ledger.checkpoint import Checkpoint, open_checkpoint
from gateway.ledger.merkle import verify_consistency
from tests.gateway.egress.vendor import Vendor
from tests.gateway.house import Clinic, OpenHouse, connected

MOMENTS = 50
MANY_MOMENTS = 500
CALLERS = 12
CALL = {
    "connector": "payments",
    "action": "create_payment_intent",
    "purpose": "HPAYMT",
    "payload": {"reference": "inv_7Hq2ZkW9", "amount_minor": 4250, "currency": "eur"},
}


@dataclass
class Witness:
    """What was seen from outside while the gateway lived."""

    api_key: str
    checkpoints: list[str] = field(default_factory=list)
    accepted: list[UUID] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        """Who calls."""
        return {"Authorization": f"Bearer {self.api_key}"}


@pytest.mark.parametrize(
    "moments",
    [
        pytest.param(MOMENTS, marks=pytest.mark.timeout(600)),
        pytest.param(MANY_MOMENTS, marks=[pytest.mark.endure, pytest.mark.timeout(3600)]),
    ],
)
async def test_a_gateway_killed_at_random_moments_loses_nothing(
    open_house: OpenHouse, vendor: Vendor, dsn: str, tmp_path: Path, moments: int
) -> None:
    house = await open_house()
    clinic = await connected(house)
    api_key, _ = await house.callers.create_key(clinic.actor, "test", clinic.actor.scopes)
    witness, chance = Witness(api_key), random.Random(20261122)
    url = f"http://127.0.0.1:{vendor.port}"
    for _ in range(moments):
        async with _gateway(dsn, tmp_path, url) as (program, address):
            load = asyncio.create_task(_load(address, witness))
            await asyncio.sleep(chance.uniform(0.02, 0.5))
            program.kill()
            await load
    async with _gateway(dsn, tmp_path, url) as (_, address):
        await _check(witness, clinic, vendor, dsn, address)


@asynccontextmanager
async def _gateway(dsn: str, data_dir: Path, vendor_url: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.gateway.killable", dsn, str(data_dir), vendor_url,
        stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        assert program.stdout is not None
        address = (await asyncio.wait_for(program.stdout.readline(), 30)).decode().strip()
        assert address, "the gateway did not start"
        yield program, address
    finally:
        with suppress(ProcessLookupError):
            program.kill()
        await program.wait()


async def _load(address: str, witness: Witness) -> None:
    """Callers that call, and one auditor that collects checkpoints, until the gateway is gone."""

    async def call(client: httpx2.AsyncClient) -> None:
        with suppress(httpx2.TransportError):
            while True:
                answer = await client.post(f"{address}/v1/calls", json=CALL)
                assert answer.status_code == 200, answer.text
                witness.accepted.append(UUID(answer.json()["id"]))

    async def audit(client: httpx2.AsyncClient) -> None:
        with suppress(httpx2.TransportError):
            while True:
                answer = await client.get(f"{address}/v1/log/checkpoint")
                assert answer.status_code == 200, answer.text
                witness.checkpoints.append(answer.text)

    async with httpx2.AsyncClient(headers=witness.headers, timeout=20) as client:
        await asyncio.gather(audit(client), *(call(client) for _ in range(CALLERS)))


async def _check(witness: Witness, clinic: Clinic, vendor: Vendor, dsn: str, address: str) -> None:
    owner = await asyncpg.connect(dsn)
    intents = {row[0] for row in await owner.fetch("SELECT id FROM disclosures WHERE tenant = $1", clinic.tenant)}
    settled = await owner.fetch("SELECT disclosure, outcome FROM outcomes WHERE tenant = $1", clinic.tenant)
    await owner.close()
    assert len(vendor.requests) > MOMENTS, "there was hardly any load"
    reached = {UUID(vendor.header("idempotency-key", at)[0].removeprefix("cg_")) for at in range(len(vendor.requests))}
    assert reached <= intents, "a request reached the vendor without an intent"
    assert {row["disclosure"] for row in settled} == intents, "an intent has no outcome"
    outcomes = {row["disclosure"]: row["outcome"] for row in settled}
    assert {outcomes[each] for each in witness.accepted} == {"accepted"}
    assert "unknown" in outcomes.values(), "no kill came between an intent and its outcome"
    await _check_checkpoints(witness, address)


async def _check_checkpoints(witness: Witness, address: str) -> None:
    """Every checkpoint that was handed out is a beginning of the log as it stands now."""
    async with httpx2.AsyncClient(headers=witness.headers, timeout=20, base_url=address) as client:
        key = (await client.get("/v1/log/key")).text.strip()
        handed_out = {_opened(note, key) for note in witness.checkpoints}
        assert len(handed_out) > MOMENTS
        for old in handed_out:
            answer = await client.get("/v1/log/consistency", params={"old_size": old.size})
            assert answer.status_code == 200, answer.text
            told = answer.json()
            now = _opened(told["checkpoint"], key)
            hashes = [_decoded(each) for each in told["hashes"]]
            verify_consistency(old_size=old.size, new_size=now.size, old_root=old.root, new_root=now.root, proof=hashes)


def _opened(note: str, key: str) -> Checkpoint:
    from gateway.ledger.checkpoint import Verifier

    return open_checkpoint(note, [Verifier.from_vkey(key)])


def _decoded(text: str) -> bytes:
    from base64 import b64decode

    return b64decode(text, validate=True)
