"""Which application permissions Graph takes for each request that we make, as Microsoft's permissions.json has them.

A small copy, so that the sandbox needs no file of Microsoft's; a test compares it to the file, entry by entry.
"""

from typing import Final

_SHIFTS: Final = "/teams/{id}/schedule/shifts"

NEEDS: Final[dict[tuple[str, str], frozenset[str]]] = {
    ("GET", _SHIFTS): frozenset({"Schedule.Read.All", "Schedule.ReadWrite.All"}),
    ("POST", _SHIFTS): frozenset({"Schedule.ReadWrite.All"}),
    ("PUT", f"{_SHIFTS}/{{id}}"): frozenset({"Schedule.ReadWrite.All"}),
    ("DELETE", f"{_SHIFTS}/{{id}}"): frozenset({"Schedule.ReadWrite.All"}),
    ("GET", "/teams/{id}/schedule/timesOff"): frozenset({"Schedule.Read.All", "Schedule.ReadWrite.All"}),
    ("POST", "/communications/getPresencesByUserId"): frozenset({"Presence.Read.All", "Presence.ReadWrite.All"}),
    ("POST", "/users/{id}/onlineMeetings/createOrGet"): frozenset({"OnlineMeetings.ReadWrite.All"}),
    ("POST", "/users/{id}/teamwork/sendActivityNotification"): frozenset(
        {"TeamsActivity.Send", "TeamsActivity.Send.User"}
    ),
    ("GET", "/users/{id}/chats"): frozenset({"Chat.ReadBasic.All", "Chat.ReadWrite.All"}),
}

#: Subscriptions are not in permissions.json: whoever may read what is watched may watch it ("Create subscription",
#: Permissions). Presence can be watched by persons only, so no application permission is enough.
WATCHED: Final = {"shifts": NEEDS["GET", _SHIFTS]}
