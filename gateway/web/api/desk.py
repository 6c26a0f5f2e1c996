"""Take a request to its operation and the reply back: caller, scope, parameters, body, repeats, errors. Knows no noun."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gateway.calls import Actor
from gateway.errors import Forbidden, InvalidRequest
from gateway.flows.rooms import Rooms
from gateway.web.answering import HEADERS
from gateway.web.api.answers import Told
from gateway.web.api.models import Given
from gateway.web.api.operation import JSON, Asked, Operation, Reply
from gateway.web.api.repeats import once
from gateway.web.faults import validated
from gateway.web.problems import told
from gateway.web.reading import ClientGone, Headers, Limits, json_of, request_id
from scopes.fault import Fault
from scopes.scope import includes

NOBODY = Actor("nobody", "nobody", UUID(int=0), ())  # of operations that are open to everybody
_FIXED = {name.decode(): value.decode() for name, value in HEADERS}


class Desk:
    """Turns operations into routes."""

    def __init__(self, rooms: Rooms, limits: Limits) -> None:
        self._rooms = rooms
        self._limits = limits

    def routes(self, operations: Iterable[Operation]) -> list[Route]:
        """One route per path, so that a wrong method is told all the right ones."""
        by_path: dict[str, dict[str, Operation]] = {}
        for operation in operations:
            by_path.setdefault(operation.path, {})[operation.method] = operation
        return [self._route(path, methods) for path, methods in by_path.items()]

    def _route(self, path: str, methods: Mapping[str, Operation]) -> Route:
        async def endpoint(request: Request) -> Response:
            asked = request_id(request.scope["headers"])
            operation = methods["GET" if request.method == "HEAD" else request.method]
            try:
                return await self._answered(operation, request, asked)
            except ClientGone:
                return Response(status_code=400)  # nobody reads it
            except Exception as failure:
                return problem_response(failure, asked)

        return Route(path, endpoint, methods=list(methods))

    async def _answered(self, operation: Operation, request: Request, asked: str) -> Response:
        """The steps in their order; nothing of the request is read before its caller may make it."""
        headers = Headers(request.scope["headers"])
        actor = await self._let_in(operation, headers)
        query = _query(operation, request)
        key = headers.idempotency_key if operation.method == "POST" else None
        body = await self._body(operation, headers, request)
        this = Asked(actor, self._rooms, asked, dict(request.path_params), query, body)
        if key is None or not operation.keeps_reply:
            return await _response(operation, await operation.act(this), asked)
        return await self._once(operation, this, key)

    async def _let_in(self, operation: Operation, headers: Headers) -> Actor:
        if operation.needs is None:
            return NOBODY
        actor = await self._rooms.callers.caller(headers.authorization)
        if not includes(actor.scopes, operation.needs):
            raise Forbidden(f"this needs the scope {operation.needs}")
        return actor

    async def _body(self, operation: Operation, headers: Headers, request: Request) -> Given | None:
        if operation.body is None:
            return None
        headers.check_json()
        limits = self._limits
        if operation.largest_bytes is not None:
            limits = replace(limits, body_bytes=max(limits.body_bytes, operation.largest_bytes))
        raw = await headers.body(request.receive, limits)
        return validated(operation.body, json_of(raw), what="the body")

    async def _once(self, operation: Operation, this: Asked, key: str) -> Response:
        async def act() -> tuple[int, bytes]:
            reply = await operation.act(this)
            return operation.status, _plain(reply)

        body = this.body.model_dump(mode="json") if this.body is not None else None
        wanted = [operation.method, operation.path, {name: str(part) for name, part in this.path.items()}, body]
        status, kept = await once(key, wanted, act, actor=this.actor, rooms=this.rooms)
        return Response(kept, status, _headers(this.request_id), JSON if kept else None)


def problem_response(failure: Exception, asked: str, **headers: str) -> Response:
    """A failure as a response."""
    problem = told(failure, asked)
    return Response(problem.body, problem.status, {**_headers(asked), **problem.headers, **headers})


def _query(operation: Operation, request: Request) -> Given | None:
    """The parameters in the address, each known and there once."""
    given = request.query_params.multi_items()
    if operation.query is None:
        if given:
            raise InvalidRequest("this takes no parameters in the address")
        return None
    names = [name for name, _ in given]
    twice = sorted({name for name in names if names.count(name) > 1} & operation.query.model_fields.keys())
    if twice:
        raise InvalidRequest(faults=[Fault(name, "must be there once") for name in twice])
    return validated(operation.query, dict(given), what="the address")


async def _response(operation: Operation, reply: Reply, asked: str) -> Response:
    headers = {**_headers(asked), **reply.headers}
    if isinstance(reply.content, AsyncIterator):
        chunks = reply.content
        first = await anext(chunks, b"")  # whatever keeps it from starting is told as a problem, not as half a file
        return StreamingResponse(_joined(first, chunks), operation.status, headers, operation.media)
    return Response(_plain(reply), operation.status, headers, None if reply.content is None else operation.media)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def _plain(reply: Reply) -> bytes:
    content: Any = reply.content
    if isinstance(content, Told):
        return content.model_dump_json().encode()
    if isinstance(content, str):
        return content.encode()
    return content if isinstance(content, bytes) else b""


def _headers(asked: str) -> dict[str, str]:
    return {**_FIXED, "x-request-id": asked}
