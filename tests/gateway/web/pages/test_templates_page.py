"""Texts on pages: written with a preview that stores nothing, registered, removed; whatever they hold is shown and never run."""

from __future__ import annotations

from gateway.app import House
from gateway.people import Role
from tests.gateway.house import Clinic
from tests.gateway.web.pages.conftest import SignedIn

HERE = "/settings/templates"
NEW = f"{HERE}/new"
BODY = "Hi {given_name|there}, we expect you on {starts_at:date} at {starts_at:time}."
TEXT = {"name": "reminder", "action": "messaging/send_reminder", "channel": "sms", "language": "en", "body": BODY}
HOSTILE = "<script>alert(1)</script>"


async def rows(house: House, clinic: Clinic):
    """The texts in use."""
    return await house.rooms.templates.page(clinic.tenant, after=None, limit=10)


async def preview(browser, fields: dict[str, str]) -> str:
    """What the preview page says."""
    from gateway.people.sessions import form_token

    shown = await browser.ask(
        "POST", f"{HERE}/preview", data={"csrf": form_token(browser.cookies["gateway"]), **fields}
    )
    assert shown.status_code == 200
    return shown.text.partition('id="preview"')[2]


async def test_a_text_is_shown_with_its_segments_and_what_leaves_and_nothing_is_stored(
    holder: SignedIn, house: House, clinic: Clinic
) -> None:
    browser = await holder(Role.INTEGRATIONS)
    seen = await preview(browser, TEXT)
    assert "Hi Meenakshi, we expect you on" in seen
    assert "Hi there, we expect you on" in seen
    assert "1 SMS" in seen
    assert "GSM-7" in seen
    assert "Appointment" in seen
    assert await rows(house, clinic) == []
    dear = await preview(browser, {**TEXT, "body": "नमस्ते, नमस्ते. " + BODY})
    assert "2 SMS" in dear
    assert "UCS-2" in dear
    assert "which GSM-7 does not have" in dear


async def test_a_text_that_cannot_be_said_is_told_why_in_the_preview(holder: SignedIn) -> None:
    browser = await holder(Role.OWNER)
    seen = await preview(browser, {**TEXT, "body": "Your {diagnosis} is due", "language": "nonsense!"})
    assert "{diagnosis} is nothing that can be said here" in seen
    assert "must be a language as in BCP 47" in seen
    assert "bubble" not in seen


async def test_a_text_is_registered_edited_and_taken_out_of_use(holder: SignedIn, house: House, clinic: Clinic) -> None:
    browser = await holder(Role.OWNER)
    assert (await browser.send(NEW, NEW, TEXT)).headers["location"] == HERE
    first = (await rows(house, clinic))[0]
    assert (first.name, first.version, first.body) == ("reminder", 1, BODY)
    shown = (await browser.get(f"{HERE}/{first.id}")).text
    assert "Hi Meenakshi" in shown, "the preview is there from the beginning"
    edited = {**TEXT, "body": "Hello {given_name|there}.\r\nSee you on {starts_at:date}."}
    assert (await browser.send(f"{HERE}/{first.id}", NEW, edited)).status_code == 303
    second = (await rows(house, clinic))[0]
    assert (second.version, second.body) == (2, "Hello {given_name|there}.\nSee you on {starts_at:date}.")
    assert (await browser.get(f"{HERE}/{first.id}")).status_code == 404
    path = f"{HERE}/{second.id}/remove"
    assert (await browser.send(path, path)).status_code == 303
    assert await rows(house, clinic) == []


async def test_whatsapps_placeholders_are_kept_in_their_order(holder: SignedIn, house: House, clinic: Clinic) -> None:
    browser = await holder(Role.OWNER)
    fields = {
        **TEXT, "channel": "whatsapp", "whatsapp.name": "reminder_v2", "whatsapp.language": "en_US",
        "whatsapp.parameters[0].component": "body", "whatsapp.parameters[0].kind": "date_time",
        "whatsapp.parameters[0].placeholder": "{starts_at:date}", "whatsapp.parameters[0].base": "",
        "whatsapp.parameters[1].component": "body", "whatsapp.parameters[1].kind": "text",
        "whatsapp.parameters[1].placeholder": "{given_name|there}", "whatsapp.parameters[1].base": "",
    }  # fmt: skip
    assert (await browser.send(NEW, NEW, fields)).status_code == 303
    row = (await rows(house, clinic))[0]
    assert row.whatsapp is not None
    assert [slot["placeholder"] for slot in row.whatsapp["parameters"]] == ["{starts_at:date}", "{given_name|there}"]
    shown = (await browser.get(f"{HERE}/{row.id}")).text
    assert 'value="{starts_at:date}"' in shown
    bare = {**TEXT, "channel": "whatsapp"}
    assert "only templates that are approved there are sent" in (await browser.send(NEW, NEW, bare)).text


async def test_a_registration_that_differs_from_the_text_is_refused(holder: SignedIn) -> None:
    browser = await holder(Role.OWNER)
    dlt = {
        "dlt.entity_id": "1" * 19, "dlt.template_id": "2" * 19, "dlt.header": "CLINIC",
        "dlt.text": "Hi {#var#}, we expect you on {#var#} at {#var#}.",
    }  # fmt: skip
    assert (await browser.send(NEW, NEW, {**TEXT, **dlt})).status_code == 303
    told = await browser.send(NEW, NEW, {**TEXT, **dlt, "dlt.text": "Another text"})
    assert told.status_code == 400
    assert "an example does not match" in told.text
    short = await browser.send(NEW, NEW, {**TEXT, **dlt, "dlt.entity_id": "12"})
    assert "19 digits" in short.text.partition("dlt.entity_id-fault")[2][:400]


async def test_what_a_text_holds_is_shown_and_never_run(holder: SignedIn) -> None:
    browser = await holder(Role.OWNER)
    hostile = {**TEXT, "body": f"{HOSTILE} {{starts_at:date}}", "name": HOSTILE, "language": HOSTILE}
    told = await browser.send(NEW, NEW, hostile)
    assert told.status_code == 400
    assert "<script>alert" not in told.text
    assert (await browser.send(NEW, NEW, {**TEXT, "body": f"{HOSTILE} {{starts_at:date}}"})).status_code == 303
    assert "<script>alert" not in (await browser.get(HERE)).text
    assert "&lt;script&gt;alert" in (await browser.get(HERE)).text
