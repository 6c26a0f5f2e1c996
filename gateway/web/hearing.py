"""What hearing vendors and networks has in common: how long it may take, what is said where a message is not taken."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from gateway.errors import BodyTooLarge, GatewayError, Unavailable
from gateway.metrics import Result
from gateway.web.problems import BodyTooSlow

MOST_HEADER_BYTES: Final = 32 * 1024
_Found = TypeVar("_Found")


class NotTaken(GatewayError):
    """The message is not the vendor's, is not fresh, or cannot be read."""

    status = 400
    code = "callback_refused"
    title = "This message is not taken: it is not genuine, not fresh or not readable"


class NotNow(GatewayError):
    """The message is genuine, and the clinic lets nothing through for now."""

    status = 503
    code = "connection_suspended"
    title = "This connection takes nothing just now; send the message again later"


class Deadline:
    """Answers in time; what takes longer is put away in its own time."""

    def __init__(self) -> None:
        self._late: set[asyncio.Task[Any]] = set()

    async def within(self, seconds: float, work: Coroutine[Any, Any, _Found]) -> _Found:
        """What the work gives within a time; otherwise Unavailable at once, without waiting for it to be put away."""
        task = asyncio.ensure_future(work)
        try:
            done, _ = await asyncio.wait({task}, timeout=max(seconds, 0))
        except asyncio.CancelledError:
            task.cancel()
            raise
        if done:
            return task.result()
        self._late.add(task)
        task.add_done_callback(self._ended)
        task.cancel()
        raise Unavailable("this took longer than the vendor waits; send the message again")

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._late.discard(task)
        if not task.cancelled():
            task.exception()  # it is told of already, as taking too long


def result_of(failure: Exception) -> Result:
    """What is counted of a message that could not be taken."""
    if isinstance(failure, BodyTooLarge):
        return Result.TOO_LARGE
    if isinstance(failure, BodyTooSlow):
        return Result.TOO_SLOW
    return Result.UNAVAILABLE if isinstance(failure, Unavailable) else Result.FAILED
