"""What was asked for and not let through: the refusals, newest first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from gateway.flows import look
from gateway.web.auditor import words
from gateway.web.auditor.log import PER_PAGE, READ, choices
from gateway.web.auditor.narrowing import Narrowing, cursor_of
from gateway.web.page import Page, View, Visit

HERE: Final = "/auditor/refusals"


async def show(visit: Visit) -> View:
    """A page of refusals."""
    narrowing = _narrowed(Narrowing.of({**visit.query, "outcome": words.REFUSED}))
    wanted = narrowing.search(before=cursor_of(visit.query.get("before", "")), limit=PER_PAGE + 1)
    found = await look.refusals(visit.tenant, wanted, visit.rooms)
    rows = list(found[:PER_PAGE])
    await look.record(visit.actor, "refusals", wanted, len(rows), visit.rooms)
    older = narrowing.at(HERE, outcome="", before=str(rows[-1].id)) if len(found) > PER_PAGE else ""
    return await _shown(visit, narrowing, rows, older)


async def again(visit: Visit) -> View:
    """The form once more."""
    return await _shown(visit, Narrowing.typed(visit.query), None, "")


def _narrowed(narrowing: Narrowing) -> Narrowing:
    return replace(narrowing, recipient="", category="")


async def _shown(visit: Visit, narrowing: Narrowing, rows: list[Any] | None, older: str) -> View:
    parties = await visit.rooms.tallies.names(visit.tenant)
    connectors = sorted({connector for connector, _ in parties} | set(visit.rooms.registry.connectors))
    return View(
        {
            **words.EVERY_WORD,
            "narrowing": narrowing,
            "rows": rows,
            "older": older,
            "newest": narrowing.at(HERE, outcome="") if visit.query.get("before") else "",
            "choices": choices(narrowing, connectors, []),
            "export": replace(narrowing, outcome=words.REFUSED).at("/auditor/export"),
            "without_subject": narrowing.at(HERE, subject="", outcome=""),
        }
    )


PAGES = (
    Page(path=HERE, act=show, again=again, needs=READ, title="Refusals", template="auditor/refusals.html", wide=True),
)
