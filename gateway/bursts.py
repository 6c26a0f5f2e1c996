"""Notice when something is refused over and over. Counts in this process; tells nobody itself."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

MANY: Final = 20
WINDOW_SECONDS: Final = 60.0
_REMEMBERED = 10_000


@dataclass(slots=True)
class _Count:
    lately: deque[float] = field(default_factory=lambda: deque(maxlen=MANY))
    untold: int = 0  # since the last alarm, or since it was quiet
    quiet_until: float = float("-inf")


class Bursts:
    """Counts refusals by what they are about, and says when they are a burst: once per window."""

    def __init__(self) -> None:
        self._counts: OrderedDict[UUID, _Count] = OrderedDict()

    def refused(self, about: UUID, now: float) -> int | None:
        """Count one refusal at this second; how many it were, if that is a burst that nobody was told of yet."""
        count = self._counts.setdefault(about, _Count())
        self._counts.move_to_end(about)
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
        if count.lately and now - count.lately[-1] > WINDOW_SECONDS:
            count.untold = 0
        count.lately.append(now)
        count.untold += 1
        if len(count.lately) < MANY or now - count.lately[0] > WINDOW_SECONDS or now < count.quiet_until:
            return None
        count.quiet_until = now + WINDOW_SECONDS
        many, count.untold = count.untold, 0
        return many
