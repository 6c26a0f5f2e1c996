"""The data map: which kinds of data left, through which integration, to whom, in which country. Counted from the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from gateway.tallies import Flow
from gateway.web import words
from gateway.web.page import Page, View, Visit
from gateway.web.sankey import BAR, Band, Bar, Picture, sankey
from gateway.web.settings.map_period import CHOICES, Chosen, asked, chosen, usual
from gateway.webhooks.endpoint import CONNECTOR as WEBHOOK
from scopes.scope import Area, Scope, Verb
from scopes.vocabulary import Category

READ: Final = Scope(Area.AGREEMENTS, Verb.READ)
_LOG: Final = Scope(Area.LOG, Verb.READ)
_CONNECTIONS: Final = Scope(Area.CONNECTIONS, Verb.READ)
_ENDPOINTS: Final = Scope(Area.ENDPOINTS, Verb.READ)
_OUTSIDE: Final = "outside"  # what the log calls a disclosure that was made elsewhere and written down
_WIDTH: Final = 1160.0
_XS: Final = (190.0, 430.0, 690.0, 985.0)
_LETTERS: Final = (22, 26, 29, 20)  # so many fit beside a bar of each column
_LONGEST_NAME: Final = 200  # what the log's own page takes
_REST: Final = "\0"  # no name holds it


@dataclass(frozen=True, slots=True)
class Row:
    """One flow as the table and the picture tell it."""

    flow: Flow
    kind: str
    through: str
    country: str
    link: str

    @property
    def style(self) -> str:
        """Its kind of data as the style sheet knows it; what an entry says is used for nothing but to look it up."""
        return str(Category(self.flow.category)) if self.flow.category in set(Category) else "none"

    @property
    def label(self) -> str:
        """The whole of it in one sentence, for who cannot see the picture."""
        count = f"{self.flow.count} {'disclosure' if self.flow.count == 1 else 'disclosures'}"
        return f"{self.kind} through {self.through} to {self.flow.party.recipient}, {self.country}: {count}"


@dataclass(frozen=True, slots=True)
class Label:
    """What stands beside a bar, and whole in its title."""

    bar: Bar
    text: str
    whole: str
    x: float
    anchor: str


async def show(visit: Visit) -> View:
    """The map of a period."""
    return await _view(visit, chosen(visit.query, visit.rooms.clock()))


async def again(visit: Visit) -> View:
    """The usual period, where another was asked for that is none."""
    return await _view(visit, usual(visit.rooms.clock()))


async def _view(visit: Visit, period: Chosen) -> View:
    counted = await visit.rooms.tallies.flows(visit.tenant, period.period)
    rows = sorted((_row(visit, flow, period) for flow in counted.items if flow.count), key=lambda row: -row.flow.count)
    picture = sankey([_band(row) for row in rows], xs=_XS, width=_WIDTH, rest=_REST)
    labels = [_label(bar, rows) for bar in picture.bars]
    return View(
        {
            "rows": rows,
            "picture": picture,
            "labels": labels,
            "heads": list(zip(("Kind of data", "Integration", "Recipient", "Country"), _heads(), strict=True)),
            "period": period,
            "choices": CHOICES,
            "asked": asked(visit.query if visit.faults else {}, period),
            "recipients": len({row.flow.party.recipient for row in rows}),
            "countries": len({row.flow.party.country for row in rows}),
            "through": counted.through,
            "behind": _behind(picture),
        }
    )


def _row(visit: Visit, flow: Flow, period: Chosen) -> Row:
    return Row(
        flow,
        words.kind(flow.category),
        _through(visit, flow),
        words.country(flow.party.country),
        _link(visit, flow, period),
    )


def _through(visit: Visit, flow: Flow) -> str:
    """What the integration is called."""
    known = visit.rooms.registry.connectors.get(flow.party.connector)
    if known is not None:
        return known.manifest.title
    return {WEBHOOK: "Webhooks", _OUTSIDE: "Outside the gateway"}.get(flow.party.connector, flow.party.connector)


def _link(visit: Visit, flow: Flow, period: Chosen) -> str:
    """Where one sees more of it: in the log, else at the integration; nothing for who may see neither."""
    connector = flow.party.connector
    if visit.may(_LOG):
        sought = {"connector": connector, "category": flow.category, "since": period.since, "until": period.until}
        if 0 < len(name := flow.party.recipient) <= _LONGEST_NAME and name.isprintable():
            sought["recipient"] = name
        return "/auditor?" + urlencode(sought)
    if connector in visit.rooms.registry.connectors and visit.may(_CONNECTIONS):
        return f"/settings/integrations/{connector}"
    return "/vendor" if connector == WEBHOOK and visit.may(_ENDPOINTS) else ""


def _band(row: Row) -> Band:
    party = row.flow.party
    return Band((row.kind, row.through, party.recipient, row.country), row.flow.count, row)


def _label(bar: Bar, rows: Sequence[Row]) -> Label:
    whole = f"{bar.folded} others" if bar.folded else bar.name or "not named"
    most = _LETTERS[bar.column]
    text = whole if len(whole) <= most else f"{whole[: most - 1].rstrip()}…"
    if bar.column == 0:
        return Label(bar, text, whole, bar.x - 10, "end")
    return Label(bar, text, whole, bar.x + BAR + 8, "start")


def _heads() -> list[tuple[float, str]]:
    """Where the columns' headings stand."""
    return [(_XS[0] + BAR, "end"), *((x, "start") for x in _XS[1:])]


def _behind(picture: Picture) -> str:
    """The picture's own box; its headings stand above it."""
    return f"0 -34 {_WIDTH:.0f} {picture.height + 46:.0f}"


PAGES = (
    Page(
        path="/settings/map",
        act=show,
        needs=READ,
        again=again,
        wide=True,
        title="Data map",
        template="settings/map.html",
    ),
)
