"""WhatsApp's webhooks: verify the raw bytes, then read them under our names. Keeps nothing, quotes nothing.

Meta puts several changes into one webhook. What can be read of them counts: a STOP is not lost for a neighbour's sake.
A webhook of which nothing can be read is refused.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from connectors.contract import CallbackEvent, CallbackRefused
from connectors.messaging.whatsapp.fields import FIELDS, MESSAGES
from connectors.messaging.whatsapp.reading import EVENTS, Item, events_of, items_in, listed
from connectors.wire import parse_object

__all__ = ["EVENTS", "KNOWN", "handshake", "identity", "translate", "verify"]

KNOWN: Final = frozenset(EVENTS)

_SIGNATURE: Final = re.compile(r"sha256=([0-9a-f]{64})")
_CHALLENGE: Final = re.compile(r"[0-9A-Za-z_-]{1,100}")
_MOST_PARAMETERS: Final = 16


def verify(raw_body: bytes, headers: Mapping[str, str], url: str, secrets: Sequence[str], *, now: datetime) -> None:
    """Raise CallbackRefused unless an app secret signed these bytes. Meta signs neither the URL nor a time of its own."""
    header = next((value for name, value in headers.items() if name.lower() == "x-hub-signature-256"), "")
    if not header:
        raise CallbackRefused("signature_missing")
    match = _SIGNATURE.fullmatch(header)
    if match is None:
        raise CallbackRefused("bad_signature")
    genuine = False
    for secret in secrets:
        if secret.strip():  # every secret is compared: the time taken says nothing
            expected = hmac.digest(secret.encode("utf-8", "surrogatepass"), raw_body, "sha256").hex()
            genuine |= hmac.compare_digest(expected, match[1])
    if not genuine:
        raise CallbackRefused("bad_signature")


def handshake(method: str, url: str, token: str) -> str | None:
    """The challenge to answer when Meta asks with our token whether the address is ours; None for a message."""
    if method != "GET":
        return None
    query = url.partition("#")[0].partition("?")[2]
    try:
        asked = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise CallbackRefused("malformed_handshake") from None
    found = dict(asked)
    if len(found) != len(asked):  # two readers of a name that is there twice may pick two values
        raise CallbackRefused("malformed_handshake")
    challenge = found.get("hub.challenge", "")
    if found.get("hub.mode") != "subscribe" or not _CHALLENGE.fullmatch(challenge):
        raise CallbackRefused("malformed_handshake")
    named = found.get("hub.verify_token", "").encode("utf-8", "surrogatepass")
    if not token or not hmac.compare_digest(named, token.encode()):
        raise CallbackRefused("wrong_token")
    return challenge


def identity(raw_body: bytes) -> str:
    """What the webhook is about: the ids of its messages and how far each is; of any other webhook all its bytes."""
    items, faults = _read(raw_body)
    names = [name for item in items if (name := item.name) is not None]
    if not names or faults or len(names) < len(items):
        return f"body|{hashlib.sha256(raw_body).hexdigest()}"
    return f"items|{hashlib.sha256(' '.join(sorted(names)).encode('utf-8', 'surrogatepass')).hexdigest()}"


def translate(raw_body: bytes, url: str) -> tuple[CallbackEvent, ...]:
    """The events of a webhook; none where it is WhatsApp's and of a kind that is not used. The URL says nothing."""
    items, faults = _read(raw_body)
    events: list[CallbackEvent] = []
    for item in items:
        try:
            events += events_of(item)
        except CallbackRefused as fault:
            faults.append(fault)
    if faults and not events:
        raise faults[0]
    return tuple(events)


def _read(raw_body: bytes) -> tuple[list[Item], list[CallbackRefused]]:
    """The statuses and messages of a webhook, and what can't be read of it. Raises CallbackRefused for another's."""
    items: list[Item] = []
    faults: list[CallbackRefused] = []
    for change in _changes(raw_body):
        try:
            items += _items(change)
        except CallbackRefused as fault:
            faults.append(fault)
    return items, faults


def _changes(raw_body: bytes) -> Iterator[Mapping[str, Any]]:
    webhook = parse_object(raw_body)
    if webhook is None or webhook.get("object") != "whatsapp_business_account":
        raise CallbackRefused("not_an_event")
    for entry in listed(webhook, "entry"):
        yield from listed(entry, "changes")


def _items(change: Mapping[str, Any]) -> list[Item]:
    """The statuses and messages of one change; none of a change that is not used."""
    field, value = change.get("field"), change.get("value")
    if not isinstance(field, str) or field not in FIELDS:
        raise CallbackRefused("unknown_event")
    if field != MESSAGES:
        return []
    if not isinstance(value, Mapping):
        raise CallbackRefused("malformed_event")
    return list(items_in(value))
