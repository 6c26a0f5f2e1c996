"""A vendor's answer keeps what is declared and loses the rest, without complaint."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopes.minimize import minimize, minimize_answer
from tests.scopes.shapes import CANARY, ORDER, Channel, aliens, full_order, orders


@given(orders)
def test_a_right_answer_is_kept_as_a_request_would_be(order: Any) -> None:
    assert minimize_answer(ORDER, order) == minimize(ORDER, order).values


@settings(max_examples=200)
@given(orders, st.dictionaries(st.sampled_from(["note", "attempt", "person", "extra", "Note", "reference"]), aliens))
def test_what_is_not_as_declared_is_dropped_and_the_rest_stays(order: Any, wrong: Any) -> None:
    kept = minimize_answer(ORDER, order | wrong)
    untouched = {name: value for name, value in minimize(ORDER, order).values.items() if name not in wrong}
    assert {name: value for name, value in kept.items() if name not in wrong} == untouched
    assert CANARY not in str(kept)


def test_a_missing_required_field_does_not_lose_the_others() -> None:
    assert minimize_answer(ORDER, {"channel": "sms", "attempt": True}) == {"channel": "sms"}


def test_one_wrong_line_of_a_list_loses_only_what_is_wrong_in_it() -> None:
    items = [{"name": "a", "units": "2"}, "b", {"name": "c", "units": 3, "secret": CANARY}]
    assert minimize_answer(ORDER, {"items": items}) == {"items": [{"name": "a"}, {"name": "c", "units": 3}]}


def test_what_a_connector_has_read_already_is_written_back_and_reduced() -> None:
    read = {"starts_at": datetime(2026, 11, 17, 10, 30, 45, tzinfo=UTC), "channel": Channel.MAIL, "tags": ("a",)}
    assert minimize_answer(ORDER, read) == {
        "starts_at": "2026-11-17T10:30:00+00:00",
        "channel": "mail",
        "tags": ["a"],
    }


def test_a_moment_without_its_offset_is_dropped() -> None:
    assert minimize_answer(ORDER, {"starts_at": datetime(2026, 11, 17)}) == {}


@pytest.mark.parametrize("answer", [None, [], "text", 3, [full_order]])
def test_an_answer_that_is_no_object_leaves_nothing(answer: Any) -> None:
    assert minimize_answer(ORDER, answer) == {}


@pytest.mark.parametrize("note", ["\ud800", b"note", Channel.MAIL, 7])
def test_a_text_that_is_none_is_dropped_and_so_is_its_list(note: Any) -> None:
    assert minimize_answer(ORDER, {"note": note, "tags": ["a", note], "urgent": True}) == {"urgent": True}
