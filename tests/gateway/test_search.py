"""Searching disclosures and refusals on a real PostgreSQL: every filter, every pair, page by page, as looking by hand finds."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from typing import Any
from uuid import UUID

import pytest

from gateway.ids import new_id
from gateway.ledger.writer import Writer
from gateway.store import disclosures
from gateway.store.disclosures import Search
from gateway.store.pool import Store
from gateway.tallies import Tallies
from tests.gateway.ledgers import Log, clinic

SINCE, UNTIL = datetime(2026, 2, 28, tzinfo=UTC), datetime(2026, 2, 28, 23, 59, 30, tzinfo=UTC)
COMMON = (
    {"connector": "payments/stripe"}, {"connector": "webhook"}, {"connector": "nobody"}, {"purpose": "TREAT"},
    {"since": SINCE}, {"until": UNTIL}, {"subject": UUID(int=71)}, {"subject": UUID(int=99)},
)  # fmt: skip
OF_DISCLOSURES = (
    *COMMON, {"recipient": "Stripe, Inc."}, {"recipient": "Twilio Ireland"}, {"category": "identity"},
    {"category": "identifier"}, {"outcome": "accepted"}, {"outcome": "unknown"}, {"outcome": "pending"},
)  # fmt: skip
OF_REFUSALS = (*COMMON, {"reason": "consent_missing"}, {"reason": "quiet_hours"}, {"reason": "rate_limited"})


@pytest.fixture
async def log(store: Store) -> AsyncIterator[Log]:
    """The log of a clinic, with everything in it that can be searched for."""
    writer = Writer(store)
    await writer.start()
    log = Log(store, writer, await clinic(store), random.Random(5))
    await log.grow(300)
    yield log
    await writer.stop()


def filters(singles: tuple[dict[str, Any], ...]) -> Iterator[dict[str, Any]]:
    """None of them, each of them, and each with each other."""
    yield {}
    yield from singles
    for one, other in combinations(singles, 2):
        if one.keys() != other.keys():
            yield {**one, **other}


def by_hand(entries: list[dict[str, Any]], kind: str, wanted: Mapping[str, Any]) -> list[str]:
    """The ids of what is wanted, newest first."""
    latest = {entry["disclosure"]: entry["outcome"] for entry in entries if entry["kind"] == "outcome"}

    def fits(entry: dict[str, Any]) -> bool:
        at = datetime.fromisoformat(entry["at"])
        held: dict[str, bool] = {
            "connector": entry["connector"] == wanted.get("connector"),
            "purpose": entry["purpose"] == wanted.get("purpose"),
            "subject": entry["subject"] == str(wanted.get("subject")),
            "since": "since" in wanted and at >= wanted["since"],
            "until": "until" in wanted and at < wanted["until"],
            "recipient": entry.get("recipient", {}).get("name") == wanted.get("recipient"),
            "category": wanted.get("category") in [category for _, category, *_ in entry.get("fields", [])],
            "outcome": latest.get(entry["disclosure"], "pending") == wanted.get("outcome"),
            "reason": wanted.get("reason") in [code for code, _ in entry.get("reasons", [])],
        }
        return all(held[name] for name in wanted)

    found = [entry for entry in entries if entry["kind"] == kind and fits(entry)]
    found.sort(key=lambda entry: (datetime.fromisoformat(entry["at"]), UUID(entry["disclosure"])), reverse=True)
    return [entry["disclosure"] for entry in found]


async def paged(log: Log, kind: str, wanted: Search) -> list[str]:
    """The ids of all pages."""
    search: Any = disclosures.search if kind == "intent" else disclosures.refusals
    found: list[str] = []
    while True:
        async with log.store.tenant(log.tenant) as connection:
            rows = await search(connection, log.tenant, wanted)
        found += [str(row.id) for row in rows]
        if len(rows) < wanted.limit:
            return found
        wanted = replace(wanted, before=rows[-1].id)


@pytest.mark.parametrize("counted", [True, False], ids=["counted", "not counted"])
@pytest.mark.parametrize(("kind", "singles"), [("intent", OF_DISCLOSURES), ("refusal", OF_REFUSALS)])
async def test_each_filter_and_each_pair_find_what_looking_by_hand_finds(
    log: Log, kind: str, singles: tuple[dict[str, Any], ...], counted: bool
) -> None:
    through = (await Tallies(log.store).roll(log.tenant)).next if counted else None
    entries, hits = await log.stored(), 0
    for given in filters(singles):
        expected = by_hand(entries, kind, given)
        assert await paged(log, kind, Search(**given, through=through, limit=7)) == expected, given
        hits += bool(expected)
    assert hits > 20


@pytest.mark.parametrize("counted", [True, False], ids=["counted", "not counted"])
async def test_a_period_begins_with_its_first_moment_and_ends_before_its_last(log: Log, counted: bool) -> None:
    through = (await Tallies(log.store).roll(log.tenant)).next if counted else None
    entries = await log.stored()
    for kind in ("intent", "refusal"):
        first, last = sorted(datetime.fromisoformat(entry["at"]) for entry in entries if entry["kind"] == kind)[10:13:2]
        found = await paged(log, kind, Search(since=first, until=last, through=through, limit=7))
        assert found == by_hand(entries, kind, {"since": first, "until": last})
        assert len(found) == 2


async def test_a_search_is_the_log_as_it_was_when_it_was_counted(log: Log) -> None:
    through = (await Tallies(log.store).roll(log.tenant)).next
    disclosure, intent = log.open[0]
    await log.settle(disclosure, intent, "accepted")

    async def found(outcome: str, through: int) -> dict[UUID, str | None]:
        async with log.store.tenant(log.tenant) as connection:
            wanted = Search(outcome=outcome, through=through, limit=500)
            rows = await disclosures.search(connection, log.tenant, wanted)
        return {row.id: row.outcome for row in rows}

    assert (await found("pending", through))[disclosure] is None
    assert disclosure not in await found("accepted", through)
    now = (await Tallies(log.store).roll(log.tenant)).next
    assert (await found("accepted", now))[disclosure] == "accepted"
    assert disclosure not in await found("pending", now)


async def test_an_erased_subject_is_found_no_more_and_the_disclosure_still_is(log: Log) -> None:
    through = (await Tallies(log.store).roll(log.tenant)).next
    async with log.store.tenant(log.tenant) as connection:
        gone = await disclosures.search(connection, log.tenant, Search(subject=UUID(int=71), limit=1))
        await connection.execute("UPDATE disclosures SET subject = NULL WHERE subject = $1", UUID(int=71))
        assert await disclosures.search(connection, log.tenant, Search(subject=UUID(int=71))) == []
        rows = await disclosures.search(connection, log.tenant, Search(through=through, limit=500))
    assert [row.subject for row in rows if row.id == gone[0].id] == [None]


async def test_a_page_after_what_is_not_there_is_empty(log: Log) -> None:
    through = (await Tallies(log.store).roll(log.tenant)).next
    for place in (through, None):
        assert await paged(log, "intent", Search(before=new_id(), through=place)) == []
