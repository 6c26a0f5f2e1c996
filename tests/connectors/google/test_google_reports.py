"""Counts that leave: small ones do not, and what is shown does not tell them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from connectors.contract import Rejected
from connectors.google import reports
from connectors.google.actions import AppendReport, Line
from connectors.google.fields import Measure
from scopes.minimize import InvalidPayload, minimize
from tests.connectors.google.google import GOOGLE, act, door, said

SHEET = "1qpyC0XzvTcKT6EISywvqESX3A0MwQoFDE8p"
LABELS = sorted(reports.LABELS - {"all"})


def report(*counts: int, labels: list[str] | None = None) -> AppendReport:
    lines = [Line(label=label, count=count) for label, count in zip(labels or LABELS, counts, strict=False)]
    return AppendReport(spreadsheet=SHEET, measure=Measure.NO_SHOWS, month="2026-01", lines=lines)


def shown(*counts: int, **settings: str) -> list[int | str]:
    """The column of counts, the total last."""
    return [row[-1] for row in reports.rows(report(*counts), settings)[0]]


OUT = reports.LEFT_OUT


@pytest.mark.parametrize(
    ("counts", "column"),
    [
        ((12, 30), [12, 30, 42]),
        ((5, 5), [5, 5, 10]),
        ((4, 30, 12), [OUT, 30, OUT, OUT]),  # the smallest of the others goes with it
        ((0, 30, 12), [OUT, 30, OUT, OUT]),
        ((1, 4, 12), [OUT, OUT, 12, OUT]),
        ((0, 0, 30, 12), [OUT, OUT, 30, OUT, OUT]),
        ((4, 9), [OUT, OUT, OUT]),
        ((4,), [OUT]),
        ((12,), [12]),
    ],
)
def test_small_counts_are_left_out_and_no_total_tells_them(counts: tuple[int, ...], column: list[int | str]) -> None:
    assert shown(*counts) == column


@pytest.mark.parametrize(("setting", "column"), [("10", [OUT, OUT, 12, OUT]), ("5", [7, 9, 12, 28])])
def test_a_clinic_may_leave_out_more(setting: str, column: list[int | str]) -> None:
    assert shown(7, 9, 12, smallest_count=setting) == column


def test_a_clinic_may_not_show_more() -> None:
    assert shown(3, 4, smallest_count="1") == [OUT, OUT, OUT]


@given(some.lists(some.integers(0, 12), min_size=1, max_size=6))
def test_who_knows_the_total_from_elsewhere_learns_no_small_count(counts: list[int]) -> None:
    column = shown(*counts)
    told = column[:-1] if len(counts) > 1 else column
    hidden = [at for at, count in enumerate(told) if count == OUT]
    assert {at for at, count in enumerate(counts) if count < reports.SMALLEST} <= set(hidden)
    assert all(told[at] == count for at, count in enumerate(counts) if at not in hidden)
    if hidden and len(hidden) < len(counts):
        assert len(hidden) > 1
        assert sum(counts[at] for at in hidden) >= reports.SMALLEST
    if len(counts) > 1:
        assert column[-1] == (OUT if hidden else sum(counts))


@pytest.mark.parametrize("label", ["jane_roe", "total", "grand_total", "cardiology"])
def test_a_label_that_nobody_listed_is_refused(label: str) -> None:
    with pytest.raises(Rejected) as raised:
        reports.rows(report(12, labels=[label]), {})
    assert raised.value.code == "label_not_listed"


def test_a_clinic_lists_its_own_words_and_no_word_for_a_sum() -> None:
    rows, _ = reports.rows(report(12, 13, labels=["cardiology", "monday"]), {"report_labels": "cardiology,total"})
    assert [row[2] for row in rows] == ["cardiology", "monday", "total"]
    with pytest.raises(Rejected):
        reports.rows(report(12, labels=["total"]), {"report_labels": "total"})
    with pytest.raises(Rejected):
        reports.rows(report(12, 13, labels=["all", "monday"]), {})


@pytest.mark.parametrize("label", ["=cmd()", "+1", "-1", "@sum", "Jane Roe", "monday ", "\tmonday", ""])
def test_no_label_is_a_formula_or_a_name(label: str) -> None:
    line = {"label": label, "count": 12}
    payload = {"spreadsheet": SHEET, "measure": "no_shows", "month": "2026-01", "lines": [line]}
    with pytest.raises(InvalidPayload):
        minimize(GOOGLE.actions["append_report"].shape, payload)


def test_one_label_has_one_count() -> None:
    with pytest.raises(ValueError, match="once"):
        report(12, 13, labels=["monday", "monday"])


async def test_small_counts_never_leave_and_what_leaves_is_raw() -> None:
    lines = [{"label": "monday", "count": 3}, {"label": "tuesday", "count": 77}, {"label": "friday", "count": 66}]
    payload = {"spreadsheet": SHEET, "measure": "no_shows", "month": "2026-01", "lines": lines}
    egress = door(said(200, {"spreadsheetId": SHEET}))
    answer = await act("append_report", payload, egress)
    (request,) = egress.requests
    assert dict(request.url.params)["valueInputOption"] == "RAW"
    counts = [row[-1] for row in json.loads(request.content)["values"]]
    assert counts == [OUT, 77, OUT, OUT]
    assert answer.body == {"id": SHEET, "lines": 4, "left_out": 2}
