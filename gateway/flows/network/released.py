"""Look at what was released to a network: a patient's consents, who asked under them, each document. Changes nothing.

Whoever looks is written down, once for each time that there is something new to see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from gateway.calls import Actor
from gateway.errors import NotFound
from gateway.flows.network.marks import mark_of
from gateway.flows.rooms import Rooms
from gateway.network.artefacts import Held, opened
from gateway.records import Context
from gateway.store import artefacts, links
from gateway.store import transfers as rows
from gateway.store.links import LinkRow
from gateway.store.records import RecordRow
from gateway.store.transfers import EntryRow, EntryState, State, TransferRow

_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Seen:
    """A visit with its documents, how far it is linked, and when that goes on."""

    context: Context = field(repr=False)
    documents: tuple[RecordRow, ...] = ()
    link: LinkRow | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """One request for records: by whom it was made where that is known, and how many documents stand where."""

    row: TransferRow
    hiu: str | None
    subject: UUID | None
    counts: Mapping[EntryState, int]

    @property
    def live(self) -> bool:
        """Whether there is still something to do for it."""
        return State(self.row.state).open


@dataclass(frozen=True, slots=True)
class OfPatient:
    """All of one patient's at a network."""

    visits: Sequence[Seen]
    consents: Sequence[Held]
    transfers: Sequence[Told]


async def visits(
    tenant: UUID, connector: str, rooms: Rooms, *, before: UUID | None = None, limit: int = _MOST
) -> list[Seen]:
    """The clinic's visits at a network, newest first."""
    found = await rooms.records.newest(tenant, connector, before=before, limit=limit)
    return await _seen(tenant, found, rooms)


async def is_known(tenant: UUID, connector: str, subject: UUID, rooms: Rooms) -> bool:
    """Whether a visit or a consent of this patient's lies here."""
    contexts = await rooms.records.contexts_of(tenant, subject)
    async with rooms.store.tenant(tenant) as reading:
        held = await artefacts.of_subject(reading, tenant, subject)
    return connector in {*(each.connector for each in contexts), *(row.connector for row in held)}


async def transfers(
    tenant: UUID, connector: str, rooms: Rooms, *, before: UUID | None = None, limit: int = _MOST
) -> list[Told]:
    """Requests for records at a network, newest first."""
    async with rooms.store.tenant(tenant) as reading:
        found = await rows.newest(reading, tenant, connector, before=before, limit=limit)
    return await _told(tenant, found, rooms)


async def of_patient(actor: Actor, connector: str, subject: UUID, rooms: Rooms) -> OfPatient:
    """A patient's visits, consents and what was sent under them, newest first. The look is recorded."""
    tenant, clinic = actor.tenant, await rooms.connections.clinic(actor.tenant)
    contexts = [each for each in await rooms.records.contexts_of(tenant, subject) if each.connector == connector]
    async with rooms.store.tenant(tenant) as reading:
        held = [row for row in await artefacts.of_subject(reading, tenant, subject) if row.connector == connector]
        asked = await rows.of_artefacts(reading, tenant, [row.id for row in held], _MOST)
    found = OfPatient(
        list(reversed(await _seen(tenant, contexts, rooms))),
        [opened(clinic, row) for row in reversed(held)],
        await _told(tenant, asked, rooms),
    )
    count = len(found.visits) + len(found.consents) + len(found.transfers)
    await rooms.ledger.accessed(actor, what="releases", query={"subject": str(subject)}, count=count)
    return found


async def mark_of_patient(tenant: UUID, connector: str, subject: UUID, rooms: Rooms) -> str:
    """Another word as soon as something of it is other; opens nothing."""
    async with rooms.store.tenant(tenant) as reading:
        held = [row for row in await artefacts.of_subject(reading, tenant, subject) if row.connector == connector]
        asked = await rows.of_artefacts(reading, tenant, [row.id for row in held], _MOST)
        counts = await rows.counts(reading, tenant, [row.id for row in asked])
        linked = await links.of_subject(reading, tenant, subject)
    parts: list[object] = [(row.id, row.state, row.ended_at) for row in held]
    parts += [(row.id, row.state, sorted(counts.get(row.id, {}).items())) for row in asked]
    parts += [(row.context, row.state, row.changed_at, row.code) for row in linked]
    return mark_of(parts)


async def transfer(actor: Actor, connector: str, wanted: UUID, rooms: Rooms) -> tuple[Told, list[EntryRow]]:
    """One request with each of its documents. Raises NotFound. The look is recorded."""
    row, entries = await _one(actor.tenant, connector, wanted, rooms)
    [told] = await _told(actor.tenant, [row], rooms)
    sought = {"subject": str(told.subject) if told.subject is not None else None}
    await rooms.ledger.accessed(actor, what="releases", query=sought, count=len(entries))
    return told, entries


async def mark_of_transfer(tenant: UUID, connector: str, wanted: UUID, rooms: Rooms) -> str:
    """Another word as soon as the request or one of its documents stands otherwise. Raises NotFound."""
    row, entries = await _one(tenant, connector, wanted, rooms)
    return mark_of([(row.state, row.pages, row.reports), *((e.number, e.state, e.attempts, e.code) for e in entries)])


async def mark_of_transfers(tenant: UUID, connector: str, rooms: Rooms) -> str:
    """Another word as soon as one of the newest requests stands otherwise."""
    found = await transfers(tenant, connector, rooms)
    return mark_of((each.row.id, each.row.state, sorted(each.counts.items())) for each in found)


async def _one(tenant: UUID, connector: str, wanted: UUID, rooms: Rooms) -> tuple[TransferRow, list[EntryRow]]:
    async with rooms.store.tenant(tenant) as reading:
        row = await rows.find(reading, tenant, wanted)
        if row is None or row.connector != connector:
            raise NotFound("there is no such request for records")
        return row, await rows.entries(reading, tenant, wanted)


async def _seen(tenant: UUID, contexts: Sequence[Context], rooms: Rooms) -> list[Seen]:
    if not contexts:
        return []
    ids = [each.id for each in contexts]
    documents = await rooms.records.documents_of(tenant, *ids)
    async with rooms.store.tenant(tenant) as reading:
        linked = {row.context: row for row in await links.of_contexts(reading, tenant, ids)}
        due = await links.due_of(reading, tenant, list({each.subject for each in contexts}))
    return [
        Seen(
            each,
            tuple(row for row in documents if row.context == each.id),
            linked.get(each.id),
            due.get(each.subject),
        )
        for each in contexts
    ]


async def _told(tenant: UUID, found: Sequence[TransferRow], rooms: Rooms) -> list[Told]:
    async with rooms.store.tenant(tenant) as reading:
        under = [row.artefact for row in found if row.artefact is not None]
        held = {row.id: row for row in await artefacts.some(reading, tenant, under)}
        counts = await rows.counts(reading, tenant, [row.id for row in found])
    told = []
    for row in found:
        consent = held.get(row.artefact) if row.artefact is not None else None
        told.append(
            Told(
                row,
                (consent.hiu_name or consent.hiu) if consent is not None else None,
                consent.subject if consent is not None else None,
                counts.get(row.id, {}),
            )
        )
    return told
