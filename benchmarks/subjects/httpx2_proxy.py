"""(B) A bare Starlette + httpx2 reverse proxy: no check, no record."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.subjects.served import HOP_BY_HOP, serve


def proxy(upstream: str) -> Starlette:
    """An app that passes every request on."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx2.AsyncClient(base_url=upstream, limits=limits, timeout=30, trust_env=False) as client:
            app.state.client = client
            yield

    async def forward(request: Request) -> Response:
        headers = [(name, value) for name, value in request.headers.items() if name not in HOP_BY_HOP]
        answer = await request.app.state.client.request(
            request.method, request.url.path, content=await request.body(), headers=headers
        )
        return Response(answer.content, answer.status_code, {"content-type": answer.headers["content-type"]})

    return Starlette(routes=[Route("/{path:path}", forward, methods=["GET", "POST"])], lifespan=lifespan)


if __name__ == "__main__":
    serve(proxy(sys.argv[1]))
