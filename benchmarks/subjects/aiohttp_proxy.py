"""(C) A bare Starlette + aiohttp reverse proxy: no check, no record."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.subjects.served import HOP_BY_HOP, serve


def proxy(upstream: str) -> Starlette:
    """An app that passes every request on."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            app.state.session = session
            yield

    async def forward(request: Request) -> Response:
        headers = [(name, value) for name, value in request.headers.items() if name not in HOP_BY_HOP]
        body = await request.body()
        async with request.app.state.session.request(
            request.method, upstream + request.url.path, data=body, headers=headers, allow_redirects=False
        ) as answer:
            return Response(await answer.read(), answer.status, {"content-type": answer.headers["content-type"]})

    return Starlette(routes=[Route("/{path:path}", forward, methods=["GET", "POST"])], lifespan=lifespan)


if __name__ == "__main__":
    serve(proxy(sys.argv[1]))
