"""The echo's other side: takes anything from whoever has the key, and remembers it for the tests to look at."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CREDENTIAL = "echo_test_0123456789"


def create() -> Starlette:
    """The sandbox; `app.state.heard` holds the raw bodies that came."""
    app = Starlette(routes=[Route("/{what}", _hear, methods=["POST"])])
    app.state.heard = []
    return app


async def _hear(request: Request) -> Response:
    if request.headers.get("x-echo-key") != CREDENTIAL:
        return JSONResponse({"error": "no"}, 401)
    request.app.state.heard.append(await request.body())
    return JSONResponse({"id": f"msg_{len(request.app.state.heard)}", "status": "heard", "surplus": "dropped"})
