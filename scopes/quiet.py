"""The hours in which nobody is reached, by the clock of the person's own place. Asks no clock and knows no person."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from scopes.vocabulary import Otherwise

_SECOND: Final = timedelta(seconds=1)
# A zone that crosses the date line skips a whole day (Samoa, 30 December 2011): two nights back may still reach to now.
_NIGHTS: Final = (-2, -1, 0, 1)


def zone_of(name: str) -> tzinfo | None:
    """The time zone of an IANA name; None where there is no such zone."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # OSError: the name is a folder of the zones' files
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From when until when, each day; over midnight where they end before they begin.

    Where a clock is put back, quiet is from the first time that it shows `begins` until the last time that it shows
    `ends`. Where it is put forward over one of them, that is the moment at which it is put forward.
    """

    begins: time
    ends: time
    otherwise: Otherwise = Otherwise.WAIT

    def __post_init__(self) -> None:
        if self.begins == self.ends:
            raise ValueError("quiet hours that end when they begin would never end")

    def end_after(self, now: datetime, zone: tzinfo) -> datetime | None:
        """When the quiet ends that holds at this moment; None where none holds."""
        end = None
        for begins, ends in self._nights(now.astimezone(zone).date(), zone):
            if begins <= (end or now) < ends:
                end = ends
        return end

    def __str__(self) -> str:
        return f"{self.begins:%H:%M} until {self.ends:%H:%M}"

    def _nights(self, today: date, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
        over_midnight = timedelta(days=self.ends < self.begins)
        for day in (today + timedelta(days=night) for night in _NIGHTS):
            begins = _moment(datetime.combine(day, self.begins), zone, last=False)
            yield begins, _moment(datetime.combine(day + over_midnight, self.ends), zone, last=True)


def _moment(shown: datetime, zone: tzinfo, *, last: bool) -> datetime:
    """The first or the last moment at which the clock shows this; where it skips it, the moment at which it does so."""
    early, late = (shown.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early <= late:
        return late if last else early
    # Skipped: read with the offset from before, a time that is not shown lies after the change (PEP 495).
    before, after, offset = late, early, late.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
