"""The auditor's pages over HTTP: what is narrowed, found, exported and written down; a reference stands in no address."""

from __future__ import annotations

import csv
import html
import io
import re
from base64 import b64decode
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
from markupsafe import escape

from gateway.app import House
from gateway.errors import Refused
from gateway.flows.broker import broker
from gateway.ids import new_id
from gateway.ledger.checkpoint import Verifier, open_checkpoint
from gateway.ledger.merkle import leaf_hash, verify_inclusion
from gateway.ledger.verify import main as verify
from gateway.ledger.writer import Draft
from gateway.people import Role
from gateway.store import StoreUnavailable
from gateway.store import ledger as rows
from scopes.vocabulary import Purpose
from tests.gateway.egress.vendor import Vendor, answer
from tests.gateway.house import PAYMENT, Clinic, connected, entries_of
from tests.gateway.web.pages.conftest import Browser, Clock, SignedIn

REFERENCE = "pat_4Km8QwT3"
OTHER = "pat_9Xb4RtY2"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture
async def clinic(house: House) -> Clinic:
    """A connected clinic."""
    return await connected(house)


@pytest.fixture
async def auditor(holder: SignedIn, clinic: Clinic) -> Browser:
    """Somebody who may look and change nothing."""
    return await holder(Role.AUDITOR, name="Anouk Reyes")


async def called(house: House, clinic: Clinic, vendor: Vendor, **given: Any) -> UUID:
    """One disclosure that the vendor took."""
    vendor.answers = [answer(200, orjson.dumps(PAYMENT))]
    return (await broker(clinic.call(**given), house.rooms)).id


async def refused(house: House, clinic: Clinic, **given: Any) -> None:
    """One call that is not let through."""
    with pytest.raises(Refused):
        await broker(clinic.call(purpose=Purpose.TREAT, **given), house.rooms)


def links(text: str, start: str) -> list[str]:
    """The addresses of a page that begin like this."""
    return [html.unescape(found) for found in re.findall(r'href="([^"]+)"', text) if found.startswith(start)]


async def accesses(house: House, clinic: Clinic) -> list[dict[str, Any]]:
    """Who looked at what."""
    written = [entry for entry in await entries_of(house, clinic.tenant) if entry["kind"] == "access"]
    return [entry for entry in written if entry["actor"]["kind"] == "person"]


async def test_the_log_shows_what_left_newest_first_and_each_look_is_written_down(
    house: House, clinic: Clinic, vendor: Vendor, auditor: Browser
) -> None:
    ids = [await called(house, clinic, vendor, subject=REFERENCE) for _ in range(3)]
    page = await auditor.get("/auditor")
    assert page.status_code == 200
    assert links(page.text, "/auditor/disclosures/") == [f"/auditor/disclosures/{each}" for each in reversed(ids)]
    assert page.text.count(">Accepted<") >= 3
    [looked] = await accesses(house, clinic)
    assert looked["what"] == "disclosures"
    assert looked["count"] == 3
    assert looked["actor"] == {"kind": "person", "id": str(auditor.person)}


async def test_pages_turn_by_a_cursor_and_no_row_comes_twice(
    house: House, clinic: Clinic, vendor: Vendor, auditor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.auditor.log.PER_PAGE", 2)
    ids = [await called(house, clinic, vendor) for _ in range(5)]
    seen, path = [], "/auditor"
    while path:
        text = (await auditor.get(path)).text
        seen += links(text, "/auditor/disclosures/")
        path = next(iter(links(text, "/auditor?before=")), "")
        assert len(seen) <= 5
    assert seen == [f"/auditor/disclosures/{each}" for each in reversed(ids)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("recipient=Stripe%2C+Inc.", 2), ("recipient=Nobody", 0), ("connector=payments%2Fstripe", 2), ("connector=x", 0),
        ("purpose=HPAYMT", 2), ("purpose=TREAT", 0), ("category=billing", 2), ("category=imaging", 0),
        ("outcome=accepted", 2), ("outcome=failed", 0), ("outcome=refused", 1), ("outcome=refused&purpose=TREAT", 1),
        ("since=2020-01-01&until=2020-12-31", 0), ("since=2020-01-01", 2), ("until=2020-01-01T00%3A00Z", 0),
    ],
)  # fmt: skip
async def test_each_field_narrows_the_log(
    house: House, clinic: Clinic, vendor: Vendor, auditor: Browser, query: str, found: int
) -> None:
    await called(house, clinic, vendor, subject=REFERENCE)
    await called(house, clinic, vendor, subject=OTHER)
    await refused(house, clinic)
    page = await auditor.get(f"/auditor?{query}")
    assert page.status_code == 200
    rows = links(page.text, "/auditor/disclosures/") + links(page.text, "/auditor/refusals/")
    assert len(rows) == found, query


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("purpose=FUN", "purpose"), ("category=shoes", "category"), ("outcome=maybe", "outcome"), ("since=yesterday", "since"),
        ("since=2026-02-30", "since"), ("since=2026-02-02&until=2026-02-01", "until"), ("since=2026-01-01T10:00", "since"),
        ("recipient=%00", "recipient"), (f"connector={'x' * 300}", "connector"), ("subject=pat_7Hq2ZkW9", "subject"),
        ("outcome=refused&recipient=A", "recipient"), ("outcome=refused&category=billing", "category"),
        ("until=9999-12-31", "until"),
    ],
)  # fmt: skip
async def test_what_means_nothing_is_told_at_its_field_and_nothing_is_searched(
    house: House, clinic: Clinic, auditor: Browser, query: str, field: str
) -> None:
    page = await auditor.get(f"/auditor?{query}")
    assert page.status_code == 400
    assert field == "subject" or f'id="{field}-fault"' in page.text
    assert await accesses(house, clinic) == []


async def test_a_person_is_found_by_a_form_and_their_reference_stands_in_no_address(
    house: House, clinic: Clinic, vendor: Vendor, auditor: Browser
) -> None:
    mine = await called(house, clinic, vendor, subject=REFERENCE)
    await called(house, clinic, vendor, subject=OTHER)
    went = await auditor.send("/auditor?purpose=HPAYMT", "/auditor/find", {"reference": REFERENCE})
    assert went.status_code == 303
    to = went.headers["location"]
    assert REFERENCE not in to
    assert "purpose=HPAYMT" in to
    page = await auditor.get(to)
    assert links(page.text, "/auditor/disclosures/") == [f"/auditor/disclosures/{mine}"]
    assert REFERENCE not in page.text
    account = await auditor.send("/auditor/subject", "/auditor/find", {"reference": REFERENCE})
    assert account.headers["location"].startswith("/auditor/subject?subject=")
    assert REFERENCE not in orjson.dumps(await accesses(house, clinic)).decode()
    assert [each["what"] for each in await accesses(house, clinic)].count("subject") == 2


@pytest.mark.parametrize("page", ["/auditor", "/auditor/subject"])
async def test_a_person_who_is_not_known_is_told_so_and_the_search_is_written_down(
    house: House, clinic: Clinic, auditor: Browser, page: str
) -> None:
    answered = await auditor.send(page, "/auditor/find", {"reference": "pat_0000unknown1"})
    assert answered.status_code == 400
    assert "The log knows nobody by this reference." in answered.text
    assert [each["count"] for each in await accesses(house, clinic) if each["what"] == "subject"] == [0]


async def test_the_account_of_a_person_names_every_recipient_with_first_last_and_number(
    house: House, clinic: Clinic, vendor: Vendor, auditor: Browser
) -> None:
    for _ in range(3):
        await called(house, clinic, vendor, subject=REFERENCE)
    await called(house, clinic, vendor, subject=OTHER)
    await refused(house, clinic, subject=REFERENCE)
    vendor.answers = [answer(500, b"{}")] * 9
    await broker(clinic.call(subject=REFERENCE), house.rooms)
    to = (await auditor.send("/auditor/subject", "/auditor/find", {"reference": REFERENCE})).headers["location"]
    page = await auditor.get(to)
    row = re.search(r"<th scope=\"row\"><a[^>]*>Stripe, Inc\.</a>.*?</tr>", page.text, re.DOTALL)
    assert row is not None
    assert re.search(r'class="number">4', row[0])
    assert "Billing" in row[0]
    assert "<dd>1</dd>" in page.text  # refused
    sheet = await auditor.send(to, "/auditor/subject/csv")
    read = list(csv.DictReader(io.StringIO(sheet.text)))
    assert [(each["recipient"], each["disclosures"]) for each in read] == [("Stripe, Inc.", "4")]
    assert {"account", "account_csv"} <= {each["what"] for each in await accesses(house, clinic)}
    early = await auditor.get(f"{to}&until=2020-01-01")
    assert "Nothing was disclosed about this person" in early.text


async def test_one_disclosure_tells_all_of_it_and_its_bytes_and_proof_verify(
    house: House, clinic: Clinic, vendor: Vendor, auditor: Browser
) -> None:
    for _ in range(3):
        await called(house, clinic, vendor)
    one = await called(house, clinic, vendor, subject=REFERENCE)
    page = await auditor.get(f"/auditor/disclosures/{one}")
    assert page.status_code == 200
    for word in ("Stripe, Inc.", "amount_minor", "feature on", "HPAYMT", str(clinic.connection.id), "none was needed"):
        assert word in page.text, word
    intent = next(entry for entry in await entries_of(house, clinic.tenant) if entry.get("disclosure") == str(one))
    raw = (await auditor.get(f"/auditor/entries/{intent['index']}")).content
    assert orjson.loads(raw) == intent
    assert str(escape(raw.decode())) in page.text
    proof = (await auditor.get(f"/auditor/entries/{intent['index']}/proof")).json()
    decoded = [b64decode(each) for each in proof["hashes"]]
    head = open_checkpoint(proof["checkpoint"], [Verifier.from_vkey(proof["key"])])
    verify_inclusion(index=intent["index"], size=head.size, leaf=leaf_hash(raw), proof=decoded, root=head.root)
    assert [each["what"] for each in await accesses(house, clinic)] == ["disclosure", "entry"]


async def test_one_refusal_tells_why_and_what_to_do(house: House, clinic: Clinic, auditor: Browser) -> None:
    await refused(house, clinic, subject=REFERENCE)
    listed = await auditor.get("/auditor/refusals")
    [path] = links(listed.text, "/auditor/refusals/")
    page = await auditor.get(path)
    assert "Purpose not served" in page.text
    assert "Call the action for a purpose that it declares." in page.text
    assert links((await auditor.get("/auditor/refusals?reason=purpose_not_allowed")).text, "/auditor/refusals/") == [
        path
    ]
    assert links((await auditor.get("/auditor/refusals?reason=quiet_hours")).text, "/auditor/refusals/") == []


@pytest.mark.parametrize("path", ["disclosures/{}", "refusals/{}"])
async def test_nothing_of_another_clinic_is_shown(
    house: House, clinic: Clinic, vendor: Vendor, auditor: Browser, holder: SignedIn, path: str
) -> None:
    theirs = await connected(house)
    other = await called(house, theirs, vendor, subject=REFERENCE)
    await refused(house, theirs)
    [refusal] = [e["disclosure"] for e in await entries_of(house, theirs.tenant) if e["kind"] == "refusal"]
    wanted = path.format(other if "disclosures" in path else refusal)
    assert (await auditor.get(f"/auditor/{wanted}")).status_code == 404
    owner = await holder(Role.OWNER, tenant=theirs.tenant)
    assert (await owner.get(f"/auditor/{wanted}")).status_code == 200
    to = await auditor.send("/auditor", "/auditor/find", {"reference": REFERENCE})
    assert to.status_code == 400  # known there, not here


@pytest.mark.parametrize("index", ["-1", "x", "99999999", "1e3", "9" * 40, "٣"])
async def test_an_entry_that_is_none_is_not_found(auditor: Browser, index: str) -> None:
    for path in (f"/auditor/entries/{index}", f"/auditor/entries/{index}/proof"):
        assert (await auditor.get(path)).status_code == 404


async def test_a_view_is_kept_for_one_person_and_replaced_by_its_name(
    house: House, clinic: Clinic, auditor: Browser, holder: SignedIn
) -> None:
    for outcome in ("failed", "unknown"):
        saved = await auditor.send(f"/auditor?outcome={outcome}", "/auditor/views", {"title": HOSTILE[:50]})
        assert saved.headers["location"] == f"/auditor?outcome={outcome}"
    page = (await auditor.get("/auditor")).text
    assert links(page, "/auditor?outcome=") == ["/auditor?outcome=unknown"]
    assert "<script>alert" not in page
    other = await holder(Role.AUDITOR)
    assert links((await other.get("/auditor")).text, "/auditor?outcome=") == []
    [view] = await house.rooms.people.views.of(clinic.tenant, UUID(str(auditor.person)))
    theirs = await other.ask("POST", f"/auditor/views/{view.id}/remove", data={"csrf": (await _token(other))})
    assert theirs.status_code == 404
    gone = await auditor.send("/auditor", f"/auditor/views/{view.id}/remove")
    assert gone.status_code == 303
    assert await house.rooms.people.views.of(clinic.tenant, UUID(str(auditor.person))) == []


async def _token(browser: Browser) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', (await browser.get("/auditor")).text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("title", ["", "x" * 61, "a\nb"])
async def test_a_view_needs_a_name(auditor: Browser, title: str) -> None:
    answered = await auditor.send("/auditor?outcome=failed", "/auditor/views", {"title": title})
    assert answered.status_code == 400
    assert "Give the view a name" in answered.text


async def test_the_views_of_whoever_leaves_the_clinic_are_gone(house: House, clinic: Clinic, auditor: Browser) -> None:
    await auditor.send("/auditor?outcome=failed", "/auditor/views", {"title": "failed"})
    person = UUID(str(auditor.person))
    await house.rooms.people.accounts.remove(clinic.actor, person)
    assert await house.rooms.people.views.of(clinic.tenant, person) == []


async def test_a_sheet_holds_every_row_that_fits_and_is_written_down(
    house: House, clinic: Clinic, vendor: Vendor, auditor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.flows.look._AT_ONCE", 2)
    ids = [str(await called(house, clinic, vendor, subject=REFERENCE)) for _ in range(5)]
    await refused(house, clinic)
    shown = await auditor.get("/auditor/export?category=billing")
    assert "<strong>5</strong> rows" in shown.text
    sheet = await auditor.send("/auditor/export?category=billing", "/auditor/export/csv")
    assert sheet.headers["content-disposition"] == 'attachment; filename="disclosures.csv"'
    assert [row["id"] for row in csv.DictReader(io.StringIO(sheet.text))] == ids[::-1]
    assert REFERENCE not in sheet.text
    other = await auditor.send("/auditor/export?outcome=refused", "/auditor/export/csv")
    assert [row["reasons"] for row in csv.DictReader(io.StringIO(other.text))] == ["purpose_not_allowed"]
    written = [each for each in await accesses(house, clinic) if each["what"] == "csv"]
    assert [(each["count"], each["query"].get("category")) for each in written] == [(5, "billing"), (1, None)]
    assert written[1]["query"]["outcome"] == "refused"


@pytest.mark.parametrize("narrowed", ["", "recipient=Stripe%2C+Inc.", "since=2020-01-01"])
async def test_a_bundle_verifies_offline(
    house: House, clinic: Clinic, vendor: Vendor, auditor: Browser, tmp_path: Path, narrowed: str
) -> None:
    for _ in range(3):
        await called(house, clinic, vendor, subject=REFERENCE)
    bundle = await auditor.send(f"/auditor/export?{narrowed}", "/auditor/export/bundle")
    assert bundle.status_code == 200, bundle.text
    assert bundle.headers["content-length"] == str(len(bundle.content))
    file = tmp_path / "evidence.zip"
    file.write_bytes(bundle.content)
    assert verify([str(file), "--key", house.rooms.proofs.signer(clinic.tenant).vkey]) == 0
    assert [each["what"] for each in await accesses(house, clinic)] == ["bundle"]


async def test_a_bundle_of_nothing_is_not_made(auditor: Browser) -> None:
    page = await auditor.get("/auditor/export?until=2020-01-01")
    assert "/auditor/export/bundle" not in page.text
    form = {"csrf": await _token(auditor), "until": "2020-01-01"}
    assert (await auditor.ask("POST", "/auditor/export/bundle", data=form)).status_code == 404


async def test_every_mark_of_the_charts_leads_to_as_many_entries_as_it_counts(
    house: House, clinic: Clinic, vendor: Vendor, auditor: Browser
) -> None:
    for _ in range(4):
        await called(house, clinic, vendor)
    await refused(house, clinic)
    page = await auditor.get("/auditor/charts")
    marks = re.findall(r'<a href="([^"]+)" tabindex="-1" aria-label="[^"]*: (\d+)">', page.text)
    cells = re.findall(r'<td class="number level-\d"><a href="([^"]+)">(\d+)</a>', page.text)
    assert len(marks) == 2
    assert len(cells) >= 2
    for path, number in [*marks, *cells]:
        text = (await auditor.get(html.unescape(path))).text
        rows = links(text, "/auditor/disclosures/") + links(text, "/auditor/refusals/")
        assert len(rows) == int(number), path


@pytest.mark.parametrize("query", ["since=x", "since=2026-02-02&until=2026-01-01", "since=2001-01-01&until=2026-01-01"])
async def test_charts_of_no_period_say_so(auditor: Browser, query: str) -> None:
    page = await auditor.get(f"/auditor/charts?{query}")
    assert page.status_code == 400
    assert "-fault" in page.text


async def test_an_anomaly_says_why_it_is_shown_and_leads_to_the_log(
    house: House, clinic: Clinic, vendor: Vendor, holder: SignedIn, clock: Clock
) -> None:
    clock.forward(hours=(12 - clock().hour) % 24)
    for _ in range(3):
        await called(house, clinic, vendor)
    auditor = await holder(Role.AUDITOR)
    page = await auditor.get("/auditor/anomalies")
    assert "is a new recipient" in page.text
    assert "Shown because nothing had gone to this recipient" in page.text
    assert len(links(page.text, "/auditor/disclosures/")) == 1
    assert "At night" not in page.text
    clock.forward(hours=11)  # 23:00, and the session has ended
    at_night = [await called(house, clinic, vendor) for _ in range(2)]
    auditor = await holder(Role.AUDITOR)
    page = await auditor.get("/auditor/anomalies")
    assert "in 1 night" in page.text
    [night] = [path for path in links(page.text, "/auditor?") if "T22" in path]
    found = links((await auditor.get(night)).text, "/auditor/disclosures/")
    assert found == [f"/auditor/disclosures/{each}" for each in reversed(at_night)]


async def test_the_database_lets_the_auditors_role_change_nothing(house: House, clinic: Clinic) -> None:
    for table in ("disclosures", "entries", "views", "debuts", "tallies_slots", "called", "consents"):
        with pytest.raises((asyncpg.InsufficientPrivilegeError, StoreUnavailable)):
            async with house.rooms.store.reading(clinic.tenant) as connection:
                await connection.execute(f"DELETE FROM {table}")


async def test_hostile_names_are_shown_and_never_run(house: House, clinic: Clinic, auditor: Browser) -> None:
    disclosure, at = new_id(), house.rooms.clock() - timedelta(minutes=1)
    fields = {
        "v": 1, "actor": {"kind": "jwt", "id": HOSTILE}, "request": HOSTILE, "disclosure": str(disclosure),
        "connector": HOSTILE, "action": HOSTILE, "connection": str(uuid4()), "purpose": "TREAT", "subject": None,
        "recipient": {"name": HOSTILE, "role": HOSTILE, "country": HOSTILE}, "fields": [[HOSTILE, "billing", HOSTILE]],
        "withheld": [HOSTILE], "payload": {"commitment": HOSTILE, "length": 1}, "standing": 1, "rules": [HOSTILE],
        "endpoint": {"host": HOSTILE, "regions": [HOSTILE]}, "transfer": HOSTILE, "feature": HOSTILE, "call": HOSTILE,
        "template": [HOSTILE, 1, HOSTILE], "register": {"version": 1, "hash": HOSTILE}, "agreement": HOSTILE,
    }  # fmt: skip
    row = rows.DisclosureRow(
        clinic.tenant, disclosure, at, HOSTILE, HOSTILE, uuid4(), HOSTILE, "TREAT", ["billing"], None, HOSTILE, b"", None, None
    )  # fmt: skip
    await house.writer.append(Draft(clinic.tenant, "intent", at, fields, disclosure=row))
    for path in ("", "/charts", "/anomalies", "/export", f"/disclosures/{disclosure}"):
        page = await auditor.get(f"/auditor{path}")
        assert page.status_code == 200, path
        assert "<script>alert" not in page.text, path
        assert "<img src=x" not in page.text, path
        assert path == "/export" or "&lt;script&gt;alert(1)" in page.text, path
    found = await auditor.get(links((await auditor.get(f"/auditor/disclosures/{disclosure}")).text, "/auditor?rec")[0])
    assert f"/auditor/disclosures/{disclosure}" in found.text
