"""Charts of the log: who got how much on which day, which kinds of data went where, what was refused and why."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final

from gateway.errors import InvalidRequest
from gateway.tallies import Flow, Period, RecipientDays, RefusalDays
from gateway.web import charts
from gateway.web.auditor import words
from gateway.web.auditor.log import READ
from gateway.web.auditor.narrowing import Narrowing
from gateway.web.page import Page, View, Visit
from scopes.fault import Fault

HERE: Final = "/auditor/charts"
_SPANS: Final = ((7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "One year"))
_MOST_DAYS: Final = 1830
_DAILY: Final = 92
_WEEK: Final = 7
_COLUMNS: Final = 12
_OTHERS: Final = "All others"


@dataclass(frozen=True, slots=True)
class Linked:
    """A number with the part of the log that it counts."""

    number: int
    to: str
    level: int = 0


async def show(visit: Visit) -> View:
    """All three, of one period."""
    narrowing, period = _period(visit)
    tallies = visit.rooms.tallies
    sent, flows, refused = await asyncio.gather(
        tallies.by_recipient(visit.tenant, period),
        tallies.flows(visit.tenant, period),
        tallies.refusals(visit.tenant, period),
    )
    total = sum(sum(each.days) for each in sent.items)
    await visit.rooms.ledger.accessed(
        visit.actor, what="charts", query={"since": narrowing.since, "until": narrowing.until}, count=total
    )
    return View(
        {
            **words.EVERY_WORD, "narrowing": narrowing, "period": period, "through": refused.through, "total": total,
            "spans": [(text, _span(visit, days).at(HERE), days == period.days) for days, text in _SPANS],
            "daily": period.days <= _DAILY, "bars": _bars(sent.items, period),
            "heat": _heat(flows.items, narrowing), "refusals": _refusals(refused.items, narrowing),
        }
    )  # fmt: skip


async def again(visit: Visit) -> View:
    """The form once more, over the last thirty days' charts."""
    shown = await show(_without_query(visit))
    return View({**shown.words, "narrowing": Narrowing.typed(_dates(visit))}, status=400)


def _without_query(visit: Visit) -> Visit:
    return replace(visit, query={})


def _dates(visit: Visit) -> dict[str, str]:
    return {name: visit.query.get(name, "") for name in ("since", "until")}


def _span(visit: Visit, days: int) -> Narrowing:
    period = Period.of_last(days, now=visit.rooms.clock())
    return Narrowing(since=period.since.isoformat(), until=(period.until - timedelta(days=1)).isoformat())


def _period(visit: Visit) -> tuple[Narrowing, Period]:
    """The days that are asked for; thirty where none are. Raises InvalidRequest."""
    narrowing = Narrowing.of(_dates(visit))
    if any("T" in text for text in narrowing.given.values()):
        raise InvalidRequest(faults=[Fault("since", "Give days, such as 2026-11-24: charts count by day.")])
    last = narrowing.ends.date() if narrowing.ends else visit.rooms.clock().date() + timedelta(days=1)
    first = narrowing.begins.date() if narrowing.begins else last - timedelta(days=30)
    if not 0 < (last - first).days <= _MOST_DAYS:
        raise InvalidRequest(faults=[Fault("since", "Choose a period of one day to five years.")])
    told = Narrowing(since=first.isoformat(), until=(last - timedelta(days=1)).isoformat())
    return told, Period(first, last)


def _bars(found: Sequence[RecipientDays], period: Period) -> dict[str, Any]:
    """Stacked bars by recipient: those with the most, and all others together, by day or by week."""
    named: dict[str, list[int]] = {}
    for each in found:  # one name may stand for several connectors; the log is narrowed by the name
        days = named.setdefault(each.party.recipient, [0] * period.days)
        for place, number in enumerate(each.days):
            days[place] += number
    order = sorted(named, key=lambda name: (-sum(named[name]), name))
    kept = order if len(order) <= charts.PATTERNS else order[: charts.PATTERNS - 1]
    series = [named[name] for name in kept]
    others = [named[name] for name in order[len(kept) :]]
    if others:
        series.append([sum(column) for column in zip(*others, strict=True)])
    columns = _columns(period)
    size = 1 if period.days <= _DAILY else _WEEK
    folded = [charts.folded(each, size) for each in series]
    titles = [*kept, *([_OTHERS] if others else [])]
    layout = charts.stacked(folded, [f"{begin:%-d %b}" for begin, _ in columns])
    marks = [
        (mark, titles[mark.series], _name(columns[mark.column]), _day(titles[mark.series], columns[mark.column]))
        for mark in layout.marks
    ]
    table = [
        (_name(column), [Linked(each[place], _day(title, column)) for title, each in zip(titles, folded, strict=True)])
        for place, column in enumerate(columns)
        if any(each[place] for each in folded)
    ]
    return {
        "layout": layout, "marks": marks, "titles": titles, "table": table,
        "totals": [Linked(sum(each), _day(title, (period.since, period.until - timedelta(days=1))))
                   for title, each in zip(titles, series, strict=True)],
    }  # fmt: skip


def _columns(period: Period) -> list[tuple[date, date]]:
    """The first and the last day of each bar; weeks are counted back from the last day."""
    size = 1 if period.days <= _DAILY else _WEEK
    first = period.days % size or size
    cuts = [0, *range(first, period.days + 1, size)]
    return [
        (period.since + timedelta(days=begin), period.since + timedelta(days=end - 1)) for begin, end in pairwise(cuts)
    ]


def _name(column: tuple[date, date]) -> str:
    begin, end = column
    return f"{begin:%-d %b %Y}" if begin == end else f"{begin:%-d %b} to {end:%-d %b %Y}"


def _day(title: str, column: tuple[date, date]) -> str:
    recipient = "" if title == _OTHERS else title
    return Narrowing(recipient=recipient, since=column[0].isoformat(), until=column[1].isoformat()).at("/auditor")


def _heat(found: Sequence[Flow], narrowing: Narrowing) -> dict[str, Any]:
    """Kinds of data by recipient; the recipients with the most have a column, the rest stands in the log."""
    counts: Counter[tuple[str, str]] = Counter()
    for flow in found:
        counts[flow.category, flow.party.recipient] += flow.count
    recipients: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    for (category, recipient), number in counts.items():
        recipients[recipient] += number
        categories[category] += number
    columns = [name for name, _ in sorted(recipients.items(), key=lambda item: (-item[1], item[0]))][:_COLUMNS]
    rows = [name for name, _ in sorted(categories.items(), key=lambda item: (-item[1], item[0]))]
    levels = charts.levels([[counts[row, column] for column in columns] for row in rows])
    cells = [
        (row, [Linked(counts[row, column], narrowing.at("/auditor", category=row, recipient=column), levels[at][across])
               for across, column in enumerate(columns)])
        for at, row in enumerate(rows)
    ]  # fmt: skip
    return {"columns": columns, "rows": cells, "left_out": len(recipients) - len(columns)}


def _refusals(found: Sequence[RefusalDays], narrowing: Narrowing) -> list[tuple[str, charts.Lying, str]]:
    """Reasons, the commonest first."""
    placed = charts.lying([each.count for each in found])
    return [
        (each.reason, bar, narrowing.at("/auditor/refusals", reason=each.reason))
        for each, bar in zip(found, placed, strict=True)
    ]


PAGES = (
    Page(
        path=HERE,
        act=show,
        again=again,
        needs=READ,
        title="Charts of the log",
        template="auditor/charts.html",
        wide=True,
    ),
)
