"""Many events to many endpoints, some of them sick, and a worker that is killed on the way: every event arrives, signed."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.stage import START_SECONDS, Stage, ask, staged
from benchmarks.storm import Plan, Verdict, storm
from benchmarks.subjects.events import TYPE
from benchmarks.webhooks import STORM_EVENTS, weather
from tests.acceptance.reference import Message, in_node, in_python

SMALL = Plan(events=300, endpoints=10, kills=3, per_second=60, seconds_at_most=50)
WHOLE = weather(STORM_EVENTS)
# What this machine's other work may add to a wait. An endpoint that hangs holds up whoever waits for it for 15 seconds.
NOISE_MS = {SMALL: 10_000.0, WHOLE: 25.0}


def test_both_reference_verifiers_accept_every_delivery(fresh_dsn: str, tmp_path: Path) -> None:
    with staged(fresh_dsn, tmp_path) as stage, stage.worker() as worker:
        worker.hear(START_SECONDS)
        secrets = {path: stage.registered(path, [TYPE])["secret"] for path in ("/one", "/two")}
        stage.sink.tell({"do": "until", "arrivals": 40})
        stage.publish(20, [TYPE])
        stage.published()
        stage.sink.hear(START_SECONDS)
        posted = {path: ask(stage.sink, {"do": "samples", "path": path}) for path in secrets}

    messages = [Message(secrets[path], one["headers"], one["body"].encode()) for path in posted for one in posted[path]]
    exchanged = [message.but(secret=secrets["/two"]) for message in messages if message.secret == secrets["/one"]]
    assert len(messages) == 40
    assert all(in_python(message) for message in messages)
    assert not any(in_python(message) for message in exchanged)
    assert in_node([*messages, *exchanged]) == [True] * 40 + [False] * 20


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(SMALL, id="small"),
        pytest.param(WHOLE, id="whole", marks=[pytest.mark.endure, pytest.mark.timeout(3600)]),
    ],
)
def test_in_a_storm_nothing_is_lost_and_the_sick_delay_nobody(fresh_dsn: str, tmp_path: Path, plan: Plan) -> None:
    with staged(fresh_dsn, tmp_path) as stage:
        verdict = storm(stage, plan)
        intents = _intents(stage)

    _check(verdict, plan)
    assert verdict.attempts <= intents, "something was posted without an intent"


def _check(verdict: Verdict, plan: Plan) -> None:
    assert verdict.missing == {}, "a healthy endpoint lacks events"
    assert verdict.strange == 0, "an id arrived that was never published"
    assert verdict.faults == [], "the reference verifier refused a message, or an id came again with another body"
    assert verdict.unaccounted == 0, "a delivery is nowhere"
    assert verdict.unsettled == 0, "a delivery arrived and is not recorded as delivered"
    assert verdict.kills == plan.kills
    assert verdict.followed == 0, "a redirect was followed"
    for path in plan.healthy:
        calm, beside_sick = verdict.calm_p99_ms[path], verdict.storm_p99_ms[path]
        assert beside_sick <= max(2 * calm, calm + NOISE_MS[plan]), (
            f"{path}: {calm:.0f} ms without, {beside_sick:.0f} ms beside the sick"
        )
    _check_the_sick(verdict)


def _check_the_sick(verdict: Verdict) -> None:
    """None of them is hammered, and what they did not take is kept."""
    assert set(verdict.states["/gone"]) <= {"waiting", "delivered"}
    assert verdict.sick_arrivals["/gone"] <= 16, "an endpoint that said 410 went on being asked"
    for temper in ("/hangs", "/broken", "/moved"):
        assert set(verdict.states[temper]) == {"waiting"}, f"{temper} took nothing, and yet: {verdict.states[temper]}"
    assert verdict.states["/moody"]["delivered"] > 0


def _intents(stage: Stage) -> int:
    return int(stage.rows("SELECT count(*) FROM disclosures WHERE connector = 'webhook'")[0][0])
