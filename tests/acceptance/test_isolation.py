"""Tenants are kept apart by the database and by every route: nothing of one is seen, proved, found or changed by another.

What an id in a path opens is in tests/gateway/web/test_isolation.py; here it is everything else a request can hold, and
the tables themselves.
"""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import orjson
import pytest
import pytest_asyncio
from joserfc.jwk import OKPKey

from connectors.contract import Answered, Wish
from connectors.told import Artefact, Identifier, Proof, RecordKind
from gateway.calls import Actor, Call
from gateway.flows.broker import broker
from gateway.network.artefacts import NewArtefact
from gateway.people import Role
from gateway.people.vouching import Voucher
from gateway.records import Context, Frozen, NewContext, NewPatient
from gateway.store import callback_keys, desks, links, transfers, watches
from gateway.store.pool import SET_TENANTS
from gateway.templates import NewTemplate
from gateway.watches import Watch
from gateway.web.api.app import OPERATIONS
from gateway.webhooks.endpoint import NewEndpoint, Recipient, Status
from scopes.consent import Channel
from scopes.vocabulary import Category, Purpose
from tests.acceptance.served import Caller, Served, gateway
from tests.gateway.egress.vendor import Vendor, answer

pytestmark = pytest.mark.asyncio(loop_scope="session")

# The queue's tables hold ids of what is to be done, and are the queue's own.
QUEUE = {"pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics"}
# What is a person's own is kept apart by person (tests/gateway/people); what is nobody's yet only functions reach.
PERSONS = {"people", "credentials", "passkeys", "recovery_codes", "sessions"}
NOBODYS = {"challenges", "throttles"}
TENANTLESS = {"gateway_migrations", "writers"} | QUEUE | PERSONS | NOBODYS
PAID = orjson.dumps(
    {"id": "pi_1", "object": "payment_intent", "status": "succeeded", "amount": 4250, "currency": "eur"}
)
PAYMENT = {"reference": "inv_7Hq2ZkW9", "amount_minor": 4250, "currency": "eur"}
CALL = {"connector": "payments", "action": "create_payment_intent", "purpose": "HPAYMT", "payload": PAYMENT}
KEY = {"title": "the front desk", "scopes": ["log:read"]}
EVENT = {"type": "appointment.booked", "data": {"id": "appt_7Hq2ZkW9"}}
TEXT: dict[str, Any] = {"action": "messaging/send_notice", "channel": "sms", "language": "en", "body": "Closed."}
# What a route's body needs besides; anything in it is then replaced by something of another clinic's.
TEAM = "e5b1c3a0-6f2d-4c6b-9d1e-7a2f4b8c9d10"
BODIES: dict[str, dict[str, Any]] = {
    "/v1/connections": {"connector": "payments", "credential": {"secret": "rk_test_0123456789abcdef"}, "features": []},
    "/v1/connections/{id:uuid}/grant": {"features": [], "withheld": []},
    "/v1/connections/{id:uuid}/settings": {"settings": {}},
    "/v1/families/{family}": {"order": ["payments/stripe"]},
    "/v1/connections/{id:uuid}/callback": {"secret": "whsec_0123456789abcdef0123456789abcdef"},
    "/v1/endpoints": {
        "url": "http://127.0.0.1:1/", "events": ["*"], "purpose": "TREAT", "recipient": {"name": "V Ltd", "country": "DE"},
    },
    "/v1/endpoints/{id:uuid}/grant": {"events": ["*"], "categories": [], "fields": []},
    "/v1/endpoints/{id:uuid}/replay": {"since": "2026-01-15T09:30:00Z"},
    "/v1/events": EVENT,
    "/v1/retention": {"deliveries_days": 7},
    "/v1/keys": KEY,
    "/v1/consents": {
        "subject": "patient-4712", "purposes": ["TREAT"], "channels": ["sms"],
        "evidence": {"how": "on paper", "when": "2026-01-15T09:30:00Z", "wording": "sms-1"},
    },
    "/v1/consents/search": {"subject": "patient-4712"},
    "/v1/patients": {"subject": "patient-4712", "name": "Asha Rao", "gender": "F", "year_of_birth": 1988},
    "/v1/patients/search": {"subject": "patient-4712"},
    "/v1/patients/invite": {"connector": "abdm", "subject": "patient-4712"},
    "/v1/care-contexts": {
        "connector": "abdm", "subject": "patient-4711", "reference": "visit-2", "display": "Visit",
        "documents": [{"document": {"resourceType": "Bundle"}}],
    },
    "/v1/care-contexts/search": {"subject": "patient-4712"},
    "/v1/agreements/{recipient:path}": {"kind": "dpa", "services": [], "from": "2026-01-15T09:30:00Z"},
    "/v1/templates/{name}": TEXT,
    "/v1/templates/preview": TEXT,
    "/v1/policy": {"jurisdiction": "US", "allowed_regions": None},
    "/v1/watches": {"connector": "teams", "watch": "shifts", "purpose": "HOPERAT", "payload": {"team": TEAM}},
}  # fmt: skip


@dataclass
class Two:
    """Two clinics of one gateway that use it alike; `things` are names of the first one's."""

    served: Served
    first: Caller
    second: Caller
    things: dict[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def two(module_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Two]:
    vendor = Vendor(answers=[answer(200, PAID)])
    await vendor.open()
    url = f"http://127.0.0.1:{vendor.port}"
    async with gateway(module_dsn, tmp_path_factory.mktemp("two"), sandboxes={"payments/stripe": url}) as served:
        first, second = await served.clinic(), await served.clinic()
        things = await _lived_in(served, first, calls=130)  # a log of more than 256 entries has rows of nodes too
        await _lived_in(served, second, calls=3)
        yield Two(served, first, second, things)
    vendor.close()


async def _lived_in(served: Served, clinic: Caller, *, calls: int) -> dict[str, str]:
    """Leave rows of this clinic in every table; gives everything that names one."""
    connection = await clinic.connect("payments", "rk_test_0123456789abcdef", features=["card_payments"])
    kept = {"idempotency-key": "once"}
    made = (await clinic.post("/v1/keys", KEY, headers=kept)).json()
    operator = Actor("system", "test", clinic.tenant, ())
    jwks = {"keys": [OKPKey.generate_key("Ed25519", {"kid": "k1"}).as_dict(private=False)]}
    issuer = f"https://{clinic.tenant}.example"
    await served.house.callers.add_issuer(operator, issuer, "gateway", jwks=jwks, roles={"nurse": ["log:read"]})
    told = (await clinic.post("/v1/calls", {**CALL, "subject": "patient-4711"}, headers=kept)).json()
    assert told["outcome"] == "accepted", told
    assert (await clinic.post("/v1/calls", {**CALL, "purpose": "TREAT"})).status_code == 403
    await asyncio.gather(*(clinic.post("/v1/calls", CALL) for _ in range(calls)))
    of_several = Call(  # as a call whose family has several vendors
        operator, "payments/stripe", CALL["action"], Purpose.HPAYMT, PAYMENT, request_id="test", id=uuid4()
    )  # fmt: skip
    await broker(of_several, served.house.rooms)
    people = await _peopled(served, clinic)
    heard = await _heard(served, clinic, connection)
    stands = await _stands(clinic, heard["endpoint"])
    waits = await _messaged(served, clinic, UUID(told["id"]))
    context = await _recorded(served, operator)
    released = await _released(served, operator, UUID(context))
    watch = await _watched(served, clinic, UUID(connection))
    text = NewTemplate(name="closed", **{**TEXT, "channel": Channel.SMS})
    template = await served.house.rooms.templates.put(operator, text)
    refusal = (await clinic.get("/v1/disclosures?outcome=refused")).json()["items"][0]["id"]
    page = (await clinic.get("/v1/disclosures", params={"limit": 2})).json()
    detail = (await clinic.get(f"/v1/disclosures/{told['id']}")).json()
    return {
        "tenant": str(clinic.tenant),
        "connection": connection,
        "disclosure": told["id"],
        "refusal": refusal,
        "key": made["id"],
        "key's text": made["key"],
        "subject": detail["subject"],
        "leaf": told["ledger"]["leaf"],
        "cursor": page["next_cursor"],
        "issuer": issuer,
        "template": str(template.id),
        "context": context,
        **released,
        "watch": watch,
        **people,
        **heard,
        **stands,
        **waits,
    }


async def _peopled(served: Served, clinic: Caller) -> dict[str, str]:
    """Rows of people and of the ways in; gives what names them."""
    people, operator = served.house.rooms.people, Actor("system", "test", clinic.tenant, ())
    voucher = Voucher(clinic.tenant, f"https://{clinic.tenant}.example", "user-17", Role.AUDITOR, "Imani Okafor")
    person = await people.vouching.person(voucher)
    await people.views.save(clinic.tenant, person, "refused", "outcome=refused")
    invited = await people.invitations.invite(operator, f"{clinic.tenant}@clinic.example", Role.SUPPORT)
    until = datetime.now(UTC) + timedelta(hours=1)
    await people.links.use(clinic.tenant, voucher.issuer, "a link", until=until)
    provider = await people.providers.put(
        operator,
        issuer="https://login.example",
        client="c",
        secret="s",
        title="t",
        claim="groups",
        roles={"a": "owner"},
    )
    return {"person": str(person), "invitation": str(invited.id), "provider": str(provider)}


async def _recorded(served: Served, operator: Actor) -> str:
    """Rows of a patient whom a network may find, and of a visit; gives what names it."""
    records, at = served.house.rooms.records, datetime.now(UTC)
    mobile = Identifier(Proof.MOBILE, "+919812345678")
    await records.register(
        operator,
        NewPatient(subject="patient-4711", name="Asha Rao", gender="F", year_of_birth=1988, identifiers=(mobile,)),
    )
    document = Frozen(RecordKind.PRESCRIPTION, b"{}", at, at, (("MedicationRequest", Category.MEDICATION),))
    visit = NewContext(
        connector="abdm", subject="patient-4711", reference="visit-1", display="Visit", documents=(document,)
    )
    context, _ = await records.keep(operator, visit)
    await _linked(served, operator, context)
    return str(context.id)


async def _linked(served: Served, operator: Actor, context: Context) -> None:
    """Rows of a visit on its way to the network, of a patient's own attempt and of the queue at the desk."""
    at, tenant, subject = datetime.now(UTC), operator.tenant, context.subject
    later = at + timedelta(hours=1)
    async with served.house.rooms.store.tenant(tenant) as session:
        asked = links.RequestRow(uuid4(), "abdm", "link_contexts", subject, [context.id], 1, at, later)
        await links.ask(session, tenant, asked)
        await links.put_token(session, tenant, "abdm", subject, b"sealed", (at, later))
        await links.want(session, tenant, [links.LinkRow(context.id, subject, "wanted", ["Prescription"], at)])
        attempt = links.AttemptRow(
            uuid4(), "abdm", str(uuid4()), subject, b"a", [context.id], "shown", None, 0, at, later
        )
        await links.attempt(session, tenant, attempt)
        place = desks.PlaceRow(uuid4(), "abdm", "A1", at.date(), 1, b"a", b"sealed", at, later)
        await desks.add(session, tenant, place)


async def _released(served: Served, operator: Actor, context: UUID) -> dict[str, str]:
    """Rows of a consent at a network, of a request under it and of what is to be sent for it; gives what names them."""
    rooms, at, tenant = served.house.rooms, datetime.now(UTC), operator.tenant
    subject = (await rooms.records.context(tenant, context)).subject
    terms = Artefact(
        str(uuid4()),
        "asha@abdm",
        "CAREMGT",
        None,
        None,
        (),
        frozenset(RecordKind),
        at,
        at,
        at + timedelta(days=1),
        None,
        None,
    )
    consent = await rooms.artefacts.grant(operator, NewArtefact("abdm", b"a letter", terms, subject))
    transfer = transfers.TransferRow(
        uuid4(), "abdm", uuid4(), str(uuid4()), "r-1", terms.id, consent, str(transfers.State.SENDING), [], None, None,
        at, at, at,
    )  # fmt: skip
    entry = transfers.EntryRow(0, uuid4(), "v-1", "Prescription", str(transfers.EntryState.LATE), 0, 0, at)
    async with rooms.store.tenant(tenant) as connection:
        await transfers.add(connection, tenant, transfer, now=at)
        await transfers.plan(connection, tenant, transfer.id, [entry])
    return {"consent at a network": str(consent), "artefact": terms.id, "transfer": str(transfer.id)}


async def _stands(clinic: Caller, endpoint: str) -> dict[str, str]:
    """Rows of what a decision weighs; gives what names them."""
    consent = await clinic.post("/v1/consents", {**BODIES["/v1/consents"], "subject": "patient-4711"})
    agreement = BODIES["/v1/agreements/{recipient:path}"]
    signed = await clinic.ask("PUT", f"/v1/agreements/{endpoint}", json=agreement)
    policy = await clinic.ask("PUT", "/v1/policy", json={"jurisdiction": "DE", "allowed_regions": None})
    assert (consent.status_code, signed.status_code, policy.status_code) == (201, 200, 200), signed.text
    return {"consent": consent.json()["id"], "agreement": signed.json()["id"]}


async def _messaged(served: Served, clinic: Caller, disclosure: UUID) -> dict[str, str]:
    """Rows of messages: to whom they went, who said stop, what was counted and what waits; gives what names them."""
    rooms, phone = served.house.rooms, "+14155550123"
    known = await rooms.connections.clinic(clinic.tenant)
    subject = await rooms.subjects.pseudonym(clinic.tenant, "patient-4713", keyed=known)
    await rooms.contacts.remember(known, phone, subject)
    operator, waiting = Actor("system", "test", clinic.tenant, ()), uuid4()
    await rooms.connections.set_order(operator, "payments", ["payments/stripe"])
    async with rooms.store.tenant(clinic.tenant) as connection:
        await rooms.contacts.hear(connection, known, Answered(phone, Channel.SMS, Wish.STOP))
        await connection.execute(
            "INSERT INTO reaches (tenant, subject, channel, number, disclosure, at) VALUES ($1, $2, 'sms', 1, $3, now())",
            clinic.tenant, subject, disclosure,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO waiting_calls (tenant, id, state, due_at, created_at, changed_at, connector, action, purpose, "
            "subject, reasons, withheld, fingerprint) VALUES ($1, $2, 'waiting', now() + interval '1 day', now(), now(), "
            "'payments/stripe', 'refund', 'HPAYMT', $3, '[]', '{}', '\\x01')",
            clinic.tenant, waiting, subject,
        )  # fmt: skip
    rooms.connections.forget(clinic.tenant)
    return {"waiting": str(waiting)}


async def _watched(served: Served, clinic: Caller, connection: UUID) -> str:
    """A watch that nobody has to see to, and a key pair; gives the watch's id."""
    rooms, now, watch = served.house.rooms, datetime.now(UTC), uuid4()
    later, operator = now + timedelta(days=1), Actor("system", "test", clinic.tenant, ())
    known = await rooms.connections.clinic(clinic.tenant)
    row = watches.WatchRow(
        id=watch, connection=connection, connector="payments/stripe", name="x", about=b"x", state="wanted", purpose="TREAT",
        sealed=b"", vendor_id=None, expires_at=None, read_at=None, sync_at=later, retry_at=None, due_at=later, generation=0,
        nudge=None, nudged_at=None, failures=0, code=None, lost_at=None, created_at=now,
    )  # fmt: skip
    async with rooms.store.tenant(clinic.tenant) as session:
        await watches.add(session, clinic.tenant, Watch(known, row, operator, {"team": TEAM}).kept())
        await callback_keys.add(session, clinic.tenant, connection, callback_keys.KeyRow(uuid4(), "x", b"x", now))
    return str(watch)


async def _heard(served: Served, clinic: Caller, connection: str) -> dict[str, str]:
    """Rows of an endpoint that has heard of something, and of a vendor that called."""
    secret = {"secret": "whsec_0123456789abcdef0123456789abcdef"}
    assert (await clinic.post(f"/v1/connections/{connection}/callback", secret)).status_code == 200
    rooms, operator = served.house.rooms, Actor("system", "test", clinic.tenant, ())
    new = NewEndpoint(
        url="http://127.0.0.1:1/", host="127.0.0.1", purpose=Purpose.TREAT, recipient=Recipient("V Ltd", "DE"), events=("*",)
    )  # fmt: skip
    endpoint, _ = await rooms.endpoints.create(operator, new)
    await rooms.endpoints.set_state(operator, endpoint.id, Status.ACTIVE)
    event = (await clinic.post("/v1/events", {**EVENT, "subject": "patient-4711"})).json()["id"]
    delivery = (await clinic.get("/v1/deliveries")).json()["items"][0]["id"]
    async with rooms.store.tenant(clinic.tenant) as rows:
        await rows.execute(
            "INSERT INTO attempts (tenant, delivery, number, at, milliseconds, outcome, disclosure) "
            "VALUES ($1, $2, 1, now(), 1, 'failed', $2)", clinic.tenant, UUID(delivery),
        )  # fmt: skip
        await rows.execute(
            "INSERT INTO callbacks (tenant, connection, identity, at) VALUES ($1, $2, '\\x01', now())",
            clinic.tenant, UUID(connection),
        )  # fmt: skip
        await rows.execute(
            "INSERT INTO notices (tenant, id, at, kind, detail) VALUES ($1, $2, now(), 'endpoint.off', '{}')",
            clinic.tenant, uuid4(),
        )  # fmt: skip
        await rows.execute(
            "INSERT INTO oauth_clients (tenant, connector, client_id, sealed, changed_at) VALUES ($1, 'x', 'x', '', now())",
            clinic.tenant,
        )
        await rows.execute(
            "INSERT INTO oauth_tokens (tenant, connection, asked, granted, excess) VALUES ($1, $2, '{}', '{}', '{}')",
            clinic.tenant, UUID(connection),
        )  # fmt: skip
        await rows.execute(
            "INSERT INTO oauth_attempts (tenant, id, connection, link, asked, created_at, expires_at) "
            "VALUES ($1, $2, $3, '', '{}', now(), now())", clinic.tenant, uuid4(), UUID(connection),
        )  # fmt: skip
    await _on_a_bridge(served, clinic, connection)
    return {"endpoint": str(endpoint.id), "event": event, "delivery": delivery}


async def _on_a_bridge(served: Served, clinic: Caller, connection: str) -> None:
    """Rows of a network of records that a clinic takes part in."""
    async with served.house.rooms.store.tenant(clinic.tenant) as rows:
        await rows.execute("INSERT INTO network_sessions (tenant, line) VALUES ($1, 'x@y')", clinic.tenant)
        await rows.execute(
            "INSERT INTO network_bridges (tenant, line, faults, since, looked_at) VALUES ($1, 'x@y', '{}', now(), now())",
            clinic.tenant,
        )
        await rows.execute(
            "INSERT INTO network_facilities (tenant, connector, connection, environment, facility, service, name, since, "
            "looked_at) VALUES ($1, 'x', $2, 'y', 'F', $3, 'a clinic', now(), now())",
            clinic.tenant, UUID(connection), str(clinic.tenant),
        )  # fmt: skip
        await rows.execute(
            "INSERT INTO network_letters (tenant, connection, identity, at, late_seconds) VALUES ($1, $2, '\\x01', now(), 0)",
            clinic.tenant, UUID(connection),
        )  # fmt: skip


# --- The tables -------------------------------------------------------------------------------------------------------


async def _tables(owner: asyncpg.Connection) -> list[asyncpg.Record]:
    return list(
        await owner.fetch(
            "SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced FROM pg_class c "
            "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY c.relname"
        )
    )


async def test_every_table_of_tenants_is_behind_row_security_that_binds_its_owner_too(module_dsn: str) -> None:
    owner = await asyncpg.connect(module_dsn)
    tables = await _tables(owner)
    await owner.close()
    assert {row["name"] for row in tables if not row["forced"]} == TENANTLESS - PERSONS
    assert len(tables) > len(TENANTLESS) + 10


async def test_a_query_without_a_tenant_sees_nothing_of_any_table(two: Two, module_dsn: str) -> None:
    owner = await asyncpg.connect(module_dsn)
    tables = [row["name"] for row in await _tables(owner) if row["name"] not in TENANTLESS]
    filled = {table: await owner.fetchval(f"SELECT count(DISTINCT tenant) FROM {table}") for table in tables}
    await owner.close()
    assert {table for table, tenants in filled.items() if tenants < 2} <= {"nodes"}, "nothing to see proves nothing"
    assert filled["nodes"] == 1
    request = await two.served.house.rooms.store.dedicated()
    try:
        for table in tables:
            assert await request.fetchval(f"SELECT count(*) FROM {table}") == 0, table
            for setting in ("", str(uuid4())):
                async with request.transaction():
                    await request.execute(SET_TENANTS, setting)
                    assert await request.fetchval(f"SELECT count(*) FROM {table}") == 0, table
            async with request.transaction():
                await request.execute(SET_TENANTS, str(two.first.tenant))
                seen = await request.fetch(f"SELECT DISTINCT tenant FROM {table}")
            assert [UUID(str(row["tenant"])) for row in seen] == [two.first.tenant], table
    finally:
        await request.close()


async def test_a_tenant_can_write_to_no_row_of_another_in_any_table(two: Two, module_dsn: str) -> None:
    owner = await asyncpg.connect(module_dsn)
    tables = [row["name"] for row in await _tables(owner) if row["name"] not in TENANTLESS]
    before = await _contents(owner, tables, two.first.tenant)
    request = await two.served.house.rooms.store.dedicated()
    mine, theirs = two.second.tenant, two.first.tenant
    moved = "(jsonb_populate_record(x, jsonb_build_object('tenant', $1::text))).*"
    try:
        for table in tables:
            for statement, least in (
                (f"UPDATE {table} SET tenant = $2 WHERE tenant = $1", 0),
                (f"UPDATE {table} SET tenant = $1 WHERE tenant = $2", 1),
                (f"DELETE FROM {table} WHERE tenant = $1 AND tenant <> $2", 0),
                (f"INSERT INTO {table} SELECT {moved} FROM {table} x WHERE $2::uuid IS NOT NULL LIMIT 1", 1),
            ):
                values = (theirs, mine) if "::text" not in statement else (str(theirs), mine)
                done = await _attempted(request, mine, statement, *values)
                nothing_of_ones_own = table == "nodes" and done.endswith(" 0")
                assert done == "refused" or (least == 0 and done.endswith(" 0")) or nothing_of_ones_own, (
                    statement,
                    done,
                )
        assert await _contents(owner, tables, theirs) == before
    finally:
        await request.close()
        await owner.close()


async def _attempted(request: asyncpg.Connection, tenant: UUID, statement: str, *values: Any) -> str:
    """What became of a statement of the request role; nothing is kept of it."""
    transaction = request.transaction()
    await transaction.start()
    try:
        await request.execute(SET_TENANTS, str(tenant))
        return str(await request.execute(statement, *values))
    except asyncpg.InsufficientPrivilegeError:
        return "refused"
    finally:
        await transaction.rollback()


async def _contents(owner: asyncpg.Connection, tables: list[str], tenant: UUID) -> dict[str, list[str]]:
    return {
        table: sorted(
            str(row[0]) for row in await owner.fetch(f"SELECT x::text FROM {table} x WHERE tenant = $1", tenant)
        )
        for table in tables
    }


# --- The routes -------------------------------------------------------------------------------------------------------


def _requests(thing: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every route with one thing in each place that a request has: path, parameters, body, headers."""
    for operation in OPERATIONS:
        path = re.sub(r"{\w+(:\w+)?}", thing, operation.path)
        needed = BODIES.get(operation.path, {})
        given: dict[str, Any] = {"json": needed} if operation.body else {}
        yield operation.method, path, given
        for name in operation.query.model_fields if operation.query else ():
            yield operation.method, path, {**given, "params": {name: thing}}
        for name in operation.body.model_fields if operation.body else ():
            for value in (thing, [thing]):
                yield operation.method, path, {"json": {**needed, name: value}}
        named = ("x-tenant", "x-tenant-id", "idempotency-key", "cookie", "x-forwarded-user", "forwarded")
        yield operation.method, path, {**given, "headers": dict.fromkeys(named, thing)}


@pytest.mark.timeout(600)
async def test_nothing_of_another_clinic_opens_anything_wherever_it_is_put(two: Two) -> None:
    reading = (
        "/v1/connections", "/v1/keys", "/v1/disclosures", "/v1/log/checkpoint", "/v1/log/key", "/v1/consents",
        "/v1/agreements", "/v1/policy", "/v1/templates",
    )  # fmt: skip
    before = [(await two.first.get(path)).text for path in reading]
    asked = 0
    # Thousands of requests: without a socket between, each costs half as much.
    near = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=two.served.house.web), base_url=two.served.url)
    for thing in two.things.values():
        other = await two.served.clinic()  # a new one for each, since what it was told it may tell again
        await _lived_in(two.served, other, calls=1)
        other = replace(other, client=near)
        for method, path, given in _requests(thing):
            response = await other.ask(method, path, **given)
            asked += 1
            assert response.status_code < 500, (method, path, given, response.text)
            unheard = {name: each for name, each in two.things.items() if each not in thing}
            seen = {name for name, each in unheard.items() if each.encode() in response.content}
            assert not seen, (method, path, given, seen)
    assert asked > 500
    assert [(await two.first.get(path)).text for path in reading] == before
    assert (await two.first.post("/v1/calls", CALL)).json()["outcome"] == "accepted"


FILTERS: list[dict[str, str]] = [
    {},
    {"recipient": "Stripe, Inc."},
    {"connector": "payments/stripe"},
    {"purpose": "HPAYMT"},
    {"category": "billing"},
    {"outcome": "accepted"},
    {"outcome": "refused"},
    {"outcome": "refused", "connector": "payments/stripe", "purpose": "TREAT"},
    {"since": "2001-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"},
    {"subject": "patient-4711"},
]


async def _ids_found(clinic: Caller, narrowed: dict[str, str]) -> set[str]:
    """What a clinic finds, by an address and by a body alike."""
    answers = [await clinic.post("/v1/disclosures/search", {**narrowed, "limit": 200})]
    if "subject" not in narrowed:
        answers.append(await clinic.get("/v1/disclosures", params={**narrowed, "limit": "200"}))
    found = [{item["id"] for item in answer.json()["items"]} for answer in answers]
    assert found[0] == found[-1]
    return found[0]


async def test_a_search_finds_ones_own_by_every_filter_and_nothing_else(two: Two) -> None:
    for narrowed in FILTERS:
        first, second = await _ids_found(two.first, narrowed), await _ids_found(two.second, narrowed)
        assert first, narrowed
        assert 1 <= len(second) <= 5, narrowed
        assert not first & second, narrowed


async def test_a_bundle_holds_ones_own_entries_only(two: Two) -> None:
    for narrowed in (
        {},
        *({name: each[name]} for each in FILTERS for name in ("recipient", "subject", "since") if name in each),
    ):
        bundle = await two.second.post("/v1/bundles", narrowed)
        assert bundle.status_code == 200, bundle.text
        with zipfile.ZipFile(io.BytesIO(bundle.content)) as opened:
            entries = [orjson.loads(line) for line in opened.read("entries.ndjson").splitlines()]
            everything = b"".join(map(opened.read, opened.namelist()))
        assert {entry["tenant"] for entry in entries} == {str(two.second.tenant)}
        assert [kind for kind, thing in two.things.items() if thing.encode() in everything] == []


async def test_another_clinics_log_is_proved_to_nobody_else(two: Two) -> None:
    size = int((await two.first.get("/v1/log/checkpoint")).text.splitlines()[1])
    own = int((await two.second.get("/v1/log/checkpoint")).text.splitlines()[1])
    assert own < size
    for query in ({"old_size": str(size)}, {"old_size": "1", "new_size": str(size)}):
        assert (await two.first.get("/v1/log/consistency", params=query)).status_code == 200
        assert (await two.second.get("/v1/log/consistency", params=query)).status_code == 400
    roots = [(await each.get("/v1/log/consistency?old_size=1&new_size=2")).json() for each in (two.first, two.second)]
    assert roots[0]["new_root"] != roots[1]["new_root"]


async def test_an_id_of_another_clinic_is_told_apart_from_none_by_nothing(two: Two) -> None:
    kinds = {
        "connections": "connection", "disclosures": "disclosure", "keys": "key", "endpoints": "endpoint",
        "events": "event", "deliveries": "delivery", "consents": "consent", "agreements": "endpoint",
        "templates": "template", "waiting": "waiting", "refusals": "refusal", "recipients": "endpoint",
        "patients": "subject", "care-contexts": "context", "watches": "watch",
    }  # fmt: skip
    for operation in (each for each in OPERATIONS if "{" in each.path and "{family}" not in each.path):
        kind, told = kinds[operation.path.split("/")[2]], []
        for name in (two.things[kind], "x1Y2z3A4b5C6" if kind == "key" else str(uuid4())):
            path = re.sub(r"{\w+(:\w+)?}", name, operation.path)
            given = {"json": BODIES[operation.path]} if operation.body else {}
            response = await two.second.ask(operation.method, path, **given)
            told.append((response.status_code, {**response.json(), "request_id": ""}))
        assert told[0] == told[1], operation.path
        assert told[0][0] == 404, operation.path


async def test_the_reply_that_is_kept_for_one_clinic_is_not_given_to_another(two: Two) -> None:
    again = await two.first.post("/v1/keys", KEY, headers={"idempotency-key": "once"})
    assert again.json()["key"] == two.things["key's text"]
    other = await two.second.post("/v1/keys", KEY, headers={"idempotency-key": "once"})
    assert other.json()["key"] != two.things["key's text"]
