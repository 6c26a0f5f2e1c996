"""Read what WhatsApp's webhooks hold under our names: how far a message is, and what somebody's answer comes down to.

Keeps no name, no number and, but for the words of a reply that a clinic asked for, nothing that was written.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from connectors.contract import Answered, Arrival, CallbackEvent, CallbackRefused, Settlement, Wish
from connectors.messaging.actions import MessageStatus, Reply, ReplyText
from connectors.messaging.fields import LONGEST_NOTE, Meaning
from connectors.messaging.whatsapp.numbers import e164
from connectors.messaging.words import meaning
from scopes.consent import Channel
from scopes.field import Shape, shape_of
from scopes.minimize import minimize_answer
from scopes.screen import screened

REPLIED: Final = "message.replied"
REPLY_TEXT: Final = "message.reply_text"

_ARRIVALS: Final = {
    "sent": Arrival.SENT,
    "delivered": Arrival.DELIVERED,
    "read": Arrival.READ,
    "failed": Arrival.UNDELIVERED,
}
EVENTS: Final[Mapping[str, Shape]] = {
    **{f"message.{arrival}": shape_of(MessageStatus) for arrival in _ARRIVALS.values()},
    REPLIED: shape_of(Reply),
    REPLY_TEXT: shape_of(ReplyText),
}

#: Messages that nobody wrote to the clinic: a changed number, a chat that was opened, one that was taken back.
_NO_REPLIES: Final = frozenset({"system", "request_welcome", "revoke"})
#: Where each type of message holds what somebody wrote or pressed. The first is what they saw.
_SAID: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "text": (("text", "body"),),
    "button": (("button", "text"), ("button", "payload")),
    "interactive": (
        ("interactive", "button_reply", "title"),
        ("interactive", "button_reply", "id"),
        ("interactive", "list_reply", "title"),
        ("interactive", "list_reply", "id"),
    ),
    "reaction": (("reaction", "emoji"),),
    "image": (("image", "caption"),),
    "video": (("video", "caption"),),
    "document": (("document", "caption"),),
    "order": (("order", "text"),),
}
_WISHES: Final = {Meaning.STOP: Wish.STOP, Meaning.START: Wish.START}

_ID: Final = re.compile(r"[A-Za-z0-9._=+/:-]{1,255}")
_ACCOUNT: Final = re.compile(r"[0-9]{1,32}")
_OUR_KEY: Final = re.compile(r"cg_[0-9a-f]{32}")
_SECONDS: Final = re.compile(r"[0-9]{1,11}")
_LONGEST_TEXT: Final = 4096  # WhatsApp's own limit


@dataclass(frozen=True, slots=True)
class Item:
    """One status or message of a webhook, and the phone number of the clinic's that it came to."""

    kind: str
    account: str | None
    held: Mapping[str, Any]

    @property
    def name(self) -> str | None:
        """What tells it from any other: whose it is, its id, and for a status how far it is."""
        found = self.held.get("id")
        if self.account is None or not isinstance(found, str) or not _ID.fullmatch(found):
            return None
        return "|".join((self.kind, self.account, found, str(self.held.get("status")) if self.kind == "status" else ""))


def items_in(value: Mapping[str, Any]) -> Iterator[Item]:
    """Every status and message of one change. Raises CallbackRefused where they are no lists of objects."""
    metadata = value.get("metadata")
    account = metadata.get("phone_number_id") if isinstance(metadata, Mapping) else None
    if not isinstance(account, str) or not _ACCOUNT.fullmatch(account):
        account = None
    for kind, name in (("status", "statuses"), ("message", "messages")):
        for held in listed(value, name) if name in value else ():
            yield Item(kind, account, held)


def events_of(item: Item) -> tuple[CallbackEvent, ...]:
    """What one status or message says. Raises CallbackRefused where it can't be told."""
    if item.name is None:
        raise CallbackRefused("malformed_event")
    return _of_status(item) if item.kind == "status" else _of_message(item)


def listed(held: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """A list of objects, or CallbackRefused."""
    found = held.get(name)
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise CallbackRefused("malformed_event")
    return found


def _of_status(item: Item) -> tuple[CallbackEvent, ...]:
    """How far a message is; a word that is not about that (a played voice message, a warning) says nothing."""
    word = item.held.get("status")
    if not isinstance(word, str):
        raise CallbackRefused("malformed_event")
    arrival = _ARRIVALS.get(word)
    if arrival is None:
        return ()
    code = _error_code(item.held) if arrival is Arrival.UNDELIVERED else None
    key = item.held.get("biz_opaque_callback_data")
    ours = isinstance(key, str) and _OUR_KEY.fullmatch(key) is not None
    settles = Settlement(str(key), arrival, code) if ours else None
    found = {"id": item.held["id"], "status": str(arrival), "code": code}
    return (_event(f"message.{arrival}", item, found, settles=settles),)


def _of_message(item: Item) -> tuple[CallbackEvent, ...]:
    """What somebody's answer comes down to, and beside it what they wrote, for clinics that want it."""
    kind = item.held.get("type")
    if not isinstance(kind, str):
        raise CallbackRefused("malformed_event")
    if kind in _NO_REPLIES:
        return ()
    said = [text for path in _SAID.get(kind, ()) if (text := _text_at(item.held, path))]
    if kind == "reaction" and not said:  # a reaction that was taken back
        return ()
    means = _meaning(said)
    address = e164(item.held.get("from"))
    answered = Answered(address, Channel.WHATSAPP, _WISHES.get(means)) if address is not None else None
    found: dict[str, Any] = {"id": item.held["id"], "meaning": means.value}
    events = [_event(REPLIED, item, found, answered=answered)]
    if said:
        text = screened(said[0][:_LONGEST_TEXT])[:LONGEST_NOTE]
        events.append(_event(REPLY_TEXT, item, {**found, "text": text}))
    return tuple(events)


def _meaning(said: list[str]) -> Meaning:
    """What the words come down to; where they disagree, a STOP counts, and words that mean something before others."""
    found = [meaning(text) for text in said]
    if Meaning.STOP in found:
        return Meaning.STOP
    return next((each for each in found if each is not Meaning.OTHER), Meaning.OTHER)


def _event(
    kind: str,
    item: Item,
    found: Mapping[str, Any],
    *,
    settles: Settlement | None = None,
    answered: Answered | None = None,
) -> CallbackEvent:
    data = minimize_answer(EVENTS[kind], found)
    at = _moment(item.held.get("timestamp"))
    return CallbackEvent(kind, item.held["id"], item.account, at, data, settles, answered)


def _text_at(held: Any, path: tuple[str, ...]) -> str | None:
    for name in path:
        held = held.get(name) if isinstance(held, Mapping) else None
    return held if isinstance(held, str) and held else None


def _error_code(held: Mapping[str, Any]) -> str | None:
    """Meta's number for why a message did not arrive."""
    errors = held.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    code = first.get("code") if isinstance(first, Mapping) else None
    return str(code) if isinstance(code, int) and not isinstance(code, bool) and 0 <= code < 10**9 else None


def _moment(timestamp: object) -> datetime | None:
    """Seconds as a point in time; None where it is none: then it is when the message came."""
    if not isinstance(timestamp, str) or not _SECONDS.fullmatch(timestamp):
        return None
    return datetime.fromtimestamp(int(timestamp), UTC)
