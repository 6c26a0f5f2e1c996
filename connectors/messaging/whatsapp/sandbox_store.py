"""What the sandbox keeps: conversations by number, and the webhooks that tell of them, in Meta's shape. Speaks no HTTP."""

import base64
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.messaging.whatsapp.sandbox_templates import Read

BUSINESS: Final = "102290129340398"
DISPLAY_NUMBER: Final = "15550783881"
TITLES: Final = {
    131026: "Message undeliverable",
    131049: "This message was not delivered to maintain healthy ecosystem engagement.",
}
Webhook = dict[str, Any]


@dataclass
class Bubble:
    """One message as the phone shows it."""

    id: str
    at: int
    read: Read
    from_clinic: bool
    key: str | None = None
    status: str = "accepted"
    template: str = ""


@dataclass
class Store:
    """The conversations of one phone number of the clinic's."""

    account: str
    talks: dict[str, list[Bubble]] = field(default_factory=dict)

    def add(self, number: str, bubble: Bubble) -> Bubble:
        """Put a message at the end of a number's conversation, which is made if need be."""
        self.talks.setdefault(number, []).append(bubble)
        return bubble

    def status(self, number: str, bubble: Bubble, status: str, at: int, code: int | None = None) -> Webhook:
        """The webhook that says how far a message is, with the parts that nobody keeps."""
        bubble.status = status
        held: dict[str, Any] = {
            "id": bubble.id,
            "status": status,
            "timestamp": str(at),
            "recipient_id": number,
        }
        if status in ("sent", "delivered"):
            held["conversation"] = {"id": secrets.token_hex(16), "origin": {"type": "utility"}}
            held["pricing"] = {"billable": True, "pricing_model": "PMP", "category": "utility", "type": "regular"}
        if bubble.key is not None:
            held["biz_opaque_callback_data"] = bubble.key
        if code is not None:
            title = TITLES[code]
            held["errors"] = [
                {"code": code, "title": title, "message": title, "error_data": {"details": f"{title} {number}"}}
            ]
        return self._webhook(statuses=[held])

    def message(self, number: str, text: str, at: int, *, button: bool = False) -> Webhook:
        """The webhook that brings what a person writes, or presses under our last message."""
        bubble = self.add(number, Bubble(wamid(number), at, Read(text), from_clinic=False, status="sent"))
        last = next((each for each in reversed(self.talks[number]) if each.from_clinic), None)
        held: dict[str, Any] = {"from": number, "id": bubble.id, "timestamp": str(at)}
        if button and last is not None:
            held["context"] = {"from": DISPLAY_NUMBER, "id": last.id}
        held |= (
            {"type": "button", "button": {"payload": text, "text": text}}
            if button
            else {"type": "text", "text": {"body": text}}
        )
        return self._webhook(contacts=[{"profile": {"name": "Sandbox Person"}, "wa_id": number}], messages=[held])

    def _webhook(self, **held: Any) -> Webhook:
        metadata = {"display_phone_number": DISPLAY_NUMBER, "phone_number_id": self.account}
        value = {"messaging_product": "whatsapp", "metadata": metadata, **held}
        changes = [{"value": value, "field": "messages"}]
        return {"object": "whatsapp_business_account", "entry": [{"id": BUSINESS, "changes": changes}]}


def wamid(number: str) -> str:
    """An id as WhatsApp makes them: the person's number is in it, spelled in base 64."""
    inner = (
        b"\x1d\x0b" + number.encode() + b"\x15\x02\x00\x11\x18\x12" + secrets.token_hex(9).upper().encode() + b"\x00"
    )
    return f"wamid.{base64.b64encode(inner).decode()}"
