"""What is measured of webhooks works on a small scale, and each of its goals is judged on the right side."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import backlog, report, webhooks
from benchmarks.deliveries import idle, throughput
from benchmarks.measure import Settings

MET: dict[str, Any] = {
    "throughput": {
        "rates": {name: [2000.0] for name in webhooks.MEANINGS},
        **dict.fromkeys(map("/".join, webhooks.RATIOS), 0.6),
    },
    "idle": {"p50_ms": 50.0, "p99_ms": 80.0},
    "backlog": {
        "waiting": 1_000_000, "before_mb": 100.0, "least_mb": 80.0, "most_mb": 120.0, "grown": 1.2, "shrunk": 0.8,
        "claim_p50_ms": 1.0, "claim_p99_ms": 20.0, "claim_seen_p50_ms": 1.0, "claim_seen_p99_ms": 30.0,
    },
    "storm": {
        "plan": {"events": 2000}, "attempts": 30_000, "kills": 10, "duplicates": 30, "seconds": 100.0, "worst_ratio": 2.0,
        "missing": {}, "strange": 0, "unaccounted": 0, "unsettled": 0, "faults": [],
    },
}  # fmt: skip
MISSED = [
    ("throughput", "W8/Q", 0.59),
    ("throughput", "W1/Q1", 0.59),
    ("idle", "p50_ms", 51.0),
    ("backlog", "grown", 1.21),
    ("backlog", "shrunk", 0.79),
    ("backlog", "claim_p99_ms", 20.1),
    ("storm", "worst_ratio", 2.1),
    ("storm", "missing", {"/healthy/0": 1}),
    ("storm", "unsettled", 1),
    ("storm", "faults", ["No matching signature found"]),
]


def test_figures_on_the_bars_meet_every_goal_and_stand_in_the_table() -> None:
    summary = report.summarise(Settings(), [], {}, MET)

    assert [line["name"] for line in summary["ratios"] if line["met"] is not True] == []
    assert "1,000,000 waiting" in report.table(summary)
    assert "NOT MET" not in report.table(summary)


@pytest.mark.parametrize(("part", "figure", "value"), MISSED)
def test_a_figure_beyond_its_bar_misses_its_goal(part: str, figure: str, value: Any) -> None:
    found = {**MET, part: {**MET[part], figure: value}}

    assert [line["met"] for line in webhooks.goals(found)].count(False) == 1


def test_a_run_without_webhooks_has_no_goals_of_theirs() -> None:
    summary = report.summarise(Settings(), [], {}, None)

    assert summary["ratios"] == []
    assert "deliveries" not in report.table(summary)


def test_every_subject_delivers_what_it_was_given() -> None:
    found = throughput(160, rounds=1)

    assert set(found["rates"]) == set(webhooks.MEANINGS)
    assert all(rate > 0 for rates in found["rates"].values() for rate in rates)
    assert found["W8/Q"] == found["rates"]["W8"][0] / found["rates"]["Q"][0]


def test_one_event_on_an_idle_gateway_reaches_its_endpoint_at_once() -> None:
    waited = idle(events=10)

    assert 0 < waited["p50_ms"] < 1000


def test_what_waits_and_what_is_due_are_told_apart_in_a_small_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "LOOKS", 20)
    monkeypatch.setattr(backlog, "WARM_EVENTS", 1)
    monkeypatch.setattr(backlog, "LIVE_EVENTS", 2)

    found = backlog.backlog(clinics=2, endpoints=4, events=10)

    assert found["waiting"] == 2 * 4 * 10
    assert found["worked"] == 2 * (2 * 4 + 10)  # what came in, and all that one endpoint of each clinic was waiting for
    assert found["looks"] == 20
    assert found["claim_p99_ms"] > 0
