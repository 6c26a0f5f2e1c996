"""What is judged of an auditor's waiting; and that a small year can be laid down, counted and searched at all."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import auditor, report
from benchmarks.filters import OF_DISCLOSURES, filters
from benchmarks.measure import Settings

MET: dict[str, Any] = {
    "disclosures": 1_000_000, "entries": 2_200_000, "count_seconds": 180.0,
    "search_ms": {"searches": 1, "p50": 1.0, "p95": 100.0, "most": 100.0, "slowest": "nothing"},
    "refusals_ms": {"searches": 1, "p50": 1.0, "p95": 100.0, "most": 100.0, "slowest": "nothing"},
    "reads_ms": {"per day by recipient": 50.0},
    "pages_ms": {"requests": 1, "p50": 1.0, "p95": 300.0, "pages": {"log": 300.0}},
}  # fmt: skip
MISSED: list[dict[str, Any]] = [
    {"count_seconds": 180.1},
    {"search_ms": {**MET["search_ms"], "p95": 100.1}},
    {"search_ms": {**MET["search_ms"], "most": 100.1}},
    {"refusals_ms": {**MET["refusals_ms"], "most": 100.1}},
    {"reads_ms": {"per day by recipient": 50.1}},
    {"pages_ms": {**MET["pages_ms"], "p95": 300.1}},
    {"pages_ms": {**MET["pages_ms"], "pages": {"log": 300.1}}},
]


def test_figures_on_the_bars_meet_every_goal_and_stand_in_the_table() -> None:
    summary = report.summarise(Settings(), [], {}, None, MET)
    assert [line["name"] for line in summary["ratios"] if line["met"] is not True] == []
    assert "1,000,000 disclosures" in report.table(summary)
    assert summary["auditor"] == MET


@pytest.mark.parametrize("given", MISSED)
def test_a_figure_beyond_its_bar_misses_its_goal(given: dict[str, Any]) -> None:
    assert [line["met"] for line in auditor.goals({**MET, **given})].count(False) == 1


def test_a_small_year_is_laid_down_counted_and_searched() -> None:
    found = auditor.measured(600)
    assert found["entries"] == 600 + 590 + 120
    assert found["search_ms"]["searches"] == 2 * len(list(filters(OF_DISCLOSURES)))
    assert {"log", "charts, a year", "anomalies", "proof"} <= found["pages_ms"]["pages"].keys()
    assert list(auditor.goals(found))
