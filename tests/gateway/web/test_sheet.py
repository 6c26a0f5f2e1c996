"""Sheets: what a spreadsheet would run is text, and what is text stays what it is."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from io import StringIO

import pytest

from gateway.web.sheet import cell, sheet

FORMULAS = (
    "=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1+1", "=HYPERLINK(0)", "=cmd|' /C calc'!A0",
)  # fmt: skip


@pytest.mark.parametrize("value", FORMULAS)
def test_what_a_spreadsheet_would_run_begins_with_an_apostrophe(value: str) -> None:
    assert cell(value) == f"'{value}"


@pytest.mark.parametrize("value", ["Stripe, Inc.", "a=b", "", "5", "x\ny", 'say "so"'])
def test_what_is_no_formula_stays_as_it_is(value: str) -> None:
    assert cell(value) == value


def test_moments_numbers_lists_and_nothing_have_one_spelling() -> None:
    moment = datetime(2026, 11, 24, 12, 0, 0, 5_000, timezone(timedelta(hours=2)))
    assert [cell(each) for each in (moment, 7, None, ["a", "b"], [])] == [
        "2026-11-24T10:00:00.005Z",
        "7",
        "",
        "a b",
        "",
    ]


async def test_a_sheet_reads_back_as_its_rows_whatever_is_in_them() -> None:
    async def rows() -> AsyncIterator[tuple[object, ...]]:
        for number in range(1_203):
            yield number, 'comma, "quote"\nline'

    parts = [part async for part in sheet(("a", "b"), rows())]
    assert len(parts) == 3
    read = list(csv.reader(StringIO(b"".join(parts).decode(), newline="")))
    assert read[0] == ["a", "b"]
    assert read[1:] == [[str(number), 'comma, "quote"\nline'] for number in range(1_203)]
