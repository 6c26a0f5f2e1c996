"""Medians, ratios and goals of a run, as a document and as a table. Measures nothing."""

import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import psutil

from benchmarks import auditor, pushes, webhooks
from benchmarks.measure import Figure, Settings

SUBJECTS = {
    "A": "brokered call through the gateway",
    "B": "bare Starlette + httpx2 proxy",
    "C": "bare Starlette + aiohttp proxy",
    "D sync": "stripe package, a thread per caller",
    "D async": "stripe package, asyncio",
}
NUMBERS = ("requests_per_second", "p50_ms", "p99_ms", "server_cpu_us", "database_cpu_us", "load_share")


@dataclass(frozen=True)
class Goal:
    """One comparison of A with another subject, and the bar that it has to reach, if any."""

    name: str
    other: str
    callers: int
    number: str = "requests_per_second"
    at_least: float | None = None
    at_most: float | None = None


GOALS = (
    *(Goal("A/B", "B", callers, at_least=2.0) for callers in (1, 16, 64)),
    Goal("A/C", "C", 1),
    *(Goal("A/C", "C", callers, at_least=0.6) for callers in (16, 64)),
    Goal("A/C, upstream 50 ms", "C", 256, at_least=0.9),
    Goal("A/D sync", "D sync", 1),
    Goal("A/D sync", "D sync", 16, at_least=2.0),
    Goal("A/D sync", "D sync", 64),
    *(Goal("A/D async", "D async", callers) for callers in (1, 16, 64)),
    Goal("A - C, p50 in ms", "C", 1, number="p50_ms", at_most=1.5),
)
COMMIT_GOALS = {16: 0.3, 64: 0.1}
APPEND_GOALS = {128: 15_000.0}


def summarise(
    settings: Settings,
    measured: list[Figure],
    appends: Mapping[int, float],
    webhook: Mapping[str, Any] | None = None,
    audited: Mapping[str, Any] | None = None,
    pushed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything that was measured and what follows from it."""
    webhook, pushed = webhook or {}, pushed or {}
    return {
        "machine": {
            "cores": psutil.cpu_count(),
            "system": platform.system(),
            "architecture": platform.machine(),
            "python": platform.python_version(),
        },
        "settings": asdict(settings),
        "medians": list(medians(measured)),
        "ratios": [line for goal in GOALS if (line := compared(goal, measured))]
        + [line for callers in (1, 16, 64, 256) if (line := commits(callers, measured))]
        + [
            judged("ledger appends a second", waiting, value, at_least=APPEND_GOALS.get(waiting))
            for waiting, value in appends.items()
        ]
        + list(webhooks.goals(webhook))
        + list(pushes.goals(pushed))
        + list(auditor.goals(audited)),
        "webhooks": webhook,
        "pushes": pushed,
        "auditor": audited or {},
        "rounds": [asdict(figure) for figure in measured],
    }


def medians(measured: list[Figure]) -> Iterable[dict[str, Any]]:
    """One line per subject and number of callers: the median of its rounds."""
    for callers in sorted({figure.callers for figure in measured}):
        for subject in SUBJECTS:
            chosen = pick(measured, subject, callers)
            if chosen:
                errors = [figure.result for figure in chosen if figure.result["errors"]]
                yield {
                    "subject": subject,
                    "callers": callers,
                    "upstream_ms": chosen[0].upstream_ms,
                    **{number: median(figure.result[number] for figure in chosen) for number in NUMBERS},
                    "errors": sum(result["errors"] for result in errors),
                    "first_error": errors[0]["first_error"] if errors else "",
                }


def compared(goal: Goal, measured: list[Figure]) -> dict[str, Any] | None:
    """A beside the other, round by round; the median of the rounds."""
    ours, theirs = pick(measured, "A", goal.callers), pick(measured, goal.other, goal.callers)
    if not ours or not theirs:
        return None
    beside: Callable[[float, float], float] = difference if goal.number == "p50_ms" else ratio
    values = [beside(a.result[goal.number], other.result[goal.number]) for a, other in zip(ours, theirs, strict=True)]
    line = judged(goal.name, goal.callers, median(values), at_least=goal.at_least, at_most=goal.at_most)
    return {**line, "rounds": values}


def difference(ours: float, theirs: float) -> float:
    """By how much ours is more."""
    return ours - theirs


def ratio(ours: float, theirs: float) -> float:
    """How many times theirs ours is."""
    return ours / theirs if theirs else float("nan")


def commits(callers: int, measured: list[Figure]) -> dict[str, Any] | None:
    """Commits per brokered call."""
    values = [one.commits_per_call for one in pick(measured, "A", callers) if one.commits_per_call is not None]
    return judged("commits per call", callers, median(values), at_most=COMMIT_GOALS.get(callers)) if values else None


def judged(
    name: str, callers: int, value: float, *, at_least: float | None = None, at_most: float | None = None
) -> dict[str, Any]:
    """A value beside its bar; without a bar it is neither met nor missed."""
    met = None
    if at_least is not None:
        met = value >= at_least
    if at_most is not None:
        met = value <= at_most
    bar = at_least if at_least is not None else at_most
    return {"name": name, "callers": callers, "value": value, "goal": bar, "at_most": at_most is not None, "met": met}


def pick(measured: list[Figure], subject: str, callers: int) -> list[Figure]:
    """One subject's rounds in order."""
    chosen = [figure for figure in measured if figure.subject == subject and figure.callers == callers]
    return sorted(chosen, key=lambda figure: figure.round)


def table(summary: dict[str, Any]) -> str:
    """The run as text."""
    settings = summary["settings"]
    lines = [
        f"{summary['machine']['cores']} cores, {settings['rounds']} interleaved rounds of {settings['seconds']:g} s; "
        "medians; CPU is the server's, in microseconds per call",
        "",
        f"{'':9}{'callers':>8}{'upstream':>10}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'CPU':>8}{'db CPU':>8}{'load':>7}"
        f"{'errors':>8}",
    ]
    for line in summary["medians"]:
        lines.append(
            f"{line['subject']:9}{line['callers']:>8}{line['upstream_ms']:>7} ms{line['requests_per_second']:>9.0f}"
            f"{line['p50_ms']:>9.2f}{line['p99_ms']:>9.2f}{line['server_cpu_us']:>8.0f}{line['database_cpu_us']:>8.0f}"
            f"{line['load_share']:>7.0%}{line['errors']:>8}"
        )
        if line["first_error"]:
            lines.append(f"{'':9}first error: {line['first_error']}")
    lines += ["", *(f"{name:9}{meaning}" for name, meaning in SUBJECTS.items())]
    lines += ["load     CPU of the load generator, as a share of one core", ""]
    lines += webhooks.table(summary["webhooks"])
    lines += pushes.table(summary["pushes"])
    return "\n".join([*lines, *(verdict(line) for line in summary["ratios"])])


def verdict(line: dict[str, Any]) -> str:
    """One ratio and whether it meets its goal."""
    value = f"{line['value']:,.0f}" if line["value"] >= 1000 else f"{line['value']:.2f}"
    said = f"{line['name']:26}{line.get('of') or str(line['callers']) + ' callers':>18}{value:>9}"
    if line["met"] is None:
        return said
    return f"{said}   goal {'at most' if line['at_most'] else 'at least'} {line['goal']:,g}: " + (
        "met" if line["met"] else "NOT MET"
    )
