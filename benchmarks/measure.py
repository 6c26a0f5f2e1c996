"""What is measured when: every subject once per round, so that a slow minute of the machine hits all of them."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks.programs import Program
from benchmarks.subjects import Target, gateway, served

WARM_SECONDS = 0.3
SLOW_SECONDS = 0.05
DIRECT = {"D sync": "threads", "D async": "tasks"}
# (callers, seconds that the upstream takes, subjects)
PLAN = (
    (1, 0.0, ("A", "B", "C", "D sync", "D async")),
    (16, 0.0, ("A", "B", "C", "D sync", "D async")),
    (64, 0.0, ("A", "B", "C", "D sync", "D async")),
    (256, SLOW_SECONDS, ("A", "C")),
)


@dataclass(frozen=True)
class Settings:
    """How long and how often; no subjects means all of them."""

    seconds: float = 1.0
    rounds: int = 5
    subjects: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """One measurement."""

    subject: str
    callers: int
    upstream_ms: int
    round: int
    result: dict[str, Any]
    commits_per_call: float | None


def figures(settings: Settings) -> Iterator[Figure]:
    """Start everything, measure round by round, end everything."""
    with ExitStack() as stack:
        stub = stack.enter_context(Program("benchmarks.stub"))
        upstream = f"http://127.0.0.1:{stub.hear()['port']}"
        targets = {
            "A": stack.enter_context(gateway.running(upstream)) if wants(settings, "A") else None,
            "B": stack.enter_context(served.running("benchmarks.subjects.httpx2_proxy", upstream)),
            "C": stack.enter_context(served.running("benchmarks.subjects.aiohttp_proxy", upstream)),
        }
        for turn in range(settings.rounds):
            for callers, delay_seconds, subjects in PLAN:
                stub.tell({"delay_seconds": delay_seconds})
                stub.hear()
                # Every other round runs backwards: no subject always comes after the same one.
                for subject in subjects if turn % 2 == 0 else reversed(subjects):
                    target = targets.get(subject)
                    if not wants(settings, subject) or (target is None and subject not in DIRECT):
                        continue
                    spec = {"callers": callers, "warm_seconds": WARM_SECONDS, "seconds": settings.seconds}
                    result, commits = direct(subject, spec, upstream) if target is None else sent(target, spec)
                    yield Figure(subject, callers, round(delay_seconds * 1000), turn, result, commits)


def wants(settings: Settings, subject: str) -> bool:
    """Whether this subject is measured."""
    return not settings.subjects or subject[0] in settings.subjects


def direct(subject: str, spec: dict[str, Any], upstream: str) -> tuple[dict[str, Any], None]:
    """Measure a program that makes the calls itself."""
    with Program("benchmarks.subjects.stripe_direct", DIRECT[subject]) as program:
        program.tell({**spec, "upstream": upstream})
        return program.hear(spec["seconds"] + 30), None


def sent(target: Target, spec: dict[str, Any]) -> tuple[dict[str, Any], float | None]:
    """Measure a server by sending it the load."""
    fields = {name: getattr(target, name) for name in ("url", "headers", "body", "server", "database")}
    before = target.commits() if target.commits else 0
    with Program("benchmarks.load") as load:
        load.tell({**spec, **fields})
        result = load.hear(spec["seconds"] + 30)
    if target.commits is None:
        return result, None
    return result, (target.commits() - before) / max(result["all_calls"], 1)
