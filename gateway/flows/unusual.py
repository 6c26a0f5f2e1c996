"""Find what is out of the ordinary in a clinic's log: new hosts, new kinds of data, a flood, the night. Judges nothing.

Everything comes from the counts, so that it costs the same however much a clinic discloses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from statistics import median
from typing import Final
from uuid import UUID

from gateway.flows.rooms import Rooms
from gateway.store import tallies as rows
from gateway.tallies import Party, Through
from scopes.quiet import zone_of

NIGHT_BEGINS: Final = time(22)
NIGHT_ENDS: Final = time(6)
HISTORY_DAYS: Final = 28
LEAST_HISTORY_DAYS: Final = 7
LEAST: Final = 20
TIMES_USUAL: Final = 3
TIMES_MOST: Final = 1.5
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Debut:
    """The first disclosure to a recipient at a host (`what` is host) or of a kind of data (category)."""

    party: Party
    what: str
    name: str
    at: datetime
    disclosure: UUID
    known_since: datetime
    """The recipient's first of all."""

    @property
    def new_recipient(self) -> bool:
        """Whether nothing had gone to the recipient before."""
        return self.at == self.known_since


@dataclass(frozen=True, slots=True)
class Flood:
    """A day on which a recipient got many times of what it usually gets."""

    party: Party
    day: date
    number: int
    usual: int
    most: int


@dataclass(frozen=True, slots=True)
class Night:
    """Disclosures between an evening and the next morning."""

    begins: datetime
    ends: datetime
    number: int


@dataclass(frozen=True, slots=True)
class Nights:
    """What one recipient got at night, the latest night first."""

    party: Party
    nights: tuple[Night, ...]

    @property
    def number(self) -> int:
        """All of it."""
        return sum(night.number for night in self.nights)


@dataclass(frozen=True, slots=True)
class Unusual:
    """All of it, of the last so many days."""

    through: Through
    days: int
    time_zone: str
    debuts: tuple[Debut, ...]
    floods: tuple[Flood, ...]
    nights: tuple[Nights, ...]

    @property
    def number(self) -> int:
        """How many things there are to look at."""
        return len(self.debuts) + len(self.floods) + len(self.nights)


async def unusual(tenant: UUID, days: int, rooms: Rooms) -> Unusual:
    """What was out of the ordinary in the last days, today included."""
    through = await rooms.tallies.roll(tenant)
    policy = await rooms.agreements.policy(tenant)
    zone, now = zone_of(policy.time_zone) or UTC, rooms.clock()
    today = now.astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    spans = _nights(now, days, zone)
    async with rooms.store.reading(tenant) as connection:
        known = {row.party: Party(*row[1:]) for row in await rows.parties(connection, tenant)}
        since = datetime.combine(first, time(), UTC)
        debuts = await rows.debuts(connection, tenant, since, _MOST)
        begun = first - timedelta(days=HISTORY_DAYS)
        sent = await rows.sent(connection, tenant, begun, today + timedelta(days=1))
        at_night = await rows.nights(connection, tenant, [each[0] for each in spans], [each[1] for each in spans])
    return Unusual(
        through, days, policy.time_zone if zone_of(policy.time_zone) else "UTC",
        tuple(_debuts(debuts, known)), tuple(_floods(sent, known, begun, days)), tuple(_by_party(at_night, known, spans)),
    )  # fmt: skip


def _debuts(found: Sequence[rows.DebutRow], known: dict[int, Party]) -> Iterator[Debut]:
    """A new recipient's kinds of data are no news beside itself, so that only what came on a later day counts."""
    for row in found:
        debut = Debut(known[row.party], row.what, row.name, row.at, row.id, row.known_since)
        if row.what == "host" or row.at.date() > row.known_since.date():
            yield debut


def _floods(sent: Sequence[rows.SentRow], known: dict[int, Party], begun: date, days: int) -> Iterator[Flood]:
    """A day counts when it is far from what was usual, and from the most, of the four weeks before it."""
    length = HISTORY_DAYS + days
    numbers: dict[int, list[int]] = defaultdict(lambda: [0] * length)
    for row in sent:
        for day, number in zip(row.days, row.numbers, strict=True):
            numbers[row.party][day] += number
    found = []
    for party, counts in numbers.items():
        began = next(day for day, number in enumerate(counts) if number)
        for day in range(max(HISTORY_DAYS, began + LEAST_HISTORY_DAYS), length):
            before = counts[max(began, day - HISTORY_DAYS) : day]
            usual, most = int(median(before)), max(before)
            if counts[day] >= LEAST and counts[day] > TIMES_USUAL * usual and counts[day] > TIMES_MOST * most:
                found.append(Flood(known[party], begun + timedelta(days=day), counts[day], usual, most))
    yield from sorted(found, key=lambda flood: (flood.day, flood.number), reverse=True)[:_MOST]


def _nights(now: datetime, days: int, zone: tzinfo) -> list[tuple[datetime, datetime]]:
    """The last nights by the clinic's clock, the latest first; the one that begins tonight is not there yet."""
    today = now.astimezone(zone).date()
    found = []
    for back in range(days + 1):
        evening = today - timedelta(days=back)
        begins = datetime.combine(evening, NIGHT_BEGINS, zone).astimezone(UTC)
        ends = datetime.combine(evening + timedelta(days=1), NIGHT_ENDS, zone).astimezone(UTC)
        if begins <= now:
            found.append((begins, ends))
    return found


def _by_party(
    found: Sequence[rows.NightRow], known: dict[int, Party], spans: Sequence[tuple[datetime, datetime]]
) -> Iterator[Nights]:
    nights: dict[int, list[Night]] = defaultdict(list)
    for row in sorted(found):
        nights[row.party].append(Night(*spans[row.span], row.number))
    gathered = [Nights(known[party], tuple(each)) for party, each in nights.items()]
    yield from sorted(gathered, key=lambda each: -each.number)[:_MOST]
