"""What an auditor's browser waits for on a year of a million disclosures: the pages themselves, over HTTP, filters included.

Client and server share one interpreter, so that a figure is never less than what the server took.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

import httpx2

from benchmarks.filters import OF_DISCLOSURES, OF_REFUSALS, filters
from gateway.app import House, opened
from gateway.calls import Actor
from gateway.config import Settings
from gateway.flows.look import Search, disclosures, refusals
from gateway.ids import new_id
from gateway.keyfiles import make, master_keys
from gateway.people import Role
from gateway.people.sessions import Opening
from gateway.serve import listening, serving
from gateway.store import keys
from gateway.store.pool import Store
from gateway.vault import Vault

PAGE_MS: Final = 300.0
_ROUNDS: Final = 9
_NOW: Final = datetime(2026, 11, 25, 12, tzinfo=UTC)


async def opened_pages(dsn: str, tenant: UUID) -> dict[str, Any]:
    """Milliseconds of every page of the log; `tenant` is the clinic whose year it is."""
    with TemporaryDirectory(prefix="clinic-gateway-bench-") as folder:
        settings = Settings.from_environment({}, data_dir=Path(folder), database_url=dsn)
        make(settings)
        await _keyed(dsn, tenant, settings)
        async with opened(settings, clock=lambda: _NOW) as house, serving(house.web, listening("127.0.0.1", 0)) as url:
            cookies = {"gateway": await _session(house, tenant)}
            async with httpx2.AsyncClient(base_url=url, cookies=cookies, trust_env=False, timeout=60) as client:
                return await _measured(client, house, tenant)


async def _keyed(dsn: str, tenant: UUID, settings: Settings) -> None:
    """Give the clinic a data key, without which no page names it."""
    store = await Store.open(dsn, size=1)
    async with store.tenant(tenant) as connection:
        await keys.add(connection, tenant, Vault(master_keys(settings)).new_data_key(tenant, new_id()))
    await store.close()


async def _session(house: House, tenant: UUID) -> str:
    people = house.rooms.people
    person = await people.accounts.create("An auditor", email="auditor@clinic.example")
    await people.accounts.join(Actor("system", "bench", tenant, ()), person, Role.AUDITOR)
    return await people.sessions.open(
        Opening(person=person, tenant=tenant, role=Role.AUDITOR, via="password", device="B")
    )


async def _measured(client: httpx2.AsyncClient, house: House, tenant: UUID) -> dict[str, Any]:
    times: dict[str, list[float]] = {}
    for name, path in [*_searches(), *(await _others(house, tenant))]:
        for _ in range(1 if name in ("log", "refusals") else _ROUNDS):
            began = time.perf_counter()
            answer = await client.get(path)
            times.setdefault(name, []).append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200, (path, answer.status_code)
    every = sorted(ms for each in times.values() for ms in each)
    return {
        "requests": len(every), "p50": every[len(every) // 2], "p95": every[len(every) * 95 // 100],
        "pages": {name: _p95(each) for name, each in times.items()},
    }  # fmt: skip


def _p95(times: list[float]) -> float:
    return sorted(times)[min(len(times) - 1, len(times) * 95 // 100)]


def _searches() -> Iterator[tuple[str, str]]:
    """The log and the refusals, by every filter and every pair of filters."""
    for given in filter(_is_a_period, filters(OF_DISCLOSURES)):
        yield "log", f"/auditor?{_query(given)}"
    for given in filter(_is_a_period, filters(OF_REFUSALS)):
        yield "refusals", f"/auditor/refusals?{_query(given)}"


def _is_a_period(given: Mapping[str, Any]) -> bool:
    """A page says so where a period ends before it begins, and searches nothing."""
    return not {"since", "until"} <= given.keys() or given["since"] < given["until"]


def _query(given: Mapping[str, Any]) -> str:
    return urlencode(
        {
            name: f"{value:%Y-%m-%dT%H:%MZ}" if isinstance(value, datetime) else str(value)
            for name, value in given.items()
        }
    )


async def _others(house: House, tenant: UUID) -> list[tuple[str, str]]:
    newest = (await disclosures(tenant, Search(limit=1), house.rooms))[0]
    refused = (await refusals(tenant, Search(limit=1), house.rooms))[0]
    year = "since=2025-11-25&until=2026-11-24"
    return [
        ("charts, 30 days", "/auditor/charts"),
        ("charts, a year", f"/auditor/charts?{year}"),
        ("anomalies", "/auditor/anomalies"),
        ("anomalies, 90 days", "/auditor/anomalies?days=90"),
        ("one disclosure", f"/auditor/disclosures/{newest.id}"),
        ("one refusal", f"/auditor/refusals/{refused.id}"),
        ("entry", f"/auditor/entries/{newest.leaf_index}"),
        ("proof", f"/auditor/entries/{newest.leaf_index}/proof"),
        ("one person, often", f"/auditor/subject?subject={UUID(int=1)}"),
        ("one person", f"/auditor/subject?subject={UUID(int=77)}"),
        ("export", "/auditor/export"),
        ("export, a recipient", "/auditor/export?recipient=Recipient+0+Ltd&category=billing"),
        ("export, a period", f"/auditor/export?{year}"),
    ]


def goals(found: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Each page beside its bar."""
    if not found:
        return
    lines = [("pages, p95 ms", found["p95"]), *((f"{name}, p95 ms", ms) for name, ms in found["pages"].items())]
    for name, ms in lines:
        yield {"name": name, "of": "HTTP", "value": ms, "goal": PAGE_MS, "at_most": True, "met": ms <= PAGE_MS}
