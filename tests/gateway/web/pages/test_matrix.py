"""Every page with every role, generated from the pages themselves; and what is refused on all of them."""

from __future__ import annotations

import re
from itertools import product
from uuid import uuid4

import pytest

from gateway.app import PAGES, House
from gateway.calls import Actor
from gateway.people import Role
from gateway.people.roles import scopes_of
from gateway.people.sessions import form_token
from gateway.web.page import Gate, Page
from scopes.scope import Scope, includes
from tests.gateway.house import Clinic, connected
from tests.gateway.web.pages.conftest import Browser, SignedIn, forms

DONE = (200, 303, 400, 404, 409)
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
# Written down once more by hand, so that a role that is given more is noticed.
OPENS = {
    "/settings": {"owner", "integrations", "support"},
    "/settings/map": {"owner", "integrations", "auditor"},
    "/settings/subprocessors": {"owner", "integrations", "auditor"},
    "/settings/consents": {"owner", "integrations"},
    "/settings/agreements": {"owner", "integrations", "auditor"},
    "/settings/policy": {"owner", "integrations", "auditor"},
    "/settings/templates": {"owner", "integrations"},
    "/settings/integrations/{connector:path}/network": {"owner", "integrations", "support"},
    "/settings/integrations/{connector:path}/network/desk": {"owner", "integrations"},
    "/settings/integrations/{connector:path}/network/desk/code": {"owner", "integrations", "support"},
    "/settings/integrations/{connector:path}/network/visits": {"owner", "integrations"},
    "/settings/integrations/{connector:path}/network/of/{id:uuid}": {"owner", "integrations"},
    "/settings/integrations/{connector:path}/network/transfers": {"owner", "integrations"},
    "/settings/integrations/{connector:path}/network/transfers/{id:uuid}": {"owner", "integrations"},
    "/vendor": {"owner", "vendor", "support"},
    "/vendor/deliveries": {"owner", "vendor"},
    "/vendor/events": {"owner", "vendor", "support"},
    "/auditor": {"owner", "auditor"},
    "/team": {"owner"},
    "/keys": {"owner"},
    "/account": {"owner", "integrations", "vendor", "auditor", "support"},
}


def path_of(page: Page) -> str:
    """The page's path, of a thing that is not there."""
    return re.sub(r"{\w+:uuid}", str(uuid4()), page.path).replace("{id}", "x1Y2z3A4b5C6")


def opens(page: Page, role: Role) -> bool:
    """Whether a role is to be let in."""
    return not isinstance(page.needs, Scope) or includes(scopes_of(role), page.needs)


async def ask(browser: Browser, page: Page, *, token: bool = True) -> int:
    """Ask for a page with an empty form; gives the status."""
    given = {}
    if page.method == "POST":
        given = {"data": {"csrf": form_token(browser.cookies["gateway"]) if token else ""}}
    response = await browser.ask(page.method, path_of(page), **given)
    assert response.status_code < 500, (page.path, response.text)
    return response.status_code


async def test_every_page_opens_to_the_roles_that_may_see_it_and_to_no_other(holder: SignedIn, house: House) -> None:
    wrong = []
    for role in Role:
        browser = await holder(role)
        kept = await house.rooms.people.sessions.find(browser.cookies["gateway"])
        assert kept is not None
        for page in PAGES:
            status = await ask(browser, page)
            if (status in DONE) is not opens(page, role) or (not opens(page, role) and status != 403):
                wrong.append((role, page.method, page.path, status))
            if await house.rooms.people.sessions.find(browser.cookies.get("gateway", "")) is None:
                browser = await holder(role)  # the page was the one that signs out
    assert wrong == []
    assert len(PAGES) > 30


@pytest.mark.parametrize("path", OPENS)
async def test_what_each_role_sees_is_what_was_agreed(holder: SignedIn, path: str) -> None:
    page = next(each for each in PAGES if each.path == path and each.method == "GET")
    assert {str(role) for role in Role if opens(page, role)} == OPENS[path]


async def test_nobody_sees_a_page_that_is_not_open(browser: Browser) -> None:
    for page in (each for each in PAGES if each.needs is not Gate.OPEN):
        response = await browser.ask(page.method, path_of(page), data={} if page.method == "POST" else None)
        assert response.status_code == 303, page.path
        assert response.headers["location"].startswith("/sign-in"), page.path


async def test_a_form_needs_the_sessions_own_token_and_our_own_page(holder: SignedIn) -> None:
    browser, other = await holder(Role.OWNER), await holder(Role.OWNER)
    for page in (each for each in PAGES if each.method == "POST"):
        assert await ask(browser, page, token=False) == 403, page.path
        theirs = {"csrf": form_token(other.cookies["gateway"])}
        assert (await browser.ask("POST", path_of(page), data=theirs)).status_code == 403, page.path
        own = {"csrf": form_token(browser.cookies["gateway"])}
        for headers in (
            {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "none"},
            {"origin": "https://evil.example"}, {"origin": "http://gateway:81"},
        ):  # fmt: skip
            refused = await browser.ask("POST", path_of(page), data=own, headers=headers)
            assert refused.status_code == 403, (page.path, headers)
    assert (await browser.get("/settings")).status_code == 200  # nobody was signed out


async def test_a_form_before_signing_in_needs_the_browsers_own_token(browser: Browser) -> None:
    for page in (each for each in PAGES if each.method == "POST" and each.needs is Gate.OPEN):
        refused = await browser.ask("POST", page.path, data={"csrf": form_token("A" * 43), "email": "a@b.example"})
        assert refused.status_code == 403, page.path


async def test_a_form_of_another_kind_is_not_read(holder: SignedIn) -> None:
    browser = await holder()
    token = form_token(browser.cookies["gateway"])
    for content, kind in ((f'{{"csrf": "{token}"}}', "application/json"), (f"csrf={token}", "text/plain")):
        response = await browser.ask("POST", "/account/name", content=content, headers={"content-type": kind})
        assert response.status_code == 415
    assert (await browser.ask("POST", "/account/name", data={"csrf": token, "name": "x" * 200_000})).status_code == 413


async def test_a_session_opens_pages_and_not_the_api(holder: SignedIn) -> None:
    browser = await holder(Role.OWNER)
    for path in ("/v1/keys", "/v1/disclosures", "/v1/connections"):
        assert (await browser.get(path)).status_code == 401


async def test_every_page_has_the_headers_that_keep_others_out(holder: SignedIn, browser: Browser) -> None:
    owner = await holder(Role.OWNER)
    asked = [(owner, page.path) for page in PAGES if page.method == "GET" and "{" not in page.path]
    for who, path in [*asked, (browser, "/sign-in"), (browser, "/nothing/here"), (owner, "/team/x/remove")]:
        response = await who.get(path)
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "unsafe" not in policy, path
        assert "http" not in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert response.headers["x-frame-options"] == "DENY"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["cross-origin-opener-policy"] == "same-origin"
        assert "frame-ancestors" in policy


async def test_no_page_holds_anything_inline_or_from_another_host(holder: SignedIn) -> None:
    browser = await holder(Role.OWNER)
    for page in (each for each in PAGES if each.method == "GET" and "{" not in each.path):
        text = (await browser.get(page.path)).text
        assert not re.search(r"<script(?! src=\"/static/)|<style|\sstyle=|\son\w+=|javascript:", text), page.path
        # Nothing is loaded from elsewhere; a person may follow a link there, which does not tell where they come from.
        text = re.sub(r'<a rel="noopener noreferrer" href="https://[^"]+">', "", text)
        assert not re.search(r"(?:src|href|action)=\"(?!/|#|data:)", text), page.path


async def test_what_hostile_names_hold_is_shown_and_never_run(holder: SignedIn, house: House) -> None:
    clinic = await house.rooms.connections.create_tenant(HOSTILE)
    browser = await holder(Role.OWNER, tenant=clinic, name=HOSTILE[:80])
    actor = Actor("system", "test", clinic, ())
    await house.rooms.callers.create_key(actor, HOSTILE[:80], [Scope.parse("log:read")])
    await house.rooms.people.invitations.invite(actor, "o'neil&co@clinic.example", Role.SUPPORT)
    for page in (each for each in PAGES if each.method == "GET" and "{" not in each.path):
        text = (await browser.get(page.path)).text
        assert "<script>alert" not in text, page.path
        assert "<img src=x" not in text, page.path
    assert "&lt;script&gt;alert(1)" in (await browser.get("/team")).text
    again = await browser.send("/account", "/account/name", {"name": HOSTILE * 3})
    assert again.status_code == 400
    assert "<script>alert" not in again.text


async def test_ids_of_another_clinic_or_person_are_told_from_none_by_nothing(holder: SignedIn, house: House) -> None:
    other: Clinic = await connected(house)
    people, theirs = house.rooms.people, await holder(Role.OWNER, tenant=other.tenant)
    actor = Actor("system", "test", other.tenant, ())
    invited = await people.invitations.invite(actor, "a.colleague@clinic.example", Role.AUDITOR)
    key = (await house.rooms.callers.create_key(actor, "theirs", [Scope.parse("log:read")])).row.id
    assert theirs.person is not None
    session = (await people.sessions.of(theirs.person))[0].id
    browser = await holder(Role.OWNER)
    token = {"csrf": form_token(browser.cookies["gateway"])}
    things = {"team": theirs.person, "invitations": invited.id, "keys": key, "sessions": session, "passkeys": uuid4()}
    tried = 0
    for page, (kind, thing) in product((each for each in PAGES if "{id" in each.path), things.items()):
        if kind not in page.path or (kind == "team" and "invitations" in page.path):
            continue
        path = re.sub(r"{id(:uuid)?}", str(thing), page.path)
        given = {"data": {**token, "role": "owner"}} if page.method == "POST" else {}
        response = await browser.ask(page.method, path, **given)
        assert response.status_code == 404, path
        tried += 1
    assert tried >= 8
    assert (await theirs.get("/team")).status_code == 200
    assert len(await people.invitations.waiting(other.tenant)) == 1
    assert (await house.rooms.callers.key(other.tenant, key)).revoked_at is None


async def test_files_beside_the_pages_are_kept_for_ever_under_a_name_that_changes(browser: Browser) -> None:
    page = (await browser.get("/sign-in")).text
    for path in re.findall(r"(?:href|src)=\"(/static/[^\"]+)\"", page):
        served = await browser.get(path)
        assert served.status_code == 200
        assert served.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert served.headers["x-content-type-options"] == "nosniff"
    for path in ("/static/gateway.css", "/static/../page.py", "/static/%2e%2e/page.py", "/static/"):
        assert (await browser.get(path)).status_code == 404


async def test_a_browser_is_shown_a_page_where_nothing_is_and_software_a_problem(browser: Browser) -> None:
    shown = await browser.get("/nothing")
    assert (shown.status_code, shown.headers["content-type"]) == (404, "text/html; charset=utf-8")
    told = await browser.get("/v1/nothing")
    assert told.headers["content-type"] == "application/problem+json"


async def test_an_owner_changes_the_team_and_the_last_one_stays(holder: SignedIn, house: House) -> None:
    clinic = await house.rooms.connections.create_tenant("a small clinic")
    owner, helper = await holder(Role.OWNER, tenant=clinic), await holder(Role.SUPPORT, tenant=clinic, name="Sam Ode")
    shown = (await owner.get("/team")).text
    assert "Sam Ode" in shown
    path = f"/team/{helper.person}/role"
    assert (await owner.send("/team", path, {"role": "vendor"})).headers["location"] == "/team"
    told = await owner.get("/team")
    assert "The role is changed" in told.text
    assert "The role is changed" not in (await owner.get("/team")).text  # told once
    assert (await helper.get("/vendor")).status_code == 200
    kept = await owner.send("/team", f"/team/{owner.person}/role", {"role": "support"})
    assert kept.status_code == 409
    assert "needs an owner" in kept.text
    gone = await owner.send(f"/team/{helper.person}/remove", f"/team/{helper.person}/remove")
    assert gone.status_code == 303
    assert (await helper.get("/vendor")).status_code == 303


async def test_a_key_is_shown_once_and_revoked(holder: SignedIn, house: House) -> None:
    owner = await holder(Role.OWNER)
    nothing = await owner.send("/keys/new", "/keys/new", {"title": "", "days": "90"})
    assert nothing.status_code == 400
    made = await owner.send("/keys/new", "/keys/new", {"title": "desk", "scopes": ["log:read"], "days": "30"})
    key = made.text.split("data-copy>")[1].split("<")[0]
    actor = await house.rooms.callers.caller(f"Bearer {key}".encode())
    assert [str(scope) for scope in actor.scopes] == ["log:read"]
    assert key not in (await owner.get("/keys")).text
    path = f"/keys/{key.split('_')[1]}/revoke"
    assert (await owner.send(path, path)).status_code == 303
    assert "Revoked" in (await owner.get("/keys")).text


async def test_what_changes_who_may_sign_in_asks_once_more_after_a_while(holder: SignedIn, clock, house: House) -> None:
    owner = await holder(Role.OWNER)
    clock.forward(minutes=16)
    fields = forms((await owner.get("/team")).text)["/team/invite"]
    asked = await owner.ask("POST", "/team/invite", data={**fields, "email": "a@clinic.example", "role": "owner"})
    assert asked.headers["location"] == "/confirm?next=/team"
    assert (await owner.send("/confirm?next=/team", "/confirm", {"password": "wrong"})).status_code == 400
    assert (await owner.get(asked.headers["location"])).status_code == 200
