"""The kinds of value that Google may be told or tell us. Words come from lists, ids have forms; free text has no place here."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints


class Title(StrEnum):
    """What stands over a time in a calendar: whoever looks over a shoulder learns that it is taken."""

    RESERVED = "reserved"
    APPOINTMENT = "appointment"
    BREAK = "break"
    ABSENT = "absent"


class Admits(StrEnum):
    """Who gets into a meeting without being let in."""

    INVITED = "invited"
    """Nobody but those whom the account invites; everybody else knocks."""
    ANYBODY = "anybody"
    """Whoever has the address."""


class Measure(StrEnum):
    """What a report counts."""

    APPOINTMENTS = "appointments"
    CANCELLATIONS = "cancellations"
    NO_SHOWS = "no_shows"
    NEW_PATIENTS = "new_patients"
    VIDEO_VISITS = "video_visits"
    INVOICES = "invoices"
    MESSAGES = "messages"
    WAITING = "waiting"


class Language(StrEnum):
    """The languages that notices are written in."""

    ENGLISH = "en"
    GERMAN = "de"
    SPANISH = "es"
    FRENCH = "fr"


class Notice(StrEnum):
    """What a notice to a patient says; the sentences are in mail.py."""

    APPOINTMENT_CHANGED = "appointment_changed"
    PLEASE_CALL = "please_call"
    MESSAGE_WAITING = "message_waiting"


class StaffNotice(StrEnum):
    """What a notice to a member of staff says."""

    SCHEDULE_CHANGED = "schedule_changed"
    PLEASE_SIGN_IN = "please_sign_in"


CalendarId = Annotated[
    str,
    StringConstraints(pattern=r"^(primary|[0-9a-z_]{5,160}@group\.calendar\.google\.com)$"),
    Field(examples=["c_1f3a9c55e4@group.calendar.google.com"]),
]
OwnCalendarId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-z_]{5,160}@group\.calendar\.google\.com$"),
    Field(examples=["c_1f3a9c55e4@group.calendar.google.com"]),
]
EventId = Annotated[
    str,
    # Google's own have 26 characters of base32hex and ours 52; one of a series has its time besides.
    StringConstraints(pattern=r"^[0-9a-v]{24,128}(_[0-9]{8}(T[0-9]{6}Z)?)?$"),
    Field(examples=["0i6v8c3n2q1k5m7p9r4t0a2b6d"]),
]
Etag = Annotated[str, StringConstraints(pattern=r'^"[0-9A-Za-z_+/=-]{1,80}"$'), Field(examples=['"3481161784712000"'])]
Opaque = Annotated[
    str, StringConstraints(pattern=r"^[0-9A-Za-z_+/=-]{1,1024}$"), Field(examples=["CPDAlvWDx70CEPDAlvWDx70CGAU"])
]
ChannelId = Annotated[
    str,
    StringConstraints(pattern=r"^gateway-[0-9a-v]{32}$"),
    Field(examples=["gateway-0i6v8c3n2q1k5m7p9r4t0a2b6d8e0f1g"]),
]
ResourceId = Annotated[
    str, StringConstraints(pattern=r"^[0-9A-Za-z_+/=-]{8,200}$"), Field(examples=["o3hgv1538sdjfh8xZ2"])
]
SpreadsheetId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-Za-z_-]{30,100}$"),
    Field(examples=["1qpyC0XzvTcKT6EISywvqESX3A0MwQoFDE8p"]),
]
#: What the host calls somebody among its own; it never leaves.
Alias = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z_-]{1,63}$"), Field(examples=["dr_17"])]
EmailAddress = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$", max_length=254),
    Field(examples=["somebody@clinic.example"]),
]
Label = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$"), Field(examples=["monday"])]
Count = Annotated[int, Field(strict=True, ge=0, le=10_000_000, examples=[42])]
