"""How often a person may be reached on one channel, and how often they were. Knows no person and asks no clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scopes.consent import Channel
from scopes.vocabulary import Otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """At most so many messages to one person in any so many hours. Without a channel it holds for each by itself."""

    most: int
    hours: int
    channel: Channel | None = None
    otherwise: Otherwise = Otherwise.WAIT

    def __post_init__(self) -> None:
        if self.most < 1 or self.hours < 1:
            raise ValueError("a cap of none is no cap; let nobody consent, or switch the feature off")

    def holds_for(self, channel: Channel) -> bool:
        """Whether messages on this channel count, and are counted by themselves."""
        return self.channel is None or self.channel is channel

    def room(self, sent: Sequence[datetime], now: datetime) -> int:
        """How many more may go at this moment; none where it is less than one."""
        return self.most - len(self._counted(sent, now))

    def free_at(self, sent: Sequence[datetime], now: datetime) -> datetime | None:
        """When one more may go; None where it may go at this moment. `sent` is in order of time."""
        counted = self._counted(sent, now)
        return counted[-self.most] + timedelta(hours=self.hours) if len(counted) >= self.most else None

    def _counted(self, sent: Sequence[datetime], now: datetime) -> Sequence[datetime]:
        since = now - timedelta(hours=self.hours)
        return [at for at in sent if at > since]

    def __str__(self) -> str:
        return f"{self.most} in {self.hours} h"


@dataclass(frozen=True, slots=True)
class Reached:
    """How often a person was reached on one channel: the number of the last message, and when each went that counts."""

    last: int = 0
    sent: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Reach:
    """The place that a permission takes among a person's messages on one channel; `at_most` is the last one that it may."""

    channel: Channel
    at_most: int | None = None
