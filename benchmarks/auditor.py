"""A clinic's year of a million disclosures: how long it takes to count, and what an auditor and a settings page wait for.

Every filter and every pair of filters is searched for, from the newest on and from the middle of the year on, with values that
half of everything has and values that hardly anything has; each read of the charts is of the whole year.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID

import asyncpg

from benchmarks import pages
from benchmarks.clinic_year import lay
from benchmarks.filters import HALF, OF_DISCLOSURES, OF_REFUSALS, filters
from gateway.ids import new_id
from gateway.store import disclosures, tenants
from gateway.store.disclosures import Search
from gateway.store.embedded import Embedded
from gateway.store.migrate import migrate
from gateway.store.pool import Store
from gateway.tallies import Period, Tallies

DISCLOSURES: Final = 1_000_000
SEARCH_MS: Final = 100.0
READ_MS: Final = 50.0
COUNT_SECONDS: Final = 180.0
_PAGE: Final = 51
_ROUNDS: Final = 9
_YEAR: Final = Period(date(2025, 11, 25), date(2026, 11, 26))


def measured(size: int = DISCLOSURES) -> dict[str, Any]:
    """Lay the year down, count it, read it."""
    with TemporaryDirectory(prefix="clinic-gateway-bench-") as folder, Embedded.start(Path(folder)) as embedded:
        return asyncio.run(_measured(embedded.dsn(), size))


async def _measured(dsn: str, size: int) -> dict[str, Any]:
    await migrate(dsn)
    store, tenant = await Store.open(dsn, size=2), new_id()
    async with store.tenant(tenant) as connection:
        await tenants.add(connection, tenant, "bench")
    owner = await asyncpg.connect(dsn)
    await lay(owner, tenant, size, size // 5)
    await owner.close()
    tallies = Tallies(store)
    began = time.perf_counter()
    through = await tallies.roll(tenant, 2**53)
    seconds = time.perf_counter() - began
    found = {
        "disclosures": size, "entries": through.size, "count_seconds": seconds,
        "search_ms": await _searched(store, tenant, through.next, disclosures.search, OF_DISCLOSURES),
        "refusals_ms": await _searched(store, tenant, through.next, disclosures.refusals, OF_REFUSALS),
        "reads_ms": {name: await _timed(read) for name, read in _reads(tallies, tenant).items()},
    }  # fmt: skip
    await store.close()
    return {**found, "pages_ms": await pages.opened_pages(dsn, tenant)}


def _reads(tallies: Tallies, tenant: UUID) -> Mapping[str, Callable[[], Awaitable[Any]]]:
    return {
        "per day by recipient": lambda: tallies.by_recipient(tenant, _YEAR),
        "per day by connector": lambda: tallies.by_connector(tenant, _YEAR),
        "deeds and purposes": lambda: tallies.deeds(tenant, _YEAR),
        "kinds by recipient": lambda: tallies.flows(tenant, _YEAR),
        "refusals per day": lambda: tallies.refusals(tenant, _YEAR),
        "fields of one": lambda: tallies.fields(tenant, "family0/vendor0", _YEAR),
    }


async def _searched(
    store: Store, tenant: UUID, through: int, search: Callable[..., Awaitable[list[Any]]], singles: tuple[Any, ...]
) -> dict[str, Any]:
    """Milliseconds of each search, in their order, and what the slowest looked for."""
    async with store.tenant(tenant) as connection:
        half = await search(connection, tenant, Search(until=HALF, through=through, limit=1))
    times: list[tuple[float, str]] = []
    for given in filters(singles):
        for before in (None, half[0].id):
            wanted = Search(**given, before=before, through=through, limit=_PAGE)
            async with store.tenant(tenant) as connection:
                began = time.perf_counter()
                await search(connection, tenant, wanted)
                times.append(((time.perf_counter() - began) * 1000, " ".join(given) or "nothing"))
    times.sort()
    sorted_ms = [ms for ms, _ in times]
    return {
        "searches": len(times), "p50": sorted_ms[len(times) // 2], "p95": sorted_ms[len(times) * 95 // 100],
        "most": sorted_ms[-1], "slowest": times[-1][1],
    }  # fmt: skip


async def _timed(read: Callable[[], Awaitable[Any]]) -> float:
    """The median of a few."""
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        await read()
        times.append((time.perf_counter() - began) * 1000)
    return sorted(times)[_ROUNDS // 2]


def goals(found: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Each figure beside its bar."""
    if not found:
        return
    size = f"{found['disclosures']:,} disclosures"
    yield _line("counting all, s", size, found["count_seconds"], COUNT_SECONDS)
    yield _line("search, p95 ms", size, found["search_ms"]["p95"], SEARCH_MS)
    yield _line("search, slowest ms", size, found["search_ms"]["most"], SEARCH_MS)
    yield _line("refusals, slowest ms", size, found["refusals_ms"]["most"], SEARCH_MS)
    for name, ms in found["reads_ms"].items():
        yield _line(f"{name}, ms", "a year", ms, READ_MS)
    yield from pages.goals(found.get("pages_ms"))


def _line(name: str, of: str, value: float, most: float) -> dict[str, Any]:
    return {"name": name, "of": of, "value": value, "goal": most, "at_most": True, "met": value <= most}
