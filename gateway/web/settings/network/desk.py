"""Scan and share at the desk: the code of a counter to print, and today's queue with what each patient shared."""

from __future__ import annotations

from typing import Any, Final

from markupsafe import Markup

from gateway.errors import InvalidRequest
from gateway.flows.network import desk
from gateway.web.page import Content, Go, Page, Said, View, Visit
from gateway.web.settings.network.place import BASE, READ, STANDS, WRITE, marked, place_of
from gateway.web.typed import local_minute
from gateway.web.words import spoken

_FIRST: Final = "desk1"
# What stands in the queue's own columns; the rest of what was shared is told below.
_OWN: Final = ("name",)
_BORN: Final = ("day_of_birth", "month_of_birth", "year_of_birth")
_GENDERS: Final = {"F": "Female", "M": "Male", "O": "Other"}
_TITLES: Final = {"address": "Address at the network", "number": "Number at the network", "address_line": "Lives at"}


async def show(visit: Visit) -> View:
    """Today's queue. The look is recorded."""
    place = await place_of(visit)
    mark = await desk.mark(visit.tenant, place.connector.id, visit.rooms)
    zone = (await visit.rooms.agreements.policy(visit.tenant)).time_zone
    queue = await desk.queue(visit.actor, place.connector.id, visit.rooms)
    waiting, taken = ([_told(*each, zone) for each in some] for some in (queue.waiting, queue.taken))
    counters = {each["counter"] for each in (*waiting, *taken)}
    return View(
        {
            **place.words(visit, "/desk"),
            "waiting": waiting,
            "taken": taken,
            "count": queue.count,
            "known": sorted(counters),
            "several": len(counters) > 1,
            "mark": mark,
        },
        title=f"{place.title}: desk",
    )


async def mark(visit: Visit) -> Content:
    """Whether the queue is another; says nothing of anybody."""
    place = await place_of(visit)
    return marked(await desk.mark(visit.tenant, place.connector.id, visit.rooms))


async def take(visit: Visit) -> Go:
    """Note that somebody was taken."""
    place = await place_of(visit)
    await desk.see(visit.actor, visit.id(), visit.rooms)
    return Go(f"{place.home}/desk", Said("Noted. Their place in the queue is done."))


async def code(visit: Visit) -> View:
    """The code of one counter, to print."""
    import segno  # drawing costs a start more than all else here

    place = await place_of(visit)
    counter = visit.query.get("counter", _FIRST)
    try:
        text = await desk.code_of(visit.tenant, place.connector.id, counter, visit.rooms)
    except InvalidRequest as invalid:
        return View(
            {**place.words(visit, "/desk"), "counter": counter, "picture": None, "text": "", "clinic_name": "",
             "wrong": invalid.faults[0].message},
            status=400,
        )  # fmt: skip
    drawn = segno.make(text, error="m").svg_inline(border=4, omitsize=True, svgclass=None, lineclass=None)
    facility = await visit.rooms.networks.facilities.of(visit.tenant, place.connector.id)
    return View(
        {
            **place.words(visit, "/desk"), "counter": counter, "text": text, "wrong": "",
            "picture": Markup(drawn),  # noqa: S704 - drawn by segno, of squares only
            "clinic_name": facility.name if facility is not None else "",
        },
        title=f"Code of counter {counter}",
    )  # fmt: skip


def _told(row: Any, profile: dict[str, Any], zone: str) -> dict[str, Any]:
    """One place in words: what was shared under names that people read."""
    born = "-".join(f"{profile[name]:02}" for name in reversed(_BORN) if isinstance(profile.get(name), int))
    gender = profile.get("gender")
    shared = [
        (_TITLES.get(name, spoken(name)), value)
        for name, value in profile.items()
        if name not in (*_OWN, *_BORN, "gender") and value is not None
    ]
    return {
        "id": row.id, "counter": row.counter, "number": row.number, "at": row.at, "clock": local_minute(row.at, zone)[-5:],
        "taken_at": row.seen_at, "taken_clock": local_minute(row.seen_at, zone)[-5:] if row.seen_at else "",
        "name": profile.get("name") or "No name was shared", "born": born,
        "gender": _GENDERS.get(str(gender), "") if gender is not None else "", "shared": shared,
    }  # fmt: skip


_QUEUE: Final[dict[str, Any]] = {"title": "Desk", "template": "settings/network/desk.html", "needs": READ}
PAGES = (
    Page(path=f"{BASE}/desk", act=show, **_QUEUE),
    Page(path=f"{BASE}/desk/again", act=show, quiet=True, **_QUEUE),
    Page(path=f"{BASE}/desk/mark", act=mark, needs=READ, quiet=True),
    Page(path=f"{BASE}/desk/code", act=code, needs=STANDS, title="Code", template="settings/network/code.html"),
    Page(method="POST", path=f"{BASE}/desk/{{id:uuid}}/taken", act=take, needs=WRITE),
)
