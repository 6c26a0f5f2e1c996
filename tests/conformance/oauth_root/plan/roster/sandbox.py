"""The roster's other side: an OAuth server of one directory each, and an API that looks at each token's scopes."""

from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sandbox_oauth import OAuthServer, rule_beside

CREDENTIAL: Final = "roster-token-0123456789"
OAUTH_CLIENT: Final = ("roster-client", "roster-secret")
ACCOUNT: Final = "6f0c8a52-3f1e-4d7b-9a55-0d6f1a2b3c4d"
_RULE: Final = rule_beside(__file__)
_NEEDS: Final = {"look": {"Roster.Read.All", "Roster.ReadWrite.All"}, "book": {"Roster.ReadWrite.All"}}


def create() -> Starlette:
    """The sandbox; `app.state.oauth` is its OAuth server."""
    server = OAuthServer(_RULE, OAUTH_CLIENT, application=frozenset({"Roster.ReadWrite.All"}))
    server.give(CREDENTIAL, frozenset({"Roster.ReadWrite.All"}))
    app = Starlette(routes=[*server.routes, Route("/v1/{action}", _act, methods=["POST"])])
    app.state.oauth = server
    return app


def approve(app: Starlette, url: str) -> str:
    """Where somebody who says yes at this address is sent."""
    server: OAuthServer = app.state.oauth
    return server.approve(url)


async def _act(request: Request) -> Response:
    server: OAuthServer = request.app.state.oauth
    scopes = server.scopes_of(request.headers.get("authorization"))
    if scopes is None:
        return JSONResponse({"error": "unauthorized"}, 401)
    if not {scope.removeprefix(_RULE.scope_prefix) for scope in scopes} & _NEEDS[request.path_params["action"]]:
        return JSONResponse({"error": "forbidden"}, 403)
    return JSONResponse({"id": "evt_1", "status": "accepted"})
