"""One attempt after another, against a listener on a socket and a real PostgreSQL: what arrives, what is written down."""

from __future__ import annotations

from base64 import b64decode
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook

from connectors.contract import Unreachable
from gateway.app import House
from gateway.errors import InvalidRequest
from gateway.flows.agree import Terms, agree
from gateway.flows.lane import work
from gateway.flows.publish import NewEvent, publish
from gateway.flows.schedule import DELAYS
from gateway.store import events
from gateway.store.deliveries import DeliveryRow
from gateway.store.jobs import LaneJob
from gateway.webhooks.endpoints import Endpoint, Hearing, NewEndpoint, Recipient, Status
from scopes.agreement import AgreementKind
from scopes.policy import Policy
from scopes.vocabulary import Purpose
from tests.gateway.egress.vendor import answer
from tests.gateway.house import Clinic, entries_of
from tests.gateway.listener import (
    EVERYTHING,
    TYPE,
    Clock,
    Listener,
    attempts_of,
    endpoint_at,
    happened,
    rows_of,
)


async def attempt(house: House, clinic: Clinic, endpoint: Endpoint) -> DeliveryRow:
    """Let the lane work once; gives the newest delivery."""
    await work(LaneJob(clinic.tenant, endpoint.id, None), house.rooms)
    return (await rows_of(house, clinic))[0]


async def test_an_event_arrives_signed_with_its_id_and_nothing_else(
    house: House, clinic: Clinic, listener: Listener
) -> None:
    new = NewEndpoint(
        url=listener.url, host="127.0.0.1", purpose=Purpose.HOPERAT, recipient=Recipient("Vendor Ltd", "DE"),
        events=("appointment.*",),
    )  # fmt: skip
    endpoint, secret = await house.rooms.endpoints.create(clinic.actor, new)
    await house.rooms.endpoints.set_state(clinic.actor, endpoint.id, Status.ACTIVE)
    published = await happened(house, clinic, starts_at="2027-01-04T10:00:00Z", patient_name="Ada Canary")
    assert published.deliveries == 1
    assert "patient_name" in published.withheld
    assert (await attempt(house, clinic, endpoint)).state == "delivered"
    heard = listener.heard[0]
    assert heard.headers["webhook-id"] == str(published.id)
    assert heard.said["data"] == {"id": "appt_7Hq2"}
    assert heard.said["type"] == TYPE
    assert set(heard.said) == {"type", "timestamp", "data"}
    assert heard.body == orjson.dumps(heard.said, option=orjson.OPT_SORT_KEYS)
    assert Webhook(secret).verify(heard.body, heard.headers) == heard.said


async def test_an_endpoint_with_a_key_of_its_own_gets_signatures_that_only_the_gateway_can_make(
    timed_house: House, timed_clinic: Clinic, listener: Listener, clock: Clock
) -> None:
    house, clinic = timed_house, timed_clinic
    new = NewEndpoint(
        url=listener.url, host="127.0.0.1", purpose=Purpose.HOPERAT, recipient=Recipient("Vendor Ltd", "DE"),
        events=("*",), signing="v1a",
    )  # fmt: skip
    endpoint, _ = await house.rooms.endpoints.create(clinic.actor, new)
    await house.rooms.endpoints.set_state(clinic.actor, endpoint.id, Status.ACTIVE)
    await house.rooms.endpoints.rotate(clinic.actor, endpoint.id)
    endpoint = await house.rooms.endpoints.one(clinic.tenant, endpoint.id)
    await happened(house, clinic)
    assert (await attempt(house, clinic, endpoint)).state == "delivered"
    heard = listener.heard[0]
    signed = f"{heard.headers['webhook-id']}.{heard.headers['webhook-timestamp']}.".encode() + heard.body
    signatures = heard.headers["webhook-signature"].split(" ")
    assert len(signatures) == len(endpoint.public_keys) == 2  # the new key's and the old one's, while it is exchanged
    for public_key, signature in zip(endpoint.public_keys, signatures, strict=True):
        key = Ed25519PublicKey.from_public_bytes(b64decode(public_key.removeprefix("whpk_")))
        key.verify(b64decode(signature.removeprefix("v1a,")), signed)
    clock.move(hours=24, seconds=1)
    await happened(house, clinic)
    await attempt(house, clinic, endpoint)
    assert len(listener.heard[1].headers["webhook-signature"].split(" ")) == 1


async def test_each_attempt_is_a_disclosure_with_its_intent_before_and_its_outcome_after(
    timed_house: House, timed_clinic: Clinic, listener: Listener, clock: Clock
) -> None:
    house, clinic = timed_house, timed_clinic
    listener.says(500, 200)
    endpoint = await endpoint_at(house, clinic, listener.url)
    published = await happened(house, clinic)
    row = await attempt(house, clinic, endpoint)
    clock.now = row.next_at
    row = await attempt(house, clinic, endpoint)
    log = [entry for entry in await entries_of(house, clinic.tenant) if entry["kind"] in ("intent", "outcome")]
    assert [(entry["kind"], entry.get("outcome")) for entry in log] == [
        ("intent", None), ("outcome", "rejected"), ("intent", None), ("outcome", "accepted"),
    ]  # fmt: skip
    assert [(entry["event"], entry["delivery"], entry["attempt"]) for entry in log[::2]] == [
        (str(published.id), str(row.id), 1), (str(published.id), str(row.id), 2),
    ]  # fmt: skip
    assert log[0]["recipient"]["name"] == "Vendor Ltd"
    assert [path for path, _ in log[0]["fields"]] == ["id"]
    tried = await attempts_of(house, clinic, row.id)
    assert [(each.number, each.outcome, each.status, each.code) for each in tried] == [
        (1, "rejected", 500, "http_500"), (2, "accepted", 200, None),
    ]  # fmt: skip
    assert [str(each.disclosure) for each in tried] == [entry["disclosure"] for entry in log[::2]]


@pytest.mark.parametrize(
    ("status", "outcome", "code"),
    [
        (200, "accepted", None), (204, "accepted", None), (299, "accepted", None),
        (301, "failed", "redirect"), (304, "rejected", "http_304"), (400, "rejected", "http_400"),
        (404, "rejected", "http_404"), (429, "rejected", "http_429"), (500, "rejected", "http_500"),
        (502, "unknown", "http_502"), (503, "rejected", "http_503"), (504, "unknown", "http_504"),
    ],
)  # fmt: skip
async def test_only_an_answer_of_2xx_takes_the_event(
    house: House, clinic: Clinic, listener: Listener, status: int, outcome: str, code: str | None
) -> None:
    listener.says(status, location=f"{listener.url}/elsewhere")
    endpoint = await endpoint_at(house, clinic, listener.url)
    await happened(house, clinic)
    row = await attempt(house, clinic, endpoint)
    assert row.state == ("delivered" if code is None else "waiting")
    assert row.code == code
    tried = await attempts_of(house, clinic, row.id)
    assert [(each.outcome, each.code) for each in tried] == [(outcome, code)]
    assert len(listener.heard) == 1


async def _hang_up(_headers: dict[str, str], _body: bytes) -> None:
    return None


async def test_a_receiver_that_hangs_up_leaves_doubt_and_one_that_is_not_there_none(
    house: House, clinic: Clinic, listener: Listener
) -> None:
    listener.hears = _hang_up
    endpoint = await endpoint_at(house, clinic, listener.url)
    nowhere = await endpoint_at(house, clinic, "http://127.0.0.1:9/hooks")
    await happened(house, clinic)
    await attempt(house, clinic, endpoint)
    await attempt(house, clinic, nowhere)
    rows = {row.endpoint: row for row in await rows_of(house, clinic)}
    tried = [(await attempts_of(house, clinic, rows[each.id].id))[0].outcome for each in (endpoint, nowhere)]
    assert tried == ["unknown", "failed"]


async def test_ten_attempts_on_schedule_then_it_is_exhausted_and_stays(
    timed_house: House, timed_clinic: Clinic, listener: Listener, clock: Clock
) -> None:
    house, clinic = timed_house, timed_clinic
    endpoint = await endpoint_at(house, clinic, listener.url)
    # A success in between keeps the circuit closed, which is another matter.
    listener.hears = lambda headers, body: answer(200 if b"appt_fine1" in body else 400)
    published, gaps = await happened(house, clinic), list[timedelta]()
    for _ in range(10):
        before = clock.now
        await work(LaneJob(clinic.tenant, endpoint.id, None), house.rooms)
        row = (await rows_of(house, clinic, event=published.id))[0]
        if row.state == "waiting":
            gaps.append(row.next_at - before)
            clock.now = row.next_at
            await publish(NewEvent(clinic.tenant, TYPE, {"id": "appt_fine1"}, "host"), house.rooms)
    assert (row.state, row.attempts, row.code) == ("exhausted", 10, "http_400")
    assert len(gaps) == 9
    for gap, delay in zip(gaps, DELAYS[1:], strict=True):
        assert delay * 0.8 <= gap <= delay * 1.2
    assert listener.ids.count(str(published.id)) == 10
    clock.move(days=3)
    await work(LaneJob(clinic.tenant, endpoint.id, None), house.rooms)
    assert listener.ids.count(str(published.id)) == 10


@pytest.mark.parametrize(("said", "least", "most"), [("90", 90, 91), ("0", 4, 6), ("86400", 3600, 3601)])
async def test_retry_after_is_honoured_within_its_bounds(
    timed_house: House, timed_clinic: Clinic, listener: Listener, clock: Clock, said: str, least: int, most: int
) -> None:
    listener.says(503, retry_after=said)
    endpoint = await endpoint_at(timed_house, timed_clinic, listener.url)
    await happened(timed_house, timed_clinic)
    row = await attempt(timed_house, timed_clinic, endpoint)
    assert least <= (row.next_at - clock.now).total_seconds() <= most


async def test_a_field_leaves_only_where_its_category_and_itself_are_granted_and_no_more_once_it_is_taken_back(
    timed_house: House, timed_clinic: Clinic, listener: Listener, clock: Clock
) -> None:
    house, clinic = timed_house, timed_clinic
    listener.says(500, 500, 200)
    endpoint = await endpoint_at(house, clinic, listener.url, **EVERYTHING)
    await happened(house, clinic, starts_at="2027-01-04T10:00:00Z")
    row = await attempt(house, clinic, endpoint)
    assert "starts_at" in listener.heard[0].said["data"]
    await house.rooms.endpoints.regrant(clinic.actor, endpoint.id, Hearing(events=("appointment.*",)))
    clock.now = row.next_at
    await attempt(house, clinic, endpoint)
    assert listener.heard[1].said["data"] == {"id": "appt_7Hq2"}
    assert listener.ids[0] == listener.ids[1]


async def test_a_grant_that_no_longer_covers_the_type_refuses_the_next_attempt_and_says_so_in_the_ledger(
    timed_house: House, timed_clinic: Clinic, listener: Listener, clock: Clock
) -> None:
    house, clinic = timed_house, timed_clinic
    listener.says(500)
    endpoint = await endpoint_at(house, clinic, listener.url)
    await happened(house, clinic)
    row = await attempt(house, clinic, endpoint)
    await house.rooms.endpoints.regrant(clinic.actor, endpoint.id, Hearing(events=("invoice.paid",)))
    clock.now = row.next_at
    row = await attempt(house, clinic, endpoint)
    assert (row.state, len(listener.heard)) == ("refused", 1)
    last = (await entries_of(house, clinic.tenant))[-1]
    assert (last["kind"], last["reasons"][0][0]) == ("refusal", "feature_off")


async def test_an_endpoint_that_is_suspended_between_two_attempts_hears_nothing_until_it_is_resumed(
    timed_house: House, timed_clinic: Clinic, listener: Listener, clock: Clock
) -> None:
    house, clinic = timed_house, timed_clinic
    listener.says(500, 200)
    endpoint = await endpoint_at(house, clinic, listener.url)
    await happened(house, clinic)
    row = await attempt(house, clinic, endpoint)
    await house.rooms.endpoints.set_state(clinic.actor, endpoint.id, Status.SUSPENDED)
    clock.now = row.next_at
    assert (await attempt(house, clinic, endpoint)).state == "waiting"
    assert len(listener.heard) == 1
    await house.rooms.endpoints.set_state(clinic.actor, endpoint.id, Status.ACTIVE)
    assert (await attempt(house, clinic, endpoint)).state == "delivered"


async def test_a_name_that_points_to_a_private_address_at_the_second_attempt_is_refused(
    timed_house: House, timed_clinic: Clinic, listener: Listener, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, clinic = timed_house, timed_clinic
    addresses = ["198.51.100.7", "10.0.0.7"]

    async def resolve(host: str, port: int) -> list[str]:
        return [addresses.pop(0)]

    book = house.rooms.egress.book
    monkeypatch.setattr(book, "_resolver", resolve)
    monkeypatch.setattr(book, "_clock", lambda: clock.now.timestamp())
    monkeypatch.setattr("gateway.egress.book.is_public", lambda address: address.startswith("198."))
    sent: list[str] = []

    async def send(letter: Any, target: Any, limits: Any) -> Any:
        sent.append(target.address)
        raise Unreachable("connect_failed")

    monkeypatch.setattr(house.rooms.egress.engine, "send", send)
    endpoint = await endpoint_at(house, clinic, "https://vendor.example/hooks")
    await happened(house, clinic)
    row = await attempt(house, clinic, endpoint)
    clock.now = max(row.next_at, clock.now + timedelta(seconds=31))
    row = await attempt(house, clinic, endpoint)
    assert sent == ["198.51.100.7"]
    assert (row.code, row.attempts) == ("private_address", 2)


async def test_two_endpoints_know_a_subject_by_two_names_and_its_events_are_numbered(
    house: House, clinic: Clinic, listener: Listener
) -> None:
    first = await endpoint_at(house, clinic, listener.url)
    second = await endpoint_at(house, clinic, listener.url)
    for _ in range(2):
        await happened(house, clinic, subject="patient-4711")
    await attempt(house, clinic, first)
    await attempt(house, clinic, second)
    numbers = [heard.said["sequence"] for heard in listener.heard]
    assert (sorted(numbers[:2]), sorted(numbers[2:])) == (
        [1, 2],
        [1, 2],
    )  # both are on their way at once: no order is promised
    names = [heard.said["subject"] for heard in listener.heard]
    assert names[0] == names[1] != names[2] == names[3]
    assert not any(b"4711" in heard.body for heard in listener.heard)


async def test_what_was_erased_is_cancelled_and_the_others_events_are_not(
    timed_house: House, timed_clinic: Clinic, listener: Listener, clock: Clock
) -> None:
    house, clinic = timed_house, timed_clinic
    listener.says(500)
    endpoint = await endpoint_at(house, clinic, listener.url)
    await happened(house, clinic, subject="patient-1")
    kept = await happened(house, clinic, subject="patient-2")
    await attempt(house, clinic, endpoint)
    keyed = await house.rooms.connections.clinic(clinic.tenant)
    subject = await house.rooms.subjects.known(clinic.tenant, "patient-1", keyed=keyed)
    assert subject is not None
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        assert await events.erase_subject(connection, clinic.tenant, subject) == 1
        assert await events.erase_subject(connection, clinic.tenant, subject) == 0
    clock.move(minutes=1)
    await attempt(house, clinic, endpoint)
    states = {row.event: (row.state, row.kept) for row in await rows_of(house, clinic)}
    assert sorted(states.values()) == [("cancelled", False), ("waiting", True)]
    assert states[kept.id] == ("waiting", True)
    assert listener.ids.count(str(kept.id)) == 2
    assert len(listener.ids) == 3


async def test_a_delivery_whose_event_says_nothing_any_more_is_cancelled(
    house: House, clinic: Clinic, listener: Listener
) -> None:
    endpoint = await endpoint_at(house, clinic, listener.url)
    await happened(house, clinic)
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        await connection.execute("UPDATE events SET sealed = NULL WHERE tenant = $1", clinic.tenant)
    row = await attempt(house, clinic, endpoint)
    assert (row.state, row.code, listener.heard) == ("cancelled", "payload_gone", [])


async def test_a_payload_that_nothing_opens_holds_up_no_other(house: House, clinic: Clinic, listener: Listener) -> None:
    endpoint = await endpoint_at(house, clinic, listener.url)
    broken, fine = await happened(house, clinic), await happened(house, clinic)
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        await connection.execute(
            "UPDATE events SET sealed = 'x' WHERE tenant = $1 AND id = $2", clinic.tenant, broken.id
        )
    await attempt(house, clinic, endpoint)
    states = {row.event: (row.state, row.code) for row in await rows_of(house, clinic)}
    assert states == {broken.id: ("waiting", "gateway_fault"), fine.id: ("delivered", None)}


async def test_an_event_with_an_id_of_its_own_is_published_once(
    house: House, clinic: Clinic, listener: Listener
) -> None:
    await endpoint_at(house, clinic, listener.url)
    event_id = UUID("0190f1a2-0000-7000-8000-000000000001")
    new = NewEvent(clinic.tenant, TYPE, {"id": "appt_7Hq2"}, "host", id=event_id)
    told = [(await publish(new, house.rooms)).deliveries for _ in range(3)]
    assert told == [1, 0, 0]
    assert len(await rows_of(house, clinic)) == 1


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        (TYPE, {}),
        (TYPE, {"id": "Ada Lovelace"}),
        (TYPE, {"id": "+4915112345678"}),
        (TYPE, {"id": 7}),
        ("appointment", {"id": "a1"}),
        ("Appointment.moved", {"id": "a1"}),
        ("payments.stripe.payment_intent.succeeded", {"id": "a1"}),
        ("endpoint.off", {"id": "a1"}),
        ("gateway.any", {"id": "a1"}),
    ],
)
async def test_a_host_cannot_publish_what_is_not_its_own_or_has_no_plain_id(
    house: House, clinic: Clinic, type_: str, data: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequest):
        await publish(NewEvent(clinic.tenant, type_, data, "host"), house.rooms)
    assert await rows_of(house, clinic) == []


async def test_an_endpoint_hears_of_patients_only_under_the_agreement_that_the_law_asks_for(
    timed_house: House, timed_clinic: Clinic, listener: Listener, clock: Clock
) -> None:
    house, clinic = timed_house, timed_clinic
    endpoint = await endpoint_at(house, clinic, listener.url, events=("*",))
    await house.rooms.agreements.set_policy(clinic.actor, Policy(jurisdiction="US"))
    await happened(house, clinic)
    row = await attempt(house, clinic, endpoint)
    assert (row.state, row.code) == ("refused", "refused")
    assert (await entries_of(house, clinic.tenant))[-1]["reasons"] == [["agreement_missing", "baa with Vendor Ltd"]]
    assert listener.heard == []
    signed = Terms(kind=AgreementKind.BAA, services=(), since=clock.now)
    agreement = await agree(clinic.actor, str(endpoint.id), signed, house.rooms)
    await happened(house, clinic)
    assert (await attempt(house, clinic, endpoint)).state == "delivered"
    assert (await entries_of(house, clinic.tenant))[-2]["agreement"] == str(agreement.id)


async def test_an_endpoint_outside_the_regions_that_the_clinic_allows_hears_nothing(
    house: House, clinic: Clinic, listener: Listener
) -> None:
    endpoint = await endpoint_at(house, clinic, listener.url)
    await house.rooms.agreements.set_policy(clinic.actor, Policy(allowed_regions=frozenset({"IN"})))
    await happened(house, clinic)
    assert (await attempt(house, clinic, endpoint)).state == "refused"
    assert (await entries_of(house, clinic.tenant))[-1]["reasons"] == [["region_not_allowed", "DE"]]
    assert listener.heard == []


async def test_an_endpoint_at_a_place_of_tracking_hears_nothing_though_it_was_registered_once(
    house: House, clinic: Clinic
) -> None:
    endpoint = await endpoint_at(house, clinic, "https://www.google-analytics.com/mp/collect")
    await happened(house, clinic)
    assert (await attempt(house, clinic, endpoint)).state == "refused"
    refusal = (await entries_of(house, clinic.tenant))[-1]
    assert (refusal["kind"], refusal["reasons"]) == ("refusal", [["recipient_denied", "Vendor Ltd"]])
