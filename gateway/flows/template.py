"""Register a text of the clinic's that an action can say, or show what it would say. Stores nothing itself, sends nothing.

A preview fills a text by the same code as a call does (wording.py), with invented values or the caller's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from connectors.contract import Action, Message
from connectors.example import example_of
from connectors.registry import Registry
from gateway.calls import Actor
from gateway.errors import InvalidRequest
from gateway.flows.rooms import Rooms
from gateway.flows.wording import SPELLING, family_action, filled
from gateway.store.templates import TemplateRow
from gateway.templates import NewTemplate, template_of
from scopes.consent import Channel
from scopes.dlt import Registration, faults_of, is_registered
from scopes.fault import Fault
from scopes.field import Field, Shape
from scopes.minimize import InvalidPayload, minimize
from scopes.template import AMOUNT, AtVendor, Gap, Slot, Template, faults_of_body, faults_of_gaps, fillable, read
from scopes.wording import Unworded, Wording

_TEXT, _CURRENCY, _MOMENT, _URL = "text", "currency", "date_time", "url"
KINDS: Final = (_TEXT, _CURRENCY, _MOMENT, _URL)
_BUTTON: Final = "button:"


@dataclass(frozen=True, slots=True, kw_only=True)
class WishedSlot:
    """One placeholder of the vendor's template, as the caller describes it."""

    component: str
    kind: str
    placeholder: str
    base: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WishedVendor:
    """The template as the vendor keeps it; without slots, the gaps of the text in their order."""

    name: str
    language: str
    slots: tuple[WishedSlot, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A text that a clinic wants to use."""

    name: str
    action: str
    channel: Channel
    language: str
    body: str = field(repr=False)
    at_vendor: WishedVendor | None = None
    dlt: Registration | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a text would say, where it can say anything; what fills its gaps; what is wrong with it."""

    wording: Wording | None
    gaps: tuple[tuple[Gap, Field], ...]
    faults: tuple[Fault, ...]


async def register(actor: Actor, wish: Wish, rooms: Rooms) -> TemplateRow:
    """Register a text in place of the one before. Raises InvalidRequest naming everything that is wrong, Conflict."""
    new, shapes, faults = _checked(wish, rooms.registry)
    faults += [fault for shape in shapes for fault in _unlike_its_registration(new, shape)] if not faults else []
    if faults:
        raise InvalidRequest(faults=tuple(dict.fromkeys(faults)))
    return await rooms.templates.put(actor, new)


def show(wish: Wish, values: Mapping[str, Any] | None, rooms: Rooms) -> Shown:
    """What a text would say with these values, the rest invented; every fault that registering it would meet."""
    new, shapes, faults = _checked(wish, rooms.registry)
    if not shapes:
        return Shown(None, (), tuple(dict.fromkeys(faults)))
    gaps = _known(new.draft(), shapes[0])
    if faults:
        return Shown(None, gaps, tuple(dict.fromkeys(faults)))
    faults += [fault for shape in shapes for fault in _unlike_its_registration(new, shape)]
    example = example_of(shapes[0], optional=values is None)
    try:
        model = minimize(shapes[0], {**example, **(values or {})}).model
    except InvalidPayload as invalid:
        faults += [Fault(f"values.{fault.path}".rstrip("."), fault.message) for fault in invalid.faults]
        return Shown(None, gaps, tuple(dict.fromkeys(faults)))
    said = _said(new.draft(), model)
    if isinstance(said, Unworded):
        faults.append(Fault("values", f"make no message; {said.what}"))
        return Shown(None, gaps, tuple(dict.fromkeys(faults)))
    return Shown(said, gaps, tuple(dict.fromkeys(faults)))


def gaps_of(row: TemplateRow, registry: Registry) -> tuple[tuple[Gap, Field], ...]:
    """What fills the gaps of a stored text, as far as its action still knows them."""
    actions = _carrying(row.action, registry)
    return _known(template_of(row), actions[0].shape) if actions else ()


def actions_of(registry: Registry) -> dict[str, list[Action]]:
    """Every action that sends a message, as texts name it, with the vendors' actions that carry it; the gateway's own last."""
    found: dict[str, list[Action]] = {}
    for vendor in registry.connectors.values():
        for action in vendor.actions.values():
            if action.message:
                found.setdefault(family_action(action), []).append(action)
    return dict(sorted(found.items(), key=lambda each: (each[1][0].inner, each[0])))


def _known(template: Template, shape: Shape) -> tuple[tuple[Gap, Field], ...]:
    fields = fillable(shape)
    return tuple((gap, fields[gap.name]) for gap in dict.fromkeys(template.gaps) if gap.name in fields)


def _said(template: Template, model: object) -> Wording | Unworded:
    assert isinstance(model, Message)
    return filled(template, model)


def _checked(wish: Wish, registry: Registry) -> tuple[NewTemplate, list[Shape], list[Fault]]:
    """The text read, the shapes that it has to fit, and what is wrong so far."""
    actions = _carrying(wish.action, registry)
    going = [action for action in actions if action.channel is wish.channel]
    shapes = list(dict.fromkeys(action.shape for action in going or actions))
    pieces = read(wish.body)
    gaps = tuple(piece for piece in pieces if isinstance(piece, Gap))
    slots, wrong = _slots(wish, gaps)
    faults = [*_against_action(wish, actions, registry), *faults_of_body(wish.body, pieces)]
    faults += [Fault("body", why) for shape in shapes for why in faults_of_gaps(gaps, shape)]
    faults += [*_against_vendor(wish), *wrong]
    for shape in shapes:
        faults += _against_slots(slots, shape)
    faults += [*_against_dlt(wish), *_against_language(wish, (*gaps, *(slot.gap for slot in slots)))]
    vendor = AtVendor(wish.at_vendor.name, wish.at_vendor.language, tuple(slots)) if wish.at_vendor else None
    new = NewTemplate(
        name=wish.name, action=wish.action, channel=wish.channel, language=wish.language, body=wish.body,
        at_vendor=vendor, dlt=wish.dlt,
    )  # fmt: skip
    return new, shapes, faults


def _carrying(action: str, registry: Registry) -> list[Action]:
    """The vendors' actions of that name that are messages."""
    family, _, name = action.partition("/")
    found = [vendor.actions.get(name) for vendor in registry.family(family)]
    return [each for each in found if each is not None and each.message]


def _against_action(wish: Wish, actions: Sequence[Action], registry: Registry) -> Iterator[Fault]:
    if not actions:
        names = ", ".join(actions_of(registry)) or "there is none"
        yield Fault("action", f"must be a family's action that sends a message: {names}")
    elif all(action.channel is not wish.channel for action in actions):
        known = sorted({str(action.channel) for action in actions})
        yield Fault("channel", f"must be one on which this action goes out: {', '.join(known)}")


def _against_language(wish: Wish, gaps: Sequence[Gap]) -> Iterator[Fault]:
    if any(gap.form or gap.name == AMOUNT for gap in gaps) and not SPELLING.knows(wish.language):
        yield Fault("language", "must be one whose way of writing dates and amounts is known (CLDR)")


def _against_vendor(wish: Wish) -> Iterator[Fault]:
    if wish.channel is Channel.WHATSAPP and wish.at_vendor is None:
        yield Fault("whatsapp", "is required on this channel: only templates that are approved there are sent")
    if wish.channel is not Channel.WHATSAPP and wish.at_vendor is not None:
        yield Fault("whatsapp", "is for the channel whatsapp only")


def _slots(wish: Wish, gaps: Sequence[Gap]) -> tuple[list[Slot], list[Fault]]:
    """The vendor's placeholders, read; in each must stand one gap."""
    wished = wish.at_vendor.slots if wish.at_vendor is not None else ()
    if wished is None:
        return [Slot("body", _TEXT, gap) for gap in gaps], []
    slots, faults = [], []
    for at, slot in enumerate(wished):
        pieces = read(slot.placeholder)
        if len(pieces) == 1 and isinstance(pieces[0], Gap):
            slots.append(Slot(slot.component, slot.kind, pieces[0], slot.base))
        else:
            faults.append(_of_slot(at, "placeholder", "must be one gap, such as {starts_at:date}"))
    return slots, faults


def _against_slots(slots: Sequence[Slot], shape: Shape) -> Iterator[Fault]:
    fields = fillable(shape)
    for at, slot in enumerate(slots):
        for why in faults_of_gaps((slot.gap,), shape):
            yield _of_slot(at, "placeholder", why)
        if slot.gap.otherwise is not None and not slot.gap.otherwise.strip():
            yield _of_slot(
                at, "placeholder", "must say something where the field is not there: vendors take no empty value"
            )
        leaf = fields.get(slot.gap.name)
        if leaf is not None and not _suits(slot, leaf):
            yield _of_slot(
                at,
                "kind",
                "must suit the field: currency for {amount}, date_time for a moment, url for a button, else text",
            )


def _suits(slot: Slot, leaf: Field) -> bool:
    button = slot.component.startswith(_BUTTON)
    if button or slot.kind == _URL:
        return button and slot.kind == _URL and issubclass(leaf.kind, str)
    if slot.base:
        return False
    fitting = {_CURRENCY: slot.gap.name == AMOUNT, _MOMENT: issubclass(leaf.kind, datetime), _TEXT: True}
    return fitting[slot.kind]


def _of_slot(at: int, name: str, message: str) -> Fault:
    return Fault(f"whatsapp.parameters[{at}].{name}", message)


def _against_dlt(wish: Wish) -> Iterator[Fault]:
    if wish.dlt is None:
        return
    if wish.channel is not Channel.SMS:
        yield Fault("dlt", "is for the channel sms only")
    for fault in faults_of(wish.dlt):
        yield Fault(f"dlt.{fault.path}", fault.message)


def _unlike_its_registration(new: NewTemplate, shape: Shape) -> Iterator[Fault]:
    """Where examples of a text, with every field and with only what is required, are not what was registered."""
    if new.dlt is None:
        return
    for optional in (True, False):
        said = _said(new.draft(), minimize(shape, example_of(shape, optional=optional)).model)
        if isinstance(said, Unworded) or not is_registered(new.dlt, said.text):
            yield Fault(
                "dlt.text", "must be the body with {#var#} in place of what is filled in; an example does not match"
            )
            return
