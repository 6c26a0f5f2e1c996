"""Patients, visits and documents of a clinic: registered, found, frozen, read. Sends nothing, and judges no document."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from connectors.told import ContextName, Identifier, RecordKind
from gateway.calls import Actor
from gateway.connections import Clinic, Connections
from gateway.errors import Conflict, NotFound
from gateway.ids import new_id
from gateway.ledger.log import note_of
from gateway.ledger.writer import append_beside
from gateway.records.documents import Document, Frozen, contents_of, opened_part, sealed_parts
from gateway.records.patients import NewPatient, Patient, key_of, network_reference, normal, opened, seal
from gateway.store import links, patients
from gateway.store import records as rows
from gateway.store.pool import Store
from gateway.subjects import Subjects
from scopes.vocabulary import Category

_CONTEXT: Final = "care_context"
_MOST_ALIKE: Final = 50
"""How many patients of one identifier are looked at; a family shares a mobile number, a town does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContext:
    """A visit to keep; `subject` and `reference` are the host's own, `display` is what a patient sees of it beforehand."""

    connector: str
    subject: str = field(repr=False)
    reference: str = field(repr=False)
    display: str = field(repr=False)
    documents: tuple[Frozen, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Context:
    """One visit, opened, with the kinds of its documents."""

    id: UUID
    connector: str
    subject: UUID
    reference: str = field(repr=False)
    """The host's own; the network has the id."""
    display: str = field(repr=False)
    kinds: tuple[RecordKind, ...]
    created_at: datetime

    @property
    def network_reference(self) -> str:
        """What the network knows it by."""
        return str(self.id)


Also = Callable[[asyncpg.Connection, Context], Awaitable[None]]


class Records:
    """Keeps what a network may find."""

    def __init__(
        self, store: Store, connections: Connections, subjects: Subjects, *, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._connections = connections
        self._subjects = subjects
        self._clock = clock

    async def register(self, actor: Actor, new: NewPatient) -> Patient:
        """Register a patient, in place of what was known of them."""
        tenant, clinic, now = actor.tenant, await self._connections.clinic(actor.tenant), self._clock()
        subject = await self._subjects.pseudonym(tenant, new.subject, keyed=clinic)
        row = patients.PatientRow(subject, seal(clinic, subject, new), now, now)
        found_by = {key_of(clinic, each): None for each in new.identifiers}
        async with self._store.tenant(tenant) as connection:
            await patients.put(connection, tenant, row, list(found_by))
            kept = await patients.find(connection, tenant, subject)
            said = {"subject": str(subject), "found_by": sorted({str(each.proof) for each in new.identifiers})}
            await append_beside(connection, note_of(actor, "patient_registered", query=said, count=1, at=now))
        assert kept is not None
        return opened(clinic, kept)

    async def patient(self, tenant: UUID, subject: UUID) -> Patient | None:
        """One patient, by their pseudonym."""
        clinic = await self._connections.clinic(tenant)
        async with self._store.tenant(tenant) as connection:
            row = await patients.find(connection, tenant, subject)
        return None if row is None else opened(clinic, row)

    async def known_by(self, tenant: UUID, identifier: Identifier) -> list[Patient]:
        """Everybody who has an identifier."""
        clinic = await self._connections.clinic(tenant)
        async with self._store.tenant(tenant) as connection:
            found = await patients.found(connection, tenant, key_of(clinic, identifier), _MOST_ALIKE)
        people = [opened(clinic, row) for row in found]
        return [each for each in people if normal(identifier) in each.identifiers]

    async def forget(self, actor: Actor, subject: UUID) -> None:
        """Let a network find a patient no more; their visits stay until they are erased. Raises NotFound."""
        async with self._store.tenant(actor.tenant) as connection:
            if not await patients.remove(connection, actor.tenant, subject):
                raise NotFound("nobody is registered under this pseudonym")
            said = {"subject": str(subject)}
            await append_beside(connection, note_of(actor, "patient_forgotten", query=said, count=1, at=self._clock()))

    async def erase_within(self, connection: asyncpg.Connection, tenant: UUID, subject: UUID) -> int:
        """Destroy all that lies here of a subject's, in the transaction of an erasure; how many visits that were.

        Consents and what is under way under one go with Artefacts.erase_within, in the same transaction.
        """
        await rows.lock(connection, tenant)  # a visit that is being kept is there before, or finds nobody registered
        await links.lock(connection, tenant, subject)
        await links.remove_subject(connection, tenant, subject)
        visits = await rows.remove_subject(connection, tenant, subject)
        await patients.remove(connection, tenant, subject)
        return visits

    async def keep(self, actor: Actor, new: NewContext, also: Also | None = None) -> tuple[Context, list[UUID]]:
        """Keep a visit's documents, for a new visit or one that is kept already; the ids of the new documents.

        `also` is what else belongs to that transaction.

        A document that is there already, byte for byte, is not kept twice. Raises NotFound where the patient is not
        registered, and Conflict where the reference is another patient's.
        """
        tenant, clinic, now = actor.tenant, await self._connections.clinic(actor.tenant), self._clock()
        subject = await self._subjects.pseudonym(tenant, new.subject, keyed=clinic)
        async with self._store.tenant(tenant) as connection:
            await rows.lock(connection, tenant)
            if await patients.find(connection, tenant, subject) is None:
                raise NotFound("this patient is not registered", fix="PUT /v1/patients registers them.")
            lookup = _lookup(clinic, new.connector, new.reference)
            row = await rows.under(connection, tenant, lookup)
            if row is None:
                row = _new_row(clinic, new, subject, lookup, now)
                await rows.add_context(connection, tenant, row)
            elif row.subject != subject:
                raise Conflict("this reference is another patient's visit; each visit has one of its own")
            there = {each.sha256 for each in await rows.of_contexts(connection, tenant, [row.id])}
            added = []
            for frozen in new.documents:
                record = new_id()
                fresh = frozen.row(record, row.id, now)
                if fresh.sha256 not in there:
                    await rows.add(connection, tenant, fresh, list(sealed_parts(clinic, record, frozen.content)))
                    there.add(fresh.sha256)
                    added.append(record)
            context = _context(clinic, row, await rows.of_contexts(connection, tenant, [row.id]))
            if also is not None:
                await also(connection, context)
            # The head last: a large document takes a while, and every call of the clinic waits for whoever holds it.
            said = {"subject": str(subject), "context": str(row.id), "connector": row.connector}
            await append_beside(connection, note_of(actor, "visit_kept", query=said, count=len(added), at=now))
        return context, added

    async def context(self, tenant: UUID, context: UUID) -> Context:
        """One visit. Raises NotFound."""
        found = await self.contexts(tenant, [context])
        if not found:
            raise NotFound("there is no such care context")
        return found[0]

    async def contexts_of(self, tenant: UUID, subject: UUID) -> list[Context]:
        """The visits of a patient, oldest first."""
        async with self._store.tenant(tenant) as connection:
            found = await rows.contexts_of(connection, tenant, subject)
        return await self._opened(tenant, found)

    async def page(self, tenant: UUID, *, after: UUID | None, limit: int) -> list[Context]:
        """The clinic's visits, oldest first."""
        async with self._store.tenant(tenant) as connection:
            found = await rows.page(connection, tenant, after=after, limit=limit)
        return await self._opened(tenant, found)

    async def newest(self, tenant: UUID, connector: str, *, before: UUID | None, limit: int) -> list[Context]:
        """The clinic's visits at one network, newest first."""
        async with self._store.tenant(tenant) as connection:
            found = await rows.newest(connection, tenant, connector, before=before, limit=limit)
        return await self._opened(tenant, found)

    async def under(self, tenant: UUID, connector: str, reference: str) -> Context | None:
        """The visit that the host knows by this reference."""
        clinic = await self._connections.clinic(tenant)
        async with self._store.tenant(tenant) as connection:
            row = await rows.under(connection, tenant, _lookup(clinic, connector, reference))
        return None if row is None else (await self._opened(tenant, [row]))[0]

    async def documents_of(self, tenant: UUID, *contexts: UUID) -> list[rows.RecordRow]:
        """The documents of visits, in the order in which they were handed over."""
        async with self._store.tenant(tenant) as connection:
            return await rows.of_contexts(connection, tenant, contexts)

    async def documents(
        self, tenant: UUID, names: Sequence[ContextName], kinds: frozenset[RecordKind], since: datetime, until: datetime
    ) -> list[Document]:
        """The documents of visits that the network names, of these kinds and times.

        A visit that is named with another patient's reference is none.
        """
        clinic = await self._connections.clinic(tenant)
        wanted = {visit: name.patient for name in names if (visit := _id_of(name.reference)) is not None}
        async with self._store.tenant(tenant) as connection:
            visits = {row.id: row for row in await rows.contexts(connection, tenant, list(wanted))}
            found = await rows.of_contexts(connection, tenant, list(visits))
        chosen = [
            row
            for row in found
            if RecordKind(row.kind) in kinds and row.since <= until and row.until >= since
            and wanted[row.context] == network_reference(clinic, visits[row.context].subject)
        ]  # fmt: skip
        people = {
            subject: await self.patient(tenant, subject) for subject in {each.subject for each in visits.values()}
        }
        return [
            _document(row, visits[row.context], person)
            for row in chosen
            if (person := people[visits[row.context].subject]) is not None
        ]

    async def chunks(self, clinic: Clinic, record: UUID) -> AsyncIterator[bytes]:
        """A document's bytes, part by part; no more than one part is in memory."""
        number = 0
        while True:
            async with self._store.tenant(clinic.tenant) as connection:
                sealed = await rows.part(connection, clinic.tenant, record, number)
            if sealed is None:
                return
            yield opened_part(clinic, record, number, sealed)
            number += 1

    async def contexts(self, tenant: UUID, ids: Sequence[UUID]) -> list[Context]:
        """The visits of these ids, as far as there are any."""
        async with self._store.tenant(tenant) as connection:
            found = await rows.contexts(connection, tenant, ids)
        return await self._opened(tenant, found)

    async def _opened(self, tenant: UUID, found: Sequence[rows.ContextRow]) -> list[Context]:
        clinic = await self._connections.clinic(tenant)
        async with self._store.tenant(tenant) as connection:
            documents = await rows.of_contexts(connection, tenant, [row.id for row in found])
        return [_context(clinic, row, documents) for row in found]


def _lookup(clinic: Clinic, connector: str, reference: str) -> bytes:
    """What a visit is found by."""
    return clinic.fingerprint(f"context|{connector}|{reference}".encode())


def _new_row(clinic: Clinic, new: NewContext, subject: UUID, lookup: bytes, now: datetime) -> rows.ContextRow:
    context = new_id()
    said = orjson.dumps({"reference": new.reference, "display": new.display})
    sealed = clinic.keyring.seal(said, purpose=_CONTEXT, row=str(context))
    return rows.ContextRow(context, subject, new.connector, lookup, sealed, now)


def _context(clinic: Clinic, row: rows.ContextRow, documents: Sequence[rows.RecordRow]) -> Context:
    said = orjson.loads(clinic.keyring.open(row.sealed, purpose=_CONTEXT, row=str(row.id)))
    kinds = dict.fromkeys(RecordKind(each.kind) for each in documents if each.context == row.id)
    return Context(row.id, row.connector, row.subject, said["reference"], said["display"], tuple(kinds), row.created_at)


def _document(row: rows.RecordRow, visit: rows.ContextRow, patient: Patient) -> Document:
    return Document(
        row.id, row.context, str(row.context), patient.network_reference, visit.subject, patient.reference,
        RecordKind(row.kind), row.length, row.md5, row.since, row.until, frozenset(map(Category, row.categories)),
        contents_of(row),
    )  # fmt: skip


def _id_of(reference: str) -> UUID | None:
    """The visit that a reference of the network's names; None for one that is not ours."""
    try:
        return UUID(reference)
    except ValueError:
        return None
