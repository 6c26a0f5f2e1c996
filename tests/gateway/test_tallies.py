"""Counting the ledger on a real PostgreSQL: the counts are what counting by hand gives, whoever counts and whatever stops it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from gateway.app import House
from gateway.flows import tally as flows
from gateway.flows.tally import tally
from gateway.ledger.writer import Draft, Writer
from gateway.store import tallies as rows
from gateway.store.pool import Store
from gateway.tallies import OPEN, Period, Tallies
from tests.gateway.ledgers import ENDPOINT, ByHand, Log, clinic

YEAR = Period(date(2026, 1, 1), date(2027, 1, 1))
TABLES = (
    "tallied", "parties", "tallies_sent", "tallies_days", "tallies_categories", "tallies_fields", "tallies_refused", "facets",
    "sightings", "debuts", "tallies_slots", "called",
)  # fmt: skip


@pytest.fixture
async def writer(store: Store) -> AsyncIterator[Writer]:
    """A writer that is running."""
    writer = Writer(store)
    await writer.start()
    yield writer
    await writer.stop()


@pytest.fixture
async def log(store: Store, writer: Writer) -> Log:
    """The log of a clinic, empty."""
    return Log(store, writer, await clinic(store), random.Random(1))


async def counted(store: Store, log: Log) -> ByHand:
    """What the tables say."""
    party = "JOIN parties p USING (tenant, party) WHERE count <> 0"
    async with store.tenant(log.tenant) as connection:

        async def those(columns: str, rest: str, count: str = "count") -> Counter[tuple[str, ...]]:
            found = await connection.fetch(f"SELECT {columns}, sum({count})::int FROM {rest} GROUP BY {columns}")
            return Counter({tuple(map(str, row[:-1])): row[-1] for row in found if row[-1]})

        parties = "connector, recipient_id, recipient, country"
        fields = "day, recipient_id, action, path, category, reduction"
        return ByHand(
            sent=await those(f"day, {parties}, action, purpose, outcome", f"tallies_sent {party}"),
            days=await those(f"day, {parties}, outcome", f"tallies_days {party}"),
            categories=await those(f"day, {parties}, category", f"tallies_categories {party}"),
            fields=await those(fields, f"tallies_fields {party}"),
            failed_fields=await those(fields, f"tallies_fields {party}", "failed"),
            refused=await those("day, connector, action, reason", "tallies_refused"),
        )


@pytest.mark.parametrize("seed", range(4))
async def test_the_counts_are_those_of_counting_by_hand_wherever_a_batch_ends(
    store: Store, writer: Writer, seed: int
) -> None:
    chance = random.Random(seed)
    log, tallies = Log(store, writer, await clinic(store), chance), Tallies(store)
    for _ in range(12):
        await log.grow(25)
        through = await tallies.roll(log.tenant, chance.choice((1, 2, 7, 30, 1000)))
        assert await counted(store, log) == ByHand.of((await log.stored())[: through.next])
    through = await tallies.roll(log.tenant)
    assert through.complete
    assert await counted(store, log) == ByHand.of(await log.stored())


@pytest.mark.parametrize("at_once", [1, 3, 1000])
async def test_the_first_of_each_kind_and_the_half_hours_are_those_of_looking_by_hand(
    log: Log, store: Store, at_once: int
) -> None:
    await log.grow(120)
    tallies = Tallies(store)
    while not (await tallies.roll(log.tenant, at_once)).complete:
        pass
    intents = [entry for entry in await log.stored() if entry["kind"] == "intent"]
    first: dict[tuple[str, ...], str] = {}
    slots: Counter[tuple[str, datetime]] = Counter()
    for entry in intents:
        party = f"{entry['recipient']['name']}|{entry['recipient']['country']}|{entry['connector']}"
        for _, category, *_ in entry["fields"]:
            first.setdefault((party, "category", category), entry["disclosure"])
        first.setdefault((party, "host", entry["endpoint"]["host"]), entry["disclosure"])
        at = datetime.fromisoformat(entry["at"])
        slots[party, at.replace(minute=at.minute // 30 * 30, second=0, microsecond=0)] += 1
    named = "concat_ws('|', p.recipient, p.country, p.connector)"
    async with store.reading(log.tenant) as connection:
        debuts = await connection.fetch(
            f"SELECT {named}, d.what, d.name, d.id::text FROM debuts d JOIN parties p USING (tenant, party)"
        )
        counted_slots = await connection.fetch(
            f"SELECT {named}, s.slot, sum(s.count)::int FROM tallies_slots s JOIN parties p USING (tenant, party) "
            "GROUP BY 1, 2"
        )
        together = await connection.fetch("SELECT call, id::text FROM called ORDER BY index")
    assert {tuple(row[:3]): row[3] for row in debuts} == first
    assert Counter({(row[0], row[1]): row[2] for row in counted_slots}) == slots
    assert [tuple(row) for row in together] == [
        (entry["call"], entry["disclosure"]) for entry in await log.stored() if "call" in entry
    ]


async def test_an_outcome_that_comes_late_moves_the_disclosure_on_the_day_of_its_intent(
    log: Log, store: Store, writer: Writer
) -> None:
    await log.grow(40)
    disclosure, intent = log.made[0]
    seen = []
    for outcome in (None, "unknown", "accepted"):
        if outcome is not None:
            await log.settle(disclosure, intent, outcome)
        await Tallies(store).roll(log.tenant)
        found = await counted(store, log)
        assert found == ByHand.of(await log.stored())
        seen.append(sum(found.sent.values()))
    assert len(set(seen)) == 1


async def test_gateways_that_count_at_once_count_nothing_twice(log: Log, store: Store, dsn: str) -> None:
    others = [await Store.open(dsn, size=2) for _ in range(3)]
    await log.grow(120)

    async def count(through: Store) -> None:
        for _ in range(40):
            await Tallies(through).roll(log.tenant, 7)

    await asyncio.gather(log.grow(80), *(count(each) for each in others))
    await Tallies(store).roll(log.tenant)
    assert await counted(store, log) == ByHand.of(await log.stored())
    for each in others:
        await each.close()


async def test_a_crash_between_or_amid_batches_loses_and_doubles_nothing(log: Log, store: Store) -> None:
    await log.grow(100)
    tallies = Tallies(store)
    first = await tallies.roll(log.tenant, 30)
    with pytest.raises(RuntimeError, match="killed"):
        async with store.tenant(log.tenant) as connection:
            assert (await rows.roll(connection, log.tenant, 30)).next == first.next + 30
            raise RuntimeError("killed before the commit")
    assert await counted(store, log) == ByHand.of((await log.stored())[: first.next])
    assert (await tallies.roll(log.tenant)).complete
    assert await counted(store, log) == ByHand.of(await log.stored())


async def test_a_clinic_sees_counts_of_its_own_only(log: Log, store: Store, writer: Writer) -> None:
    other = Log(store, writer, await clinic(store), random.Random(2))
    await log.grow(60)
    await other.grow(60)
    for each in (log, other):
        await Tallies(store).roll(each.tenant)
        assert await counted(store, each) == ByHand.of(await each.stored())
    async with store.tenant(other.tenant) as connection:
        for table in TABLES:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") > 0, table
            assert await connection.fetchval(f"SELECT count(*) FROM {table} WHERE tenant <> $1", other.tenant) == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with store.tenant(other.tenant) as connection:
            await rows.roll(connection, log.tenant, 10)
    assert (await Tallies(store).by_recipient(other.tenant, YEAR)).items != (
        await Tallies(store).by_recipient(log.tenant, YEAR)
    ).items


@pytest.mark.parametrize("table", TABLES)
async def test_nobody_forges_a_count(log: Log, store: Store, table: str) -> None:
    for statement in (
        f"DELETE FROM {table}",
        f"UPDATE {table} SET tenant = tenant",
        f"INSERT INTO {table} DEFAULT VALUES",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with store.tenant(log.tenant) as connection:
                await connection.execute(statement)


async def test_no_subject_stands_in_any_count(log: Log, store: Store) -> None:
    await log.grow(150)
    await Tallies(store).roll(log.tenant)
    async with store.tenant(log.tenant) as connection:
        for table in TABLES:
            told = str(await connection.fetch(f"SELECT * FROM {table}"))
            assert not any(str(subject) in told or subject.hex in told for subject in log.subjects), table


async def test_a_read_counts_first_and_says_how_far(log: Log, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    tallies = Tallies(store)
    assert (await tallies.by_recipient(log.tenant, YEAR)).through.complete
    await log.grow(60)
    found = await tallies.by_recipient(log.tenant, YEAR)
    assert found.through.complete
    assert sum(sum(item.days) for item in found.items) == len(log.made)
    await log.grow(60)
    monkeypatch.setattr(Tallies.roll, "__defaults__", (10,))
    partly = (await tallies.by_recipient(log.tenant, YEAR)).through
    assert (partly.next, partly.complete) == (found.through.next + 10, False)


async def test_what_charts_read_adds_up(log: Log, store: Store) -> None:
    await log.grow(400)
    tallies, entries = Tallies(store), await log.stored()
    by_hand = ByHand.of(entries)
    recipients = await tallies.by_recipient(log.tenant, YEAR)
    assert sum(sum(item.outcomes.values()) for item in recipients.items) == len(log.made)
    assert {item.party.recipient_id for item in recipients.items} >= {"payments/stripe", str(ENDPOINT)}
    day = (date(2026, 2, 28) - YEAR.since).days
    assert sum(item.days[day] for item in recipients.items) == _sum(by_hand.sent, "2026-02-28")
    deeds = await tallies.deeds(log.tenant, YEAR)
    for deed in deeds.items:
        for outcome, count in deed.outcomes.items():
            party = (deed.party.recipient_id, deed.party.country, deed.action, deed.purpose, outcome)
            assert count == _sum(by_hand.sent, *party), deed
    assert sum(sum(deed.outcomes.values()) for deed in deeds.items) == len(log.made)
    flows = await tallies.flows(log.tenant, YEAR)
    for flow in flows.items:
        assert flow.count == _sum(by_hand.categories, flow.party.recipient_id, flow.party.country, flow.category)
    refusals = await tallies.refusals(log.tenant, YEAR)
    assert {item.reason: item.count for item in refusals.items} == Counter(
        reason for entry in entries if entry["kind"] == "refusal" for reason, _ in entry["reasons"]
    )
    assert sum(item.days[day] for item in refusals.items) == _sum(by_hand.refused, "2026-02-28")
    only = await tallies.refusals(log.tenant, YEAR, "webhook")
    assert sum(item.count for item in only.items) == _sum(by_hand.refused, "webhook")
    assert not (await tallies.by_recipient(log.tenant, Period(date(2025, 1, 1), date(2026, 1, 1)))).items


async def test_a_connectors_card_has_its_series_its_errors_and_its_last_success(log: Log, store: Store) -> None:
    await log.grow(400)
    entries = await log.stored()
    latest = {entry["disclosure"]: entry["outcome"] for entry in entries if entry["kind"] == "outcome"}
    intents = [entry for entry in entries if entry["kind"] == "intent" and entry["connector"] == "messaging/twilio"]
    found = await Tallies(store).by_connector(log.tenant, YEAR)
    assert [item.connector for item in found.items] == ["messaging/twilio", "payments/stripe", "webhook"]
    item = found.items[0]
    outcomes = Counter(latest.get(entry["disclosure"], OPEN) for entry in intents)
    assert (item.count, len(item.days), sum(item.days)) == (len(intents), 365, len(intents))
    assert item.outcomes == outcomes
    accepted = [entry["at"] for entry in intents if latest.get(entry["disclosure"]) == "accepted"]
    assert item.last_accepted_at == datetime.fromisoformat(max(accepted))
    settled = len(intents) - outcomes[OPEN]
    assert item.error_rate == pytest.approx((settled - outcomes["accepted"]) / settled)
    quiet = await Tallies(store).by_connector(log.tenant, Period.of_last(1, now=datetime(2027, 1, 1, tzinfo=UTC)))
    assert [(each.count, each.days, each.error_rate) for each in quiet.items] == [(0, (0,), None)] * 3
    assert quiet.items[0].last_accepted_at == item.last_accepted_at


async def test_a_text_that_no_table_can_hold_keeps_nothing_from_being_counted(log: Log, store: Store) -> None:
    disclosure = log.chance.randbytes(16).hex()
    fields: dict[str, Any] = {
        "v": 1, "actor": {"kind": "system", "id": "test"}, "purpose": "HPAYMT", "subject": None, "disclosure": disclosure,
        "recipient": {"name": "A\x00Court", "country": "DE"}, "statement": "\\u0000 \\\\u0000 \x00\x00 \\\x00",
        "fields": [["letter", "clinical"]], "disclosed_at": "2026-02-28T00:00:00Z",
    }  # fmt: skip
    at = datetime(2026, 2, 28, tzinfo=UTC)
    await log.writer.append(Draft(log.tenant, "manual", at, fields))
    found = await Tallies(store).by_recipient(log.tenant, YEAR)
    assert [(item.party.recipient, item.party.connector, dict(item.outcomes)) for item in found.items] == [
        ("A\N{REPLACEMENT CHARACTER}Court", "outside", {"accepted": 1})
    ]


async def test_housekeeping_counts_every_clinics_log(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "_AT_A_TIME", 10)
    writer = Writer(house.rooms.store)
    await writer.start()
    logs = [Log(house.rooms.store, writer, await clinic(house.rooms.store), random.Random(seed)) for seed in range(2)]
    for log in logs:
        await log.grow(30)
    await tally(house.rooms)
    for log in logs:
        assert await counted(house.rooms.store, log) == ByHand.of(await log.stored())
        assert log.tenant not in await house.rooms.tallies.untallied()
    await writer.stop()


def test_a_period_of_days_ends_with_today() -> None:
    period = Period.of_last(30, now=datetime(2026, 3, 1, 23, 59, tzinfo=UTC))
    assert (period.since, period.until, period.days) == (date(2026, 1, 31), date(2026, 3, 2), 30)
    assert Period(period.until, period.since).days == 0
    assert period.until - period.since == timedelta(days=30)


def _sum(counted: Counter[tuple[str, ...]], *words: str) -> int:
    return sum(count for key, count in counted.items() if set(words) <= set(key))
