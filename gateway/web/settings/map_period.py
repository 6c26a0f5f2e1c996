"""Which days a page counts: the last so many, or from one day until another, as its address says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from gateway.errors import InvalidRequest
from gateway.tallies import Period
from scopes.fault import Fault

CHOICES: Final = (7, 30, 90, 365)
_USUAL: Final = 30
_MOST_DAYS: Final = 3_660


@dataclass(frozen=True, slots=True)
class Chosen:
    """A period; `days` is None where it was given by its ends. `until` is the last day that belongs to it."""

    period: Period
    days: int | None

    @property
    def since(self) -> date:
        """The first day."""
        return self.period.since

    @property
    def until(self) -> date:
        """The last day."""
        return self.period.until - timedelta(days=1)

    @property
    def query(self) -> str:
        """The same as a part of an address."""
        return f"days={self.days}" if self.days else f"from={self.since}&until={self.until}"

    def __str__(self) -> str:
        return f"{self.since:%-d %b %Y} to {self.until:%-d %b %Y}"


def usual(now: datetime) -> Chosen:
    """The last 30 days."""
    return Chosen(Period.of_last(_USUAL, now=now.astimezone(UTC)), _USUAL)


def chosen(query: Mapping[str, str], now: datetime) -> Chosen:
    """The period that an address asks for. Raises InvalidRequest for what is none."""
    given = {name: query[name].strip() for name in ("from", "until") if query.get(name, "").strip()}
    if given:
        return Chosen(_between(given, now.astimezone(UTC).date()), None)
    if "days" not in query:
        return usual(now)
    if query["days"] not in map(str, CHOICES):
        raise InvalidRequest(f"count the last {', '.join(map(str, CHOICES))} days, or say from when until when")
    return Chosen(Period.of_last(int(query["days"]), now=now.astimezone(UTC)), int(query["days"]))


def asked(query: Mapping[str, str], period: Chosen) -> Mapping[str, str]:
    """The two days as they stand in the form: as they were typed, else the period's own."""
    return {"from": query.get("from", str(period.since)), "until": query.get("until", str(period.until))}


def _between(given: Mapping[str, str], today: date) -> Period:
    found, faults = {}, []
    for name, text in given.items():
        try:
            found[name] = date.fromisoformat(text)
        except ValueError:
            faults.append(Fault(name, "Give a day, such as 2026-01-31."))
    if not faults:
        last = found.get("until", today)
        first = found.get("from", date.fromordinal(max(1, last.toordinal() - _USUAL + 1)))
        if first > last:
            faults.append(Fault("until", "It ends before it begins."))
        elif (last - first).days >= _MOST_DAYS or last == date.max:
            faults.append(Fault("from", "Ten years are the most."))
        else:
            return Period(first, last + timedelta(days=1))
    raise InvalidRequest(faults=faults)
