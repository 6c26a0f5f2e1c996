"""Wait for something within a time. Where it is there already no clock is started, since that costs more than the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine as as_coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


async def within(seconds: float, work: Coroutine[Any, Any, _Result]) -> _Result:
    """What the work returns; raises TimeoutError where that takes longer, counted from when it first has to wait."""
    try:
        waits_for = work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    async with asyncio.timeout(seconds):
        return await _going_on(work, waits_for)


@as_coroutine
def _going_on(work: Coroutine[Any, Any, _Result], waits_for: Any) -> Generator[Any, Any, _Result]:
    """The rest of some work that waits already."""
    try:
        yield waits_for
    except BaseException as stop:
        yield work.throw(stop)  # raises, unless the work has to wait once more to put things away
    result: _Result = yield from work
    return result
