"""What a vendor watches for the clinic: how each watch stands; begin one more, stop one. The gateway keeps them up by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from connectors.manifest import WatchRule
from connectors.registry import Connector
from gateway.connections import Connection
from gateway.errors import InvalidRequest, NotFound
from gateway.flows import watching
from gateway.flows.watching import Wanted
from gateway.watches import Watch
from gateway.web import words
from gateway.web.page import Visit
from scopes.fault import Fault
from scopes.vocabulary import Purpose

_TONES: Final = {"watching": "good", "lost": "warn", "starting": "wait", "ending": "wait"}
_USUAL: Final = Purpose.HOPERAT


async def watched(visit: Visit, connector: Connector, connection: Connection | None) -> list[dict[str, Any]]:
    """Each thing that the connector can have watched, with what is watched of it."""
    rules = connector.manifest.watches
    if connection is None or not rules:
        return []
    now = visit.rooms.clock()
    known = [
        each for each in await watching.listed(visit.tenant, visit.rooms) if each.row.connection == connection.id
    ]  # fmt: skip
    return [
        {
            "name": name,
            "title": rule.title,
            "fields": list(_fields(visit, connector, name, rule)),
            "watches": [
                {
                    "id": each.id,
                    "what": ", ".join(str(value) for value in each.payload.values()),
                    "stands": each.stands(now).capitalize(),
                    "tone": _TONES[each.stands(now)],
                    "row": each.row,
                    "code": words.spoken(each.row.code) if each.row.code else "",
                }
                for each in known
                if each.row.name == name
            ],
        }
        for name, rule in rules.items()
    ]


async def begin(visit: Visit, connector: Connector) -> Watch:
    """Have what the form names watched. Raises InvalidRequest with faults for its fields."""
    name = visit.form.text("watch")
    rule = connector.manifest.watches.get(name)
    if rule is None:
        raise NotFound("there is no such watch")
    payload = {field: text for field in _asked(connector, rule) if (text := visit.form.text(_key(name, field)))}
    try:
        wanted = Wanted(connector.id, name, _purpose(connector, rule), payload)
        return await watching.want(visit.actor, wanted, visit.rooms)
    except InvalidRequest as invalid:
        faults = [Fault(_key(name, fault.path), _in_words(connector, rule, fault)) for fault in invalid.faults]
        raise InvalidRequest(faults=faults) from None


def _fields(visit: Visit, connector: Connector, name: str, rule: WatchRule) -> Iterator[dict[str, Any]]:
    """What is asked to begin one: the fields of its action that must be there."""
    for field in _asked(connector, rule):
        shape = next(each for each in connector.actions[rule.start].shape.fields if each.name == field)
        yield {
            "name": _key(name, field),
            "id": _key(name, field).replace(".", "-"),
            "label": words.spoken(field),
            "hint": f"{shape.why[:1].upper()}{shape.why[1:]}.",
            "value": visit.form.text(_key(name, field)),
        }


def _asked(connector: Connector, rule: WatchRule) -> list[str]:
    fields = connector.actions[rule.start].shape.fields
    return [field.name for field in fields if field.required and field.name not in rule.lasts]


def _key(name: str, field: str) -> str:
    return f"watches.{name}.{field}"


def _in_words(connector: Connector, rule: WatchRule, fault: Fault) -> str:
    """A fault that says what to type."""
    return f"This does not fit: {fault.message}." if fault.path in _asked(connector, rule) else fault.message


def _purpose(connector: Connector, rule: WatchRule) -> Purpose:
    """What it is for: the clinic's own operations, where the actions are for that."""
    common = frozenset.intersection(*(connector.actions[each].purposes for each in rule.actions))
    return _USUAL if _USUAL in common else min(common)
