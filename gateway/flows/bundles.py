"""Export evidence: entries of the ledger with everything that proves them, as one file. The export is itself recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
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
    async with rooms.store.tenant(actor.tenant) as connection:
        counted = sum(count for _, count in await _runs(connection, actor.tenant, wanted))
    if not counted:
        raise NotFound("there are no entries in this period, or none that fit")
    await rooms.ledger.accessed(actor, what="bundle", query=wanted.plain(), count=counted)
    with TemporaryFile() as file:
        await _gather(actor.tenant, wanted, rooms, file)
        file.seek(0)
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


async def _gather(tenant: UUID, wanted: BundleQuery, rooms: Rooms, file: IO[bytes]) -> None:
    async with rooms.store.tenant(tenant) as connection:
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
