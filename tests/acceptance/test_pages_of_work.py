"""The pages on which clinics and vendors work, in a real browser without scripts: what is done there counts at the gateway.

A consent withdrawn on the page stops the next message; a text is written with a preview; a delivery is made again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect
from starlette.applications import Starlette

from connectors.messaging.twilio import sandbox
from gateway.calls import Actor
from gateway.jobs import Jobs
from gateway.people import Role
from gateway.serve import listening, serving
from tests.acceptance.served import Caller, Served, gateway
from tests.acceptance.test_callbacks import until
from tests.gateway.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = "correct horse battery staple"
PHONE, REFERENCE = "+14155550123", "patient-4711"
BODY = "Hi {given_name|there}, we expect you on {starts_at:date}."
CALL = {
    "connector": "messaging/twilio", "action": "send_reminder", "purpose": "TREAT", "subject": REFERENCE,
    "payload": {"phone": PHONE, "starts_at": "2026-11-27T10:30:00+00:00", "given_name": "Meenakshi", "language": "en"},
}  # fmt: skip
AGREEMENT = {"kind": "baa", "services": ["sms"], "from": "2026-01-15T09:30:00Z"}
TEMPLATE = {"action": "messaging/send_reminder", "channel": "sms", "language": "en", "body": BODY}


@dataclass
class Desk:
    """A clinic that writes to people by Twilio's sandbox, its software, and a browser at its desk."""

    clinic: Caller
    vendor: Starlette
    browser: Browser
    url: str
    email: str
    sent_before: int
    contexts: list[BrowserContext]

    async def sits_down(self, *, scripts: bool = False, scheme: Any = "light", width: int = 1280) -> Page:
        """A page of the clinic's owner, signed in."""
        context = await self.browser.new_context(
            base_url=self.url,
            java_script_enabled=scripts,
            color_scheme=scheme,
            viewport={"width": width, "height": 900},
        )
        self.contexts.append(context)
        page = await context.new_page()
        page.on("console", lambda said: pytest.fail(said.text) if "Content Security Policy" in said.text else None)
        await page.goto("/sign-in")
        await page.get_by_label("E-mail address").fill(self.email)
        await page.get_by_label("Password").fill(PASSWORD)
        async with page.expect_navigation():
            await page.get_by_role("button", name="Sign in", exact=True).click()
        return page

    @property
    def sent(self) -> int:
        """How many messages the vendor took."""
        return len(self.vendor.state.sandbox.messages) - self.sent_before


Town = tuple[Served, Starlette]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(module_dsn: str, tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> AsyncIterator[Town]:
    vendor, folder = sandbox.create(pace_seconds=0), tmp_path_factory.mktemp("work")
    async with (
        serving(vendor, listening("127.0.0.1", 0)) as url,
        gateway(module_dsn, folder, sandboxes={"messaging/twilio": url}) as served,
        Jobs(served.house.rooms, grace_seconds=2).running() as jobs,
    ):
        await asyncio.wait_for(jobs.ready.wait(), 10)
        yield served, vendor


@pytest_asyncio.fixture(loop_scope="session")
async def desk(town: Town, browser: Browser) -> AsyncIterator[Desk]:
    served, vendor = town
    clinic = await served.clinic("Riverside Clinic")
    given = {"account": sandbox.ACCOUNT, "settings": sandbox.SETTINGS, "features": ["reminders"]}
    await clinic.connect("messaging/twilio", sandbox.CREDENTIAL, **given)
    for path, body in (("agreements/messaging/twilio", AGREEMENT), ("templates/reminder", TEMPLATE)):
        assert (await clinic.ask("PUT", f"/v1/{path}", json=body)).is_success
    accounts, email = served.house.rooms.people.accounts, f"{uuid4().hex}@clinic.example"
    person = await accounts.create("Olena Marsh", email=email, password=PASSWORD)
    await accounts.join(Actor("system", "test", clinic.tenant, ()), person, Role.OWNER)
    url, sent = served.url.replace("127.0.0.1", "localhost"), len(vendor.state.sandbox.messages)
    desk = Desk(clinic, vendor, browser, url, email, sent, [])
    yield desk
    for context in desk.contexts:
        await context.close()


async def test_a_consent_withdrawn_on_the_page_stops_the_next_reminder(desk: Desk) -> None:
    page = await desk.sits_down()
    await page.get_by_role("link", name="Consents").click()
    await page.get_by_label("The person").fill(REFERENCE)
    await page.get_by_role("button", name="Look up").click()
    await expect(page.get_by_text("This would be the first.")).to_be_visible()
    await page.get_by_label("Treatment").check()
    await page.get_by_label("SMS", exact=True).check()
    await page.get_by_label("How it was given").fill("on paper, at the desk")
    await page.get_by_label("Which wording they saw").fill("sms-1")
    await page.get_by_role("button", name="Record the consent").click()
    await page.wait_for_url("**/settings/consents/of/*")
    assert REFERENCE not in page.url
    await expect(page.get_by_text("In force")).to_be_visible()
    accepted = await desk.clinic.post("/v1/calls", CALL)
    assert (accepted.status_code, accepted.json().get("outcome")) == (200, "accepted"), accepted.text
    assert desk.sent == 1

    await page.get_by_role("link", name="Withdraw the consent for Treatment by SMS").click()
    await expect(page.get_by_text("It takes effect at once")).to_be_visible()
    await page.get_by_role("button", name="Withdraw the consent").click()
    await expect(page.get_by_text("The consent is withdrawn.")).to_be_visible()
    refused = await desk.clinic.post("/v1/calls", CALL)
    assert refused.status_code == 403
    assert [reason["code"] for reason in refused.json()["reasons"]] == ["consent_withdrawn"]
    assert desk.sent == 1


async def test_a_text_is_edited_with_its_preview_and_the_next_message_says_it(desk: Desk) -> None:
    consent = {"subject": REFERENCE, "purposes": ["TREAT"], "channels": ["sms"]}
    evidence = {"how": "on paper", "when": "2026-01-15T09:30:00Z", "wording": "sms-1"}
    assert (await desk.clinic.post("/v1/consents", {**consent, "evidence": evidence})).status_code == 201
    page = await desk.sits_down()
    await page.get_by_role("link", name="Templates").click()
    await page.get_by_role("link", name="Edit reminder, SMS, en").click()
    await expect(page.get_by_text("Hi Meenakshi, we expect you on")).to_be_visible()
    await page.get_by_label("Text", exact=True).fill("Hello {given_name|there}. See you on {starts_at:date}.")
    await page.get_by_role("button", name="Preview").click()
    bubble = page.locator(".bubble").first
    await expect(bubble).to_contain_text("Hello Meenakshi. See you on")
    await expect(page.get_by_text("1 SMS").first).to_be_visible()
    held = (await desk.clinic.get("/v1/templates/reminder")).json()["items"]
    assert [each["body"] for each in held] == [BODY], "a preview stores nothing"
    await page.get_by_role("button", name="Put it into use").click()
    await expect(page.get_by_text("Version 2 of reminder is in use")).to_be_visible()
    assert (await desk.clinic.post("/v1/calls", CALL)).json()["outcome"] == "accepted"
    said = str([vars(each) if hasattr(each, "__dict__") else each for each in _all(desk.vendor.state.sandbox.messages)])
    assert "Hello Meenakshi. See you on" in said


def _all(messages: Any) -> list[Any]:
    return list(messages.values() if isinstance(messages, dict) else messages)


async def test_with_scripts_the_preview_follows_the_text(desk: Desk) -> None:
    page = await desk.sits_down(scripts=True)
    await page.goto("/settings/templates/new")
    await page.get_by_label("Text", exact=True).fill("See you on {starts_at:date}.")
    await expect(page.locator(".bubble").first).to_contain_text("See you on Thu")
    await page.get_by_label("Text", exact=True).fill("About your {diagnosis}.")
    await expect(page.locator("#preview")).to_contain_text("is nothing that can be said here")
    assert page.url.endswith("/settings/templates/new")


async def test_a_vendor_registers_an_endpoint_and_makes_a_delivery_again(desk: Desk) -> None:
    receiver = Receiver()
    await receiver.open()
    try:
        page = await desk.sits_down()
        await page.get_by_role("link", name="Webhook endpoints").click()
        await page.get_by_role("link", name="Register an endpoint").click()
        await page.get_by_label("Address").fill(receiver.url)
        await page.get_by_label("Who receives it").fill("Vendor Ltd")
        await page.get_by_label("Where they keep the data").select_option("IN")
        await page.locator("summary", has_text="appointment").click()
        await page.get_by_label("Every event of appointment").check()
        await page.get_by_role("button", name="Register and challenge it").click()
        assert (await page.get_by_label("The signing secret").inner_text()).startswith("whsec_")
        await expect(page.get_by_text("It echoed the challenge")).to_be_visible()
        told = await desk.clinic.post("/v1/events", {"type": "appointment.booked", "data": {"id": "appt_1"}})
        assert told.json()["deliveries"] == 1

        async def heard(times: int) -> None:
            async def so() -> bool:
                return len([said for said in receiver.heard if said["type"] == "appointment.booked"]) == times

            await until(so)

        await heard(1)
        await page.get_by_role("link", name="Deliveries", exact=True).first.click()
        await page.get_by_role("link", name="appointment.booked").click()
        await page.get_by_role("button", name="Deliver again").click()
        await expect(page.get_by_text("It is delivered again")).to_be_visible()
        await heard(2)
        await page.reload()
        await expect(page.get_by_role("row").filter(has_text="Accepted")).to_have_count(2)
    finally:
        receiver.close()
