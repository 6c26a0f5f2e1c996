"""A registered text matches to the letter, its variables hold 1 to 40 characters, and no text keeps the matcher busy."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopes.dlt import VARIABLE, Registration, faults_of, is_indian, is_registered
from scopes.wording import Dlt

ENTITY, TEMPLATE = "1101234567890123456", "1107123456789012345"


def registered(text: str, **given: str) -> Registration:
    return Registration(**{"entity_id": ENTITY, "header": "CLINIC", "template_id": TEMPLATE, "text": text, **given})


TEXT = "Dear {#var#}, your visit is on {#var#}. -Lakeview"


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("Dear Asha, your visit is on 27 Nov. -Lakeview", True),
        ("Dear Asha, your visit is on " + "x" * 40 + ". -Lakeview", True),
        ("Dear Asha, your visit is on " + "x" * 41 + ". -Lakeview", False),
        ("Dear , your visit is on 27 Nov. -Lakeview", False),
        ("Dear Asha, your visit is on . -Lakeview", False),
        ("dear Asha, your visit is on 27 Nov. -Lakeview", False),
        ("Dear Asha,  your visit is on 27 Nov. -Lakeview", False),
        ("Dear Asha, your visit is on 27 Nov. -Lakeview ", False),
        (" Dear Asha, your visit is on 27 Nov. -Lakeview", False),
        ("Dear Asha, your visit is on 27\nNov. -Lakeview", False),
        ("Dear Asha, your visit is on 27 Nov. -Lakeview. -Lakeview", True),  # the variable holds "27 Nov. -Lakeview"
        ("", False),
    ],
)
def test_a_message_is_the_registered_text_or_is_not(text: str, fits: bool) -> None:
    assert is_registered(registered(TEXT), text) is fits


def test_a_text_without_variables_matches_itself_alone() -> None:
    assert is_registered(registered("We are closed today."), "We are closed today.")
    assert not is_registered(registered("We are closed today."), "We are closed today")


def test_variables_at_the_ends_and_side_by_side_are_bounded_too() -> None:
    both = registered("{#var#}{#var#}")
    assert [is_registered(both, "x" * size) for size in (1, 2, 80, 81)] == [False, True, True, False]


@given(
    st.lists(st.text(st.characters(exclude_characters="{}\n", exclude_categories=["Cs"]), max_size=12), max_size=6),
    st.data(),
)
def test_whatever_fills_the_variables_by_the_rules_matches(literals: list[str], data: st.DataObject) -> None:
    value = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1, max_size=40)
    text = "".join(
        literal + (data.draw(value) if at < len(literals) - 1 else "") for at, literal in enumerate(literals)
    )
    assert is_registered(registered(VARIABLE.join(literals)), text)


def test_no_text_keeps_the_matcher_busy() -> None:
    hostile, since = registered(" ".join([VARIABLE] * 60)), time.thread_time()
    assert not is_registered(hostile, " " * 1_599 + "\n")
    assert time.thread_time() - since < 20  # of the processor; where each variable tries all lengths it never ends


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"entity_id": "110123456789012345"}, "entity_id"),
        ({"entity_id": "11012345678901234567"}, "entity_id"),
        ({"template_id": "110712345678901234x"}, "template_id"),
        ({"template_id": "١١٠٧١٢٣٤٥٦٧٨٩٠١٢٣٤٥"}, "template_id"),
        ({"header": "CLIN"}, "header"),
        ({"header": "VM-CLINIC"}, "header"),
        ({"header": "12345a"}, "header"),
        ({"text": ""}, "text"),
        ({"text": "Dear {#name#}"}, "text"),
        ({"text": "Dear {given_name}"}, "text"),
        ({"text": "x" * 2_001}, "text"),
    ],
)
def test_a_registration_of_another_form_is_no_registration(given: dict[str, str], path: str) -> None:
    said = {"text": TEXT, **given}
    faults = list(faults_of(registered(**said)))
    assert [fault.path for fault in faults] == [path]


def test_a_good_registration_has_no_fault_and_says_what_it_is_known_as() -> None:
    assert list(faults_of(registered(TEXT))) == list(faults_of(registered(TEXT, header="567890"))) == []
    assert registered(TEXT).known_as == Dlt(ENTITY, "CLINIC", TEMPLATE)


def test_only_numbers_of_india_s_plan_are_indian() -> None:
    assert [is_indian(number) for number in ("+919876543210", "+14155550123", "+9", "919876543210")] == [
        True, False, False, False,
    ]  # fmt: skip
