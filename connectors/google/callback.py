"""Google's messages to us: verify what a channel brings back, then read its headers under our names. There is no body.

Google signs nothing. A channel brings back its id and the token that it was opened with; the token is made from the
connection's and from that id, so neither can be made up, nor one channel speak for another. What a message says is only
that something changed: what did is asked for with sync_calendar, so a message that is repeated or lost does no harm.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from connectors.contract import CallbackEvent, CallbackRefused
from connectors.google.actions import Changed
from connectors.google.calendar import channel_token
from connectors.wire import parse_object
from scopes.field import Shape, shape_of
from scopes.minimize import minimize_answer

_CHANGED: Final = "calendar.changed"
#: What a channel says of its resource: the first message only says that the channel stands.
_SYNC: Final = "sync"
_STATES: Final = frozenset({_SYNC, "exists", "not_exists"})
_HEADERS: Final = {
    "channel": "x-goog-channel-id",
    "resource": "x-goog-resource-id",
    "state": "x-goog-resource-state",
    "number": "x-goog-message-number",
}
_TOKEN: Final = "x-goog-channel-token"  # noqa: S105 (a header's name)
_FORMS: Final = {
    "channel": re.compile(r"gateway-[0-9a-v]{32}"),
    "resource": re.compile(r"[0-9A-Za-z_+/=-]{8,200}"),
    "state": re.compile("|".join(sorted(_STATES))),
    "number": re.compile(r"[1-9][0-9]{0,18}"),
}
_LONGEST_TOKEN: Final = 256

KNOWN: Final = frozenset({_CHANGED})
EVENTS: Final[Mapping[str, Shape]] = {_CHANGED: shape_of(Changed)}


def verify(raw_body: bytes, headers: Mapping[str, str], url: str, secrets: Sequence[str], *, now: datetime) -> None:
    """Raise CallbackRefused unless the token is the one that this channel was opened with."""
    channel, token = headers.get(_HEADERS["channel"], ""), headers.get(_TOKEN, "")
    if not token or len(token) > _LONGEST_TOKEN:
        raise CallbackRefused("token_missing")
    if not _FORMS["channel"].fullmatch(channel):
        raise CallbackRefused("channel_unknown")
    given = token.encode("utf-8", "surrogatepass")
    # Every secret is compared, so that how long it takes tells nothing.
    fits = [hmac.compare_digest(channel_token(each, channel).encode(), given) for each in secrets if each.strip()]
    if not any(fits):
        raise CallbackRefused("token_wrong")
    _read(headers)


def envelope(raw_body: bytes, headers: Mapping[str, str]) -> bytes:
    """What the headers say, as an object. A body, which Google never sends, is not looked at."""
    return orjson.dumps(_read(headers))


def identity(raw_body: bytes) -> str:
    """The channel, its resource and the number that the channel counts its messages by."""
    said = _said(raw_body)
    return f"{said['channel']}|{said['resource']}|{said['number']}"


def translate(raw_body: bytes, url: str) -> tuple[CallbackEvent, ...]:
    """That a calendar changed; nothing where the channel only says that it stands."""
    said = _said(raw_body)
    if said["state"] == _SYNC:
        return ()
    data = minimize_answer(EVENTS[_CHANGED], {"id": said["channel"], "resource": said["resource"]})
    return (CallbackEvent(_CHANGED, said["channel"], None, None, data),)


def _read(headers: Mapping[str, str]) -> dict[str, str]:
    return _checked({name: headers.get(header) for name, header in _HEADERS.items()})


def _said(raw_body: bytes) -> dict[str, str]:
    return _checked(parse_object(raw_body) or {})


def _checked(said: Mapping[str, Any]) -> dict[str, str]:
    """The four things that a message says, each in its form. Raises CallbackRefused."""
    for name, form in _FORMS.items():
        value = said.get(name)
        if not isinstance(value, str) or not form.fullmatch(value):
            raise CallbackRefused(f"{name}_unreadable")
    return {name: said[name] for name in _FORMS}
