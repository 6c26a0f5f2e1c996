"""What is measured of pushes works on a small scale, both subjects send the same, and each goal is judged on the right side."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest

from benchmarks import pushes, report
from benchmarks.measure import Settings
from benchmarks.subjects import push_bare, push_ours
from benchmarks.subjects.push_record import peer, record
from connectors.abdm.crypto import unseal


def found(ratio: float) -> dict[str, Any]:
    """Invented figures of both sizes."""
    rounds = {name: [{"pushes_per_second": 1000.0, "cpu_us": 900.0}] for name in pushes.SUBJECTS}
    return {str(size): {"rounds": rounds, "rate_ratio": ratio, "cpu_ratio": 1.0} for size, _ in pushes.SIZES}


def opened(page: dict[str, Any]) -> bytes:
    keys = page["keyMaterial"]
    public, nonce = b64decode(keys["dhPublicKey"]["keyValue"]), b64decode(keys["nonce"])
    return unseal(b64decode(page["entries"][0]["content"]), own=peer(), peer_public=public, peer_nonce=nonce)


async def test_both_subjects_send_the_same_record_in_the_same_fields() -> None:
    content = record(100_000)
    ours = json.loads(b"".join([piece async for piece in push_ours.page(content).chunks()]))
    bare = json.loads(push_bare.page(content))
    assert opened(ours) == opened(bare) == content
    assert ours.keys() == bare.keys()
    assert ours["entries"][0].keys() == bare["entries"][0].keys()
    assert ours["keyMaterial"].keys() == bare["keyMaterial"].keys()
    assert ours["entries"][0]["checksum"] == bare["entries"][0]["checksum"]


def test_a_small_run_measures_both_at_each_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushes, "SIZES", ((2000, 64), (200_000, 64)))
    measured = pushes.measured(0.1, 2)
    assert list(measured) == ["2000", "200000"]
    for of_size in measured.values():
        assert of_size["pushes"] == 64
        assert [len(of_size["rounds"][name]) for name in pushes.SUBJECTS] == [2, 2]
        assert all(one["pushes_per_second"] > 0 < one["cpu_us"] for one in of_size["rounds"]["P"])
    assert "KB" in "\n".join(pushes.table(measured))


@pytest.mark.parametrize(("ratio", "met"), [(0.5, True), (0.49, False)])
def test_the_goal_is_met_from_its_bar_on(ratio: float, met: bool) -> None:
    summary = report.summarise(Settings(), [], {}, pushed=found(ratio))
    assert [line["met"] for line in summary["ratios"]] == [met] * 2
    assert ("NOT MET" in report.table(summary)) is not met
    assert "pushes/s" in report.table(summary)


def test_a_run_without_pushes_says_nothing_of_them() -> None:
    assert "pushes" not in report.table(report.summarise(Settings(), [], {}))
