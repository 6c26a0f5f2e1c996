"""Agreements and the clinic's rules on pages: what is needed and why, what is refused today, what is recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.app import House
from gateway.people import Role
from gateway.webhooks.endpoints import NewEndpoint, Recipient
from scopes.vocabulary import Purpose
from tests.gateway.house import Clinic, entries_of
from tests.gateway.web.pages.conftest import SignedIn

HERE = "/settings/agreements"
STRIPE = f"{HERE}/of/payments/stripe"
RULES = "/settings/policy"
PLAIN = {"jurisdiction": "", "regions_rule": "any", "time_zone": "UTC", "do": "save"}


async def test_an_agreement_is_recorded_and_told_thirty_days_before_its_end(
    holder: SignedIn, house: House, clinic: Clinic
) -> None:
    browser = await holder(Role.INTEGRATIONS)
    until = (datetime.now(UTC) + timedelta(days=20)).date().isoformat()
    made = await browser.send(STRIPE, STRIPE, {"kind": "dpa", "from": "2026-01-01", "until": until})
    assert made.headers["location"] == HERE, made.text
    shown = (await browser.get(HERE)).text
    assert "Ends soon" in shown
    assert "the agreement ends in 2" in shown
    row = (await house.rooms.agreements.all_of(clinic.tenant))[0]
    assert (row.recipient, row.kind, row.since) == ("payments/stripe", "dpa", datetime(2026, 1, 1, tzinfo=UTC))
    assert row.until is not None
    again = await browser.send(STRIPE, STRIPE, {"kind": "dpa", "from": "2026-01-01", "until": until})
    assert again.status_code == 303
    assert (await house.rooms.agreements.all_of(clinic.tenant))[0].id == row.id, "the same once more changes nothing"


async def test_a_kind_or_service_that_the_recipient_does_not_sign_is_refused(holder: SignedIn) -> None:
    browser = await holder(Role.OWNER)
    place = f"{HERE}/of/messaging/whatsapp"
    assert "Does not sign" in (await browser.get(place)).text
    told = await browser.send(place, place, {"kind": "baa", "services": ["whatsapp"], "from": "2026-01-01"})
    assert told.status_code == 400
    assert "Must be one that the recipient signs" in told.text
    assert (await browser.send(place, place, {"kind": "dpa", "from": "soon"})).status_code == 400
    assert (await browser.get(f"{HERE}/of/nobody")).status_code == 404


async def test_under_the_law_of_the_united_states_what_lacks_a_baa_is_named(
    holder: SignedIn, house: House, clinic: Clinic
) -> None:
    browser = await holder(Role.OWNER)
    hearing = NewEndpoint(
        url="https://vendor.example/hooks", host="vendor.example", events=("appointment.*",), purpose=Purpose.HOPERAT,
        recipient=Recipient("Analytics <b>Ltd</b>", "US"),
    )  # fmt: skip
    endpoint, _ = await house.rooms.endpoints.create(clinic.actor, hearing)
    assert "keep them" in (await browser.get(RULES)).text
    assert (await browser.send(RULES, RULES, {**PLAIN, "jurisdiction": "US"})).status_code == 303
    shown = (await browser.get(RULES)).text
    assert "A BAA is missing or has ended." in shown
    needs = (await browser.get(HERE)).text
    assert "asks for a BAA before data about patients leaves" in needs
    assert "Until one is in force, these are refused: appointment.booked" in needs
    assert "Analytics &lt;b&gt;Ltd" in needs
    place = f"{HERE}/of/{endpoint.id}"
    assert (await browser.send(place, place, {"kind": "baa", "from": "2026-01-01"})).status_code == 303
    assert "keep them" in (await browser.get(RULES)).text


async def test_an_auditor_reads_agreements_and_changes_none(holder: SignedIn) -> None:
    browser = await holder(Role.AUDITOR)
    shown = await browser.get(STRIPE)
    assert shown.status_code == 200
    assert "Record the agreement" not in shown.text
    rules = (await browser.get(RULES)).text
    assert "Save the rules" not in rules
    assert "How long events are kept" not in rules


async def test_rules_are_stored_as_they_stand_on_the_form(holder: SignedIn, house: House, clinic: Clinic) -> None:
    browser = await holder(Role.INTEGRATIONS)
    fields = {
        **PLAIN, "jurisdiction": "IN", "regions_rule": "listed", "allowed_regions": "in, us ie", "time_zone": "Asia/Kolkata",
        "quiet": "on", "quiet.from": "21:00", "quiet.until": "08:00", "quiet.otherwise": "refuse",
        "caps[0].most": "3", "caps[0].hours": "24", "caps[0].channel": "sms", "caps[0].otherwise": "wait",
        "caps[1].most": "", "caps[1].hours": "", "caps[1].channel": "", "caps[1].otherwise": "wait",
    }  # fmt: skip
    assert (await browser.send(RULES, RULES, fields)).status_code == 303
    policy = await house.rooms.agreements.policy(clinic.tenant)
    assert (policy.jurisdiction, policy.allowed_regions) == ("IN", frozenset({"IN", "US", "IE"}))
    assert str(policy.quiet_hours) == "21:00 until 08:00"
    assert [str(cap) for cap in policy.caps] == ["3 in 24 h"]
    version = policy.version
    shown = await browser.get(RULES)
    assert 'value="IE, IN, US"' in shown.text
    assert (await browser.send(RULES, RULES, fields)).status_code == 303
    assert (await house.rooms.agreements.policy(clinic.tenant)).version == version


async def test_what_rules_would_refuse_is_shown_before_they_are_saved(
    holder: SignedIn, house: House, clinic: Clinic
) -> None:
    browser = await holder(Role.OWNER)
    tried = await browser.send(
        RULES, RULES, {**PLAIN, "regions_rule": "listed", "allowed_regions": "IN", "do": "check"}
    )
    assert tried.status_code == 200
    assert "What these rules would refuse" in tried.text
    assert "outside the allowed countries: Ireland, United States" in tried.text
    assert 'value="IN"' in tried.text
    assert (await house.rooms.agreements.policy(clinic.tenant)).version == 0


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("allowed_regions", "Norway", "Name countries by their two letters"),
        ("quiet.until", "21:00", "Let them end at another time"),
        ("quiet.from", "late", "Write a time"),
        ("caps[0].most", "0", "whole number from 1"),
        ("caps[0].hours", "1e9", "whole number from 1"),
        ("time_zone", "../../etc/passwd", "Choose a time zone"),
        ("jurisdiction", "<b>", "Name the country"),
    ],
)
async def test_a_rule_that_cannot_be_read_is_told_beside_its_field(
    holder: SignedIn, house: House, clinic: Clinic, field: str, value: str, said: str
) -> None:
    browser = await holder(Role.OWNER)
    fields = {
        **PLAIN, "regions_rule": "listed", "allowed_regions": "IN", "quiet": "on", "quiet.from": "21:00", "quiet.until": "08:00",
        "quiet.otherwise": "wait", "caps[0].most": "3", "caps[0].hours": "24", "caps[0].otherwise": "wait", field: value,
    }  # fmt: skip
    told = await browser.send(RULES, RULES, fields)
    assert told.status_code == 400
    assert said in told.text
    assert (await house.rooms.agreements.policy(clinic.tenant)).version == 0


async def test_how_long_events_are_kept_is_changed_by_an_owner_and_stands_in_the_log(
    holder: SignedIn, house: House, clinic: Clinic
) -> None:
    browser = await holder(Role.OWNER)
    path = f"{RULES}/retention"
    assert (await browser.send(RULES, path, {"deliveries_days": "91"})).status_code == 400
    assert (await browser.send(RULES, path, {"deliveries_days": "30"})).status_code == 303
    assert 'value="30"' in (await browser.get(RULES)).text
    entry = next(e for e in reversed(await entries_of(house, clinic.tenant)) if e.get("connector") == "retention")
    assert (entry["kind"], entry["features"]) == ("grant", ["deliveries_days:30"])
    assert entry["actor"]["id"] == str(browser.person)


async def test_a_vendor_who_mistypes_the_days_is_shown_nothing_of_the_rules(holder: SignedIn) -> None:
    browser = await holder(Role.VENDOR)
    token = {"csrf": _token(browser)}
    told = await browser.ask("POST", f"{RULES}/retention", data={**token, "deliveries_days": "many"})
    assert told.status_code == 400
    assert "time zone" not in told.text


def _token(browser) -> str:
    from gateway.people.sessions import form_token

    return form_token(browser.cookies["gateway"])
