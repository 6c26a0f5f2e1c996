"""A message says the clinic's own registered text or is not sent; and never an old one, whoever changes it meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Conflict, InvalidRequest, NotFound, Refused
from gateway.flows import wording
from gateway.flows.family import carry
from gateway.flows.preview import preview
from gateway.flows.template import WishedVendor
from gateway.ledger.log import Ledger
from gateway.store import templates as rows
from scopes.consent import Channel
from scopes.dlt import Registration
from scopes.vocabulary import Outcome
from tests.gateway.house import entries_of
from tests.gateway.messaging import BODY, INDIA, Texts, texting

WHEN = "Fri, Nov 27, 2026 at 10:30 AM"
DLT = Registration(
    entity_id="1101234567890123456", header="CLINIC", template_id="1107123456789012345",
    text="Hi {#var#}, see you on {#var#} at {#var#}.",
)  # fmt: skip


@pytest.fixture
async def texts(dsn: str, tmp_path: Path) -> AsyncIterator[Texts]:
    async with texting(dsn, tmp_path) as texts:
        yield texts


async def refused(texts: Texts, payload: dict[str, Any] | None = None, **given: Any) -> list[tuple[str, str]]:
    """One message that is not let through; gives the reasons, which the ledger and a decision beforehand say too."""
    before = len(texts.vendor.requests)
    call = texts.call(payload, **given)
    beforehand = (await preview(call, texts.house.rooms)).decision
    with pytest.raises(Refused) as error:
        await texts.sends(payload, **given)
    reasons = [(str(reason.code), reason.what) for reason in error.value.reasons]
    assert [(str(reason.code), reason.what) for reason in beforehand.reasons] == reasons  # type: ignore[union-attr]
    entry = (await entries_of(texts.house, texts.tenant))[-1]
    assert [tuple(reason) for reason in entry["reasons"]] == reasons
    assert len(texts.vendor.requests) == before
    return reasons


async def test_a_message_says_the_clinics_text_filled_with_what_is_declared(texts: Texts) -> None:
    await texts.registers()
    told = await texts.sends({"given_name": "Asha", "diagnosis": "undeclared"})
    assert told.outcome is Outcome.ACCEPTED
    assert texts.heard() == {"to": "+14155550123", "text": f"Hi Asha, see you on {WHEN}."}
    (intent,) = await texts.log("intent")
    assert intent["template"] == ["reminder", 1, "en"]
    assert "template_registered" in intent["rules"]
    assert "Asha" not in str(intent)


async def test_a_message_without_a_text_is_refused_by_name(texts: Texts) -> None:
    assert await refused(texts) == [("template_unregistered", "reminder")]
    assert await refused(texts, {"template": "asha_rao"}) == [("template_unregistered", "the named template")]
    assert "asha" not in str(await texts.log("refusal"))


async def test_a_text_for_another_action_or_channel_is_none(texts: Texts) -> None:
    await texts.registers("Closed today.", name="closed", action="messaging/send_notice")
    assert await refused(texts, {"template": "closed"}) == [
        ("template_unregistered", "closed: for another action or channel")
    ]
    sent = await texts.sends({"template": "closed"}, action="send_notice")
    assert (sent.outcome, texts.heard()["text"]) == (Outcome.ACCEPTED, "Closed today.")


@pytest.mark.parametrize(
    ("has", "asked", "language"),
    [
        (["en"], None, "en"),
        (["en"], "hi", "en"),
        (["en", "hi"], "hi", "hi"),
        (["en", "hi"], "hi-IN", "hi"),
        (["en", "en-IN"], "en-IN", "en-IN"),
        (["en", "en-IN"], "en-GB", "en"),
        (["zh", "zh-Hant"], "zh-Hant-TW", "zh-Hant"),
        (["en", "hi"], None, None),
        (["en", "hi"], "de", None),
        (["en-IN", "hi"], "en", None),
    ],
)
async def test_a_message_is_in_the_language_that_comes_closest(
    texts: Texts, has: list[str], asked: str | None, language: str | None
) -> None:
    for tag in has:
        await texts.registers(f"{tag}: {{starts_at:time}}", language=tag)
    payload = {} if asked is None else {"language": asked}
    if language is None:
        assert await refused(texts, payload) == [("template_unregistered", "reminder: not in this language")]
    else:
        await texts.sends(payload)
        assert texts.heard()["text"].startswith(f"{language}: ")
        assert (await texts.log("intent"))[-1]["template"][2] == language


async def test_a_withheld_optional_field_falls_back_and_a_required_one_refuses_the_call(texts: Texts) -> None:
    await texts.registers()
    await texts.grants(withheld=frozenset({"given_name"}))
    await texts.sends({"given_name": "Asha"})
    assert texts.heard()["text"].startswith("Hi there,")
    await texts.grants(withheld=frozenset({"starts_at"}))
    assert await refused(texts) == [("required_withheld", "starts_at")]


async def test_a_note_leaves_only_where_the_clinic_switched_it_on_and_screened(texts: Texts) -> None:
    await texts.registers("Note: {note|none}", name="notice", action="messaging/send_notice")
    given = {"note": "Ask for +91 98765 43210\nor {given_name|}"}
    await texts.sends(given, action="send_notice")
    assert texts.heard()["text"] == "Note: none"
    await texts.grants(free_text=frozenset({"note"}))
    await texts.sends(given, action="send_notice")
    assert texts.heard()["text"] == "Note: Ask for +[removed] or {given_name|}"


async def test_a_family_s_next_vendor_says_the_text_of_its_own_channel(dsn: str, tmp_path: Path) -> None:
    async with texting(dsn, tmp_path, Channel.WHATSAPP, Channel.SMS) as texts:
        await texts.registers("By SMS: {starts_at:time}")
        told = await carry(texts.call(connector="messaging"), texts.house.rooms)
        assert [(each.connector, each.reasons) for each in told.tried] == [
            ("messaging/acme", ("template_unregistered",)), ("messaging/birds", ()),
        ]  # fmt: skip
        assert texts.heard()["text"] == "By SMS: 10:30 AM"
        vendor = WishedVendor(name="clinic_reminder", language="en_US")
        row = await texts.registers("By WhatsApp: {starts_at:time}", channel=Channel.WHATSAPP, at_vendor=vendor)
        assert (await carry(texts.call(connector="messaging"), texts.house.rooms)).outcome is Outcome.ACCEPTED
        assert texts.heard()["text"] == "By WhatsApp: 10:30 AM"
        assert (await texts.log("intent"))[-1]["template"] == ["reminder", row.version, "en"]


# India --------------------------------------------------------------------------------------------------------------------


async def test_an_sms_to_india_is_sent_only_as_it_is_registered_there(texts: Texts) -> None:
    await texts.registers()
    assert await refused(texts, {"phone": INDIA}) == [("template_unregistered", "reminder: no DLT registration")]
    await texts.sends()
    await texts.registers(dlt=DLT)
    await texts.sends({"phone": INDIA, "given_name": "Asha"})
    assert texts.heard() == {"to": INDIA, "text": f"Hi Asha, see you on {WHEN}."}


async def test_a_variable_that_is_too_long_for_india_is_not_sent(texts: Texts) -> None:
    dlt = Registration(**{**_as_dict(DLT), "text": "Come to {#var#} on {#var#}."})
    await texts.registers("Come to {place|us} on {starts_at:date}.", dlt=dlt)
    long = {"phone": INDIA, "place": "x" * 41}
    ((code, what),) = await refused(texts, long)
    assert code == "template_unregistered"
    assert "more than 40 characters" in what
    await texts.sends({"phone": INDIA, "place": "x" * 40})
    await texts.sends({"place": "x" * 41})


async def test_a_text_that_differs_from_its_registration_is_not_taken(texts: Texts) -> None:
    with pytest.raises(InvalidRequest) as error:
        await texts.registers("Hello {given_name|there}, see you on {starts_at:date} at {starts_at:time}.", dlt=DLT)
    assert [fault.path for fault in error.value.faults] == ["dlt.text"]


def _as_dict(registration: Registration) -> dict[str, str]:
    return {name: getattr(registration, name) for name in ("entity_id", "header", "template_id", "text")}


# Changes ------------------------------------------------------------------------------------------------------------------


async def test_a_change_is_a_version_an_entry_and_a_new_standing(texts: Texts) -> None:
    first = await texts.registers()
    again = await texts.registers()
    second = await texts.registers("New: {starts_at:time}")
    hindi = await texts.registers("नया: {starts_at:time}", language="hi")
    assert (first.version, again, second.version, hindi.version) == (1, first, 2, 3)
    await texts.house.rooms.templates.remove(texts.actor, "reminder", language="en")
    await texts.house.rooms.templates.remove(texts.actor, "reminder")
    with pytest.raises(NotFound):
        await texts.house.rooms.templates.remove(texts.actor, "reminder")
    assert (await texts.registers()).version == 4
    entries = [entry for entry in await texts.log("grant") if entry["connector"] == "templates"]
    assert [(entry["template"], entry["state"]) for entry in entries] == [
        (["reminder", 1, "en"], "present"),
        (["reminder", 2, "en"], "present"),
        (["reminder", 3, "hi"], "present"),
        (["reminder", 2, "en"], "removed"),
        (["reminder", 3, "hi"], "removed"),
        (["reminder", 4, "en"], "present"),
    ]
    assert f"sha256:{hashlib.sha256(BODY.encode()).hexdigest()}" in entries[0]["features"]
    assert {"action:messaging/send_reminder", "channel:sms"} < set(entries[0]["features"])
    assert "see you" not in str(entries)


async def test_what_an_old_version_said_can_still_be_read_and_is_changed_by_nobody(texts: Texts) -> None:
    await texts.registers()
    await texts.registers("New.")
    async with texts.house.rooms.store.tenant(texts.tenant) as connection:
        found = await connection.fetch("SELECT version, state, body FROM templates ORDER BY version")
        assert [tuple(row) for row in found] == [(1, "replaced", BODY), (2, "present", "New.")]
        with pytest.raises(Exception, match="permission denied"):
            await connection.execute("UPDATE templates SET body = 'x'")
    async with texts.house.rooms.store.tenant(texts.tenant) as connection:
        with pytest.raises(Exception, match="permission denied"):
            await connection.execute("DELETE FROM templates")


async def test_two_gateways_that_register_at_once_give_two_versions(texts: Texts) -> None:
    made = await asyncio.gather(
        *(texts.registers(f"{number}", house=each) for number in range(4) for each in (texts.house, texts.other))
    )
    versions = [row.version for row in made]
    assert len(set(versions)) >= 4
    async with texts.house.rooms.store.tenant(texts.tenant) as connection:
        assert len(await rows.present(connection, texts.tenant)) == 1


async def test_a_name_belongs_to_one_action(texts: Texts) -> None:
    await texts.registers()
    with pytest.raises(Conflict, match="for another action"):
        await texts.registers("Closed.", action="messaging/send_notice", language="hi")
    await texts.registers("Closed.", action="messaging/send_notice")  # takes the place of the only one


async def test_a_clinic_has_no_more_texts_than_are_remembered(texts: Texts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.templates.MOST", 2)
    for language in ("en", "hi"):
        await texts.registers(language=language)
    with pytest.raises(Conflict, match="at most 2 texts"):
        await texts.registers(language="mr")
    await texts.registers("Another: {starts_at:time}", language="hi")


async def test_a_text_that_another_gateway_changed_is_the_one_that_is_sent(texts: Texts) -> None:
    await texts.registers()
    await texts.sends()
    await texts.registers("New: {starts_at:time}", house=texts.other)
    await texts.sends()
    assert texts.heard()["text"] == "New: 10:30 AM"
    await texts.other.rooms.templates.remove(texts.actor, "reminder")
    assert await refused(texts) == [("template_unregistered", "reminder")]


async def test_a_text_changed_between_the_decision_and_the_intent_is_not_sent_as_it_was(
    texts: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await texts.registers("Old.")
    disclosing, changed = Ledger.disclosing, []

    def changing(self: Ledger, intent: Any, *rest: Any) -> Any:
        block = disclosing(self, intent, *rest)
        entered = block.__aenter__

        class Late:
            async def __aenter__(self) -> Any:
                if not changed:
                    changed.append(await texts.registers("New.", house=texts.other))
                return await entered()

            async def __aexit__(self, *failure: Any) -> Any:
                return await block.__aexit__(*failure)

        return Late()

    monkeypatch.setattr(Ledger, "disclosing", changing)
    assert (await texts.sends()).outcome is Outcome.ACCEPTED
    assert changed
    assert [texts.heard(at)["text"] for at in range(len(texts.vendor.requests))] == ["New."]
    assert [entry["template"] for entry in await texts.log("intent")] == [["reminder", 2, "en"]]


async def test_a_call_of_another_kind_looks_at_no_text(texts: Texts, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.flows import standing as flow
    from gateway.flows.broker import broker
    from tests.gateway.house import connected

    async def never(*_: Any) -> Any:
        raise AssertionError("nobody asked for words")

    monkeypatch.setattr(flow, "worded", never)
    monkeypatch.setattr(type(texts.house.rooms.templates), "present", never)
    clinic = await connected(texts.house)
    assert (await broker(clinic.call(purpose=clinic.call().purpose), texts.house.rooms)).id


async def test_texts_are_read_once_per_standing(texts: Texts, monkeypatch: pytest.MonkeyPatch) -> None:
    await texts.registers()
    reads, present = [], rows.present

    async def counted(*given: Any) -> Any:
        reads.append(given)
        return await present(*given)

    monkeypatch.setattr(rows, "present", counted)
    for _ in range(3):
        await texts.sends()
    assert len(reads) == 1


async def test_a_vendor_that_keeps_the_text_needs_the_channel_that_it_is_approved_for(texts: Texts) -> None:
    with pytest.raises(InvalidRequest) as error:
        await texts.registers(at_vendor=WishedVendor(name="reminder_1", language="en_US"))
    assert [fault.path for fault in error.value.faults] == ["whatsapp"]
    with pytest.raises(InvalidRequest) as error:
        await texts.registers(channel=Channel.WHATSAPP)
    assert {fault.path for fault in error.value.faults} == {"whatsapp"}
    with pytest.raises(InvalidRequest) as error:
        await texts.registers(channel=Channel.VOICE)  # no vendor of the family speaks
    assert "channel" in {fault.path for fault in error.value.faults}


def test_a_language_is_a_kind_of_its_base() -> None:
    assert wording._closest("zh-Hant-TW") == ["zh-Hant-TW", "zh-Hant", "zh"]
    assert wording._closest(None) == []
