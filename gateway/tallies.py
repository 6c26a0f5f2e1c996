"""What a clinic's ledger comes to, by UTC day: who got how much of what, what came of it, what was refused. Reads and counts.

The counts are rolled forward from the entries, before a read by so many at most; each answer says how far it counts. No
subject and no value is in them. Whether something is declared, or allowed, is said elsewhere.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Generic, TypeVar
from uuid import UUID

import asyncpg

from gateway.store import tallies as rows
from gateway.store.pool import Store
from scopes.vocabulary import Outcome

OPEN: Final = "open"  # a disclosure without an outcome yet
AT_ONCE: Final = 5_000  # entries in one transaction: a tenth of a second
_BEFORE_A_READ: Final = 20_000
_NOT_TAKEN: Final = frozenset({str(Outcome.REJECTED), str(Outcome.FAILED), str(Outcome.UNKNOWN)})


@dataclass(frozen=True, slots=True)
class Period:
    """Days in UTC, from the first one on; `until` is the first that does not belong to it."""

    since: date
    until: date

    @classmethod
    def of_last(cls, days: int, *, now: datetime) -> Period:
        """The last so many days, today included; `now` is in UTC."""
        tomorrow = now.date() + timedelta(days=1)
        return cls(tomorrow - timedelta(days=days), tomorrow)

    @property
    def days(self) -> int:
        """How many there are."""
        return max(0, (self.until - self.since).days)


@dataclass(frozen=True, slots=True)
class Through:
    """How far was counted: every entry below `next`, of a log that had `size`."""

    next: int
    size: int

    @property
    def complete(self) -> bool:
        """Whether nothing is left to count."""
        return self.next >= self.size


_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Counts(Generic[_Item]):
    """What was counted, and how far."""

    through: Through
    items: tuple[_Item, ...]


@dataclass(frozen=True, slots=True)
class Party:
    """A recipient as the ledger names it; an endpoint is found by its id, a connector by its own."""

    connector: str
    recipient_id: str
    recipient: str
    country: str


@dataclass(frozen=True, slots=True)
class RecipientDays:
    """What one recipient got: disclosures on each day of the period, and in all by what came of them."""

    party: Party
    days: tuple[int, ...]
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done at one recipient for one purpose, in all by what came of it."""

    party: Party
    action: str
    purpose: str
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Flow:
    """Disclosures of one kind of data to one recipient; `failed` of these came to that."""

    category: str
    party: Party
    count: int
    failed: int


@dataclass(frozen=True, slots=True)
class FieldCount:
    """Disclosures that held one field; `failed` of these came to that."""

    action: str
    path: str
    category: str
    reduction: str | None
    count: int
    failed: int


@dataclass(frozen=True, slots=True)
class RefusalDays:
    """How often a reason refused, on each day of the period. A refusal with two reasons counts under each of them."""

    reason: str
    days: tuple[int, ...]
    count: int


@dataclass(frozen=True, slots=True)
class OutcomeSeries:
    """Disclosures that came to one outcome, on each day of the period."""

    outcome: str
    days: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ConnectorDays:
    """What went through one connector lately; `error_rate` is of what is settled, none where nothing is."""

    connector: str
    days: tuple[int, ...]
    outcomes: Mapping[str, int]
    last_accepted_at: datetime | None
    """When the newest disclosure that a recipient took was made, however long ago."""

    @property
    def count(self) -> int:
        """All of it."""
        return sum(self.outcomes.values())

    @property
    def error_rate(self) -> float | None:
        """The share of what is settled that no recipient took, as far as is known."""
        settled = self.count - self.outcomes.get(OPEN, 0)
        return sum(self.outcomes.get(name, 0) for name in _NOT_TAKEN) / settled if settled else None


@dataclass(frozen=True, slots=True)
class OutcomeDays:
    """What came of one connector's disclosures, on each day of the period: of the day on which they were made."""

    taken: tuple[int, ...]
    not_taken: tuple[int, ...]
    open: tuple[int, ...]


class Tallies:
    """Rolls the counts of a clinic forward and reads them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def roll(self, tenant: UUID, at_most: int = _BEFORE_A_READ) -> Through:
        """Count what the log has gained, in small transactions, at most so many entries; says how far that came."""
        async with self._store.tenant(tenant) as connection:
            counted = await rows.counted(connection, tenant)
        began = counted.next
        while counted.next < counted.size and (left := at_most - (counted.next - began)) > 0:
            async with self._store.tenant(tenant) as connection:
                counted = await rows.roll(connection, tenant, min(left, AT_ONCE))
        return Through(*counted)

    async def untallied(self) -> list[UUID]:
        """The clinics whose logs have gained something."""
        async with self._store.nobody() as connection:
            return await rows.untallied(connection)

    async def names(self, tenant: UUID) -> list[tuple[str, str]]:
        """Connector and name of every recipient that there ever was, by name."""
        async with self._store.reading(tenant) as connection:
            return await rows.names(connection, tenant)

    async def by_recipient(self, tenant: UUID, period: Period) -> Counts[RecipientDays]:
        """Per day by recipient, the one with the most first."""
        through = await self.roll(tenant)
        async with self._store.reading(tenant) as connection:
            known = await _parties(connection, tenant)
            found = await rows.sent(connection, tenant, period.since, period.until)
        days, outcomes = _added(found, known.__getitem__, period)
        items = [RecipientDays(party, tuple(days[party]), outcomes[party]) for party in days]
        return Counts(through, tuple(sorted(items, key=lambda item: (-sum(item.days), item.party.recipient_id))))

    async def by_connector(self, tenant: UUID, period: Period) -> Counts[ConnectorDays]:
        """Per day by connector, in the order of their ids; those too that took something earlier and nothing now."""
        through = await self.roll(tenant)
        async with self._store.reading(tenant) as connection:
            known = await _parties(connection, tenant)
            found = await rows.sent(connection, tenant, period.since, period.until)
            last = await rows.last_accepted(connection, tenant)
        days, outcomes = _added(found, lambda party: known[party].connector, period)
        names = sorted({party.connector for party in known.values()})
        nothing = (0,) * period.days
        return Counts(
            through,
            tuple(
                ConnectorDays(name, tuple(days.get(name, nothing)), outcomes.get(name, {}), last.get(name))
                for name in names
            ),
        )

    async def by_outcome(
        self, tenant: UUID, period: Period, *, connector: str, recipient_id: str | None = None
    ) -> Counts[OutcomeSeries]:
        """Per day by what came of it: at all recipients of one integration, or at one of them."""
        through = await self.roll(tenant)
        async with self._store.reading(tenant) as connection:
            known = await _parties(connection, tenant)
            found = await rows.sent(connection, tenant, period.since, period.until)
        days: dict[str, list[int]] = {}
        for row in found:
            party = known[row.party]
            if party.connector == connector and recipient_id in (None, party.recipient_id):
                _add(days.setdefault(row.outcome, [0] * period.days), row.days, row.numbers)
        return Counts(through, tuple(OutcomeSeries(outcome, tuple(days[outcome])) for outcome in sorted(days)))

    async def outcomes(self, tenant: UUID, connector: str, period: Period) -> OutcomeDays:
        """Per day what came of one connector's disclosures: taken by the recipient, not taken as far as is known, open."""
        counted = await self.by_outcome(tenant, period, connector=connector)
        taken, not_taken, still_open = ([0] * period.days for _ in range(3))
        for series in counted.items:
            total = still_open if series.outcome == OPEN else not_taken if series.outcome in _NOT_TAKEN else taken
            for day, number in enumerate(series.days):
                total[day] += number
        return OutcomeDays(tuple(taken), tuple(not_taken), tuple(still_open))

    async def deeds(self, tenant: UUID, period: Period) -> Counts[Deed]:
        """What was done at whom for what: by recipient, action and purpose."""
        through = await self.roll(tenant)
        async with self._store.reading(tenant) as connection:
            known = await _parties(connection, tenant)
            found = await rows.deeds(connection, tenant, period.since, period.until)
        outcomes: dict[tuple[str, str, str, int], Counter[str]] = defaultdict(Counter)
        for row in found:
            key = (known[row.party].recipient_id, row.action, row.purpose, row.party)
            outcomes[key][row.outcome] += row.number
        return Counts(
            through,
            tuple(
                Deed(known[party], action, purpose, came)
                for (_, action, purpose, party), came in sorted(outcomes.items(), key=lambda item: item[0])
            ),
        )

    async def last_deeds(self, tenant: UUID, connector: str, since: date) -> Counts[tuple[str, date]]:
        """Which of a connector's actions were done since a day, and each one's last day."""
        through = await self.roll(tenant)
        async with self._store.reading(tenant) as connection:
            found = await rows.last_deeds(connection, tenant, connector, since)
        return Counts(through, tuple(sorted(found)))

    async def flows(self, tenant: UUID, period: Period) -> Counts[Flow]:
        """Kind of data to connector to recipient to country: the data map, and the matrix of kinds and recipients."""
        through = await self.roll(tenant)
        async with self._store.reading(tenant) as connection:
            known = await _parties(connection, tenant)
            found = await rows.categories(connection, tenant, period.since, period.until)
        items = (Flow(row.category, known[row.party], row.number, row.failed) for row in found)
        return Counts(
            through,
            tuple(sorted(items, key=lambda flow: (flow.category, flow.party.connector, flow.party.recipient_id))),
        )

    async def fields(self, tenant: UUID, recipient_id: str, period: Period) -> Counts[FieldCount]:
        """What left for one recipient, a connector or an endpoint, by action and field."""
        through = await self.roll(tenant)
        async with self._store.reading(tenant) as connection:
            found = await rows.fields(connection, tenant, recipient_id, period.since, period.until)
        items = (
            FieldCount(row.action, row.path, row.category, row.reduction or None, row.number, row.failed)
            for row in found
        )
        return Counts(through, tuple(sorted(items, key=lambda item: (item.action, item.path, item.category))))

    async def refusals(self, tenant: UUID, period: Period, connector: str | None = None) -> Counts[RefusalDays]:
        """Per day by reason, the commonest first; of one connector, or of all."""
        through = await self.roll(tenant)
        async with self._store.reading(tenant) as connection:
            found = await rows.refused(connection, tenant, period.since, period.until, connector)
        items = []
        for row in found:
            days = [0] * period.days
            _add(days, row.days, row.numbers)
            items.append(RefusalDays(row.reason, tuple(days), sum(days)))
        return Counts(through, tuple(sorted(items, key=lambda item: (-item.count, item.reason))))


async def _parties(connection: asyncpg.Connection, tenant: UUID) -> dict[int, Party]:
    return {row.party: Party(*row[1:]) for row in await rows.parties(connection, tenant)}


_Key = TypeVar("_Key")


def _added(
    found: Iterable[rows.SentRow], key_of: Callable[[int], _Key], period: Period
) -> tuple[Mapping[_Key, list[int]], Mapping[_Key, Mapping[str, int]]]:
    """Disclosures per day and per outcome, by a key."""
    days: dict[_Key, list[int]] = {}
    outcomes: dict[_Key, Counter[str]] = {}
    for row in found:
        key = key_of(row.party)
        _add(days.setdefault(key, [0] * period.days), row.days, row.numbers)
        outcomes.setdefault(key, Counter())[row.outcome] += sum(row.numbers)
    return days, outcomes


def _add(days: list[int], at: Sequence[int], counts: Sequence[int]) -> None:
    for day, count in zip(at, counts, strict=True):
        days[day] += count
