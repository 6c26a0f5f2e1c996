"""What a message may hold: names that are names, places without numbers of persons, payment pages on https."""

from typing import Any

import pytest

from connectors.messaging import actions
from connectors.messaging.fields import Meaning
from scopes.field import Shape, shape_of
from scopes.minimize import InvalidPayload, minimize, minimize_answer
from scopes.vocabulary import Category

REMINDER = shape_of(actions.SendReminder)
LINK = shape_of(actions.SendPaymentLink)
NOTICE = shape_of(actions.SendNotice)
PHONE = "+14155550123"
STARTS_AT = "2026-11-27T10:30:47+05:30"
PAY = {"phone": PHONE, "url": "https://pay.example.com/l/7Hq2", "amount_minor": 4250, "currency": "INR"}


def kept(shape: Shape, **given: Any) -> dict[str, Any]:
    base = {"phone": PHONE, "starts_at": STARTS_AT} if shape is REMINDER else PAY if shape is LINK else {"phone": PHONE}
    return minimize(shape, {**base, **given}).values


def refused(shape: Shape, **given: Any) -> list[str]:
    with pytest.raises(InvalidPayload) as error:
        kept(shape, **given)
    for value in given.values():
        assert not isinstance(value, str) or len(value) < 3 or value not in str(error.value)
    return [fault.path for fault in error.value.faults]


def test_a_reminder_says_when_to_the_minute_and_in_the_offset_that_it_was_given() -> None:
    assert kept(REMINDER)["starts_at"] == "2026-11-27T10:30:00+05:30"
    assert refused(REMINDER, starts_at="2026-11-27T10:30:47") == ["starts_at"]


@pytest.mark.parametrize(
    "name", ["Asha", "Anne-Marie", "O’Neill", "D'Arcy", "J. R.", "मीनाक्षी", "محمد", "Nguyễn Thị", "李", "José", "ক্ষিতি"]
)
def test_a_name_of_any_script_is_a_name(name: str) -> None:
    assert kept(REMINDER, given_name=name, practitioner=name)["given_name"] == name


@pytest.mark.parametrize(
    "name",
    ["", " ", "-", "Asha1", "Asha\nBcc", "Asha {x}", "a@b.de", "http://x", "x" * 41, "Asha, HIV+", "\u202eahsA", "<b>"],
)
def test_what_is_not_made_like_a_name_is_refused(name: str) -> None:
    assert refused(REMINDER, given_name=name) == ["given_name"]
    assert refused(REMINDER, practitioner=name) == ["practitioner"]


def test_spaces_in_a_name_are_one_space() -> None:
    assert kept(REMINDER, given_name="  Anne   Marie ")["given_name"] == "Anne Marie"


@pytest.mark.parametrize(
    "place", ["Room 4, 2nd floor", "12 MG Road, Bengaluru 560001", "Gebäude C/3 (links)", "OPD #7"]
)
def test_a_place_may_have_numbers_of_its_own(place: str) -> None:
    assert kept(REMINDER, place=place)["place"] == place


@pytest.mark.parametrize(
    "place", ["", "  ", "x" * 81, "Room {x}", "call +91 98765 43210", "4111 1111 1111 1111", "a\nb"]
)
def test_a_place_holds_no_number_of_a_person(place: str) -> None:
    assert refused(REMINDER, place=place) == ["place"]


@pytest.mark.parametrize(
    "url",
    [
        "http://pay.example.com/x",
        "https://user@pay.example.com/x",
        "https://user:secret@pay.example.com/",
        "https://pay.example.com:8443/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://pay.example.com/a b",
        "https://pay.example.com/a\nb",
        "https://pay.example.com\\@evil.example/",
        "https://pay.exämple.com/x",
        "javascript:alert(1)//x",
        "https://pay.example.com/" + "x" * 500,
    ],
)
def test_a_payment_page_is_https_on_a_named_host(url: str) -> None:
    assert refused(LINK, url=url) == ["url"]


def test_an_amount_obeys_its_currency() -> None:
    assert kept(LINK, currency="inr")["currency"] == "INR"
    assert refused(LINK, currency="XXX") == ["currency"]
    assert refused(LINK, amount_minor=0) == ["amount_minor"]
    assert refused(LINK, currency="KWD", amount_minor=4251) == [""]


def test_a_note_is_free_text_screened_and_optional() -> None:
    assert kept(NOTICE, note="Ask for +91 98765 43210")["note"] == "Ask for +[removed]"
    assert {NOTICE.free_text_paths, REMINDER.free_text_paths} == {frozenset({"note"}), frozenset()}
    assert "note" not in NOTICE.required_paths


def test_no_message_has_room_for_what_is_treated() -> None:
    for exchange in actions.ACTIONS.values():
        categories = shape_of(exchange.request).categories
        assert categories <= actions.CONTENT.categories
        assert categories.isdisjoint(
            {Category.CLINICAL, Category.MEDICATION, Category.RESULT, Category.IMAGING, Category.INSURANCE}
        )


def test_an_answer_keeps_neither_the_number_nor_the_words() -> None:
    answer = {
        "id": "SM0123", "status": "queued", "segments": 1, "to": PHONE, "body": "Hello", "created_at": STARTS_AT,
    }  # fmt: skip
    assert minimize_answer(shape_of(actions.Sent), answer).keys() == {"id", "status", "segments", "created_at"}


def test_a_reply_is_a_meaning_and_its_words_only_where_they_were_asked_for() -> None:
    said = {"id": "SM0123", "meaning": "confirm", "text": "Yes, call +91 98765 43210"}
    assert minimize_answer(shape_of(actions.Reply), said) == {"id": "SM0123", "meaning": "confirm"}
    assert minimize_answer(shape_of(actions.ReplyText), said)["text"] == "Yes, call +[removed]"
    assert set(Meaning) == {"confirm", "decline", "stop", "start", "other"}
    assert "meaning" not in minimize_answer(shape_of(actions.Reply), {**said, "meaning": "perhaps"})
