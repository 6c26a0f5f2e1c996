"""Everything that is measured of webhooks, and the goals. One function runs it all; nothing here measures by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from benchmarks.backlog import backlog
from benchmarks.deliveries import IN_FLIGHT, MOST_AT_ONCE, RATIOS, idle, throughput
from benchmarks.stage import staged
from benchmarks.storm import Plan, storm

STORM_EVENTS = 20_000
MOST_RATIO, LEAST_RATE, IDLE_MS, CLAIM_MS, GROWN, SHRUNK = 2.0, 0.6, 50.0, 20.0, 1.2, 0.8
MEANINGS = {
    "W8": "webhooks, each event to eight endpoints: published one per transaction, signed, posted, recorded",
    "W1": "webhooks, each event to one endpoint",
    "Q": "bare pgqueuer jobs that post the same body with aiohttp, enqueued a thousand in a transaction",
    "Q8": "the same, enqueued eight in a transaction",
    "Q1": "the same, each enqueued in a transaction of its own",
}


def weather(events: int) -> Plan:
    """A storm of so many events, at a pace that leaves the worker some room."""
    return Plan(events=events, endpoints=20, kills=10, per_second=25, seconds_at_most=120 + events / 8)


def measured(seconds: float, rounds: int, storm_events: int) -> dict[str, Any]:
    """Run it all: some minutes, and the storm at 25 events a second."""
    count = MOST_AT_ONCE * max(1, round(4 * seconds))
    found: dict[str, Any] = {"throughput": throughput(count, rounds), "idle": idle(), "backlog": backlog()}
    with staged() as stage:
        found["storm"] = storm(stage, weather(storm_events)).as_json()
    return found


def goals(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each figure that has a bar, beside it: name, of what, value, bar and on which side of it is well."""
    if not found:
        return
    rate, idling, waiting, stormy = (found[name] for name in ("throughput", "idle", "backlog", "storm"))
    for pair in RATIOS:
        yield _line(
            f"deliveries, {'/'.join(pair)}", f"{IN_FLIGHT} in flight", rate["/".join(pair)], at_least=LEAST_RATE
        )
    yield _line("event to attempt, p50 ms", "idle", idling["p50_ms"], at_most=IDLE_MS)
    a_million = f"{waiting['waiting']:,} waiting"
    yield _line("memory, most/before", a_million, waiting["grown"], at_most=GROWN)
    yield _line("memory, least/before", a_million, waiting["shrunk"], at_least=SHRUNK)
    yield _line("claim, p99 ms", a_million, waiting["claim_p99_ms"], at_most=CLAIM_MS)
    size = f"{stormy['plan']['events']:,} events"
    yield _line("storm, p99 beside sick", size, stormy["worst_ratio"], at_most=MOST_RATIO)
    lost = (
        sum(stormy["missing"].values())
        + stormy["strange"]
        + stormy["unaccounted"]
        + stormy["unsettled"]
        + len(stormy["faults"])
    )
    yield _line("storm, lost or not genuine", size, lost, at_most=0)


def table(found: Mapping[str, Any]) -> list[str]:
    """The figures as lines of text."""
    if not found:
        return []
    rate, idling, waiting, stormy = (found[name] for name in ("throughput", "idle", "backlog", "storm"))
    return [
        *(f"{name:9}{median(rate['rates'][name]):>8,.0f} deliveries/s   {meaning}" for name, meaning in MEANINGS.items()),
        f"idle      {idling['p50_ms']:.1f} ms p50, {idling['p99_ms']:.1f} ms p99 from publishing to the first attempt",
        f"backlog   {waiting['before_mb']:.0f} MB before, {waiting['least_mb']:.0f} to {waiting['most_mb']:.0f} MB beside "
        f"{waiting['waiting']:,} waiting; claim {waiting['claim_p50_ms']:.1f} ms p50, {waiting['claim_p99_ms']:.1f} ms p99 "
        f"(as the busy worker waits for it: {waiting['claim_seen_p50_ms']:.1f}, {waiting['claim_seen_p99_ms']:.1f})",
        f"storm     {stormy['attempts']:,} attempts, {stormy['kills']} kills, {stormy['duplicates']} duplicates, "
        f"{stormy['seconds']:.0f} s",
        "",
    ]  # fmt: skip


def _line(
    name: str, of: str, value: float, *, at_least: float | None = None, at_most: float | None = None
) -> dict[str, Any]:
    bar = at_least if at_least is not None else at_most
    met = value >= at_least if at_least is not None else value <= (at_most or 0)
    return {"name": name, "of": of, "value": value, "goal": bar, "at_most": at_most is not None, "met": met}
