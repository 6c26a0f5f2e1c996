"""Connect on the vendor's own page and come back, in a real browser without scripts: report, reduce, again, watch, revoke."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from connectors.registry import Registry
from connectors.sandbox_oauth import OAuthServer
from connectors.teams.sandbox_directory import ACCOUNT, TEAM
from gateway.calls import Actor
from gateway.flows import watching
from gateway.flows.tokens import grant_ended
from gateway.oauth.clients import Client
from gateway.people import Role
from gateway.serve import listening, serving
from tests.acceptance.looks import wrong_with
from tests.acceptance.served import Caller, Served, gateway

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = "correct horse battery staple"

GOOGLE, TEAMS = "/settings/integrations/google", "/settings/integrations/teams"


@dataclass
class Office:
    """A clinic's owner at a browser, and both vendors' sandboxes: their consent pages say yes, or what a test has them say."""

    served: Served
    caller: Caller
    browser: Browser
    url: str
    email: str
    vendors: dict[str, Any]
    contexts: list[BrowserContext]

    def server(self, name: str) -> OAuthServer:
        """A vendor's OAuth server."""
        found: OAuthServer = self.vendors[name].state.oauth
        return found

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
        page.on("console", lambda said: pytest.fail(said.text) if "Content Security Policy" in said.text else None)
        await page.goto("/sign-in")
        await page.get_by_label("E-mail address").fill(self.email)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await page.wait_for_url("**/settings")
        return page

    async def connected(self, page: Page) -> None:
        """Connect Google with two features."""
        await page.goto(GOOGLE)
        await page.get_by_label("Switch Appointments in the calendar on").check()
        await page.get_by_label("Switch Free and busy times of staff on").check()
        await page.get_by_role("button", name="Connect Google Workspace").click()
        await allow(page)


async def allow(page: Page) -> None:
    """Go on from our own page to the vendor's, which sends the person back."""
    await expect(page.get_by_text("You are about to let Riverside Clinic use")).to_be_visible()
    await page.get_by_role("button", name="Continue").click()
    await page.wait_for_url("**/settings/integrations/*")


def row(page: Page, name: str) -> Any:
    """A line of the report."""
    return page.locator("#scopes").get_by_role("row").filter(has_text=name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keys of the gateways of this file, which share a database."""
    return tmp_path_factory.mktemp("connecting")


@pytest_asyncio.fixture(loop_scope="session")
async def office(module_dsn: str, folder: Path, browser: Browser) -> AsyncIterator[Office]:
    registry = Registry.load()
    async with AsyncExitStack() as stack:
        modules = {name: registry.connector(name).module("sandbox") for name in ("google", "teams")}
        vendors = {name: module.create() for name, module in modules.items()}
        sandboxes = {
            name: await stack.enter_async_context(serving(vendor, listening("127.0.0.1", 0)))
            for name, vendor in vendors.items()
        }
        served = await stack.enter_async_context(gateway(module_dsn, folder, sandboxes=sandboxes))
        rooms, url = served.house.rooms, served.url.replace("127.0.0.1", "localhost")
        rooms.oauth.served_at, rooms.callbacks.served_at = url, served.url
        for name, module in modules.items():
            await rooms.oauth.clients.add(name, Client(*module.OAUTH_CLIENT))
        caller, email = await served.clinic("Riverside Clinic"), f"{uuid4().hex}@clinic.example"
        person = await rooms.people.accounts.create("Olena Marsh", email=email, password=PASSWORD)
        await rooms.people.accounts.join(Actor("system", "test", caller.tenant, ()), person, Role.OWNER)
        office = Office(served, caller, browser, url, email, vendors, [])
        yield office
        for context in office.contexts:
            await context.close()


async def test_connected_reduced_connected_again_and_revoked_without_scripts(office: Office) -> None:
    page = await office.page(width=360)
    await page.goto(GOOGLE)
    await page.get_by_role("button", name="Connect Google Workspace").click()
    await expect(page.get_by_text("Switch on at least one feature above")).to_be_visible()
    await office.connected(page)
    await expect(page.get_by_text("Google Workspace is connected.")).to_be_visible()
    for name in ("calendar.events.owned", "calendar.freebusy"):
        await expect(row(page, name).get_by_text("Granted", exact=True)).to_be_visible()
    await expect(row(page, "calendar.freebusy")).to_contain_text("not in 30 days")
    await expect(page.get_by_role("button", name="Give back what is not needed")).to_have_count(0)

    await page.get_by_role("switch", name="Appointments in the calendar").click()
    await expect(page.get_by_text("More than is needed: See, create, change and delete events")).to_be_visible()
    await expect(row(page, "calendar.events.owned")).to_contain_text("nothing that is on")
    await page.get_by_role("button", name="Give back what is not needed").click()
    await allow(page)
    await expect(row(page, "calendar.events.owned")).to_have_count(0)
    assert (await office.caller.get("/v1/connections")).json()["items"][0]["provider_scopes"] == ["calendar.freebusy"]

    await page.get_by_role("switch", name="Appointments in the calendar").click()
    await expect(page.locator("#connection")).to_contain_text("was switched on after it was connected")
    office.server("google").answers.grants = lambda asked: frozenset(each for each in asked if "owned" not in each)
    await page.get_by_role("button", name="Connect again").click()
    await allow(page)
    await expect(page.get_by_text("is connected, but did not grant: See, create, change")).to_be_visible()
    await expect(page.locator("#connection")).to_contain_text("Google Workspace did not grant “See, create, change")
    await expect(page.locator("#connection")).to_contain_text("connect again, and allow it")
    office.server("google").answers.grants = lambda asked: asked
    await page.get_by_role("button", name="Connect again").click()
    await allow(page)
    await expect(page.locator("#connection")).to_contain_text("grants what the features that are on need")

    await page.get_by_role("link", name="Suspend", exact=True).click()
    await expect(page.get_by_text("What Google Workspace granted stays granted")).to_be_visible()
    await page.get_by_role("button", name="Suspend").click()
    await page.get_by_role("link", name="Resume", exact=True).click()
    await page.get_by_role("button", name="Resume").click()
    await page.get_by_role("link", name="Revoke", exact=True).click()
    await expect(page.get_by_text("What this does not undo")).to_be_visible()
    await expect(page.get_by_text("Events, calendars, spreadsheets, meeting links and sent mail stay")).to_be_visible()
    await page.get_by_role("button", name="Revoke for good").click()
    await expect(page.get_by_text("it took its grant back, and its tokens are destroyed here")).to_be_visible()
    assert office.server("google")._grants[-1].ended


async def test_a_no_at_the_vendor_and_too_much_are_told_on_the_page(office: Office) -> None:
    page = await office.page()
    office.server("google").answers.denies = "access_denied"
    await office.connected(page)
    await expect(page.get_by_text("It was not allowed at the vendor. Nothing was connected.")).to_be_visible()
    await expect(page.locator("#connection")).to_contain_text("Nobody has allowed it at accounts.google.com yet")
    office.server("google").answers.denies = None
    office.server("google").answers.grants = lambda asked: asked | {"https://www.googleapis.com/auth/drive"}
    await page.get_by_role("button", name="Go on to accounts.google.com").click()
    await allow(page)
    await expect(
        page.get_by_text("granted more than was asked for: See, change and delete every file").first
    ).to_be_visible()
    await expect(row(page, "drive").get_by_text("Refused by us")).to_be_visible()
    office.server("google").answers.grants = lambda asked: asked
    await page.get_by_role("button", name="Go on to accounts.google.com").click()
    await allow(page)
    await expect(page.get_by_text("Google Workspace is connected.")).to_be_visible()


async def test_a_grant_that_ended_is_told_with_its_reason_and_connected_again(office: Office) -> None:
    page = await office.page()
    await office.connected(page)
    rooms = office.served.house.rooms
    connection = (await rooms.connections.present(office.caller.tenant)).connection("google")
    await grant_ended(connection, "invalid_grant", rooms)
    await page.goto("/settings")
    await expect(page.get_by_text("Google Workspace has to be connected again; every call is refused.")).to_be_visible()
    await page.goto(GOOGLE)
    await expect(page.locator("#connection")).to_contain_text(
        "It was taken back there, or has ended. Connect it again."
    )
    await page.get_by_role("button", name="Connect again").click()
    await allow(page)
    await expect(page.locator("#connection")).to_contain_text("grants what the features that are on need")


async def test_an_administrator_connects_teams_sets_its_teams_and_has_one_watched(office: Office) -> None:
    page = await office.page()
    await page.goto(TEAMS)
    await page.get_by_label("Switch See shifts on").check()
    await page.get_by_label("Switch Hear of changed shifts on").check()
    await page.get_by_label("Account").fill("our directory")
    await page.get_by_label("Teams", exact=True).fill(TEAM)
    await page.get_by_role("button", name="Connect Microsoft Teams").click()
    await expect(page.get_by_text("Give the directory (tenant) id")).to_be_visible()
    await expect(page.get_by_label("Teams", exact=True)).to_have_value(TEAM)
    await page.get_by_label("Account").fill(ACCOUNT)
    office.server("teams").answers.grants = lambda asked: frozenset({"Schedule.Read.All"})
    await page.get_by_role("button", name="Connect Microsoft Teams").click()
    await allow(page)
    await expect(page.get_by_text("Microsoft Teams is connected.")).to_be_visible()

    await page.get_by_label("Teams", exact=True).fill("both of them")
    await page.get_by_role("button", name="Save the settings").click()
    await expect(page.get_by_text("This does not fit. It looks like this")).to_be_visible()
    await expect(page.get_by_label("Teams", exact=True)).to_have_value("both of them")
    await page.get_by_label("Teams", exact=True).fill(f"{TEAM}, {ACCOUNT}")
    await page.get_by_role("button", name="Save the settings").click()
    await expect(page.get_by_text("The settings are saved.")).to_be_visible()
    await expect(page.get_by_label("Teams", exact=True)).to_have_value(f"{TEAM}, {ACCOUNT}")

    await page.get_by_label("Team", exact=True).fill("no id")
    await page.get_by_role("button", name="Watch it").click()
    await expect(page.get_by_text("This does not fit:")).to_be_visible()
    await page.get_by_label("Team", exact=True).fill(TEAM)
    await page.get_by_role("button", name="Watch it").click()
    await expect(page.get_by_text("It is watched from now on.")).to_be_visible()
    await watching.see_to_due(office.served.house.rooms)
    await page.reload()
    await expect(page.locator("#watches").get_by_role("row").filter(has_text=TEAM)).to_contain_text("Watching")
    used = await office.caller.get("/v1/connections")
    scopes = (await office.caller.get(f"/v1/connections/{used.json()['items'][0]['id']}/scopes")).json()
    assert set(scopes["last_used"]) == {"watch_shifts", "sync_shifts"}
    await expect(row(page, "Schedule.Read.All")).to_contain_text(re.compile(r"\d+ \w+ 20\d\d"))
    await page.get_by_role("button", name=f"Stop watching {TEAM}").click()
    await expect(page.get_by_text("It is being stopped.")).to_be_visible()
    await watching.see_to_due(office.served.house.rooms)
    await page.reload()
    await expect(page.get_by_text("Nothing is watched yet.")).to_be_visible()

    await page.get_by_role("link", name="Revoke", exact=True).click()
    await expect(page.get_by_text("has no way for a gateway to take back what it granted")).to_be_visible()
    await expect(page.get_by_text("Access tokens that were given out live on for up to 90 minutes")).to_be_visible()
    await page.get_by_role("button", name="Revoke for good").click()
    await expect(page.get_by_text("What it granted stays until somebody takes it back there.")).to_be_visible()


async def test_axe_finds_nothing_on_the_way(office: Office) -> None:
    page = await office.page(scripts=True)
    found: list[str] = []

    async def look(name: str, path: str = "") -> None:
        if path:
            await page.goto(path)
        found.extend(await wrong_with(page, name))

    await look("before", GOOGLE)
    await page.get_by_label("Switch Appointments in the calendar on").check()
    await page.get_by_label("Switch Free and busy times of staff on").check()
    await page.get_by_role("button", name="Connect Google Workspace").click()
    await look("on the way")
    await look("not allowed yet", GOOGLE)
    await page.get_by_role("button", name="Go on to accounts.google.com").click()
    await allow(page)
    await page.get_by_role("switch", name="Appointments in the calendar").click()
    await look("more than is needed")
    rooms = office.served.house.rooms
    await grant_ended(
        (await rooms.connections.present(office.caller.tenant)).connection("google"), "invalid_grant", rooms
    )
    await look("ended", GOOGLE)
    await look("revoke", f"{GOOGLE}/revoke")
    await look("teams", TEAMS)
    assert found == []
