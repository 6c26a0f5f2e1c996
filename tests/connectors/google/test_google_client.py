"""What is said to Google and what is made of its answers, where one request and one answer are not the whole of it."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connectors.contract import Ambiguous, ConnectorError, Rejected, TryLater
from connectors.google import mail
from connectors.google.actions import SendNotice, SendStaffNotice
from connectors.google.calendar import event_id
from connectors.google.fields import Language, Notice, StaffNotice
from connectors.google.words import SUBJECTS, TEXTS
from scopes.minimize import InvalidPayload, minimize, minimize_answer
from scopes.screen import screened
from scopes.vocabulary import Repeat
from tests.conformance.harness import KEY
from tests.connectors.google.google import BOOKING, EVENT, GOOGLE, OWN, TIMES, Door, act, door, refused, said

ROOT = Path(__file__).parents[3]
OURS = {"id": event_id(KEY), "status": "confirmed", "extendedProperties": {"private": {"ref": "appt_1", "call": KEY}}}
SOMEBODY_S = {**OURS, "extendedProperties": {"private": {"ref": "appt_1", "call": "disclosure-of-another-call"}}}


COLD = """
import asyncio, sys
from connectors.registry import Registry
Registry.load()
sdks = {"google.auth", "google.oauth2", "googleapiclient", "requests", "msal", "stripe", "twilio"}
assert not sdks & set(sys.modules), "loading the registry imports a vendor's package"
from tests.connectors.google.google import BOOKING, act, door, said
asyncio.run(act("create_event", BOOKING, door(said(200, {"id": "0i6v8c3n2q1k5m7p9r4t0a2b6d"}))))
assert not sdks & set(sys.modules), "a call imports a vendor's package"
"""


def test_no_package_of_google_s_is_imported_on_the_loop_of_a_call() -> None:
    """Tokens are google-auth's, which the gateway imports in a thread (tests/gateway/oauth/test_sdks.py)."""
    done = subprocess.run(
        [sys.executable, "-c", COLD], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_an_event_s_id_is_google_s_kind_and_always_the_same_for_one_call() -> None:
    assert event_id(KEY) == event_id(KEY) != event_id(f"{KEY}x")
    for key in ("", "a", KEY, "é" * 300):
        assert re.fullmatch(r"[0-9a-v]{52}", event_id(key))


@pytest.mark.parametrize("first", [refused(409, "duplicate"), said(503), said(200, {}), Ambiguous("earlier_attempt")])
async def test_an_event_that_is_there_already_is_looked_up_and_counts_as_made(first: Any) -> None:
    egress = door(first, said(200, OURS))
    answer = await act("create_event", BOOKING, egress)
    assert (answer.body["id"], answer.reference) == (event_id(KEY), event_id(KEY))
    made, looked = egress.requests
    assert (made.method, looked.method) == ("POST", "GET")
    assert looked.url.path == f"/calendar/v3/calendars/primary/events/{event_id(KEY)}"
    assert dict(looked.url.params)["fields"] == dict(made.url.params)["fields"]


@pytest.mark.parametrize("second", [said(200, SOMEBODY_S), said(404), said(500), said(200, {"id": event_id(KEY)})])
async def test_another_s_event_under_that_id_is_a_refusal(second: httpx2.Response) -> None:
    with pytest.raises(Rejected) as raised:
        await act("create_event", BOOKING, door(refused(409, "duplicate"), second))
    assert raised.value.code == "duplicate"
    with pytest.raises(Ambiguous):
        await act("create_event", BOOKING, door(said(503), second))


async def test_a_move_that_an_earlier_attempt_made_counts_as_made() -> None:
    move = {**TIMES, "event": EVENT, "etag": '"1"'}
    moved = {"id": EVENT, "extendedProperties": {"private": {"move": KEY}}}
    answer = await act("move_event", move, door(refused(412, "conditionNotMet"), said(200, moved)))
    assert answer.body["id"] == EVENT
    for second in (said(200, {"id": EVENT}), said(404)):
        with pytest.raises(Rejected) as raised:
            await act("move_event", move, door(refused(412, "conditionNotMet"), second))
        assert raised.value.code == "changed_meanwhile"


async def test_what_leaves_of_an_appointment_is_when_and_a_reference() -> None:
    egress = door(said(200, OURS))
    await act(
        "create_event", {**BOOKING, "description": "Jane Roe, chemotherapy", "attendees": ["jane@x.example"]}, egress
    )
    body = json.loads(egress.requests[0].content)
    assert body.keys() == {
        "id", "summary", "start", "end", "status", "visibility", "transparency", "reminders", "extendedProperties",
        "guestsCanInviteOthers", "guestsCanSeeOtherGuests",
    }  # fmt: skip
    assert (body["summary"], body["visibility"]) == ("Reserved", "private")
    assert dict(egress.requests[0].url.params)["sendUpdates"] == "none"


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Jane Roe"}, {"reference": "JaneRoe"}, {"calendar": "jane.roe@clinic.example"},
        {"ends_at": "2026-01-15T09:30:20Z"}, {"ends_at": "2026-03-15T09:30:00Z"}, {"calendar": "../../gmail"},
    ],
)  # fmt: skip
def test_an_event_takes_no_name_no_person_s_calendar_and_no_odd_time(change: dict[str, str]) -> None:
    with pytest.raises(InvalidPayload):
        minimize(GOOGLE.actions["create_event"].shape, {**BOOKING, **change})


@pytest.mark.parametrize("reason", ["rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded"])
async def test_a_403_of_too_many_requests_is_no_missing_scope(reason: str) -> None:
    for status in (403, 429):
        with pytest.raises(TryLater):
            await act("create_event", BOOKING, door(refused(status, reason)))


async def test_free_and_busy_times_are_told_under_the_host_s_own_names() -> None:
    people = ("Ann@clinic.example", "bo@clinic.example", "cy@clinic.example")
    asked = {**TIMES, "staff": [{"alias": f"dr_{17 + at}", "address": address} for at, address in enumerate(people)]}
    busy = [{"start": "2026-01-15T09:40:00Z", "end": "2026-01-15T09:50:00+00:00"}]
    found = {
        "ann@clinic.example": {"busy": busy},
        "bo@clinic.example": {"busy": [], "errors": [{"reason": "notFound"}]},
    }
    answer = await act("free_busy", asked, door(said(200, {"calendars": found})))
    told = minimize_answer(GOOGLE.actions["free_busy"].answer, answer.body)
    assert told == {
        "staff": [
            {
                "alias": "dr_17",
                "busy": [{"starts_at": "2026-01-15T09:40:00+00:00", "ends_at": "2026-01-15T09:50:00+00:00"}],
            },
            {"alias": "dr_18", "error": "not_found"},
            {"alias": "dr_19", "error": "missing"},
        ]
    }
    assert "@" not in json.dumps(told)


@pytest.mark.parametrize(
    "times", ["x", [{"start": "2026-01-15T09:40:00Z"}], [None], [{"start": "2026-01-15T09:40:00", "end": "z"}]]
)
async def test_times_that_cannot_be_read_are_not_taken_for_free_time(times: Any) -> None:
    asked = {**TIMES, "staff": [{"alias": "dr_17", "address": "ann@clinic.example"}]}
    answer = await act("free_busy", asked, door(said(200, {"calendars": {"ann@clinic.example": {"busy": times}}})))
    (one,) = minimize_answer(GOOGLE.actions["free_busy"].answer, answer.body)["staff"]
    assert "busy" not in one
    assert one["error"] in ("missing", "unreadable")


def test_two_of_the_staff_can_t_have_one_name() -> None:
    for staff in (["a", "a"], ["a", "b"]):
        asked = [
            {"alias": alias, "address": "Ann@clinic.example" if at else "ann@clinic.example"}
            for at, alias in enumerate(staff)
        ]
        with pytest.raises(InvalidPayload):
            minimize(GOOGLE.actions["free_busy"].shape, {**TIMES, "staff": asked})


async def test_a_place_that_google_forgot_is_started_over_from() -> None:
    whole = {"items": [{"id": EVENT, "status": "confirmed"}], "nextSyncToken": "s2"}
    egress = door(refused(410, "fullSyncRequired"), said(200, whole))
    answer = await act("sync_calendar", {"calendar": OWN, "sync_token": "s1"}, egress)
    assert (answer.body["from_the_beginning"], answer.body["sync_token"]) == (True, "s2")
    first, second = (dict(request.url.params) for request in egress.requests)
    assert first["syncToken"] == "s1"
    assert "syncToken" not in second
    with pytest.raises(Rejected):
        await act("sync_calendar", {"calendar": OWN}, door(refused(410, "fullSyncRequired")))


async def test_a_page_goes_on_where_it_ended() -> None:
    egress = door(said(200, {"items": [], "nextSyncToken": "s2"}))
    answer = await act("sync_calendar", {"calendar": OWN, "sync_token": "s1", "page_token": "p1"}, egress)
    asked = dict(egress.requests[0].url.params)
    assert (asked["syncToken"], asked["pageToken"]) == ("s1", "p1")
    assert answer.body["from_the_beginning"] is False


async def test_no_channel_is_opened_where_google_could_not_reach_us() -> None:
    for missing in ("callback_url", "callback_token"):
        egress = door()
        setattr(egress, missing, None)
        with pytest.raises(Rejected) as raised:
            await act("watch_calendar", {"calendar": OWN}, egress)
        assert (raised.value.code, egress.requests) == ("no_public_address", [])


def mailed(egress: Door) -> Any:
    raw = json.loads(egress.requests[0].content)["raw"]
    return message_from_bytes(base64.urlsafe_b64decode(raw), policy=default)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("notice", Notice)
async def test_a_notice_says_its_sentence_and_nothing_else(notice: Notice, language: Language) -> None:
    egress = door(said(200, {"id": "18c1f2a3b4c5d6e7"}), signature="Clinic on Mill Lane")
    await act(
        "send_notice", {"to": "o'neil+x@clinic.example", "notice": notice.value, "language": language.value}, egress
    )
    read = mailed(egress)
    assert read["To"] == "o'neil+x@clinic.example"
    assert read["Subject"] == SUBJECTS[SendNotice][language]
    assert read.get_content().replace("\r\n", "\n") == f"{TEXTS[notice][language]}\n\nClinic on Mill Lane\n"
    assert set(read.keys()) == {
        "To", "Subject", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding", "MIME-Version",
    }  # fmt: skip


def test_every_notice_has_its_words_in_every_language_and_none_tells_more() -> None:
    assert TEXTS.keys() == {*Notice, *StaffNotice}
    for words in (*TEXTS.values(), *SUBJECTS.values()):
        assert words.keys() == set(Language)
        assert all(screened(text) == text and "\n" not in text for text in words.values())


@pytest.mark.parametrize(
    "to",
    [
        "a@clinic.example\r\nBcc: b@evil.example", "a@clinic.example\nb", "a@clinic.example, b@evil.example",
        "Ann <a@clinic.example>", "a@clinic.example;b@evil.example", "a@clinic", "@clinic.example", "a\x00@clinic.example",
        '"a b"@clinic.example', "ä@clinic.example", "a@clinic.example ",
    ],
)  # fmt: skip
def test_an_address_brings_no_header_and_no_second_address(to: str) -> None:
    for name, notice in (("send_notice", "please_call"), ("send_staff_notice", "please_sign_in")):
        with pytest.raises(InvalidPayload):
            minimize(GOOGLE.actions[name].shape, {"to": to, "notice": notice})


@pytest.mark.parametrize(
    "to", ["a@clinic.example\r\nBcc: b@evil.example", "a@x.example, b@evil.example", "Ann <a@x.example>"]
)
def test_a_mail_refuses_them_too_should_one_get_that_far(to: str) -> None:
    fields = SendNotice.model_construct(to=to, notice=Notice.PLEASE_CALL, language=Language.ENGLISH)
    with pytest.raises(Rejected):
        mail.message(fields, None)


def test_a_signature_stays_in_the_text() -> None:
    fields = SendNotice(to="a@clinic.example", notice=Notice.PLEASE_CALL)
    made = mail.message(fields, "Clinic\r\nBcc: b@evil.example")
    read = message_from_bytes(base64.urlsafe_b64decode(made["raw"]), policy=default)
    assert "Bcc" not in read
    rule = GOOGLE.manifest.settings["signature"]
    for spoiled in ("Clinic\r\nBcc: b", "see https://evil.example", "a@b", "<b>"):
        assert not re.fullmatch(rule.pattern, spoiled)


@pytest.mark.parametrize(
    ("domains", "to", "code"),
    [
        ("", "a@clinic.example", "staff_domains_missing"),
        ("clinic.example", "patient@mail.example", "not_a_staff_domain"),
        ("clinic.example", "patient@clinic.example.evil.example", "not_a_staff_domain"),
        ("clinic.example", "patient@notclinic.example", "not_a_staff_domain"),
    ],
)
async def test_a_notice_to_staff_leaves_for_the_clinic_s_own_domains_only(domains: str, to: str, code: str) -> None:
    egress = door(staff_domains=domains)
    with pytest.raises(Rejected) as raised:
        await act("send_staff_notice", {"to": to, "notice": "please_sign_in"}, egress)
    assert (raised.value.code, egress.requests) == (code, [])
    egress = door(said(200, {"id": "18c1f2a3b4c5d6e7"}), staff_domains="other.example,clinic.example")
    await act("send_staff_notice", {"to": "A@Clinic.Example", "notice": "please_sign_in"}, egress)
    assert mailed(egress)["Subject"] == SUBJECTS[SendStaffNotice][Language.ENGLISH]


@pytest.mark.parametrize("unclear", [said(500), said(502), Ambiguous("timeout"), said(200, {})])
async def test_a_mail_is_not_sent_twice_where_it_is_not_clear_whether_it_was(unclear: Any) -> None:
    egress = door(unclear)
    with pytest.raises(ConnectorError):
        await act("send_notice", {"to": "a@clinic.example", "notice": "please_call"}, egress)
    assert len(egress.requests) == 1
    assert GOOGLE.actions["send_notice"].repeat is Repeat.IF_UNSENT
