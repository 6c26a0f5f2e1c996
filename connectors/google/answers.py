"""Read Google's answers under our field names, and what its refusals mean. Keeps only what is declared; quotes nothing."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from connectors.errors import Ambiguous, ConnectorError, ProviderScopeMissing, Rejected, TryLater
from connectors.wire import error_for, object_in, parse_object, retry_after_seconds

if TYPE_CHECKING:
    import httpx2

#: Too much was asked, and nothing was done: Calendar's reasons, and the status of Google's newer services.
_PATIENCE: Final = {
    "rateLimitExceeded": "rate_limit_exceeded",
    "userRateLimitExceeded": "user_rate_limit_exceeded",
    "calendarLimitsExceeded": "calendar_limits_exceeded",
    "quotaExceeded": "quota_exceeded",
    "dailyLimitExceeded": "daily_limit_exceeded",
    "RATE_LIMIT_EXCEEDED": "rate_limit_exceeded",
    "RESOURCE_EXHAUSTED": "resource_exhausted",
}
_ADDRESS: Final = "address_unauthorized"
_SCOPES: Final = {
    "insufficientPermissions": "insufficient_permissions",
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": "insufficient_permissions",
}
#: Other words that a host can act on.
_OTHERS: Final = {
    "notFound": "not_found",
    "NOT_FOUND": "not_found",
    "deleted": "deleted",
    "duplicate": "duplicate",
    "conditionNotMet": "changed_meanwhile",
    "timeRangeEmpty": "time_range_empty",
    "fullSyncRequired": "full_sync_required",
    "updatedMinTooLongAgo": "full_sync_required",
    "channelIdNotUnique": "channel_exists",
    "channelUnknown": "channel_unknown",
    "push.webhookUrlUnauthorized": _ADDRESS,  # answered with 401, and the credential is not what is wrong
    "push.webhookUrlNotHttps": "address_not_https",
    "accessNotConfigured": "service_not_switched_on",
    "SERVICE_DISABLED": "service_not_switched_on",
    "domainPolicy": "refused_by_administrator",
    "failedPrecondition": "precondition_failed",
    "FAILED_PRECONDITION": "precondition_failed",
    "INVALID_ARGUMENT": "invalid_argument",
    "invalidArgument": "invalid_argument",
    "invalid": "invalid_argument",
    "forbiddenForNonOrganizer": "not_the_organizer",
}
_MOST_DETAILS: Final = 10
_LAST_MILLISECOND: Final = 253_402_300_799_000  # 9999-12-31, the last that a datetime holds


def refusal_in(response: "httpx2.Response") -> ConnectorError | None:
    """What Google's answer means where it is no success; None where it is one. Only listed words are repeated."""
    status = response.status_code
    if 200 <= status < 300:
        return None
    said = list(_words(response.content))
    if status in (403, 429) and (patience := _first(_PATIENCE, said)):
        return TryLater(retry_after_seconds(response.headers), patience)
    if status == 403 and (missing := _first(_SCOPES, said)):
        return ProviderScopeMissing(missing)
    code = _first(_OTHERS, said)
    if code is not None and (status == 403 or code == _ADDRESS):
        return Rejected(code)  # the scope is there, and still this may not be done
    return error_for(status, response.headers, code)


def answered(response: "httpx2.Response", name: str = "id") -> dict[str, Any]:
    """The object of a success, which has a text under that name. Raises the contract's errors."""
    if refusal := refusal_in(response):
        raise refusal
    found = object_in(response)
    if not isinstance(found.get(name), str) or not found[name]:
        raise Ambiguous("unreadable_answer")
    return found


def check_empty(response: "httpx2.Response") -> None:
    """Raise the contract's errors unless it was done, which Google says by an empty 204."""
    if refusal := refusal_in(response):
        raise refusal
    if response.status_code != 204:
        raise Ambiguous("unreadable_answer")


def event(found: Mapping[str, Any]) -> dict[str, Any]:
    """An event: ids, state and times. Days without a time have none that we keep."""
    return {
        "id": found.get("id"),
        "etag": found.get("etag"),
        "status": found.get("status"),
        "starts_at": moment(_inside(found, "start", "dateTime")),
        "ends_at": moment(_inside(found, "end", "dateTime")),
        "updated_at": moment(found.get("updated")),
        "sequence": found.get("sequence"),
        "reference": private(found, "ref"),
    }


def private(found: Mapping[str, Any], name: str) -> object:
    """One of the properties of an event that only our client sees."""
    return _inside(found, "extendedProperties", "private", name)


def busy_in(found: object) -> dict[str, Any]:
    """When one calendar is busy; where Google says nothing of it that can be read, a word of ours and no times at all.

    No times would read as free, and so would half of them.
    """
    if not isinstance(found, Mapping):
        return {"error": "missing"}
    if errors := found.get("errors"):
        listed = errors if isinstance(errors, list) else []
        reasons = [each.get("reason") for each in listed if isinstance(each, Mapping)]
        return {"error": _first(_OTHERS, reasons) or "unknown"}
    times = found.get("busy")
    if not isinstance(times, list):
        return {"error": "missing"}
    read = [{"starts_at": moment(_inside(each, "start")), "ends_at": moment(_inside(each, "end"))} for each in times]
    if any(None in each.values() for each in read):
        return {"error": "unreadable"}
    return {"busy": read}


def moment(text: object) -> datetime | None:
    """A point in time as RFC 3339 writes it; None where it is none, or has no zone."""
    if not isinstance(text, str) or len(text) > 40:
        return None
    try:
        found = datetime.fromisoformat(text).astimezone(UTC) if _has_zone(text) else None
    except (ValueError, OverflowError):
        return None
    return found


def from_milliseconds(text: object) -> datetime | None:
    """A point in time as a channel's end is written: milliseconds, in a string."""
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 18:
        return None
    milliseconds = int(text)
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds <= _LAST_MILLISECOND else None


def _has_zone(text: str) -> bool:
    return text.endswith(("Z", "z")) or text[-6:-5] in ("+", "-")


def _words(raw_body: bytes) -> Iterator[object]:
    """What an error says: the reasons of Calendar, the details and the status of newer services, in this order."""
    error = (parse_object(raw_body) or {}).get("error")
    if not isinstance(error, Mapping):
        return
    for name in ("errors", "details"):
        listed = error.get(name)
        for each in listed[:_MOST_DETAILS] if isinstance(listed, list) else ():
            yield each.get("reason") if isinstance(each, Mapping) else None
    yield error.get("status")


def _first(known: Mapping[str, str], said: list[Any]) -> str | None:
    return next((known[word] for word in said if isinstance(word, str) and word in known), None)


def _inside(found: object, *names: str) -> object:
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
