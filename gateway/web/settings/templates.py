"""The clinic's own texts for messages: listed, written with a preview on invented data, removed. A preview stores nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.errors import NotFound
from gateway.flows.rooms import Rooms
from gateway.flows.template import KINDS, Shown, actions_of, gaps_of, register
from gateway.flows.template import show as shown
from gateway.templates import MOST, TemplateRow
from gateway.web import words
from gateway.web.forms import Form
from gateway.web.page import Go, Page, Said, View, Visit
from gateway.web.settings.template_form import COMPONENTS, form_of, typed, wish_of
from gateway.web.typed import Typed
from gateway.web.words import CHANNELS
from scopes.consent import Channel
from scopes.fault import Fault
from scopes.field import Field
from scopes.scope import Area, Scope, Verb
from scopes.segments import GSM7, count
from scopes.template import AMOUNT, LONGEST_BODY, Gap, sayable
from scopes.wording import Encoding, Wording

READ: Final = Scope(Area.TEMPLATES, Verb.READ)
_WRITE: Final = Scope(Area.TEMPLATES, Verb.WRITE)
_HERE: Final = "/settings/templates"
_MOST_NAMED: Final = 8
_ALONE: Final = {Encoding.GSM7: 160, Encoding.UCS2: 70}
_JOINED: Final = {Encoding.GSM7: 153, Encoding.UCS2: 67}
_ENCODINGS: Final = {Encoding.GSM7: "GSM-7", Encoding.UCS2: "UCS-2"}


async def listed(visit: Visit) -> View:
    """Every text that is in use, by name, channel and language."""
    rows = await visit.rooms.templates.page(visit.tenant, after=None, limit=MOST)
    told = [
        {
            "row": row, "channel": CHANNELS[row.channel], "action": _title(row.action),
            "kinds": sorted({words.KINDS[field.category] for _, field in gaps_of(row, visit.rooms.registry)}),
        }
        for row in sorted(rows, key=lambda row: (row.name, row.channel, row.language))
    ]  # fmt: skip
    return View({"texts": told, "changes": visit.may(_WRITE)})


async def show_new(visit: Visit) -> View:
    """The form for a new text."""
    return await _form(visit, None)


async def show_one(visit: Visit) -> View:
    """The form for a text that is in use."""
    return await _form(visit, await _row(visit))


async def preview(visit: Visit) -> View:
    """The form with what its text would say; nothing is stored. A script shows of this only the preview."""
    return await _form(visit, None)


async def save(visit: Visit) -> Go:
    """Register a text, in place of the one of its name, channel and language."""
    read = Typed(visit.form)
    wish = wish_of(visit.form, read)
    read.check()
    row = await register(visit.actor, wish, visit.rooms)
    return Go(_HERE, Said(f"Version {row.version} of {row.name} is in use, for every message that is not yet written."))


async def ask_remove(visit: Visit) -> View:
    """Ask once more."""
    row = await _row(visit)
    return View(
        {
            "heading": "Take this text out of use?",
            "text": "Messages that would say it are refused from then on, those that wait too. Its versions stay in the log.",
            "pairs": [("Name", row.name), ("Channel", CHANNELS[row.channel]), ("Language", row.language), ("Text", row.body)],
            "action": f"{_HERE}/{row.id}/remove", "submit": "Take it out of use", "back": f"{_HERE}/{row.id}",
        }
    )  # fmt: skip


async def remove(visit: Visit) -> Go:
    """Take a text out of use."""
    row = await _row(visit)
    await visit.rooms.templates.remove(visit.actor, row.name, channel=Channel(row.channel), language=row.language)
    return Go(_HERE, Said("The text is out of use."))


async def _row(visit: Visit) -> TemplateRow:
    for row in await visit.rooms.templates.page(visit.tenant, after=None, limit=MOST):
        if row.id == visit.id():
            return row
    raise NotFound("there is no such text in use; it may have been written anew")


async def _form(visit: Visit, row: TemplateRow | None) -> View:
    """The form as stored or as typed, with its preview and what may be said."""
    form = visit.form if "body" in visit.form else form_of(row)
    fields = typed(form)
    actions = actions_of(visit.rooms.registry)
    if not fields["action"] and actions:
        fields["action"] = next(iter(actions))
    carrying = actions.get(fields["action"], [])
    known = next(
        (each.shape for each in carrying if each.channel == fields["channel"]), carrying[0].shape if carrying else None
    )
    return View(
        {
            "fields": fields, "row": row, "changes": visit.may(_WRITE), "longest": LONGEST_BODY,
            "actions": [(name, _title(name)) for name in actions], "components": COMPONENTS,
            "channels": [(str(each), CHANNELS[each]) for each in Channel if _goes_by(each, actions)],
            "kinds": [(kind, kind) for kind in KINDS], "seen": _seen(form, visit.rooms) if fields["body"] else None,
            "sayable": [(text, words.KINDS[leaf.category], leaf.why) for text, leaf in sayable(known).items()] if known else [],
        }
    )  # fmt: skip


def _goes_by(channel: Channel, actions: Mapping[str, Sequence[Any]]) -> bool:
    return any(each.channel is channel for carrying in actions.values() for each in carrying)


def _title(action: str) -> str:
    """An action as the form calls it: Send reminder."""
    return action.partition("/")[2].replace("_", " ").capitalize()


def _seen(form: Form, rooms: Rooms) -> dict[str, Any]:
    """What the text says with every field, and with only those that are always there."""
    read = Typed(form)
    wish = wish_of(form, read)
    full, least = shown(wish, None, rooms), shown(wish, {}, rooms)
    faults = list(dict.fromkeys([*read.faults, *full.faults, *least.faults]))
    said = [
        _bubble(label, each.wording, wish.channel) for label, each in _examples(full, least) if each.wording is not None
    ]
    return {
        "said": said, "gaps": [_gap(gap, field) for gap, field in full.gaps],
        "faults": [(_place(fault), fault.message) for fault in faults], "by_vendor": wish.channel is Channel.WHATSAPP,
        "vendor": wish.at_vendor is not None,
    }  # fmt: skip


def _examples(full: Shown, least: Shown) -> list[tuple[str, Shown]]:
    """One of them where both say the same."""
    if full.wording is not None and least.wording is not None and full.wording.text == least.wording.text:
        return [("Example", full)]
    return [("With every field", full), ("With only what is always there", least)]


def _bubble(label: str, said: Wording, channel: Channel) -> dict[str, Any]:
    counted = count(said.text)
    room = _ALONE[counted.encoding] if counted.segments <= 1 else counted.segments * _JOINED[counted.encoding]
    outside = sorted(set(said.text) - GSM7) if counted.encoding is Encoding.UCS2 else []
    return {
        "label": label, "text": said.text, "segments": counted.segments, "units": counted.units, "room": room,
        "encoding": _ENCODINGS[counted.encoding], "counted": channel is Channel.SMS, "outside": outside[:_MOST_NAMED],
        "parameters": [(each.component, each.kind, each.text) for each in said.parameters],
    }  # fmt: skip


def _gap(gap: Gap, field: Field) -> dict[str, Any]:
    return {
        "text": str(gap), "path": field.path if gap.name != AMOUNT else "amount_minor, currency",
        "kind": words.KINDS[field.category], "why": field.why, "always": gap.otherwise is None, "otherwise": gap.otherwise,
    }  # fmt: skip


def _place(fault: Fault) -> str:
    """Where a fault is, as the form calls it."""
    first = fault.path.partition(".")[0].partition("[")[0]
    return {"body": "Text", "dlt": "DLT", "whatsapp": "WhatsApp", "values": "Example"}.get(first, first.capitalize())


_FORM: Final[dict[str, Any]] = {"title": "Text of a message", "template": "settings/template.html"}
PAGES = (
    Page(path=_HERE, act=listed, needs=READ, title="Templates", template="settings/templates.html"),
    Page(path=f"{_HERE}/new", act=show_new, needs=_WRITE, **_FORM),
    Page(method="POST", path=f"{_HERE}/new", act=save, needs=_WRITE, again=show_new, **_FORM),
    Page(method="POST", path=f"{_HERE}/preview", act=preview, needs=READ, **_FORM),
    Page(path=f"{_HERE}/{{id:uuid}}", act=show_one, needs=READ, **_FORM),
    Page(path=f"{_HERE}/{{id:uuid}}/remove", act=ask_remove, needs=_WRITE, title="Remove", template="confirm.html"),
    Page(method="POST", path=f"{_HERE}/{{id:uuid}}/remove", act=remove, needs=_WRITE),
)
