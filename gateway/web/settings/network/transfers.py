"""Requests for records and what became of each document, while it happens. What was asked for and sent is shown nowhere."""

from __future__ import annotations

from typing import Any, Final

from gateway.flows.network import released
from gateway.flows.network.released import Told
from gateway.web import words as house
from gateway.web.auditor.words import REASONS
from gateway.web.page import Content, Page, View, Visit
from gateway.web.settings.network import words
from gateway.web.settings.network.place import BASE, READ, marked, place_of
from gateway.web.typed import id_in

_PER_PAGE: Final = 25


async def show(visit: Visit) -> View:
    """Who asked lately, newest first, and how far each request is."""
    place, before = await place_of(visit), id_in(visit.query.get("before", ""))
    connector = place.connector.id
    found = await released.transfers(visit.tenant, connector, visit.rooms, before=before, limit=_PER_PAGE + 1)
    page = found[:_PER_PAGE]
    older = f"{place.home}/transfers?before={page[-1].row.id}" if len(found) > _PER_PAGE else ""
    return View(
        {
            **place.words(visit, "/transfers"), "transfers": [summed(each) for each in page], "older": older,
            "newer": f"{place.home}/transfers" if before is not None else "", "first": before is None,
            "mark": await released.mark_of_transfers(visit.tenant, connector, visit.rooms),
        },
        title=f"{place.title}: records sent",
    )  # fmt: skip


async def mark_of_all(visit: Visit) -> Content:
    """Whether a request stands otherwise now."""
    place = await place_of(visit)
    return marked(await released.mark_of_transfers(visit.tenant, place.connector.id, visit.rooms))


async def show_one(visit: Visit) -> View:
    """One request with each of its documents. The look is recorded."""
    place = await place_of(visit)
    mark = await released.mark_of_transfer(visit.tenant, place.connector.id, visit.id(), visit.rooms)
    told, entries = await released.transfer(visit.actor, place.connector.id, visit.id(), visit.rooms)
    return View(
        {
            **place.words(visit, "/transfers"),
            "transfer": summed(told),
            "entries": [
                {
                    "number": entry.number + 1, "kind": house.record_kind(entry.kind), "state": words.ENTRIES[entry.state],
                    "says": words.entry_says(entry.state, entry.code, entry.next_at if entry.attempts else None),
                    "attempts": entry.attempts, "disclosure": entry.disclosure,
                }
                for entry in entries
            ],
            "reasons": [
                (REASONS[each["code"]][0] if each["code"] in REASONS else each["code"], each["what"], each["fix"])
                for each in told.row.reasons
            ],
            "subject": told.subject,
            "mark": mark,
        },
        title=f"{place.title}: one request for records",
    )  # fmt: skip


async def mark_of_one(visit: Visit) -> Content:
    """Whether one of its documents stands otherwise now."""
    place = await place_of(visit)
    return marked(await released.mark_of_transfer(visit.tenant, place.connector.id, visit.id(), visit.rooms))


def summed(told: Told) -> dict[str, Any]:
    """A request in words, with how many of its documents stand where."""
    row, counts = told.row, told.counts
    state = words.REFUSED if row.reasons and row.state != "unreported" else words.TRANSFERS[row.state]
    total = sum(counts.values())
    return {
        "id": row.id, "hiu": told.hiu or "Somebody without a consent that is known", "state": state, "live": told.live,
        "asked_at": row.asked_at, "deadline_at": row.deadline_at, "done_at": row.done_at, "host": row.host or "nowhere",
        "sent": sum(count for name, count in counts.items() if name == "sent"), "total": total,
        "parts": [(words.ENTRIES[name], count) for name, count in sorted(counts.items())],
        "planned": row.pages is not None, "subject": told.subject,
    }  # fmt: skip


_ALL: Final[dict[str, Any]] = {"title": "Records sent", "template": "settings/network/transfers.html", "needs": READ}
_ONE: Final[dict[str, Any]] = {"title": "Request", "template": "settings/network/transfer.html", "needs": READ}
PAGES = (
    Page(path=f"{BASE}/transfers", act=show, **_ALL),
    Page(path=f"{BASE}/transfers/again", act=show, quiet=True, **_ALL),
    Page(path=f"{BASE}/transfers/mark", act=mark_of_all, needs=READ, quiet=True),
    Page(path=f"{BASE}/transfers/{{id:uuid}}", act=show_one, **_ONE),
    Page(path=f"{BASE}/transfers/{{id:uuid}}/again", act=show_one, quiet=True, **_ONE),
    Page(path=f"{BASE}/transfers/{{id:uuid}}/mark", act=mark_of_one, needs=READ, quiet=True),
)
