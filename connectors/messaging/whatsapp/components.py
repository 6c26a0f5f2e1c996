"""Write one message in WhatsApp's form: a template that Meta keeps and the values for its placeholders. Makes no words up."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from connectors.contract import Rejected, Wording
from connectors.message import Message
from scopes.money import MINOR_DIGITS
from scopes.wording import Parameter

_BUTTON: Final = "button:"
_UNFIT: Final = "wording_unfit"


def template_message(fields: Message, wording: Wording, key: str) -> dict[str, Any]:
    """The body of POST /{phone number}/messages. Raises Rejected where Meta keeps no such template: free words never go."""
    if wording.vendor_name is None or wording.vendor_language is None:
        raise Rejected("template_unregistered")
    template: dict[str, Any] = {"name": wording.vendor_name, "language": {"code": wording.vendor_language}}
    if components := _components(fields, wording.parameters):
        template["components"] = components
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": fields.phone,
        "type": "template",
        "template": template,
        "biz_opaque_callback_data": key,  # comes back with every word on how far the message is
    }


def _components(fields: Message, parameters: tuple[Parameter, ...]) -> list[dict[str, Any]]:
    """The parts of the template that have placeholders, each once: header, body, buttons by their place."""
    held: dict[str, list[dict[str, Any]]] = {}
    for parameter in parameters:
        held.setdefault(parameter.component, []).append(_value(fields, parameter))
    return [{**_part(name), "parameters": held[name]} for name in sorted(held, key=_place)]


def _place(component: str) -> tuple[int, str]:
    return ({"header": 0, "body": 1}.get(component, 2), component)


def _part(component: str) -> dict[str, str]:
    if component in ("header", "body"):
        return {"type": component}
    index = component.removeprefix(_BUTTON)
    if not component.startswith(_BUTTON) or index not in set("0123456789"):
        raise Rejected(_UNFIT)
    return {"type": "button", "sub_type": "url", "index": index}


def _value(fields: Message, parameter: Parameter) -> dict[str, Any]:
    """One value. A button's is the end of its address, and nothing else is."""
    write = _KINDS.get(parameter.kind)
    if write is None or (parameter.kind == "url") != parameter.component.startswith(_BUTTON):
        raise Rejected(_UNFIT)
    return write(fields, parameter.text)


def _text(fields: Message, text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _currency(fields: Message, text: str) -> dict[str, Any]:
    """An amount that the phone writes in its own way; `text` is what it shows where it can't."""
    minor, code = getattr(fields, "amount_minor", None), getattr(fields, "currency", None)
    if minor is None or code is None or MINOR_DIGITS.get(code, 4) > 3:
        raise Rejected(_UNFIT)
    thousandths = minor * 10 ** (3 - MINOR_DIGITS[code])
    return {"type": "currency", "currency": {"fallback_value": text, "code": code, "amount_1000": thousandths}}


def _date_time(fields: Message, text: str) -> dict[str, Any]:
    """The Cloud API always shows the text; the parts of a date would say the same once more."""
    return {"type": "date_time", "date_time": {"fallback_value": text}}


_KINDS: Final[Mapping[str, Callable[[Message, str], dict[str, Any]]]] = {
    "text": _text,
    "url": _text,
    "currency": _currency,
    "date_time": _date_time,
}
