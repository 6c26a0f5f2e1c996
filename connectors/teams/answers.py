"""Read Graph's answers under our field names. Keeps ids, times and the availability; follows no address, quotes nothing."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from connectors.errors import Ambiguous, ConnectorError, Rejected
from connectors.teams.codes import ERROR_WORDS
from connectors.teams.fields import CURSOR
from connectors.wire import error_for, object_in, parse_object

if TYPE_CHECKING:
    import httpx2

_CURSOR: Final = re.compile(CURSOR)
_MOST_PARAMETERS: Final = 16

One = Callable[[Mapping[str, Any]], dict[str, Any]]


def shift(found: Mapping[str, Any]) -> dict[str, Any]:
    """A shift as the team sees it; notes, activities and who changed it stay behind."""
    shared = _part(found, "sharedShift")
    return {
        "id": found.get("id"),
        "person": found.get("userId"),
        "group": found.get("schedulingGroupId"),
        "starts_at": shared.get("startDateTime"),
        "ends_at": shared.get("endDateTime"),
        "changed_at": found.get("lastModifiedDateTime"),
    }


def time_off(found: Mapping[str, Any]) -> dict[str, Any]:
    """A time off: who and when. Its reason is not looked at, nor its colour, which stands for the reason in Shifts."""
    shared = _part(found, "sharedTimeOff")
    return {
        "id": found.get("id"),
        "person": found.get("userId"),
        "starts_at": shared.get("startDateTime"),
        "ends_at": shared.get("endDateTime"),
        "changed_at": found.get("lastModifiedDateTime"),
    }


def presence(found: Mapping[str, Any]) -> dict[str, Any]:
    """Whether somebody is available."""
    return {"person": found.get("id"), "availability": found.get("availability")}


def chat(found: Mapping[str, Any]) -> dict[str, Any]:
    """That there is a chat, of which kind, and when it last changed."""
    return {"id": found.get("id"), "kind": found.get("chatType"), "changed_at": found.get("lastUpdatedDateTime")}


def watch(found: Mapping[str, Any]) -> dict[str, Any]:
    """A subscription and its end; the secret that Graph repeats is dropped."""
    return {"id": found.get("id"), "expires_at": found.get("expirationDateTime")}


def meeting(found: Mapping[str, Any]) -> dict[str, Any]:
    """The page where a meeting is joined; passcodes, numbers and people are dropped."""
    return {"id": found.get("id"), "join_url": found.get("joinWebUrl")}


def made(response: "httpx2.Response", read: One) -> dict[str, Any]:
    """One thing in an answer. Raises Ambiguous where it has no id: then nobody knows what became of it."""
    found = read(object_in(response))
    if not isinstance(found["id"], str):
        raise Ambiguous("unreadable_answer")
    return found


def listed(response: "httpx2.Response", name: str, read: One, shown: str | None = None) -> dict[str, Any]:
    """A page of things under `name`, and where it goes on. With `shown`, only those that have that part.

    Raises Ambiguous where there is no list.
    """
    found = object_in(response)
    items = found.get("value")
    if not isinstance(items, list):
        raise Ambiguous("unreadable_answer")
    kept = [each for each in items if isinstance(each, Mapping) and (shown is None or _part(each, shown))]
    return {name: [read(each) for each in kept], "cursor": cursor_in(found.get("@odata.nextLink"))}


def cursor_in(address: object) -> str | None:
    """Graph's token in the address of the next page; the address itself is never used. None where a list ends.

    Raises Ambiguous for an address without a token of a known form: the list would end too early without a word.
    """
    if address is None:
        return None
    try:
        pairs = parse_qsl(urlsplit(str(address)).query, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise Ambiguous("unreadable_answer") from None
    token = dict(pairs).get("$skiptoken", "")
    if not _CURSOR.fullmatch(token):
        raise Ambiguous("unreadable_answer")
    return token


def refusal_in(response: "httpx2.Response") -> ConnectorError | None:
    """What Graph's answer means where it is no success; None where it is one. Only listed codes are repeated."""
    status, word = response.status_code, _word(response.content)
    if status == 409:
        return Rejected(word or "conflict")
    return error_for(status, response.headers, word)


def _word(raw_body: bytes) -> str | None:
    error = (parse_object(raw_body) or {}).get("error")
    code = error.get("code") if isinstance(error, Mapping) else None
    return ERROR_WORDS.get(code.lower()) if isinstance(code, str) else None


def _part(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = found.get(name)
    return part if isinstance(part, Mapping) else {}
