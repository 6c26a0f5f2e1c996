"""/hooks/{connection}: where vendors call us. Reads within the vendor's deadline, answers, and keeps nothing.

Straight on ASGI: what is verified is the bytes that came. A message that is not taken gets a problem document that says so
and nothing else: not why, and not a word of the message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from time import monotonic
from typing import Final
from uuid import UUID

from starlette.types import Receive, Send
from starlette.types import Scope as Asgi

from gateway import metrics
from gateway.callbacks import PREFIX
from gateway.errors import BodyTooLarge, InvalidRequest, NotFound
from gateway.flows import inbound
from gateway.flows.inbound import Received
from gateway.flows.rooms import Rooms
from gateway.log import Log
from gateway.metrics import Result
from gateway.web.answering import HEADERS, answer, header_list
from gateway.web.hearing import MOST_HEADER_BYTES, Deadline, NotNow, NotTaken, result_of
from gateway.web.problems import BodyTooSlow, MethodNotAllowed, Problem, problem_of, told
from gateway.web.reading import ClientGone, Headers, Limits, headers_once, request_id

log = Log("gateway.web")

PATH: Final = f"{PREFIX}{{connection}}"
_ID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_TEXT: Final = (*HEADERS, (b"content-type", b"text/plain; charset=utf-8"))
_SHARE: Final = 0.6  # of the vendor's deadline: the rest is the network's
_FINDING_SECONDS: Final = 3.0  # how long looking for the connection may take, whose deadline is not known yet


class NoHook(NotFound):
    """Nobody takes messages there; a connection that is revoked is not told from one that never was."""

    title = "Nobody takes messages at this address"


@dataclass(slots=True)
class _Visit:
    """One request on its way: what was found so far."""

    since: float
    connection: UUID | None = None
    connector: str = metrics.NO_CONNECTOR
    until: float = 0.0


class HookEndpoint:
    """The ASGI application behind /hooks/{connection}: messages by POST, and handshakes."""

    def __init__(self, rooms: Rooms, limits: Limits) -> None:
        self._rooms = rooms
        self._limits = limits
        self._deadline = Deadline()

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """Answer one message; where it was one refusal too many, tell of it once the answer is out."""
        asked = request_id(scope["headers"])
        visit = _Visit(monotonic())
        try:
            received, problem = await self._judged(visit, scope, receive, asked)
        except ClientGone:
            return
        metrics.callback(visit.connector, received.result, received.code)
        await _send(send, received.text, problem, asked)
        if received.burst is not None and visit.connection is not None:
            await self._alarm(visit.connection, received.burst)

    async def _judged(
        self, visit: _Visit, scope: Asgi, receive: Receive, asked: str
    ) -> tuple[Received, Problem | None]:
        """What became of a message, and the problem that its sender is told of, if there is one."""
        try:
            received = await self._received(visit, scope, receive)
        except ClientGone:
            raise
        except NotFound:
            return Received(Result.NOWHERE), problem_of(NoHook(), asked)
        except MethodNotAllowed as failure:
            problem = problem_of(failure, asked)
            problem.headers["allow"] = "POST"
            return Received(Result.REFUSED, "method_not_allowed"), problem
        except Exception as failure:
            return Received(result_of(failure)), told(failure, asked)
        error = {Result.REFUSED: NotTaken, Result.SUSPENDED: NotNow}.get(received.result)
        return received, None if error is None else problem_of(error(), asked)

    async def _received(self, visit: _Visit, scope: Asgi, receive: Receive) -> Received:
        """The steps in their order; nothing is read before there is somebody whom it could be for."""
        connection = await self._find(visit, scope)
        if scope["method"] != "POST" or scope["query_string"]:
            shaken = await inbound.shaken(connection, scope["method"], self._url(scope), self._rooms)
            if shaken is not None:
                return shaken
            if scope["method"] != "POST":
                raise MethodNotAllowed
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MOST_HEADER_BYTES:
            return self._refused(connection, "header_too_long")
        try:
            seconds = min(self._limits.body_seconds, visit.until - monotonic())
            raw_body = await Headers(scope["headers"]).body(receive, Limits(self._limits.body_bytes, seconds))
        except (BodyTooLarge, BodyTooSlow):
            raise
        except InvalidRequest:
            return self._refused(connection, "malformed_request")
        headers, url = headers_once(scope["headers"]), self._url(scope)
        work = inbound.receive(connection, raw_body, headers, url, self._rooms)
        return await self._deadline.within(visit.until - monotonic(), work)

    async def _find(self, visit: _Visit, scope: Asgi) -> UUID:
        """The connection that the message is for, and until when to answer. Raises NoHook."""
        name = scope["path"].removeprefix(PREFIX)
        if not _ID.fullmatch(name):
            raise NoHook
        door = await self._deadline.within(_FINDING_SECONDS, self._rooms.callbacks.door(UUID(name)))
        reader = inbound.reader(door.connector, self._rooms)
        visit.connection, visit.connector = door.connection, door.connector
        visit.until = visit.since + _SHARE * reader.deadline_seconds
        return door.connection

    def _refused(self, connection: UUID, code: str) -> Received:
        return Received(Result.REFUSED, code, self._rooms.callbacks.bursts.refused(connection, monotonic()))

    async def _alarm(self, connection: UUID, count: int) -> None:
        try:
            await inbound.alarm(connection, count, self._rooms)
        except Exception as failure:
            log.error("callback_alarm_failed", failure=failure, connection=connection)

    def _url(self, scope: Asgi) -> str:
        """The address that the vendor called. Where nobody set it, no host is made up: then it fits no signature."""
        doors = self._rooms.callbacks
        base = doors.public_url or ""
        if not base and doors.trusts_host:
            hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
            base = f"{scope['scheme']}://{hosts[0]}" if len(hosts) == 1 else ""
        raw_path = scope.get("raw_path") or scope["path"].encode()
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        path: bytes = raw_path.partition(b"?")[0] + query
        return base + path.decode("latin-1")


async def _send(send: Send, text: str | None, problem: Problem | None, asked: str) -> None:
    """An empty 200, which every vendor takes for an acknowledgement, the text that it asked for, or the problem."""
    if problem is None:
        await answer(send, 200, HEADERS if text is None else _TEXT, (text or "").encode(), asked)
    else:
        await answer(send, problem.status, header_list(problem), problem.body, asked)
