"""Which of Google's scopes each method takes that the sandbox serves. A test compares this with Google's own documents."""

from typing import Final

_WRITE: Final = "calendar calendar.app.created calendar.events calendar.events.owned"
_READ: Final = (
    f"{_WRITE} calendar.events.freebusy calendar.events.owned.readonly calendar.events.public.readonly "
    "calendar.events.readonly calendar.readonly"
)
_STOP: Final = (
    f"{_READ} calendar.acls calendar.acls.readonly calendar.calendarlist calendar.calendarlist.readonly "
    "calendar.settings calendar.settings.readonly"
)
#: By the method's id; the one scope without Google's usual beginning is written as it is.
SCOPES: Final = {
    name: frozenset(scopes.split())
    for name, scopes in {
        "calendar.calendars.insert": "calendar calendar.app.created calendar.calendars",
        "calendar.channels.stop": _STOP,
        "calendar.events.delete": _WRITE,
        "calendar.events.get": _READ,
        "calendar.events.insert": _WRITE,
        "calendar.events.list": _READ,
        "calendar.events.patch": _WRITE,
        "calendar.events.watch": _READ,
        "calendar.freebusy.query": "calendar calendar.events.freebusy calendar.freebusy calendar.readonly",
        "gmail.users.messages.send": (
            "https://mail.google.com/ gmail.addons.current.action.compose gmail.compose gmail.modify gmail.send"
        ),
        "meet.spaces.create": "meetings.space.created",
        "sheets.spreadsheets.create": "drive drive.file spreadsheets",
        "sheets.spreadsheets.values.append": "drive drive.file spreadsheets",
    }.items()
}
#: Where a method is told apart by whose calendar it is: these reach only calendars that the client made.
OF_THE_APP: Final = frozenset({"calendar.app.created"})
