"""A network's pages in a real browser, live: a patient scans at the desk, consents, and records go to whoever asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from connectors.abdm.simulator.artefacts import Wanted
from connectors.abdm.simulator.clock import stamp
from gateway.calls import Actor
from gateway.people import Role
from tests.gateway.network.ward import ADDRESS, Ward, ward

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

EMAIL, PASSWORD = "desk@clinic.example", "correct horse battery staple"
BASE = "/settings/integrations/abdm/network"
HIU = "IN2910000999"
MONTH = timedelta(days=30).total_seconds()


@pytest_asyncio.fixture(loop_scope="session")
async def at(fresh_dsn: str, tmp_path: Path) -> AsyncIterator[Ward]:
    async with ward(fresh_dsn, tmp_path) as made:
        accounts = made.house.rooms.people.accounts
        person = await accounts.create("Meera Nair", email=EMAIL, password=PASSWORD)
        await accounts.join(Actor("system", "test", made.tenant, ()), person, Role.OWNER)
        yield made


async def signed_in(browser: Browser, at: Ward) -> tuple[Page, set[str]]:
    """A page of the clinic's owner, and the hosts that it asks."""
    context = await browser.new_context(base_url=at.url.replace("127.0.0.1", "localhost"))
    page, hosts = await context.new_page(), set[str]()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    await page.goto("/sign-in")
    await page.get_by_label("E-mail address").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.wait_for_url("**/settings")
    return page, hosts


async def test_a_scan_a_consent_and_the_records_sent_under_it_are_seen_as_they_happen(
    at: Ward, browser: Browser
) -> None:
    await at.registered()
    context = await at.visited()
    page, hosts = await signed_in(browser, at)
    await page.goto("/settings/integrations/abdm")
    await page.get_by_role("link", name="Facility, desk, visits and records sent").click()
    await page.get_by_role("link", name="Desk", exact=True).click()
    await expect(page.get_by_role("heading", name="Nobody waits")).to_be_visible()
    await at.network.share_profile(ADDRESS, at.service, "desk1")
    await expect(page.get_by_role("heading", name="Asha Rao")).to_be_visible()
    await expect(page.get_by_role("status").filter(has_text="1 waits")).to_be_visible()
    await page.get_by_role("button", name="Number 1 is taken").click()
    await expect(page.get_by_text("Taken today: 1")).to_be_visible()

    await at.until(lambda: _linked(at, context.id))
    now = at.network.clock.outside()
    wanted = Wanted("CAREMGT", since=stamp(now - MONTH), until=stamp(now + 60), erase_at=stamp(now + MONTH))
    await page.get_by_role("link", name="Visits", exact=True).click()
    await page.get_by_label("Reference").fill("visit-1")
    await page.get_by_role("button", name="Look up").click()
    await expect(page.get_by_text("It is in the patient's app.")).to_be_visible()
    [artefact] = await at.network.grant(at.network.ask_consent(ADDRESS, HIU, wanted).id)
    await expect(page.get_by_text("Nobody has asked for records under it yet.")).to_be_visible()
    await at.network.request_records(artefact.id)
    await page.get_by_role("link", name="Documents of the request").click()
    await expect(page.get_by_text("The network knows how it went.")).to_be_visible()
    await expect(page.get_by_role("row", name="1 Prescription Sent")).to_be_visible()
    await page.get_by_role("link", name="Disclosure of page 1").click()
    await expect(page.get_by_role("heading", name="Verify in this browser")).to_be_visible()
    await expect(page.get_by_text("Hill Hospital").first).to_be_visible()

    await page.goto(f"{BASE}/of/{context.subject}")
    await at.network.revoke(artefact.id)
    await expect(page.get_by_text("The patient took it back at the network.")).to_be_visible()
    assert hosts == {urlsplit(page.url).netloc}
    await page.context.close()


async def _linked(at: Ward, context: object) -> bool:
    async with at.house.rooms.store.tenant(at.tenant) as session:
        return await session.fetchval("SELECT state = 'linked' FROM links WHERE context = $1", context) is True
