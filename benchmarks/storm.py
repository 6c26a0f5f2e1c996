"""The storm: many events to many endpoints of which some are sick, and a worker that is killed (-9) again and again.

First events at the same pace go to the healthy endpoints alone, which says what their wait is without the sick ones. Then these
join: one hangs, one answers 500, one 302, one 410, one 500 every other time. The first part of the storm, without kills, is for
the comparison; the kills come in the rest. The sink verifies every signature with the reference package.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Self

from benchmarks.stage import START_SECONDS, Stage, ask, bar, end_hard, percentile
from benchmarks.subjects.events import TYPE

Waits = tuple[dict[str, float], dict[str, float]]
SICK = ("hangs", "broken", "moved", "gone", "moody")
CALM = "calm.weather"
_PART_WITHOUT_KILLS = 0.4
_WARM_EVENTS = 20  # before anything counts
_OF_TYPE = "FROM deliveries d JOIN events e ON e.tenant = d.tenant AND e.id = d.event WHERE e.type = $1"
_UNSETTLED = f"SELECT count(*) {_OF_TYPE} AND d.endpoint = ANY ($2::text[]::uuid[]) AND d.state <> 'delivered'"
_STATES = f"SELECT d.state, count(*) {_OF_TYPE} AND d.endpoint = $2::text::uuid GROUP BY 1"


@dataclass(frozen=True)
class Plan:
    """How large a storm."""

    events: int
    endpoints: int
    kills: int
    per_second: float
    seconds_at_most: float

    @property
    def healthy(self) -> tuple[str, ...]:
        """The paths of the endpoints that answer well."""
        return tuple(f"/healthy/{number}" for number in range(self.endpoints - len(SICK)))

    @property
    def unharmed(self) -> int:
        """How many events come before the first kill."""
        return int(self.events * _PART_WITHOUT_KILLS)


@dataclass(frozen=True)
class Verdict:
    """What came of it. Nothing is lost when `missing` and `faults` are empty, and `strange`, `unaccounted`, `unsettled` 0."""

    plan: Plan
    attempts: int
    missing: dict[str, int]
    """Healthy endpoints that did not get every event, and how many they lack."""
    strange: int
    """Ids that arrived and were never published."""
    unaccounted: int
    """Deliveries that the database does not have, of all events to all endpoints that were active then."""
    unsettled: int
    """Deliveries to healthy endpoints that are not recorded as delivered."""
    duplicates: int
    """Arrivals of an id that had arrived at that endpoint before; each with the same body."""
    faults: list[str]
    """What the reference verifier said of messages that it did not accept."""
    followed: int
    """How often somebody went where the redirect pointed."""
    kills: int
    calm_p99_ms: dict[str, float]
    storm_p99_ms: dict[str, float]
    worst_ratio: float
    """Of all healthy endpoints: p99 beside the sick ones over p99 without them."""
    states: dict[str, dict[str, int]]
    """Per path of a sick endpoint: how many deliveries are in which state."""
    sick_arrivals: dict[str, int]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Everything by name."""
        return asdict(self)


def storm(stage: Stage, plan: Plan) -> Verdict:
    """Let it come over a stage that has no worker yet."""
    began = time.monotonic()
    with bar() as progress, _Weather(stage, plan, began + plan.seconds_at_most) as weather:
        weather.tell = partial(progress.update, progress.add_task("storm", total=plan.unharmed + plan.events))
        ids = {path: stage.endpoint(path, [CALM, TYPE]) for path in plan.healthy}
        weather.publish(_WARM_EVENTS, CALM, seen=0)
        calm = weather.publish(plan.unharmed, CALM, seen=_WARM_EVENTS)
        calm_waits = {path: _p99(stage, path, calm) for path in plan.healthy}
        ids |= {f"/{temper}": stage.endpoint(f"/{temper}", [TYPE], temper=temper) for temper in SICK}
        ask(stage.sink, {"do": "forget"})
        published = weather.publish(plan.unharmed, TYPE, seen=0)
        storm_waits = {path: _p99(stage, path, published) for path in plan.healthy}
        published |= weather.publish_and_kill(plan.events - plan.unharmed)
        weather.settle([ids[path] for path in plan.healthy])
        return _verdict(stage, plan, ids, published, (calm_waits, storm_waits), weather.kills, time.monotonic() - began)


class _Weather:
    """What goes on: the worker of the moment, what is published, and how far it has come."""

    def __init__(self, stage: Stage, plan: Plan, deadline: float) -> None:
        self.stage, self.plan, self.deadline = stage, plan, deadline
        self.kills = 0
        self.tell: Callable[..., None] = lambda **_: None

    def __enter__(self) -> Self:
        self._worker = self.stage.worker()
        self._worker.hear(START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def publish(self, count: int, type_: str, *, seen: int) -> dict[str, float]:
        """Publish so many at the plan's pace and wait for them, where so many were there before; gives ids and times."""
        self.stage.publish(count, [type_], per_second=self.plan.per_second)
        ids: dict[str, float] = self.stage.published()["ids"]
        self._arrived(seen + count)
        return ids

    def publish_and_kill(self, count: int) -> dict[str, float]:
        """Publish so many as fast as can be; kill the worker so often on its way through, and start another each time."""
        chance = random.Random(20261122)
        self.stage.publish(count, [TYPE])
        for turn in range(self.plan.kills):
            part = (turn + chance.uniform(0.1, 0.9)) / self.plan.kills
            self._arrived(self.plan.unharmed + int(part * count))
            self._end()
            self.kills += 1
            self.__enter__()
        ids: dict[str, float] = self.stage.published()["ids"]
        self._arrived(self.plan.events)
        return ids

    def settle(self, endpoints: Sequence[str]) -> None:
        """Wait until the outcome of what arrived at these endpoints is recorded."""
        while self.stage.rows(_UNSETTLED, TYPE, list(endpoints))[0][0] and time.monotonic() < self.deadline:
            time.sleep(0.1)

    def _arrived(self, count: int) -> None:
        """Wait until each healthy path has so many different events, or the time is over: what is missing is found later."""
        while time.monotonic() < self.deadline:
            counted = self.stage.count()
            least = min(counted.get(path, 0) for path in self.plan.healthy)
            self.tell(completed=least)
            if least >= count:
                return
            time.sleep(0.05)

    def _end(self) -> None:
        end_hard(self._worker)
        self._worker.__exit__(None, None, None)


def _p99(stage: Stage, path: str, asked: Mapping[str, float]) -> float:
    """From asking to publish an event to its first arrival at a path."""
    first = ask(stage.sink, {"do": "tell", "path": path})["first"]
    return percentile([(first[one] - at) * 1000 for one, at in asked.items() if one in first], 0.99)


def _verdict(
    stage: Stage, plan: Plan, ids: Mapping[str, str], published: Mapping[str, float], waits: Waits, kills: int, seconds: float
) -> Verdict:  # fmt: skip
    heard = {path: ask(stage.sink, {"do": "tell", "path": path}) for path in ids}
    states = {path: _states(stage, endpoint) for path, endpoint in ids.items()}
    listening = [path for path in ids if path != "/gone"]  # that one is switched off, and hears of nothing more
    calm_waits, storm_waits = waits
    return Verdict(
        plan=plan,
        attempts=sum(one["arrivals"] for one in heard.values()),
        missing={path: lack for path in plan.healthy if (lack := len(published.keys() - heard[path]["first"].keys()))},
        strange=sum(len(one["first"].keys() - published.keys()) for one in heard.values()),
        unaccounted=sum(len(published) - sum(states[path].values()) for path in listening),
        unsettled=sum(len(published) - states[path].get("delivered", 0) for path in plan.healthy),
        duplicates=sum(sum(heard[path]["again"].values()) for path in plan.healthy),
        faults=[fault for one in heard.values() for fault in one["faults"]],
        followed=ask(stage.sink, {"do": "tell", "path": "/elsewhere"})["arrivals"],
        kills=kills,
        calm_p99_ms=calm_waits,
        storm_p99_ms=storm_waits,
        worst_ratio=max(storm_waits[path] / calm_waits[path] for path in plan.healthy),
        states={path: states[path] for path in ids if path not in plan.healthy},
        sick_arrivals={path: heard[path]["arrivals"] for path in ids if path not in plan.healthy},
        seconds=seconds,
    )


def _states(stage: Stage, endpoint: str) -> dict[str, int]:
    return {row[0]: row[1] for row in stage.rows(_STATES, TYPE, endpoint)}
