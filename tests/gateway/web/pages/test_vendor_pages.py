"""Webhooks on pages: register, hear, test, pause, rotate, remove; deliveries searched, read and made again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html import unescape
from uuid import UUID, uuid4

import pytest

from gateway.app import House
from gateway.flows.lane import work
from gateway.flows.publish import NewEvent, publish
from gateway.people import Role
from gateway.store.jobs import LaneJob
from gateway.webhooks.endpoints import Status
from gateway.webhooks.kinds import HOST
from tests.gateway.egress.vendor import answer
from tests.gateway.house import Clinic, entries_of
from tests.gateway.receiver import Receiver
from tests.gateway.web.pages.conftest import Browser, SignedIn, forms

NEW = "/vendor/new"
DELIVERIES = "/vendor/deliveries"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A vendor that listens on loopback and echoes challenges."""
    receiver = Receiver()
    await receiver.open()
    yield receiver
    receiver.close()


def fields(url: str, **other: object) -> dict[str, object]:
    """What somebody fills in to register an endpoint."""
    return {
        "url": url, "recipient.name": "Vendor Ltd", "recipient.country": "IN", "purpose": "HOPERAT", "signing": "v1",
        "events": ["appointment.*"], "fields": ["appointment.booked:starts_at"], "more": "", **other,
    }  # fmt: skip


async def registered(browser: Browser, receiver: Receiver, **other: object) -> tuple[str, UUID]:
    """Register an endpoint; gives its secret and its id."""
    made = await browser.send(NEW, NEW, fields(receiver.url, **other))
    assert made.status_code == 200, made.text
    secret = re.search(r"data-copy>([^<]+)<", made.text)
    place = re.search(r'href="/vendor/([0-9a-f-]{36})"', made.text)
    assert secret is not None
    assert place is not None
    return unescape(secret[1]), UUID(place[1])


async def told(house: House, clinic: Clinic, endpoint: UUID) -> None:
    """Publish an event and deliver it."""
    data = {"id": f"appt_{uuid4().hex[:8]}", "starts_at": "2026-11-27T10:30:00Z"}
    await publish(NewEvent(clinic.tenant, "appointment.booked", data, HOST, subject="patient-4711"), house.rooms)
    await work(LaneJob(clinic.tenant, endpoint, None), house.rooms)


async def test_an_endpoint_is_registered_proved_and_its_secret_shown_once(
    holder: SignedIn, house: House, clinic: Clinic, receiver: Receiver
) -> None:
    browser = await holder(Role.VENDOR)
    secret, endpoint = await registered(browser, receiver)
    assert secret.startswith("whsec_")
    one = await house.rooms.endpoints.one(clinic.tenant, endpoint)
    assert one.status is Status.ACTIVE
    assert one.fields == {"appointment.booked:starts_at"}
    assert {str(each) for each in one.categories} == {"appointment"}
    for path in ("/vendor", f"/vendor/{endpoint}", f"/vendor/{endpoint}/hearing"):
        shown = await browser.get(path)
        assert shown.status_code == 200
        assert secret not in shown.text
    assert "Active" in shown.text or "starts_at" in shown.text


async def test_an_endpoint_that_does_not_echo_hears_nothing_and_is_challenged_again(
    holder: SignedIn, house: House, clinic: Clinic, receiver: Receiver
) -> None:
    browser = await holder(Role.VENDOR)
    receiver.answers = [answer(200, b"{}")]
    _, endpoint = await registered(browser, receiver)
    place = f"/vendor/{endpoint}"
    assert "Not proved" in (await browser.get(place)).text
    assert (await browser.send(place, f"{place}/test")).headers["location"] == place
    assert "It did not prove itself" in (await browser.get(place)).text
    receiver.answers = [receiver.honest]
    await browser.send(place, f"{place}/test")
    assert "It proved itself" in (await browser.get(place)).text
    assert (await house.rooms.endpoints.one(clinic.tenant, endpoint)).status is Status.ACTIVE


async def test_it_is_paused_resumed_rotated_and_removed(
    holder: SignedIn, house: House, clinic: Clinic, receiver: Receiver
) -> None:
    browser = await holder(Role.OWNER)
    first, endpoint = await registered(browser, receiver)
    place = f"/vendor/{endpoint}"
    await browser.send(place, f"{place}/pause")
    assert "Paused" in (await browser.get(place)).text
    await browser.send(place, f"{place}/resume")
    assert "It hears again." in (await browser.get(place)).text
    asked = await browser.get(f"{place}/rotate")
    assert "For 24 hours each delivery is signed by both" in asked.text
    made = await browser.send(f"{place}/rotate", f"{place}/rotate")
    second = re.search(r"data-copy>([^<]+)<", made.text)
    assert second is not None
    assert second[1] != first
    assert "The secret before, until" in (await browser.get(place)).text
    assert (await browser.send(f"{place}/remove", f"{place}/remove")).headers["location"] == "/vendor"
    assert (await house.rooms.endpoints.one(clinic.tenant, endpoint)).status is Status.REMOVED
    shown = (await browser.get(place)).text
    assert "Removed" in shown
    assert f"{place}/rotate" not in shown
    states = [
        e.get("state")
        for e in await entries_of(house, clinic.tenant)
        if e.get("actor", {}).get("id") == str(browser.person)
    ]
    assert [s for s in states if s] == ["pending", "active", "suspended", "active", "rotated", "removed"]


async def test_what_it_hears_is_replaced_and_a_field_without_its_event_is_refused(
    holder: SignedIn, house: House, clinic: Clinic, receiver: Receiver
) -> None:
    browser = await holder(Role.VENDOR)
    _, endpoint = await registered(browser, receiver)
    place = f"/vendor/{endpoint}/hearing"
    shown = (await browser.get(place)).text
    assert re.search(r'value="appointment.booked:starts_at" checked', shown)
    wanted = {
        "events": ["invoice.paid"],
        "fields": ["invoice.paid:currency", "invoice.paid:number"],
        "more": "queue.called",
    }
    assert (await browser.send(place, place, wanted)).status_code == 303
    one = await house.rooms.endpoints.one(clinic.tenant, endpoint)
    assert one.events == ("invoice.paid", "queue.called")
    assert {str(each) for each in one.categories} == {"billing"}
    assert 'value="queue.called"' in (await browser.get(place)).text
    lone = await browser.send(place, place, {"events": ["invoice.paid"], "fields": ["appointment.booked:starts_at"]})
    assert lone.status_code == 400
    assert "Let it hear appointment.booked too" in lone.text
    assert (await browser.send(place, place, {"events": []})).status_code == 400
    assert (await browser.send(place, place, {"events": ["not a type"]})).status_code == 400


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("url", "http://vendor.example/hooks", "Must begin with https://"),
        ("url", "https://10.0.0.1/hooks", "Must not be an address of a private network"),
        ("recipient.name", "", "Write who receives it"),
        ("recipient.country", "India", "Name the country"),
        ("purpose", "HMARKT", "No integration may serve this purpose"),
        ("events", [], "Choose at least one event"),
    ],
)
async def test_what_is_wrong_with_an_endpoint_is_told_beside_its_field(
    holder: SignedIn, house: House, clinic: Clinic, field: str, value: object, said: str
) -> None:
    browser = await holder(Role.VENDOR)
    wrong = await browser.send(NEW, NEW, {**fields("https://vendor.example/hooks"), field: value})
    assert wrong.status_code == 400
    assert said in unescape(wrong.text)
    assert await house.rooms.endpoints.page(clinic.tenant, after=None, limit=5) == []


async def test_deliveries_are_searched_charted_and_read(
    holder: SignedIn, house: House, clinic: Clinic, receiver: Receiver
) -> None:
    browser = await holder(Role.VENDOR)
    _, endpoint = await registered(browser, receiver)
    await told(house, clinic, endpoint)
    receiver.answers = [answer(500)]
    await told(house, clinic, endpoint)
    shown = (await browser.get(DELIVERIES)).text
    assert "Delivered" in shown
    assert "HTTP 500" in shown
    assert "appt_" not in shown, "what an event said is not shown"
    assert "4711" not in shown
    assert re.search(r"Accepted: 1\. Rejected: \d\. ", shown)
    assert 'class="accepted"' in shown
    today = datetime.now(UTC).date()
    for query, count in (
        ("state=delivered", 1), ("state=waiting", 1), ("state=nonsense", 2), ("type=invoice.paid", 0),
        (f"endpoint={endpoint}", 2), (f"endpoint={uuid4()}", 0), (f"since={today}&until={today}", 2),
        (f"until={today - timedelta(days=1)}", 0),
    ):  # fmt: skip
        found = (await browser.get(f"{DELIVERIES}?{query}")).text
        assert len(re.findall(r'href="/vendor/deliveries/[0-9a-f-]{36}"', found)) == count, query
    place = re.search(r'href="(/vendor/deliveries/[0-9a-f-]{36})"', shown)
    assert place is not None
    one = (await browser.get(place[1])).text
    assert "http_500" in one
    assert " ms" in one
    assert "Numbers as a table" in shown


async def test_a_search_that_cannot_be_read_is_told_and_never_run(holder: SignedIn) -> None:
    browser = await holder(Role.VENDOR)
    shown = await browser.get(
        DELIVERIES, params={"type": HOSTILE, "since": HOSTILE, "endpoint": HOSTILE, "days": HOSTILE}
    )
    assert shown.status_code == 200
    assert "Write a date" in shown.text
    assert "<img src=x" not in shown.text


async def test_a_delivery_is_made_again_under_the_same_id_and_who_asked_stands_in_the_log(
    holder: SignedIn, house: House, clinic: Clinic, receiver: Receiver
) -> None:
    browser = await holder(Role.VENDOR)
    _, endpoint = await registered(browser, receiver)
    await told(house, clinic, endpoint)
    first = receiver.headers()["webhook-id"]
    place = re.search(r'href="(/vendor/deliveries/[0-9a-f-]{36})"', (await browser.get(DELIVERIES)).text)
    assert place is not None
    assert (await browser.send(place[1], f"{place[1]}/replay")).headers["location"] == place[1]
    await work(LaneJob(clinic.tenant, endpoint, None), house.rooms)
    assert receiver.headers()["webhook-id"] == first
    assert len([said for said in receiver.heard if said["type"] == "appointment.booked"]) == 2
    charted = (await browser.get(f"/vendor/{endpoint}")).text
    assert '<desc id="bars-says">Accepted: 2. Rejected: 0.' in charted
    looks = [e for e in await entries_of(house, clinic.tenant) if e["kind"] == "access" and e["what"] == "replay"]
    assert [(e["actor"]["id"], e["query"]) for e in looks] == [
        (str(browser.person), {"delivery": place[1].rpartition("/")[2]})
    ]


async def test_deliveries_since_a_day_are_counted_before_they_are_made_again(
    holder: SignedIn, house: House, clinic: Clinic, receiver: Receiver
) -> None:
    browser = await holder(Role.OWNER)
    _, endpoint = await registered(browser, receiver)
    for _ in range(3):
        await told(house, clinic, endpoint)
    place, today = f"/vendor/{endpoint}/replay", datetime.now(UTC).date().isoformat()
    none = await browser.send(place, place, {"since": today, "states": ["exhausted"], "do": "count"})
    assert "0 deliveries would be made again" in none.text
    counted = await browser.send(place, place, {"since": today, "states": ["delivered"], "do": "count"})
    assert "3 deliveries would be made again" in counted.text
    made = await browser.send(place, place, {"since": today, "states": ["delivered"], "do": "replay"})
    assert made.headers["location"] == f"{DELIVERIES}?endpoint={endpoint}"
    assert "3 deliveries are made again" in (await browser.get(DELIVERIES)).text
    assert (await browser.send(place, place, {"since": today, "do": "count"})).status_code == 400
    await browser.send(f"/vendor/{endpoint}", f"/vendor/{endpoint}/pause")
    held = await browser.send(place, place, {"since": today, "states": ["delivered"], "do": "count"})
    assert held.status_code == 409
    assert "suspended" in held.text


async def test_support_sees_how_endpoints_stand_and_no_delivery(
    holder: SignedIn, house: House, clinic: Clinic, receiver: Receiver
) -> None:
    _, endpoint = await registered(await holder(Role.OWNER), receiver)
    browser = await holder(Role.SUPPORT)
    shown = await browser.get(f"/vendor/{endpoint}")
    assert shown.status_code == 200
    assert "Active" in shown.text
    assert "deliveries" not in shown.text.lower().partition("<main")[2]
    assert [path for path in forms(shown.text) if path.startswith("/vendor")] == []
    assert (await browser.get(DELIVERIES)).status_code == 403


async def test_every_kind_of_event_is_told_with_its_fields_and_an_example(holder: SignedIn, house: House) -> None:
    browser = await holder(Role.VENDOR)
    shown = unescape((await browser.get("/vendor/events")).text)
    for kind in house.rooms.kinds.catalogue():
        assert f'"type": "{kind.type}"' in shown
        for leaf in kind.shape.walk():
            assert leaf.why in shown
    assert "x-category" in shown


async def test_endpoints_of_another_clinic_are_not_there(holder: SignedIn, house: House, receiver: Receiver) -> None:
    _, endpoint = await registered(await holder(Role.OWNER), receiver)
    other = await holder(Role.OWNER, tenant=await house.rooms.connections.create_tenant("another clinic"))
    for path in ("", "/hearing", "/rotate", "/remove", "/replay"):
        assert (await other.get(f"/vendor/{endpoint}{path}")).status_code == 404, path
    assert str(endpoint) not in (await other.get(DELIVERIES)).text
    assert str(endpoint) not in (await other.get("/vendor")).text


async def test_names_that_a_vendor_chose_are_shown_and_never_run(
    holder: SignedIn, house: House, clinic: Clinic, receiver: Receiver
) -> None:
    browser = await holder(Role.OWNER)
    url = f"{receiver.url}?a=%3Cscript%3E&b='onload=x'"
    made = await browser.send(NEW, NEW, fields(url, **{"recipient.name": HOSTILE, "more": "queue.called"}))
    assert made.status_code == 200, made.text
    endpoint = (await house.rooms.endpoints.page(clinic.tenant, after=None, limit=5))[0].id
    await told(house, clinic, endpoint)
    for path in (
        "/vendor",
        f"/vendor/{endpoint}",
        f"/vendor/{endpoint}/hearing",
        f"/vendor/{endpoint}/replay",
        DELIVERIES,
    ):
        shown = (await browser.get(path)).text
        assert "<img src=x" not in shown, path
        assert "'onload=x'" not in shown, path
