"""The harness measures what it says: every error is counted, every program it started is gone, goals are judged."""

import os
from collections.abc import Iterator

import psutil
import pytest

from benchmarks import measure, report
from benchmarks.measure import Figure, Settings, figures, sent
from benchmarks.programs import Program
from benchmarks.subjects import BODY, Target


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No program outlives its measurement."""
    own = psutil.Process(os.getpid())
    # Direct children only: the run's PostgreSQL may be one of them, and the tests beside these open connections on it.
    before = set(own.children())
    yield
    assert set(own.children()) - before == set()


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """One small turn of the plan."""
    monkeypatch.setattr(measure, "WARM_SECONDS", 0.1)
    monkeypatch.setattr(measure, "PLAN", ((2, 0.0, ("C", "D sync", "D async")), (4, 0.05, ("C",))))


def figure(subject: str, number: float, callers: int = 16, turn: int = 0) -> Figure:
    """An invented figure."""
    result = {**dict.fromkeys(report.NUMBERS, number), "errors": 0, "first_error": ""}
    return Figure(subject, callers, 0, turn, result, None)


def test_a_turn_measures_every_subject_without_an_error() -> None:
    measured = list(figures(Settings(seconds=0.3, rounds=1, subjects=("C", "D"))))

    assert [(one.subject, one.callers) for one in measured] == [("C", 2), ("D sync", 2), ("D async", 2), ("C", 4)]
    assert all(one.result["errors"] == 0 and one.result["calls"] > 0 for one in measured), measured
    assert measured[0].result["server_cpu_us"] > 0
    assert measured[-1].result["p50_ms"] >= 50
    assert "aiohttp" in report.table(report.summarise(Settings(), measured, {}))


def test_a_server_that_is_not_there_is_an_error_not_a_figure() -> None:
    with Program("benchmarks.stub") as stub:
        port = stub.hear()["port"]
    target = Target(url=f"http://127.0.0.1:{port}/", headers={}, body=BODY, server=(os.getpid(),))

    result, _ = sent(target, {"callers": 2, "warm_seconds": 0.0, "seconds": 0.1})

    assert result["calls"] == 0
    assert result["errors"] == 2
    assert "no connection" in result["first_error"]


def test_an_answer_other_than_2xx_is_counted_and_shown() -> None:
    with Program("benchmarks.subjects.aiohttp_proxy", "http://127.0.0.1:1") as proxy:
        url = f"http://127.0.0.1:{proxy.hear()['port']}/"
        target = Target(url=url, headers={}, body=BODY, server=(proxy.id,))
        result, _ = sent(target, {"callers": 2, "warm_seconds": 0.0, "seconds": 0.3})

    assert result["calls"] == 0
    assert result["errors"] >= 2
    assert result["first_error"].startswith("500")


def test_each_goal_is_judged_by_the_median_of_the_rounds() -> None:
    measured = [figure("A", speed, turn=turn) for turn, speed in enumerate((50.0, 70.0, 90.0))]
    measured += [figure("C", 100.0, turn=turn) for turn in range(3)]
    measured += [figure("B", 40.0, turn=turn) for turn in range(3)]

    ratios = {line["name"]: line for line in report.summarise(Settings(), measured, {128: 14_000.0})["ratios"]}

    assert ratios["A/C"]["value"] == 0.7
    assert ratios["A/C"]["met"] is True
    assert ratios["A/B"]["met"] is False
    assert ratios["ledger appends a second"]["met"] is False
