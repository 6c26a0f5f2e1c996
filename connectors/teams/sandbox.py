"""Microsoft Graph's other side for the demo and the tests: one directory, and each request's application permission enforced.

Emulates what we use, strictly; never imported in production. Staff who change a shift in Teams:
`POST /_sandbox/teams/{team}/shifts/{shift}` with Graph's `sharedShift`. `POST /_sandbox/lifecycle {"event": "missed"}` tells
every watch so; `POST /_sandbox/switches {"rate_limited": true}` is for trouble.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sandbox_oauth import OAuthServer, rule_beside
from connectors.teams import sandbox_directory as held
from connectors.teams import sandbox_watch as watching
from connectors.teams.codes import NOTICES
from connectors.teams.sandbox_directory import ACCOUNT, Directory, Refused
from connectors.teams.sandbox_permissions import NEEDS, WATCHED

__all__ = ["ACCOUNT", "CREDENTIAL", "OAUTH_CLIENT", "SETTINGS", "approve", "create"]

CREDENTIAL: Final = "graph-token-0123456789"
OAUTH_CLIENT: Final = ("0d3b6c1e-5a7f-4e2b-9c8d-1f2a3b4c5d6e", "sandbox-client-secret")
#: What the demo has watched.
WATCHES: Final = {"shifts": {"team": held.TEAM}}
SETTINGS: Final = {"teams": held.TEAM, "teams_app": held.APP}
#: What an administrator of the sandbox's directory allowed the application. The one for notices comes with the Teams app.
GRANTED: Final = frozenset(
    {"Schedule.ReadWrite.All", "Presence.Read.All", "OnlineMeetings.ReadWrite.All", "Chat.ReadBasic.All"}
)
_OF_THE_APP: Final = "TeamsActivity.Send.User"
_ACTIVITIES: Final = frozenset(activity for activity, _ in NOTICES.values())
_MOST_PRESENCES: Final = 650
_SHIFT_KEYS: Final = frozenset({"userId", "schedulingGroupId", "sharedShift", "draftShift"})

Act = Callable[[Request, Directory], Awaitable[Response]]


@dataclass
class Sandbox:
    """The sandbox's state; whom it tells of changes is said by each watch."""

    directory: Directory
    refused: int = 0
    """How many requests lacked a permission."""
    switches: dict[str, Any] = field(default_factory=lambda: {"rate_limited": False})


def create(*, granted: frozenset[str] = GRANTED, clock: Callable[[], float] = time.time) -> Starlette:
    """The sandbox; `app.state.oauth` is its OAuth server, `app.state.sandbox` what it holds."""
    server = OAuthServer(rule_beside(__file__), OAUTH_CLIENT, application=granted, clock=clock)
    server.give(CREDENTIAL, granted)
    graph = [
        Route(prefix + path.replace("{id}", "{owner}", 1), _guarded(act, method, path), methods=[method])
        for method, path, act in _ROUTES
        for prefix in ("/v1.0", "")  # the demo takes the vendor's host and the version off an address
    ]
    ours = [
        Route("/_sandbox/teams/{team}/shifts/{shift}", _changed_by_staff, methods=["POST"]),
        Route("/_sandbox/lifecycle", _lifecycle, methods=["POST"]),
        Route("/_sandbox/switches", _switch, methods=["POST"]),
    ]
    app = Starlette(routes=[*server.routes, *ours, *graph], exception_handlers={Refused: _refusal, 404: _nowhere})
    app.state.oauth, app.state.sandbox = server, Sandbox(held.furnished(clock))
    return app


def approve(app: Starlette, url: str) -> str:
    """Where an administrator who says yes at this address is sent."""
    server: OAuthServer = app.state.oauth
    return server.approve(url)


def _guarded(act: Act, method: str, path: str) -> Callable[[Request], Awaitable[Response]]:
    """A route that first looks at the token and its permissions, as Graph does."""

    async def guarded(request: Request) -> Response:
        sandbox: Sandbox = request.app.state.sandbox
        server: OAuthServer = request.app.state.oauth
        scopes = server.scopes_of(request.headers.get("authorization"))
        if scopes is None:
            raise Refused(401, "InvalidAuthenticationToken", "Access token is empty or not valid")
        if sandbox.switches["rate_limited"]:
            raise Refused(429, "TooManyRequests", "Too many requests")
        if request.path_params.get("owner", "") in sandbox.directory.installed and "sendActivity" in path:
            scopes = scopes | {_OF_THE_APP}
        if not scopes & await _needed(request, sandbox.directory, method, path):
            sandbox.refused += 1
            raise Refused(403, "Forbidden", "Missing application permissions")
        return await act(request, sandbox.directory)

    return guarded


async def _needed(request: Request, directory: Directory, method: str, path: str) -> frozenset[str]:
    """Any of these permissions is enough; none is for a resource that applications can't watch."""
    if not path.startswith("/subscriptions"):
        return NEEDS[method, path]
    if method == "POST":
        resource = str((await _body(request)).get("resource", ""))
    else:
        resource = str(_watch(request, directory)["resource"])
    collection = resource.rstrip("/").rpartition("/")[2]
    return WATCHED.get("shifts" if collection == "timeOffRequests" else collection, frozenset())


async def _list_shifts(request: Request, directory: Directory) -> Response:
    return _page(request, directory.team(request.path_params["owner"]).shifts.values())


async def _list_times_off(request: Request, directory: Directory) -> Response:
    return _page(request, directory.team(request.path_params["owner"]).times_off.values())


async def _create_shift(request: Request, directory: Directory) -> Response:
    team = request.path_params["owner"]
    made = held.shift(await _shift_in(request), directory.now)
    directory.team(team).shifts[made["id"]] = made
    return JSONResponse(made, 201, background=BackgroundTask(watching.tell, directory, team, "created", made["id"]))


async def _replace_shift(request: Request, directory: Directory) -> Response:
    team, name = request.path_params["owner"], request.path_params["id"]
    shifts = directory.team(team).shifts
    if name not in shifts:
        raise Refused(404, "NotFound", "No shift found")
    shifts[name] = held.shift(await _shift_in(request), directory.now, name)
    telling = BackgroundTask(watching.tell, directory, team, "updated", name)
    if "return=representation" not in request.headers.get("prefer", ""):
        return Response(status_code=204, background=telling)
    return JSONResponse(shifts[name], background=telling)


async def _delete_shift(request: Request, directory: Directory) -> Response:
    team, name = request.path_params["owner"], request.path_params["id"]
    if directory.team(team).shifts.pop(name, None) is None:
        raise Refused(404, "NotFound", "No shift found")
    return Response(status_code=204, background=BackgroundTask(watching.tell, directory, team, "deleted", name))


async def _presences(request: Request, directory: Directory) -> Response:
    ids = (await _body(request)).get("ids")
    if not isinstance(ids, list) or not 0 < len(ids) <= _MOST_PRESENCES:
        raise Refused(400, "BadRequest", "ids must be 1 to 650")
    found = [
        {
            "id": each, "availability": directory.presences.get(each, "PresenceUnknown"), "activity": "InACall",
            "statusMessage": {"message": {"content": "With Mrs Roe"}}, "outOfOfficeSettings": {"message": "At the dentist"},
        }
        for each in ids
    ]  # fmt: skip
    return JSONResponse({"value": found})


async def _create_or_get(request: Request, directory: Directory) -> Response:
    organizer, given = request.path_params["owner"], await _body(request)
    if organizer not in directory.organizers:
        raise Refused(403, "Forbidden", "No application access policy found for this app")
    if not isinstance(given.get("externalId"), str):
        raise Refused(400, "BadRequest", "externalId is required")
    key = (organizer, given["externalId"])
    status = 200 if key in directory.meetings else 201
    return JSONResponse(directory.meetings.setdefault(key, held.meeting(organizer, given)), status)


async def _notify(request: Request, directory: Directory) -> Response:
    person, given = request.path_params["owner"], await _body(request)
    topic = given.get("topic") or {}
    known = topic.get("source") == "entityUrl" and str(topic.get("value", "")).endswith(f"/teamsApps/{held.APP}")
    if not known or given.get("activityType") not in _ACTIVITIES or given.get("templateParameters"):
        raise Refused(400, "BadRequest", "The app's manifest declares no such activity, or without parameters")
    directory.notices.append((person, given["activityType"]))
    return Response(status_code=204)


async def _chats(request: Request, directory: Directory) -> Response:
    return _page(request, held.chats())


async def _subscribe(request: Request, directory: Directory) -> Response:
    return JSONResponse(await watching.made(directory, await _body(request)), 201)


async def _renew(request: Request, directory: Directory) -> Response:
    return JSONResponse(watching.renewed(directory, _watch(request, directory)["id"], await _body(request)))


async def _unsubscribe(request: Request, directory: Directory) -> Response:
    del directory.watches[_watch(request, directory)["id"]]
    return Response(status_code=204)


_ACTS: Final[dict[tuple[str, str], Act]] = {
    ("GET", "/teams/{id}/schedule/shifts"): _list_shifts,
    ("POST", "/teams/{id}/schedule/shifts"): _create_shift,
    ("PUT", "/teams/{id}/schedule/shifts/{id}"): _replace_shift,
    ("DELETE", "/teams/{id}/schedule/shifts/{id}"): _delete_shift,
    ("GET", "/teams/{id}/schedule/timesOff"): _list_times_off,
    ("POST", "/communications/getPresencesByUserId"): _presences,
    ("POST", "/users/{id}/onlineMeetings/createOrGet"): _create_or_get,
    ("POST", "/users/{id}/teamwork/sendActivityNotification"): _notify,
    ("GET", "/users/{id}/chats"): _chats,
    ("POST", "/subscriptions"): _subscribe,
    ("PATCH", "/subscriptions/{id}"): _renew,
    ("DELETE", "/subscriptions/{id}"): _unsubscribe,
}
_ROUTES: Final = [(method, path, act) for (method, path), act in _ACTS.items()]


async def _changed_by_staff(request: Request) -> Response:
    """A shift that somebody changed in Teams."""
    sandbox: Sandbox = request.app.state.sandbox
    team, name = request.path_params["team"], request.path_params["shift"]
    shifts = sandbox.directory.team(team).shifts
    if name not in shifts:
        raise Refused(404, "NotFound", "No shift found")
    shifts[name]["sharedShift"] |= await _body(request)
    telling = BackgroundTask(watching.tell, sandbox.directory, team, "updated", name)
    return Response(status_code=204, background=telling)


async def _lifecycle(request: Request) -> Response:
    sandbox: Sandbox = request.app.state.sandbox
    event = str((await _body(request)).get("event"))
    telling = BackgroundTask(watching.tell_lifecycle, sandbox.directory, event)
    return Response(status_code=204, background=telling)


async def _switch(request: Request) -> Response:
    sandbox: Sandbox = request.app.state.sandbox
    sandbox.switches.update(await _body(request))
    return JSONResponse(sandbox.switches)


async def _body(request: Request) -> dict[str, Any]:
    try:
        found = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Refused(400, "BadRequest", "The body is no JSON object")
    return found


async def _shift_in(request: Request) -> dict[str, Any]:
    given = await _body(request)
    if given.keys() - _SHIFT_KEYS:
        raise Refused(400, "BadRequest", "A shift has no such property")
    return given


def _page(request: Request, items: Any) -> Response:
    return JSONResponse(held.paged(items, dict(request.query_params), str(request.url).partition("?")[0]))


def _watch(request: Request, directory: Directory) -> dict[str, Any]:
    name = request.path_params["owner"]
    if name not in directory.watches:
        raise Refused(404, "ResourceNotFound", "The object was not found")
    return directory.watches[name]


async def _refusal(request: Request, error: Exception) -> Response:
    refused = error if isinstance(error, Refused) else Refused(500, "InternalServerError")
    headers = {"Retry-After": "2"} if refused.status == 429 else None
    return JSONResponse({"error": {"code": refused.code, "message": refused.message}}, refused.status, headers)


async def _nowhere(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": {"code": "BadRequest", "message": "Resource not found for the segment"}}, 404)
