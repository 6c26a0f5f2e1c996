"""Waiting within a time: what is there at once, what comes in time, what does not, and who gives up meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from gateway.web.within import within

PUT_AWAY: list[str] = []


async def at_once() -> str:
    return "here"


async def twice(seconds: float) -> str:
    """Waits two times, and once more to put its things away."""
    try:
        await asyncio.sleep(seconds)
        await asyncio.sleep(seconds)
    finally:
        await asyncio.sleep(0)
        PUT_AWAY.append("all")
    return "later"


async def fails(after: float | None) -> str:
    if after is not None:
        await asyncio.sleep(after)
    raise LookupError


async def test_what_is_there_comes_back_whatever_the_time() -> None:
    assert await within(0, at_once()) == "here"


async def test_what_takes_a_while_comes_back_within_its_time() -> None:
    assert await within(5, twice(0.001)) == "later"


async def test_what_takes_too_long_is_stopped_and_puts_its_things_away() -> None:
    PUT_AWAY.clear()
    for seconds in (0.05, 5):  # stopped while it waits the second time, and the first
        with pytest.raises(TimeoutError):
            await within(0.075, twice(seconds))
    assert PUT_AWAY == ["all", "all"]


@pytest.mark.parametrize("after", [None, 0, 0.001])
async def test_a_failure_comes_out_as_it_is(after: float | None) -> None:
    with pytest.raises(LookupError):
        await within(5, fails(after))


async def test_who_is_cancelled_stops_the_work() -> None:
    PUT_AWAY.clear()
    waiting = asyncio.create_task(within(5, twice(5)))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert PUT_AWAY == ["all"]
