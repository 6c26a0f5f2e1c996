"""The settings pages over real HTTP and PostgreSQL: what they show, what they change, and what the ledger hears of it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from connectors.network import Service
from gateway.app import House
from gateway.calls import Actor
from gateway.demo import EVERYTHING
from gateway.errors import Refused
from gateway.flows.agree import Terms as Signed
from gateway.flows.agree import agree
from gateway.flows.broker import broker
from gateway.flows.connect import Wish, begin, connect
from gateway.flows.expiring import tell_of_expiring
from gateway.flows.inbound import alarm
from gateway.flows.network import bridge
from gateway.flows.tokens import grant_ended
from gateway.ids import new_id
from gateway.network.asked import UNREPORTED
from gateway.network.drift import Fault
from gateway.people import Role
from gateway.people.sessions import form_token
from gateway.store import notices
from gateway.store.network import OwnedRow
from gateway.webhooks.endpoint import NewEndpoint, Recipient, Status, Why
from scopes.agreement import AgreementKind
from scopes.vocabulary import ConnectionState, Purpose
from tests.gateway.egress.vendor import Vendor, answer
from tests.gateway.house import Clinic, entries_of
from tests.gateway.web.pages.conftest import Browser, SignedIn, forms
from tests.gateway.web.pages.test_matrix import HOSTILE

STRIPE = "/settings/integrations/payments/stripe"
TWILIO = "/settings/integrations/messaging/twilio"
ACCOUNT = "AC0123456789abcdef0123456789abcdef"
TWILIO_KEY = "SK0123456789abcdef0123456789abcdef:0123456789abcdef"


async def twilio(house: House, clinic: Clinic, *features: str) -> None:
    """Connect Twilio."""
    wish = Wish(
        connector="messaging/twilio", secret=TWILIO_KEY, features=frozenset(features), account=ACCOUNT,
        settings={"sender": "+15005550006"},
    )  # fmt: skip
    await connect(clinic.actor, wish, house.rooms)


async def whatsapp(house: House, clinic: Clinic) -> None:
    """Connect WhatsApp."""
    wish = Wish(
        connector="messaging/whatsapp",
        secret="EAA" + "a" * 40,
        features=frozenset({"reminders"}),
        account="106540352242922",
    )
    await connect(clinic.actor, wish, house.rooms)


async def signed(house: House, clinic: Clinic, *, days: int | None = None, recipient: str = "messaging/twilio") -> None:
    """An agreement with Twilio, from yesterday on."""
    now = house.rooms.clock()
    until = now + timedelta(days=days) if days is not None else None
    services = ("sms",) if recipient == "messaging/twilio" else ()
    terms = Signed(kind=AgreementKind.DPA, services=services, since=now - timedelta(days=1), until=until)
    await agree(clinic.actor, recipient, terms, house.rooms)


def tile(page: str, title: str) -> str:
    """The card of one integration."""
    return next(each for each in re.findall(r"<article.*?</article>", page, re.DOTALL) if f">{title}</a>" in each)


async def press(browser: Browser, page: str, action: str, /, **wanted: str) -> Any:
    """Press the one of several buttons to a path that sends these fields."""
    shown = (await browser.get(page)).text
    for found in re.findall(rf'<form method="post" action="{action}".*?</form>', shown, re.DOTALL):
        fields = dict(re.findall(r'name="([^"]*)" value="([^"]*)"', found))
        if all(fields.get(name) == value for name, value in wanted.items()):
            return await browser.ask("POST", action, data=fields)
    raise AssertionError(f"no button sends {wanted} to {action}")


async def test_the_first_page_shows_each_integration_with_what_left(
    holder: SignedIn, house: House, clinic: Clinic, vendor: Vendor
) -> None:
    owner = await holder()
    before = (await owner.get("/settings")).text
    assert "never" in tile(before, "Stripe")
    assert "Off" in tile(before, "Twilio SMS")
    for _ in range(3):
        await broker(clinic.call(), house.rooms)
    vendor.answers[:] = [answer(402, b'{"error": {"code": "card_declined"}}')]
    await broker(clinic.call(), house.rooms)
    card = tile((await owner.get("/settings")).text, "Stripe")
    assert '<strong class="figure">4</strong>' in card
    assert "25 %" in card
    assert "never" not in card
    assert "On</span>" in card


async def test_what_stands_in_the_way_of_every_call_is_told_on_the_first_page(
    holder: SignedIn, house: House, clinic: Clinic
) -> None:
    owner = await holder()
    await twilio(house, clinic, "reminders")
    card = tile((await owner.get("/settings")).text, "Twilio SMS")
    assert "Needs attention" in card
    assert "No agreement with Twilio Inc. is on file" in card
    await signed(house, clinic)
    assert "On</span>" in tile((await owner.get("/settings")).text, "Twilio SMS")
    policy = await house.rooms.agreements.policy(clinic.tenant)
    await house.rooms.agreements.set_policy(
        clinic.actor, type(policy)(allowed_regions=frozenset({"IN"}), version=policy.version)
    )
    card = tile((await owner.get("/settings")).text, "Twilio SMS")
    assert "does not allow data in United States" in card
    await house.rooms.connections.set_state(
        clinic.actor,
        (await house.rooms.connections.active(clinic.tenant, "messaging/twilio")).id,
        ConnectionState.SUSPENDED,
    )
    assert "Suspended" in tile((await owner.get("/settings")).text, "Twilio SMS")


async def test_notices_are_shown_until_there_is_nothing_to_be_done(
    holder: SignedIn, house: House, clinic: Clinic
) -> None:
    owner, support = await holder(), await holder(Role.SUPPORT)
    rooms = house.rooms
    await twilio(house, clinic, "reminders")
    await signed(house, clinic, days=10)
    await tell_of_expiring(clinic.tenant, rooms)
    await alarm(clinic.connection.id, 120, rooms)
    endpoint, _ = await rooms.endpoints.create(clinic.actor, new_endpoint("A laboratory"))
    page = (await owner.get("/settings")).text
    assert "The agreement with Twilio Inc. ends on" in page
    assert "120 messages in Stripe, Inc.&#39;s name were refused" in page
    assert 'href="/settings/agreements"' in page
    assert 'href="/settings/agreements"' not in (await support.get("/settings")).text  # it would open nothing to them
    await signed(house, clinic)
    await rooms.connections.set_state(clinic.actor, clinic.connection.id, ConnectionState.REVOKED)
    page = (await owner.get("/settings")).text
    assert "ends on" not in page
    assert "were refused" not in page
    assert "A laboratory" not in page
    assert endpoint.status is Status.PENDING


async def test_a_vendor_that_wants_to_be_connected_again_is_told_on_its_card_until_it_is(
    holder: SignedIn, house: House, clinic: Clinic
) -> None:
    owner = await holder()
    said = "Stripe has to be connected again; every call is refused."
    assert said not in (await owner.get("/settings")).text
    connection = await house.rooms.connections.active(clinic.tenant, "payments/stripe")
    await grant_ended(connection, "revoked_there", house.rooms)
    card = tile((await owner.get("/settings")).text, "Stripe")
    assert "Needs attention" in card
    assert said in card
    with pytest.raises(Refused):
        await broker(clinic.call(), house.rooms)
    await house.rooms.connections.set_state(clinic.actor, connection.id, ConnectionState.REVOKED)
    await connect(
        clinic.actor, Wish(connector="payments", secret="rk_test_0123456789abcdef", features=frozenset()), house.rooms
    )
    assert said not in (await owner.get("/settings")).text


async def test_the_messages_that_wait_are_counted_for_who_may_see_calls(
    holder: SignedIn, house: House, clinic: Clinic
) -> None:
    owner, support = await holder(), await holder(Role.SUPPORT)
    assert "until quiet hours end" not in (await owner.get("/settings")).text
    for number, told in enumerate(("1 message waits until", "2 messages wait until"), start=1):
        async with house.rooms.store.tenant(clinic.tenant) as connection:
            await connection.execute(
                "INSERT INTO waiting_calls (tenant, id, state, due_at, created_at, changed_at, connector, action, purpose, "
                "reasons, withheld, fingerprint) VALUES ($1, $2, 'waiting', now() + interval '1 day', now(), now(), "
                "'payments/stripe', 'refund', 'HPAYMT', '[]', '{}', $3)", clinic.tenant, uuid4(), bytes([number]),
            )  # fmt: skip
        assert told in (await owner.get("/settings")).text
    assert "messages wait" not in (await support.get("/settings")).text
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        await connection.execute("UPDATE waiting_calls SET state = 'carried' WHERE tenant = $1", clinic.tenant)
    assert "until quiet hours end" not in (await owner.get("/settings")).text


async def at_a_network(house: House, clinic: Clinic) -> OwnedRow:
    """The clinic's facility at ABDM, claimed as the operator does it."""
    rooms, actor = house.rooms, clinic.actor
    wish = Wish(connector="abdm", features=frozenset({"records"}), settings={"environment": "sbx"})
    connection = (await begin(actor, wish, rooms)).connection
    line, service = rooms.networks.line("abdm", "sbx"), Service(f"IN-{clinic.tenant}", "Lake Clinic", True, True)
    await rooms.networks.facilities.claim(actor, connection.id, line, service.id, service=service, granted=frozenset())
    return OwnedRow(clinic.tenant, connection.id, service.id, service.id, service.name, [])


async def test_what_is_wrong_at_a_network_is_told_with_what_mends_it_until_it_is_mended(
    holder: SignedIn, house: House, clinic: Clinic
) -> None:
    owner, owned = await holder(), await at_a_network(house, clinic)
    await bridge._told("abdm", owned, (Fault.URL_ELSEWHERE, Fault.SERVICE_OFF), house.rooms)
    page = (await owner.get("/settings")).text
    assert "National Health Authority: until this is mended" in page
    assert "sends its messages to another address than this gateway&#39;s." in page
    assert "Switch the facility on in the register of facilities." in page
    assert 'href="/settings/integrations/abdm"' in page
    await bridge._told("abdm", owned, (Fault.SERVICE_OFF,), house.rooms)
    page = (await owner.get("/settings")).text
    assert "another address" not in page  # what is wrong is what the last look found
    assert "Switch the facility on" in page
    await bridge._told("abdm", owned, (), house.rooms)
    assert "until this is mended" not in (await owner.get("/settings")).text


async def test_a_report_that_a_network_did_not_take_is_told_for_a_week_with_what_it_means(
    holder: SignedIn, house: House, clinic: Clinic
) -> None:
    rooms, owner, owned = house.rooms, await holder(), await at_a_network(house, clinic)

    async def told(days_ago: int) -> None:
        row = notices.NoticeRow(
            new_id(), rooms.clock() - timedelta(days=days_ago), UNREPORTED, owned.connection, {"transfer": str(uuid4())}
        )
        async with rooms.store.tenant(clinic.tenant) as connection:
            await notices.add(connection, clinic.tenant, row)

    await told(days_ago=8)
    assert "did not take the report" not in (await owner.get("/settings")).text
    await told(days_ago=2)
    page = (await owner.get("/settings")).text
    assert "did not take the report of how a request for records fared" in page
    assert "nothing is sent again" in page
    await told(days_ago=1)
    assert "how 2 requests for records fared" in (await owner.get("/settings")).text
    await rooms.connections.set_state(clinic.actor, owned.connection, ConnectionState.REVOKED)
    assert "did not take the report" not in (await owner.get("/settings")).text


def new_endpoint(name: str) -> NewEndpoint:
    """An endpoint of a vendor."""
    return NewEndpoint(
        url="https://hooks.example.com/in", host="hooks.example.com", events=("payment.*",), purpose=Purpose.HPAYMT,
        recipient=Recipient(name, "NO"),
    )  # fmt: skip


async def test_an_endpoint_that_was_switched_off_is_told_to_who_may_see_endpoints(
    holder: SignedIn, house: House, clinic: Clinic
) -> None:
    rooms, owner, integrations = house.rooms, await holder(), await holder(Role.INTEGRATIONS)
    endpoint, _ = await rooms.endpoints.create(clinic.actor, new_endpoint("A laboratory"))
    async with rooms.store.tenant(clinic.tenant) as connection:
        row = notices.NoticeRow(uuid4(), rooms.clock(), "endpoint.off", endpoint.id, {"why": "gone"})
        await notices.add(connection, clinic.tenant, row)
    assert "A laboratory was switched off" not in (await owner.get("/settings")).text  # it is pending, not off
    await rooms.endpoints.set_state(clinic.actor, endpoint.id, Status.OFF, Why.GONE)
    assert "A laboratory was switched off" in (await owner.get("/settings")).text
    assert "A laboratory" not in (await integrations.get("/settings")).text


async def test_the_order_of_a_family_is_changed_and_recorded(holder: SignedIn, house: House, clinic: Clinic) -> None:
    owner, rooms = await holder(), house.rooms
    assert "who is tried first" not in (await owner.get("/settings")).text
    await twilio(house, clinic, "reminders")
    await whatsapp(house, clinic)
    first, second = "messaging/twilio", "messaging/whatsapp"

    async def order() -> tuple[str, ...]:
        return (await rooms.connections.present(clinic.tenant)).order("messaging")

    assert await order() == (first, second)
    assert (await press(owner, "/settings", "/settings/order", connector=second, to="up")).status_code == 303
    assert await order() == (second, first)
    assert "WhatsApp is tried earlier from now on" in (await owner.get("/settings")).text
    await press(owner, "/settings", "/settings/order", connector=first, to="out")
    assert await order() == (second,)
    await press(owner, "/settings", "/settings/order", connector=first, to="in")
    assert await order() == (second, first)
    recorded = [entry for entry in await entries_of(house, clinic.tenant) if entry.get("connector") == "messaging"]
    assert [entry["features"] for entry in recorded][-1] == [f"order:{second}", f"order:{first}"]
    assert all(entry["actor"]["kind"] == "person" for entry in recorded)
    token = {"csrf": form_token(owner.cookies["gateway"]), "family": "messaging"}
    for wrong in (
        {"connector": first, "to": "in"},
        {"connector": first, "to": "away"},
        {"connector": "payments/stripe"},
    ):
        response = await owner.ask("POST", "/settings/order", data={**token, "to": "up", **wrong})
        assert response.status_code in (400, 404)
    await rooms.connections.set_order(clinic.actor, "messaging", [second])
    assert "only where a call names it" in (await owner.get("/settings")).text
    last = await owner.ask("POST", "/settings/order", data={**token, "connector": second, "to": "out"})
    assert last.status_code == 400  # one has to be tried


async def test_an_integration_says_before_its_button_what_leaves_to_whom_and_where(
    holder: SignedIn, house: House
) -> None:
    tenant = await house.rooms.connections.create_tenant("nothing connected")
    page = (await (await holder(tenant=tenant)).get(TWILIO)).text
    button = page.index("Connect Twilio SMS")
    for said in (
        "Twilio Inc.", "Processor", "United States", "binding corporate rules", "Needed: BAA or DPA", "Only to the minute.",
        "2026-01-15T09:30:42 UTC", "2026-01-15T09:30:00 UTC", "The greeting", "Messages: create",
        "/twilio/messaging/messages/create", "stays here", "E11.9 Type 2 diabetes",
    ):  # fmt: skip
        assert said in page[:button], said
    assert 'href="/settings/agreements"' in page


async def test_a_form_that_does_not_fit_says_what_to_type_and_never_repeats_the_key(
    holder: SignedIn, house: House
) -> None:
    tenant = await house.rooms.connections.create_tenant("nothing connected")
    owner = await holder(tenant=tenant)
    nothing = await owner.send(TWILIO, f"{TWILIO}/connect", {"credential.secret": "", "account": ""})
    assert nothing.status_code == 400
    assert "Paste the key here." in nothing.text
    assert "Switch on at least one feature" in nothing.text
    token = "fedcba9876543210fedcba9876543210"
    wrong = await owner.send(
        TWILIO,
        f"{TWILIO}/connect",
        {"credential.secret": token, "account": HOSTILE, "settings.sender": "x" * 40, "features": ["reminders"]},
    )
    assert wrong.status_code == 400
    assert "That is an Auth Token" in wrong.text or "Give the SID of the subaccount" in wrong.text
    assert "It looks like this: +15005550006" in wrong.text
    assert "[0-9a-f]" not in wrong.text
    assert token not in wrong.text
    assert "<script>alert" not in wrong.text
    assert 'value="reminders" form="connect" checked' in wrong.text
    assert (await house.rooms.connections.present(tenant)).connections == {}


async def test_a_person_connects_and_what_is_ticked_is_granted(holder: SignedIn, house: House) -> None:
    tenant = await house.rooms.connections.create_tenant("nothing connected")
    integrations = await holder(Role.INTEGRATIONS, tenant=tenant)
    fields = {
        "credential.secret": TWILIO_KEY, "account": ACCOUNT, "settings.sender": "+15005550006", "settings.redaction": "",
        "features": ["reminders", "notices"], "withheld": ["given_name"],
    }  # fmt: skip
    assert (await integrations.send(TWILIO, f"{TWILIO}/connect", fields)).headers["location"] == TWILIO
    made = (await house.rooms.connections.present(tenant)).connections["messaging/twilio"]
    assert made.grant.features == {"reminders", "notices"}
    assert made.grant.withheld == {"given_name"}
    assert dict(made.settings) == {"sender": "+15005550006"}
    entry = next(each for each in await entries_of(house, tenant) if each["kind"] == "connection")
    assert entry["actor"] == {"kind": "person", "id": str(integrations.person)}
    page = (await integrations.get(TWILIO)).text
    assert "is connected" in page
    assert TWILIO_KEY not in page
    again = await integrations.ask(
        "POST", f"{TWILIO}/connect", data={"csrf": form_token(integrations.cookies["gateway"]), **fields}
    )
    assert again.status_code == 409


async def test_a_feature_that_is_switched_off_counts_for_the_next_call(
    holder: SignedIn, house: House, clinic: Clinic
) -> None:
    owner = await holder()
    await broker(clinic.call(), house.rooms)
    done = await press(owner, STRIPE, f"{STRIPE}/features", feature="card_payments", on="no")
    assert done.headers["location"] == STRIPE
    with pytest.raises(Refused, match="card_payments"):
        await broker(clinic.call(), house.rooms)
    entry = [each for each in await entries_of(house, clinic.tenant) if each["kind"] == "grant"][-1]
    assert "card_payments" not in entry["features"]
    assert entry["actor"] == {"kind": "person", "id": str(owner.person)}
    await press(owner, STRIPE, f"{STRIPE}/features", feature="card_payments", on="yes")
    await broker(clinic.call(), house.rooms)
    token = {"csrf": form_token(owner.cookies["gateway"])}
    for wrong in ({"feature": "nothing", "on": "yes"}, {"feature": "refunds", "on": "perhaps"}, {}):
        assert (await owner.ask("POST", f"{STRIPE}/features", data={**token, **wrong})).status_code == 400
    assert (
        await owner.ask("POST", f"{TWILIO}/features", data={**token, "feature": "reminders", "on": "yes"})
    ).status_code == 409


async def test_a_feature_whose_scope_the_key_was_connected_without_says_so(
    holder: SignedIn, house: House, clinic: Clinic
) -> None:
    tenant = await house.rooms.connections.create_tenant("some features")
    actor = Actor("system", "test", tenant, EVERYTHING)
    wish = Wish(connector="payments", secret="rk_test_0123456789abcdef", features=frozenset({"refunds"}))
    await connect(actor, wish, house.rooms)
    owner = await holder(tenant=tenant)
    assert "was connected without: Checkout Sessions: Write" in (await owner.get(STRIPE)).text
    assert "Needs attention" not in tile((await owner.get("/settings")).text, "Stripe")
    await press(owner, STRIPE, f"{STRIPE}/features", feature="checkout", on="yes")
    assert "without what Checkout pages needs" in tile((await owner.get("/settings")).text, "Stripe")


async def test_a_field_that_is_held_back_stays_here(
    holder: SignedIn, house: House, clinic: Clinic, vendor: Vendor
) -> None:
    owner = await holder()
    call = clinic.call(
        {"reference": "inv_7Hq2ZkW9", "amount_minor": 4250, "currency": "eur", "receipt_email": "a@b.example"}
    )
    await broker(call, house.rooms)
    assert b"a%40b.example" in vendor.requests[-1]
    assert (await owner.send(STRIPE, f"{STRIPE}/fields", {"withheld": ["receipt_email"]})).status_code == 303
    told = await broker(call, house.rooms)
    assert b"a%40b.example" not in vendor.requests[-1]
    assert "receipt_email" in told.withheld
    page = (await owner.get(STRIPE)).text
    assert re.search(r'value="receipt_email" checked', page)
    assert (await owner.send(STRIPE, f"{STRIPE}/fields", {"withheld": ["nonsense"]})).status_code == 400
    assert (await owner.send(STRIPE, f"{STRIPE}/fields")).status_code == 303
    assert (await house.rooms.connections.present(clinic.tenant)).connections[
        "payments/stripe"
    ].grant.withheld == frozenset()


async def test_free_text_is_off_until_it_is_switched_on(holder: SignedIn, house: House, clinic: Clinic) -> None:
    owner = await holder()
    await twilio(house, clinic, "notices")
    note = "Please bring your insurance card"

    def leaves(page: str) -> str:
        return next(row for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL) if note in row)

    before = leaves((await owner.get(TWILIO)).text)
    assert "stays here" in before
    await press(owner, TWILIO, f"{TWILIO}/free-text", path="note", on="yes")
    after = leaves((await owner.get(TWILIO)).text)
    assert "stays here" not in after
    assert "[removed]" in after[after.index("Leaves:") :]
    grant = (await house.rooms.connections.present(clinic.tenant)).connections["messaging/twilio"].grant
    assert grant.free_text == {"note"}
    assert grant.features == {"notices"}
    await press(owner, TWILIO, f"{TWILIO}/free-text", path="note", on="no")
    assert "stays here" in leaves((await owner.get(TWILIO)).text)


async def test_suspend_resume_and_revoke_each_ask_once_more_and_count_at_once(
    holder: SignedIn, house: House, clinic: Clinic
) -> None:
    owner = await holder()
    asked = (await owner.get(f"{STRIPE}/suspend")).text
    assert "Every call is refused from now on" in asked
    assert (await house.rooms.connections.present(clinic.tenant)).connections["payments/stripe"].state == "active"
    assert (await owner.send(f"{STRIPE}/suspend", f"{STRIPE}/suspend")).headers["location"] == STRIPE
    with pytest.raises(Refused):
        await broker(clinic.call(), house.rooms)
    assert (await owner.get(f"{STRIPE}/suspend")).status_code == 409
    await owner.send(f"{STRIPE}/resume", f"{STRIPE}/resume")
    await broker(clinic.call(), house.rooms)
    await owner.send(f"{STRIPE}/revoke", f"{STRIPE}/revoke")
    with pytest.raises(Refused):
        await broker(clinic.call(), house.rooms)
    assert "Connect Stripe" in (await owner.get(STRIPE)).text
    states = [each["state"] for each in await entries_of(house, clinic.tenant) if each["kind"] == "connection"]
    assert states == ["active", "suspended", "active", "revoked"]


async def test_a_callbacks_secrets_are_added_and_removed_and_never_shown(
    holder: SignedIn, house: House, clinic: Clinic
) -> None:
    owner = await holder()
    secrets = ["whsec_0123456789abcdef", "whsec_fedcba9876543210"]
    wrong = await owner.send(STRIPE, f"{STRIPE}/callback", {"secret": "nothing like it"})
    assert wrong.status_code == 400
    assert "This is no signing secret of Stripe" in wrong.text
    for secret in secrets:
        assert (await owner.send(STRIPE, f"{STRIPE}/callback", {"secret": secret})).status_code == 303
    page = (await owner.get(STRIPE)).text
    assert not any(secret in page for secret in secrets)
    assert f"{STRIPE}/callback" not in forms(page)  # two are the most
    removes = re.findall(rf'href="({STRIPE}/callback/[^"]+/remove)"', page)
    assert len(removes) == 2
    assert (await owner.send(removes[0], removes[0])).status_code == 303
    assert (await owner.get(removes[0])).status_code == 404
    kept = await house.rooms.callbacks.secrets(clinic.tenant, clinic.connection.id)
    assert [each.text for each in kept] == secrets[1:]
    other = await house.rooms.connections.create_tenant("another clinic")
    wish = Wish(connector="payments", secret="rk_test_0123456789abcdef", features=frozenset({"refunds"}))
    await connect(Actor("system", "test", other, EVERYTHING), wish, house.rooms)
    stranger = await holder(tenant=other)
    assert (await stranger.get(removes[1])).status_code == 404
    token = {"csrf": form_token(stranger.cookies["gateway"])}
    assert (await stranger.ask("POST", removes[1], data=token)).status_code == 404
    assert len(await house.rooms.callbacks.secrets(clinic.tenant, clinic.connection.id)) == 1


async def test_who_may_only_look_is_shown_no_button(holder: SignedIn, clinic: Clinic) -> None:
    support = await holder(Role.SUPPORT)
    for path in ("/settings", STRIPE, TWILIO):
        page = (await support.get(path)).text
        assert list(forms(page)) == ["/sign-out"], path
        assert "/hooks/" not in page
        assert "/revoke" not in page


async def test_health_shows_each_day_and_why_things_failed(
    holder: SignedIn, house: House, clinic: Clinic, vendor: Vendor
) -> None:
    owner = await holder()
    await broker(clinic.call(), house.rooms)
    vendor.answers[:] = [answer(402, b'{"error": {"code": "card_declined"}}')]
    await broker(clinic.call(), house.rooms)
    with pytest.raises(Refused):
        await broker(clinic.call(purpose=Purpose.TREAT), house.rooms)
    page = (await owner.get(STRIPE)).text
    today = house.rooms.clock().date()
    assert re.search(
        rf'<tr><th scope="row">{today}</th><td class="number">1</td><td class="number">1</td><td class="number">1</td>',
        page,
    )
    failed = page[page.index("What failed") :]
    assert "Rejected" in failed
    assert "card_declined" in failed
    assert "Purpose not allowed" in page
    assert len(re.findall(r'<rect class="(?:taken|missed|refused)"', page)) == 3


async def test_what_is_not_there_is_said_calmly(holder: SignedIn) -> None:
    owner = await holder()
    for path in (
        "/settings/integrations/nothing", f"{STRIPE}/nothing", "/settings/integrations/payments",
        "/settings/subprocessors?version=0", "/settings/subprocessors?version=999999999", "/settings/subprocessors?version=x",
        "/settings/subprocessors/nobody", f"/settings/subprocessors/{uuid4()}", "/settings/subprocessors/%00",
        f"/settings/integrations/{'x' * 3000}",
    ):  # fmt: skip
        assert (await owner.get(path)).status_code == 404, path
    assert (await owner.get(f"{TWILIO}/revoke")).status_code == 409


async def test_the_register_is_shown_as_it_is_and_as_it_was(holder: SignedIn, house: House, clinic: Clinic) -> None:
    auditor = await holder(Role.AUDITOR)
    page = (await auditor.get("/settings/subprocessors")).text
    assert "Version 1" in page
    assert "Stripe, Inc." in page
    await twilio(house, clinic, "reminders")
    await house.rooms.endpoints.create(clinic.actor, new_endpoint(HOSTILE[:80]))
    page = (await auditor.get("/settings/subprocessors")).text
    assert "Twilio Inc." in page
    assert "by webhook" in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    former = (await auditor.get("/settings/subprocessors?version=1")).text
    assert "A former version" in former
    assert "Twilio Inc." not in former


async def test_what_is_declared_stands_beside_what_left(holder: SignedIn, house: House, clinic: Clinic) -> None:
    auditor = await holder(Role.AUDITOR)
    for _ in range(2):
        await broker(clinic.call(), house.rooms)
    page = (await auditor.get("/settings/subprocessors/payments/stripe")).text
    charges = page[page.index("Create payment intent") :]
    row = re.search(r"<code class=\"break\">reference</code>.*?</tr>", charges, re.DOTALL)
    assert row is not None
    assert '<td class="number">2</td>' in row[0]
    assert (await auditor.get("/settings/subprocessors/payments/stripe?days=7")).status_code == 200
    none = await auditor.get("/settings/subprocessors/payments/stripe?from=2026-01-02&until=2026-01-01")
    assert none.status_code == 400
    assert "It ends before it begins." in none.text


async def test_every_connector_that_there_is_has_its_page(holder: SignedIn, house: House) -> None:
    tenant = await house.rooms.connections.create_tenant("nothing connected")
    owner = await holder(tenant=tenant)
    for connector in house.rooms.registry.connectors.values():
        page = await owner.get(f"/settings/integrations/{connector.id}")
        assert page.status_code == 200, connector.id
        assert connector.manifest.recipient.legal_name.partition("'")[0] in page.text
