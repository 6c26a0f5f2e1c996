"""The register of who may receive data, as it is and as it was; and for each what is declared beside what really left."""

from __future__ import annotations

from typing import Any, Final

import orjson

from gateway.errors import InvalidRequest, NotFound
from gateway.flows.declared import DeclaredField, declared
from gateway.web import words
from gateway.web.page import Page, View, Visit
from gateway.web.settings.integrations_state import AGREEMENTS
from gateway.web.settings.map_period import CHOICES, Chosen, asked, chosen, usual
from scopes.scope import Area, Scope, Verb

READ: Final = Scope(Area.AGREEMENTS, Verb.READ)
_HERE: Final = "/settings/subprocessors"
_VERSIONS: Final = 50
_MOST_DIGITS: Final = 9


async def show(visit: Visit) -> View:
    """The register in force, or a former version of it."""
    registers = visit.rooms.registers
    present = await registers.present(await visit.rooms.connections.present(visit.tenant))
    wanted = visit.query.get("version", "")
    if wanted and not (wanted.isascii() and wanted.isdigit() and len(wanted) <= _MOST_DIGITS):
        raise NotFound("there is no such version of the register")
    row = await registers.former(visit.tenant, int(wanted)) if wanted else present
    items = [_told(item) for item in orjson.loads(row.body)]
    return View(
        {
            "version": row.version,
            "since_": row.at,
            "hash": row.hash.hex(),
            "in_force": row.version == present.version,
            "items": items,
            "countries": len({item["country"] for item in items}),
            "versions": await registers.versions(visit.tenant, _VERSIONS),
            "agreements": AGREEMENTS,
        }
    )


async def fields(visit: Visit) -> View:
    """Declared against actual for one recipient in a period."""
    return await _fields(visit, chosen(visit.query, visit.rooms.clock()))


async def fields_again(visit: Visit) -> View:
    """The usual period, where another was asked for that is none."""
    return await _fields(visit, usual(visit.rooms.clock()))


async def _fields(visit: Visit, period: Chosen) -> View:
    recipient = str(visit.path["recipient"])
    try:
        found = await declared(visit.tenant, recipient, period.period, visit.rooms)
    except InvalidRequest:
        raise NotFound("there is no such recipient") from None
    name = await _name(visit, recipient)
    return View(
        {
            "recipient": recipient,
            "name": name,
            "here": f"{_HERE}/{recipient}",
            "groups": _groups(found.items),
            "undeclared": [each for each in found.items if not each.declared],
            "period": period,
            "choices": CHOICES,
            "asked": asked(visit.query if visit.faults else {}, period),
            "through": found.through,
            "kind": words.kind,
        },
        title=f"What left for {name}",
    )


async def _name(visit: Visit, recipient: str) -> str:
    """What the recipient is called; a former one by its id."""
    known = visit.rooms.registry.connectors.get(recipient)
    if known is not None:
        return known.manifest.recipient.legal_name
    row = await visit.rooms.registers.present(await visit.rooms.connections.present(visit.tenant))
    return next((str(item["name"]) for item in orjson.loads(row.body) if item["id"] == recipient), recipient)


def _told(item: dict[str, Any]) -> dict[str, Any]:
    """One recipient in words."""
    return {
        **item,
        "role": words.role(item["role"]),
        "country": words.country(item["country"]),
        "regions": words.countries(item["regions"]),
        "purposes": ", ".join(map(words.purpose, item["purposes"])),
        "categories": [words.kind(each) for each in item["categories"]],
    }


def _groups(items: tuple[DeclaredField, ...]) -> list[tuple[str, list[DeclaredField]]]:
    """The fields by action, or by type of event."""
    groups: dict[str, list[DeclaredField]] = {}
    for each in items:
        groups.setdefault(each.action, []).append(each)
    return [(words.spoken(action), fields_) for action, fields_ in groups.items()]


PAGES = (
    Page(path=_HERE, act=show, needs=READ, title="Subprocessors", template="settings/subprocessors.html"),
    Page(
        path=f"{_HERE}/{{recipient:path}}", act=fields, needs=READ, again=fields_again, title="What left",
        template="settings/subprocessors_fields.html",
    ),
)  # fmt: skip
