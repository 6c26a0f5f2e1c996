"""Visits that a network may find, newest first: what each holds by kind, how far it is linked, and why not. No content."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from gateway.flows.network import released
from gateway.flows.network.released import Seen
from gateway.web import words as house
from gateway.web.page import Go, Page, View, Visit
from gateway.web.settings.network import words
from gateway.web.settings.network.place import BASE, READ, Place, place_of
from gateway.web.typed import Typed, id_in

_PER_PAGE: Final = 25
_LONGEST_REFERENCE: Final = 255
_SIZES: Final = ((1 << 20, "MB"), (1 << 10, "kB"))


async def show(visit: Visit) -> View:
    """A page of them. The look is recorded."""
    return await _listed(visit, await place_of(visit))


async def search(visit: Visit) -> View | Go:
    """Find a visit or a patient by the host's own reference, which never stands in an address."""
    place = await place_of(visit)
    typed = Typed(visit.form)
    reference = typed.text("reference", _LONGEST_REFERENCE, "Write how your system knows the visit or the patient.")
    typed.check()
    rooms, connector = visit.rooms, place.connector.id
    context = await rooms.records.under(visit.tenant, connector, reference)
    if context is not None:
        return Go(f"{place.home}/of/{context.subject}#visit-{context.id}")
    clinic = await rooms.connections.clinic(visit.tenant)
    for subject in (await rooms.subjects.known(visit.tenant, reference, keyed=clinic), id_in(reference)):
        if subject is not None and await released.is_known(visit.tenant, connector, subject, rooms):
            return Go(f"{place.home}/of/{subject}")
    await rooms.ledger.accessed(visit.actor, what="releases", query={"subject": None}, count=0)
    return await _listed(visit, place, nobody=True)


async def _listed(visit: Visit, place: Place, *, nobody: bool = False) -> View:
    before = id_in(visit.query.get("before", ""))
    found = await released.visits(visit.tenant, place.connector.id, visit.rooms, before=before, limit=_PER_PAGE + 1)
    page = found[:_PER_PAGE]
    await visit.rooms.ledger.accessed(visit.actor, what="releases", query={}, count=len(page))
    older = f"{place.home}/visits?before={page[-1].context.id}" if len(found) > _PER_PAGE else ""
    return View(
        {
            **place.words(visit, "/visits"), "visits": [told(each, now=visit.rooms.clock()) for each in page], "older": older,
            "newer": f"{place.home}/visits" if before is not None else "", "nobody": nobody,
        },
        title=f"{place.title}: visits",
    )  # fmt: skip


def told(seen: Seen, *, now: datetime) -> dict[str, Any]:
    """A visit in words."""
    context, link = seen.context, seen.link
    return {
        "id": context.id, "subject": context.subject, "reference": context.reference, "display": context.display,
        "created_at": context.created_at, "kinds": [house.record_kind(each) for each in context.kinds],
        "link": words.link_words(link and link.state, link and link.code, seen.due_at, now=now),
        "linked_at": link.linked_at if link is not None else None,
        "documents": [
            {
                "id": row.id, "kind": house.record_kind(row.kind), "since": row.since, "until": row.until,
                "size": size(row.length), "categories": [house.kind(each) for each in row.categories],
            }
            for row in seen.documents
        ],
    }  # fmt: skip


def size(length: int) -> str:
    """How large something is, as people read it."""
    for least, unit in _SIZES:
        if length >= least:
            return f"{length / least:.1f} {unit}"
    return f"{length} bytes"


_PAGE: Final[dict[str, Any]] = {"title": "Visits", "template": "settings/network/visits.html", "needs": READ}
PAGES = (
    Page(path=f"{BASE}/visits", act=show, **_PAGE),
    Page(method="POST", path=f"{BASE}/visits", act=search, again=show, **_PAGE),
)
