"""Look into a clinic's log: search disclosures and refusals, read one with its entries, write down who looked for whom.

Everything is read as the role that can only select.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from gateway.calls import Actor
from gateway.errors import NotFound
from gateway.flows.rooms import Rooms
from gateway.store import accounts, entries
from gateway.store import disclosures as rows
from gateway.store.accounts import AccountRow
from gateway.store.disclosures import FoundRow, RefusedRow, Search
from gateway.store.ledger import EntryRow
from scopes.vocabulary import Outcome

__all__ = [
    "AccountRow", "EntryRow", "Fault", "FoundRow", "RefusedRow", "Search", "account", "count", "disclosure", "disclosures",
    "entry", "every_disclosure", "every_refusal", "faults", "record", "refusal", "refusals",
]  # fmt: skip
_AT_ONCE: Final = 1_000
_NOT_TAKEN: Final = (Outcome.REJECTED, Outcome.FAILED, Outcome.UNKNOWN)
_LOOKED_AT: Final = 200  # the newest of each outcome


@dataclass(frozen=True, slots=True)
class Fault:
    """How often something went wrong in one way, of the newest, and when last."""

    outcome: str
    code: str
    count: int
    last: datetime


async def disclosures(tenant: UUID, wanted: Search, rooms: Rooms) -> list[FoundRow]:
    """Disclosures, newest first."""
    wanted = await _counted(tenant, wanted, rooms)
    async with rooms.store.reading(tenant) as connection:
        return await rows.search(connection, tenant, wanted)


async def refusals(tenant: UUID, wanted: Search, rooms: Rooms) -> list[RefusedRow]:
    """Refusals, newest first; neither a recipient nor a kind of data narrows them."""
    wanted = await _counted(tenant, wanted, rooms)
    async with rooms.store.reading(tenant) as connection:
        return await rows.refusals(connection, tenant, wanted)


async def every_disclosure(tenant: UUID, wanted: Search, rooms: Rooms) -> AsyncIterator[FoundRow]:
    """All that a search finds, newest first, page by page."""
    wanted = replace(wanted, limit=_AT_ONCE)
    while found := await disclosures(tenant, wanted, rooms):
        for row in found:
            yield row
        if len(found) < _AT_ONCE:
            return
        wanted = replace(wanted, before=found[-1].id)


async def every_refusal(tenant: UUID, wanted: Search, rooms: Rooms) -> AsyncIterator[RefusedRow]:
    """The same of refusals."""
    wanted = replace(wanted, limit=_AT_ONCE)
    while found := await refusals(tenant, wanted, rooms):
        for row in found:
            yield row
        if len(found) < _AT_ONCE:
            return
        wanted = replace(wanted, before=found[-1].id)


async def count(tenant: UUID, wanted: Search, rooms: Rooms, *, refused: bool, at_most: int) -> int:
    """How many a search finds; counts no further than asked."""
    wanted = await _counted(tenant, wanted, rooms)
    async with rooms.store.reading(tenant) as connection:
        return await rows.count(connection, tenant, wanted, refused=refused, at_most=at_most)


async def account(
    tenant: UUID, subject: UUID, rooms: Rooms, *, since: datetime | None = None, until: datetime | None = None
) -> list[AccountRow]:
    """What went to whom about one subject."""
    async with rooms.store.reading(tenant) as connection:
        return await accounts.account(connection, tenant, subject, since, until)


async def disclosure(tenant: UUID, wanted: UUID, rooms: Rooms) -> tuple[FoundRow, list[bytes]]:
    """One disclosure with the stored bytes of its intent and its outcomes. Raises NotFound."""
    async with rooms.store.reading(tenant) as connection:
        row = await rows.find(connection, tenant, wanted)
        if row is None:
            raise NotFound("there is no such disclosure")
        return row, await rows.bodies(connection, tenant, wanted)


async def refusal(tenant: UUID, wanted: UUID, rooms: Rooms) -> tuple[RefusedRow, bytes]:
    """One refusal with the stored bytes of its entry. Raises NotFound."""
    async with rooms.store.reading(tenant) as connection:
        row = await rows.find_refusal(connection, tenant, wanted)
        entry = await entries.entry(connection, tenant, row.leaf_index) if row is not None else None
    if row is None or entry is None:
        raise NotFound("there is no such refusal")
    return row, entry.body


async def faults(tenant: UUID, connector: str, since: datetime, rooms: Rooms) -> list[Fault]:
    """What went wrong at a connector lately, by outcome and code, the latest first. It counts, and names no disclosure."""
    found: dict[tuple[str, str], Fault] = {}
    for outcome in _NOT_TAKEN:
        wanted = Search(connector=connector, outcome=str(outcome), since=since, limit=_LOOKED_AT)
        for row in await disclosures(tenant, wanted, rooms):
            key = (str(row.outcome), row.code or "")
            known = found.get(key, Fault(*key, 0, row.at))
            found[key] = Fault(*key, known.count + 1, max(known.last, row.at))
    return sorted(found.values(), key=lambda each: each.last, reverse=True)


async def entry(tenant: UUID, index: int, rooms: Rooms) -> EntryRow:
    """One entry as it is stored. Raises NotFound."""
    async with rooms.store.reading(tenant) as connection:
        found = await entries.entry(connection, tenant, index)
    if found is None:
        raise NotFound("there is no such entry")
    return found


async def record(actor: Actor, what: str, wanted: Search, count: int, rooms: Rooms) -> None:
    """Write down who looked for whom; only words of closed lists are repeated, free ones could name somebody."""
    sought: dict[str, Any] = {"subject": str(wanted.subject) if wanted.subject is not None else None}
    for name in ("purpose", "category", "outcome", "reason"):
        if (word := getattr(wanted, name)) is not None:
            sought[name] = str(word)
    for name in ("since", "until"):
        if (moment := getattr(wanted, name)) is not None:
            sought[name] = moment.isoformat()
    await rooms.ledger.accessed(actor, what=what, query=sought, count=count)


async def _counted(tenant: UUID, wanted: Search, rooms: Rooms) -> Search:
    """Search what is counted of the log, once that is all of it; a subject's rows are few and are looked through."""
    if wanted.subject is not None:
        return wanted
    through = await rooms.tallies.roll(tenant)
    return replace(wanted, through=through.next if through.complete else None)
