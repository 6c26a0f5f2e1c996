"""Gateways on one database under load: one log per clinic, without gaps, forks or deadlocks, and everybody answered.

There are three, not two: of two, the one that waits for a lock finds the other one gone. Only two that wait can cross.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import aiohttp
import asyncpg
import orjson

from gateway.ledger.checkpoint import Checkpoint, Verifier, open_checkpoint
from gateway.ledger.merkle import Edge, leaf_hash, verify_consistency
from tests.acceptance.programs import running
from tests.acceptance.served import gateway
from tests.gateway.egress.vendor import Vendor, answer

CALLERS = 64  # of each gateway
CLINICS = 24  # so that one commit locks many heads
SECONDS = 3.0
GATEWAYS = ("one", "two", "three")
KILLABLE = (sys.executable, "-m", "tests.gateway.killable")
PAID = orjson.dumps(
    {"id": "pi_1", "object": "payment_intent", "status": "succeeded", "amount": 4250, "currency": "eur"}
)
CALL = orjson.dumps(
    {
        "connector": "payments",
        "action": "create_payment_intent",
        "purpose": "HPAYMT",
        "subject": "patient-4711",
        "payload": {"reference": "inv_7Hq2ZkW9", "amount_minor": 4250, "currency": "eur"},
    }
)


@dataclass
class Clinic:
    """A clinic as its software and its auditor see it from outside."""

    tenant: UUID
    key: str
    vkey: str
    answers: list[tuple[int, bytes]] = field(default_factory=list)  # index and leaf that a call was told
    notes: list[str] = field(default_factory=list)  # checkpoints, from whichever gateway

    @property
    def headers(self) -> dict[str, str]:
        """Who calls."""
        return {"authorization": f"Bearer {self.key}", "content-type": "application/json"}

    def heads(self) -> set[Checkpoint]:
        """The checkpoints, opened."""
        verifiers = [Verifier.from_vkey(self.vkey)]
        return {open_checkpoint(note, verifiers) for note in set(self.notes)}


async def test_gateways_on_one_database_write_one_log_for_each_clinic(fresh_dsn: str, tmp_path: Path) -> None:
    vendor = Vendor(answers=[answer(200, PAID)])
    await vendor.open()
    vendor_url, statuses = f"http://127.0.0.1:{vendor.port}", Counter[int]()
    async with gateway(fresh_dsn, tmp_path, sandboxes={"payments/stripe": vendor_url}) as served:
        made = [await served.clinic() for _ in range(CLINICS)]
        for clinic in made:
            await clinic.connect("payments", "rk_test_0123456789abcdef", features=["card_payments"])
        clinics = [Clinic(each.tenant, each.key, (await each.get("/v1/log/key")).text.strip()) for each in made]
    async with AsyncExitStack() as stack:
        urls = []
        for name in GATEWAYS:
            start = running(fresh_dsn, tmp_path, vendor_url, err=tmp_path / f"{name}.err", command=KILLABLE)
            program = await stack.enter_async_context(start)
            urls.append(await program.line())
            assert urls[-1], program.said()
        await asyncio.gather(*(_load(url, clinics, statuses) for url in urls))
        await _check_consistency(urls, clinics)
    vendor.close()
    print(f"\n{statuses[200]} calls in {SECONDS:g} s through {len(urls)} gateways")
    assert set(statuses) == {200}
    assert sum(len(clinic.heads()) for clinic in clinics) >= len(GATEWAYS), "hardly any checkpoint was collected"
    owner = await asyncpg.connect(fresh_dsn)
    try:
        for clinic in clinics:
            await _check_log(owner, clinic)
        await _check_disclosures(owner, vendor, statuses[200])
        assert await _deadlocks(owner) == 0
    finally:
        await owner.close()


async def _load(url: str, clinics: list[Clinic], statuses: Counter[int]) -> None:
    """Callers that call until the time is over, and one auditor who collects checkpoints."""
    until = time.monotonic() + SECONDS

    async def call(client: aiohttp.ClientSession, turns: Iterable[Clinic]) -> None:
        for clinic in turns:
            if time.monotonic() > until:
                return
            async with client.post(f"{url}/v1/calls", data=CALL, headers=clinic.headers) as said:
                told = orjson.loads(await said.read())
                statuses[said.status] += 1
                if said.status == 200:
                    assert told["outcome"] == "accepted", told
                    clinic.answers.append((told["ledger"]["index"], base64.b64decode(told["ledger"]["leaf"])))

    async def audit(client: aiohttp.ClientSession) -> None:
        for clinic in itertools.cycle(clinics):
            if time.monotonic() > until:
                return
            async with client.get(f"{url}/v1/log/checkpoint", headers=clinic.headers) as said:
                assert said.status == 200, await said.text()
                clinic.notes.append(await said.text())
            await asyncio.sleep(0.02)

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(30)) as client:
        turns = (itertools.islice(itertools.cycle(clinics), at, None) for at in range(CALLERS))
        await asyncio.gather(audit(client), *(call(client, each) for each in turns))


async def _check_consistency(urls: list[str], clinics: list[Clinic]) -> None:
    """Each gateway proves that the log as it stands begins with what another one signed."""
    async with aiohttp.ClientSession() as client:
        for url, clinic in itertools.product(urls, clinics):
            for old in sorted(clinic.heads(), key=lambda head: head.size)[::5]:
                query = {"old_size": str(old.size)}
                async with client.get(f"{url}/v1/log/consistency", params=query, headers=clinic.headers) as said:
                    assert said.status == 200, await said.text()
                    proof = orjson.loads(await said.read())
                new = open_checkpoint(proof["checkpoint"], [Verifier.from_vkey(clinic.vkey)])
                hashes = [base64.b64decode(each) for each in proof["hashes"]]
                sizes = {"old_size": old.size, "new_size": new.size}
                verify_consistency(**sizes, old_root=old.root, new_root=new.root, proof=hashes)


async def _check_log(owner: asyncpg.Connection, clinic: Clinic) -> None:
    """Gapless, hashed as stored, and every checkpoint ever signed is a beginning of it."""
    rows = await owner.fetch("SELECT index, body, leaf FROM entries WHERE tenant = $1 ORDER BY index", clinic.tenant)
    head = await owner.fetchrow("SELECT size, edge FROM heads WHERE tenant = $1", clinic.tenant)
    assert [row["index"] for row in rows] == list(range(head["size"]))
    assert all(leaf_hash(row["body"]) == row["leaf"] for row in rows)
    assert [orjson.loads(row["body"])["index"] for row in rows] == list(range(head["size"]))
    edge, roots = Edge(), {}
    for row in rows:
        edge.append(row["leaf"])
        roots[edge.size] = edge.root()
    assert b"".join(edge.hashes) == head["edge"]
    assert all(roots[signed.size] == signed.root for signed in clinic.heads())
    assert len(clinic.answers) == len(set(clinic.answers)) > 3
    assert all(rows[index]["leaf"] == leaf for index, leaf in clinic.answers)


async def _deadlocks(owner: asyncpg.Connection) -> int:
    """How many PostgreSQL had to break; a connection reports its own at the latest when it ends."""
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    for _ in range(200):
        if not await owner.fetchval(f"{others} AND backend_type = 'client backend'"):
            break
        await asyncio.sleep(0.05)
    return int(await owner.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))


async def _check_disclosures(owner: asyncpg.Connection, vendor: Vendor, calls: int) -> None:
    """One intent, one request to the vendor and one outcome for every call."""
    settled = await owner.fetch(
        "SELECT d.id, count(o.*) AS outcomes FROM disclosures d LEFT JOIN outcomes o ON o.tenant = d.tenant "
        "AND o.disclosure = d.id GROUP BY d.id"
    )
    assert len(settled) == len(vendor.requests) == calls
    assert {row["outcomes"] for row in settled} == {1}
