"""Signing in with a password, and signing out."""

from __future__ import annotations

from gateway.people import Role
from tests.gateway.web.pages.conftest import Browser, SignedIn


async def test_a_person_signs_in_sees_their_pages_and_signs_out(member: SignedIn) -> None:
    browser = await member(Role.OWNER)
    asked = await browser.get("/settings")
    assert asked.status_code == 303, asked.text
    assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in?next=/settings")
    done = await browser.sign_in(path=asked.headers["location"])
    assert (done.status_code, done.headers["location"]) == (303, "/settings")
    shown = await browser.get("/settings")
    assert shown.status_code == 200
    assert "Noor Haddad" in shown.text
    before = dict(browser.cookies)
    out = await browser.send("/settings", "/sign-out")
    assert out.status_code == 303
    assert (await browser.get("/settings")).status_code == 303
    browser.cookies = before  # whoever kept the cookie holds nothing
    assert (await browser.get("/settings")).status_code == 303


async def test_what_is_wrong_is_told_the_same_with_and_without_an_account(browser: Browser, member: SignedIn) -> None:
    known = await member(Role.OWNER)
    told = []
    for email in (known.email, "nobody@clinic.example", "not an address"):
        response = await browser.sign_in(email, "wrong password")
        told.append((response.status_code, response.text.replace(email, "")))
    assert told[0][0] == 400
    # The form token is the browser's own and stays; nothing else in the page may differ.
    assert told[0] == told[1] == told[2]
