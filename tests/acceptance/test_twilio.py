"""A message on its whole way: the clinic's words to a phone, and what comes back; by another's Twilio and by our sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from starlette.applications import Starlette
from twilio.request_validator import RequestValidator

from connectors.messaging.twilio import sandbox
from gateway import demo
from gateway.config import Settings
from gateway.jobs import Jobs
from gateway.keyfiles import make
from gateway.serve import listening, serving
from tests.acceptance import emulate
from tests.acceptance.emulate import Emulate
from tests.acceptance.served import Caller, Served, gateway
from tests.acceptance.test_callbacks import until
from tests.gateway.callbacks import events_of

PHONE, SUBJECT, MARK = "+14155550123", "patient-4711", "CANARY"
BODY = "Hi {given_name|there}, we expect you on {starts_at:date}. Will you come? Reply YES or NO."
PAYLOAD = {
    "phone": PHONE, "starts_at": "2026-11-27T10:30:00+00:00", "given_name": "Meenakshi", "template": "question",
    "language": "en", "diagnosis": MARK,
}  # fmt: skip
CALL = {
    "connector": "messaging/twilio", "action": "send_confirmation_request", "purpose": "TREAT", "subject": SUBJECT,
    "payload": PAYLOAD,
}  # fmt: skip
CONSENT = {
    "subject": SUBJECT, "purposes": ["TREAT"], "channels": ["sms"],
    "evidence": {"how": "on paper", "when": "2026-01-15T09:30:00Z", "wording": "sms-1"},
}  # fmt: skip
TEMPLATE = {"action": "messaging/send_confirmation_request", "channel": "sms", "language": "en", "body": BODY}
AGREEMENT = {"kind": "baa", "services": ["sms"], "from": "2026-01-15T09:30:00Z"}


@dataclass
class Practice:
    """A clinic that writes to one person."""

    served: Served
    clinic: Caller
    connection: str

    @property
    def hook(self) -> str:
        """Where Twilio calls."""
        return f"{self.served.url}/hooks/{self.connection}"

    async def ask(self, **given: Any) -> httpx2.Response:
        """Ask the person whether they will come."""
        return await self.clinic.post("/v1/calls", {**CALL, **given})

    async def sent(self) -> dict[str, Any]:
        """The same, and it left."""
        made = await self.ask()
        assert made.status_code == 200, made.text
        told: dict[str, Any] = made.json()
        return told

    async def stands(self, disclosure: str) -> tuple[str, str | None]:
        """How a disclosure stands: its outcome and code."""
        found = (await self.clinic.get(f"/v1/disclosures/{disclosure}")).json()
        return found["outcome"], found["code"]

    async def becomes(self, disclosure: str, *standing: str | None) -> None:
        """Wait until a disclosure stands so."""

        async def so() -> bool:
            return await self.stands(disclosure) == standing

        await until(so)


@asynccontextmanager
async def practice(
    dsn: str, folder: Path, vendor_url: str, *, account: str, credential: str, token: str
) -> AsyncIterator[Practice]:
    """A gateway that sees to its jobs, and a clinic whose words, agreement and consent are there."""
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(gateway(dsn, folder, sandboxes={"messaging/twilio": vendor_url}))
        served.house.rooms.callbacks.served_at = served.url
        jobs = await stack.enter_async_context(Jobs(served.house.rooms, grace_seconds=2).running())
        await asyncio.wait_for(jobs.ready.wait(), 10)
        clinic = await served.clinic()
        connection = await clinic.connect(
            "messaging/twilio", credential, account=account, settings=sandbox.SETTINGS, features=["confirmations"]
        )
        for method, path, body in (
            ("POST", f"/v1/connections/{connection}/callback", {"secret": token}),
            ("PUT", "/v1/agreements/messaging/twilio", AGREEMENT),
            ("PUT", "/v1/templates/question", TEMPLATE),
            ("POST", "/v1/consents", CONSENT),
        ):
            made = await clinic.ask(method, path, json=body)
            assert made.status_code in (200, 201), f"{path}: {made.text}"
        yield Practice(served, clinic, connection)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulate]:
    with emulate.running() as server:
        yield server


@pytest.fixture
async def at_emulate(fresh_dsn: str, tmp_path: Path, emulator: Emulate) -> AsyncIterator[Practice]:
    """Connected to a third party's Twilio."""
    given = {"account": emulate.ACCOUNT, "credential": emulate.CREDENTIAL, "token": emulate.TOKEN}
    async with practice(fresh_dsn, tmp_path, emulator.url, **given) as made:
        yield made


@dataclass
class Played:
    """A clinic connected to our sandbox, with its phones."""

    practice: Practice
    app: Starlette
    url: str

    async def reply(self, text: str) -> str:
        """Answer on the phone's page; what the page then says."""
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False, follow_redirects=True) as phone:
            return (await phone.post(f"/phone/{PHONE}", data={"text": text})).text


@pytest.fixture
async def at_the_sandbox(fresh_dsn: str, tmp_path: Path) -> AsyncIterator[Played]:
    """Connected to the sandbox, which calls back."""
    app = sandbox.create(pace_seconds=0)
    given = {"account": sandbox.ACCOUNT, "credential": sandbox.CREDENTIAL, "token": sandbox.CALLBACK_SECRET}
    async with (
        serving(app, listening("127.0.0.1", 0)) as url,
        practice(fresh_dsn, tmp_path, url, **given) as made,
    ):
        app.state.sandbox.callback_url = made.hook
        yield Played(made, app, url)


async def test_a_message_goes_out_and_its_signed_status_callback_settles_the_disclosure(
    at_emulate: Practice, emulator: Emulate
) -> None:
    told = await at_emulate.sent()
    assert told["outcome"] == "accepted"
    assert told["answer"]["status"] == "queued"
    assert "diagnosis" in told["withheld"]
    sid = told["answer"]["id"]
    held = await emulator.message(sid)
    assert held["to"] == PHONE
    assert held["body"].startswith("Hi Meenakshi, we expect you on ")
    assert MARK not in str(held)
    await emulator.becomes(sid, "delivered")
    await at_emulate.becomes(told["id"], "accepted", "delivered")


async def test_a_message_that_does_not_arrive_is_a_disclosure_that_failed(
    at_emulate: Practice, emulator: Emulate
) -> None:
    told = await at_emulate.sent()
    await emulator.becomes(told["answer"]["id"], "sent")
    await emulator.becomes(told["answer"]["id"], "undelivered")
    await at_emulate.becomes(told["id"], "failed", "undelivered")


async def test_nobody_else_settles_it(at_emulate: Practice) -> None:
    """Signed with another token, or by the right one for another address: both are refused, and nothing is settled."""
    told = await at_emulate.sent()
    status = {
        "AccountSid": emulate.ACCOUNT, "From": emulate.SENDER, "MessageSid": told["answer"]["id"], "MessageStatus": "delivered",
        "To": PHONE,
    }  # fmt: skip
    address = f"{at_emulate.hook}?d=cg_{told['id'].replace('-', '')}"
    for token, signed_for in (("0" * 32, address), (emulate.TOKEN, at_emulate.hook)):
        made = RequestValidator(token).compute_signature(signed_for, status)
        headers = {"X-Twilio-Signature": made, "Content-Type": "application/x-www-form-urlencoded"}
        async with httpx2.AsyncClient(trust_env=False) as stranger:
            answer = await stranger.post(address, content=urlencode(status), headers=headers)
        assert answer.status_code == 400
    assert await at_emulate.stands(told["id"]) == ("accepted", None)


async def test_after_an_answer_that_was_lost_nothing_is_sent_again_and_a_callback_says_what_happened(
    at_the_sandbox: Played,
) -> None:
    vendor = at_the_sandbox.app.state.sandbox
    vendor.switches["losing"] = True
    vendor.pace_seconds = 0.3
    told = await at_the_sandbox.practice.sent()
    assert told["outcome"] == "unknown"
    assert len(vendor.messages) == 1
    await at_the_sandbox.practice.becomes(told["id"], "accepted", "delivered")
    assert len(vendor.messages) == 1


async def test_a_yes_on_the_phone_is_told_and_no_word_of_it_is_kept(at_the_sandbox: Played) -> None:
    made = at_the_sandbox.practice
    await made.sent()
    assert "took your answer" in await at_the_sandbox.reply("Yes!")
    assert "took your answer" in await at_the_sandbox.reply(f"yes but {MARK}")

    async def told() -> list[str]:
        found = await events_of(made.served.house, made.clinic.tenant)
        assert MARK not in str(found)
        assert not [kind for kind, *_ in found if kind.endswith("reply_text")], "the clinic has not switched it on"
        return [data["meaning"] for kind, _, data in found if kind == "messaging.twilio.message.replied"]

    async def both() -> bool:
        return len(await told()) == 2

    await until(both)
    assert await told() == ["confirm", "other"]


async def test_a_stop_on_the_phone_ends_messages_at_once_and_a_start_brings_them_back(at_the_sandbox: Played) -> None:
    made = at_the_sandbox.practice
    await made.sent()
    assert "took your answer" in await at_the_sandbox.reply("Stop.")
    refused = await made.ask()
    assert refused.status_code == 403
    assert [reason["code"] for reason in refused.json()["reasons"]] == ["consent_withdrawn"]
    await at_the_sandbox.reply("START")
    assert (await made.sent())["outcome"] == "accepted"


async def test_in_the_demo_a_message_reaches_the_phone_and_settles(fresh_dsn: str, tmp_path: Path) -> None:
    """Its sandbox is connected as its own constants say, under an agreement, and knows where the gateway is."""
    settings = Settings.from_environment({}, data_dir=tmp_path, database_url=fresh_dsn)
    make(settings)
    async with demo.running(settings, any_port=True) as ready:
        client = httpx2.AsyncClient(base_url=ready.url, trust_env=False, timeout=30)
        async with client:
            clinic = Caller(client, ready.api_key, ready.tenant)
            for method, path, body in (("PUT", "/v1/templates/question", TEMPLATE), ("POST", "/v1/consents", CONSENT)):
                assert (await clinic.ask(method, path, json=body)).is_success
            told = (await clinic.post("/v1/calls", CALL)).json()
            assert told["outcome"] == "accepted", told

            async def delivered() -> bool:
                return (await clinic.get(f"/v1/disclosures/{told['id']}")).json()["code"] == "delivered"

            await until(delivered)
            vendor = ready.house.rooms.routes["messaging/twilio"].base_url
            page = await client.get(f"{vendor}/phone", follow_redirects=True)
            assert "Hi Meenakshi, we expect you on " in page.text
            assert (
                "took your answer"
                in (await client.post(f"{vendor}/phone/{PHONE}", data={"text": "STOP"}, follow_redirects=True)).text
            )
            assert (await clinic.post("/v1/calls", CALL)).status_code == 403
