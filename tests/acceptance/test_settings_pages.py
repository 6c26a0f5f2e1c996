"""The settings pages in a real browser: switched on, connected, called, seen, revoked; and what axe finds: nothing."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from connectors.registry import Registry
from gateway.calls import Actor
from gateway.flows.agree import Terms, agree
from gateway.people import Role
from gateway.serve import listening, serving
from scopes.agreement import AgreementKind
from tests.acceptance.chromium import chromium, executable
from tests.acceptance.served import Caller, Served, gateway

PASSWORD = "correct horse battery staple"
EMAIL = "owner@clinic.example"
LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (360, 1440)]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
STRIPE, TWILIO = "payments/stripe", "messaging/twilio"
CALL = {
    "connector": "payments",
    "action": "create_payment_link",
    "purpose": "HPAYMT",
    "payload": {"reference": "inv_7Hq2ZkW9", "amount_minor": 4250, "currency": "eur", "product": "appointment"},
}


@dataclass
class Desk:
    """A clinic with nothing connected, its software, its owner's browser, and vendors' sandboxes."""

    served: Served
    caller: Caller
    browser: Browser
    url: str
    keys: dict[str, str]
    hosts: set[str]

    async def page(self, *, scheme: Any = "light", width: int = 1440, scripts: bool = False) -> Page:
        """A page of somebody who has signed in."""
        context = await self.browser.new_context(
            base_url=self.url,
            color_scheme=scheme,
            viewport={"width": width, "height": 900},
            java_script_enabled=scripts,
        )
        page = await context.new_page()
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        page.on("console", lambda said: pytest.fail(said.text) if "Content Security Policy" in said.text else None)
        await page.goto("/sign-in")
        await page.get_by_label("E-mail address").fill(EMAIL)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await page.wait_for_url("**/settings")
        return page


@pytest.fixture
async def desk(fresh_dsn: str, tmp_path: Path) -> AsyncIterator[Desk]:
    executable()  # before anything is opened for it
    registry = Registry.load()
    async with AsyncExitStack() as stack:
        modules = {name: registry.connector(name).module("sandbox") for name in (STRIPE, TWILIO)}
        sandboxes = {
            name: await stack.enter_async_context(serving(module.create(), listening("127.0.0.1", 0)))
            for name, module in modules.items()
        }
        served = await stack.enter_async_context(gateway(fresh_dsn, tmp_path, sandboxes=sandboxes))
        browser = await stack.enter_async_context(chromium())
        caller = await served.clinic("Riverside Clinic")
        rooms = served.house.rooms
        person = await rooms.people.accounts.create("Olena Marsh", email=EMAIL, password=PASSWORD)
        await rooms.people.accounts.join(Actor("system", "test", caller.tenant, ()), person, Role.OWNER)
        url = served.url.replace("127.0.0.1", "localhost")
        keys = {name: module.CREDENTIAL for name, module in modules.items()}
        desk = Desk(served, caller, browser, url, keys, set())
        yield desk
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
    await page.get_by_role("link", name="Skip the picture").focus()
    await page.keyboard.press("Tab")  # the region that scrolls
    await page.keyboard.press("Tab")
    await expect(page.locator("a.band").first).to_be_focused()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/auditor?connector=payments%2Fstripe&category=**")


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
async def test_axe_finds_nothing_on_a_page_of_settings(desk: Desk, scheme: str, width: int) -> None:
    page = await desk.page(scheme=scheme, width=width, scripts=True)
    found: list[str] = []

    async def look(path: str, name: str = "") -> None:
        if path:
            await page.goto(path)
        await page.evaluate("document.querySelectorAll('main details').forEach(each => { each.open = true; })")
        wide = await page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            found.append(f"{name or path}: {wide} wide")
        results = await Axe().run(page, options=RULES)
        for each in results.response["violations"]:
            found.append(f"{name or path}: {each['id']} {[node['target'] for node in each['nodes']]}")

    twilio, stripe = f"/settings/integrations/{TWILIO}", f"/settings/integrations/{STRIPE}"
    await look("/settings", "nothing connected")
    await look("/settings/map", "an empty map")
    await look("/settings/subprocessors", "an empty register")
    await look(twilio, "before it is connected")
    await page.get_by_role("button", name="Connect").evaluate("button => button.form.noValidate = true")
    await page.get_by_role("button", name="Connect").click()
    await look("", "a form with faults")
    await desk.caller.connect(STRIPE, desk.keys[STRIPE], features=["payment_links", "refunds"])
    sandbox = Registry.load().connector(TWILIO).module("sandbox")
    given = {"account": sandbox.ACCOUNT, "settings": sandbox.SETTINGS, "features": ["reminders", "notices"]}
    await desk.caller.connect(TWILIO, desk.keys[TWILIO], **given)
    await look("/settings", "something needs attention")
    await look(twilio, "an agreement is missing")
    rooms = desk.served.house.rooms
    signed = Terms(kind=AgreementKind.DPA, services=("sms",), since=rooms.clock())
    await agree(Actor("system", "test", desk.caller.tenant, ()), TWILIO, signed, rooms)
    for purpose in ("HPAYMT", "TREAT"):
        await desk.caller.post("/v1/calls", {**CALL, "purpose": purpose})
    for path in (
        "/settings", stripe, twilio, "/settings/map", "/settings/map?from=x", "/settings/subprocessors",
        f"/settings/subprocessors/{STRIPE}", f"{stripe}/revoke",
    ):  # fmt: skip
        await look(path)
    assert found == []
