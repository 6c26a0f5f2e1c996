"""The kinds of value that Teams may be told or answers with: ids have forms, words come from lists, there is no free text."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

GUID: Final = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"


class Label(StrEnum):
    """What a shift is called, in words that fit any clinic; what is treated in it is not among them."""

    EARLY = "early"
    DAY = "day"
    LATE = "late"
    NIGHT = "night"
    ON_CALL = "on_call"
    STANDBY = "standby"
    TRAINING = "training"


class Theme(StrEnum):
    """The colours that Shifts knows (Graph: scheduleEntityTheme)."""

    WHITE = "white"
    BLUE = "blue"
    GREEN = "green"
    PURPLE = "purple"
    PINK = "pink"
    YELLOW = "yellow"
    GRAY = "gray"
    DARK_BLUE = "darkBlue"
    DARK_GREEN = "darkGreen"
    DARK_PURPLE = "darkPurple"
    DARK_PINK = "darkPink"
    DARK_YELLOW = "darkYellow"


class Notice(StrEnum):
    """What an activity notice says. Each is a template without parameters in the clinic's Teams app."""

    ROSTER_CHANGED = "roster_changed"
    SHIFT_ASSIGNED = "shift_assigned"
    REQUEST_WAITING = "request_waiting"
    TASK_WAITING = "task_waiting"
    MEETING_WAITING = "meeting_waiting"


def _guid(example: str) -> tuple[object, ...]:
    """The rule of an id of Entra's: any case, kept in small letters so that two spellings are one id."""
    return StringConstraints(pattern=f"^{GUID}$"), AfterValidator(str.lower), Field(examples=[example])


TeamId = Annotated[str, *_guid("e5b1c3a0-6f2d-4c6b-9d1e-7a2f4b8c9d10")]
PersonId = Annotated[str, *_guid("0b7d9a42-8c1f-4e53-a6d0-5f3e2c1b9a87")]
SubscriptionId = Annotated[str, *_guid("7f105c7d-2dc5-4530-97cd-4e7ae6534c07")]
ShiftId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,100}$"),
    Field(examples=["SHFT_577b75d2-a927-48c0-a5d1-dc984894e7b8"]),
]
GroupId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,100}$"),
    Field(examples=["TAG_228940ed-ff84-4e25-b129-1b395cf78be0"]),
]
TimeOffId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,100}$"),
    Field(examples=["TOFF_f7b1f6e2-0c4f-4d1c-9b6e-6a0b1d2c3e4f"]),
]
#: Where a list goes on. It is Graph's own token and never an address: what is asked is always built here.
CURSOR: Final = r"[0-9A-Za-z_.~=+/!*:,-]{1,2048}"
Cursor = Annotated[str, StringConstraints(pattern=f"^{CURSOR}$"), Field(examples=["cGFnZTox"])]
ChatId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-Za-z:_.@-]{1,255}$"),
    Field(examples=["19:2da4c29f6d7041eca70b638b43d45437@thread.v2"]),
]
MeetingId = Annotated[
    str, StringConstraints(pattern=r"^[0-9A-Za-z_=*+/-]{1,500}$"), Field(examples=["MSpkYzE3Njc0Yy04MWQ5LTRhZGItYmZi"])
]
JoinUrl = Annotated[
    str,
    StringConstraints(pattern=r"^https://(teams\.microsoft\.com|[a-z]+\.teams\.microsoft\.us)/[!-;=?-~]{1,2000}$"),
    Field(examples=["https://teams.microsoft.com/l/meetup-join/19%3ameeting_7Hq2ZkW9%40thread.v2/0"]),
]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{1,40}$"), Field(examples=["Available"])]
