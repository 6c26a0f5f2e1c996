"""Where networks of records call us, at one address for all clinics. Reads, answers 202 at once, and keeps nothing.

Straight on ASGI: what is stored is the bytes that came. A letter that is not taken gets a problem document that says so and
nothing else: not why, not whether the facility is somebody's here, and not a word of the letter.
"""

from __future__ import annotations

from time import monotonic
from typing import Final

from starlette.types import Receive, Send
from starlette.types import Scope as Asgi

from gateway import metrics
from gateway.errors import BodyTooLarge, InvalidRequest
from gateway.flows.network.arriving import Arrived, alarm, arrive, refuse
from gateway.flows.rooms import Rooms
from gateway.metrics import Result
from gateway.web.answering import HEADERS, answer, header_list
from gateway.web.hearing import MOST_HEADER_BYTES, Deadline, NotNow, NotTaken, result_of
from gateway.web.problems import BodyTooSlow, MethodNotAllowed, Problem, problem_of, told
from gateway.web.reading import ClientGone, Headers, Limits, headers_once, request_id

_ANSWER_SECONDS: Final = 8.0  # a network waits ten seconds or longer; a patient at a desk waits for it, too
_JSON: Final = (*HEADERS, (b"content-type", b"application/json"))


class NetworkEndpoint:
    """The ASGI application behind every network's prefix: letters by POST."""

    def __init__(self, rooms: Rooms, limits: Limits) -> None:
        self._rooms = rooms
        self._limits = limits
        self._deadline = Deadline()

    def takes(self, path: str) -> bool:
        """Whether a network calls at this path."""
        return self._rooms.networks.at(path) is not None

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """Answer one letter; where it was one refusal too many, tell the operator once the answer is out."""
        asked = request_id(scope["headers"])
        connector = self._rooms.networks.at(scope["path"])
        assert connector is not None
        try:
            arrived, problem = await self._judged(connector, scope, receive, asked)
        except ClientGone:
            return
        metrics.callback(connector, arrived.result, arrived.code)
        if arrived.late:
            metrics.late(connector)
        if problem is None:
            await answer(send, 202, _JSON, b"{}", asked)
        else:
            await answer(send, problem.status, header_list(problem), problem.body, asked)
        if arrived.burst is not None:
            alarm(connector, arrived.burst)

    async def _judged(
        self, connector: str, scope: Asgi, receive: Receive, asked: str
    ) -> tuple[Arrived, Problem | None]:
        """What became of a letter, and the problem that its sender is told of, if there is one."""
        if scope["method"] != "POST":
            problem = problem_of(MethodNotAllowed(), asked)
            problem.headers["allow"] = "POST"
            return Arrived(Result.REFUSED, "method_not_allowed"), problem
        try:
            arrived = await self._arrived(connector, scope, receive)
        except ClientGone:
            raise
        except Exception as failure:
            return Arrived(result_of(failure)), told(failure, asked)
        error = {Result.REFUSED: NotTaken, Result.SUSPENDED: NotNow}.get(arrived.result)
        return arrived, None if error is None else problem_of(error(), asked)

    async def _arrived(self, connector: str, scope: Asgi, receive: Receive) -> Arrived:
        """The steps in their order."""
        until = monotonic() + _ANSWER_SECONDS
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MOST_HEADER_BYTES:
            return refuse(connector, "header_too_long", self._rooms)
        try:
            limits = Limits(self._limits.body_bytes, min(self._limits.body_seconds, until - monotonic()))
            raw_body = await Headers(scope["headers"]).body(receive, limits)
        except (BodyTooLarge, BodyTooSlow):
            raise
        except InvalidRequest:
            return refuse(connector, "malformed_request", self._rooms)
        path = scope["path"].removeprefix(self._rooms.networks.known[connector].PREFIX)
        work = arrive(connector, path, raw_body, headers_once(scope["headers"]), self._rooms)
        return await self._deadline.within(until - monotonic(), work)
