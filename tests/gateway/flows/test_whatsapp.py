"""WhatsApp through the whole gateway and its sandbox: a reminder is sent, read and settled; a STOP on the phone ends it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from connectors.messaging.whatsapp import sandbox
from gateway import keyfiles
from gateway.app import House, opened
from gateway.calls import Actor, Answer, Call
from gateway.config import Settings
from gateway.connections import Connection
from gateway.consents import Evidence, NewConsent
from gateway.demo import EVERYTHING
from gateway.errors import InvalidRequest, Refused
from gateway.flows.agree import Terms, agree
from gateway.flows.broker import broker
from gateway.flows.connect import Wish, connect
from gateway.flows.template import Wish as Text
from gateway.flows.template import WishedVendor, register
from gateway.jobs import Jobs
from gateway.serve import listening, serving
from scopes.agreement import AgreementKind
from scopes.consent import Channel
from scopes.policy import Policy
from scopes.vocabulary import ConnectionState, Outcome, Purpose
from tests.gateway.callbacks import events_of, raw
from tests.gateway.house import entries_of, outcome_of

CONNECTOR = "messaging/whatsapp"
PHONE = "+14155550123"
NUMBER = PHONE.removeprefix("+")
ARRIVED = ("delivered", "read")  # whichever of the two is published first stays
SINCE = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
REMINDER = {"phone": PHONE, "starts_at": "2026-11-27T10:30:00+05:30", "given_name": "Meenakshi CANARY"}
TEXT = Text(
    name="reminder",
    action="messaging/send_reminder",
    channel=Channel.WHATSAPP,
    language="en",
    body="Hello {given_name|there}, your appointment is on {starts_at:date} at {starts_at:time}.",
    at_vendor=WishedVendor(name="appointment_reminder", language="en_US"),
)


@dataclass
class Clinic:
    """A clinic that reminds one patient on WhatsApp, and the patient's phone."""

    house: House
    actor: Actor
    connection: Connection
    vendor: Any
    phone: httpx2.AsyncClient
    url: str

    async def sends(self, phone: str = PHONE, **given: Any) -> Answer:
        """One reminder."""
        asked: dict[str, Any] = {
            "connector": CONNECTOR, "action": "send_reminder", "purpose": Purpose.TREAT, "subject": "patient-4711",
            "payload": {**REMINDER, "phone": phone}, "request_id": "test", **given,
        }  # fmt: skip
        return await broker(Call(self.actor, **asked), self.house.rooms)

    async def refused(self, **given: Any) -> list[str]:
        """One reminder that is not let through; gives the reasons."""
        with pytest.raises(Refused) as refused:
            await self.sends(**given)
        return [str(reason.code) for reason in refused.value.reasons]

    async def consents(self) -> None:
        """The patient agrees to be reminded on WhatsApp and by SMS."""
        new = NewConsent(
            subject="patient-4711",
            purposes=frozenset({Purpose.TREAT}),
            channels=frozenset({Channel.WHATSAPP, Channel.SMS}),
            evidence=Evidence("on paper", SINCE, "reminders-1"),
        )
        await self.house.rooms.consents.give(self.actor, new)

    async def replies(self, text: str) -> None:
        """The patient writes back."""
        await self.phone.post(f"/phone/{NUMBER}/reply", data={"text": text})

    async def log(self, *kinds: str) -> list[dict[str, Any]]:
        """The clinic's entries of these kinds."""
        return [entry for entry in await entries_of(self.house, self.actor.tenant) if entry["kind"] in kinds]

    async def told(self) -> list[tuple[str, Any]]:
        """What was published for the clinic's endpoints, by the end of the connector's name."""
        return [(kind, told) for kind, _, told in await events_of(self.house, self.actor.tenant)]


@pytest.fixture
async def clinic(dsn: str, tmp_path: Path) -> AsyncIterator[Clinic]:
    """A gateway that is served, WhatsApp's sandbox beside it, and a connection between them without `replies`."""
    vendor = sandbox.create(pause_seconds=0.02)
    settings = Settings.from_environment({}, data_dir=tmp_path, database_url=dsn)
    keyfiles.make(settings)
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(serving(vendor, listening("127.0.0.1", 0)))
        house = await stack.enter_async_context(opened(settings, sandboxes={CONNECTOR: place}))
        actor = Actor("system", "test", await house.rooms.connections.create_tenant("a clinic"), EVERYTHING)
        manifest = house.rooms.registry.connector(CONNECTOR).manifest
        wish = Wish(connector=CONNECTOR, secret=sandbox.CREDENTIAL, account=sandbox.ACCOUNT,
                    features=frozenset(manifest.features) - {"replies"})  # fmt: skip
        connection = await connect(actor, wish, house.rooms)
        await agree(actor, CONNECTOR, Terms(kind=AgreementKind.DPA, services=("whatsapp",), since=SINCE), house.rooms)
        await house.rooms.callbacks.add_secret(actor, connection.id, sandbox.CALLBACK_SECRET, {CONNECTOR: manifest})
        await register(actor, TEXT, house.rooms)
        url = await stack.enter_async_context(serving(house.web, listening("127.0.0.1", 0)))
        vendor.state.sandbox.callback_url = f"{url}/hooks/{connection.id}"
        await stack.enter_async_context(Jobs(house.rooms).running())
        phone = await stack.enter_async_context(httpx2.AsyncClient(base_url=place, trust_env=False))
        made = Clinic(house, actor, connection, vendor, phone, url)
        await made.consents()
        yield made


async def until(found: Callable[[], Any], seconds: float = 15) -> Any:
    """What a look gives as soon as it gives anything."""
    end = time.monotonic() + seconds
    while not (seen := await found()):
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.05)
    return seen


async def test_a_reminder_is_sent_read_on_the_phone_and_settled(clinic: Clinic) -> None:
    answer = await clinic.sends()
    assert answer.outcome is Outcome.ACCEPTED
    assert answer.answer["status"] == "accepted"
    found = await until(lambda: _settled(clinic, answer, *ARRIVED))
    assert found.outcome == Outcome.ACCEPTED
    kinds = {"sent", "delivered", "read"}
    told = await until(lambda: _told(clinic, *(f"messaging.whatsapp.message.{kind}" for kind in kinds)))
    assert {each["id"] for _, each in told} == {answer.answer["id"]}
    page = (await clinic.phone.get(f"/phone/{NUMBER}")).text
    assert re.search(r"Hello Meenakshi CANARY, your appointment is on [^<]*27[^<]* at 10:30[^<]*\.</p>", page)


async def test_a_message_that_does_not_arrive_fails_afterwards(clinic: Clinic) -> None:
    answer = await clinic.sends("+14155550126")
    assert answer.outcome is Outcome.ACCEPTED
    found = await until(lambda: _settled(clinic, answer, "undelivered.131026"))
    assert found.outcome == Outcome.FAILED


async def test_a_stop_on_the_phone_ends_every_message_and_a_start_gives_this_channel_back(clinic: Clinic) -> None:
    await clinic.sends()
    await clinic.replies("STOP")
    assert await clinic.refused() == ["consent_withdrawn"]
    states = [entry["state"] for entry in await clinic.log("consent")]
    assert states == ["given", "withdrawn"]
    await clinic.replies("START")
    assert (await clinic.sends()).outcome is Outcome.ACCEPTED
    assert (await clinic.log("consent"))[-1]["channels"] == ["whatsapp"]


async def test_a_reply_is_a_meaning_and_its_words_are_kept_nowhere(clinic: Clinic, dsn: str) -> None:
    await clinic.replies("I am CANARY and my knee hurts")
    await clinic.replies("yes")
    told = await until(lambda: _told(clinic, "messaging.whatsapp.message.replied", count=2))
    assert sorted(each["meaning"] for _, each in told) == ["confirm", "other"]
    assert all(each.keys() == {"id", "meaning"} for _, each in told)
    assert b"CANARY" not in orjson.dumps([await clinic.log("consent", "intent", "outcome", "connection"), told])
    assert not [kind for kind, _ in await clinic.told() if kind.endswith("reply_text")]


async def test_the_words_of_a_reply_come_through_where_the_clinic_wants_them(clinic: Clinic) -> None:
    grant = replace(clinic.connection.grant, features=clinic.connection.grant.features | {"replies"})
    manifest = clinic.house.rooms.registry.connector(CONNECTOR).manifest
    await clinic.house.rooms.connections.grant(clinic.actor, clinic.connection.id, grant, lambda _: manifest)
    await clinic.replies("Call me on +91 98765 43210")
    ((_, text),) = await until(lambda: _told(clinic, "messaging.whatsapp.message.reply_text"))
    assert text["text"] == "Call me on +[removed]"


async def test_neither_the_number_nor_whatsapp_s_id_of_it_stands_in_the_log(clinic: Clinic) -> None:
    answer = await clinic.sends()
    await until(lambda: _settled(clinic, answer, *ARRIVED))
    await clinic.replies("STOP")
    written = orjson.dumps(await entries_of(clinic.house, clinic.actor.tenant)).decode()
    for held in (NUMBER, answer.answer["id"], "wamid", "Meenakshi"):
        assert held not in written


async def test_meta_s_handshake_is_answered_for_the_connection_s_own_token(clinic: Clinic) -> None:
    door = await clinic.house.rooms.callbacks.door(clinic.connection.id)
    path = f"/hooks/{clinic.connection.id}?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
    good = await raw(clinic.url, f"GET {path}{door.token} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    assert good.startswith(b"HTTP/1.1 200")
    assert good.endswith(b"\r\n\r\n1158201444")
    for asked in (f"{path}wrong", f"/hooks/{clinic.connection.id}"):
        bad = await raw(clinic.url, f"GET {asked} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        assert bad.startswith(b"HTTP/1.1 400")
        assert b"1158201444" not in bad


async def test_a_webhook_of_another_number_of_the_same_account_is_not_ours(clinic: Clinic) -> None:
    clinic.vendor.state.sandbox.store.account = "99999"
    await clinic.replies("STOP")
    assert (await clinic.sends()).outcome is Outcome.REJECTED  # the number is another's now; the consent still holds
    assert [entry["state"] for entry in await clinic.log("consent")] == ["given"]


async def test_a_stop_counts_while_the_connection_is_suspended(clinic: Clinic) -> None:
    await clinic.house.rooms.connections.set_state(clinic.actor, clinic.connection.id, ConnectionState.SUSPENDED)
    await clinic.replies("STOP")
    await clinic.house.rooms.connections.set_state(clinic.actor, clinic.connection.id, ConnectionState.ACTIVE)
    assert await clinic.refused() == ["consent_withdrawn"]


async def test_under_hipaa_no_message_goes_and_no_baa_can_be_recorded_since_meta_signs_none(clinic: Clinic) -> None:
    await clinic.house.rooms.agreements.set_policy(clinic.actor, Policy(jurisdiction="US"))
    assert "agreement_missing" in await clinic.refused()
    baa = Terms(kind=AgreementKind.BAA, services=("whatsapp",), since=SINCE)
    with pytest.raises(InvalidRequest) as refused:
        await agree(clinic.actor, CONNECTOR, baa, clinic.house.rooms)
    assert [fault.path for fault in refused.value.faults] == ["kind"]
    assert "agreement_missing" in await clinic.refused()


async def _settled(clinic: Clinic, answer: Answer, *codes: str) -> Any:
    found = await outcome_of(clinic.house, clinic.actor.tenant, answer.id)
    return found if found.code in codes else None


async def _told(clinic: Clinic, *kinds: str, count: int | None = None) -> list[tuple[str, Any]]:
    """The events of these kinds, once there are as many."""
    found = [(kind, told) for kind, told in await clinic.told() if kind in kinds]
    return found if len(found) == (count or len(kinds)) else []
