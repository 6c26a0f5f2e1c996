"""A small emulator of Google for the demo and the tests. Emulates what we use, strictly; never imported in production.

It keeps to scopes as Google's own documents name them for each method: a token that lacks one gets Google's 403. It
refuses unknown parameters, answers in part where `fields` asks for it, and tells channels what changed, by itself only to
addresses on this machine. For trouble: `POST /_sandbox/switches {"rate_limited": true, "forgets": true}`.
"""

import base64
import binascii
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import orjson
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.google.sandbox_calendar import Calendar, Calendars, Refused
from connectors.google.sandbox_mask import masked
from connectors.google.sandbox_scopes import OF_THE_APP, SCOPES
from connectors.sandbox_oauth import OAuthServer, rule_beside

CREDENTIAL: Final = "ya29.sandboxClinicGateway"
OAUTH_CLIENT: Final = ("sandbox.apps.googleusercontent.com", "GOCSPX-sandbox")
SPREADSHEET: Final = "1qpyC0XzvTcKT6EISywvqESX3A0MwQoFDE8p"
_RULE: Final = rule_beside(__file__)
#: What each feature of ours needs, and no more.
GIVEN: Final = [
    "calendar.events.owned",
    "calendar.freebusy",
    "calendar.app.created",
    "meetings.space.created",
    "drive.file",
    "gmail.send",
]
_EVENTS: Final = "/calendar/v3/calendars/{calendar}/events"
_LOOPBACK: Final = "127.0.0.1"


@dataclass
class Sandbox:
    """The sandbox's state: calendars, spreadsheets' rows, mails, switches."""

    clock: Callable[[], float]
    transport: httpx2.AsyncBaseTransport | None
    calendars: Calendars = field(default_factory=lambda: Calendars().seeded())
    sheets: dict[str, list[list[Any]]] = field(default_factory=lambda: {SPREADSHEET: []})
    mails: list[Message] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)  # method and reason, for tests
    switches: dict[str, Any] = field(default_factory=lambda: {"rate_limited": False, "forgets": False})

    async def tell(self, calendar: str) -> None:
        """Tell each channel on a calendar that something changed."""
        for channel in list(self.calendars.channels.values()):
            if channel["calendar"] == calendar and channel["address"]:
                await self.send(channel, "exists")

    async def send(self, channel: dict[str, Any], state: str) -> None:
        """One message of a channel: no body, everything in its headers."""
        channel["number"] += 1
        if self.transport is None and urlsplit(channel["address"]).hostname != _LOOPBACK:
            return
        headers = {
            "X-Goog-Channel-ID": channel["id"],
            "X-Goog-Channel-Token": channel["token"],
            "X-Goog-Resource-ID": channel["resourceId"],
            "X-Goog-Resource-URI": f"https://www.googleapis.com/calendar/v3/calendars/{channel['calendar']}/events",
            "X-Goog-Resource-State": state,
            "X-Goog-Message-Number": str(channel["number"]),
        }
        async with httpx2.AsyncClient(transport=self.transport) as client:
            await client.post(channel["address"], headers=headers)


@dataclass(frozen=True)
class Asked:
    """One request that may be made: what it names, what it holds, and whether only the client's own calendars are in reach."""

    sandbox: Sandbox
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: dict[str, Any]
    etag: str | None
    only_of_the_app: bool

    @property
    def calendar(self) -> Calendar:
        """The calendar that the path names."""
        return self.sandbox.calendars.at(self.path["calendar"], only_of_the_app=self.only_of_the_app)


Act = Callable[[Asked], Any]


def create(*, clock: Callable[[], float] = time.time, transport: httpx2.AsyncBaseTransport | None = None) -> Starlette:
    """The sandbox as an ASGI application; with `transport` it tells channels at any address."""
    server = OAuthServer(_RULE, OAUTH_CLIENT)
    server.give(CREDENTIAL, frozenset(_RULE.scope_prefix + scope for scope in GIVEN))
    routes = [_route(*method) for method in METHODS]
    app = Starlette(routes=[*server.routes, *routes, Route("/_sandbox/switches", _switch, methods=["POST"])])
    app.state.oauth, app.state.sandbox = server, Sandbox(clock, transport)
    return app


def approve(app: Starlette, url: str) -> str:
    """Where somebody who says yes at this address is sent."""
    server: OAuthServer = app.state.oauth
    return server.approve(url)


def _insert(asked: Asked) -> Any:
    return asked.calendar and asked.sandbox.calendars.insert(asked.path["calendar"], asked.body)


def _get(asked: Asked) -> Any:
    return asked.sandbox.calendars.get(asked.calendar, asked.path["event"])


def _patch(asked: Asked) -> Any:
    return asked.sandbox.calendars.patch(asked.calendar, asked.path["event"], asked.body, asked.etag)


def _delete(asked: Asked) -> Any:
    asked.sandbox.calendars.delete(asked.calendar, asked.path["event"], asked.etag)


def _list(asked: Asked) -> Any:
    if asked.sandbox.switches["forgets"] and "syncToken" in asked.query:
        raise Refused(410, "fullSyncRequired", "FAILED_PRECONDITION")
    return asked.sandbox.calendars.listed(asked.calendar, asked.query)


def _watch(asked: Asked) -> Any:
    return asked.calendar and asked.sandbox.calendars.watch(asked.path["calendar"], asked.body, asked.sandbox.clock())


def _space(asked: Asked) -> Any:
    name = secrets.token_urlsafe(9)
    return {
        "name": f"spaces/{name}",
        "meetingUri": "https://meet.google.com/abc-mnop-xyz",
        "meetingCode": "abc-mnop-xyz",
        "config": asked.body["config"],
    }


def _spreadsheet(asked: Asked) -> Any:
    made = secrets.token_urlsafe(33)
    asked.sandbox.sheets[made] = []
    return {"spreadsheetId": made, "properties": asked.body["properties"], "spreadsheetUrl": "https://docs.google.com/"}


def _append(asked: Asked) -> Any:
    sheet = asked.path["place"].partition("/")[0]
    if sheet not in asked.sandbox.sheets:
        raise Refused(404, "notFound", "NOT_FOUND")
    if asked.query.get("valueInputOption") != "RAW":
        raise Refused(400, "invalid")
    asked.sandbox.sheets[sheet] += asked.body["values"]
    return {"spreadsheetId": sheet, "updates": {"updatedRows": len(asked.body["values"]), "updatedRange": "Sheet1!A1"}}


def _mail(asked: Asked) -> Any:
    try:
        read = message_from_bytes(base64.urlsafe_b64decode(asked.body["raw"]))
    except (KeyError, binascii.Error):
        raise Refused(400, "invalidArgument") from None
    asked.sandbox.mails.append(read)
    return {"id": secrets.token_hex(8), "threadId": secrets.token_hex(8), "labelIds": ["SENT"]}


_WRITTEN: Final = "fields sendUpdates"
#: Google's id of each method, how it is called, what answers, and the query's parameters that it takes here.
METHODS: Final[tuple[tuple[str, str, str, Act, str], ...]] = (
    ("calendar.calendars.insert", "POST", "/calendar/v3/calendars", lambda a: a.sandbox.calendars.create(a.body), "fields"),
    ("calendar.events.insert", "POST", _EVENTS, _insert, _WRITTEN),
    ("calendar.events.list", "GET", _EVENTS, _list, "fields maxResults showDeleted syncToken pageToken"),
    ("calendar.events.watch", "POST", f"{_EVENTS}/watch", _watch, "fields"),
    ("calendar.events.get", "GET", f"{_EVENTS}/{{event}}", _get, "fields"),
    ("calendar.events.patch", "PATCH", f"{_EVENTS}/{{event}}", _patch, _WRITTEN),
    ("calendar.events.delete", "DELETE", f"{_EVENTS}/{{event}}", _delete, "sendUpdates"),
    ("calendar.channels.stop", "POST", "/calendar/v3/channels/stop", lambda a: a.sandbox.calendars.stop(a.body), ""),
    ("calendar.freebusy.query", "POST", "/calendar/v3/freeBusy", lambda a: a.sandbox.calendars.free_busy(a.body), "fields"),
    ("meet.spaces.create", "POST", "/v2/spaces", _space, "fields"),
    ("sheets.spreadsheets.create", "POST", "/v4/spreadsheets", _spreadsheet, "fields"),
    (
        "sheets.spreadsheets.values.append", "POST", "/v4/spreadsheets/{place:path}", _append,
        "fields valueInputOption insertDataOption includeValuesInResponse",
    ),
    ("gmail.users.messages.send", "POST", "/gmail/v1/users/me/messages/send", _mail, "fields"),
)  # fmt: skip
_TELLING: Final = frozenset({"calendar.events.insert", "calendar.events.patch", "calendar.events.delete"})


def _route(name: str, method: str, path: str, act: Act, parameters: str) -> Route:
    """A method behind its checks: who asks, whether they may, what they ask for."""

    async def endpoint(request: Request) -> Response:
        sandbox: Sandbox = request.app.state.sandbox
        try:
            asked = await _admitted(request, name, frozenset(parameters.split()))
            answer = masked(act(asked), asked.query.get("fields"))
        except Refused as refused:
            sandbox.refused.append((name, refused.reason))
            return JSONResponse(refused.body(), refused.status)
        except (ValueError, KeyError, TypeError, AttributeError):
            return JSONResponse(Refused(400, "invalid").body(), 400)
        told = _told(sandbox, name, asked)
        return Response(status_code=204, background=told) if answer is None else JSONResponse(answer, background=told)

    return Route(path, endpoint, methods=[method])


def _told(sandbox: Sandbox, name: str, asked: Asked) -> BackgroundTask | None:
    if name in _TELLING:
        return BackgroundTask(sandbox.tell, asked.path["calendar"])
    if name == "calendar.events.watch":
        return BackgroundTask(sandbox.send, sandbox.calendars.channels[asked.body["id"]], "sync")
    return None


async def _admitted(request: Request, name: str, parameters: frozenset[str]) -> Asked:
    """The request, if its token may make it. Raises Refused as Google does."""
    sandbox: Sandbox = request.app.state.sandbox
    server: OAuthServer = request.app.state.oauth
    granted = server.scopes_of(request.headers.get("authorization"))
    if granted is None:
        raise Refused(401, "authError", "UNAUTHENTICATED")
    held = frozenset(scope.removeprefix(_RULE.scope_prefix) for scope in granted) & SCOPES[name]
    if not held:
        raise Refused(403, "insufficientPermissions", "PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT")
    if sandbox.switches["rate_limited"]:
        raise Refused(403, "userRateLimitExceeded", "RESOURCE_EXHAUSTED")
    if set(request.query_params) - parameters:
        raise Refused(400, "invalidParameter")
    raw_body = await request.body()
    body = orjson.loads(raw_body) if raw_body else {}
    query, path = dict(request.query_params), {**request.path_params}
    return Asked(sandbox, path, query, body, request.headers.get("if-match"), held <= OF_THE_APP)


async def _switch(request: Request) -> Response:
    sandbox: Sandbox = request.app.state.sandbox
    sandbox.switches.update(orjson.loads(await request.body()))
    return JSONResponse(sandbox.switches)
