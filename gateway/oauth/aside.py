"""Vendors' SDKs, away from the event loop: imported and run in a few threads of their own; what they send goes by the door.

An SDK takes half a second to import and blocks while it waits. Neither may happen where live calls are carried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    import httpx2

_THREADS: Final = 4
_SECONDS: Final = 45.0  # longer than the door waits for a vendor
_Made = TypeVar("_Made")
Send = Callable[["httpx2.Request"], Awaitable["httpx2.Response"]]

_aside = ThreadPoolExecutor(_THREADS, thread_name_prefix="oauth-sdk")


async def aside(work: Callable[[Callable[[httpx2.Request], httpx2.Response]], _Made], send: Send) -> _Made:
    """Run the work in a thread; it is handed the door, as something to call from there."""
    loop = asyncio.get_running_loop()

    def by_the_door(request: httpx2.Request) -> httpx2.Response:
        async def sent() -> httpx2.Response:
            return await send(request)

        return asyncio.run_coroutine_threadsafe(sent(), loop).result(_SECONDS)

    return await loop.run_in_executor(_aside, work, by_the_door)
