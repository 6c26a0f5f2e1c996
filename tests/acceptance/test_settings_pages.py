"""The settings pages in a real browser: switched on, connected, called, seen, revoked; and the keyboard alone."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from connectors.registry import Registry
from gateway.calls import Actor
from gateway.people import Role
from gateway.serve import listening, serving
from tests.acceptance.served import Caller, Served, gateway

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = "correct horse battery staple"
STRIPE = "payments/stripe"
CALL = {
    "connector": "payments",
    "action": "create_payment_link",
    "purpose": "HPAYMT",
    "payload": {"reference": "inv_7Hq2ZkW9", "amount_minor": 4250, "currency": "eur", "product": "appointment"},
}


@dataclass
class Desk:
    """A clinic with nothing connected, its software, its owner's browser, and vendors' sandboxes."""

    caller: Caller
    browser: Browser
    url: str
    email: str
    keys: dict[str, str]
    hosts: set[str]
    contexts: list[BrowserContext]

    async def page(self, *, scheme: Any = "light", width: int = 1440, scripts: bool = False) -> Page:
        """A page of somebody who has signed in."""
        context = await self.browser.new_context(
            base_url=self.url,
            color_scheme=scheme,
            viewport={"width": width, "height": 900},
            java_script_enabled=scripts,
        )
        self.contexts.append(context)
        page = await context.new_page()
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        page.on("console", lambda said: pytest.fail(said.text) if "Content Security Policy" in said.text else None)
        await page.goto("/sign-in")
        await page.get_by_label("E-mail address").fill(self.email)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await page.wait_for_url("**/settings")
        return page


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(module_dsn: str, tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> AsyncIterator[Served]:
    vendor, folder = Registry.load().connector(STRIPE).module("sandbox").create(), tmp_path_factory.mktemp("settings")
    async with (
        serving(vendor, listening("127.0.0.1", 0)) as url,
        gateway(module_dsn, folder, sandboxes={STRIPE: url}) as served,
    ):
        yield served


@pytest_asyncio.fixture(loop_scope="session")
async def desk(served: Served, browser: Browser) -> AsyncIterator[Desk]:
    caller, rooms, email = await served.clinic("Riverside Clinic"), served.house.rooms, f"{uuid4().hex}@clinic.example"
    person = await rooms.people.accounts.create("Olena Marsh", email=email, password=PASSWORD)
    await rooms.people.accounts.join(Actor("system", "test", caller.tenant, ()), person, Role.OWNER)
    url = served.url.replace("127.0.0.1", "localhost")
    keys = {STRIPE: rooms.registry.connector(STRIPE).module("sandbox").CREDENTIAL}
    desk = Desk(caller, browser, url, email, keys, set(), [])
    yield desk
    for context in desk.contexts:
        await context.close()
    assert desk.hosts <= {urlsplit(url).netloc}  # no page loads anything from another host


async def test_switched_on_connected_called_seen_and_revoked_without_scripts(desk: Desk) -> None:
    page = await desk.page(width=360)
    await expect(page.get_by_text("Nothing is connected yet")).to_be_visible()
    refused = await desk.caller.post("/v1/calls", CALL)
    assert refused.json()["reasons"][0]["code"] == "connection_inactive"

    await page.get_by_role("link", name="Stripe").click()
    await expect(page.get_by_role("heading", name="Stripe", exact=True)).to_be_visible()
    await expect(page.get_by_text("EU-US Data Privacy Framework")).to_be_visible()
    await page.get_by_label("Switch Payment links on").check()
    await page.get_by_label("Key", exact=True).fill("sk_live_0123456789abcdef")
    await page.get_by_role("button", name="Connect Stripe").click()
    await expect(page.get_by_text("A live secret key reaches everything")).to_be_visible()
    await expect(page.get_by_label("Switch Payment links on")).to_be_checked()
    await page.get_by_label("Key", exact=True).fill(desk.keys[STRIPE])
    await page.get_by_role("button", name="Connect Stripe").click()
    await expect(page.get_by_text("Stripe is connected.")).to_be_visible()

    answered = await desk.caller.post("/v1/calls", CALL)
    assert answered.json()["outcome"] == "accepted", answered.text
    await page.goto("/settings")
    card = page.get_by_role("article").filter(has_text="Stripe")
    await expect(card.get_by_text("1", exact=True)).to_be_visible()
    await expect(card.get_by_text("On", exact=True)).to_be_visible()
    await page.get_by_role("link", name="Data map").click()
    band = page.get_by_role("link", name="Billing through Stripe to Stripe, Inc., United States: 1 disclosure")
    await expect(band).to_have_attribute(
        "href", re.compile(r"/auditor\?connector=payments%2Fstripe&category=billing&since=")
    )
    await page.get_by_text("Numbers as a table").click()
    await expect(page.get_by_role("row", name="Billing Stripe Stripe, Inc. United States 1 0")).to_be_visible()

    await page.goto(f"/settings/integrations/{STRIPE}")
    await page.get_by_role("switch", name="Payment links").click()
    await expect(page.get_by_text("Payment links: off.")).to_be_visible()
    refused = await desk.caller.post("/v1/calls", CALL)
    assert refused.json()["reasons"][0]["code"] == "feature_off"
    await page.get_by_role("switch", name="Payment links").click()
    assert (await desk.caller.post("/v1/calls", CALL)).json()["outcome"] == "accepted"

    await page.get_by_role("link", name="Revoke", exact=True).click()
    await expect(page.get_by_text("That is final")).to_be_visible()
    await page.get_by_role("button", name="Revoke for good").click()
    await expect(page.get_by_text("Stripe is revoked and its key destroyed here.")).to_be_visible()
    refused = await desk.caller.post("/v1/calls", CALL)
    assert refused.status_code == 403
    assert refused.json()["reasons"][0]["code"] == "connection_inactive"


async def test_a_band_is_reached_and_followed_by_the_keyboard_alone(desk: Desk) -> None:
    await desk.caller.connect(STRIPE, desk.keys[STRIPE], features=["payment_links"])
    await desk.caller.post("/v1/calls", CALL)
    page = await desk.page(scripts=True)
    await page.goto("/settings/map")
    await page.bring_to_front()
    await page.get_by_role("link", name="Skip the picture").focus()
    await page.keyboard.press("Tab")  # the region that scrolls
    await page.keyboard.press("Tab")
    await expect(page.locator("a.band").first).to_be_focused()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/auditor?connector=payments%2Fstripe&category=**")
