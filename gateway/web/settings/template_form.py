"""The form of one text: filled from what is stored, shown as it was typed, read as a wish to register. Checks only its form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from connectors.message import check_language
from gateway.flows.template import KINDS, Wish, WishedSlot, WishedVendor
from gateway.templates import TemplateRow
from gateway.web.forms import Form
from gateway.web.typed import Typed
from scopes.consent import Channel
from scopes.dlt import LONGEST_TEXT, Registration
from scopes.field import Unfit

MOST_SLOTS: Final = 30
_SPARE: Final = 3
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ACTION: Final = re.compile(r"[a-z][a-z0-9_]{0,63}/[a-z][a-z0-9_]{0,63}")
_COMPONENT: Final = re.compile(r"header|body|button:[0-9]")
_BASE: Final = re.compile(r"(https://[!-~]+)?")
_VENDOR_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,512}")
_VENDOR_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(_[A-Za-z0-9]{2,4})?")
_LONGEST: Final = 40  # of a number or a header of DLT
_LONGEST_BASE: Final = 500
_LONGEST_PLACEHOLDER: Final = 200
SLOT: Final = ("component", "kind", "placeholder", "base")
DLT: Final = ("entity_id", "header", "template_id", "text")
COMPONENTS: Final = tuple((name, name) for name in ("body", "header", *(f"button:{at}" for at in range(10))))


def form_of(row: TemplateRow | None) -> Form:
    """A stored text as its form would send it; the beginning of a new one where there is none."""
    if row is None:
        return Form({"channel": [str(Channel.SMS)], "language": ["en"]})
    vendor: Mapping[str, Any] = row.whatsapp or {}
    slots = {
        f"whatsapp.parameters[{at}].{name}": [slot[name]]
        for at, slot in enumerate(vendor.get("parameters", ()))
        for name in SLOT
    }
    dlt = {f"dlt.{name}": [value] for name, value in (row.dlt or {}).items()}
    return Form(
        {
            "name": [row.name], "action": [row.action], "channel": [row.channel], "language": [row.language],
            "body": [row.body], "whatsapp.name": [vendor.get("name", "")], "whatsapp.language": [vendor.get("language", "")],
            **slots, **dlt,
        }
    )  # fmt: skip


def typed(form: Form) -> dict[str, Any]:
    """The fields as they stand on the form."""
    slots = [{name: form.text(f"whatsapp.parameters[{at}].{name}") for name in SLOT} for at in _rows(form)]
    return {
        "name": form.text("name"), "action": form.text("action"), "channel": form.text("channel"),
        "language": form.text("language"), "body": _body(form), "vendor_name": form.text("whatsapp.name"),
        "vendor_language": form.text("whatsapp.language"), "slots": _spared([each for each in slots if each["placeholder"]]),
        "dlt": {name: _dlt(form, name) for name in DLT},
    }  # fmt: skip


def wish_of(form: Form, read: Typed) -> Wish:
    """The text that the form describes; what is wrong with the fields' form is noted with `read`."""
    name, action = form.text("name"), form.text("action")
    if not _NAME.fullmatch(name):
        read.wrong("name", "Write a name of small letters, digits and underscores, such as reminder.")
    if not _ACTION.fullmatch(action):
        read.wrong("action", "Choose what the text is for.")
    channel = read.choice("channel", Channel, "Choose a channel.")
    return Wish(
        name=name, action=action, channel=channel, language=_language(form, read), body=_body(form),
        at_vendor=_vendor(form, read), dlt=_registration(form, read),
    )  # fmt: skip


def _language(form: Form, read: Typed) -> str:
    try:
        return check_language(form.text("language"))
    except Unfit as unfit:
        read.wrong("language", str(unfit))
        return "en"


def _body(form: Form) -> str:
    """The text with its lines as they are sent: a browser sends each end of a line as two characters."""
    return form.exact("body").replace("\r\n", "\n").replace("\r", "\n")


def _dlt(form: Form, name: str) -> str:
    return form.exact("dlt.text").replace("\r\n", "\n") if name == "text" else form.text(f"dlt.{name}")


def _vendor(form: Form, read: Typed) -> WishedVendor | None:
    """The template at the vendor, where anything of it was typed."""
    name, language = form.text("whatsapp.name"), form.text("whatsapp.language")
    slots = [at for at in _rows(form) if form.text(f"whatsapp.parameters[{at}].placeholder")]
    if not (name or language or slots):
        return None
    if not _VENDOR_NAME.fullmatch(name):
        read.wrong("whatsapp.name", "Write the name under which it is approved: letters, digits, underscores.")
    if not _VENDOR_LANGUAGE.fullmatch(language):
        read.wrong("whatsapp.language", "Write the language as it is approved, such as en_US.")
    return WishedVendor(
        name=name, language=language, slots=tuple(_slot(form, read, at) for at in slots) if slots else None
    )


def _slot(form: Form, read: Typed, at: int) -> WishedSlot:
    path = f"whatsapp.parameters[{at}]"
    component, kind, placeholder, base = (form.text(f"{path}.{name}") for name in SLOT)
    if not _COMPONENT.fullmatch(component):
        read.wrong(f"{path}.component", "Choose a part of the template.")
    if kind not in KINDS:
        read.wrong(f"{path}.kind", "Choose a kind.")
    if len(placeholder) > _LONGEST_PLACEHOLDER:
        read.wrong(f"{path}.placeholder", "Write one gap, such as {starts_at:date}.")
    if len(base) > _LONGEST_BASE or not _BASE.fullmatch(base):
        read.wrong(f"{path}.base", "Write the button's fixed address, beginning with https://.")
    return WishedSlot(component=component, kind=kind, placeholder=placeholder, base=base)


def _registration(form: Form, read: Typed) -> Registration | None:
    """The registration with an Indian operator, where anything of it was typed."""
    given = {name: _dlt(form, name) for name in DLT}
    if not any(given.values()):
        return None
    for name in DLT[:3]:
        if len(given[name]) > _LONGEST:
            read.wrong(f"dlt.{name}", f"Write at most {_LONGEST} characters.")
    if len(given["text"]) > LONGEST_TEXT:
        read.wrong("dlt.text", f"Write at most {LONGEST_TEXT} characters.")
    return Registration(**given)


def _rows(form: Form) -> list[int]:
    return [at for at in range(MOST_SLOTS) if f"whatsapp.parameters[{at}].placeholder" in form]


def _spared(slots: list[dict[str, str]]) -> list[dict[str, str]]:
    """With some empty rows below."""
    empty = {"component": "body", "kind": "text", "placeholder": "", "base": ""}
    return [*slots, *(dict(empty) for _ in range(min(_SPARE, MOST_SLOTS - len(slots))))]
