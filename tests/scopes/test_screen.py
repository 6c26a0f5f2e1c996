"""Identifiers do not get through free text, however they are spelled; ordinary notes do."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopes.identifier import is_aadhaar, is_card, is_gstin, is_ssn
from scopes.screen import findings, screened

_AADHAAR = "234123412346"
_EXAMPLES = {
    "aadhaar": ["2341 2341 2346", "2341-2341-2346", _AADHAAR, "2341.2341.2346", "2 3 4 1 2 3 4 1 2 3 4 6"],
    "pan": ["ABCPE1234F", "abcpe1234f", "ABCPE 1234 F", "A-B-C-P-E-1-2-3-4-F"],
    "gstin": ["27AAPFU0939F1ZV", "27 AAPFU 0939 F 1 Z V", "29aagcb7383j1z4"],
    "card": ["4242 4242 4242 4242", "5555555555554444", "3782-822463-10005", "6011000990139424", "4222222222222"],
    "ssn": ["123-45-6789", "123 45 6789", "123456789"],
    "phone": ["+91 98765 43210", "9876543210", "(080) 2345-6789", "+1 (415) 555-0132", "098765-43210", "+3545551234"],
    "email": ["asha.k@example.com", "asha @ example.com", "asha@abdm", "a_b+c@mail.example.co.in", "आशा@example.com"],
    "mrn": [
        "MRN 12345",
        "mrn:AB-12345",
        "UHID no. 20231",
        "patient id: P0042",
        "IP No 2231/26",
        "Medical record 55512",
    ],
}
_CASES = [(kind, text) for kind, texts in _EXAMPLES.items() for text in texts]
_prose = st.sampled_from(["", "see", "pain since", "ring", "before tea", "ok:", "(", "of 3", "2 x", "\n", "–"])


@pytest.mark.parametrize(("kind", "text"), _CASES)
def test_each_kind_is_found_and_removed_whole(kind: str, text: str) -> None:
    assert kind in {finding.kind for finding in findings(text)}
    assert screened(f"before {text} after").replace("+", "").replace("(", "").startswith("before [removed]")
    assert screened(f"before {text} after").endswith("[removed] after") or kind == "mrn"
    assert not re.search(r"\d", screened(f"before {text} after"))


@settings(max_examples=200)
@given(st.sampled_from(_CASES), _prose, _prose, st.randoms(use_true_random=False))
def test_invisible_characters_and_other_digits_hide_nothing(
    case: tuple[str, str], before: str, after: str, random: "st.RandomType"
) -> None:
    text = case[1]
    hidden = "".join(
        (chr(0x966 + int(letter)) if letter.isdigit() and random.random() < 0.3 else letter)
        + random.choice(["", "", "\u200b", "\u200d", "\u00ad", "\u2060", "\ufeff", "\u0301", "\0", "\u3164", "\ue000"])
        for letter in text
    )
    left = screened(f"{before} {hidden} {after}")
    assert "[removed]" in left
    kept = sum(letter.isdigit() for letter in left)
    assert kept <= sum(letter.isdigit() for letter in before + after)


_digits = st.text("0123456789", min_size=11, max_size=11)


def _with_check_digit(eleven: str) -> str:
    return next(number for number in (f"{eleven}{check}" for check in range(10)) if is_aadhaar(number))


@settings(max_examples=200)
@given(
    _digits.filter(lambda some: some[0] not in "01"),
    st.lists(st.sampled_from(["", " ", "-", " - ", "\u2011", "\u00a0", "\u200b"]), min_size=2, max_size=2),
)
def test_every_aadhaar_number_is_found_in_any_grouping(eleven: str, gaps: list[str]) -> None:
    number = _with_check_digit(eleven)
    spelled = f"{number[:4]}{gaps[0]}{number[4:8]}{gaps[1]}{number[8:]}"
    assert screened(f"id {spelled}, 3 days") == "id [removed], 3 days"


@given(_digits.filter(lambda some: some[0] not in "01"), st.integers(0, 11), st.integers(1, 9))
def test_one_wrong_digit_is_no_aadhaar_number(eleven: str, place: int, by: int) -> None:
    number = _with_check_digit(eleven)
    wrong = number[:place] + str((int(number[place]) + by) % 10) + number[place + 1 :]
    assert not is_aadhaar(wrong)


@given(st.text())
def test_nothing_is_found_in_what_was_screened(text: str) -> None:
    assert findings(screened(text)) == ()


@given(st.text("0123456789 -+@.abMRN/\u200b\u0967()", max_size=60))
def test_nothing_is_found_in_what_was_screened_however_dense(text: str) -> None:
    assert findings(screened(text)) == ()


@pytest.mark.parametrize(
    "text",
    [
        "knee pain for 3 weeks, worse at night",
        "BP 120/80, temperature 37.5 C, pulse 72",
        "take 500 mg twice a day for 10 days",
        "follow up on 2026-11-17 at 10:30, room 12",
        "seen 17-11-2026 10.30, bring 2 reports and the x-ray",
        "Plan A: physiotherapy; plan B: injection",
        "",
        "आराम करें, 3 दिन",
    ],
)
def test_an_ordinary_note_stays_as_it_is(text: str) -> None:
    assert screened(text) == text


def test_neighbouring_numbers_do_not_hide_an_identifier() -> None:
    assert screened("room 12 2341 2341 2346 7 pm") == "room [removed] pm"
    assert screened("pulse 72 at 10:30 then 2341 2341 2346") == "pulse 72 at 10:30 then [removed]"


def test_what_a_removal_uncovers_is_removed_too() -> None:
    assert screened("9876543210MRN 12345") == "[removed][removed]"


def test_check_digits_of_published_examples() -> None:
    assert is_gstin("27AAPFU0939F1ZV")
    assert not is_gstin("27AAPFU0939F1ZW")
    assert is_card("4242424242424242")
    assert not is_card("4242424242424241")
    assert not is_card("1111222233334444")
    assert not is_aadhaar("134123412346")
    assert not is_ssn("666456789")
    assert not is_ssn("900456789")


@pytest.mark.parametrize(
    "piece", ["1 ", "MRN ", "a@", "a.", "1 1 1 1 1 1 1 1 x ", "12345 ", "4242424242424242x", "\ufdfa", "abcpe"]
)
def test_hostile_length_costs_time_in_proportion(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    started = time.thread_time()
    screened(text)
    assert time.thread_time() - started < 20  # of the processor; squared it would be hours
