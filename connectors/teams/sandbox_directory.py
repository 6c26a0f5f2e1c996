"""What the sandbox's directory holds: two teams with shifts and times off, people, meetings, notices, watches.

The objects are as Graph's, with all that the gateway must drop: notes, activities, reasons, names, passcodes.
"""

import base64
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

ACCOUNT: Final = "6f0c8a52-3f1e-4d7b-9a55-0d6f1a2b3c4d"
TEAM: Final = "e5b1c3a0-6f2d-4c6b-9d1e-7a2f4b8c9d10"
#: Another team of the same directory, which the application's permissions reach and the clinic did not name.
OTHER_TEAM: Final = "f0e1d2c3-b4a5-4968-8776-655443322110"
NURSE: Final = "0b7d9a42-8c1f-4e53-a6d0-5f3e2c1b9a87"
DOCTOR: Final = "c5d0c76b-80c4-481c-be50-923cd8d680a1"
SHIFT: Final = "SHFT_577b75d2-a927-48c0-a5d1-dc984894e7b8"
WATCH: Final = "7f105c7d-2dc5-4530-97cd-4e7ae6534c07"
APP: Final = "3c8f0b6e-51d7-4f0a-8a3e-2b9d6c7e1f54"
PAGE: Final = 20
_GROUP: Final = "TAG_228940ed-ff84-4e25-b129-1b395cf78be0"
_FILTER: Final = re.compile(r"(sharedShift|sharedTimeOff)/startDateTime ge (\S+) and \1/endDateTime le (\S+)")


class Refused(Exception):
    """A request that Graph refuses: status and code."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        """`message` is for whoever reads the sandbox's answers."""
        self.status, self.code, self.message = status, code, message
        super().__init__(code)


@dataclass
class Team:
    """One team's schedule."""

    shifts: dict[str, dict[str, Any]] = field(default_factory=dict)
    times_off: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Directory:
    """One clinic's directory. `clock` counts seconds since 1970."""

    clock: Callable[[], float]
    teams: dict[str, Team] = field(default_factory=dict)
    presences: dict[str, str] = field(default_factory=lambda: {NURSE: "Available", DOCTOR: "DoNotDisturb"})
    installed: set[str] = field(default_factory=lambda: {NURSE, DOCTOR})
    """Who has the clinic's Teams app: what TeamsActivity.Send.User depends on."""
    organizers: set[str] = field(default_factory=lambda: {NURSE, DOCTOR})
    """Whom the application access policy names: who may have meetings made."""
    meetings: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    notices: list[tuple[str, str]] = field(default_factory=list)
    watches: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        """The present moment."""
        return datetime.fromtimestamp(self.clock(), UTC)

    def team(self, team: str) -> Team:
        """A team of this directory. Raises Refused."""
        if team.lower() not in self.teams:
            raise Refused(404, "NotFound", "No team found")
        return self.teams[team.lower()]


def furnished(clock: Callable[[], float]) -> Directory:
    """A directory as a clinic may have it: invented people, and remarks that must not get out."""
    directory = Directory(clock, {TEAM: Team(), OTHER_TEAM: Team()})
    begins = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
    for team in (TEAM, OTHER_TEAM):
        held = directory.team(team)
        for at, person in enumerate((NURSE, DOCTOR)):
            made = shift(
                {"userId": person, "schedulingGroupId": _GROUP, "sharedShift": part(begins + timedelta(hours=at))},
                directory.now,
                SHIFT if (team, at) == (TEAM, 0) else None,
            )
            made["sharedShift"] |= {"notes": "Mrs Roe, room 4", "activities": [{"displayName": "Dialysis Mr Doe"}]}
            held.shifts[made["id"]] = made
        draft = shift({"userId": NURSE, "schedulingGroupId": _GROUP}, directory.now)
        held.shifts[draft["id"]] = draft | {"draftShift": part(begins)}
        away = f"TOFF_{uuid4()}"
        held.times_off[away] = {
            "id": away, "userId": NURSE, "lastModifiedDateTime": written(directory.now),
            "sharedTimeOff": part(begins) | {"timeOffReasonId": "TOR_sick-leave", "theme": "darkPink"},
            "draftTimeOff": None,
        }  # fmt: skip
    directory.watches[WATCH] = {
        "id": WATCH, "resource": f"/teams/{TEAM}/schedule/timeOffRequests", "clientState": "set-by-somebody-else",
        "expirationDateTime": written(directory.now + timedelta(hours=1)), "notificationUrl": "",
    }  # fmt: skip
    return directory


def part(begins: datetime, hours: int = 8) -> dict[str, Any]:
    """The times of a shift or a time off."""
    return {"startDateTime": written(begins), "endDateTime": written(begins + timedelta(hours=hours)), "theme": "blue"}


def shift(given: dict[str, Any], now: datetime, name: str | None = None) -> dict[str, Any]:
    """A shift as Graph shows it. Raises Refused for one that lacks something."""
    if not given.get("userId") or not given.get("schedulingGroupId"):
        raise Refused(400, "BadRequest", "userId and schedulingGroupId are required")
    shared = given.get("sharedShift")
    if shared is not None and not shared["startDateTime"] < shared["endDateTime"]:
        raise Refused(400, "BadRequest", "A shift ends after it begins")
    return {
        "id": name or f"SHFT_{uuid4()}", "userId": given["userId"], "schedulingGroupId": given["schedulingGroupId"],
        "sharedShift": None if shared is None else {"notes": None, "activities": [], **shared}, "draftShift": None,
        "createdDateTime": written(now), "lastModifiedDateTime": written(now),
        "lastModifiedBy": {"user": {"id": DOCTOR, "displayName": "Jane Roe"}},
    }  # fmt: skip


def meeting(organizer: str, given: dict[str, Any]) -> dict[str, Any]:
    """An online meeting as Graph shows it: with everything that the gateway must drop."""
    token = base64.urlsafe_b64encode(f"{organizer}|{given['externalId']}".encode()).decode().rstrip("=")
    return {
        "id": token, "externalId": given["externalId"], "subject": given.get("subject"),
        "joinWebUrl": f"https://teams.microsoft.com/l/meetup-join/19%3ameeting_{token[:40]}%40thread.v2/0",
        "participants": {"organizer": {"upn": "jane.roe@clinic.example", "identity": {"user": {"id": organizer}}}},
        "audioConferencing": {"conferenceId": "123456789", "tollNumber": "+15551234567"},
        "joinMeetingIdSettings": {"joinMeetingId": "1234567890", "passcode": "s3cret"},
        "chatInfo": {"threadId": f"19:meeting_{token[:20]}@thread.v2"}, "videoTeleconferenceId": "1234",
    }  # fmt: skip


def chats() -> list[dict[str, Any]]:
    """Somebody's chats, topics and all."""
    return [
        {
            "id": f"19:{uuid4().hex}@thread.v2", "chatType": kind, "topic": "Mrs Roe's results",
            "lastUpdatedDateTime": "2026-01-15T08:00:00.000Z", "webUrl": "https://teams.microsoft.com/l/chat/1/0",
        }
        for kind in ("group", "oneOnOne", "meeting")
    ]  # fmt: skip


def paged(items: Iterable[Any], query: dict[str, str], address: str) -> dict[str, Any]:
    """One page of a list, filtered, with the address of the next one. Raises Refused for a token of nobody's."""
    kept = [each for each in items if _lies_in(each, query.get("$filter"))]
    at = 0
    if token := query.get("$skiptoken"):
        try:
            name, _, number = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().partition(":")
            at = int(number) if name == "page" else -1
        except ValueError:
            at = -1
        if at < 0:
            raise Refused(400, "BadRequest", "Badly formed skip token")
    page = {"value": kept[at * PAGE : (at + 1) * PAGE]}
    if len(kept) <= (at + 1) * PAGE:
        return page
    following = base64.urlsafe_b64encode(f"page:{at + 1}".encode()).decode().rstrip("=")
    return {**page, "@odata.nextLink": f"{address}?$skiptoken={following}"}


def written(at: datetime) -> str:
    """A moment as Graph writes it, with more digits than anybody needs."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}0Z"


def _lies_in(item: dict[str, Any], text: str | None) -> bool:
    if text is None:
        return True
    found = _FILTER.fullmatch(text)
    if found is None:
        raise Refused(400, "BadRequest", "Invalid filter clause")
    held: dict[str, str] = item.get(found[1]) or {}
    # Z is more than any digit, so that moments of more and of fewer digits compare as texts once it is off.
    begins, ends = (str(held.get(name, "")).removesuffix("Z") for name in ("startDateTime", "endDateTime"))
    return bool(held) and found[2].removesuffix("Z") <= begins and ends <= found[3].removesuffix("Z") + "0000"
