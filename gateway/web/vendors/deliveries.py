"""Deliveries: how events fared at endpoints, found by type, state, endpoint and period; one with its attempts; make again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from gateway.flows import fared, replay
from gateway.web.forms import Form
from gateway.web.page import Go, Page, Said, View, Visit
from gateway.web.typed import Typed, id_in, local_day
from gateway.web.vendors.charted import SPANS, USUAL, attempts
from gateway.web.vendors.words import OUTCOMES, STATES
from gateway.webhooks.endpoints import Status
from gateway.webhooks.kinds import is_type
from scopes.scope import Area, Scope, Verb

READ: Final = Scope(Area.EVENTS, Verb.READ)
_WRITE: Final = Scope(Area.EVENTS, Verb.WRITE)
_HERE: Final = "/vendor/deliveries"
_REPLAY: Final = "/vendor/{id:uuid}/replay"
_PER_PAGE: Final = 50
_MOST_ENDPOINTS: Final = 1_000
_REPLAYED: Final = {"exhausted": "Given up", "refused": "Refused", "delivered": "Delivered already"}


async def listed(visit: Visit) -> View:
    """Deliveries, newest event first, and how the attempts of the last days went."""
    query = Form({name: [value] for name, value in visit.query.items()})
    zone = (await visit.rooms.agreements.policy(visit.tenant)).time_zone
    sought, faults = _sought(query, zone)
    endpoints = await _endpoints(visit)
    found = [] if faults else await fared.deliveries(visit.tenant, sought, visit.rooms)
    page = found[:_PER_PAGE]
    days = int(query.text("days")) if query.text("days") in map(str, SPANS) else USUAL
    return View(
        {
            "deliveries": page, "urls": endpoints, "states": STATES, "query": query, "faults": faults,
            "narrowed": bool(visit.query),
            "zone": zone, "older": _older(query, page[-1].id) if len(found) > _PER_PAGE else "",
            "options": [("", "All endpoints"), *((str(key), url) for key, url in endpoints.items())],
            "state_options": [("", "Any state"), *((name, words[0]) for name, words in STATES.items())],
            "types": sorted(kind.type for kind in visit.rooms.kinds.catalogue()), "charted": SPANS,
            **await attempts(visit, sought.endpoint, days=days),
        }
    )  # fmt: skip


async def show_one(visit: Visit) -> View:
    """One delivery with its attempts."""
    row, tried = await fared.delivery(visit.tenant, visit.id(), visit.rooms)
    endpoint = await visit.rooms.endpoints.one(visit.tenant, row.endpoint)
    return View(
        {
            "row": row, "tried": list(reversed(tried)), "endpoint": endpoint, "states": STATES, "outcomes": OUTCOMES,
            "replays": visit.may(_WRITE) and row.kept and endpoint.status is Status.ACTIVE,
            "why_not": _why_not(row, endpoint.status),
        }
    )  # fmt: skip


async def replay_one(visit: Visit) -> Go:
    """Make one delivery again."""
    await replay.replay_one(visit.actor, visit.id(), visit.rooms)
    return Go(
        f"{_HERE}/{visit.id()}",
        Said("It is delivered again, under the same webhook-id. Its attempt stands below in a moment."),
    )


async def show_since(visit: Visit) -> View:
    """The form that makes an endpoint's deliveries again, and how many these would be."""
    endpoint = await visit.rooms.endpoints.one(visit.tenant, visit.id())
    zone = (await visit.rooms.agreements.policy(visit.tenant)).time_zone
    yesterday = local_day(visit.rooms.clock() - timedelta(days=1), zone)
    chosen = visit.form.all("states") or (() if "since" in visit.form else ("exhausted", "refused"))
    return View(
        {
            "of": endpoint, "zone": zone, "since": visit.form.text("since") or yesterday, "chosen": chosen,
            "choices": list(_REPLAYED.items()), "count": None, "active": endpoint.status is Status.ACTIVE,
        }
    )  # fmt: skip


async def replay_since(visit: Visit) -> Go | View:
    """Count what would be made again; with the second button, make it so."""
    zone = (await visit.rooms.agreements.policy(visit.tenant)).time_zone
    typed = Typed(visit.form, zone)
    since, states = typed.day("since"), sorted(set(visit.form.all("states")) & _REPLAYED.keys())
    if not states:
        typed.wrong("states", "Choose at least one.")
    typed.check()
    wanted: dict[str, Any] = {"since": since, "states": states}
    if visit.form.text("do") != "replay":
        count = await replay.replayable(visit.tenant, visit.id(), visit.rooms, **wanted)
        shown = await show_since(visit)
        return View({**shown.words, "count": count})
    made = await replay.replay_since(visit.actor, visit.id(), visit.rooms, **wanted)
    return Go(
        f"{_HERE}?endpoint={visit.id()}", Said(f"{made} {'delivery is' if made == 1 else 'deliveries are'} made again.")
    )


async def _endpoints(visit: Visit) -> Mapping[UUID, str]:
    found = await visit.rooms.endpoints.page(visit.tenant, after=None, limit=_MOST_ENDPOINTS)
    return {each.id: each.url for each in found}


def _sought(query: Form, zone: str) -> tuple[fared.Sought, Mapping[str, str]]:
    """What the address asks for, and what of it cannot be read."""
    typed = Typed(query, zone)
    type_, state = query.text("type"), query.text("state")
    if type_ and not is_type(type_):
        typed.wrong("type", "Write a type of event, such as appointment.booked.")
    since = typed.day("since") if query.text("since") else None
    sought = fared.Sought(
        endpoint=id_in(query.text("endpoint")), state=state if state in STATES else None, type=type_ or None, since=since,
        until=typed.last_day("until"), before=id_in(query.text("before")), limit=_PER_PAGE + 1,
    )  # fmt: skip
    return sought, {fault.path: fault.message for fault in typed.faults}


def _older(query: Form, last: UUID) -> str:
    kept = {
        name: query.text(name) for name in ("type", "state", "endpoint", "since", "until", "days") if query.text(name)
    }
    return f"{_HERE}?{urlencode({**kept, 'before': str(last)})}"


def _why_not(row: fared.DeliveryRow, status: Status) -> str:
    if not row.kept:
        return "What this event said is no longer kept, so it cannot be delivered again. Publish the event anew."
    if status is not Status.ACTIVE:
        return "Its endpoint is not active. Resume it first; then what waits is delivered anyway."
    return ""


_SINCE: Final[dict[str, Any]] = {"title": "Deliver again", "template": "vendors/replay.html"}
_SHOWN: Final[dict[str, Any]] = {"title": "Delivery", "template": "vendors/delivery.html"}
PAGES = (
    Page(path=_HERE, act=listed, needs=READ, title="Deliveries", template="vendors/deliveries.html"),
    Page(path=f"{_HERE}/{{id:uuid}}", act=show_one, needs=READ, **_SHOWN),
    Page(method="POST", path=f"{_HERE}/{{id:uuid}}/replay", act=replay_one, needs=_WRITE, again=show_one, **_SHOWN),
    Page(path=_REPLAY, act=show_since, needs=_WRITE, **_SINCE),
    Page(method="POST", path=_REPLAY, act=replay_since, needs=_WRITE, again=show_since, **_SINCE),
)
