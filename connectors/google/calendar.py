"""What is said to Google Calendar: an event and its id, a channel, the parts of an answer to ask for. Sends nothing."""

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Any, Final

from connectors.google.actions import CreateEvent, FreeBusy, MoveEvent, WatchCalendar
from connectors.google.fields import Title

#: A partial answer: what people wrote into an event never comes here at all.
EVENT_FIELDS: Final = "id,etag,status,start,end,updated,sequence,extendedProperties/private"
SYNC_FIELDS: Final = f"items({EVENT_FIELDS}),nextPageToken,nextSyncToken"
CHANNEL_FIELDS: Final = "id,resourceId,expiration"
FREE_BUSY_FIELDS: Final = "calendars"
PAGE: Final = 250
CALL: Final = "call"
MOVE: Final = "move"

#: What everybody reads who sees the calendar.
TITLES: Final = {
    Title.RESERVED: "Reserved",
    Title.APPOINTMENT: "Appointment",
    Title.BREAK: "Break",
    Title.ABSENT: "Absent",
}
CALENDAR_NAMES: Final = {
    Title.RESERVED: "Clinic Gateway: reserved times",
    Title.APPOINTMENT: "Clinic Gateway: appointments",
    Title.BREAK: "Clinic Gateway: breaks",
    Title.ABSENT: "Clinic Gateway: absences",
}


def event_id(idempotency_key: str) -> str:
    """The id of the event that a call makes: always the same, so that a repeat makes no second one.

    Google takes 5 to 1,024 characters of base32hex in small letters.
    """
    return _base32hex(hashlib.sha256(b"event|" + idempotency_key.encode()).digest())


def event(fields: CreateEvent, idempotency_key: str) -> dict[str, Any]:
    """An event that says when and nothing else; its own properties are seen by our client alone."""
    return {
        "id": event_id(idempotency_key),
        "summary": TITLES[fields.title],
        "start": {"dateTime": _text(fields.starts_at)},
        "end": {"dateTime": _text(fields.ends_at)},
        "status": "confirmed",
        "visibility": "private",
        "transparency": "opaque",
        "guestsCanInviteOthers": False,
        "guestsCanSeeOtherGuests": False,
        "reminders": {"useDefault": False},
        "extendedProperties": {"private": {"ref": fields.reference, CALL: idempotency_key}},
    }


def moved(fields: MoveEvent, idempotency_key: str) -> dict[str, Any]:
    """The new times, and which call set them."""
    return {
        "start": {"dateTime": _text(fields.starts_at)},
        "end": {"dateTime": _text(fields.ends_at)},
        "extendedProperties": {"private": {MOVE: idempotency_key}},
    }


def question(fields: FreeBusy) -> dict[str, Any]:
    """Whose calendars, from when to when. Groups are not expanded."""
    return {
        "timeMin": _text(fields.starts_at),
        "timeMax": _text(fields.ends_at),
        "timeZone": "UTC",
        "groupExpansionMax": 1,
        "calendarExpansionMax": len(fields.staff),
        "items": [{"id": each.address} for each in fields.staff],
    }


def channel(fields: WatchCalendar, idempotency_key: str, address: str, token: str) -> dict[str, Any]:
    """A channel to our address. Its token counts for its id alone, so that one channel can't speak for another."""
    channel_id = f"gateway-{_base32hex(hashlib.sha256(b'channel|' + idempotency_key.encode()).digest())[:32]}"
    return {
        "id": channel_id,
        "type": "web_hook",
        "address": address,
        "token": channel_token(token, channel_id),
        "payload": False,
        "params": {"ttl": str(fields.hours * 3600)},
    }


def channel_token(token: str, channel_id: str) -> str:
    """What Google brings back with each message of a channel, made from the connection's token."""
    return hmac.new(token.encode(), f"google-channel|{channel_id}".encode(), hashlib.sha256).hexdigest()


def _base32hex(digest: bytes) -> str:
    return base64.b32hexencode(digest).decode().rstrip("=").lower()


def _text(moment: datetime) -> str:
    return moment.isoformat()
