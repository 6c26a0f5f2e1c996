"""One patient at a network: consents, what was sent under them while it is sent, and visits. By their pseudonym; no content."""

from __future__ import annotations

from typing import Any, Final

from gateway.errors import NotFound
from gateway.flows.network import released
from gateway.flows.network.released import OfPatient
from gateway.network.artefacts import Held
from gateway.web import words as house
from gateway.web.page import Content, Page, View, Visit
from gateway.web.settings.network import visits, words
from gateway.web.settings.network.place import BASE, READ, marked, place_of
from gateway.web.settings.network.transfers import summed
from gateway.web.words import PURPOSES
from scopes.scope import Area, Scope, Verb

_CONSENTS: Final = Scope(Area.CONSENTS, Verb.READ)


async def show(visit: Visit) -> View:
    """All of one patient's. The look is recorded."""
    place, subject = await place_of(visit), visit.id()
    mark = await released.mark_of_patient(visit.tenant, place.connector.id, subject, visit.rooms)
    found = await released.of_patient(visit.actor, place.connector.id, subject, visit.rooms)
    if not (found.visits or found.consents):
        raise NotFound("nothing of this patient lies here for the network")
    return View(
        {
            **place.words(visit, "/visits"),
            "subject": subject,
            "mark": mark,
            "live": any(each.live for each in found.transfers),
            "visits": [visits.told(each, now=visit.rooms.clock()) for each in found.visits],
            "consents": [_told(each, found) for each in found.consents],
            "withdraws": visit.may(_CONSENTS),
        },
        title=f"{place.title}: one patient",
    )


async def mark(visit: Visit) -> Content:
    """Whether something of it is other now."""
    place = await place_of(visit)
    return marked(await released.mark_of_patient(visit.tenant, place.connector.id, visit.id(), visit.rooms))


def _told(held: Held, found: OfPatient) -> dict[str, Any]:
    """A consent in words: for whom, what, of which time, until when; of one that ended what is left of it."""
    terms, row = held.terms, held.row
    limit = terms.frequency if terms is not None else None
    return {
        "id": held.id, "state": words.CONSENTS[held.state], "hiu": row.hiu_name or row.hiu or "Nobody is named",
        "purpose": PURPOSES.get(row.purpose or "", row.purpose or "not named"), "told_at": row.told_at,
        "ended_at": row.ended_at, "erase_at": row.erase_at, "live": row.ended_at is None,
        "kinds": [house.record_kind(each) for each in sorted(terms.kinds)] if terms is not None else [],
        "since": terms.since if terms is not None else None, "until": terms.until if terms is not None else None,
        "visits": len(terms.contexts) if terms is not None else 0,
        "often": _often(limit.value, limit.hours, limit.repeats) if limit is not None else "",
        "transfers": [summed(each) for each in found.transfers if each.row.artefact == held.id],
    }  # fmt: skip


def _often(value: int, hours: int, repeats: int) -> str:
    """How often records may be asked for."""
    times = "once" if value == 1 else f"{value} times"
    span = "an hour" if hours == 1 else f"{hours} hours"
    return f"{times} in {span}" + (f", {repeats} times in all" if repeats else "")


_PAGE: Final[dict[str, Any]] = {"title": "Patient", "template": "settings/network/patient.html", "needs": READ}
PAGES = (
    Page(path=f"{BASE}/of/{{id:uuid}}", act=show, **_PAGE),
    Page(path=f"{BASE}/of/{{id:uuid}}/again", act=show, quiet=True, **_PAGE),
    Page(path=f"{BASE}/of/{{id:uuid}}/mark", act=mark, needs=READ, quiet=True),
)
