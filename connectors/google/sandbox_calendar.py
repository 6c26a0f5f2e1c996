"""Calendars and channels for the sandbox, in memory: ids that count once, states, places to go on from, changes told."""

import itertools
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

OWN: Final = "c_1f3a9c55e4@group.calendar.google.com"
EVENT: Final = "0i6v8c3n2q1k5m7p9r4t0a2b6d"
ETAG: Final = '"3481161784712000"'
CHANNEL: Final = {"id": "gateway-0i6v8c3n2q1k5m7p9r4t0a2b6d8e0f1g", "resourceId": "o3hgv1538sdjfh8xZ2"}
_ID: Final = re.compile(r"[0-9a-v]{5,1024}")
#: What an event may be given here. Names, places, people and free text are not among it: the sandbox refuses them.
_WRITABLE: Final = frozenset(
    {
        "id",
        "summary",
        "start",
        "end",
        "status",
        "visibility",
        "transparency",
        "guestsCanInviteOthers",
        "guestsCanSeeOtherGuests",
        "reminders",
        "extendedProperties",
    }
)


class Refused(Exception):
    """An answer of Google's that is no success: its status, the reason, and the newer services' word."""

    def __init__(self, status: int, reason: str, word: str = "INVALID_ARGUMENT", detail: str | None = None) -> None:
        self.status, self.reason, self.word, self.detail = status, reason, word, detail
        super().__init__(reason)

    def body(self) -> dict[str, Any]:
        """Both forms in one, as Google's answers have them."""
        told = {"code": self.status, "message": self.reason, "status": self.word}
        told["errors"] = [{"domain": "global", "reason": self.reason, "message": self.reason}]
        if self.detail is not None:
            told["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": self.detail}]
        return {"error": told}


@dataclass
class Calendar:
    """One calendar: its events by id, in the order of their last change."""

    of_the_app: bool
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)


@dataclass
class Calendars:
    """Every calendar of the account, and the channels on them."""

    calendars: dict[str, Calendar] = field(default_factory=dict)
    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    busy: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    oldest: int = 0  # a place to go on from that is older than this is gone
    _count: Any = field(default_factory=lambda: itertools.count(1))

    def seeded(self) -> "Calendars":
        """The account's own calendar and one of the gateway's, each with an event; and a channel."""
        for name, of_the_app in (("primary", False), (OWN, True)):
            self.calendars[name] = Calendar(of_the_app)
            times = {
                "start": {"dateTime": "2026-01-15T09:30:00+00:00"},
                "end": {"dateTime": "2026-01-15T10:00:00+00:00"},
            }
            self.insert(name, {"id": EVENT, **times})["etag"] = ETAG
        self.channels[CHANNEL["id"]] = {**CHANNEL, "calendar": OWN, "address": "", "token": "", "number": 1}
        self.busy["somebody@clinic.example"] = [{"start": "2026-01-15T09:45:00Z", "end": "2026-01-15T10:15:00Z"}]
        return self

    def at(self, name: str, *, only_of_the_app: bool) -> Calendar:
        """One calendar; a client that reaches only its own finds no others."""
        found = self.calendars.get(name)
        if found is None or (only_of_the_app and not found.of_the_app):
            raise Refused(404, "notFound", "NOT_FOUND")
        return found

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A new calendar, which is the client's."""
        if set(body) != {"summary"}:
            raise Refused(400, "invalid")
        name = f"c_{secrets.token_hex(8)}@group.calendar.google.com"
        self.calendars[name] = Calendar(of_the_app=True)
        return {"kind": "calendar#calendar", "id": name, "etag": '"1"', "summary": body["summary"]}

    def insert(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A new event; its id is taken even when the event is gone."""
        _check(body)
        calendar, event_id = self.calendars[name], body.get("id") or secrets.token_hex(13)
        if not _ID.fullmatch(event_id):
            raise Refused(400, "invalid")
        if event_id in calendar.events:
            raise Refused(409, "duplicate", "ALREADY_EXISTS")
        if not {"start", "end"} <= body.keys():
            raise Refused(400, "required")
        return self._changed(calendar, event_id, {"status": "confirmed", **body, "id": event_id, "sequence": 0})

    def get(self, calendar: Calendar, event_id: str) -> dict[str, Any]:
        """An event, a cancelled one too."""
        if event_id not in calendar.events:
            raise Refused(404, "notFound", "NOT_FOUND")
        return calendar.events[event_id]

    def patch(self, calendar: Calendar, event_id: str, body: Mapping[str, Any], etag: str | None) -> dict[str, Any]:
        """Change what is given, groups part by part."""
        _check(body)
        found = self._unchanged(calendar, event_id, etag)
        return self._changed(calendar, event_id, {**_merged(found, body), "sequence": found["sequence"] + 1})

    def delete(self, calendar: Calendar, event_id: str, etag: str | None) -> None:
        """Cancel an event."""
        found = self._unchanged(calendar, event_id, etag)
        if found["status"] == "cancelled":
            raise Refused(410, "deleted", "NOT_FOUND")
        self._changed(calendar, event_id, {**found, "status": "cancelled"})

    def listed(self, calendar: Calendar, query: Mapping[str, str]) -> dict[str, Any]:
        """What changed since a place, page by page; the place to go on from comes with the last page."""
        since, at = _place(query.get("syncToken"), "s"), _place(query.get("pageToken"), "p")
        if since < self.oldest and "syncToken" in query:
            raise Refused(410, "fullSyncRequired", "FAILED_PRECONDITION")
        changed = sorted((version, name) for name, version in calendar.versions.items() if version > max(since, at))
        size = int(query.get("maxResults", "250"))
        page = [calendar.events[name] for _, name in changed[:size]]
        if "syncToken" not in query and query.get("showDeleted") != "true":
            page = [event for event in page if event["status"] != "cancelled"]
        answer: dict[str, Any] = {"kind": "calendar#events", "summary": "Calendar", "items": page}
        if len(changed) > size:
            return {**answer, "nextPageToken": f"p{changed[size - 1][0]}"}
        return {**answer, "nextSyncToken": f"s{max([since, at, *calendar.versions.values()])}"}

    def watch(self, name: str, body: Mapping[str, Any], now: float) -> dict[str, Any]:
        """A channel on a calendar."""
        if body.get("type") != "web_hook" or not str(body.get("address", "")).startswith(("https://", "http://127.")):
            raise Refused(400, "push.webhookUrlNotHttps")
        if body["id"] in self.channels:
            raise Refused(400, "channelIdNotUnique")
        expires = int((now + int(body.get("params", {}).get("ttl", "604800"))) * 1000)
        made = {
            "kind": "api#channel",
            "id": body["id"],
            "resourceId": secrets.token_urlsafe(20),
            "token": body["token"],
        }
        self.channels[body["id"]] = {**made, "calendar": name, "address": body["address"], "number": 0}
        return {**made, "resourceUri": f"https://www.googleapis.com/{name}", "expiration": str(expires)}

    def stop(self, body: Mapping[str, Any]) -> None:
        """Close a channel."""
        found = self.channels.get(body.get("id", ""))
        if found is None or found["resourceId"] != body.get("resourceId"):
            raise Refused(404, "channelUnknown", "NOT_FOUND")
        del self.channels[body["id"]]

    def free_busy(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """When each one asked about is busy; of a stranger nothing is told."""
        told = {
            each["id"]: {"busy": self.busy[each["id"]]}
            if each["id"] in self.busy
            else {"errors": [{"domain": "global", "reason": "notFound"}], "busy": []}
            for each in body["items"]
        }
        return {"kind": "calendar#freeBusy", "timeMin": body["timeMin"], "timeMax": body["timeMax"], "calendars": told}

    def _unchanged(self, calendar: Calendar, event_id: str, etag: str | None) -> dict[str, Any]:
        found = self.get(calendar, event_id)
        if etag is not None and found["etag"] != etag and found["status"] != "cancelled":
            raise Refused(412, "conditionNotMet", "FAILED_PRECONDITION")
        return found

    def _changed(self, calendar: Calendar, event_id: str, event: dict[str, Any]) -> dict[str, Any]:
        version = next(self._count)
        beside = {  # what Google tells besides, and the gateway never asks for
            "kind": "calendar#event",
            "htmlLink": f"https://www.google.com/calendar/event?eid={event_id}",
            "creator": {"email": "owner@clinic.example", "self": True},
            "organizer": {"email": "owner@clinic.example", "self": True},
            "iCalUID": f"{event_id}@google.com",
        }
        at = datetime(2026, 1, 15, 9, tzinfo=UTC).isoformat()
        calendar.events[event_id] = {**event, **beside, "etag": f'"{3481161784712000 + version}"', "updated": at}
        calendar.versions[event_id] = version
        return calendar.events[event_id]


def _check(body: Mapping[str, Any]) -> None:
    if set(body) - _WRITABLE:
        raise Refused(400, "invalid")


def _merged(held: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The one object over the other, groups merged, as a patch is."""
    over = {
        name: _merged(held[name], value) if isinstance(value, dict) and isinstance(held.get(name), dict) else value
        for name, value in given.items()
    }
    return {**held, **over}


def _place(token: str | None, kind: str) -> int:
    if token is None:
        return 0
    if not token.startswith(kind) or not token[1:].isdigit():
        raise Refused(410, "fullSyncRequired", "FAILED_PRECONDITION") if kind == "s" else Refused(400, "invalid")
    return int(token[1:])
