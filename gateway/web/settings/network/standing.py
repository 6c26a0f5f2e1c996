"""How the clinic stands at a network: facility, session, bridge, keys, letters; what is wrong, how to mend it, and who can."""

from __future__ import annotations

from gateway.errors import NotFound
from gateway.flows.network.state import taking_of
from gateway.web.page import Page, View, Visit
from gateway.web.settings.network import words
from gateway.web.settings.network.place import BASE, CHANGES, STANDS, place_of


async def show(visit: Visit) -> View:
    """All of it on one page; the network is not asked."""
    place = await place_of(visit, linked=False)
    taking = await taking_of(visit.tenant, place.connector.id, visit.rooms)
    if taking is None:
        raise NotFound("the clinic takes part in no such network of health records")
    return View(
        {
            **place.words(visit, ""),
            "taking": taking,
            "facility": taking.facility,
            "state": words.CONNECTIONS[taking.connection.state],
            "held": words.SESSIONS[taking.session.state],
            "held_until": taking.session.until,
            "troubles": [(trouble, words.WHO[trouble.who]) for trouble in taking.troubles],
            "tenant": visit.tenant,
            "may_resume": visit.may(CHANGES),
        },
        title=f"{place.title}: how it stands",
    )


PAGES = (Page(path=BASE, act=show, needs=STANDS, title="Network", template="settings/network/standing.html"),)
