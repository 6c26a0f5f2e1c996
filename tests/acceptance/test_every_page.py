"""Every page that a GET serves, found by following links from the first one: whole, readable, ours alone, without scripts too.

The list of pages is the site's own. One that neither a link nor a step leads to fails the test, and so does a template that
nobody has looked at.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import pyotp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page
from starlette.routing import compile_path

from gateway.app import PAGES
from gateway.flows.authorize import again
from gateway.oauth.room import CALLBACK, START
from gateway.people import Role
from gateway.web.dress import TEMPLATES, Dress
from tests.acceptance.furnished import REFERENCE, Furnished, furnished
from tests.acceptance.looks import wrong_with

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(900)]

PASSWORD = "correct horse battery staple"
NEWCOMER = "newcomer@clinic.example"
FIRST: Final = "/settings"
ONE_CONNECTOR: Final = "/settings/integrations/{connector:path}"
LEADS_ON: Final = {"/", "/sign-in/oidc/callback", "/sign-in/with/{provider:uuid}"}  # to another page, or to a provider
# What a script asks for.
BYTES: Final = {"/auditor/entries/{id}", "/auditor/entries/{id}/proof"} | {each.path for each in PAGES if each.quiet}
SERVED: Final = {each.path for each in PAGES if each.method == "GET"} | {START, CALLBACK}
_PATTERNS: Final = [(each.path, compile_path(each.path)[0]) for each in PAGES if each.method == "GET"]
# What other templates take in; whoever looks at those has looked at these.
PARTS: Final = {"base.html"} | {f"{folder}parts.html" for folder in ("", "auditor/", "settings/network/", "vendors/")}
PARTS_OF_ONE: Final = {f"settings/integration_{part}.html" for part in ("connection", "report", "watches")}
_ADDRESSES: Final = "all => all.map(each => each.getAttribute('href'))"
_WATCH: Final = (
    "window.broken = 0; document.addEventListener('securitypolicyviolation', () => { window.broken += 1; });"
)
# What a policy would have to let through; and what it does with a script that somebody got into a page.
_INLINE: Final = """async () => {
  const found = [...document.querySelectorAll('*')].filter(each => each.matches('script:not([src]), [style]')
    || [...each.attributes].some(it => it.name.startsWith('on') || it.value.trim().startsWith('javascript:')));
  const broken = window.broken, script = document.createElement('script');
  script.textContent = 'window.ran = true';
  document.body.append(script);
  script.remove();
  await new Promise(done => setTimeout(done));  // a violation is told in a task of its own
  window.broken = 0;
  return [...found.map(each => `inline: ${each.outerHTML.slice(0, 80)}`), ...(broken ? ['its own policy stops it'] : []),
    ...(window.ran ? ['a script put into it runs'] : [])];
}"""
# Without scripts a button that is seen sends a form of ours, and everything that is told is there.
_IDLE: Final = """() => [
  ...[...document.querySelectorAll('button, [role=button]')]
    .filter(each => each.checkVisibility() && !(each.form && each.type === 'submit'))
    .map(each => `nothing happens at ${each.outerHTML.slice(0, 80)}`),
  ...[...document.forms].map(each => each.getAttribute('action')).filter(it => new URL(it, location).host !== location.host)
    .map(it => `sends to ${it}`),
  ...(document.querySelector('main h1')?.checkVisibility() ? [] : ['it has no heading']),
]"""


@dataclass
class Visitor:
    """A browser in front of the furnished clinic, and what it has seen."""

    clinic: Furnished
    browser: Browser
    drawn: set[str]  # templates
    seen: set[str] = field(default_factory=set)
    hosts: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    async def page(self, **given: Any) -> Page:
        """A page of a browser that nobody has signed in with; what it asks for is noted."""
        context = await self.browser.new_context(base_url=self.clinic.url, reduced_motion="reduce", **given)
        self.contexts.append(context)
        await context.add_init_script(_WATCH)
        page = await context.new_page()
        page.set_default_timeout(20_000)
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        return page

    async def owner(self, **given: Any) -> Page:
        """A page of the clinic's owner, signed in."""
        page, known = await self.page(**given), self.clinic.demo.people[Role.OWNER]
        await sign_in(page, known["email"], known["password"])
        return page

    async def look(self, page: Page, state: str = "") -> None:
        """Everything that is asked of every page, in the state that it is in."""
        path = urlsplit(page.url).path
        self.seen.add(route_of(path) or path)
        name = state or page.url.removeprefix(self.clinic.url)
        self.wrong += [f"{name}: {each}" for each in await page.evaluate(_INLINE)]
        self.wrong += await wrong_with(page, name)


async def sign_in(page: Page, email: str, password: str) -> None:
    """Type the address and the password."""
    await page.goto("/sign-in")
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password").fill(password)
    await press(page, "Sign in")


async def press(page: Page, name: str) -> None:
    """Send a form; what a browser would say of its fields is left to the gateway."""
    button = page.get_by_role("button", name=name, exact=True).first
    await button.evaluate("each => { each.form.noValidate = true; }")
    async with page.expect_navigation():
        await button.click()


def route_of(path: str) -> str | None:
    """The page that serves a path."""
    return next((each for each, pattern in _PATTERNS if pattern.match(path)), None)


async def follow(page: Page, look: Callable[[Page], Awaitable[None]]) -> set[str]:
    """Follow every link to a page that was not looked at yet; gives the pages that were."""
    waiting, known, seen = [FIRST], set[str](), set[str]()
    while waiting:
        address = waiting.pop(0)
        route = route_of(urlsplit(address).path)
        assert route is not None, f"a link leads nowhere: {address}"
        # One of a kind is like the next, but for connectors.
        if address in known or route in LEADS_ON | BYTES or (route in seen and route != ONE_CONNECTOR):
            continue
        known.add(address)
        seen.add(route)
        answer = await page.goto(address)
        assert answer is not None
        assert answer.status == 200, (address, answer.status)
        assert "'unsafe" not in answer.headers["content-security-policy"], address
        await look(page)
        links = await page.locator("a[href]").evaluate_all(_ADDRESSES)
        waiting += [each for each in links if each.startswith("/") and not each.startswith("/static/")]
    return seen


# --- Steps: what no link leads to -------------------------------------------------------------------------------------


async def _turned_away(visitor: Visitor, owner: Page) -> None:
    """Addresses and links that open nothing."""
    page = await visitor.page()
    await page.goto("/sign-in?next=/team")
    await visitor.look(page)
    await sign_in(page, NEWCOMER, "a wrong password")
    await visitor.look(page, "a refused sign-in")
    for address in (
        "/sign-in/link?token=x", "/sign-in/oidc/callback?error=x", "/invitation?token=x", "/nothing/is/here",
        f"{CALLBACK}?state=x&code=y", f"{START}?link=x",
    ):  # fmt: skip
        await page.goto(address)
        await visitor.look(page)
    await owner.goto("/nothing/is/here")
    await visitor.look(owner, "an address where nothing is")
    await owner.goto("/auditor/disclosures/01a22bad-82bd-78f0-9d54-cd7be56cef6e")
    await visitor.look(owner, "a disclosure that is not there")


async def _joined(visitor: Visitor, owner: Page) -> None:
    """Somebody is invited, makes an account, turns codes on, signs in with one, turns them off, is removed."""
    await owner.goto("/team")
    await press(owner, "Make the invitation")
    await visitor.look(owner, "an invitation to nobody")
    await owner.get_by_label("E-mail address").fill(NEWCOMER)
    await owner.get_by_role("radio", name="Auditor").check()
    await press(owner, "Make the invitation")
    await visitor.look(owner, "an invitation's link")
    page = await visitor.page()
    await page.goto(await owner.get_by_label("Link of the invitation").inner_text())
    await visitor.look(page)
    await page.get_by_label("Your name").fill("Noor Haddad")
    await page.get_by_label("Choose a password").fill(PASSWORD)
    await press(page, "Make the account")
    await page.goto("/account")
    await press(page, "Turn on codes")
    await visitor.look(page, "turning codes on")
    secret = (await page.get_by_label("Secret for the authenticator").inner_text()).replace(" ", "")
    await press(page, "Turn on codes")
    await visitor.look(page, "a code that was left out")
    await page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).now())
    await press(page, "Turn on codes")
    await visitor.look(page, "recovery codes")
    await page.goto("/account/totp/off")
    await visitor.look(page)
    await page.goto("/team")
    await visitor.look(page, "a page that is not open to the role")
    await page.context.clear_cookies()
    await sign_in(page, NEWCOMER, PASSWORD)
    await visitor.look(page)
    await page.get_by_role("link", name="The authenticator is not at hand").click()
    await press(page, "Continue")
    await visitor.look(page, "a recovery code that was left out")


async def _once_more(visitor: Visitor, owner: Page) -> None:
    """Whoever changes who may sign in proves themselves, when they have not for a while."""
    await owner.goto("/confirm?next=/team")
    await visitor.look(owner)
    await press(owner, "Continue")
    await visitor.look(owner, "a password that was left out")


async def _with_faults(visitor: Visitor, owner: Page) -> None:
    """Forms that were sent as they stood."""
    for address, button in (
        ("/keys/new", "Make the key"), ("/settings/consents/new", "Record the consent"), ("/settings/consents", "Look up"),
        ("/vendor/new", "Register and challenge it"), ("/settings/templates/new", "Put it into use"),
        ("/account", "Change the password"),
    ):  # fmt: skip
        await owner.goto(address)
        await press(owner, button)
        await visitor.look(owner, f"{address} with faults")
    for address in (
        "/auditor?since=x",
        "/settings/map?from=x",
        "/vendor/deliveries?since=x",
        "/auditor?recipient=Nobody",
    ):
        await owner.goto(address)
        await visitor.look(owner)


async def _shown_once(visitor: Visitor, owner: Page) -> None:
    """Secrets that are seen once: a key, an endpoint's; and what asks before it does something."""
    await owner.goto("/keys/new")
    await owner.get_by_label("Title").fill("front desk")
    await owner.get_by_role("group", name="calls").get_by_label("Write").check()
    await press(owner, "Make the key")
    await visitor.look(owner, "a new key")
    await owner.goto("/vendor")
    await owner.locator("main th a").first.click()
    one = urlsplit(owner.url).path
    await owner.goto(f"{one}/rotate")
    await press(owner, "Make a new secret")
    await visitor.look(owner, "a new secret")
    await owner.goto(f"{one}/replay")
    await press(owner, "Count them")
    await visitor.look(owner, "how many would be delivered again")


async def _audited(visitor: Visitor, owner: Page) -> None:
    """A disclosure that was verified, a refusal, a person's account."""
    await owner.goto("/auditor?connector=payments/stripe&outcome=accepted")
    await visitor.look(owner)
    await owner.locator("[data-row]").first.click()
    await owner.get_by_role("button", name="Verify", exact=True).click()
    await owner.locator(".proof-steps > li").nth(13).wait_for()
    await visitor.look(owner, "a disclosure that was verified")
    await owner.goto("/auditor?outcome=refused")
    await visitor.look(owner)
    await owner.locator("[data-row]").first.click()
    await visitor.look(owner)
    await owner.goto("/auditor/subject")
    await owner.get_by_label("Person", exact=True).fill(REFERENCE)
    await press(owner, "Find this person")
    await visitor.look(owner, "a person's account")
    await owner.locator("details.user summary").click()
    await visitor.look(owner, "an open menu")


async def _consented(visitor: Visitor, owner: Page) -> None:
    """One person's consents and what waits for them; one more, and one taken back."""
    await owner.goto("/settings/consents")
    await owner.get_by_label("The person").fill(REFERENCE)
    await press(owner, "Look up")
    await visitor.look(owner, "a person's consents")
    person = urlsplit(owner.url).path
    await owner.get_by_role("link", name="Withdraw the consent for").first.click()
    await visitor.look(owner)
    await owner.goto(f"{person}/new")
    await visitor.look(owner, "one more consent of a person")


async def _at_a_vendor(visitor: Visitor, owner: Page) -> None:
    """The pages around a vendor's own, which it leads back from at once."""
    rooms, operator = visitor.clinic.demo.house.rooms, visitor.clinic.operator
    clinic = await rooms.connections.present(operator.tenant)
    page, ours = await visitor.page(), set(visitor.hosts)
    await page.goto(await again(operator, clinic.connection("google"), rooms))
    await visitor.look(page, "before a vendor's page")
    async with page.expect_navigation(url=f"**{CALLBACK}?**"):
        await page.get_by_role("button", name="Continue to").click()
    await visitor.look(page, "after a vendor's page")
    there = visitor.hosts - ours
    assert len(there) <= 2, "a person goes to the vendor, and comes back by the address that it knows"
    visitor.hosts -= there


async def _in_need(visitor: Visitor, owner: Page) -> None:
    """Integrations that want something done, off, suspended, and not connected."""
    await visitor.clinic.ask("PUT", "/v1/policy", {"jurisdiction": "US", "allowed_regions": ["IN"]}, status=200)
    for connector in ("messaging/twilio", "payments/stripe"):
        await owner.goto(f"/settings/integrations/{connector}")
        await visitor.look(owner, f"{connector}, in need")
    await owner.goto("/settings/integrations/payments/stripe/suspend")
    await press(owner, "Suspend")
    await visitor.look(owner, "a suspended integration")
    await owner.goto("/settings/integrations/payments/stripe/resume")
    await visitor.look(owner)
    await owner.goto("/settings/integrations/payments/stripe/revoke")
    await press(owner, "Revoke for good")
    await visitor.look(owner, "a revoked integration")
    await owner.goto("/settings")
    await visitor.look(owner, "integrations in need")


STEPS: Final = (
    _turned_away,
    _joined,
    _once_more,
    _with_faults,
    _shown_once,
    _audited,
    _consented,
    _at_a_vendor,
    _in_need,
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def visitor(
    module_dsn: str, tmp_path_factory: pytest.TempPathFactory, browser: Browser
) -> AsyncIterator[Visitor]:
    drawn, write = set[str](), Dress.page

    def noted(self: Dress, template: str, words: Mapping[str, Any]) -> str:
        drawn.add(template)
        return write(self, template, words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dress, "page", noted)
        async with furnished(module_dsn, tmp_path_factory.mktemp("furnished")) as clinic:
            visitor = Visitor(clinic, browser, drawn)
            yield visitor
            for each in visitor.contexts:
                await each.close()


async def test_the_dark_scheme_changes_colours_and_nothing_else() -> None:
    css = (TEMPLATES.parent / "static" / "gateway.css").read_text()
    dark = re.findall(r"@media \(prefers-color-scheme: dark\) \{\n(.*?)\n\}", css, re.DOTALL)
    assert len(dark) == css.count("prefers-color-scheme") > 1
    for block in dark:
        assert re.fullmatch(r"\s*:root \{(\s*--[\w-]+: [^;{}]+;)+\s*\}", block), block


async def test_nothing_is_wrong_with_any_page_in_light_and_dark_wide_and_narrow(visitor: Visitor) -> None:
    owner = await visitor.owner()
    await follow(owner, visitor.look)
    for step in STEPS:
        await step(visitor, owner)
    assert visitor.wrong == []
    assert SERVED - visitor.seen - LEADS_ON - BYTES == set(), "nobody has looked at these pages"
    templates = {each.relative_to(TEMPLATES).as_posix() for each in TEMPLATES.rglob("*.html")}
    assert templates - visitor.drawn - PARTS - PARTS_OF_ONE == set(), "nobody has looked at these templates"
    assert visitor.hosts == {urlsplit(visitor.clinic.url).netloc}, "a page asks another host for something"


async def test_every_page_that_a_link_leads_to_is_whole_without_scripts(visitor: Visitor) -> None:
    owner, wrong = await visitor.owner(java_script_enabled=False), []

    async def look(page: Page) -> None:
        wrong.extend(f"{page.url}: {each}" for each in await page.evaluate(_IDLE))

    seen = await follow(owner, look)
    assert len(seen) > 35
    assert wrong == []
