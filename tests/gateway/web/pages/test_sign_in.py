"""Signing in, signing out, and everything that may go wrong on the way."""

from __future__ import annotations

import statistics
import time

import asyncpg
import pyotp
import pytest

from gateway.app import House
from gateway.people import Role
from tests.gateway.house import Clinic, connected, entries_of
from tests.gateway.web.pages.conftest import PASSWORD, Browser, Clock, SignedIn, forms

WRONG = "That e-mail address and password do not belong together."


async def test_a_person_signs_in_sees_their_pages_and_signs_out(member: SignedIn, house: House, clinic: Clinic) -> None:
    browser = await member(Role.OWNER)
    asked = await browser.get("/settings")
    assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in?next=/settings")
    done = await browser.sign_in(path=asked.headers["location"])
    assert (done.status_code, done.headers["location"]) == (303, "/settings")
    shown = await browser.get("/settings")
    assert shown.status_code == 200
    assert "Noor Haddad" in shown.text
    before = dict(browser.cookies)
    out = await browser.send("/settings", "/sign-out")
    assert out.headers["location"] == "/sign-in?out=1"
    assert (await browser.get("/settings")).status_code == 303
    browser.cookies = before  # whoever kept the cookie holds nothing
    assert (await browser.get("/settings")).status_code == 303
    entries = [entry for entry in await entries_of(house, clinic.tenant) if entry["kind"] == "access"]
    assert [entry["what"] for entry in entries] == ["person_joined", "signed_in"]
    assert entries[-1]["actor"] == {"kind": "person", "id": str(browser.person)}
    assert "Noor" not in str(entries)
    assert browser.email not in str(entries)


@pytest.mark.parametrize(
    ("role", "begins"), [("owner", "/settings"), ("integrations", "/settings"), ("support", "/settings"),
                         ("vendor", "/vendor"), ("auditor", "/auditor")],
)  # fmt: skip
async def test_each_role_begins_at_its_own_page(signed_in: SignedIn, role: str, begins: str) -> None:
    browser = await signed_in(Role(role))
    home = await browser.get("/")
    assert home.headers["location"] == begins
    assert (await browser.get(begins)).status_code == 200


async def test_what_is_wrong_is_told_the_same_with_and_without_an_account(browser: Browser, member: SignedIn) -> None:
    known = await member(Role.OWNER)
    told = []
    for email in (known.email, "nobody@clinic.example", "not an address"):
        response = await browser.sign_in(email, "wrong password")
        told.append((response.status_code, response.text.replace(email, "")))
        assert WRONG in response.text
    assert told[0][0] == 400
    # The form token is the browser's own and stays; nothing else in the page may differ.
    assert told[0] == told[1] == told[2]


async def test_an_account_without_a_clinic_is_told_the_same_too(browser: Browser, house: House) -> None:
    await house.rooms.people.accounts.create("Ada", email="ada.alone@clinic.example", password=PASSWORD)
    assert WRONG in (await browser.sign_in("ada.alone@clinic.example")).text


async def test_an_unknown_address_takes_as_long_as_a_known_one(house: House, member: SignedIn) -> None:
    known = await member(Role.OWNER)
    accounts = house.rooms.people.accounts
    await accounts.by_password("warm@clinic.example", "up")
    taken: dict[str, list[float]] = {known.email: [], "nobody@clinic.example": []}
    for _ in range(6):
        for email, seconds in taken.items():
            began = time.perf_counter()
            assert await accounts.by_password(email, "wrong password") is None
            seconds.append(time.perf_counter() - began)
    there, missing = (statistics.median(seconds) for seconds in taken.values())
    assert 0.2 < missing / there < 5  # without the dummy it is a hundredth


async def test_a_session_ends_half_an_hour_after_it_was_used(signed_in: SignedIn, clock: Clock) -> None:
    browser = await signed_in()
    for _ in range(3):
        clock.forward(minutes=29)
        assert (await browser.get("/settings")).status_code == 200
    clock.forward(minutes=30, seconds=1)
    assert (await browser.get("/settings")).status_code == 303


async def test_a_session_ends_after_twelve_hours_however_it_is_used(signed_in: SignedIn, clock: Clock) -> None:
    browser = await signed_in()
    for _ in range(25):
        clock.forward(minutes=28)
        assert (await browser.get("/settings")).status_code == 200
    clock.forward(minutes=21)
    assert (await browser.get("/settings")).status_code == 303


async def test_a_cookie_that_was_there_before_is_worth_nothing_after(member: SignedIn, house: House) -> None:
    browser = await member(Role.OWNER)
    await browser.get("/sign-in")
    planted = dict(browser.cookies)
    await browser.sign_in()
    assert "gateway" in browser.cookies
    assert browser.cookies["gateway"] not in planted.values()
    thief = Browser(browser.client, {"gateway": planted["gateway-browser"]})
    assert (await thief.get("/settings")).status_code == 303
    # A token that an attacker made up and planted as the session's is not taken over either.
    victim = await member(Role.OWNER)
    victim.cookies["gateway"] = planted["gateway-browser"]
    await victim.sign_in()
    assert victim.cookies["gateway"] != planted["gateway-browser"]


async def test_a_new_role_gives_a_session_a_new_token(signed_in: SignedIn, house: House, clinic: Clinic) -> None:
    await signed_in(Role.OWNER)
    browser = await signed_in(Role.SUPPORT)
    before = dict(browser.cookies)
    assert browser.person is not None
    await house.rooms.people.accounts.set_role(clinic.actor, browser.person, Role.INTEGRATIONS)
    assert (await browser.get("/settings")).status_code == 200
    assert browser.cookies["gateway"] != before["gateway"]
    assert (await Browser(browser.client, before).get("/settings")).status_code == 303


async def test_who_is_removed_is_out_with_the_next_request(signed_in: SignedIn, house: House, clinic: Clinic) -> None:
    browser = await signed_in(Role.SUPPORT)
    assert browser.person is not None
    await house.rooms.people.accounts.remove(clinic.actor, browser.person)
    assert (await browser.get("/settings")).status_code == 303


async def test_the_database_holds_no_token(signed_in: SignedIn, dsn: str) -> None:
    browser = await signed_in()
    owner = await asyncpg.connect(dsn)
    try:
        rows = await owner.fetch("SELECT s::text FROM sessions s")
    finally:
        await owner.close()
    assert rows
    assert not [row for row in rows if browser.cookies["gateway"] in row[0]]


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "/%09/evil.example", "javascript:alert(1)",
     "/\t/evil.example", "https:evil.example", "/settings//evil", "http://gateway@evil.example/"],
)  # fmt: skip
async def test_signing_in_leads_to_our_own_pages_only(member: SignedIn, elsewhere: str) -> None:
    browser = await member(Role.OWNER)
    shown = await browser.get("/sign-in", params={"next": elsewhere})
    fields = forms(shown.text)["/sign-in"]
    assert fields["next"] in ("/", "/%09/evil.example")
    done = await browser.ask(
        "POST", "/sign-in", data={**fields, "next": elsewhere, "email": browser.email, "password": PASSWORD}
    )
    assert done.status_code == 303
    assert done.headers["location"] in ("/settings", "/%09/evil.example")
    again = await browser.get("/sign-in", params={"next": elsewhere})
    assert again.headers["location"] in ("/", "/%09/evil.example")


# --- Too many attempts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_account", [True, False])
async def test_attempts_on_an_account_wait_longer_and_longer(
    browser: Browser, member: SignedIn, clock: Clock, has_account: bool
) -> None:
    clock.stop()
    email = (await member()).email if has_account else "nobody.at.all@clinic.example"
    for _ in range(5):
        assert (await browser.sign_in(email, "wrong password")).status_code == 400
    waits = []
    for _ in range(4):
        stopped = await browser.sign_in(email, "wrong password")
        assert stopped.status_code == 429
        waits.append(int(stopped.headers["retry-after"]))
        clock.forward(seconds=waits[-1])
        assert (await browser.sign_in(email, "wrong password")).status_code == 400
    assert waits == [2, 4, 8, 16]
    assert (await browser.sign_in(email, PASSWORD)).status_code == 429  # the right one has to wait as well


async def test_success_forgets_an_accounts_failures(member: SignedIn, clock: Clock) -> None:
    browser = await member()
    for _ in range(4):
        await browser.sign_in(password="wrong password")
    assert (await browser.sign_in()).status_code == 303
    browser.cookies.clear()
    for _ in range(5):
        assert (await browser.sign_in(password="wrong password")).status_code == 400


async def test_one_address_cannot_try_many_accounts(browser: Browser, clock: Clock) -> None:
    clock.forward(hours=200)  # nobody else's attempts count any more
    statuses = [(await browser.sign_in(f"guess{at}@clinic.example", "wrong password")).status_code for at in range(32)]
    assert statuses == [400] * 30 + [429] * 2


# --- The second factor ------------------------------------------------------------------------------------------------


async def turn_on(browser: Browser) -> tuple[str, list[str]]:
    """Turn codes on as the page leads; gives the secret and the recovery codes."""
    begun = await browser.send("/account", "/account/totp/begin")
    secret = begun.text.split("data-copy>")[1].split("<")[0].replace(" ", "")
    fields = forms(begun.text)["/account/totp"]
    wrong = await browser.ask("POST", "/account/totp", data={**fields, "code": "000000"})
    assert wrong.status_code == 400
    assert secret[:4] in wrong.text
    return secret, await _confirmed(browser, fields, secret)


async def _confirmed(browser: Browser, fields: dict[str, str], secret: str) -> list[str]:
    done = await browser.ask("POST", "/account/totp", data={**fields, "code": pyotp.TOTP(secret).now()})
    assert done.status_code == 200, done.text
    return [part.split("</li>")[0] for part in done.text.split('<ul class="codes">')[1].split("<li>")[1:]]


async def test_a_code_is_asked_for_and_taken_once(signed_in: SignedIn, clock: Clock) -> None:
    browser = await signed_in()
    secret, codes = await turn_on(browser)
    assert len(set(codes)) == 10
    browser.cookies.clear()
    clock.forward(seconds=60)
    asked = await browser.sign_in()
    assert asked.headers["location"] == "/sign-in/code"
    assert (await browser.get("/settings")).status_code == 303  # the password alone opens nothing
    waiting = dict(browser.cookies)
    code = pyotp.TOTP(secret).at(clock())
    assert (await browser.send("/sign-in/code", "/sign-in/code", {"code": "123"})).status_code == 400
    done = await browser.send("/sign-in/code", "/sign-in/code", {"code": f"{code[:3]} {code[3:]}"})
    assert (done.status_code, done.headers["location"]) == (303, "/settings")
    assert browser.cookies["gateway"] != waiting["gateway"]
    browser.cookies.clear()
    await browser.sign_in()
    again = await browser.send("/sign-in/code", "/sign-in/code", {"code": code})
    assert again.status_code == 400


@pytest.mark.parametrize(("drift", "taken"), [(-60, False), (-30, True), (30, True), (60, False)])
async def test_a_clock_may_differ_by_one_step(signed_in: SignedIn, clock: Clock, drift: int, taken: bool) -> None:
    browser = await signed_in()
    secret, _ = await turn_on(browser)
    browser.cookies.clear()
    clock.forward(seconds=300)
    await browser.sign_in()
    code = pyotp.TOTP(secret).at(int(clock().timestamp()) + drift)
    done = await browser.send("/sign-in/code", "/sign-in/code", {"code": code})
    assert (done.status_code == 303) is taken


async def test_a_recovery_code_lets_in_once(signed_in: SignedIn, clock: Clock) -> None:
    browser = await signed_in()
    _, codes = await turn_on(browser)
    for expected in (303, 400):
        browser.cookies.clear()
        await browser.sign_in()
        path = "/sign-in/code?recovery=1"
        done = await browser.send(path, "/sign-in/code", {"recovery": codes[3].upper()})
        assert done.status_code == expected
    assert "Use a recovery code" in done.text


async def test_whatever_changes_ones_way_in_stands_in_the_log_without_a_value(
    signed_in: SignedIn, house: House, clinic: Clinic
) -> None:
    browser, before = await signed_in(), len(await entries_of(house, clinic.tenant))
    await turn_on(browser)
    for path, page in (("/account/recovery", "/account"), ("/account/totp/off", "/account/totp/off")):
        assert (await browser.send(page, path)).status_code in (200, 303), path
    await Browser(browser.client).sign_in(browser.email)
    assert (await browser.send("/account", "/account/sessions/others")).status_code == 303
    another = {"password": PASSWORD, "new_password": "another horse battery staple"}
    assert (await browser.send("/account", "/account/password", {**another, "password": "wrong"})).status_code == 400
    assert (await browser.send("/account", "/account/password", another)).status_code == 303
    log = (await entries_of(house, clinic.tenant))[before:]
    changes = [each for each in log if each.get("what") == "account_changed"]
    assert [each["query"]["what"] for each in changes] == [
        "codes_on", "recovery_codes", "codes_off", "sessions_ended", "password",
    ]  # fmt: skip
    assert {each["actor"]["id"] for each in changes} == {str(browser.person)}


async def test_codes_are_not_guessed(signed_in: SignedIn) -> None:
    browser = await signed_in()
    await turn_on(browser)
    browser.cookies.clear()
    await browser.sign_in()
    statuses = [
        (await browser.send("/sign-in/code", "/sign-in/code", {"code": "000000"})).status_code for _ in range(7)
    ]
    assert statuses == [400] * 5 + [429] * 2


async def test_the_secret_of_codes_is_not_readable_in_the_database(signed_in: SignedIn, dsn: str) -> None:
    browser = await signed_in()
    secret, codes = await turn_on(browser)
    owner = await asyncpg.connect(dsn)
    try:
        rows = [row[0] for row in await owner.fetch("SELECT c::text FROM credentials c")]
        rows += [row[0] for row in await owner.fetch("SELECT c::text FROM recovery_codes c")]
    finally:
        await owner.close()
    for told in (secret, secret.encode().hex(), codes[0], codes[0].replace("-", "").encode().hex(), PASSWORD):
        assert not [row for row in rows if told in row]


async def test_a_page_of_another_clinic_is_not_shown(signed_in: SignedIn, house: House) -> None:
    other = await connected(house)
    theirs = await signed_in(Role.OWNER, tenant=other.tenant, name="Somebody Else")
    browser = await signed_in(Role.OWNER)
    shown = await browser.get("/team")
    assert "Somebody Else" not in shown.text
    for method, path in (("GET", f"/team/{theirs.person}/remove"), ("POST", f"/team/{theirs.person}/remove")):
        fields = {"data": forms(shown.text)["/sign-out"]} if method == "POST" else {}
        assert (await browser.ask(method, path, **fields)).status_code == 404
    assert (await theirs.get("/settings")).status_code == 200
