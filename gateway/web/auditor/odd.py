"""What is out of the ordinary: each with a sentence that says why it is shown, and the way to the log."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from gateway.flows.unusual import HISTORY_DAYS, NIGHT_BEGINS, NIGHT_ENDS, Debut, unusual
from gateway.web.auditor import words
from gateway.web.auditor.log import READ
from gateway.web.auditor.narrowing import Narrowing
from gateway.web.page import Page, View, Visit

HERE: Final = "/auditor/anomalies"
_DAYS: Final = (7, 30, 90)
_NIGHTS_SHOWN: Final = 10


async def show(visit: Visit) -> View:
    """The last thirty days, or as many as are asked for."""
    asked = visit.query.get("days", "")
    days = int(asked) if asked in map(str, _DAYS) else 30
    found = await unusual(visit.tenant, days, visit.rooms)
    await visit.rooms.ledger.accessed(visit.actor, what="anomalies", query={"days": days}, count=found.number)
    floods = [(each, _to(each.party.recipient, each.day.isoformat(), each.day.isoformat())) for each in found.floods]
    nights = [
        (each, [(night, _to(each.party.recipient, _exact(night.begins), _exact(night.ends)))
                for night in each.nights[:_NIGHTS_SHOWN]])
        for each in found.nights
    ]  # fmt: skip
    return View(
        {
            **words.EVERY_WORD, "found": found, "days": days, "spans": _DAYS, "floods": floods, "nights": nights,
            "night": f"{NIGHT_BEGINS:%H:%M} and {NIGHT_ENDS:%H:%M}", "history": HISTORY_DAYS,
            "debuts": [(each, Narrowing(recipient=each.party.recipient, category=_kind(each)).at("/auditor"))
                       for each in found.debuts],
        }
    )  # fmt: skip


def _kind(debut: Debut) -> str:
    return debut.name if debut.what == "category" else ""


def _to(recipient: str, since: str, until: str) -> str:
    return Narrowing(recipient=recipient, since=since, until=until).at("/auditor")


def _exact(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%MZ}"


PAGES = (Page(path=HERE, act=show, needs=READ, title="Anomalies", template="auditor/anomalies.html"),)
