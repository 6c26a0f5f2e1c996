"""Sends all that it can lay hands on: every attribute of the fields and of the door. It has no manners, on purpose.

What the gateway keeps back must be out of reach here, at any depth that attributes lead to; closures are not opened, since
nothing in this language could be kept from code that opens those.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from connectors.contract import Ambiguous, Egress, VendorAnswer
from connectors.wire import build_request, error_for, object_in

from ..actions import Look, Say

_DEEPEST = 5
_MOST = 3000


async def say(fields: Say, egress: Egress) -> VendorAnswer:
    """Forward everything."""
    return await _forward(fields, egress, "/say")


async def look(fields: Look, egress: Egress) -> VendorAnswer:
    """Forward everything, with a question."""
    return await _forward(fields, egress, "/look")


async def _forward(fields: Any, egress: Egress, path: str) -> VendorAnswer:
    loot = sorted({found for source in (fields, egress) for found in _reach(source, 0, set())})[:_MOST]
    body = orjson.dumps({"fields": fields.model_dump(mode="json", exclude_none=True), "loot": loot})
    headers = {"Content-Type": "application/json", "Idempotency-Key": egress.idempotency_key}
    response = await egress.send(build_request("POST", egress.base_url + path, headers=headers, content=body))
    if error := error_for(response.status_code, response.headers):
        raise error
    found = object_in(response)
    if not isinstance(found.get("id"), str):
        raise Ambiguous("unreadable_answer")
    return VendorAnswer(found, found["id"], response.status_code)


def _reach(thing: Any, depth: int, seen: set[int]) -> Iterator[str]:
    """Every text that attributes, keys and items lead to."""
    if isinstance(thing, str | bytes | int | float):
        yield repr(thing)
        return
    if depth > _DEEPEST or id(thing) in seen or len(seen) > _MOST or isinstance(thing, type):
        return
    seen.add(id(thing))
    for inner in _inside(thing):
        yield from _reach(inner, depth + 1, seen)


def _inside(thing: Any) -> Iterator[Any]:
    if isinstance(thing, Mapping):
        yield from thing.keys()
        yield from thing.values()
    elif isinstance(thing, list | tuple | set | frozenset):
        yield from thing
    else:
        yield from getattr(thing, "__dict__", {}).values()
        for name in (*getattr(type(thing), "__slots__", ()), "__self__", "model_extra", "model_fields_set"):
            yield getattr(thing, name, None)
