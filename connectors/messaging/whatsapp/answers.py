"""Read Meta's answers under our field names. Keeps the id and how far the message is; numbers are dropped, nothing is quoted."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from connectors.errors import Ambiguous, ConnectorError, ProviderScopeMissing, ReconnectNeeded, Rejected, TryLater
from connectors.messaging.whatsapp.codes import (
    CREDENTIAL,
    PATIENCE,
    PERMISSION,
    PERMISSIONS,
    REFUSED,
    UNCLEAR,
    WORDS,
)
from connectors.wire import error_for, object_in, parse_object, retry_after_seconds

if TYPE_CHECKING:
    import httpx2

_ID: Final = re.compile(r"[A-Za-z0-9._=+/:-]{1,255}")


def sent(response: "httpx2.Response") -> dict[str, Any]:
    """A message that Meta took. Raises Ambiguous where the answer does not say which."""
    messages = object_in(response).get("messages")
    first = messages[0] if isinstance(messages, list) and messages else None
    if not isinstance(first, Mapping):
        raise Ambiguous("unreadable_answer")
    made = first.get("id")
    if not isinstance(made, str) or not _ID.fullmatch(made):
        raise Ambiguous("unreadable_answer")
    return {"id": made, "status": first.get("message_status")}


def refusal_in(response: "httpx2.Response") -> ConnectorError | None:
    """What Meta's answer means where it is no success; None where it is one. Its number counts more than its status."""
    status, headers = response.status_code, response.headers
    number = _number(response.content)
    word = WORDS.get(number)
    if not 400 <= status < 500 or status == 408:
        return error_for(status, headers, word)
    if status == 401 or number in CREDENTIAL:
        return ReconnectNeeded(word)
    if status == 429 or number in PATIENCE:
        return TryLater(retry_after_seconds(headers), word)
    if number in UNCLEAR:
        return Ambiguous(word)
    if number in PERMISSION or number in PERMISSIONS:
        return ProviderScopeMissing(word or "permission_missing")
    return Rejected(word) if number in REFUSED else error_for(status, headers)


def _number(raw_body: bytes) -> int:
    """The number in a Graph API error; -1 where there is none."""
    error = (parse_object(raw_body) or {}).get("error")
    number = error.get("code") if isinstance(error, Mapping) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else -1
