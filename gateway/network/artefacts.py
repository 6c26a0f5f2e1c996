"""Patients' consents at a network: kept as they came, projected among the clinic's consents, ended. Tells nobody anything.

The letter stays sealed as it came, beside what it says as it was read. Each is a consent of the clinic's too (`consents`),
by the same id: so it is found, shown and taken back like any other. Whatever ends it counts the clinic's standing up in the
same transaction, so that no intent that was decided before is written after; and destroys what it said.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from connectors.told import Artefact, ArtefactStatus, ContextName, Frequency, Party, RecordKind
from gateway.calls import Actor
from gateway.connections import Clinic, Connections
from gateway.consents import Consents
from gateway.errors import NotFound
from gateway.ids import new_id
from gateway.store import artefacts as rows
from gateway.store import transfers
from gateway.store.artefacts import BY_CLINIC, BY_NETWORK, BY_TIME, ArtefactRow
from gateway.store.consents import ConsentRow
from gateway.store.pool import Store
from scopes import artefact as rules
from scopes.consent import Channel
from scopes.vocabulary import Purpose

_REMEMBERED: Final = 10_000
_LETTER: Final = "artefact_letter"
_TERMS: Final = "artefact"
_NOBODY: Final = UUID(int=0)
_EVER: Final = datetime.min.replace(tzinfo=UTC)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Held:
    """One consent as it stands here; of one that ended its terms are gone."""

    row: ArtefactRow = field(repr=False)
    terms: Artefact | None = field(repr=False)

    @property
    def id(self) -> UUID:
        """Its id among the clinic's consents."""
        return self.row.id

    @property
    def state(self) -> rules.State:
        """Where it stands."""
        if self.row.ended_by == BY_CLINIC and self.row.state == rules.State.REVOKED:
            return rules.State.WITHDRAWN
        return rules.State(self.row.state)

    @property
    def purpose(self) -> Purpose | None:
        """What it is for; None where the network names a purpose that is none of HL7's."""
        return purpose_of(self.row.purpose)

    @property
    def hiu(self) -> Party | None:
        """Who may have the records."""
        return Party(self.row.hiu, self.row.hiu_name) if self.row.hiu is not None else None

    def weighed(self) -> rules.Artefact:
        """It as a decision weighs it: one that ended names nothing."""
        row, terms = self.row, self.terms
        if terms is None:  # of what it said nothing is left to be weighed: that it ended refuses everything
            return rules.Artefact(
                id=str(row.id), state=self.state, hiu=row.hiu, purpose=row.purpose or "", subject=str(row.subject),
                visits=frozenset(), kinds=frozenset(), since=_EVER, until=_NEVER, erase_at=row.erase_at or row.told_at,
            )  # fmt: skip
        limit = terms.frequency
        return rules.Artefact(
            id=str(row.id), state=self.state, hiu=row.hiu, purpose=terms.purpose, subject=str(row.subject),
            visits=frozenset(rules.Visit(each.patient, each.reference) for each in terms.contexts),
            kinds=frozenset(map(str, terms.kinds)), since=terms.since, until=terms.until, erase_at=terms.erase_at,
            frequency=None if limit is None else rules.Frequency(limit.value, limit.hours, limit.repeats),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class NewArtefact:
    """A consent that the network tells of, whose patient is known: the letter as it came, and what it says."""

    connector: str
    letter: bytes = field(repr=False)
    terms: Artefact = field(repr=False)
    subject: UUID


class Artefacts:
    """Reads and changes consents at networks. Every change is one transaction with its ledger entry."""

    def __init__(
        self, store: Store, connections: Connections, consents: Consents, *, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._connections = connections
        self._consents = consents
        self._clock = clock
        self._read: OrderedDict[tuple[UUID, UUID], tuple[int, Held]] = OrderedDict()

    async def held(self, clinic: Clinic, consent: UUID) -> Held:
        """A consent by our own id, as remembered with this standing of the clinic's or as stored. Raises NotFound."""
        # Read after the clinic's standing: whatever ends it meanwhile refuses the intent at its commit.
        key, version = (clinic.tenant, consent), clinic.standing.version
        known = self._read.get(key)
        if known is None or known[0] != version:
            async with self._store.tenant(clinic.tenant) as connection:
                row = await rows.find(connection, clinic.tenant, consent)
            if row is None:
                raise NotFound("there is no such consent")
            known = self._read[key] = version, opened(clinic, row)
            if len(self._read) > _REMEMBERED:
                self._read.popitem(last=False)
        return known[1]

    async def of_subject(self, clinic: Clinic, subject: UUID) -> list[Held]:
        """A patient's consents at networks, ended ones too, oldest first."""
        async with self._store.tenant(clinic.tenant) as connection:
            found = await rows.of_subject(connection, clinic.tenant, subject)
        return [opened(clinic, row) for row in found]

    async def grant(self, actor: Actor, new: NewArtefact) -> UUID:
        """Keep a consent, from now on in force; one that is here already, ended or not, stays as it is. Gives our id of it."""
        tenant, clinic = actor.tenant, await self._connections.clinic(actor.tenant)
        row = self._row(clinic, new)
        async with self._store.tenant(tenant) as connection:
            if not await rows.add(connection, tenant, row):
                first = await rows.under(connection, tenant, new.connector, new.terms.id)
                assert first is not None
                return first.id
            evidence = orjson.dumps(
                {"artefact": new.terms.id, "digest": hashlib.sha256(new.letter).hexdigest()},
                option=orjson.OPT_SORT_KEYS,
            )
            await self._consents.give_within(connection, actor, _projected(row, self._clock()), evidence, clinic)
        self._connections.forget(tenant)
        return row.id

    async def end(self, actor: Actor, connector: str, artefact: str, status: ArtefactStatus) -> None:
        """End a consent, as the network tells; one that is not here yet never begins."""
        tenant = actor.tenant
        async with self._store.tenant(tenant) as connection:
            row = await rows.under(connection, tenant, connector, artefact)
            if row is None and await rows.add(connection, tenant, _ended(connector, artefact, status, self._clock())):
                return
            row = row or await rows.under(connection, tenant, connector, artefact)
            assert row is not None
            if row.subject is not None:
                await self._end_within(connection, actor, row, status)
        self._connections.forget(tenant)

    async def expire(self, tenant: UUID, consent: UUID) -> None:
        """Let a consent expire whose time is over."""
        actor = Actor("system", "artefacts", tenant, ())
        async with self._store.tenant(tenant) as connection:
            await self._consents.expire_within(connection, actor, consent, by=BY_TIME)
        self._connections.forget(tenant)

    async def erase_within(self, connection: asyncpg.Connection, actor: Actor, subject: UUID) -> int:
        """Take back every consent of a subject's and what is under way under one, in the transaction of an erasure.

        Who calls forgets the clinic. Says how many consents were in force.
        """
        live = [
            row for row in await rows.of_subject(connection, actor.tenant, subject) if row.state == rules.State.GRANTED
        ]
        for row in live:
            await self._consents.withdraw_within(connection, actor, row.id)
        await transfers.erase_subject(connection, actor.tenant, subject)
        return len(live)

    async def _end_within(
        self, connection: asyncpg.Connection, actor: Actor, row: ArtefactRow, status: ArtefactStatus
    ) -> None:
        if status is ArtefactStatus.EXPIRED:
            await self._consents.expire_within(connection, actor, row.id, by=BY_NETWORK)
        else:
            await self._consents.withdraw_within(connection, actor, row.id, by=BY_NETWORK)

    def _row(self, clinic: Clinic, new: NewArtefact) -> ArtefactRow:
        consent, terms = new_id(), new.terms
        seal, place = clinic.keyring.seal, str(consent)
        return ArtefactRow(
            id=consent, connector=new.connector, artefact=terms.id, state=str(rules.State.GRANTED), subject=new.subject,
            purpose=terms.purpose, hiu=terms.hiu.id if terms.hiu is not None else None,
            hiu_name=terms.hiu.name if terms.hiu is not None else None, erase_at=terms.erase_at,
            letter=seal(new.letter, purpose=_LETTER, row=place), terms=seal(_written(terms), purpose=_TERMS, row=place),
            digest=hashlib.sha256(new.letter).digest(), told_at=self._clock(),
        )  # fmt: skip


def opened(clinic: Clinic, row: ArtefactRow) -> Held:
    """A stored consent with its terms."""
    if row.terms is None:
        return Held(row, None)
    return Held(row, _read(clinic.keyring.open(row.terms, purpose=_TERMS, row=str(row.id))))


def letter_of(clinic: Clinic, held: Held) -> bytes | None:
    """The letter as it came; None once the consent ended."""
    sealed = held.row.letter
    return None if sealed is None else clinic.keyring.open(sealed, purpose=_LETTER, row=str(held.id))


def purpose_of(code: str | None) -> Purpose | None:
    """A purpose by its code; None for one that is none of HL7's."""
    return Purpose(code) if code in set(Purpose) else None


def _projected(row: ArtefactRow, now: datetime) -> ConsentRow:
    """The consent among the clinic's that it is."""
    purpose = purpose_of(row.purpose)
    return ConsentRow(
        id=row.id, subject=row.subject or _NOBODY, purposes=[] if purpose is None else [str(purpose)],
        channels=[str(Channel.RECORDS)], given_at=now, expires_at=row.erase_at, withdrawn_at=None,
    )  # fmt: skip


def _ended(connector: str, artefact: str, status: ArtefactStatus, now: datetime) -> ArtefactRow:
    """What stays of a consent whose end came before it did."""
    return ArtefactRow(
        new_id(), connector, artefact, str(status), None, None, None, None, None, None, None, None, now, now, BY_NETWORK
    )


def _written(terms: Artefact) -> bytes:
    return orjson.dumps(
        {
            "id": terms.id, "address": terms.address, "purpose": terms.purpose, "requester": terms.requester,
            "hiu": None if terms.hiu is None else [terms.hiu.id, terms.hiu.name],
            "contexts": [[each.patient, each.reference] for each in terms.contexts], "kinds": sorted(map(str, terms.kinds)),
            "since": terms.since, "until": terms.until, "erase_at": terms.erase_at, "created_at": terms.created_at,
            "frequency": None if terms.frequency is None else [
                terms.frequency.value, terms.frequency.hours, terms.frequency.repeats
            ],
        }
    )  # fmt: skip


def _read(written: bytes) -> Artefact:
    said: dict[str, Any] = orjson.loads(written)
    moment = datetime.fromisoformat
    return Artefact(
        id=said["id"],
        address=said["address"],
        purpose=said["purpose"],
        hiu=None if said["hiu"] is None else Party(*said["hiu"]),
        requester=said["requester"],
        contexts=tuple(ContextName(*each) for each in said["contexts"]),
        kinds=frozenset(map(RecordKind, said["kinds"])),
        since=moment(said["since"]),
        until=moment(said["until"]),
        erase_at=moment(said["erase_at"]),
        frequency=None if said["frequency"] is None else Frequency(*said["frequency"]),
        created_at=None if said["created_at"] is None else moment(said["created_at"]),
    )
