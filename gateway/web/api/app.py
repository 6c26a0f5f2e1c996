"""The web application: calls, callbacks and letters straight to their endpoints, all else by routes. Holds no logic."""

from __future__ import annotations

from typing import Final, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.callbacks import PREFIX
from gateway.config import Settings
from gateway.errors import GatewayError
from gateway.flows.rooms import Rooms
from gateway.web import hooks
from gateway.web.api import (
    agreements,
    bundles,
    callbacks,
    calls,
    care_contexts,
    catalog,
    connections,
    consents,
    decisions,
    deliveries,
    disclosures,
    endpoints,
    event_types,
    events,
    families,
    keys,
    log,
    notices,
    openapi,
    operations,
    patients,
    policy,
    recipients,
    refusals,
    templates,
    waiting,
    watches,
)
from gateway.web.api.calls import CallEndpoint
from gateway.web.api.desk import Desk, problem_response
from gateway.web.hooks import HookEndpoint
from gateway.web.network import NetworkEndpoint
from gateway.web.oauth import OAuthPages
from gateway.web.problems import MethodNotAllowed, NoSuchRoute
from gateway.web.reading import Limits, request_id

_HEARD: Final = ("POST", "GET")  # at a hook: a message, or a vendor that asks whether the address is ours
OPERATIONS: Final = (
    *catalog.OPERATIONS,
    *connections.OPERATIONS,
    *callbacks.OPERATIONS,
    *families.OPERATIONS,
    *consents.OPERATIONS,
    *patients.OPERATIONS,
    *care_contexts.OPERATIONS,
    *agreements.OPERATIONS,
    *policy.OPERATIONS,
    *recipients.OPERATIONS,
    *templates.OPERATIONS,
    *decisions.OPERATIONS,
    *waiting.OPERATIONS,
    *watches.OPERATIONS,
    *endpoints.OPERATIONS,
    *event_types.OPERATIONS,
    *events.OPERATIONS,
    *deliveries.OPERATIONS,
    *notices.OPERATIONS,
    *disclosures.OPERATIONS,
    *refusals.OPERATIONS,
    *log.OPERATIONS,
    *bundles.OPERATIONS,
    *keys.OPERATIONS,
    *operations.OPERATIONS,
)


_SOFTWARE: Final = ("/v1", PREFIX)  # paths that no browser shows to anybody


class Pages(Protocol):
    """The pages beside the API."""

    def routes(self) -> list[Route]:
        """Where they are."""

    async def missing(self, request: Request, error: GatewayError) -> Response:
        """What a browser is shown where nothing is."""


def application(rooms: Rooms, settings: Settings, pages: Pages) -> ASGIApp:
    """The gateway over HTTP."""
    limits = Limits(settings.max_body_bytes, settings.body_seconds)
    call, hook, desk = CallEndpoint(rooms, limits), HookEndpoint(rooms, limits), Desk(rooms, limits)
    network = NetworkEndpoint(rooms, limits)
    routes = desk.routes((*OPERATIONS, openapi.operation_of(OPERATIONS, rooms.registry)))
    # For the other methods of the paths; a POST does not come this way.
    routes += OAuthPages(rooms, limits).routes()
    routes += [Route(calls.PATH, call, methods=["POST"]), Route(hooks.PATH, hook, methods=["POST"])]
    routes += pages.routes()

    async def told(request: Request, failure: Exception) -> Response:
        return await _told(request, failure, pages)

    rest = Starlette(routes=routes, exception_handlers={HTTPException: told, Exception: told})
    rest.router.redirect_slashes = False

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == calls.PATH and scope["method"] == "POST":
            await call(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(PREFIX) and scope["method"] in _HEARD:
            await hook(scope, receive, send)
        elif scope["type"] == "http" and network.takes(scope["path"]):
            await network(scope, receive, send)
        else:
            await rest(scope, receive, send)

    return application


async def _told(request: Request, failure: Exception, pages: Pages) -> Response:
    """What Starlette found wrong: a page for a browser that looks for one, otherwise a problem document."""
    asked = request_id(request.scope["headers"])
    error: Exception = failure
    headers: dict[str, str] = {}
    if isinstance(failure, HTTPException):
        headers = {name.lower(): value for name, value in (failure.headers or {}).items()}
        error = {404: NoSuchRoute, 405: MethodNotAllowed}.get(failure.status_code, GatewayError)()
    if isinstance(error, NoSuchRoute) and not _is_for_software(request):
        return await pages.missing(request, error)
    return problem_response(error, asked, **headers)


def _is_for_software(request: Request) -> bool:
    return request.url.path.startswith(_SOFTWARE) or "text/html" not in request.headers.get("accept", "")
