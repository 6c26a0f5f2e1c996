"""The catalogue of events: every declared kind, the most that it may tell, its schema, an example on invented data."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import orjson

from connectors.example import example_of
from gateway.web.page import Page, View, Visit
from gateway.web.words import KINDS
from gateway.webhooks.kinds import GATEWAY, HOST, ID, Kind
from scopes.scope import Area, Scope, Verb

READ: Final = Scope(Area.ENDPOINTS, Verb.READ)
_MOMENT: Final = "2026-01-15T09:30:00Z"
_SUBJECT: Final = "5b0d6f0e8a3c4f1f9a52c7d1e4b8f6a3"  # a person as one endpoint alone knows them
_SOURCES: Final = {HOST: "The clinic's software", GATEWAY: "The gateway"}


async def catalogue(visit: Visit) -> View:
    """Every kind, by who publishes it."""
    found: dict[str, list[dict[str, Any]]] = {}
    for kind in visit.rooms.kinds.catalogue():
        found.setdefault(kind.source, []).append(_told(kind))
    titles = {**_SOURCES, **{name: one.manifest.title for name, one in visit.rooms.registry.connectors.items()}}
    ordered = sorted(found, key=lambda source: (source != HOST, source != GATEWAY, source))
    return View({"sources": [(titles.get(source, source), found[source]) for source in ordered]})


@cache
def _told(kind: Kind) -> dict[str, Any]:
    data = example_of(kind.shape)
    return {
        "type": kind.type, "title": kind.title,
        "fields": [
            {
                "path": leaf.path, "kind": KINDS[leaf.category], "why": leaf.why, "reduction": leaf.reduction,
                "always": leaf.path == ID,
            }
            for leaf in kind.shape.walk()
        ],
        "thin": _body(kind, {ID: data[ID]}), "full": _body(kind, data) if len(data) > 1 else None,
        "schema": _written(kind.shape.model.model_json_schema()),
    }  # fmt: skip


def _body(kind: Kind, data: dict[str, Any]) -> str:
    """A whole webhook, as an endpoint would get it."""
    about = {"subject": _SUBJECT, "sequence": 7} if kind.source == HOST else {}
    return _written({"type": kind.type, "timestamp": _MOMENT, "data": data, **about})


def _written(content: dict[str, Any]) -> str:
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()


PAGES = (Page(path="/vendor/events", act=catalogue, needs=READ, title="Events", template="vendors/events.html"),)
