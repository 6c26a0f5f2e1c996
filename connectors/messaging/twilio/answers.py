"""Read Twilio's answers under our field names. Keeps its id, how far the message is, how many it counts as, and when."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from connectors.errors import Ambiguous, ConnectorError, Rejected, TryLater
from connectors.messaging.twilio.codes import KINDS, WORDS
from connectors.wire import error_for, object_in, parse_object, retry_after_seconds

if TYPE_CHECKING:
    import httpx2

MESSAGE_ID: Final = re.compile(r"(SM|MM)[0-9a-fA-F]{32}")
_SEGMENTS: Final = re.compile(r"[0-9]{1,3}")
_DATE: Final = re.compile(r"[A-Za-z]{3}, [0-9]{1,2} [A-Za-z]{3} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} \+0000")
#: Twilio took the request and the message goes nowhere.
_GONE: Final = frozenset({"failed", "undelivered", "canceled"})


def message(response: "httpx2.Response") -> dict[str, Any]:
    """What is kept of a message that Twilio took. Raises Ambiguous where it names none, Rejected where it gave it up."""
    found = object_in(response)
    sid, status = found.get("sid"), found.get("status")
    if not isinstance(sid, str) or not MESSAGE_ID.fullmatch(sid):
        raise Ambiguous("unreadable_answer")
    if isinstance(status, str) and status in _GONE:
        raise Rejected(word_of(found.get("error_code")) or status)
    return {
        "id": sid,
        "status": status,
        "segments": _segments(found.get("num_segments")),
        "created_at": _moment(found.get("date_created")),
    }


def refusal_in(response: "httpx2.Response") -> ConnectorError | None:
    """What Twilio's answer means where it is no success; None where it is one. Its words are repeated to nobody."""
    status = response.status_code
    if 200 <= status < 300:
        return None
    code = (parse_object(response.content) or {}).get("code")
    word = word_of(code)
    kind = KINDS.get(code) if word is not None and isinstance(code, int) else None
    if kind is None or not 400 <= status < 500 or status == 408:
        return error_for(status, response.headers, word)
    return TryLater(retry_after_seconds(response.headers), word) if kind is TryLater else kind(word)


def word_of(code: object) -> str | None:
    """Our word for one of Twilio's numbers."""
    return WORDS.get(code) if isinstance(code, int) and not isinstance(code, bool) else None


def _segments(count: object) -> int | None:
    return min(int(count), 255) if isinstance(count, str) and _SEGMENTS.fullmatch(count) else None


def _moment(date: object) -> datetime | None:
    """An RFC 2822 date in UTC, as Twilio writes it; None where it is none."""
    if not isinstance(date, str) or not _DATE.fullmatch(date):
        return None
    try:
        return parsedate_to_datetime(date)
    except ValueError:
        return None


def of(response: "httpx2.Response") -> Mapping[str, Any]:
    """The message in an answer. Raises the contract's errors."""
    if refusal := refusal_in(response):
        raise refusal
    return message(response)
