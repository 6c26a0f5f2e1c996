"""Time as the simulator sees it: it stands until a test moves it, or it goes with the wall's. Nothing here sleeps.

`now` counts windows and lifetimes; `outside` is what everybody else's clock shows, and stands in whatever goes over the wire.
The two differ only where somebody skips a wall clock ahead: sixteen minutes pass in here, and none for the hospital.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

Act = Callable[[], Awaitable[None]]


class Clock:
    """Time that stands until `advance` moves it; what is due meanwhile is done in order."""

    def __init__(self, start: datetime) -> None:
        """Begin at an instant."""
        self._now = start.timestamp()
        self._due: list[tuple[float, int, Act]] = []
        self._order = itertools.count()

    def now(self) -> float:
        """Seconds since the epoch, in here."""
        return self._now

    def outside(self) -> float:
        """Seconds since the epoch, for everybody else."""
        return self._now

    def after(self, seconds: float, act: Act) -> None:
        """Do something when so much time has gone by."""
        heapq.heappush(self._due, (self.now() + seconds, next(self._order), act))

    async def advance(self, seconds: float) -> None:
        """Let time go by; what comes due on the way is done at its moment, one after the other."""
        if seconds < 0:
            raise ValueError("time does not go back")
        end = self._now + seconds
        while self._due and self._due[0][0] <= end:
            at, _, act = heapq.heappop(self._due)
            self._now = max(self._now, at)
            await act()
        self._now = end


class WallClock(Clock):
    """The wall's time, which can be skipped ahead."""

    def __init__(self) -> None:
        """Begin now."""
        super().__init__(datetime.now(UTC))
        self._skipped = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    def now(self) -> float:
        """The wall's time, and what was skipped."""
        return time.time() + self._skipped

    def outside(self) -> float:
        """The wall's time."""
        return time.time()

    def after(self, seconds: float, act: Act) -> None:
        """Do something when so much time has gone by or was skipped."""
        super().after(seconds, act)
        asyncio.get_running_loop().call_later(max(0.0, seconds), self._begin_due)

    async def advance(self, seconds: float) -> None:
        """Skip ahead, and do what comes due by that, one after the other."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._skipped += seconds
        while self._due and self._due[0][0] <= self.now():
            await heapq.heappop(self._due)[2]()

    def _begin_due(self) -> None:
        # A timer may fire a hair before its time by the wall's clock: what is due within a hundredth is due.
        while self._due and self._due[0][0] <= self.now() + 0.01:
            task = asyncio.ensure_future(_done(heapq.heappop(self._due)[2]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _done(act: Act) -> None:
    await act()


def stamp(seconds: float) -> str:
    """An instant as ABDM writes it: UTC, milliseconds, Z."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(text: str) -> float:
    """The instant that an ISO text names; raises ValueError where it names none, or no zone."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("an instant without a zone")
    return at.timestamp()
