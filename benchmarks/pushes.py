"""What it costs to encrypt a record and push it: through our door beside a bare loop, in one run, and the goals.

Both seal for the same peer with a pair of keys of their own for each record, at most 64 at once, to the stub on loopback, which
reads and forgets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from statistics import median
from typing import Any

from benchmarks.programs import Program
from benchmarks.stage import bar
from benchmarks.subjects.push_record import AT_ONCE

LEAST_RATIO = 0.5
# (bytes of a record, pushes in a round that lasts a second on a quiet machine)
SIZES = ((20_000, 1500), (1_000_000, 200))
SUBJECTS = {
    "P": "benchmarks.subjects.push_ours",
    "P bare": "benchmarks.subjects.push_bare",
}
MEANINGS = {
    "P": "records sealed while they are sent, through our door",
    "P bare": "records sealed whole by cryptography, posted by aiohttp",
}
_SECONDS = 120.0


def measured(seconds: float, rounds: int) -> dict[str, Any]:
    """Pushes a second and CPU per push, by size and subject, so many rounds after one that warms up; and the ratios."""
    found: dict[str, Any] = {}
    with ExitStack() as stack, bar() as progress:
        stub = stack.enter_context(Program("benchmarks.stub"))
        url = f"http://127.0.0.1:{stub.hear()['port']}/push"
        programs = {name: stack.enter_context(Program(module)) for name, module in SUBJECTS.items()}
        for program in programs.values():
            program.hear(_SECONDS)
        done = progress.add_task("pushes a second", total=(rounds + 1) * len(SIZES))
        for size, at_full_length in SIZES:
            count = max(AT_ONCE, round(at_full_length * seconds))
            figures: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
            for turn in range(rounds + 1):
                # Every other round runs backwards: no subject always comes after the same one.
                for name in programs if turn % 2 == 0 else reversed(programs):
                    figure = _round(programs[name], {"url": url, "size": size, "count": count})
                    if turn:
                        figures[name].append(figure)
                progress.advance(done)
            found[str(size)] = {"pushes": count, "rounds": figures, **_ratios(figures)}
    return found


def _round(program: Program, work: Mapping[str, Any]) -> dict[str, float]:
    program.tell(work)
    told = program.hear(_SECONDS)
    if told["refused"]:
        raise RuntimeError(f"{told['refused']} of {work['count']} pushes were not taken")
    count = work["count"]
    return {"pushes_per_second": count / told["seconds"], "cpu_us": told["cpu_seconds"] / count * 1e6}


def _ratios(figures: Mapping[str, list[dict[str, float]]]) -> dict[str, float]:
    """Ours beside theirs, round by round; the median of the rounds."""
    pairs = list(zip(figures["P"], figures["P bare"], strict=True))
    return {
        "rate_ratio": median(ours["pushes_per_second"] / bare["pushes_per_second"] for ours, bare in pairs),
        "cpu_ratio": median(ours["cpu_us"] / bare["cpu_us"] for ours, bare in pairs),
    }


def goals(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The ratio of each size, beside its bar."""
    for size, of_size in found.items():
        value = of_size["rate_ratio"]
        yield {
            "name": f"pushes, P/P bare, {int(size) // 1000} KB",
            "of": f"{AT_ONCE} at once",
            "value": value,
            "goal": LEAST_RATIO,
            "at_most": False,
            "met": value >= LEAST_RATIO,
        }


def table(found: Mapping[str, Any]) -> list[str]:
    """The medians as lines of text."""
    lines = [
        f"{name:9}{_median(of_size, name, 'pushes_per_second'):>8,.0f} pushes/s, {_median(of_size, name, 'cpu_us'):>7,.0f} µs of"
        f" CPU each   {int(size) // 1000} KB {MEANINGS[name]}"
        for size, of_size in found.items()
        for name in SUBJECTS
    ]
    return [*lines, ""] if lines else []


def _median(of_size: Mapping[str, Any], name: str, number: str) -> float:
    return float(median(figure[number] for figure in of_size["rounds"][name]))
