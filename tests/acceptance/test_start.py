"""`gateway serve` is there at once and stays small, with every connector loaded and none of the vendors' packages."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from connectors.example import example_of
from connectors.registry import Registry
from gateway.serve import listening, serving
from tests.acceptance.clinics import Prepared, prepared
from tests.acceptance.connecting import agree, connect, payload_of, takes_a_key
from tests.acceptance.pages import connected_on_pages
from tests.acceptance.programs import COMMAND, ROOT, Program, environment, running, servers_in
from tests.acceptance.test_demo import free_port
from tests.acceptance.whole import ROOTS
from tests.gateway.egress.vendor import Vendor, answer

CALLS = 200
MEGABYTES = 150.0
START_SECONDS = 2.0
SLOW = 2  # how much more work it may be on another machine, or where two programs share a core's caches
SDKS = {"stripe", "twilio", "msal", "google", "googleapiclient", "requests", "aiohttp", "botocore", "grpc"}
IMPORTED = re.compile(r"^import time: +\d+ \| +\d+ \| +([\w.]+)$", re.MULTILINE)
DONE = orjson.dumps(
    {"id": "pi_1", "object": "payment_intent", "status": "succeeded", "amount": 4250, "currency": "eur"}
)


def imported(said: str) -> set[str]:
    """The packages that an interpreter with `-X importtime` loaded."""
    found = {name.partition(".")[0] for name in IMPORTED.findall(said)}
    assert {"gateway", "connectors", "scopes", "asyncpg"} <= found
    return found


async def test_it_answers_soon_after_it_is_started_and_stays_small(tmp_path: Path) -> None:
    clinic, port = await prepared(tmp_path / "data"), free_port()
    async with running("serve", "--port", port, "--data", clinic.folder, err=tmp_path / "err") as program:
        await _until_alive(f"http://127.0.0.1:{port}")
        seconds = program.cpu_seconds  # what it did, not what else the machine did meanwhile
        assert await program.line() == f"Clinic Gateway serves on http://127.0.0.1:{port}"
        await _refused(f"http://127.0.0.1:{port}", clinic)
        megabytes = program.resident_mb
        assert await program.stop(signal.SIGTERM) == 0
    print(f"\nserve answered after {seconds:.2f} s of work and was {megabytes:.0f} MB after {CALLS} refused calls")
    assert seconds < START_SECONDS * SLOW
    assert megabytes < MEGABYTES
    assert servers_in(clinic.folder) == []


async def _until_alive(url: str) -> None:
    async with httpx2.AsyncClient(trust_env=False) as client, asyncio.timeout(60):
        while True:
            try:
                assert (await client.get(f"{url}/healthz")).status_code == 200
            except httpx2.TransportError:
                await asyncio.sleep(0.01)
            else:
                return


async def _refused(url: str, clinic: Prepared) -> None:
    """Calls that are decided and recorded, and go nowhere."""
    payload = {"reference": "inv_7Hq2ZkW9", "amount_minor": 4250, "currency": "eur"}
    body = {"connector": "payments", "action": "create_payment_intent", "purpose": "HPAYMT", "payload": payload}
    async with httpx2.AsyncClient(base_url=url, headers=clinic.headers, trust_env=False) as client:
        for _ in range(CALLS // 10):
            said = await asyncio.gather(*(client.post("/v1/calls", json=body) for _ in range(10)))
            assert {each.status_code for each in said} == {403}
            assert said[0].json()["reasons"][0]["code"] == "connection_inactive"


@pytest.fixture
async def vendor() -> Any:
    """Every vendor at once."""
    vendor = Vendor(answers=[answer(200, DONE)])
    await vendor.open()
    yield vendor
    vendor.close()


async def test_every_connector_at_work_needs_no_vendors_package(tmp_path: Path, vendor: Vendor) -> None:
    clinic, watched = (
        await prepared(tmp_path / "data"),
        (sys.executable, "-X", "importtime", "-m", "tests.acceptance.whole"),
    )
    url = f"http://127.0.0.1:{vendor.port}"
    await connected_on_pages(clinic)
    async with running(clinic.folder, url, err=tmp_path / "err", command=watched) as program:
        await _at_work(await program.line(), clinic, vendor, program)
        megabytes = program.resident_mb
        assert await program.stop(signal.SIGTERM) == 0
    print(f"\nit was {megabytes:.0f} MB after {CALLS} brokered calls through every connector")
    assert megabytes < MEGABYTES
    assert imported((tmp_path / "err").read_text()) & SDKS == set()


async def _at_work(url: str, clinic: Prepared, vendor: Vendor, program: Program) -> None:
    """Calls of every action of every connector, until there are enough."""
    registry = Registry.load(ROOTS)
    assert url, program.said()
    async with httpx2.AsyncClient(base_url=url, headers=clinic.headers, trust_env=False, timeout=30) as client:
        bodies = []
        for connector in registry.connectors.values():
            if connector.network is not None:
                continue  # it knows the gateway by the operator's registration, which nobody made here
            allow = connect if takes_a_key(connector) else agree
            await allow(client, connector, subject="patient-4711", said="on paper")
            for action in connector.actions.values():
                if action.inner:
                    continue  # only flows of the gateway's own make it
                given = {"connector": connector.id, "action": action.name, "purpose": sorted(action.purposes)[0]}
                payload = payload_of(action, example_of(action.shape, optional=False))
                bodies.append({**given, "subject": "patient-4711", "payload": payload})
        while len(vendor.requests) < CALLS:
            said = await asyncio.gather(*(client.post("/v1/calls", json=body) for body in bodies))
            assert {each.status_code for each in said} == {200}, [each.text for each in said]


async def test_the_house_is_put_together_without_any_vendors_package() -> None:
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-X", "importtime", "-c", "import gateway.app, gateway.serve", stderr=asyncio.subprocess.PIPE,
        cwd=ROOT, env=environment(),
    )  # fmt: skip
    _, said = await asyncio.wait_for(program.communicate(), 60)
    assert program.returncode == 0, said.decode()[-2000:]
    assert imported(said.decode()) & SDKS == set()


async def test_the_command_line_itself_loads_next_to_nothing() -> None:
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-X", "importtime", *COMMAND[1:], "--help", stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL, cwd=ROOT, env=environment(),
    )  # fmt: skip
    _, said = await asyncio.wait_for(program.communicate(), 60)
    found = {name.partition(".")[0] for name in IMPORTED.findall(said.decode())}
    assert "typer" in found
    assert not found & (SDKS | {"asyncpg", "pydantic", "starlette", "uvicorn", "cryptography", "connectors"})


async def test_a_connection_that_is_kept_is_answered_without_nagles_delay() -> None:
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("fine"))])
    async with serving(app, listening("127.0.0.1", 0)) as url, httpx2.AsyncClient(trust_env=False) as client:
        taken = []
        for _ in range(20):
            began = time.monotonic()
            assert (await client.get(url)).text == "fine"
            taken.append(time.monotonic() - began)
    assert sorted(taken)[10] < 0.03, "an answer in two pieces waits 40 ms for the first one to be acknowledged"
