"""API keys of the clinic's software: made with a title and scopes, shown once, revoked for good."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

from gateway.errors import InvalidRequest, NotFound
from gateway.web.page import Go, Page, Said, View, Visit
from scopes.fault import Fault
from scopes.scope import Area, Scope, ScopeError, Verb, includes

_READ: Final = Scope(Area.KEYS, Verb.READ)
_WRITE: Final = Scope(Area.KEYS, Verb.WRITE)
_HERE: Final = "/keys"
_PER_PAGE: Final = 50
_ID: Final = re.compile(r"[0-9A-Za-z]{1,32}")
_LASTS: Final = (("90", "90 days"), ("365", "One year"), ("30", "30 days"), ("", "Until it is revoked"))
_NOT_FOR_SOFTWARE: Final = frozenset({Area.PEOPLE})


async def show(visit: Visit) -> View:
    """The clinic's keys, revoked ones too."""
    after = visit.query.get("after", "")
    found = await visit.rooms.callers.keys(
        visit.tenant, after=after if _ID.fullmatch(after) else None, limit=_PER_PAGE + 1
    )
    page = found[:_PER_PAGE]
    older = f"{_HERE}?after={page[-1].id}" if len(found) > _PER_PAGE else ""
    return View({"keys": page, "older": older, "now": visit.rooms.clock(), "changes": visit.may(_WRITE)})


async def show_new(visit: Visit) -> View:
    """The form for a new key: nobody can hand on a scope that they do not hold."""
    held = visit.actor.scopes
    areas = [
        (str(area), [(f"{area}:{verb}", str(verb)) for verb in Verb if includes(held, Scope(area, verb))])
        for area in Area
        if area not in _NOT_FOR_SOFTWARE
    ]
    return View({"areas": [each for each in areas if each[1]], "lasts": _LASTS, "chosen": visit.form.all("scopes")})


async def create(visit: Visit) -> View:
    """Make a key and show it, this once."""
    try:
        scopes = [Scope.parse(text) for text in visit.form.all("scopes")]
    except ScopeError:
        raise InvalidRequest(faults=[Fault("scopes", "Choose what the key may do.")]) from None
    days = visit.form.text("days")
    if days not in dict(_LASTS):
        raise InvalidRequest(faults=[Fault("days", "Choose how long the key lasts.")])
    until = visit.rooms.clock() + timedelta(days=int(days)) if days else None
    issued = await visit.rooms.callers.create_key(visit.actor, visit.form.text("title"), scopes, until)
    return View({"key": issued.text, "row": issued.row}, template="people/key_made.html", title="New API key")


async def ask_revoke(visit: Visit) -> View:
    """Ask once more."""
    row = await visit.rooms.callers.key(visit.tenant, _key(visit))
    return View(
        {
            "heading": "Revoke this key?",
            "text": "Software that uses it is turned away at once. A revoked key never works again.",
            "pairs": [("Title", row.title), ("Key", f"cgk_{row.id}_…"), ("May", ", ".join(row.scopes))],
            "action": f"/keys/{row.id}/revoke", "submit": "Revoke the key", "back": _HERE,
        }
    )  # fmt: skip


async def revoke(visit: Visit) -> Go:
    """Revoke a key for good."""
    await visit.rooms.callers.revoke_key(visit.actor, _key(visit))
    return Go(_HERE, Said("The key is revoked."))


def _key(visit: Visit) -> str:
    key_id = str(visit.path["id"])
    if not _ID.fullmatch(key_id):
        raise NotFound("there is no such key")
    return key_id


_NEW: Final[dict[str, Any]] = {"title": "New API key", "template": "people/key_new.html"}
PAGES = (
    Page(path=_HERE, act=show, needs=_READ, title="API keys", template="people/keys.html"),
    Page(path="/keys/new", act=show_new, needs=_WRITE, **_NEW),
    Page(method="POST", path="/keys/new", act=create, needs=_WRITE, recent=True, again=show_new, **_NEW),
    Page(path="/keys/{id}/revoke", act=ask_revoke, needs=_WRITE, title="Revoke", template="confirm.html"),
    Page(method="POST", path="/keys/{id}/revoke", act=revoke, needs=_WRITE, recent=True),
)
