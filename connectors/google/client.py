"""One coroutine per action: our fields to a request to Google, its answer to ours. No credential, no retry, no SDK."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import orjson

from connectors.contract import Ambiguous, ConnectorError, Egress, Rejected, VendorAnswer
from connectors.google import answers, calendar, mail, reports
from connectors.google.actions import (
    AppendReport,
    CancelEvent,
    CreateCalendar,
    CreateEvent,
    CreateMeeting,
    CreateReport,
    FreeBusy,
    MoveEvent,
    SendNotice,
    SendStaffNotice,
    StopWatching,
    SyncCalendar,
    WatchCalendar,
)
from connectors.google.fields import Admits
from connectors.wire import build_request, object_in

if TYPE_CHECKING:
    import httpx2

_CALENDARS: Final = "/calendar/v3/calendars"
_HOME: Final = "www.googleapis.com"
_READS: Final = {"Accept": "application/json"}
_WRITES: Final = {**_READS, "Content-Type": "application/json"}
_ACCESS: Final = {Admits.INVITED: "RESTRICTED", Admits.ANYBODY: "OPEN"}
_SILENT: Final = {"sendUpdates": "none"}  # nobody is invited, and nobody is written to


async def create_event(fields: CreateEvent, egress: Egress) -> VendorAnswer:
    """Enter a time that is taken. What is not clear afterwards is looked up under the id that we gave it."""
    path = f"{_CALENDARS}/{fields.calendar}/events"
    body = calendar.event(fields, egress.idempotency_key)
    try:
        response = await _send(egress, "POST", path, {**_SILENT, "fields": calendar.EVENT_FIELDS}, body)
        if response.status_code != 409:
            return _entered(response)
        doubt: ConnectorError = Rejected("duplicate")
    except Ambiguous as ambiguous:
        doubt = ambiguous
    return await _made_by_us(egress, f"{path}/{body['id']}", calendar.CALL, doubt)


async def move_event(fields: MoveEvent, egress: Egress) -> VendorAnswer:
    """Give an event another time; with `etag`, only while nobody else changed it."""
    path = f"{_CALENDARS}/{fields.calendar}/events/{fields.event}"
    body = calendar.moved(fields, egress.idempotency_key)
    response = await _send(
        egress, "PATCH", path, {**_SILENT, "fields": calendar.EVENT_FIELDS}, body, _only_if(fields.etag)
    )
    if response.status_code == 412:  # changed since: perhaps by an earlier attempt of ours
        return await _made_by_us(egress, path, calendar.MOVE, Rejected("changed_meanwhile"))
    return _entered(response)


async def cancel_event(fields: CancelEvent, egress: Egress) -> VendorAnswer:
    """Take an event out of the calendar; one that is out already is as good."""
    path = f"{_CALENDARS}/{fields.calendar}/events/{fields.event}"
    response = await _send(egress, "DELETE", path, _SILENT, headers=_only_if(fields.etag))
    if response.status_code == 412:
        raise Rejected("changed_meanwhile")
    if response.status_code != 410:
        answers.check_empty(response)
    return VendorAnswer({"id": fields.event, "status": "cancelled"}, fields.event, response.status_code)


async def free_busy(fields: FreeBusy, egress: Egress) -> VendorAnswer:
    """Ask when members of staff have time. The answer names them as the host does, not by their addresses."""
    query = {"fields": calendar.FREE_BUSY_FIELDS}
    response = await _send(egress, "POST", "/calendar/v3/freeBusy", query, calendar.question(fields))
    if refusal := answers.refusal_in(response):
        raise refusal
    found = object_in(response).get("calendars")
    if not isinstance(found, Mapping):
        raise Ambiguous("unreadable_answer")
    told = {str(address).lower(): said for address, said in found.items()}
    staff = [{"alias": each.alias, **answers.busy_in(told.get(each.address.lower()))} for each in fields.staff]
    return VendorAnswer({"staff": staff}, None, response.status_code)


async def create_calendar(fields: CreateCalendar, egress: Egress) -> VendorAnswer:
    """Make a calendar that only this client reaches."""
    body = {"summary": calendar.CALENDAR_NAMES[fields.name]}
    response = await _send(egress, "POST", _CALENDARS, {"fields": "id"}, body)
    made = answers.answered(response)
    return VendorAnswer({"id": made["id"]}, made["id"], response.status_code)


async def watch_calendar(fields: WatchCalendar, egress: Egress) -> VendorAnswer:
    """Open a channel by which Google tells that something changed in a calendar."""
    if egress.callback_url is None or egress.callback_token is None:
        raise Rejected("no_public_address")
    body = calendar.channel(fields, egress.idempotency_key, egress.callback_url, egress.callback_token)
    path = f"{_CALENDARS}/{fields.calendar}/events/watch"
    response = await _send(egress, "POST", path, {"fields": calendar.CHANNEL_FIELDS}, body)
    made = answers.answered(response, "resourceId")
    expires_at = answers.from_milliseconds(made.get("expiration"))
    if made.get("id") != body["id"] or expires_at is None:
        raise Ambiguous("unreadable_answer")
    watched = {"channel": made["id"], "resource": made["resourceId"], "expires_at": expires_at}
    return VendorAnswer(watched, made["id"], response.status_code)


async def stop_watching(fields: StopWatching, egress: Egress) -> VendorAnswer:
    """Close a channel, so that it tells nothing more."""
    body = {"id": fields.channel, "resourceId": fields.resource}
    response = await _send(egress, "POST", "/calendar/v3/channels/stop", {}, body)
    answers.check_empty(response)
    return VendorAnswer({"channel": fields.channel}, fields.channel, response.status_code)


async def sync_calendar(fields: SyncCalendar, egress: Egress) -> VendorAnswer:
    """Ask what changed; from the beginning where Google does not know our place any more (410)."""
    response = await _changes(egress, fields, fields.sync_token, fields.page_token)
    anew = fields.sync_token is None
    if response.status_code == 410 and (fields.sync_token is not None or fields.page_token is not None):
        response, anew = await _changes(egress, fields, None, None), True
    if refusal := answers.refusal_in(response):
        raise refusal
    found = object_in(response)
    listed, goes_on, ends = found.get("items"), found.get("nextPageToken"), found.get("nextSyncToken")
    # Without either token the host could not go on: it would never hear of anything again.
    if not isinstance(listed, list) or not (isinstance(goes_on, str) or isinstance(ends, str)):
        raise Ambiguous("unreadable_answer")
    events = [answers.event(each) for each in listed if isinstance(each, Mapping)]
    told = {"events": events, "page_token": goes_on, "sync_token": ends, "from_the_beginning": anew}
    return VendorAnswer(told, None, response.status_code)


async def create_meeting(fields: CreateMeeting, egress: Egress) -> VendorAnswer:
    """Make an address to meet at by video."""
    body = {"config": {"accessType": _ACCESS[fields.admits]}}
    response = await _send(
        egress, "POST", "/v2/spaces", {"fields": "name,meetingUri"}, body, host="meet.googleapis.com"
    )
    made = answers.answered(response, "name")
    if not isinstance(made.get("meetingUri"), str):
        raise Ambiguous("unreadable_answer")
    return VendorAnswer({"id": made["name"], "url": made["meetingUri"]}, made["name"], response.status_code)


async def create_report(fields: CreateReport, egress: Egress) -> VendorAnswer:
    """Make an empty spreadsheet."""
    body = {"properties": {"title": reports.NAMES[fields.measure]}}
    response = await _sheets(egress, "", {"fields": "spreadsheetId"}, body)
    made = answers.answered(response, "spreadsheetId")
    return VendorAnswer({"id": made["spreadsheetId"]}, made["spreadsheetId"], response.status_code)


async def append_report(fields: AppendReport, egress: Egress) -> VendorAnswer:
    """Write a month's counts below what is there. Small ones are left out here, before anything leaves."""
    rows, left_out = reports.rows(fields, egress.settings)
    query = {
        "valueInputOption": "RAW",  # whatever it looks like, it is no formula
        "insertDataOption": "INSERT_ROWS",
        "includeValuesInResponse": "false",
        "fields": "spreadsheetId,updates/updatedRows",
    }
    body = {"majorDimension": "ROWS", "values": rows}
    response = await _sheets(egress, f"/{fields.spreadsheet}/values/A1:append", query, body)
    if answers.answered(response, "spreadsheetId")["spreadsheetId"] != fields.spreadsheet:
        raise Ambiguous("unreadable_answer")
    told = {"id": fields.spreadsheet, "lines": len(rows), "left_out": left_out}
    return VendorAnswer(told, fields.spreadsheet, response.status_code)


async def send_notice(fields: SendNotice, egress: Egress) -> VendorAnswer:
    """Mail a fixed notice to a patient."""
    return await _mail(fields, egress)


async def send_staff_notice(fields: SendStaffNotice, egress: Egress) -> VendorAnswer:
    """Mail a fixed notice to a member of staff, in the clinic's own domains only."""
    mail.check_domain(fields.to, egress.settings.get("staff_domains", ""))
    return await _mail(fields, egress)


async def _mail(fields: SendNotice | SendStaffNotice, egress: Egress) -> VendorAnswer:
    body = mail.message(fields, egress.settings.get("signature"))
    path = "/gmail/v1/users/me/messages/send"
    response = await _send(egress, "POST", path, {"fields": "id"}, body, host="gmail.googleapis.com")
    sent = answers.answered(response)
    return VendorAnswer({"id": sent["id"]}, sent["id"], response.status_code)


async def _sheets(egress: Egress, path: str, query: Mapping[str, str], body: Mapping[str, Any]) -> "httpx2.Response":
    return await _send(egress, "POST", f"/v4/spreadsheets{path}", query, body, host="sheets.googleapis.com")


async def _changes(
    egress: Egress, fields: SyncCalendar, sync_token: str | None, page_token: str | None
) -> "httpx2.Response":
    query = {"maxResults": str(calendar.PAGE), "showDeleted": "true", "fields": calendar.SYNC_FIELDS}
    if sync_token is not None:
        query["syncToken"] = sync_token
    if page_token is not None:
        query["pageToken"] = page_token
    return await _send(egress, "GET", f"{_CALENDARS}/{fields.calendar}/events", query)


async def _made_by_us(egress: Egress, path: str, name: str, doubt: ConnectorError) -> VendorAnswer:
    """The event as it stands, where it says that this call made it so; otherwise raises what made us look."""
    try:
        response = await _send(egress, "GET", path, {"fields": calendar.EVENT_FIELDS})
        found = answers.answered(response)
    except ConnectorError:
        raise doubt from None
    if answers.private(found, name) != egress.idempotency_key:
        raise doubt
    return _entered(response)


def _entered(response: "httpx2.Response") -> VendorAnswer:
    found = answers.answered(response)
    return VendorAnswer(answers.event(found), found["id"], response.status_code)


def _only_if(etag: str | None) -> dict[str, str]:
    return {} if etag is None else {"If-Match": etag}


async def _send(
    egress: Egress,
    method: str,
    path: str,
    query: Mapping[str, str],
    body: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    host: str = _HOME,
) -> "httpx2.Response":
    """One request to one of Google's hosts; a sandbox, where the base address leads to one, is all of them."""
    address = egress.base_url.replace(_HOME, host) + path + (f"?{urlencode(query)}" if query else "")
    usual, content = (_READS, None) if body is None else (_WRITES, orjson.dumps(body))
    request = build_request(method, address, headers={**usual, **(headers or {})}, content=content)
    return await egress.send(request)
