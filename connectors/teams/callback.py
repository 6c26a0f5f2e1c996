"""Graph's change notifications: answer the handshake, compare the secret in every item, read the items under our names.

Graph signs nothing: a notification is genuine if each item names the secret that its subscription was made with
(clientState), a token that only the gateway can make. What Graph encrypts to our certificate, where it was asked to, is
opened by notifications.py and has to be about the very thing that its item names.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from connectors.contract import CallbackEvent, CallbackRefused
from connectors.teams.notifications import opened
from connectors.teams.reading import EVENTS, event_of, expiry_of, mark_of
from connectors.wire import parse_object

__all__ = ["EVENTS", "KNOWN", "handshake", "identity", "translate", "unsealed", "verify"]

KNOWN: Final = frozenset(EVENTS)

_MOST_ITEMS: Final = 1000
_LONGEST_STATE: Final = 128  # Graph's own limit
_REPEATED_FOR: Final = timedelta(hours=4)  # how long Graph tries to deliver
_AHEAD_AT_MOST: Final = timedelta(hours=7)  # six hours, and clocks that differ
# Letters, digits and what Graph's tokens have besides; nothing that means anything to a browser.
_TOKEN: Final = re.compile(r"[0-9A-Za-z :;,._~+/=|-]{1,512}")
_MOST_PARAMETERS: Final = 8


def verify(raw_body: bytes, headers: Mapping[str, str], url: str, secrets: Sequence[str], *, now: datetime) -> None:
    """Raise CallbackRefused unless every item names one of the secrets and belongs to a watch that lasts.

    All or nothing: what is read afterwards is the whole body, so one item of another's must not ride along.
    """
    known = [secret.encode("utf-8", "surrogatepass") for secret in secrets if secret.strip()]
    for item in _items(raw_body):
        named = item.get("clientState")
        if not isinstance(named, str) or not 0 < len(named) <= _LONGEST_STATE:
            raise CallbackRefused("secret_missing")
        genuine = False
        for secret in known:  # every secret is compared: the time taken says nothing
            genuine |= hmac.compare_digest(named.encode("utf-8", "surrogatepass"), secret)
        if not genuine:
            raise CallbackRefused("wrong_secret")
        if not now - _REPEATED_FOR <= expiry_of(item) <= now + _AHEAD_AT_MOST:
            raise CallbackRefused("stale")


def handshake(method: str, url: str, token: str) -> str | None:
    """The text that Graph wants back before it makes a subscription; None for a message. Our token has no place in it."""
    query = url.partition("#")[0].partition("?")[2]
    if method != "POST" or not query:
        return None
    try:
        asked = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise CallbackRefused("malformed_handshake") from None
    names = [name for name, _ in asked]
    if names != ["validationToken"] or not _TOKEN.fullmatch(asked[0][1]):
        raise CallbackRefused("malformed_handshake")
    return asked[0][1]


def unsealed(raw_body: bytes, private_keys: Mapping[str, bytes]) -> bytes:
    """The same message with what was encrypted in it opened, proved unchanged before. Raises CallbackRefused.

    Most have nothing encrypted in them, and stay as they are. Of what is opened only the id is looked at: what an event
    tells is declared, and a shift as it is now is asked for.
    """
    items = _items(raw_body)
    if not any("encryptedContent" in item for item in items):
        return raw_body
    return orjson.dumps({"value": [_opened(item, private_keys) for item in items]})


def _opened(item: Mapping[str, Any], private_keys: Mapping[str, bytes]) -> dict[str, Any]:
    plain = {name: value for name, value in item.items() if name != "encryptedContent"}
    content = item.get("encryptedContent")
    if content is None:
        return plain
    if not isinstance(content, Mapping):
        raise CallbackRefused("malformed_event")
    resource, named = opened(content, private_keys), item.get("resourceData")
    if not isinstance(named, Mapping) or resource.get("id") != named.get("id"):
        raise CallbackRefused("about_something_else")
    return plain


def identity(raw_body: bytes) -> str | None:
    """What its items are told apart by; None where Graph gives them neither an id nor a version.

    Then two changes of one shift are told in the same bytes, and taking the second for a repetition would lose it.
    """
    marks = [mark_of(item) for item in _items(raw_body)]
    if any(mark is None for mark in marks):
        return None
    return f"items|{hashlib.sha256(' '.join(sorted(map(str, marks))).encode()).hexdigest()}"


def translate(raw_body: bytes, url: str) -> tuple[CallbackEvent, ...]:
    """The events of a notification; items of a kind that is not used are left out. The URL says nothing."""
    found = (event_of(item) for item in _items(raw_body))
    return tuple(event for event in found if event is not None)


def _items(raw_body: bytes) -> list[Mapping[str, Any]]:
    body = parse_object(raw_body)
    items = None if body is None else body.get("value")
    if not isinstance(items, list) or not 0 < len(items) <= _MOST_ITEMS:
        raise CallbackRefused("not_an_event")
    if not all(isinstance(item, Mapping) for item in items):
        raise CallbackRefused("malformed_event")
    return items
