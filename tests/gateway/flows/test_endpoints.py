"""Endpoints set up over real sockets: what proves one and what does not, which addresses are taken, test and resume."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
import pytest
from standardwebhooks import Webhook

from gateway.app import House
from gateway.egress import Door
from gateway.errors import Conflict, InvalidRequest
from gateway.flows.endpoints import Registered, Terms, Wish, register, regrant, resume, suspend, try_out
from gateway.webhooks.endpoints import Recipient, Status, Why
from scopes.vocabulary import Category, Purpose
from tests.gateway.egress.doubles import Names
from tests.gateway.egress.vendor import answer
from tests.gateway.house import Clinic, entries_of
from tests.gateway.receiver import Receiver

SOON = 0.3  # seconds that a challenge may take here


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.open()
    yield receiver
    receiver.close()


def wish(url: str, **given: Any) -> Wish:
    asked: dict[str, Any] = {
        "url": url, "events": ("appointment.*",), "purpose": Purpose.TREAT, "recipient": Recipient("Vendor Ltd", "DE"),
        **given,
    }  # fmt: skip
    return Wish(**asked)


async def registered(house: House, clinic: Clinic, receiver: Receiver, **given: Any) -> Registered:
    return await register(clinic.actor, wish(receiver.url, **given), house.rooms, seconds=SOON)


async def waiting(house: House, clinic: Clinic) -> list[tuple[UUID, str, UUID]]:
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        found = await connection.fetch(
            "SELECT d.endpoint, e.type, e.id FROM deliveries d JOIN events e ON e.tenant = d.tenant AND e.id = d.event"
        )
    return [tuple(row) for row in found]


async def test_an_endpoint_that_echoes_a_signed_challenge_is_active(
    house: House, clinic: Clinic, receiver: Receiver
) -> None:
    made = await registered(house, clinic, receiver)
    assert (made.code, made.endpoint.status) == (None, Status.ACTIVE)
    assert len(receiver.requests) == 1
    assert receiver.lines()[0] == "POST /hooks HTTP/1.1"
    said = Webhook(made.secret).verify(receiver.body(), receiver.headers())
    assert said.keys() == {"type", "challenge"}
    assert len(said["challenge"]) >= 43
    written = [entry for entry in await entries_of(house, clinic.tenant) if entry.get("connector") == "webhook"]
    assert [entry["state"] for entry in written] == ["pending", "active"]


async def test_no_two_challenges_are_alike(house: House, clinic: Clinic, receiver: Receiver) -> None:
    for _ in range(2):
        await registered(house, clinic, receiver)
    first, second = receiver.heard
    assert first["challenge"] != second["challenge"]


async def test_an_ed25519_endpoint_proves_itself_too(house: House, clinic: Clinic, receiver: Receiver) -> None:
    made = await registered(house, clinic, receiver, signing="v1a")
    assert made.endpoint.status is Status.ACTIVE
    assert receiver.headers()["webhook-signature"].startswith("v1a,")


NOT_PROVED: dict[str, tuple[Any, str]] = {
    "another challenge": (answer(200, b'{"challenge":"another"}'), "challenge_not_echoed"),
    "nothing in it": (answer(200, b"{}"), "challenge_not_echoed"),
    "a number": (answer(200, b'{"challenge":7}'), "challenge_not_echoed"),
    "beyond ASCII": (answer(200, '{"challenge":"é"}'.encode()), "challenge_not_echoed"),
    "a list": (answer(200, b'["challenge"]'), "challenge_not_echoed"),
    "no JSON": (answer(200, b"<html>"), "challenge_not_json"),
    "half a character": (answer(200, b'{"challenge":"\\ud800"}'), "challenge_not_json"),
    "nothing at all": (answer(200), "challenge_not_json"),
    "204": (answer(204), "challenge_not_200"),
    "404": (answer(404, b"{}"), "challenge_not_200"),
    "500": (answer(500, b"{}"), "challenge_not_200"),
    "429": (answer(429, b"{}", retry_after="0"), "challenge_not_200"),
    "410": (answer(410), "challenge_not_200"),
    "302": (answer(302, location="https://vendor.example/"), "redirect"),
    "too much": (answer(200, b'{"challenge":"' + b"a" * 5000 + b'"}'), "too_large"),
    "no HTTP": (b"SSH-2.0-x\r\n\r\n", "unreadable_answer"),
}


@pytest.mark.parametrize("what", NOT_PROVED)
async def test_whatever_does_not_echo_the_challenge_stays_pending(
    house: House, clinic: Clinic, receiver: Receiver, what: str
) -> None:
    said, code = NOT_PROVED[what]
    receiver.answers = [said]
    made = await registered(house, clinic, receiver)
    assert (made.code, made.endpoint.status) == (code, Status.PENDING)
    assert len(receiver.requests) == 1  # asked once, followed nowhere
    written = [entry for entry in await entries_of(house, clinic.tenant) if entry.get("connector") == "webhook"]
    assert [entry["state"] for entry in written] == ["pending"]


@pytest.mark.parametrize(("how", "code"), [("late", "timeout"), ("dripping", "too_slow"), ("moved", "redirect")])
async def test_the_right_echo_in_the_wrong_way_proves_nothing(
    house: House, clinic: Clinic, receiver: Receiver, how: str, code: str
) -> None:
    receiver.answers = [getattr(receiver, how)]
    made = await registered(house, clinic, receiver)
    assert made.endpoint.status is Status.PENDING
    assert made.code in (code, "timeout")
    assert len(receiver.requests) == 1


async def test_an_endpoint_that_nobody_serves_stays_pending(house: House, clinic: Clinic, receiver: Receiver) -> None:
    receiver.close()
    made = await registered(house, clinic, receiver)
    assert (made.code, made.endpoint.status) == ("connect_failed", Status.PENDING)


async def test_a_pending_endpoint_is_challenged_again_by_a_test(
    house: House, clinic: Clinic, receiver: Receiver
) -> None:
    receiver.answers = [answer(500), answer(200, b"{}"), receiver.honest]
    made = await registered(house, clinic, receiver)
    failed = await try_out(clinic.actor, made.endpoint.id, house.rooms, seconds=SOON)
    assert (failed.code, failed.event) == ("challenge_not_echoed", None)
    proved = await try_out(clinic.actor, made.endpoint.id, house.rooms, seconds=SOON)
    assert (proved.code, proved.endpoint.status) == (None, Status.ACTIVE)
    Webhook(made.secret).verify(receiver.body(), receiver.headers())


async def test_a_test_of_an_active_endpoint_is_an_event_for_it_alone(
    house: House, clinic: Clinic, receiver: Receiver
) -> None:
    await registered(house, clinic, receiver, events=("*",))
    made = await registered(house, clinic, receiver)
    tested = await try_out(clinic.actor, made.endpoint.id, house.rooms)
    assert tested.event is not None
    assert await waiting(house, clinic) == [(made.endpoint.id, "endpoint.test", tested.event)]


async def test_what_is_stopped_is_not_tested(house: House, clinic: Clinic, receiver: Receiver) -> None:
    made = await registered(house, clinic, receiver)
    await suspend(clinic.actor, made.endpoint.id, house.rooms)
    with pytest.raises(Conflict):
        await try_out(clinic.actor, made.endpoint.id, house.rooms)
    await house.rooms.endpoints.remove(clinic.actor, made.endpoint.id)
    with pytest.raises(Conflict):
        await try_out(clinic.actor, made.endpoint.id, house.rooms)
    assert len(receiver.requests) == 1


async def test_a_suspended_endpoint_goes_on_without_a_challenge(
    house: House, clinic: Clinic, receiver: Receiver
) -> None:
    made = await registered(house, clinic, receiver)
    stopped = await suspend(clinic.actor, made.endpoint.id, house.rooms)
    assert (stopped.status, stopped.why) == (Status.SUSPENDED, Why.CLINIC)
    resumed = await resume(clinic.actor, made.endpoint.id, house.rooms)
    assert (resumed.status, resumed.why) == (Status.ACTIVE, None)
    assert len(receiver.requests) == 1


async def test_an_endpoint_that_is_off_proves_itself_before_it_goes_on(
    house: House, clinic: Clinic, receiver: Receiver
) -> None:
    made = await registered(house, clinic, receiver)
    off = (clinic.actor, made.endpoint.id, Status.OFF, Why.GONE)
    await house.rooms.endpoints.set_state(*off)
    receiver.answers = [answer(410), receiver.honest]
    with pytest.raises(Conflict) as refused:
        await resume(clinic.actor, made.endpoint.id, house.rooms, seconds=SOON)
    assert "challenge_not_200" in str(refused.value)
    assert (await house.rooms.endpoints.one(clinic.tenant, made.endpoint.id)).status is Status.OFF
    resumed = await resume(clinic.actor, made.endpoint.id, house.rooms, seconds=SOON)
    assert resumed.status is Status.ACTIVE


async def test_nobody_gets_round_the_challenge_by_suspending_and_resuming(
    house: House, clinic: Clinic, receiver: Receiver
) -> None:
    receiver.answers = [answer(500)]
    made = await registered(house, clinic, receiver)
    for step in (suspend, resume):
        with pytest.raises(Conflict):
            await step(clinic.actor, made.endpoint.id, house.rooms)
    assert (await house.rooms.endpoints.one(clinic.tenant, made.endpoint.id)).status is Status.PENDING


async def test_a_proof_that_comes_after_the_removal_changes_nothing(
    house: House, clinic: Clinic, receiver: Receiver
) -> None:
    made = await registered(house, clinic, receiver)
    await house.rooms.endpoints.set_state(clinic.actor, made.endpoint.id, Status.OFF, Why.FAILING)

    async def meanwhile(reader: Any, writer: Any) -> bytes:
        await house.rooms.endpoints.remove(clinic.actor, made.endpoint.id)
        return await receiver.honest(reader, writer)

    receiver.answers = [meanwhile]
    with pytest.raises(Conflict):
        await resume(clinic.actor, made.endpoint.id, house.rooms, seconds=5.0)
    assert (await house.rooms.endpoints.one(clinic.tenant, made.endpoint.id)).status is Status.REMOVED


@pytest.mark.parametrize(
    "url",
    [
        "",
        "vendor.example/hooks",
        "//vendor.example/hooks",
        "ftp://vendor.example/hooks",
        "http://vendor.example/hooks",
        "https:///hooks",
        "https://vendor.example./hooks",
        "https://ada:secret@vendor.example/hooks",
        "https://ada@vendor.example/hooks",
        "https://vendor.example/hooks#part",
        "https://vendor.example/hooks#",
        "https://vendor.example/ho oks",
        "https://vendor.example/hooks\n",
        "https://vendor.example\\@127.0.0.1/",
        "https://vendor.example/../hooks",
        "https://vendor.example/a/%2e%2e/hooks",
        "https://vendör.example/hooks",
        "https://vendor.example/" + "a" * 480,
        "https://10.0.0.1/hooks",
        "https://169.254.169.254/latest",
        "https://[::1]/hooks",
        "https://[::ffff:10.0.0.1]/hooks",
        "https://[fd00::1]/hooks",
        "https://0/hooks",
        "https://2130706433/hooks",
        "https://0x7f.1/hooks",
        "https://127.0.0.2/hooks",
        "https://vendor.example:99999/hooks",
        "javascript:alert(1)",
        "https://www.google-analytics.com/mp/collect",
        "https://graph.facebook.com/v23.0/1234567890/events",
        "https://api.segment.io/v1/track",
    ],
)
async def test_an_address_that_is_not_public_or_not_plain_is_not_registered(
    house: House, clinic: Clinic, url: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await register(clinic.actor, wish(url), house.rooms, seconds=SOON)
    assert [fault.path for fault in refused.value.faults] == ["url"]
    assert "secret" not in str(refused.value.faults)
    assert await house.rooms.endpoints.page(clinic.tenant, after=None, limit=10) == []


async def test_a_place_of_advertising_is_named_as_such(house: House, clinic: Clinic) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await register(clinic.actor, wish("https://api.mixpanel.com/track"), house.rooms, seconds=SOON)
    assert "advertising or tracking" in refused.value.faults[0].message


async def test_without_tls_only_the_demo_calls_and_only_its_own_machine(
    house: House, clinic: Clinic, receiver: Receiver
) -> None:
    in_production = replace(house.rooms, egress=Door(house.rooms.egress.engine))
    for url in (receiver.url, f"http://localhost:{receiver.port}/hooks", "https://127.0.0.1/hooks"):
        with pytest.raises(InvalidRequest):
            await register(clinic.actor, wish(url), in_production, seconds=SOON)
    made = await register(clinic.actor, wish(f"http://localhost:{receiver.port}/hooks"), house.rooms, seconds=SOON)
    assert made.endpoint.status is Status.ACTIVE


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "100.64.0.1"])
async def test_a_name_that_leads_to_a_private_address_is_not_called(
    house: House, clinic: Clinic, receiver: Receiver, address: str
) -> None:
    door = Door(house.rooms.egress.engine, resolver=Names({"vendor.example": [["93.184.215.14", address]]}))
    url = f"https://vendor.example:{receiver.port}/hooks"
    made = await register(clinic.actor, wish(url), replace(house.rooms, egress=door), seconds=SOON)
    assert (made.code, made.endpoint.status) == ("private_address", Status.PENDING)
    assert receiver.connections == 0


async def test_a_name_whose_first_address_does_not_answer_is_proved_at_its_second(
    house: House, clinic: Clinic, receiver: Receiver
) -> None:
    names = Names({"vendor.example": [["127.0.0.2", "127.0.0.1"]]})
    door = Door(house.rooms.egress.engine, resolver=names, loopback_hosts=frozenset({"vendor.example"}))
    url = f"http://vendor.example:{receiver.port}/hooks"
    made = await register(clinic.actor, wish(url), replace(house.rooms, egress=door), seconds=SOON)
    assert (made.code, len(receiver.requests)) == (None, 1)


async def test_the_path_and_the_query_of_an_address_are_called_as_they_are(
    house: House, clinic: Clinic, receiver: Receiver
) -> None:
    url = f"http://127.0.0.1:{receiver.port}/a%20b/@hooks/?site=7&x=%2F"
    made = await register(clinic.actor, wish(url), house.rooms, seconds=SOON)
    assert (made.endpoint.status, made.endpoint.url) == (Status.ACTIVE, url)
    assert receiver.lines()[0] == "POST /a%20b/@hooks/?site=7&x=%2F HTTP/1.1"


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"purpose": Purpose.HMARKT}, "purpose"),
        ({"events": ()}, "events"),
        ({"events": ("appointment.*", "Appointment")}, "events[1]"),
        ({"fields": ("appointment.booked",)}, "fields[0]"),
        ({"fields": ("appointment.booked:diagnosis",)}, "fields[0]"),
        ({"fields": ("appointment.*:starts_at",)}, "fields[0]"),
        ({"fields": ("bed.freed:starts_at",)}, "fields[0]"),
        ({"fields": ("invoice.paid:amount_minor",), "categories": frozenset({Category.BILLING})}, "fields[0]"),
        ({"fields": ("appointment.booked:starts_at",)}, "fields[0]"),
    ],
)
async def test_a_wish_that_cannot_be_is_refused_before_anybody_is_called(
    house: House, clinic: Clinic, receiver: Receiver, given: dict[str, Any], path: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await registered(house, clinic, receiver, **given)
    assert [fault.path for fault in refused.value.faults] == [path]
    assert receiver.requests == []


async def test_a_new_grant_is_checked_as_the_first_one_was(house: House, clinic: Clinic, receiver: Receiver) -> None:
    made = await registered(house, clinic, receiver)
    terms = Terms(events=("invoice.paid",), fields=("appointment.booked:*",))
    with pytest.raises(InvalidRequest):
        await regrant(clinic.actor, made.endpoint.id, terms, house.rooms)
    billing = frozenset({Category.BILLING})
    terms = Terms(events=("invoice.paid",), categories=billing, fields=("invoice.paid:amount_minor",))
    granted = await regrant(clinic.actor, made.endpoint.id, terms, house.rooms)
    assert (granted.events, granted.categories, granted.fields) == (
        ("invoice.paid",), billing, frozenset({"invoice.paid:amount_minor"}),
    )  # fmt: skip


async def test_a_challenge_says_nothing_but_itself(house: House, clinic: Clinic, receiver: Receiver) -> None:
    await registered(house, clinic, receiver)
    assert orjson.loads(receiver.body()).keys() == {"type", "challenge"}
    assert receiver.headers().keys() == {
        "host", "accept", "content-length", "accept-encoding", "content-type", "user-agent", "webhook-id", "webhook-timestamp",
        "webhook-signature",
    }  # fmt: skip
    assert str(clinic.tenant) not in str(receiver.requests)
