"""A connector without manners, through the whole gateway: what it can reach and forward is what was declared, no more."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest

from connectors.registry import HERE, Registry
from gateway.keyfiles import master_keys
from tests.acceptance.marks import found
from tests.acceptance.served import Caller, Served, gateway
from tests.conformance.harness import CANARY, with_canaries
from tests.conformance.test_every_connector import ECHO_ROOT
from tests.gateway.egress.vendor import Vendor, answer

ECHO = Registry.load([ECHO_ROOT]).connector("echo/echo")
ECHO_KEY, STRIPE_KEY = "echo_test_5ecretoftheecho", "rk_test_5ecretOfStripes"
HEARD = orjson.dumps({"id": "msg_1", "status": "heard", "surplus": f"{CANARY}-of-the-vendor"})
PAID = orjson.dumps(
    {"id": "pi_1", "object": "payment_intent", "status": "succeeded", "amount": 4250, "currency": "eur"}
)
PAYMENT = {"reference": "inv_7Hq2ZkW9", "amount_minor": 4250, "currency": "eur"}
SAY = {"reference": "appt_7Hq2ZkW9", "phone": "+4915112345678"}
SPOILED = {"x-patient": CANARY, "cookie": f"name={CANARY}", "user-agent": CANARY}


@pytest.fixture
async def echo() -> AsyncIterator[Vendor]:
    """The echo's own vendor."""
    vendor = Vendor(answers=[answer(200, HEARD)])
    await vendor.open()
    yield vendor
    vendor.close()


@pytest.fixture
async def stripe() -> AsyncIterator[Vendor]:
    """Another vendor, with which the echo has no business."""
    vendor = Vendor(answers=[answer(200, PAID)])
    await vendor.open()
    yield vendor
    vendor.close()


@pytest.fixture
async def served(dsn: str, tmp_path: Path, echo: Vendor, stripe: Vendor) -> AsyncIterator[Served]:
    """A gateway with the echo beside the real connectors."""
    async with gateway(dsn, tmp_path, sandboxes=_vendors(echo, stripe), connectors=(HERE, ECHO_ROOT)) as served:
        yield served


def _vendors(echo: Vendor, stripe: Vendor) -> dict[str, str]:
    return {"echo/echo": f"http://127.0.0.1:{echo.port}", "payments/stripe": f"http://127.0.0.1:{stripe.port}"}


async def connected(served: Served, **given: Any) -> Caller:
    """A clinic that uses both."""
    clinic = await served.clinic(f"{CANARY} clinic")
    await clinic.connect("echo", ECHO_KEY, features=["messages"], **given)
    await clinic.connect("payments", STRIPE_KEY, features=["card_payments"])
    return clinic


async def say(clinic: Caller, payload: dict[str, Any], action: str = "say") -> dict[str, Any]:
    """One call of the echo; it has an outcome."""
    body = {"connector": "echo", "action": action, "purpose": "TREAT", "subject": f"{CANARY}-patient"}
    headers = {**SPOILED, "idempotency-key": f"{CANARY}-{uuid4()}"}
    told = await clinic.post("/v1/calls", {**body, "payload": payload}, headers=headers)
    assert told.status_code == 200, told.text
    said: dict[str, Any] = told.json()
    return said


def loot(vendor: Vendor, at: int = -1) -> Any:
    """What the echo laid hands on and forwarded."""
    return orjson.loads(vendor.requests[at].partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("action", sorted(ECHO.actions))
async def test_no_undeclared_value_leaves_whatever_the_connector_forwards(
    served: Served, echo: Vendor, action: str
) -> None:
    clinic = await connected(served)
    payload = with_canaries(ECHO.actions[action].shape)
    told = await say(clinic, payload, action)
    assert told["outcome"] == "accepted", told
    (raw,) = echo.requests
    assert loot(echo)["loot"], "the echo reached nothing at all"
    assert found([CANARY], raw) == []
    assert {"diagnosis", "metadata", "nested_undeclared"} <= set(told["withheld"])
    assert CANARY not in str(told)


async def test_what_is_declared_arrives_reduced_and_nothing_else_does(served: Served, echo: Vendor) -> None:
    clinic = await connected(served)
    told = await say(
        clinic, {**SAY, "note": "Ask for Ada.", "starts_at": "2026-11-17T10:30:47+01:00", "items": [{"code": "A1"}]}
    )
    assert told["answer"] == {"id": "msg_1", "status": "heard"}
    assert loot(echo)["fields"] == {**SAY, "starts_at": "2026-11-17T10:30:00+01:00", "items": [{"code": "A1"}]}
    assert found(["Ask for Ada", "10:30:47"], echo.requests[0]) == []


async def test_what_the_clinic_withholds_is_out_of_the_connectors_reach(served: Served, echo: Vendor) -> None:
    clinic = await connected(served, withheld=["given_name", "items[].amount_minor", "place"])
    payload = {
        **SAY,
        "given_name": "Qwertzuiop",
        "items": [{"code": "A1", "amount_minor": 987654321}],
        "place": {"country": "IN"},
    }
    told = await say(clinic, payload)
    assert {"given_name", "items[].amount_minor"} <= set(told["withheld"])
    assert loot(echo)["fields"] == {**SAY, "items": [{"code": "A1"}]}
    assert found(["Qwertzuiop", "987654321"], echo.requests[0]) == []


async def test_nobodys_secret_but_its_own_is_within_the_connectors_reach(served: Served, echo: Vendor) -> None:
    clinic, other = await connected(served), await served.clinic()
    await other.connect("echo", "echo_test_0fanotherclinic", features=["messages"])
    await say(other, SAY)
    await say(clinic, SAY)
    masters = [key.hex() for key in master_keys(served.house.settings).keys.values()]
    signing = served.house.settings.ledger_key_file.read_text().strip()
    secrets = [STRIPE_KEY, "echo_test_0fanotherclinic", clinic.key, other.key, signing, *masters]
    assert found([*secrets, str(other.tenant)], echo.requests[1]) == []


async def test_a_credential_goes_to_its_own_vendor_only(served: Served, echo: Vendor, stripe: Vendor) -> None:
    clinic = await connected(served)
    for _ in range(2):
        await say(clinic, SAY)
        paid = await clinic.post(
            "/v1/calls",
            {"connector": "payments", "action": "create_payment_intent", "purpose": "HPAYMT", "payload": PAYMENT},
        )
        assert paid.json()["outcome"] == "accepted"
    assert [echo.header("x-echo-key", at) for at in range(2)] == [[ECHO_KEY]] * 2
    assert [stripe.header("authorization", at) for at in range(2)] == [[f"Bearer {STRIPE_KEY}"]] * 2
    assert found([STRIPE_KEY], b"".join(echo.requests)) == []
    assert found([ECHO_KEY], b"".join(stripe.requests)) == []


async def test_clinics_that_call_at_once_are_out_of_each_others_reach(served: Served, echo: Vendor) -> None:
    everybody_is_here = asyncio.Barrier(8)

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await everybody_is_here.wait()
        writer.write(answer(200, HEARD))
        await writer.drain()

    echo.answers[:] = [slowly]
    names = [f"Qwertz{at}uiop" for at in range(8)]
    clinics = [await connected(served) for _ in names]
    told = await asyncio.gather(
        *(say(clinic, {**SAY, "given_name": name}) for clinic, name in zip(clinics, names, strict=True))
    )
    assert {each["outcome"] for each in told} == {"accepted"}
    for at in range(8):
        own = loot(echo, at)["fields"]["given_name"]
        assert found(set(names) - {own}, echo.requests[at]) == []


@pytest.mark.parametrize(
    "where", ["http://127.0.0.1:{port}", "http://localhost:{port}", "http://127.0.0.1:{own}@127.0.0.1:{port}"]
)
async def test_a_connector_that_turns_to_another_vendor_is_stopped_before_a_byte_leaves(
    dsn: str, tmp_path: Path, echo: Vendor, stripe: Vendor, where: str
) -> None:
    root = tmp_path / "rogues"
    shutil.copytree(ECHO_ROOT, root, ignore=shutil.ignore_patterns("__pycache__"))
    client = root / "echo" / "echo" / "client.py"
    text, target = client.read_text(), where.format(port=stripe.port, own=echo.port)
    assert "egress.base_url + path" in text
    client.write_text(text.replace("egress.base_url + path", f'"{target}" + path'))
    async with gateway(dsn, tmp_path, sandboxes=_vendors(echo, stripe), connectors=(HERE, root)) as served:
        told = await say(await connected(served), SAY)
    assert (told["outcome"], told["code"]) == ("failed", "host_not_allowed")
    assert (stripe.connections, stripe.requests, echo.requests) == (0, [], [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_vendor_that_sends_the_gateway_elsewhere_is_not_followed(
    served: Served, echo: Vendor, stripe: Vendor, status: int
) -> None:
    echo.answers[:] = [answer(status, b"", location=f"http://127.0.0.1:{stripe.port}/say")]
    told = await say(await connected(served), SAY)
    assert (told["outcome"], told["code"]) == ("failed", "redirect")
    assert (len(echo.requests), stripe.connections) == (1, 0)
