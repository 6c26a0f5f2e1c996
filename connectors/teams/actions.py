"""What Teams may be told and what is kept of its answers. Staff are ids, a patient is never named, reasons are never read."""

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field, model_validator

from connectors.contract import Content, Exchange
from connectors.teams.fields import (
    ChatId,
    Cursor,
    GroupId,
    JoinUrl,
    Label,
    MeetingId,
    Notice,
    PersonId,
    ShiftId,
    SubscriptionId,
    TeamId,
    Theme,
    TimeOffId,
    Word,
)
from scopes.field import Disclosed, Unfit, discloses
from scopes.opaque import OpaqueReference
from scopes.vocabulary import Category

CONTENT: Final = Content(
    categories=frozenset(
        {Category.STAFF, Category.SCHEDULE, Category.APPOINTMENT, Category.IDENTIFIER, Category.OPERATIONAL}
    ),
    why="Teams is for staff: ids, times and words from lists. A patient's data and free text have no place there.",
)

_SHORTEST: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(hours=24)
_LONGEST_WINDOW: Final = timedelta(days=92)
MOST_PEOPLE: Final = 650  # Graph: getPresencesByUserId
MOST_MINUTES: Final = 360  # Graph: how long a subscription to shifts may last

Team = Annotated[TeamId, discloses(Category.OPERATIONAL, "whose schedule it is; one of the teams that may be reached")]
Person = Annotated[PersonId, discloses(Category.STAFF, "which member of staff, by the directory's id")]
Shift = Annotated[ShiftId, discloses(Category.SCHEDULE, "which shift it is")]
Group = Annotated[GroupId, discloses(Category.SCHEDULE, "which group of the schedule it is in")]
StartsAt = Annotated[AwareDatetime, discloses(Category.SCHEDULE, "when it begins")]
_End = Annotated[AwareDatetime, Field(examples=["2026-01-15T17:30:00Z"])]
EndsAt = Annotated[_End, discloses(Category.SCHEDULE, "when it ends")]
Subscription = Annotated[SubscriptionId, discloses(Category.OPERATIONAL, "which watch it is")]
ExpiresAt = Annotated[AwareDatetime, discloses(Category.OPERATIONAL, "until when Microsoft tells of changes")]
Minutes = Annotated[
    int,
    Field(strict=True, ge=1, le=MOST_MINUTES, examples=[MOST_MINUTES]),
    discloses(Category.OPERATIONAL, "for how long from now Microsoft tells of changes"),
]
Further = Annotated[Cursor | None, discloses(Category.OPERATIONAL, "where the list goes on")]

_AnsweredPerson = Annotated[PersonId | None, discloses(Category.STAFF, "which member of staff, by the directory's id")]
_AnsweredGroup = Annotated[GroupId | None, discloses(Category.SCHEDULE, "which group of the schedule it is in")]
_AnsweredStart = Annotated[AwareDatetime | None, discloses(Category.SCHEDULE, "when it begins")]
_AnsweredEnd = Annotated[AwareDatetime | None, discloses(Category.SCHEDULE, "when it ends")]
_ChangedAt = Annotated[AwareDatetime | None, discloses(Category.OPERATIONAL, "when it was last changed")]


def _lasts(starts_at: datetime, ends_at: datetime, *, shortest: timedelta, longest: timedelta, unit: str) -> None:
    """Raise Unfit unless the end lies within these bounds after the beginning."""
    if not shortest <= ends_at - starts_at <= longest:
        raise Unfit(f"ends_at must lie after starts_at, by {unit}")


class _Window(Disclosed):
    """A part of a team's schedule: what begins and ends within it."""

    team: Team
    starts_at: Annotated[AwareDatetime, discloses(Category.SCHEDULE, "the beginning of what is looked at")]
    ends_at: Annotated[_End, discloses(Category.SCHEDULE, "the end of what is looked at")]
    cursor: Further = None

    @model_validator(mode="after")
    def _is_not_endless(self) -> "_Window":
        _lasts(self.starts_at, self.ends_at, shortest=_SHORTEST, longest=_LONGEST_WINDOW, unit="at most 92 days")
        return self


class ListShifts(_Window):
    """The shifts that lie in a part of the schedule."""


class ListTimeOff(_Window):
    """The times off that lie in a part of the schedule."""


class SyncShifts(Disclosed):
    """Every shift of a team, page by page: for a first reading, and after `watch.missed` or a watch that ended."""

    team: Team
    cursor: Further = None


class CreateShift(Disclosed):
    """A shift for one member of staff, seen by the team at once. Notes and activities have no field, so none are sent."""

    team: Team
    person: Person
    group: Group
    starts_at: StartsAt
    ends_at: EndsAt
    label: Annotated[Label | None, discloses(Category.SCHEDULE, "what it is called, from a fixed list")] = None
    theme: Annotated[Theme | None, discloses(Category.OPERATIONAL, "its colour")] = None

    @model_validator(mode="after")
    def _is_a_shift(self) -> "CreateShift":
        _lasts(self.starts_at, self.ends_at, shortest=_SHORTEST, longest=_LONGEST, unit="1 minute to 24 hours")
        return self


class MoveShift(CreateShift):
    """A shift as it is to be from now on: another time, person, group or name. Graph replaces it as a whole."""

    shift: Shift


class DeleteShift(Disclosed):
    """A shift that does not take place."""

    team: Team
    shift: Shift


class WatchShifts(Disclosed):
    """Be told of every change of a team's shifts for some time, at most six hours."""

    team: Team
    minutes: Minutes


class RenewWatch(Disclosed):
    """Be told for longer, at most six hours from now. The team is checked again, and not sent."""

    team: Team
    subscription: Subscription
    minutes: Minutes


class StopWatching(Disclosed):
    """Be told no more."""

    subscription: Subscription


class GetPresence(Disclosed):
    """Who of some members of staff is available."""

    people: Annotated[
        list[PersonId],
        Field(min_length=1, max_length=MOST_PEOPLE),
        discloses(Category.STAFF, "the members of staff that are asked about, by the directory's ids"),
    ]


class CreateMeeting(Disclosed):
    """A meeting under a reference of ours; the same reference of the same organizer gives the same meeting again."""

    organizer: Annotated[PersonId, discloses(Category.STAFF, "whose meeting it is, by the directory's id")]
    reference: Annotated[OpaqueReference, discloses(Category.IDENTIFIER, "finding it again; opaque, it names nobody")]
    starts_at: Annotated[AwareDatetime, discloses(Category.APPOINTMENT, "when it begins")]
    ends_at: Annotated[_End, discloses(Category.APPOINTMENT, "when it ends")]

    @model_validator(mode="after")
    def _is_a_meeting(self) -> "CreateMeeting":
        _lasts(self.starts_at, self.ends_at, shortest=_SHORTEST, longest=_LONGEST, unit="1 minute to 24 hours")
        return self


class SendActivity(Disclosed):
    """A notice in a member's activity feed, in the fixed words of a template without parameters."""

    person: Person
    notice: Annotated[Notice, discloses(Category.OPERATIONAL, "what it says, from a fixed list")]


class ListChats(Disclosed):
    """Which chats a member of staff is in."""

    person: Person
    cursor: Further = None


class AnsweredShift(Disclosed):
    """What is kept of a shift; notes, activities, drafts and the name of who changed it are not."""

    id: Shift
    person: _AnsweredPerson = None
    group: _AnsweredGroup = None
    starts_at: _AnsweredStart = None
    ends_at: _AnsweredEnd = None
    changed_at: _ChangedAt = None


class Shifts(Disclosed):
    """A page of shifts, and where it goes on."""

    shifts: Annotated[list[AnsweredShift], discloses(Category.SCHEDULE, "the shifts, one each")]
    cursor: Further = None


class AnsweredTimeOff(Disclosed):
    """What is kept of a time off: who and when. The reason and its colour would tell of illness, and are not."""

    id: Annotated[TimeOffId, discloses(Category.SCHEDULE, "which time off it is")]
    person: _AnsweredPerson = None
    starts_at: _AnsweredStart = None
    ends_at: _AnsweredEnd = None
    changed_at: _ChangedAt = None


class TimesOff(Disclosed):
    """A page of times off, and where it goes on."""

    times_off: Annotated[list[AnsweredTimeOff], discloses(Category.SCHEDULE, "the times off, one each")]
    cursor: Further = None


class ShiftGone(Disclosed):
    """The shift that was deleted."""

    id: Shift


class Watch(Disclosed):
    """A watch, and until when it lasts: renew it before."""

    id: Subscription
    expires_at: ExpiresAt


class WatchGone(Disclosed):
    """The watch that was ended."""

    id: Subscription


class AnsweredPresence(Disclosed):
    """What is kept of a presence: the availability. Status notes, places and out-of-office texts are not."""

    person: Person
    availability: Annotated[Word | None, discloses(Category.STAFF, "whether the person is available")] = None


class Presences(Disclosed):
    """Who is available."""

    presences: Annotated[list[AnsweredPresence], discloses(Category.STAFF, "the availabilities, one each")]


class Meeting(Disclosed):
    """What is kept of a meeting: the page to join. Passcodes, dial-in numbers, participants and the chat are not."""

    id: Annotated[MeetingId, discloses(Category.IDENTIFIER, "the vendor's id")]
    join_url: Annotated[JoinUrl, discloses(Category.OPERATIONAL, "the page where the meeting is joined")]


class Noticed(Disclosed):
    """A notice that Teams took; it gives no id."""

    notice: Annotated[Notice, discloses(Category.OPERATIONAL, "what it says, from a fixed list")]


class AnsweredChat(Disclosed):
    """What is kept of a chat. Its topic, its members and its messages are not."""

    id: Annotated[
        ChatId, discloses(Category.STAFF, "which chat it is; ids of chats between two hold both members' ids")
    ]
    kind: Annotated[Word | None, discloses(Category.OPERATIONAL, "between two, of a group, or of a meeting")] = None
    changed_at: _ChangedAt = None


class Chats(Disclosed):
    """A page of chats, and where it goes on."""

    chats: Annotated[list[AnsweredChat], discloses(Category.STAFF, "the chats, one each")]
    cursor: Further = None


class ShiftChanged(Disclosed):
    """A shift was created, changed or deleted; what it is now is asked for by `list_shifts`. `id` is the shift's."""

    id: Shift
    team: Annotated[TeamId | None, discloses(Category.OPERATIONAL, "whose schedule it is")] = None
    change: Annotated[
        Literal["created", "updated", "deleted"] | None, discloses(Category.OPERATIONAL, "what happened to the shift")
    ] = None
    subscription: Annotated[SubscriptionId | None, discloses(Category.OPERATIONAL, "which watch told of it")] = None


class WatchTold(Disclosed):
    """Something happened to a watch itself; `id` is the watch's."""

    id: Subscription
    expires_at: Annotated[AwareDatetime | None, discloses(Category.OPERATIONAL, "when the watch ends")] = None


ACTIONS: Final = {
    "list_shifts": Exchange(ListShifts, Shifts),
    "sync_shifts": Exchange(SyncShifts, Shifts),
    "list_time_off": Exchange(ListTimeOff, TimesOff),
    "create_shift": Exchange(CreateShift, AnsweredShift),
    "move_shift": Exchange(MoveShift, AnsweredShift),
    "delete_shift": Exchange(DeleteShift, ShiftGone),
    "watch_shifts": Exchange(WatchShifts, Watch),
    "renew_watch": Exchange(RenewWatch, Watch),
    "stop_watching": Exchange(StopWatching, WatchGone),
    "get_presence": Exchange(GetPresence, Presences),
    "create_meeting": Exchange(CreateMeeting, Meeting),
    "send_activity": Exchange(SendActivity, Noticed),
    "list_chats": Exchange(ListChats, Chats),
}
