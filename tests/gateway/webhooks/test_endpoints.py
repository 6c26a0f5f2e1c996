"""Endpoints in their rows: what each may hear, how its secrets rotate, and that every change stands in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.app import House
from gateway.calls import Actor
from gateway.errors import Conflict, NotFound
from gateway.flows.publish import NewEvent, publish
from gateway.webhooks.endpoints import Endpoint, Endpoints, Hearing, NewEndpoint, Recipient, Status, Why
from gateway.webhooks.kinds import HOST, TEST, Kind
from gateway.webhooks.kinds_of_hosts import Id
from scopes.decision import Denied, decide
from scopes.field import Disclosed, discloses, shape_of
from scopes.minimize import minimize
from scopes.vocabulary import Category, Purpose, Reason
from tests.gateway.house import Clinic, OpenHouse, connected, entries_of

AT = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
NEW = NewEndpoint(
    url="https://vendor.example/hooks", host="vendor.example", events=("appointment.*",), purpose=Purpose.TREAT,
    recipient=Recipient("Vendor Ltd", "DE", "dpa-7"),
)  # fmt: skip
BOOKED = {
    "id": "appt_1", "patient": "pat_1", "starts_at": "2026-11-17T10:30:45+00:00", "site": "site_1", "note": "by taxi",
}  # fmt: skip
LATER = timedelta(seconds=1)


class Days:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Days:
    return Days()


@pytest.fixture
def endpoints(house: House, clock: Days) -> Endpoints:
    return Endpoints(house.rooms.store, house.rooms.connections, clock=clock)


Make = Callable[..., Any]


@pytest.fixture
def make(endpoints: Endpoints, clinic: Clinic) -> Make:
    async def make(**given: Any) -> Endpoint:
        endpoint, _ = await endpoints.create(clinic.actor, replace(NEW, **given))
        return await endpoints.set_state(clinic.actor, endpoint.id, Status.ACTIVE)

    return make


async def entries(house: House, clinic: Clinic, endpoint: UUID) -> list[dict[str, Any]]:
    return [entry for entry in await entries_of(house, clinic.tenant) if entry.get("connection") == str(endpoint)]


async def heard(endpoint: Endpoint, house: House, type_: str = "appointment.booked") -> dict[str, Any]:
    """What of the data leaves to it."""
    kind = house.rooms.kinds.kind(type_)
    return minimize(kind.shape, BOOKED, endpoint.holds_back(kind)).values


def reasons(endpoint: Endpoint, kind: Kind, purpose: Purpose = Purpose.TREAT) -> list[str]:
    decision = decide(endpoint.rule(kind), endpoint, purpose, endpoint.clinic.standing, now=AT)
    return [reason.code for reason in decision.reasons] if isinstance(decision, Denied) else []


async def test_an_event_is_thin_unless_the_clinic_grants_more(make: Make, house: House) -> None:
    assert await heard(await make(), house) == {"id": "appt_1"}


@pytest.mark.parametrize(
    ("categories", "fields", "leaves"),
    [
        ((), ("appointment.booked:*",), {"id"}),
        (("appointment",), (), {"id"}),
        (("appointment",), ("appointment.booked:starts_at",), {"id", "starts_at"}),
        (("appointment",), ("appointment.moved:starts_at", "appointment.moved:*"), {"id"}),
        (("appointment",), ("appointment.booked:*",), {"id", "starts_at"}),
        (("appointment", "location"), ("appointment.booked:site",), {"id", "site"}),
        (("location",), ("appointment.booked:starts_at",), {"id"}),
        (("appointment", "free_text"), ("appointment.booked:*",), {"id", "starts_at"}),
        (("free_text",), ("appointment.booked:note",), {"id", "note"}),
        (("appointment", "location", "identifier"), ("appointment.booked:*",), {"id", "patient", "starts_at", "site"}),
    ],
)
async def test_a_field_leaves_where_it_is_granted_and_its_category_too(
    make: Make, house: House, categories: tuple[str, ...], fields: tuple[str, ...], leaves: set[str]
) -> None:
    endpoint = await make(categories=frozenset(map(Category, categories)), fields=frozenset(fields))
    assert (await heard(endpoint, house)).keys() == leaves


async def test_what_says_nothing_about_a_person_needs_a_grant_and_no_category(make: Make, house: House) -> None:
    kind = house.rooms.kinds.kind("patient.updated")
    data = {"id": "pat_1", "changed": ["phone"], "phone": "+15550100123"}
    for fields, leaves in ((), {"id"}), (("patient.updated:*",), {"id", "changed"}):
        endpoint = await make(events=("patient.*",), fields=frozenset(fields))
        assert minimize(kind.shape, data, endpoint.holds_back(kind)).values.keys() == leaves


class Street(Disclosed):
    """A group with a part that it cannot be without."""

    city: Annotated[str, discloses(Category.LOCATION, "the town")]
    code: Annotated[str | None, discloses(Category.LOCATION, "the area")] = None


class Visit(Disclosed):
    """An event with groups."""

    id: Id
    street: Annotated[Street | None, discloses(Category.LOCATION, "where")] = None
    more: Annotated[list[Street] | None, discloses(Category.LOCATION, "where else")] = None


@pytest.mark.parametrize(
    ("fields", "leaves"),
    [
        ((), {"id": "1"}),
        (("visit.made:street.code",), {"id": "1"}),
        (("visit.made:street.city",), {"id": "1", "street": {"city": "Pune"}}),
        (("visit.made:street.city", "visit.made:street.code"), {"id": "1", "street": {"city": "Pune", "code": "411"}}),
        (("visit.made:more[].city",), {"id": "1", "more": [{"city": "Pune"}]}),
    ],
)
async def test_a_group_stays_whole_where_what_it_needs_may_not_go(
    make: Make, fields: tuple[str, ...], leaves: dict[str, Any]
) -> None:
    kind = Kind("visit.made", shape_of(Visit), "A visit", HOST)
    street = {"city": "Pune", "code": "411"}
    endpoint = await make(categories=frozenset({Category.LOCATION}), fields=frozenset(fields))
    told = minimize(kind.shape, {"id": "1", "street": street, "more": [street]}, endpoint.holds_back(kind))
    assert told.values == leaves


async def test_only_an_active_endpoint_hears_only_what_it_subscribed_to(
    make: Make, endpoints: Endpoints, house: House, clinic: Clinic
) -> None:
    endpoint, kinds = await make(events=("appointment.*", "invoice.paid")), house.rooms.kinds
    assert endpoint.subscribes("appointment.booked")
    assert not endpoint.subscribes("invoice.issued")
    assert reasons(endpoint, kinds.kind("appointment.booked")) == []
    assert reasons(endpoint, kinds.kind("invoice.issued")) == [Reason.FEATURE_OFF]
    assert reasons(endpoint, kinds.kind(TEST)) == []
    assert reasons(endpoint, kinds.kind("invoice.paid"), Purpose.HPAYMT) == [Reason.PURPOSE_NOT_ALLOWED]
    for status in (Status.SUSPENDED, Status.OFF):
        stopped = await endpoints.set_state(clinic.actor, endpoint.id, status)
        assert reasons(stopped, kinds.kind("appointment.booked")) == [Reason.CONNECTION_INACTIVE]
    pending, _ = await endpoints.create(clinic.actor, NEW)
    assert reasons(pending, kinds.kind("appointment.booked")) == [Reason.CONNECTION_INACTIVE]


async def test_everything_is_everything_that_is_published(make: Make, house: House) -> None:
    endpoint = await make(events=("*",))
    assert endpoint.subscribes("bed.freed")
    assert reasons(endpoint, house.rooms.kinds.kind("bed.freed")) == []


async def test_two_vendors_cannot_join_what_they_heard_of_a_subject(make: Make) -> None:
    one, another, subject = await make(), await make(), uuid4()
    assert one.pseudonym(subject) == one.pseudonym(subject)
    assert len({one.pseudonym(subject), another.pseudonym(subject), one.pseudonym(uuid4()), subject.hex}) == 4


async def test_tightening_a_grant_counts_the_standing_up_and_stands_in_the_ledger(
    make: Make, endpoints: Endpoints, house: House, clinic: Clinic
) -> None:
    before = await make(
        categories=frozenset({Category.APPOINTMENT}), fields=frozenset({"appointment.booked:starts_at"})
    )
    after = await endpoints.regrant(clinic.actor, before.id, Hearing(events=("invoice.paid",)))
    assert after.standing == before.standing + 1
    assert (await endpoints.one(clinic.tenant, before.id)) is after
    assert (after.events, after.fields, after.grant_version) == (("invoice.paid",), frozenset(), 2)
    assert await heard(after, house) == {"id": "appt_1"}
    written = (await entries(house, clinic, before.id))[-1]
    assert (written["kind"], written["version"], written["features"]) == ("grant", 2, ["invoice.paid"])
    assert (written["what"], written["categories"], written["withheld"]) == ([], [], [])


async def test_another_gateway_learns_of_a_change_with_the_standing(
    make: Make, endpoints: Endpoints, open_house: OpenHouse, clinic: Clinic
) -> None:
    endpoint, other = await make(), await open_house()
    assert (await other.rooms.endpoints.one(clinic.tenant, endpoint.id)).status is Status.ACTIVE
    changed = await endpoints.set_state(clinic.actor, endpoint.id, Status.SUSPENDED, Why.CLINIC)
    known = await other.rooms.endpoints.one(clinic.tenant, endpoint.id)
    assert known.standing < changed.standing  # out of date, so no intent decided on it is written
    other.rooms.connections.forget(clinic.tenant, changed.standing)
    assert (await other.rooms.endpoints.one(clinic.tenant, endpoint.id)).status is Status.SUSPENDED


async def test_every_change_is_an_entry_of_the_ledger(
    endpoints: Endpoints, house: House, clinic: Clinic, clock: Days
) -> None:
    actor = clinic.actor
    endpoint, secret = await endpoints.create(actor, NEW)
    await endpoints.set_state(actor, endpoint.id, Status.ACTIVE)
    await endpoints.regrant(actor, endpoint.id, Hearing(events=("invoice.*",)))
    rotated = await endpoints.rotate(actor, endpoint.id)
    await endpoints.set_state(actor, endpoint.id, Status.OFF, Why.GONE)
    await endpoints.set_state(actor, endpoint.id, Status.OFF, Why.GONE)
    await endpoints.remove(actor, endpoint.id)
    await endpoints.remove(actor, endpoint.id)
    written = await entries(house, clinic, endpoint.id)
    assert [(entry["kind"], entry.get("state")) for entry in written] == [
        ("connection", "pending"), ("connection", "active"), ("grant", None), ("key", "rotated"), ("connection", "off"),
        ("connection", "removed"),
    ]  # fmt: skip
    assert {entry["connector"] for entry in written} == {"webhook"}
    assert {entry["actor"]["id"] for entry in written} == {actor.id}
    first = written[0]
    assert first["recipient"] == {"name": "Vendor Ltd", "role": "processor", "country": "DE"}
    assert (first["endpoint"], first["purpose"], first["features"]) == (
        {"host": "vendor.example"}, "TREAT", ["appointment.*"],
    )  # fmt: skip
    assert (first["agreement"], written[4]["what"]) == ("dpa-7", "gone")
    assert secret not in str(written)
    assert rotated not in str(written)


async def test_a_rotated_secret_signs_beside_the_new_one_for_24_hours(
    make: Make, endpoints: Endpoints, clinic: Clinic, clock: Days
) -> None:
    endpoint, old = await endpoints.create(clinic.actor, NEW)
    assert signatures(endpoint) == 1
    new = await endpoints.rotate(clinic.actor, endpoint.id)
    endpoint = await endpoints.one(clinic.tenant, endpoint.id)
    clock.now += timedelta(hours=24) - LATER
    assert signatures(endpoint) == 2
    assert (verifies(endpoint, old), verifies(endpoint, new)) == (True, True)
    clock.now += LATER
    assert signatures(endpoint) == 1
    assert (verifies(endpoint, old), verifies(endpoint, new)) == (False, True)


async def test_of_two_rotations_within_a_day_only_the_two_newest_secrets_sign(
    endpoints: Endpoints, clinic: Clinic, clock: Days
) -> None:
    endpoint, first = await endpoints.create(clinic.actor, NEW)
    second = await endpoints.rotate(clinic.actor, endpoint.id)
    clock.now += timedelta(hours=1)
    third = await endpoints.rotate(clinic.actor, endpoint.id)
    endpoint = await endpoints.one(clinic.tenant, endpoint.id)
    assert signatures(endpoint) == 2
    assert [verifies(endpoint, secret) for secret in (first, second, third)] == [False, True, True]


async def test_an_endpoint_of_its_own_key_tells_the_public_half_and_rotates_it(
    endpoints: Endpoints, clinic: Clinic, clock: Days
) -> None:
    endpoint, secret = await endpoints.create(clinic.actor, replace(NEW, signing="v1a"))
    assert secret.startswith("whsk_")
    (public,) = endpoint.public_keys
    assert (await endpoints.rotate(clinic.actor, endpoint.id)).startswith("whsk_")
    rotated = await endpoints.one(clinic.tenant, endpoint.id)
    assert len(rotated.public_keys) == 2
    assert rotated.public_keys[1] == public
    assert [part[:4] for part in signature(rotated).split(" ")] == ["v1a,", "v1a,"]
    clock.now += timedelta(hours=24)
    assert rotated.public_keys == rotated.public_keys[:1] != (public,)


def signature(endpoint: Endpoint) -> str:
    return endpoint.signer().signature("msg", int(datetime.now(UTC).timestamp()), b"{}")


def signatures(endpoint: Endpoint) -> int:
    return len(signature(endpoint).split(" "))


def verifies(endpoint: Endpoint, secret: str) -> bool:
    """Whether a receiver with this secret takes what is signed now."""
    sent = endpoint.signer().headers("msg", int(datetime.now(UTC).timestamp()), b"{}")
    try:
        Webhook(secret).verify(b"{}", sent)
    except WebhookVerificationError:
        return False
    return True


async def test_a_secret_stands_nowhere_in_the_rows(
    endpoints: Endpoints, clinic: Clinic, postgres: Any, dsn: str
) -> None:
    endpoint, secret = await endpoints.create(clinic.actor, NEW)
    rotated = await endpoints.rotate(clinic.actor, endpoint.id)
    owner = await asyncpg.connect(dsn)
    try:
        tables = [
            row[0]
            for row in await owner.fetch(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' "
                "AND table_type = 'BASE TABLE'"
            )
        ]
        rows = [str(row[0]) for table in tables for row in await owner.fetch(f"SELECT t::text FROM {table} t")]
    finally:
        await owner.close()
    everything = "\n".join(rows)
    assert str(endpoint.id) in everything
    for text in (secret, rotated):
        plain = text.removeprefix("whsec_")
        for spelling in (plain, plain.encode().hex(), __import__("base64").b64decode(plain).hex()):
            assert spelling not in everything
    assert secret not in repr(endpoint)


async def test_a_removed_endpoint_is_final_and_what_waits_for_it_is_cancelled(
    make: Make, endpoints: Endpoints, house: House, clinic: Clinic
) -> None:
    endpoint, other = await make(), await make()
    event = NewEvent(clinic.tenant, "appointment.booked", {"id": "appt_1"}, HOST, None, None)
    assert (await publish(event, house.rooms)).deliveries == 2
    await endpoints.remove(clinic.actor, endpoint.id)
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        states = dict(await connection.fetch("SELECT endpoint, state FROM deliveries"))
        secrets = await connection.fetchval("SELECT count(*) FROM endpoint_secrets WHERE endpoint = $1", endpoint.id)
    assert states == {endpoint.id: "cancelled", other.id: "waiting"}
    assert secrets == 0
    assert (await endpoints.one(clinic.tenant, endpoint.id)).status is Status.REMOVED
    assert (await publish(event, house.rooms)).deliveries == 1
    for change in (
        endpoints.rotate(clinic.actor, endpoint.id),
        endpoints.regrant(clinic.actor, endpoint.id, Hearing(events=("*",))),
        endpoints.set_state(clinic.actor, endpoint.id, Status.ACTIVE),
    ):
        with pytest.raises(Conflict):
            await change


async def test_a_state_is_changed_only_from_where_it_was_thought_to_be(
    make: Make, endpoints: Endpoints, clinic: Clinic
) -> None:
    endpoint = await make()
    await endpoints.set_state(clinic.actor, endpoint.id, Status.SUSPENDED, Why.CLINIC)
    with pytest.raises(Conflict):
        await endpoints.set_state(clinic.actor, endpoint.id, Status.OFF, Why.FAILING, before=frozenset({Status.ACTIVE}))
    assert (await endpoints.one(clinic.tenant, endpoint.id)).why == Why.CLINIC


async def test_resuming_lets_the_lane_begin_anew_and_puts_one_job_into_the_queue(
    make: Make, endpoints: Endpoints, house: House, clinic: Clinic
) -> None:
    endpoint = await make()
    await endpoints.set_state(clinic.actor, endpoint.id, Status.OFF, Why.FAILING)
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        await connection.execute(
            "UPDATE lanes SET woken = true, failures = 9, failing_since = now(), warned = 90, paused_until = now()"
        )
    resumed = await endpoints.set_state(clinic.actor, endpoint.id, Status.ACTIVE)
    assert (resumed.status, resumed.why) == (Status.ACTIVE, None)
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        lane = await connection.fetchrow("SELECT woken, failures, failing_since, warned, paused_until FROM lanes")
        jobs = await connection.fetch("SELECT payload FROM pgqueuer WHERE entrypoint = 'lane'")
    assert tuple(lane) == (True, 0, None, 0, None)
    assert [row[0] for row in jobs].count(f"{clinic.tenant} {endpoint.id}".encode()) == 1


async def test_one_clinic_never_reaches_an_endpoint_of_another(make: Make, endpoints: Endpoints, house: House) -> None:
    endpoint = await make()
    stranger = (await connected(house)).actor
    assert await endpoints.page(stranger.tenant, after=None, limit=10) == []
    for reach in (
        endpoints.one(stranger.tenant, endpoint.id),
        endpoints.rotate(stranger, endpoint.id),
        endpoints.remove(stranger, endpoint.id),
        endpoints.set_state(stranger, endpoint.id, Status.OFF),
        endpoints.regrant(stranger, endpoint.id, Hearing(events=("*",))),
    ):
        with pytest.raises(NotFound):
            await reach
    assert (await endpoints.one(endpoint.tenant, endpoint.id)).status is Status.ACTIVE


async def test_an_endpoint_of_nobody_is_not_found(endpoints: Endpoints, clinic: Clinic) -> None:
    with pytest.raises(NotFound):
        await endpoints.one(clinic.tenant, uuid4())
    with pytest.raises(NotFound):
        await endpoints.rotate(Actor("system", "test", clinic.tenant, ()), uuid4())
