"""Whatever is handed in, the checker answers with faults: it never raises, never runs on, never says what it was handed."""

import copy
import json
import math
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.abdm.fhir import categories, check, clinical_dates, hi_type
from connectors.abdm.fhir.fence import DEEPEST, MOST_VALUES
from connectors.told import RecordKind
from scopes.fault import MOST_NAMED
from tests.connectors.abdm.records import bundle

LONGEST_SECONDS = 20
"""Of processor time, on a slow machine; a document takes a thousandth of it."""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
ODD = JSON | st.sampled_from([b"x", {1, 2}, (1,), object(), "\ud800", 1e400, [None], {"": {}}])


def _deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"extension": [value]}
    return value


def _itself() -> dict[str, Any]:
    document = bundle(RecordKind.PRESCRIPTION)
    document["entry"][0]["resource"]["section"][0]["section"] = document["entry"]
    document["entry"].append(document)
    return document


def _with(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    document = bundle(RecordKind.OP_CONSULTATION)
    change(document)
    return document


WHOLE = {
    "nothing": None,
    "a list": [],
    "a text": "Bundle",
    "empty": {},
    "its own entry": _itself(),
    "deep": _with(lambda it: it.update(entry=[_deep(DEEPEST)])),
    "very deep": _with(lambda it: it["entry"][1]["resource"].update(extension=[_deep(100_000)])),
    "long": _with(lambda it: it.update(entry=[{}] * (MOST_VALUES + 1))),
    "names that are none": {1: 2},
    "half a character": _with(lambda it: it.update(id="\ud800")),
    "a number of many digits": _with(lambda it: it["entry"][1].update(fullUrl=10**9_999)),
    "no number": _with(lambda it: it.update(total=math.nan)),
}


@pytest.mark.parametrize("which", WHOLE)
def test_a_document_that_is_none_gives_faults(which: str) -> None:
    found = check(WHOLE[which])

    assert 0 < len(found) <= MOST_NAMED
    hi_type(WHOLE[which]), categories(WHOLE[which]), clinical_dates(WHOLE[which])


def _resource(at: int, **parts: Any) -> dict[str, Any]:
    return _with(lambda it: it["entry"][at]["resource"].update(parts))


def _entries(*more: dict[str, Any]) -> dict[str, Any]:
    return _with(lambda it: it["entry"].extend(more))


AUTHOR = bundle(RecordKind.OP_CONSULTATION)["entry"][0]["resource"]["author"]
PATIENT = bundle(RecordKind.OP_CONSULTATION)["entry"][1]["resource"]
LONG = {
    "addresses": _entries(*({"fullUrl": f"urn:x:{n}", "resource": {"resourceType": "Basic"}} for n in range(9_000))),
    "one resource": _entries(*[{"fullUrl": "urn:x:1", "resource": PATIENT}] * 500),
    "sections": _resource(0, section=[{"title": "x", "section": [{"title": "y"}] * 9_000}] * 2),
    "profiles": _resource(1, meta={"profile": ["x"] * 40_000}),
    "codings": _resource(6, component=[{"code": {"coding": [{"code": "x"}] * 400}}] * 30),
    "references": _resource(0, author=[{"reference": "urn:x:none"}] * 20_000),
    "good references": _resource(0, author=AUTHOR * 10_000),
    "identifiers": _resource(1, identifier=PATIENT["identifier"] * 2_000),
    "names": _resource(1, **{f"n{n}": n for n in range(40_000)}),
    "a text": _resource(1, name=[{"text": "a " * 5_000_000}]),
    "a file": _entries({"fullUrl": "urn:x:1", "resource": {"resourceType": "Binary", "data": "A A\n" * 5_000_000}}),
}


@pytest.mark.parametrize("which", LONG)
def test_a_very_long_document_is_answered_in_bounded_time(which: str) -> None:
    since = time.process_time()

    found = check(LONG[which])

    assert time.process_time() - since < LONGEST_SECONDS
    assert len(found) <= MOST_NAMED


def _places(value: Any, steps: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [steps, *(place for key, each in inner for place in _places(each, (*steps, key)))]


PLACES = {kind: _places(bundle(kind))[1:] for kind in RecordKind}


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(RecordKind), ODD)
def test_anything_in_the_place_of_anything_gives_faults_and_no_exception(
    data: st.DataObject, kind: RecordKind, odd: Any
) -> None:
    document = bundle(kind)
    steps = data.draw(st.sampled_from(PLACES[kind]))
    value: Any = document
    for step in steps[:-1]:
        value = value[step]
    value[steps[-1]] = odd

    found = check(document)

    assert len(found) <= MOST_NAMED
    assert all(isinstance(fault.path, str) and fault.path.startswith("Bundle") and fault.message for fault in found)
    hi_type(document)
    categories(document)
    dates = clinical_dates(document)
    assert dates is None or dates[0] <= dates[1]


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_json_gives_faults_and_no_exception(value: Any) -> None:
    assert check(value)
    assert check({"resourceType": "Bundle", "type": "document", "entry": value})
    assert check({"resourceType": "Bundle", "entry": [{"fullUrl": "urn:x", "resource": value}]})


def test_checking_changes_nothing() -> None:
    for kind in RecordKind:
        document = bundle(kind)
        before = copy.deepcopy(document)
        check(document)
        assert document == before


def test_a_document_that_was_written_and_read_again_conforms() -> None:
    for kind in RecordKind:
        assert check(json.loads(json.dumps(bundle(kind)))) == []
