"""When a delivery is tried again, and when an endpoint is left alone. Pure: the time and chance come in.

Two clocks. A delivery has its schedule: ten attempts within some three days, each gap spread by a fifth. An endpoint has
its health: five failures in a row open its circuit, five days of failing switch it off.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

Chance = Callable[[], float]  # 0 to 1

DELAYS: Final = tuple(
    timedelta(seconds=seconds) for seconds in (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)  # before each attempt, the first at once
SPREAD: Final = 0.2
SHORTEST_WISH: Final = timedelta(seconds=1)
LONGEST_WISH: Final = timedelta(hours=1)

PATIENCE: Final = timedelta(days=5)
WARNINGS: Final = (50, 70, 90, 100)  # percent of the patience; at the last the endpoint is switched off

TRIPS_AFTER: Final = 5  # failures in a row
_FIRST_BREAK: Final = timedelta(seconds=10)
_LONGEST_BREAK: Final = timedelta(minutes=15)
_FIRST_SLOWING: Final = timedelta(seconds=5)
_LONGEST_SLOWING: Final = timedelta(minutes=5)
SLOW_DOWN: Final = frozenset({429, 502, 504})

_SECONDS: Final = re.compile(r"[0-9]{1,9}")


def next_attempt(failed: int, now: datetime, *, wish: timedelta | None, chance: Chance) -> datetime | None:
    """When to try again after so many failed attempts (1 or more); None when that was the last.

    `wish` is the receiver's Retry-After, already within its bounds: it can only put the attempt off.
    """
    if failed >= len(DELAYS):
        return None
    return now + max(spread(DELAYS[failed], chance), wish or timedelta())


def spread(delay: timedelta, chance: Chance) -> timedelta:
    """The delay, longer or shorter by up to a fifth, so that what failed together does not come back together."""
    return delay * (1 + SPREAD * (2 * chance() - 1))


def wish_of(retry_after: str | None, *, now: datetime) -> timedelta | None:
    """What a Retry-After asks for (RFC 9110 10.2.3), held between a second and an hour; None where it cannot be read."""
    text = (retry_after or "").strip()
    if _SECONDS.fullmatch(text):
        asked = timedelta(seconds=int(text))
    else:
        try:
            until = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError):
            return None
        asked = (until if until.tzinfo is not None else until.replace(tzinfo=UTC)) - now
    return min(max(asked, SHORTEST_WISH), LONGEST_WISH)


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint's deliveries went lately. A fresh one is well."""

    failures: int = 0
    """In a row."""
    failing_since: datetime | None = None
    """The first failure after the last success."""
    warned: int = 0
    """How far through the patience the clinic was told, in percent."""
    paused_until: datetime | None = None

    def paused(self, now: datetime) -> bool:
        """Whether nothing may be sent now."""
        return self.paused_until is not None and now < self.paused_until

    @property
    def probing(self) -> bool:
        """Whether it was paused and has not answered well since: one at a time, then."""
        return self.paused_until is not None

    def succeeded(self, now: datetime) -> Health:
        """After a success: all is well. A pause that began while this was under way is kept."""
        return replace(_WELL, paused_until=self.paused_until) if self.paused(now) else _WELL

    def failed(self, now: datetime, *, slow: bool, wish: timedelta | None, chance: Chance) -> Health:
        """After a failure. `slow` says that the receiver asked to be left alone for a while.

        What was under way when a pause began counts no more: it would make one bad moment look like many.
        """
        if self.paused_until is not None and now < self.paused_until:
            asked = now + wish if slow and wish is not None else now
            return replace(self, paused_until=max(self.paused_until, asked))
        failures = self.failures + 1
        pause = _pause(failures, slow=slow, wish=wish, chance=chance)
        return replace(
            self,
            failures=failures,
            failing_since=self.failing_since or now,
            paused_until=self.paused_until if pause is None else now + pause,
        )

    def used_up(self, now: datetime) -> int:
        """How much of the patience is used up, in percent."""
        return 0 if self.failing_since is None else max(0, int((now - self.failing_since) / PATIENCE * 100))

    def warning(self, now: datetime) -> int | None:
        """The warning that is due: the highest that was reached and not yet given."""
        used = self.used_up(now)
        reached = max((percent for percent in WARNINGS if percent <= used), default=0)
        return reached if reached > self.warned else None


_WELL: Final = Health()


def _pause(failures: int, *, slow: bool, wish: timedelta | None, chance: Chance) -> timedelta | None:
    """How long to send nothing after so many failures in a row; None for not at all."""
    pauses = []
    if slow:
        pauses.append(wish or min(_FIRST_SLOWING * 2 ** min(failures - 1, 10), _LONGEST_SLOWING))
    if failures >= TRIPS_AFTER:
        pauses.append(spread(min(_FIRST_BREAK * 2 ** min(failures - TRIPS_AFTER, 10), _LONGEST_BREAK), chance))
    return max(pauses, default=None)
