"""What Google may be told and what is kept of its answers.

Google learns that a time is taken, when a member of staff has time, how much there was of something, and that somebody
should look or call. It never learns who a patient is, but for the address that a notice goes to.
"""

from datetime import timedelta
from typing import Annotated, Final, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from connectors.contract import Content, Exchange
from connectors.google.fields import (
    Admits,
    Alias,
    CalendarId,
    ChannelId,
    Count,
    EmailAddress,
    Etag,
    EventId,
    Label,
    Language,
    Measure,
    Notice,
    Opaque,
    OwnCalendarId,
    ResourceId,
    SpreadsheetId,
    StaffNotice,
    Title,
)
from scopes.field import Disclosed, Unfit, discloses
from scopes.opaque import OpaqueReference
from scopes.transform import to_minute
from scopes.vocabulary import Category

CONTENT: Final = Content(
    categories=frozenset(
        {
            Category.APPOINTMENT,
            Category.SCHEDULE,
            Category.STAFF,
            Category.CONTACT,
            Category.IDENTIFIER,
            Category.OPERATIONAL,
        }
    ),
    opaque_identifiers=True,
    why="Google gets times, staff addresses, counts and words from lists; names, reasons and places stay with the clinic.",
)
MOST_STAFF: Final = 50  # Google's own limit for one question
LONGEST: Final = timedelta(days=31)

Calendar = Annotated[CalendarId, discloses(Category.IDENTIFIER, "which calendar; primary is the account's own")]
Own = Annotated[OwnCalendarId, discloses(Category.IDENTIFIER, "which of the calendars that the gateway made")]
Starts = Annotated[
    AwareDatetime,
    Field(examples=["2026-01-15T09:30:00Z"]),
    discloses(Category.APPOINTMENT, "when the time begins", to_minute),
]
Ends = Annotated[
    AwareDatetime,
    Field(examples=["2026-01-15T10:00:00Z"]),
    discloses(Category.APPOINTMENT, "when the time ends", to_minute),
]
Event = Annotated[EventId, discloses(Category.IDENTIFIER, "which event, by Google's id")]
Unchanged = Annotated[
    Etag | None, discloses(Category.OPERATIONAL, "the state that the host knows; another one is left alone")
]
Spreadsheet = Annotated[SpreadsheetId, discloses(Category.IDENTIFIER, "which spreadsheet, by Google's id")]
Written = Annotated[Language, discloses(Category.OPERATIONAL, "the language of the notice")]

# What answers hold. Ids and words are checked too: an answer is no place for surprises.
_Id = Annotated[
    str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{3,128}$"), Field(examples=["0i6v8c3n2q1k5m7p9r4t0a2b6d"])
]
_Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,39}$"), Field(examples=["confirmed"])]
_OurReference = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,80}$"), Field(examples=["appt_7Hq2ZkW9"])]
_MeetingUrl = Annotated[
    str,
    StringConstraints(pattern=r"^https://meet\.google\.com/[a-z]{3}-[a-z]{4}-[a-z]{3}$"),
    Field(examples=["https://meet.google.com/abc-mnop-xyz"]),
]
_SpaceName = Annotated[
    str, StringConstraints(pattern=r"^spaces/[0-9A-Za-z_-]{1,100}$"), Field(examples=["spaces/jQCFfuBOdN5z"])
]
_Moment = AwareDatetime | None


class _Time(Disclosed):
    """A time from one minute to another."""

    starts_at: Starts
    ends_at: Ends

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if not timedelta(0) < self.ends_at - self.starts_at <= LONGEST:
            raise Unfit("ends_at must come after starts_at, 31 days at most")
        return self


class CreateEvent(_Time):
    """A time that is taken, under a reference that only the clinic can read."""

    reference: Annotated[OpaqueReference, discloses(Category.IDENTIFIER, "finding the time again; it names nobody")]
    calendar: Calendar = "primary"
    title: Annotated[Title, discloses(Category.SCHEDULE, "the word over the time, from a fixed list")] = Title.RESERVED


class MoveEvent(_Time):
    """Another time for what is in the calendar already."""

    event: Event
    calendar: Calendar = "primary"
    etag: Unchanged = None


class CancelEvent(Disclosed):
    """A time that is free again."""

    event: Event
    calendar: Calendar = "primary"
    etag: Unchanged = None


class Colleague(Disclosed):
    """A member of staff: the address that Google knows, and the name under which the answer comes."""

    alias: Annotated[Alias, discloses(Category.OPERATIONAL, "the name in the answer; it stays with the gateway")]
    address: Annotated[EmailAddress, discloses(Category.STAFF, "whose calendar is asked about")]


class FreeBusy(_Time):
    """When members of staff have time."""

    staff: Annotated[
        list[Colleague],
        Field(min_length=1, max_length=MOST_STAFF),
        discloses(Category.STAFF, "whose calendars are asked about"),
    ]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        aliases, addresses = {each.alias for each in self.staff}, {each.address.lower() for each in self.staff}
        if len(aliases) < len(self.staff) or len(addresses) < len(self.staff):
            raise Unfit("staff must name each alias and each address once")
        return self


class CreateCalendar(Disclosed):
    """A calendar that only the gateway's own client reaches."""

    name: Annotated[Title, discloses(Category.OPERATIONAL, "what the calendar is called, from a fixed list")] = (
        Title.APPOINTMENT
    )


class WatchCalendar(Disclosed):
    """Hear of changes in a calendar that the gateway made."""

    calendar: Own
    hours: Annotated[
        int, Field(strict=True, ge=1, le=720, examples=[168]), discloses(Category.OPERATIONAL, "for how long")
    ] = 168


class StopWatching(Disclosed):
    """Hear of them no more."""

    channel: Annotated[ChannelId, discloses(Category.OPERATIONAL, "which channel, as it was answered")]
    resource: Annotated[ResourceId, discloses(Category.OPERATIONAL, "what it watches, as it was answered")]


class SyncCalendar(Disclosed):
    """What changed in a calendar that the gateway made, since the last time or from the beginning."""

    calendar: Own
    sync_token: Annotated[Opaque | None, discloses(Category.OPERATIONAL, "where the last answer ended")] = None
    page_token: Annotated[Opaque | None, discloses(Category.OPERATIONAL, "the next page of an answer")] = None


class CreateMeeting(Disclosed):
    """An address to meet at by video. It is not told for whom or when."""

    admits: Annotated[Admits, discloses(Category.OPERATIONAL, "who gets in without being let in")] = Admits.INVITED


class CreateReport(Disclosed):
    """An empty spreadsheet for counts."""

    measure: Annotated[Measure, discloses(Category.OPERATIONAL, "what is counted, from a fixed list")]


class Line(Disclosed):
    """One count of a report."""

    label: Annotated[Label, discloses(Category.OPERATIONAL, "what the line counts; a listed word")]
    count: Annotated[Count, discloses(Category.OPERATIONAL, "how many there were; a small number is left out")]


class AppendReport(Disclosed):
    """Counts of one month, added at the end of a spreadsheet. Small ones are left out before they leave."""

    spreadsheet: Spreadsheet
    measure: Annotated[Measure, discloses(Category.OPERATIONAL, "what is counted, from a fixed list")]
    month: Annotated[
        str,
        StringConstraints(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$"),
        Field(examples=["2026-01"]),
        discloses(Category.OPERATIONAL, "the month that was counted"),
    ]
    lines: Annotated[
        list[Line], Field(min_length=1, max_length=200), discloses(Category.OPERATIONAL, "the counts by label")
    ]

    @model_validator(mode="after")
    def _each_label_once(self) -> Self:
        if len({line.label for line in self.lines}) < len(self.lines):
            raise Unfit("lines must name each label once")
        return self


class SendNotice(Disclosed):
    """A word to a patient, in fixed sentences."""

    to: Annotated[EmailAddress, discloses(Category.CONTACT, "where the notice goes")]
    notice: Annotated[Notice, discloses(Category.APPOINTMENT, "what the notice says, from a fixed list")]
    language: Written = Language.ENGLISH


class SendStaffNotice(Disclosed):
    """A word to a member of staff, in fixed sentences."""

    to: Annotated[EmailAddress, discloses(Category.STAFF, "where the notice goes")]
    notice: Annotated[StaffNotice, discloses(Category.SCHEDULE, "what the notice says, from a fixed list")]
    language: Written = Language.ENGLISH


class Entered(Disclosed):
    """What is kept of an event; its words, its people and its places are not."""

    id: Annotated[_Id, discloses(Category.IDENTIFIER, "Google's id of the event")]
    etag: Annotated[Etag | None, discloses(Category.OPERATIONAL, "its state, to change it only if it is unchanged")] = (
        None
    )
    status: Annotated[_Word | None, discloses(Category.APPOINTMENT, "whether it stands")] = None
    starts_at: Annotated[_Moment, discloses(Category.APPOINTMENT, "when it begins", to_minute)] = None
    ends_at: Annotated[_Moment, discloses(Category.APPOINTMENT, "when it ends", to_minute)] = None
    updated_at: Annotated[_Moment, discloses(Category.OPERATIONAL, "when it was changed last")] = None
    sequence: Annotated[
        Annotated[int, Field(strict=True, ge=0, examples=[0])] | None,
        discloses(Category.OPERATIONAL, "how often it was changed"),
    ] = None
    reference: Annotated[_OurReference | None, discloses(Category.IDENTIFIER, "the reference that was sent")] = None


class Cancelled(Disclosed):
    """What is kept of an event that is gone."""

    id: Annotated[_Id, discloses(Category.IDENTIFIER, "Google's id of the event")]
    status: Annotated[_Word, discloses(Category.APPOINTMENT, "that it is cancelled")]


class Busy(Disclosed):
    """A time in which somebody has none."""

    starts_at: Annotated[AwareDatetime, discloses(Category.SCHEDULE, "when it begins", to_minute)]
    ends_at: Annotated[AwareDatetime, discloses(Category.SCHEDULE, "when it ends", to_minute)]


class Availability(Disclosed):
    """When one member of staff is busy, under the host's own name."""

    alias: Annotated[Alias, discloses(Category.STAFF, "whose times they are, as the host named them")]
    busy: Annotated[
        list[Busy] | None, discloses(Category.SCHEDULE, "when they have no time; missing where that is not known")
    ] = None
    error: Annotated[_Word | None, discloses(Category.OPERATIONAL, "why it is not known")] = None


class Availabilities(Disclosed):
    """When members of staff are busy."""

    staff: Annotated[list[Availability], discloses(Category.SCHEDULE, "their times, in the order of the question")]


class Calendared(Disclosed):
    """What is kept of a calendar."""

    id: Annotated[OwnCalendarId, discloses(Category.IDENTIFIER, "Google's id of the calendar")]


class Watched(Disclosed):
    """A channel: keep it, and open another before it ends."""

    channel: Annotated[ChannelId, discloses(Category.OPERATIONAL, "the channel's id")]
    resource: Annotated[ResourceId, discloses(Category.OPERATIONAL, "what it watches, by Google's id")]
    expires_at: Annotated[AwareDatetime, discloses(Category.OPERATIONAL, "when it ends")]


class Stopped(Disclosed):
    """A channel that is no more."""

    channel: Annotated[ChannelId, discloses(Category.OPERATIONAL, "the channel's id")]


class Synced(Disclosed):
    """What changed; `sync_token` is there with the last page."""

    events: Annotated[list[Entered], discloses(Category.APPOINTMENT, "the events that changed")]
    sync_token: Annotated[Opaque | None, discloses(Category.OPERATIONAL, "where to go on the next time")] = None
    page_token: Annotated[Opaque | None, discloses(Category.OPERATIONAL, "where to go on now")] = None
    from_the_beginning: Annotated[
        bool, discloses(Category.OPERATIONAL, "whether these are all there are: forget what is not among them")
    ]


class Meeting(Disclosed):
    """What is kept of a meeting; its phone numbers and codes are not."""

    id: Annotated[_SpaceName, discloses(Category.IDENTIFIER, "Google's name of the meeting")]
    url: Annotated[_MeetingUrl, discloses(Category.OPERATIONAL, "where to meet")]


class Report(Disclosed):
    """What is kept of a spreadsheet."""

    id: Annotated[SpreadsheetId, discloses(Category.IDENTIFIER, "Google's id of the spreadsheet")]


class Appended(Report):
    """How much of a report left."""

    lines: Annotated[Count, discloses(Category.OPERATIONAL, "how many lines were written")]
    left_out: Annotated[Count, discloses(Category.OPERATIONAL, "how many counts were too small to be shown")]


class Sent(Disclosed):
    """What is kept of a mail."""

    id: Annotated[_Id, discloses(Category.IDENTIFIER, "Google's id of the mail")]


class Changed(Disclosed):
    """What a channel tells: that something changed. Ask with sync_calendar what."""

    id: Annotated[ChannelId, discloses(Category.OPERATIONAL, "the channel that tells it")]
    resource: Annotated[ResourceId | None, discloses(Category.OPERATIONAL, "what it watches, by Google's id")] = None


ACTIONS: Final = {
    "create_event": Exchange(CreateEvent, Entered),
    "move_event": Exchange(MoveEvent, Entered),
    "cancel_event": Exchange(CancelEvent, Cancelled),
    "free_busy": Exchange(FreeBusy, Availabilities),
    "create_calendar": Exchange(CreateCalendar, Calendared),
    "watch_calendar": Exchange(WatchCalendar, Watched),
    "stop_watching": Exchange(StopWatching, Stopped),
    "sync_calendar": Exchange(SyncCalendar, Synced),
    "create_meeting": Exchange(CreateMeeting, Meeting),
    "create_report": Exchange(CreateReport, Report),
    "append_report": Exchange(AppendReport, Appended),
    "send_notice": Exchange(SendNotice, Sent),
    "send_staff_notice": Exchange(SendStaffNotice, Sent),
}
