"""Consents on pages: looked up without the reference in any address, recorded with evidence, withdrawn, kept apart by clinic."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from gateway.app import House
from gateway.people import Role
from tests.gateway.house import Clinic, entries_of
from tests.gateway.web.pages.conftest import Browser, SignedIn

REFERENCE = "patient-4711"
GIVEN = {
    "subject": REFERENCE, "purposes": ["TREAT"], "channels": ["sms"], "evidence.how": "on paper",
    "evidence.when": "2026-01-15T09:30", "evidence.wording": "sms-1", "expires_at": "", "time_zone": "",
}  # fmt: skip
NEW = "/settings/consents/new"
HERE = "/settings/consents"
HOSTILE = "<script>alert(1)</script>"


async def given(browser: Browser, **other: object) -> str:
    """Record a consent; gives the address of the person's page."""
    made = await browser.send(NEW, NEW, {**GIVEN, **other})
    assert made.status_code == 303, made.text
    return made.headers["location"]


async def test_a_consent_is_recorded_found_and_withdrawn(holder: SignedIn, house: House, clinic: Clinic) -> None:
    browser = await holder(Role.INTEGRATIONS)
    place = await given(browser)
    found = await browser.send(HERE, HERE, {"subject": REFERENCE})
    assert (found.status_code, found.headers["location"]) == (303, place)
    assert REFERENCE not in place
    by_pseudonym = await browser.send(HERE, HERE, {"subject": place.rpartition("/")[2]})
    assert by_pseudonym.headers["location"] == place
    shown = (await browser.get(place)).text
    assert "In force" in shown
    assert "Treatment" in shown
    row = (await house.rooms.consents.page(clinic.tenant, subject=None, after=None, limit=2))[0]
    assert row.given_at == datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
    path = f"{HERE}/{row.id}/withdraw"
    assert "every message that is not yet written" in (await browser.get(path)).text
    assert (await browser.send(path, path)).headers["location"] == place
    shown = (await browser.get(place)).text
    assert "Withdrawn" in shown
    assert "No message that needs a consent" in shown


async def test_every_look_and_every_change_stands_in_the_log(holder: SignedIn, house: House, clinic: Clinic) -> None:
    browser = await holder(Role.OWNER)
    place = await given(browser)
    await browser.get(place)
    await browser.send(HERE, HERE, {"subject": "nobody-known"})
    entries = await entries_of(house, clinic.tenant)
    looks = [
        (entry["what"], entry["query"].get("subject"), entry.get("count"))
        for entry in entries
        if entry["kind"] == "access"
    ]
    pseudonym = place.rpartition("/")[2]
    assert ("consents", pseudonym, 1) in looks
    assert ("waiting", pseudonym, 0) in looks
    assert ("consents", None, 0) in looks
    recorded = next(entry for entry in entries if entry["kind"] == "consent")
    assert recorded["actor"] == {"kind": "person", "id": str(browser.person)}
    assert REFERENCE not in str(entries)
    assert "nobody-known" not in str(entries)


async def test_who_has_none_yet_may_be_given_one_without_typing_the_reference_again(holder: SignedIn) -> None:
    browser = await holder(Role.OWNER)
    found = await browser.send(HERE, HERE, {"subject": REFERENCE})
    assert found.status_code == 200
    assert f'value="{REFERENCE}"' in found.text
    assert "This would be the first." in found.text


async def test_one_more_is_given_to_somebody_who_is_known_only_by_a_pseudonym(
    holder: SignedIn, house: House, clinic: Clinic
) -> None:
    browser = await holder(Role.OWNER)
    place = await given(browser)
    more = {name: value for name, value in GIVEN.items() if name != "subject"} | {"channels": ["whatsapp"]}
    assert (await browser.send(f"{place}/new", f"{place}/new", more)).headers["location"] == place
    rows = await house.rooms.consents.page(clinic.tenant, subject=None, after=None, limit=5)
    assert len({row.subject for row in rows}) == 1
    nobody = f"{HERE}/of/{uuid4()}/new"
    assert (await browser.send(nobody, nobody, more)).status_code == 404


async def test_days_and_clocks_are_the_clinics_own(holder: SignedIn, house: House, clinic: Clinic) -> None:
    browser = await holder(Role.OWNER)
    rules = {"time_zone": "Asia/Kolkata", "regions_rule": "any", "do": "save"}
    assert (await browser.send("/settings/policy", "/settings/policy", rules)).status_code == 303
    await given(browser, expires_at="2031-03-31")
    row = (await house.rooms.consents.page(clinic.tenant, subject=None, after=None, limit=2))[0]
    assert row.given_at == datetime(2026, 1, 15, 4, 0, tzinfo=UTC)
    assert row.expires_at == datetime(2031, 3, 31, 18, 30, tzinfo=UTC)  # it holds through its last day


async def test_what_is_wrong_is_told_beside_its_field_and_what_was_typed_stays(holder: SignedIn) -> None:
    browser = await holder(Role.OWNER)
    wrong = {
        "subject": REFERENCE, "evidence.how": HOSTILE, "evidence.when": "2999-01-01T00:00", "evidence.wording": "sms-1",
        "expires_at": "yesterday", "time_zone": "Mars/Olympus",
    }  # fmt: skip
    told = await browser.send(NEW, NEW, wrong)
    assert told.status_code == 400
    for said in ("Choose at least one purpose", "Choose at least one channel", "Choose a time zone", "Write a date"):
        assert said in told.text
    assert "<script>alert" not in told.text
    assert "&lt;script&gt;alert" in told.text
    late = await browser.send(NEW, NEW, {**GIVEN, "evidence.when": "2999-01-01T00:00"})
    assert "Must not lie in the future" in late.text


async def test_a_person_of_another_clinic_is_not_there(holder: SignedIn, house: House) -> None:
    browser = await holder(Role.OWNER)
    place = await given(browser)
    elsewhere = await holder(Role.OWNER, tenant=await house.rooms.connections.create_tenant("another clinic"))
    shown = (await elsewhere.get(place)).text
    assert "No consent is recorded" in shown
    row = str(
        (await house.rooms.consents.page((await _tenant(house, browser)), subject=None, after=None, limit=1))[0].id
    )
    assert (await elsewhere.get(f"{HERE}/{row}/withdraw")).status_code == 404


async def _tenant(house: House, browser: Browser):
    session = await house.rooms.people.sessions.find(browser.cookies["gateway"])
    assert session is not None
    return session.tenant
