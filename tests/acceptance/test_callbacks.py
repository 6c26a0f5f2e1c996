"""A vendor calls, and a clinic's endpoint hears of it: from Stripe's sandbox and from localstripe, over HTTP all the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook

from connectors.payments.stripe import sandbox
from gateway.jobs import Jobs
from gateway.serve import listening, serving
from tests.acceptance.served import Caller, Served, gateway
from tests.connectors import localstripe
from tests.gateway.callbacks import signed
from tests.gateway.receiver import Receiver

CREATED = "payments.stripe.payment_intent.created"
SUCCEEDED = "payments.stripe.payment_intent.succeeded"
PAYMENT = {"reference": "inv_7Hq2ZkW9", "amount_minor": 4250, "currency": "EUR"}


@dataclass
class Town:
    """A clinic that is connected to a vendor, and the vendor who hears of what happens."""

    served: Served
    clinic: Caller
    connection: str
    receiver: Receiver

    @property
    def hook(self) -> str:
        """Where the payment vendor calls."""
        return f"{self.served.url}/hooks/{self.connection}"

    async def secret(self, secret: str) -> None:
        """Give the connection a secret of the vendor's."""
        made = await self.clinic.post(f"/v1/connections/{self.connection}/callback", {"secret": secret})
        assert made.status_code == 200, made.text
        assert made.json()["path"] == f"/hooks/{self.connection}"

    async def endpoint(self, *events: str, **given: Any) -> str:
        """Register the receiver's endpoint; gives its secret."""
        body = {
            "url": self.receiver.url, "events": list(events), "purpose": "HPAYMT",
            "recipient": {"name": "Books Ltd", "country": "IE"}, **given,
        }  # fmt: skip
        made = await self.clinic.post("/v1/endpoints", body)
        assert made.status_code == 201, made.text
        assert made.json()["status"] == "active", made.text
        return str(made.json()["secret"])

    async def pay(self) -> str:
        """Make a payment through the gateway; gives the vendor's id of it."""
        asked = {"connector": "payments", "action": "create_payment_intent", "purpose": "HPAYMT", "payload": PAYMENT}
        told = (await self.clinic.post("/v1/calls", asked)).json()
        assert told["outcome"] == "accepted", told
        return str(told["answer"]["id"])

    async def heard(self, kind: str, many: int = 1) -> list[int]:
        """The numbers of the receiver's requests of that type, once there are so many; and a moment later still."""

        def found() -> list[int]:
            return [at for at, said in enumerate(self.receiver.heard) if said["type"] == kind]

        await until(lambda: _true(len(found()) >= many))
        await asyncio.sleep(0.3)
        # What the receiver kept of a request has the number of what it heard.
        assert len(self.receiver.requests) == len(self.receiver.heard)
        return found()


async def _true(value: bool) -> bool:
    return value


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 20.0) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def town(dsn: str, folder: Path, vendor_url: str, credential: str) -> AsyncIterator[Town]:
    """A gateway that sees to its jobs, and a clinic in it."""
    async with AsyncExitStack() as stack:
        sandboxes = {"payments/stripe": vendor_url}
        served = await stack.enter_async_context(gateway(dsn, folder, sandboxes=sandboxes))
        jobs = await stack.enter_async_context(Jobs(served.house.rooms, grace_seconds=2).running())
        await asyncio.wait_for(jobs.ready.wait(), 10)
        clinic = await served.clinic()
        features = ["card_payments", "payment_status"]
        connection = await clinic.connect("payments/stripe", credential, features=features)
        receiver = Receiver()
        await receiver.open()
        stack.callback(receiver.close)
        yield Town(served, clinic, connection, receiver)


@pytest.fixture
async def at_the_sandbox(fresh_dsn: str, tmp_path: Path) -> AsyncIterator[Town]:
    """Connected to the sandbox, which calls back."""
    app = sandbox.create()
    async with (
        serving(app, listening("127.0.0.1", 0)) as url,
        town(fresh_dsn, tmp_path, url, sandbox.CREDENTIAL) as made,
    ):
        app.state.sandbox.callback_url = made.hook
        yield made


async def test_a_payment_at_the_sandbox_is_heard_of_at_the_endpoint_by_its_id_alone(at_the_sandbox: Town) -> None:
    await at_the_sandbox.secret(sandbox.CALLBACK_SECRET)
    verifier = Webhook(await at_the_sandbox.endpoint("payments.stripe.*"))
    payment = await at_the_sandbox.pay()
    (at,) = await at_the_sandbox.heard(CREATED)
    body, headers = at_the_sandbox.receiver.body(at), at_the_sandbox.receiver.headers(at)
    told = verifier.verify(body, headers)
    assert set(told) == {"type", "timestamp", "data"}
    assert (told["type"], told["data"]) == (CREATED, {"id": payment})


async def test_what_the_clinic_granted_goes_with_it_and_each_attempt_is_in_the_ledger(at_the_sandbox: Town) -> None:
    await at_the_sandbox.secret(sandbox.CALLBACK_SECRET)
    fields = [f"{CREATED}:amount_minor", f"{CREATED}:currency"]
    await at_the_sandbox.endpoint(CREATED, categories=["billing"], fields=fields)
    payment = await at_the_sandbox.pay()
    (at,) = await at_the_sandbox.heard(CREATED)
    told = at_the_sandbox.receiver.heard[at]["data"]
    assert told == {"id": payment, "amount_minor": 4250, "currency": "EUR"}
    found = (await at_the_sandbox.clinic.get("/v1/disclosures", params={"recipient": "Books Ltd"})).json()["items"]
    assert {each["outcome"] for each in found} == {"accepted"}
    assert len(found) >= 1


async def test_while_the_secret_is_not_known_nothing_comes_through(at_the_sandbox: Town) -> None:
    await at_the_sandbox.endpoint("payments.stripe.*")
    await at_the_sandbox.pay()
    await asyncio.sleep(0.5)
    assert [said["type"] for said in at_the_sandbox.receiver.heard] == ["endpoint.challenge"]


async def test_a_message_that_stripe_repeats_is_heard_of_once(at_the_sandbox: Town) -> None:
    await at_the_sandbox.secret(sandbox.CALLBACK_SECRET)
    await at_the_sandbox.endpoint("payments.stripe.*")
    about = {"id": "pi_3RkT2vLkdIwHu7ix0aB1cD2e", "object": "payment_intent", "amount": 1, "currency": "eur"}
    body = sandbox.event_body("payment_intent.succeeded", about, "own", 1_768_469_460)
    async with httpx2.AsyncClient(trust_env=False) as client:
        for _ in range(5):
            said = await client.post(at_the_sandbox.hook, content=body, headers=signed(body, sandbox.CALLBACK_SECRET))
            assert said.status_code == 200
    assert len(await at_the_sandbox.heard(SUCCEEDED)) == 1


async def test_a_payment_at_localstripe_is_heard_of_at_the_endpoint(fresh_dsn: str, tmp_path: Path) -> None:
    secret = "whsec_localstripe12345"
    with localstripe.running() as vendor:
        async with town(fresh_dsn, tmp_path, vendor.url, localstripe.CREDENTIAL) as made:
            await made.secret(secret)
            verifier = Webhook(await made.endpoint("payments.stripe.*"))
            async with httpx2.AsyncClient(trust_env=False) as client:
                body = {"url": made.hook, "secret": secret}
                (await client.post(f"{vendor.url}/_config/webhooks/gateway", json=body)).raise_for_status()
            payment = await made.pay()
            await vendor.pay(payment)
            (at,) = await made.heard(SUCCEEDED)
            told = verifier.verify(made.receiver.body(at), made.receiver.headers(at))
            assert (told["type"], told["data"]) == (SUCCEEDED, {"id": payment})
