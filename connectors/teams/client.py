"""One coroutine per action: our fields to a request to Graph, its answer to ours. No credential, no retry, no SDK.

A team is checked against the clinic's list before anything is built (allowed.py).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import orjson

from connectors.contract import Ambiguous, Egress, Rejected, VendorAnswer
from connectors.teams import answers
from connectors.teams.actions import (
    CreateMeeting,
    CreateShift,
    DeleteShift,
    GetPresence,
    ListChats,
    ListShifts,
    ListTimeOff,
    MoveShift,
    RenewWatch,
    SendActivity,
    StopWatching,
    SyncShifts,
    WatchShifts,
)
from connectors.teams.allowed import allowed
from connectors.teams.codes import LABELS, MEETING_SUBJECT, NOTICES
from connectors.wire import build_request

if TYPE_CHECKING:
    import httpx2

_APPS: Final = "https://graph.microsoft.com/v1.0/appCatalogs/teamsApps/"  # a name in the body; nothing is sent there
_MOST_CHATS: Final = 50


async def list_shifts(fields: ListShifts, egress: Egress) -> VendorAnswer:
    """See the shifts in a part of a team's schedule."""
    path = f"/teams/{allowed(fields.team, egress)}/schedule/shifts"
    query = _query(fields.cursor, _within("sharedShift", fields.starts_at, fields.ends_at))
    response = await _ask(egress, "GET", path + query)
    return _kept(response, answers.listed(response, "shifts", answers.shift, "sharedShift"))


async def sync_shifts(fields: SyncShifts, egress: Egress) -> VendorAnswer:
    """Read all shifts of a team, page by page. Graph has no delta query for shifts: what is not listed is gone."""
    path = f"/teams/{allowed(fields.team, egress)}/schedule/shifts"
    response = await _ask(egress, "GET", path + _query(fields.cursor))
    return _kept(response, answers.listed(response, "shifts", answers.shift, "sharedShift"))


async def list_time_off(fields: ListTimeOff, egress: Egress) -> VendorAnswer:
    """See who is away in a part of a team's schedule."""
    path = f"/teams/{allowed(fields.team, egress)}/schedule/timesOff"
    query = _query(fields.cursor, _within("sharedTimeOff", fields.starts_at, fields.ends_at))
    response = await _ask(egress, "GET", path + query)
    return _kept(response, answers.listed(response, "times_off", answers.time_off, "sharedTimeOff"))


async def create_shift(fields: CreateShift, egress: Egress) -> VendorAnswer:
    """Enter a shift that the team sees at once."""
    path = f"/teams/{allowed(fields.team, egress)}/schedule/shifts"
    response = await _ask(egress, "POST", path, _shift(fields))
    return _made(response, answers.made(response, answers.shift))


async def move_shift(fields: MoveShift, egress: Egress) -> VendorAnswer:
    """Replace a shift by what it is to be."""
    path = f"/teams/{allowed(fields.team, egress)}/schedule/shifts/{fields.shift}"
    response = await _ask(egress, "PUT", path, _shift(fields), Prefer="return=representation")
    if response.status_code == 204:  # Graph need not show what it did
        return VendorAnswer({"id": fields.shift}, fields.shift, 204)
    return _made(response, answers.made(response, answers.shift))


async def delete_shift(fields: DeleteShift, egress: Egress) -> VendorAnswer:
    """Take a shift out of the schedule."""
    path = f"/teams/{allowed(fields.team, egress)}/schedule/shifts/{fields.shift}"
    return _done(await _ask(egress, "DELETE", path), {"id": fields.shift})


async def watch_shifts(fields: WatchShifts, egress: Egress) -> VendorAnswer:
    """Have Graph tell us of every change of a team's shifts."""
    team = allowed(fields.team, egress)
    if egress.callback_url is None or egress.callback_token is None:
        raise Rejected("callback_url_missing")
    wanted: dict[str, Any] = {
        "changeType": "created,updated,deleted",
        "notificationUrl": egress.callback_url,
        "lifecycleNotificationUrl": egress.callback_url,  # can only be given now
        "resource": f"/teams/{team}/schedule/shifts",
        "expirationDateTime": _ends(fields.minutes, egress),
        "clientState": egress.callback_token,
        "latestSupportedTlsVersion": "v1_2",
    }
    if egress.callback_certificate is not None:
        wanted |= {
            "includeResourceData": True,
            "encryptionCertificate": egress.callback_certificate.text,
            "encryptionCertificateId": egress.callback_certificate.id,
        }
    response = await _ask(egress, "POST", "/subscriptions", wanted)
    return _made(response, answers.made(response, answers.watch))


async def renew_watch(fields: RenewWatch, egress: Egress) -> VendorAnswer:
    """Have Graph go on; this answers its reauthorizationRequired too."""
    allowed(fields.team, egress)
    wanted = {"expirationDateTime": _ends(fields.minutes, egress)}
    response = await _ask(egress, "PATCH", f"/subscriptions/{fields.subscription}", wanted)
    return _made(response, answers.made(response, answers.watch))


async def stop_watching(fields: StopWatching, egress: Egress) -> VendorAnswer:
    """Have Graph tell us no more."""
    response = await _ask(egress, "DELETE", f"/subscriptions/{fields.subscription}")
    return _done(response, {"id": fields.subscription})


async def get_presence(fields: GetPresence, egress: Egress) -> VendorAnswer:
    """See who of some members of staff is available."""
    response = await _ask(egress, "POST", "/communications/getPresencesByUserId", {"ids": fields.people})
    found = answers.listed(response, "presences", answers.presence)
    return _kept(response, {"presences": found["presences"]})


async def create_meeting(fields: CreateMeeting, egress: Egress) -> VendorAnswer:
    """Make an online meeting, or find the one that has this reference already."""
    wanted = {
        "externalId": fields.reference,
        "startDateTime": _moment(fields.starts_at),
        "endDateTime": _moment(fields.ends_at),
        "subject": MEETING_SUBJECT,
    }
    response = await _ask(egress, "POST", f"/users/{fields.organizer}/onlineMeetings/createOrGet", wanted)
    return _made(response, answers.made(response, answers.meeting))


async def send_activity(fields: SendActivity, egress: Egress) -> VendorAnswer:
    """Put a notice in fixed words into somebody's activity feed."""
    app = egress.settings.get("teams_app")
    if not app:
        raise Rejected("teams_app_missing")
    activity, preview = NOTICES[fields.notice]
    wanted = {
        "topic": {"source": "entityUrl", "value": _APPS + app.lower()},
        "activityType": activity,
        "previewText": {"content": preview},
        "templateParameters": [],
    }
    response = await _ask(egress, "POST", f"/users/{fields.person}/teamwork/sendActivityNotification", wanted)
    return _done(response, {"notice": fields.notice})


async def list_chats(fields: ListChats, egress: Egress) -> VendorAnswer:
    """See which chats somebody is in; their members and last messages are not asked for."""
    query = _query(fields.cursor, {"$top": str(_MOST_CHATS)})
    response = await _ask(egress, "GET", f"/users/{fields.person}/chats{query}")
    return _kept(response, answers.listed(response, "chats", answers.chat))


async def _ask(egress: Egress, method: str, path: str, wanted: Mapping[str, Any] | None = None, **more: str) -> Any:
    """Carry one request and give its answer, or raise what its status means."""
    # Graph writes this id into its own logs and the clinic's audit log; it makes nothing idempotent.
    headers = {"Accept": "application/json", "client-request-id": egress.idempotency_key, **more}
    content = None
    if wanted is not None:
        headers["Content-Type"] = "application/json"
        content = orjson.dumps(wanted)
    response = await egress.send(build_request(method, egress.base_url + path, headers=headers, content=content))
    if refusal := answers.refusal_in(response):
        raise refusal
    return response


def _kept(response: "httpx2.Response", body: Mapping[str, Any]) -> VendorAnswer:
    """What was read; it has no id of its own."""
    return VendorAnswer(body, None, response.status_code)


def _made(response: "httpx2.Response", body: Mapping[str, Any]) -> VendorAnswer:
    return VendorAnswer(body, body["id"], response.status_code)


def _done(response: "httpx2.Response", body: Mapping[str, Any]) -> VendorAnswer:
    """Raise Ambiguous unless Graph said that it is done: by 204, without a word."""
    if response.status_code != 204:
        raise Ambiguous("unreadable_answer")
    return VendorAnswer(body, None, response.status_code)


def _shift(fields: CreateShift) -> dict[str, Any]:
    """A shift in Graph's names. `notes` and `activities` are left out: they are people's free text."""
    shared = {"startDateTime": _moment(fields.starts_at), "endDateTime": _moment(fields.ends_at)}
    if fields.label is not None:
        shared["displayName"] = LABELS[fields.label]
    if fields.theme is not None:
        shared["theme"] = fields.theme.value
    return {"userId": fields.person, "schedulingGroupId": fields.group, "sharedShift": shared}


def _within(part: str, starts_at: datetime, ends_at: datetime) -> dict[str, str]:
    """What lies in a window. Graph takes each property once in a filter, so what only overlaps can't be asked for."""
    begins, ends = _moment(starts_at), _moment(ends_at)
    return {"$filter": f"{part}/startDateTime ge {begins} and {part}/endDateTime le {ends}"}


def _query(cursor: str | None, asked: Mapping[str, str] | None = None) -> str:
    """A query with Graph's token, if the list goes on."""
    pairs = {**(asked or {}), **({"$skiptoken": cursor} if cursor is not None else {})}
    return f"?{urlencode(pairs, quote_via=quote, safe='$')}" if pairs else ""


def _ends(minutes: int, egress: Egress) -> str:
    return _moment(egress.now + timedelta(minutes=minutes))


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
