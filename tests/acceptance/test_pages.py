"""The pages in a real browser: signing in with a code, a recovery code and a passkey; and without scripts."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pyotp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from gateway.calls import Actor
from gateway.people import Role
from tests.acceptance.chromium import virtual_authenticator
from tests.acceptance.served import Served, gateway

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = "correct horse battery staple"


@dataclass
class Site:
    """A gateway with an owner, and a browser before it."""

    served: Served
    browser: Browser
    url: str
    email: str
    contexts: list[BrowserContext]
    hosts: set[str]

    async def page(self, *, scheme: Any = "light", width: int = 1440, scripts: bool = True) -> Page:
        """A page of a browser that knows nothing yet."""
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
        return page

    async def sign_in(self, page: Page) -> None:
        """Type the address and the password."""
        await page.goto("/sign-in")
        await page.get_by_label("E-mail address").fill(self.email)
        await page.get_by_label("Password").fill(PASSWORD)
        async with page.expect_navigation():
            await page.get_by_role("button", name="Sign in", exact=True).click()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(module_dsn: str, tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> AsyncIterator[Served]:
    async with gateway(module_dsn, tmp_path_factory.mktemp("pages"), sandboxes={}) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="session")
async def site(served: Served, browser: Browser) -> AsyncIterator[Site]:
    rooms, email = served.house.rooms, f"{uuid4().hex}@clinic.example"
    tenant = await rooms.connections.create_tenant("Riverside Clinic")
    person = await rooms.people.accounts.create("Olena Marsh", email=email, password=PASSWORD)
    await rooms.people.accounts.join(Actor("system", "test", tenant, ()), person, Role.OWNER)
    url = served.url.replace("127.0.0.1", "localhost")
    site = Site(served, browser, url, email, [], set())
    yield site
    for context in site.contexts:
        await context.close()
    assert site.hosts <= {urlsplit(url).netloc}  # no page loads anything from another host


async def test_a_person_turns_codes_on_and_signs_in_with_one(site: Site) -> None:
    page = await site.page(width=360)
    await site.sign_in(page)
    await page.goto("/account")
    await page.get_by_role("button", name="Turn on codes").click()
    secret = (await page.get_by_label("Secret for the authenticator").inner_text()).replace(" ", "")
    await page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).now())
    await page.get_by_role("button", name="Turn on codes").click()
    codes = await page.locator(".codes li").all_inner_texts()
    assert len(codes) == 10
    await page.get_by_role("link", name="I have kept them").click()
    await page.locator("details.user summary").click()
    await page.get_by_role("button", name="Sign out", exact=True).click()
    await expect(page.get_by_text("You have signed out.")).to_be_visible()
    await site.sign_in(page)
    await expect(page.get_by_role("heading", name="Enter a code")).to_be_visible()
    await page.get_by_role("link", name="The authenticator is not at hand").click()
    await page.get_by_role("textbox", name="Recovery code").fill(codes[0])
    await page.get_by_role("button", name="Continue").click()
    await page.wait_for_url("**/settings")
    page = await site.page()
    await site.sign_in(page)
    await page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).at(_soon()))
    await page.get_by_role("button", name="Continue").click()
    await page.wait_for_url("**/settings")


def _soon() -> int:
    """A moment of the next time step: the present one's code was taken when codes were turned on."""
    return int(time.time()) + 30


async def test_a_person_makes_a_passkey_signs_in_with_it_and_proves_themselves_by_it(site: Site) -> None:
    page = await site.page()
    await virtual_authenticator(page)
    await site.sign_in(page)
    await page.goto("/account")
    await page.get_by_label("Name of the new passkey").fill("my laptop")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_text("The passkey is added.")).to_be_visible()
    await expect(page.get_by_role("rowheader", name="my laptop")).to_be_visible()
    await page.locator("details.user summary").click()
    await page.get_by_role("button", name="Sign out", exact=True).click()
    await expect(page.get_by_text("You have signed out.")).to_be_visible()
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await page.wait_for_url("**/settings")
    await page.goto("/account")
    await expect(page.get_by_role("cell", name="Passkey", exact=True)).to_be_visible()
    await page.goto("/confirm?next=/team")
    await page.get_by_role("button", name="Use a passkey").click()
    await page.wait_for_url(f"{site.url}/team")
    await page.goto("/account")
    await page.get_by_role("button", name="Remove the passkey my laptop").click()
    await expect(page.get_by_text("The passkey is removed.")).to_be_visible()
    await page.context.clear_cookies()
    await page.goto("/sign-in")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.get_by_text("The passkey was not taken; try again.")).to_be_visible()


async def test_everything_but_passkeys_works_without_scripts(site: Site) -> None:
    page = await site.page(scripts=False)
    await site.sign_in(page)
    await page.goto("/keys/new")
    await page.get_by_label("Title").fill("front desk")
    await page.get_by_role("group", name="calls").get_by_label("Write").check()
    await page.get_by_role("button", name="Make the key").click()
    key = await page.get_by_label("The new API key").inner_text()
    assert key.startswith("cgk_")
    await page.goto("/team")
    await page.get_by_label("E-mail address").fill(f"colleague-{site.email}")
    await page.get_by_role("radio", name="Auditor").check()
    await page.get_by_role("button", name="Make the invitation").click()
    link = await page.get_by_label("Link of the invitation").inner_text()
    colleague = await site.page(scripts=False)
    await colleague.goto(link)
    await colleague.get_by_label("Your name").fill("Anouk Reyes")
    await colleague.get_by_label("Choose a password").fill(PASSWORD)
    await colleague.get_by_role("button", name="Make the account").click()
    await colleague.wait_for_url("**/auditor")
    await page.goto("/team")
    await expect(page.get_by_role("rowheader", name="Anouk Reyes")).to_be_visible()
    await page.get_by_role("link", name="Remove Anouk Reyes").click()
    await page.get_by_role("button", name="Remove from the team").click()
    await expect(page.get_by_text("They do not belong to the team any more.")).to_be_visible()
    await colleague.goto("/auditor")
    assert urlsplit(colleague.url).path == "/sign-in"


async def test_the_keyboard_reaches_the_content_first(site: Site) -> None:
    page = await site.page()
    await site.sign_in(page)
    await page.goto("/team")
    await page.bring_to_front()  # the browser is shared: keys go to the window that is in front
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
