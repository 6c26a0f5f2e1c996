"""Marked data through every connector, every action and every route: nothing that the gateway writes holds a mark.

What a program writes is its output, its log at its most talkative, the log of its database and what it tells callers
who made a mistake. The ledger, which it also writes, holds names and categories and never a value.
"""

from __future__ import annotations

import asyncio
import random
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx2
import pytest

from connectors.contract import Action
from connectors.example import example_of
from connectors.registry import Registry
from gateway.web.api.app import OPERATIONS
from gateway.web.api.operation import Operation
from tests.acceptance import spoiled
from tests.acceptance.clinics import prepared
from tests.acceptance.connecting import agree, connect, payload_of, takes_a_key
from tests.acceptance.marks import found
from tests.acceptance.pages import connected_on_pages
from tests.acceptance.programs import running
from tests.acceptance.spoiled import MOMENTS, NAMED, WRONG
from tests.acceptance.whole import ROOTS
from tests.conformance.harness import CANARY, with_canaries
from tests.gateway import callbacks
from tests.gateway.egress.vendor import Vendor, answer

WHOLE = (sys.executable, "-m", "tests.acceptance.whole")
CONNECTORS = Registry.load(ROOTS).connectors
# What a host may call; a network's exchanges need its letters, and tests/gateway/network/test_canary.py plays them.
ACTIONS = [
    action
    for connector in CONNECTORS.values()
    if connector.network is None
    for action in connector.actions.values()
    if not action.inner
]
CREDENTIALS = {name: str(connector.module("sandbox").CREDENTIAL) for name, connector in CONNECTORS.items()}
MARKS = {CANARY, callbacks.SECRET, callbacks.PAYMENT, *CREDENTIALS.values()} | {
    text for action in ACTIONS for text in spoiled.telling(example_of(action.shape))
}
ID = "0190163d-8694-7a3c-8f0e-6c7f3e8f7a01"
TOLD_TO_KEEP = ("/v1/connections", "/v1/keys")  # these keep what they are given where it is right


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    """A vendor that says everything that a vendor should not."""
    vendor = Vendor(answers=[answer(200, spoiled.ECHOED)])
    await vendor.open()
    yield vendor
    vendor.close()


async def test_nothing_that_is_written_anywhere_holds_a_mark(tmp_path: Path, vendor: Vendor) -> None:
    clinic, url = await prepared(tmp_path / "data"), f"http://127.0.0.1:{vendor.port}"
    await connected_on_pages(clinic)
    talkative = {"GATEWAY_LOG_LEVEL": "DEBUG", "PYTHONWARNINGS": "default"}
    async with running(clinic.folder, url, err=tmp_path / "err", command=WHOLE, **talkative) as program:
        address = await program.line()
        assert address, program.said()
        async with httpx2.AsyncClient(base_url=address, headers=clinic.headers, trust_env=False, timeout=60) as client:
            for connector in CONNECTORS.values():
                allow = connect if takes_a_key(connector) else agree
                await allow(client, connector, subject=NAMED, said=CANARY)
            await _taken(client)
            await _in_trouble(client, vendor)
            await _refused(client)
            await _called_back(client)
            for operation in OPERATIONS:
                await _misaddressed(client, operation)
                await _misfilled(client, operation)
            await _hardly_http(address, clinic.api_key)
            await _check_ledger(client)
        assert program.started.stdout is not None
        assert await program.stop(signal.SIGTERM) == 0
        printed = await program.started.stdout.read()
    logged = (tmp_path / "err").read_bytes()
    assert b'"event":"attempt_failed"' in logged, "it said nothing at all"
    assert b"Traceback" not in logged
    for said in (printed, logged, (clinic.folder / "postgres.log").read_bytes()):
        assert found(MARKS, said) == []


def _check(said: httpx2.Response) -> None:
    """No answer is a defect of ours, and one that finds fault repeats nothing."""
    assert said.status_code < 500, (said.request.method, said.request.url, said.request.content[:300])
    if said.status_code >= 400:
        assert found([CANARY], said.content + str(said.headers).encode()) == [], said.text


async def _check_ledger(client: httpx2.AsyncClient) -> None:
    """It holds no value either, and an outcome for everything that was sent, whatever came back."""
    assert (await client.get("/readyz")).json() == {"status": "ok"}
    bundle = await client.post("/v1/bundles", json={})
    assert bundle.status_code == 200, bundle.text
    assert found([CANARY], bundle.content) == []
    assert (await client.get("/v1/disclosures", params={"outcome": "pending"})).json()["items"] == []


# --- Calls ------------------------------------------------------------------------------------------------------------


async def _call(client: httpx2.AsyncClient, action: Action, payload: Any) -> str:
    """A call that is let through; gives its outcome."""
    headers = {**spoiled.HEADERS, "idempotency-key": f"{CANARY}-{uuid4()}"}
    said = await client.post("/v1/calls", json=_body(action, payload), headers=headers)
    assert said.status_code == 200, said.text
    return str(said.json()["outcome"])


def _body(action: Action, payload: Any) -> dict[str, Any]:
    asked = {"connector": action.connector, "action": action.name, "purpose": sorted(action.purposes)[0]}
    return {**asked, "subject": NAMED, "payload": payload_of(action, payload)}


async def _taken(client: httpx2.AsyncClient) -> None:
    """Every action, of a vendor that echoes."""
    outcomes = {await _call(client, action, each) for action in ACTIONS for each in spoiled.payloads(action)}
    assert "accepted" in outcomes


async def _in_trouble(client: httpx2.AsyncClient, vendor: Vendor) -> None:
    """Every action, while vendors do their worst."""
    vendor.answers[:] = [*spoiled.trouble() * len(ACTIONS), answer(200, spoiled.ECHOED)]
    random.Random(7).shuffle(vendor.answers)
    at_once = asyncio.Semaphore(40)

    async def call(action: Action) -> str:
        async with at_once:
            return await _call(client, action, with_canaries(action.shape))

    outcomes = set(await asyncio.gather(*(call(action) for action in ACTIONS for _ in range(40))))
    assert outcomes == {"accepted", "rejected", "failed", "unknown"}


async def _refused(client: httpx2.AsyncClient) -> None:
    """Marks in every wrong place of a call."""
    for action in ACTIONS:
        good = example_of(action.shape)
        whole = _body(action, good)
        bodies: list[Any] = [_body(action, {**good, name: wrong}) for name in good for wrong in WRONG]
        bodies += [{**whole, name: wrong} for name in (*whole, "tenant", NAMED) for wrong in WRONG]
        bodies += [{**whole, "purpose": purpose} for purpose in ("HMARKT", "ETREAT", "TREAT")]
        for said in await asyncio.gather(
            *(client.post("/v1/calls", json=body, headers=spoiled.HEADERS) for body in bodies)
        ):
            _check(said)


async def _called_back(client: httpx2.AsyncClient) -> None:
    """Messages in the vendor's name: genuine, forged and hopeless, full of marks."""
    listed = (await client.get("/v1/connections")).json()["items"]
    (stripe,) = [each["id"] for each in listed if each["connector"] == "payments/stripe"]
    taken = await client.post(f"/v1/connections/{stripe}/callback", json={"secret": callbacks.SECRET})
    assert taken.status_code == 200, taken.text
    body = callbacks.message(note=CANARY)
    for secret, status in ((callbacks.SECRET, 200), (callbacks.OTHER, 400)):
        said = await client.post(f"/hooks/{stripe}", content=body, headers=callbacks.signed(body, secret))
        assert said.status_code == status
        _check(said)
    for raw_body in (*spoiled.BODIES, callbacks.message(CANARY), callbacks.message(id=CANARY)):
        for headers in (callbacks.signed(raw_body), {"stripe-signature": f"t=1,v1={CANARY}"}, {}):
            whole = {**spoiled.HEADERS, **headers}
            _check(await client.post(f"/hooks/{stripe}?{CANARY}={CANARY}", content=raw_body, headers=whole))
    assert found(MARKS, (await client.get("/metrics")).content) == []


# --- Routes -----------------------------------------------------------------------------------------------------------


async def _misaddressed(client: httpx2.AsyncClient, operation: Operation) -> None:
    """Marks in the path, in its parameters' names, in headers, and bodies that are none."""
    headers = {**spoiled.HEADERS, "content-type": "application/json"}
    for name in (ID, quote(NAMED, safe=""), f"{CANARY}%00", f"../{CANARY}", CANARY * 300):
        path = re.sub(r"{\w+(:\w+)?}", name, operation.path)
        for given in ({}, {"params": {NAMED: NAMED}}, *({"content": body} for body in spoiled.BODIES)):
            _check(await client.request(operation.method, path, headers=headers, **given))
    for authorization in spoiled.AUTHORIZATIONS:
        _check(await client.request(operation.method, path, headers={**headers, "authorization": authorization}))
    for header in ("idempotency-key", "content-type", "content-encoding", "x-request-id"):
        _check(await client.request(operation.method, path, json={}, headers={header: f"{CANARY} {CANARY}"}))
    for path in (f"/{CANARY}", f"/v1/{CANARY}?{CANARY}={CANARY}", f"/v1/calls/{CANARY}", f"/healthz?{CANARY}"):
        _check(await client.request(operation.method, path, headers=headers))


async def _misfilled(client: httpx2.AsyncClient, operation: Operation) -> None:
    """Marks in each parameter and in each part of the body."""
    path = re.sub(r"{\w+(:\w+)?}", ID, operation.path)
    for name in operation.query.model_fields if operation.query else ():
        for wrong in (NAMED, CANARY * 2000, f"{CANARY}\u0000", *MOMENTS):
            _check(await client.request(operation.method, path, params={name: wrong}, json={}))
    beside = {"connector": "payments", "credential": {"secret": NAMED}, "features": [NAMED], "scopes": [NAMED]}
    for name in operation.body.model_fields if operation.body else ():
        for wrong in (*WRONG, *MOMENTS):
            _check(await client.request(operation.method, path, json={**beside, name: wrong}))
            if operation.path not in TOLD_TO_KEEP:
                _check(await client.request(operation.method, path, json={name: wrong}))


async def _hardly_http(address: str, api_key: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    own = b"\r\nHost: x\r\nAuthorization: Bearer " + api_key.encode() + b"\r\n"
    for raw in spoiled.HARDLY_HTTP:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(raw.replace(b"%b", own))
        writer.write_eof()
        assert found([CANARY], await asyncio.wait_for(reader.read(), 30)) == []
        writer.close()
