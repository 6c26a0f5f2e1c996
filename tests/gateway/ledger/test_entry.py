"""An entry has one spelling in bytes, says what the law asks for, and is refused in every other form."""

import json
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.entry import (
    COMMON,
    FIELDS,
    KNOWN,
    MAX_BYTES,
    REQUIRED,
    VERSION,
    EntryError,
    Kind,
    canonical,
    moment_of,
    parse,
    timestamp,
    unknown_keys,
)

AT = "2026-01-31T09:30:00.000001Z"
COMMON_FIELDS: dict[str, Any] = {"v": VERSION, "index": 7, "at": AT, "tenant": "t0a1"}


def entry(kind: str = "key", **more: Any) -> dict[str, Any]:
    required = dict.fromkeys(REQUIRED[kind] - COMMON, "x")
    return {**COMMON_FIELDS, "kind": kind, **required, **more}


def reworded(stored: bytes, old: str, new: str) -> bytes:
    assert old.encode() in stored
    return stored.replace(old.encode(), new.encode(), 1)


# --- The form -----------------------------------------------------------------------------------------------------------


def test_an_entry_has_exactly_these_bytes() -> None:
    fields = {
        **COMMON_FIELDS,
        "kind": "key",
        "state": "created",
        "actor": {"kind": "person", "id": "Åse"},
        "key": "k/1",
    }
    assert canonical(fields).decode() == (
        '{"actor":{"id":"Åse","kind":"person"},"at":"2026-01-31T09:30:00.000001Z","index":7,"key":"k/1","kind":"key",'
        '"state":"created","tenant":"t0a1","v":1}'
    )


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(PLAIN, PLAIN)
def test_what_is_written_reads_back_and_is_what_the_standard_library_would_write(query: Any, actor: Any) -> None:
    fields = entry(query=query, actor=actor)
    stored = canonical(fields)
    assert parse(stored) == fields
    assert canonical(parse(stored)) == stored
    assert stored == json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    assert b"\n" not in stored


def test_the_order_of_keys_does_not_matter() -> None:
    fields = entry("intent")
    assert canonical(dict(reversed(fields.items()))) == canonical(fields)


def test_tuples_and_our_closed_enums_are_written_as_lists_and_text() -> None:
    class Role(StrEnum):
        PROCESSOR = "processor"

    assert canonical(entry(query=(Role.PROCESSOR,))) == canonical(entry(query=["processor"]))


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        1.0,
        float("nan"),
        [[1, [0.1]]],
        {"a": {"b": 2.0}},
        b"bytes",
        {"a": b"bytes"},
        datetime.now(UTC),
        uuid4(),
        {1, 2},
        {1: "a"},
        {"clé": 1},
        [{"é": 1}],
        2**53,
        -(2**53),
        2**64,
        "\ud800",
        object(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_two_readers_may_read_differently_is_refused(value: Any) -> None:
    with pytest.raises(EntryError):
        canonical(entry(query=value))


def test_a_refusal_never_repeats_a_value() -> None:
    for value in (
        {"name": "Mrs Marker", "amount": 1.5},
        ["Mrs Marker", b"x"],
        ["Mrs Marker", 2**80],
        "Mrs Marker" * 9000,
    ):
        with pytest.raises(EntryError) as refusal:
            canonical(entry(query=value))
        shown = refusal.value
        assert "Marker" not in f"{shown} {shown.__cause__}"
    with pytest.raises(EntryError) as refusal:
        parse(b'{"query": "Mrs Marker"}')
    assert "Marker" not in f"{refusal.value} {refusal.value.__cause__}"


def test_entries_end_at_65535_bytes() -> None:
    room = MAX_BYTES - len(canonical(entry(query="")))
    assert len(canonical(entry(query="x" * room))) == MAX_BYTES == 65_535
    with pytest.raises(EntryError, match="65536 bytes"):
        canonical(entry(query="x" * (room + 1)))
    stored = canonical(entry(query="x" * room))
    with pytest.raises(EntryError, match="65536 bytes"):
        parse(reworded(stored, "xx", "xxx"))
    with pytest.raises(EntryError, match="the limit"):
        parse(b" " * MAX_BYTES + canonical(entry()))


# --- Reading ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"index":7', '"index": 7'),
        ('"index":7', '"index":7.0'),
        ('"index":7', '"index":7e0'),
        ('"index":7', '"index":7,"index":7'),
        ('"index":7', '"index":8,"index":7'),
        ('"index":7', '"index":-0'),
        ('"index":7', '"index":9007199254740993'),
        ('"index":7', '"index":"7"'),
        ('"index":7', '"index":true'),
        ('"index":7', '"index":-7'),
        ('"index":7', '"index":NaN'),
        ('"key":"x"', '"key":1.5'),
        ('"key":"x"', '"key":"\\u0078"'),
        ('"key":"x"', '"key":"x\\/"'),
        ('"key":"x"', '"Key":"x"'),
        ('"kind":"key"', '"kind":"Key"'),
        ('"kind":"key"', '"kind":[]'),
        ('"kind":"key"', '"kind":{}'),
        ('"kind":"key"', '"kind":null'),
        ('"v":1', '"v":2'),
        ('"v":1', '"v":true'),
        ('"tenant":"t0a1"', '"tenant":""'),
        ('"tenant":"t0a1"', '"tenant":"a b"'),
        ('"tenant":"t0a1"', '"tenant":1'),
        ('"at":"2026-01-31T09:30:00.000001Z"', '"at":"2026-01-31T09:30:00Z"'),
        ('"at":"2026-01-31T09:30:00.000001Z"', '"at":"2026-02-31T09:30:00.000001Z"'),
        ('"at":"2026-01-31T09:30:00.000001Z"', '"at":"2026-01-31T09:30:00.000001+00:00"'),
        ('"at":"2026-01-31T09:30:00.000001Z"', '"at":"2026-01-31T09:30:00.00000١Z"'),
        ('"at":"2026-01-31T09:30:00.000001Z"', '"at":1'),
        ("{", "[{"),
        ("}", "} "),
        ("}", "}\n"),
        ("}", ""),
    ],
)
def test_bytes_in_another_form_are_refused(old: str, new: str) -> None:
    stored = canonical(entry())
    parse(stored)
    with pytest.raises(EntryError):
        parse(reworded(stored, old, new))


@pytest.mark.parametrize(
    "stored", [b"", b"null", b"[]", b"1", b'"x"', b"{}", b"\xff", b"\xef\xbb\xbf{}", b"[" * 60_000]
)
def test_what_is_no_entry_is_refused(stored: bytes) -> None:
    with pytest.raises(EntryError):
        parse(stored)


def test_a_log_of_a_newer_gateway_can_be_read_and_its_new_fields_are_named() -> None:
    stored = reworded(canonical(entry()), '"v":1', '"v":1,"zeta":3')
    assert unknown_keys(parse(stored)) == {"zeta"}
    assert unknown_keys(entry()) == set()


# --- The vocabulary -----------------------------------------------------------------------------------------------------


def test_the_kinds_are_these_and_each_says_what_it_needs() -> None:
    kinds = "intent outcome refusal manual connection grant consent agreement access erasure key"
    assert [str(kind) for kind in Kind] == list(REQUIRED) == kinds.split()


@pytest.mark.parametrize("kind", REQUIRED)
def test_an_entry_without_a_key_that_its_kind_needs_is_refused(kind: str) -> None:
    whole = entry(kind)
    assert parse(canonical(whole)) == whole
    for key in REQUIRED[kind]:
        with pytest.raises(EntryError):
            canonical({name: value for name, value in whole.items() if name != key})


def test_a_key_that_nobody_has_described_is_not_written() -> None:
    with pytest.raises(EntryError, match="'patient_name'"):
        canonical(entry(patient_name="x"))


def test_each_field_says_what_it_means_and_who_wants_it() -> None:
    assert frozenset().union(*REQUIRED.values()) <= KNOWN == FIELDS.keys()
    assert all(field.meaning and field.wanted_by for field in FIELDS.values())


@pytest.mark.parametrize("kind", ["intent", "manual"])
def test_a_disclosure_names_what_a_hipaa_accounting_asks_for(kind: str) -> None:
    # 45 CFR 164.528(b)(2): date, recipient, what, why; and about whom.
    assert {"at", "recipient", "fields", "purpose", "subject"} <= REQUIRED[kind]


# --- Moments ------------------------------------------------------------------------------------------------------------


def test_a_moment_is_written_in_utc_with_six_digits() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    assert timestamp(datetime(2026, 1, 31, 15, tzinfo=east)) == "2026-01-31T09:30:00.000000Z"
    assert moment_of(AT) == datetime(2026, 1, 31, 9, 30, 0, 1, tzinfo=UTC)
    assert timestamp(moment_of(AT)) == AT


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(EntryError):
        timestamp(datetime(2026, 1, 31))
