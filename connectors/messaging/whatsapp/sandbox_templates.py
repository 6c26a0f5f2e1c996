"""The templates that the sandbox's account holds, and what a person reads of one. Speaks no HTTP.

A template whose words the sandbox does not know takes any values and is shown by its name with them: `example_template`, and
what is put there by `POST /_sandbox/templates`.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

_PLACEHOLDER: Final = re.compile(r"\{\{([1-9][0-9]?)\}\}")


class Refused(Exception):
    """An error as the Graph API answers it."""

    def __init__(self, status: int, code: int, title: str, details: str = "") -> None:
        """`details` may quote the request: production code must not repeat it, and the tests see to that."""
        super().__init__(title)
        self.status = status
        data = {"messaging_product": "whatsapp", "details": details or title}
        self.error: dict[str, Any] = {
            "message": f"(#{code}) {title}",
            "type": "OAuthException",
            "code": code,
            "error_data": data,
            "fbtrace_id": "AbCdEfGhIjKlMnOpQrStUvW",
        }


@dataclass(frozen=True, slots=True)
class Template:
    """One approved template in one language. A button with an address opens it; one without answers with its title."""

    name: str
    language: str
    body: str | None
    header: str = ""
    footer: str = ""
    buttons: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """What a person reads of a message."""

    body: str
    header: str = ""
    footer: str = ""
    buttons: tuple[tuple[str, str], ...] = ()


_YES_NO_EN: Final = (("Yes", ""), ("No", ""))
_FOOTER: Final = "Reply STOP to get no more messages"
TEMPLATES: Final = (
    Template("example_template", "en", None),
    Template("hello_world", "en_US", "Welcome. This is a test message of the sandbox.", header="Hello World"),
    Template(
        "appointment_reminder",
        "en_US",
        "Hello {{1}}, your appointment is on {{2}} at {{3}}.",
        header="Reminder",
        footer=_FOOTER,
    ),
    Template(
        "appointment_reminder",
        "hi",
        "नमस्ते {{1}}, आपका अपॉइंटमेंट {{2}} को {{3}} बजे है।",
        footer="और संदेश न पाने के लिए STOP लिखें",
    ),
    Template(
        "appointment_confirmation",
        "en_US",
        "Hello {{1}}, your appointment is on {{2}} at {{3}}. Will you come?",
        footer=_FOOTER,
        buttons=_YES_NO_EN,
    ),
    Template(
        "payment_link",
        "en_US",
        "Hello {{1}}, {{2}} is waiting to be paid.",
        footer=_FOOTER,
        buttons=(("Pay", "https://pay.example.com/l/{{1}}"),),
    ),
    Template("clinic_notice", "en_US", "{{1}}", header="A word from your clinic", footer=_FOOTER),
)


Templates = dict[tuple[str, str], Template]


def held() -> Templates:
    """The templates of a fresh sandbox, by name and language."""
    return {(each.name, each.language): each for each in TEMPLATES}


def read_of(templates: Templates, name: str, language: str, components: Any) -> Read:
    """What a person reads of a template with these values, or Meta's refusal of it."""
    values = _values(components)
    template = templates.get((name, language))
    if template is None:
        details = f"{name} does not exist in {language}"
        raise Refused(404, 132001, "Template name does not exist in the translation", details)
    if template.body is None:
        shown = [f"{place}: {', '.join(texts)}" for place, texts in values.items() if place != "body"]
        return Read("\n".join([*values.get("body", []), *shown]) or "(no values)", header=name)
    read = Read(
        _filled(template.body, values.pop("body", [])),
        _filled(template.header, values.pop("header", [])),
        template.footer,
        tuple(
            (title, _filled(address, values.pop(f"button:{at}", [])))
            for at, (title, address) in enumerate(template.buttons)
        ),
    )
    if values:
        raise _miscounted(f"{next(iter(values))} has no place")
    return read


def _values(components: Any) -> dict[str, list[str]]:
    """The values by their component, or Meta's refusal."""
    found: dict[str, list[str]] = {}
    if not isinstance(components, list):
        raise Refused(400, 100, "Invalid parameter", "components must be an array")
    for component in components:
        kind = component.get("type") if isinstance(component, dict) else None
        if kind not in ("header", "body", "button"):
            raise Refused(400, 100, "Invalid parameter", f"unknown component {kind}")
        if kind == "button" and (component.get("sub_type") != "url" or component.get("index") not in set("0123456789")):
            raise Refused(400, 131009, "Parameter value is not valid", "a button needs a sub_type and an index")
        place = f"button:{component['index']}" if kind == "button" else kind
        if place in found:
            raise Refused(400, 100, "Invalid parameter", f"{place} is there twice")
        found[place] = [_shown(parameter) for parameter in component.get("parameters") or [None]]
    return found


def _shown(parameter: Any) -> str:
    """The text of one value."""
    kind = parameter.get("type") if isinstance(parameter, dict) else None
    held = parameter if kind == "text" else parameter.get(kind) if kind in ("currency", "date_time") else None
    text = held.get("text" if kind == "text" else "fallback_value") if isinstance(held, dict) else None
    if not isinstance(text, str) or not text:
        raise Refused(400, 132012, "Parameter format does not match format in the created template")
    if kind == "currency" and not (isinstance(held, dict) and isinstance(held.get("amount_1000"), int)):
        raise Refused(400, 132012, "Parameter format does not match format in the created template")
    if "\n" in text or "\t" in text or "     " in text:
        raise Refused(400, 100, "Param text cannot have new-line/tab characters or more than 4 consecutive spaces")
    if len(text) > 1024:
        raise Refused(400, 132005, "Translated text too long")
    return text


def _filled(text: str, values: list[str]) -> str:
    wanted = {int(number) for number in _PLACEHOLDER.findall(text)}
    if wanted != set(range(1, len(values) + 1)):
        raise _miscounted(f"number of localizable_params ({len(values)}) does not match the expected ({len(wanted)})")
    return _PLACEHOLDER.sub(lambda match: values[int(match[1]) - 1], text)


def _miscounted(details: str) -> Refused:
    return Refused(400, 132000, "Number of parameters does not match the expected number of params", details)
