"""Export evidence: entries of the ledger with everything that proves them, as one file. The export is itself recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from os import SEEK_END
from tempfile import TemporaryFile
from typing import IO, Any
from uuid import UUID

import asyncpg

from gateway.calls import Actor
from gateway.errors import NotFound
from gateway.flows.rooms import Rooms
from gateway.ledger.bundle import BundleWriter
from gateway.store import entries as rows

_ENTRIES_AT_ONCE = 1_000
_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleQuery:
    """What to export: a period whole, or what concerns one subject (pseudonym) or one recipient."""

    since: datetime | None = None
    until: datetime | None = None
    subject: UUID | None = None
    recipient: str | None = None

    def plain(self) -> dict[str, Any]:
        """The query as the bundle and the ledger write it down."""
        return {
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
            "subject": str(self.subject) if self.subject else None,
            "recipient": self.recipient,
        }


async def export(actor: Actor, wanted: BundleQuery, rooms: Rooms) -> AsyncIterator[bytes]:
    """Record the export, gather and prove the entries, and give the finished bundle in chunks.

    Raises NotFound before the first chunk when nothing fits.
    """
    with await _made(actor, wanted, rooms) as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


async def exported(actor: Actor, wanted: BundleQuery, rooms: Rooms) -> tuple[int, AsyncIterator[bytes]]:
    """The same, with how many bytes it is; it is made before this returns."""
    file = await _made(actor, wanted, rooms)
    size = file.seek(0, SEEK_END)
    file.seek(0)
    return size, _chunks(file)


async def about(tenant: UUID, since: datetime | None, until: datetime | None, rooms: Rooms) -> int:
    """About how many entries a period holds, from where it begins and ends in the log: they stand there by time."""
    async with rooms.store.reading(tenant) as connection:
        size, _ = await rooms.proofs.head(connection, tenant)
        first = 0 if since is None else await _place(connection, tenant, since, size)
        end = size if until is None else await _place(connection, tenant, until, size)
    return max(0, end - first)


async def _place(connection: asyncpg.Connection, tenant: UUID, moment: datetime, size: int) -> int:
    """The index of the first entry that is not before a moment."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        found = await rows.entry(connection, tenant, middle)
        if found is not None and found.at < moment:
            low = middle + 1
        else:
            high = middle
    return low


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


async def _made(actor: Actor, wanted: BundleQuery, rooms: Rooms) -> IO[bytes]:
    async with rooms.store.reading(actor.tenant) as connection:
        counted = sum(count for _, count in await _runs(connection, actor.tenant, wanted))
    if not counted:
        raise NotFound("there are no entries in this period, or none that fit")
    await rooms.ledger.accessed(actor, what="bundle", query=wanted.plain(), count=counted)
    file = TemporaryFile()  # noqa: SIM115  closed by whoever reads it
    try:
        await _gather(actor.tenant, wanted, rooms, file)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


async def _gather(tenant: UUID, wanted: BundleQuery, rooms: Rooms, file: IO[bytes]) -> None:
    async with rooms.store.reading(tenant) as connection:
        size, checkpoint = await rooms.proofs.head(connection, tenant)
        found = await _runs(connection, tenant, wanted)
        runs = [(first, min(count, size - first)) for first, count in found if first < size]  # the log grows meanwhile
        signer = rooms.proofs.signer(tenant)
        with BundleWriter(file, checkpoint=checkpoint, signer=signer, query=wanted.plain()) as writer:
            for first, count in runs:
                writer.begin(
                    first, count, await rooms.proofs.run(connection, tenant, first=first, count=count, size=size)
                )
                for start in range(first, first + count, _ENTRIES_AT_ONCE):
                    at_once = min(_ENTRIES_AT_ONCE, first + count - start)
                    for entry, leaf in await rows.stored(connection, tenant, start, at_once):
                        writer.add(entry, leaf)
            writer.finish()


async def _runs(connection: asyncpg.Connection, tenant: UUID, wanted: BundleQuery) -> list[tuple[int, int]]:
    """The wanted entries as runs (first, count)."""
    if wanted.subject is None and wanted.recipient is None:
        span = await rows.span(connection, tenant, wanted.since, wanted.until)
        return [] if span is None else [(span[0], span[1] - span[0] + 1)]
    narrowed = rows.Wanted(wanted.subject, wanted.recipient, wanted.since, wanted.until)
    return list(_grouped(await rows.indexes_of(connection, tenant, narrowed)))


def _grouped(indexes: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Neighbours together: 3, 4, 5, 9 becomes (3, 3) and (9, 1)."""
    first = count = 0
    for index in indexes:
        if count and index == first + count:
            count += 1
            continue
        if count:
            yield first, count
        first, count = index, 1
    if count:
        yield first, count
