"""Read one item of Graph's notifications under our names: what changed, or what happened to the watch itself.

Only the basic form is read. What Graph would add in the rich one (encryptedContent) is never asked for and not looked at.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from connectors.contract import CallbackEvent, CallbackRefused
from connectors.teams.actions import ShiftChanged, WatchTold
from connectors.teams.fields import GUID
from scopes.field import Shape, shape_of
from scopes.minimize import minimize_answer

SHIFT_CHANGED: Final = "shift.changed"
#: Graph's lifecycle events and ours. A renewal answers the first; the others say that changes may have been missed.
_LIFECYCLE: Final = {
    "reauthorizationRequired": "watch.reauthorization_required",
    "subscriptionRemoved": "watch.removed",
    "missed": "watch.missed",
}
EVENTS: Final[Mapping[str, Shape]] = {
    SHIFT_CHANGED: shape_of(ShiftChanged),
    **{name: shape_of(WatchTold) for name in _LIFECYCLE.values()},
}

_GUID: Final = re.compile(GUID)
# Graph writes a path in either of OData's two forms: teams/ID/... or teams('ID')/...
_SHIFT: Final = re.compile(
    rf"/?teams(?:/|\(')({GUID})(?:'\))?/schedule/shifts(?:/|\(')([0-9A-Za-z_-]{{1,100}})(?:'\))?", re.IGNORECASE
)
_CHANGES: Final = frozenset({"created", "updated", "deleted"})
_MARK: Final = re.compile(r"[!-~]{1,256}")
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_WORD: Final = re.compile(r"[A-Za-z]{1,64}")


def event_of(item: Mapping[str, Any]) -> CallbackEvent | None:
    """What one item says; None where it is Graph's and of a kind that is not used. Raises CallbackRefused."""
    account, subscription = _guid(item.get("tenantId")), _guid(item.get("subscriptionId"))
    expiry = expiry_of(item)
    told = item.get("lifecycleEvent")
    if told is not None:
        if not isinstance(told, str) or not _WORD.fullmatch(told):
            raise CallbackRefused("malformed_event")
        if told not in _LIFECYCLE:
            return None
        data = {"id": subscription, "expires_at": expiry}
        return _event(_LIFECYCLE[told], subscription, account, data)
    change, resource = item.get("changeType"), item.get("resource")
    if not isinstance(change, str) or change not in _CHANGES or not isinstance(resource, str):
        raise CallbackRefused("malformed_event")
    named = _SHIFT.fullmatch(resource)
    if named is None:
        raise CallbackRefused("unknown_event")
    data = {"id": named[2], "team": named[1], "change": change, "subscription": subscription}
    return _event(SHIFT_CHANGED, named[2], account, data)


def mark_of(item: Mapping[str, Any]) -> str | None:
    """What tells this item from any other: Graph's own id of it, or the version of what changed; None without either."""
    event = event_of(item)
    if event is None or item.get("lifecycleEvent") is not None:
        return None
    held = item.get("resourceData")
    version = held.get("@odata.etag") if isinstance(held, Mapping) else None
    marks = [mark for mark in (item.get("id"), version) if isinstance(mark, str) and _MARK.fullmatch(mark)]
    if not marks:
        return None
    return "|".join([str(event.account), event.vendor_id, str(event.data["change"]), marks[0]])


def expiry_of(item: Mapping[str, Any]) -> datetime:
    """When the subscription ends. Raises CallbackRefused where the item does not say."""
    text = item.get("subscriptionExpirationDateTime")
    if not isinstance(text, str) or not _MOMENT.fullmatch(text):
        raise CallbackRefused("malformed_event")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise CallbackRefused("malformed_event") from None


def _event(kind: str, vendor_id: str, account: str, data: Mapping[str, Any]) -> CallbackEvent:
    # Graph says when a watch ends and not when something happened.
    return CallbackEvent(kind, vendor_id, account, None, minimize_answer(EVENTS[kind], data))


def _guid(found: object) -> str:
    if not isinstance(found, str) or not _GUID.fullmatch(found):
        raise CallbackRefused("malformed_event")
    return found.lower()
