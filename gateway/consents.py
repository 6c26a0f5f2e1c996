"""Consents of subjects: given, withdrawn, and weighed in a decision. Seals their evidence; sends nothing to anybody.

What a decision reads is remembered with the standing of the clinic that it was read under. It may be out of date; the
commit of an intent refuses any standing but the present one, so a withdrawal counts for every intent not yet written.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from gateway.calls import Actor
from gateway.connections import Clinic, Connections
from gateway.errors import NotFound
from gateway.ids import new_id
from gateway.ledger.entry import timestamp
from gateway.ledger.writer import Draft, append_within
from gateway.store import artefacts, reaches
from gateway.store import consents as rows
from gateway.store.consents import ConsentRow
from gateway.store.pool import Store
from gateway.store.reaches import PlaceRow
from gateway.subjects import Subjects
from scopes.cap import Reached
from scopes.consent import Channel, Consent
from scopes.decision import ActionRule, Standing
from scopes.fault import Fault
from scopes.vocabulary import Purpose

__all__ = ["ConsentRow", "Consents", "Evidence", "NewConsent", "consent_of", "faults_of"]

_REMEMBERED: Final = 50_000
_EVIDENCE: Final = "consent"  # what the vault seals it for
_SALT_BYTES: Final = 32
_PATIENCE: Final = timedelta(minutes=5)  # how far a host's clock may be ahead of ours


@dataclass(frozen=True, slots=True)
class Evidence:
    """How and when a consent was given, and which wording the person saw."""

    how: str = field(repr=False)
    when: datetime
    wording: str = field(repr=False)

    def written(self) -> bytes:
        """Its exact bytes, to seal and to commit to."""
        said = {"how": self.how, "when": timestamp(self.when), "wording": self.wording}
        return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConsent:
    """A consent to record; `subject` is the host's own reference, which is not stored, or a pseudonym that is known."""

    subject: str | UUID = field(repr=False)
    purposes: frozenset[Purpose]
    channels: frozenset[Channel]
    evidence: Evidence
    expires_at: datetime | None = None
    time_zone: str | None = None


class Consents:
    """Reads and changes consents. Every change is one transaction with its ledger entry."""

    def __init__(
        self, store: Store, connections: Connections, subjects: Subjects, *, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._connections = connections
        self._subjects = subjects
        self._clock = clock
        self._read: OrderedDict[tuple[UUID, UUID], tuple[int, tuple[Consent, ...]]] = OrderedDict()

    async def standing(self, clinic: Clinic, rule: ActionRule, subject: UUID | None) -> Standing:
        """What a decision weighs: the clinic's standing, and of a subject who is reached the consents and messages so far."""
        if rule.channel is None or subject is None:
            return clinic.standing
        consents = await self._of(clinic, subject)
        if not clinic.standing.policy.caps_on(rule.channel):
            return replace(clinic.standing, consents=consents)
        reached = await self._reached(clinic, PlaceRow(clinic.tenant, subject, str(rule.channel)))
        return replace(clinic.standing, consents=consents, reached=reached)

    async def _reached(self, clinic: Clinic, place: PlaceRow) -> Reached:
        """How often the person was reached on a channel, as far back as any cap looks."""
        since = self._clock() - timedelta(hours=max(cap.hours for cap in clinic.standing.policy.caps))
        async with self._store.tenant(clinic.tenant) as connection:
            # The number first: a message that comes between the two is counted, and has not taken a place that is given.
            last = await reaches.last(connection, place)
            return Reached(last, tuple(await reaches.counted(connection, place, since=since)))

    async def _of(self, clinic: Clinic, subject: UUID) -> tuple[Consent, ...]:
        # Read after the clinic's standing: if a consent changes meanwhile, what is decided is refused at the commit.
        tenant, version = clinic.tenant, clinic.standing.version
        known = self._read.get((tenant, subject))
        if known is None or known[0] != version:
            async with self._store.tenant(tenant) as connection:
                found = await rows.of_subject(connection, tenant, subject)
            known = self._read[tenant, subject] = version, tuple(map(consent_of, found))
            if len(self._read) > _REMEMBERED:
                self._read.popitem(last=False)
        return known[1]

    async def give(self, actor: Actor, new: NewConsent) -> ConsentRow:
        """Record a consent; the ledger gets a salted commitment to its evidence. A pseudonym has consented before: NotFound."""
        tenant, clinic = actor.tenant, await self._connections.clinic(actor.tenant)
        subject = new.subject
        if not isinstance(subject, UUID):
            subject = await self._subjects.pseudonym(tenant, subject, keyed=clinic)
        elif not await self.page(tenant, subject=subject, after=None, limit=1):
            raise NotFound("nobody is known by this pseudonym")
        row = ConsentRow(
            id=new_id(), subject=subject, purposes=sorted(map(str, new.purposes)),
            channels=sorted(map(str, new.channels)), given_at=min(new.evidence.when, self._clock()),
            expires_at=new.expires_at, withdrawn_at=None, time_zone=new.time_zone,
        )  # fmt: skip
        async with self._store.tenant(tenant) as connection:
            await self.give_within(connection, actor, row, new.evidence.written(), clinic)
        self._connections.forget(tenant)
        return row

    async def give_again_within(
        self, connection: asyncpg.Connection, actor: Actor, row: ConsentRow, channel: Channel, evidence: Evidence
    ) -> None:
        """Record anew what a STOP took back, on one channel, in the caller's transaction."""
        clinic = await self._connections.clinic(actor.tenant)
        again = row._replace(
            id=new_id(), channels=[str(channel)], given_at=evidence.when, withdrawn_at=None, stopped=False
        )
        await rows.keep_back(connection, actor.tenant, row.id)
        await self.give_within(connection, actor, again, evidence.written(), clinic)

    async def give_within(
        self, connection: asyncpg.Connection, actor: Actor, row: ConsentRow, evidence: bytes, clinic: Clinic
    ) -> None:
        """Record a consent in the caller's transaction, who then forgets the clinic."""
        salt = secrets.token_bytes(_SALT_BYTES)
        entry = {
            **_about(actor, row, "given"),
            "evidence": hashlib.sha256(salt + evidence).hexdigest(),
            "from": timestamp(row.given_at),
        }
        if row.expires_at is not None:
            entry["until"] = timestamp(row.expires_at)
        sealed = clinic.keyring.seal(evidence, purpose=_EVIDENCE, row=str(row.id))
        await rows.add(connection, actor.tenant, row, evidence=sealed, salt=salt)
        await append_within(connection, Draft(actor.tenant, "consent", self._clock(), entry))

    async def withdraw(self, actor: Actor, consent: UUID) -> None:
        """Take a consent back, in force for every intent not yet written. Twice changes nothing. Raises NotFound."""
        async with self._store.tenant(actor.tenant) as connection:
            await self.withdraw_within(connection, actor, consent)
        self._connections.forget(actor.tenant)

    async def withdraw_within(
        self,
        connection: asyncpg.Connection,
        actor: Actor,
        consent: UUID,
        *,
        stopped: bool = False,
        by: str = artefacts.BY_CLINIC,
    ) -> None:
        """The same in the caller's transaction, who then forgets the clinic. What a STOP takes a START may give again.

        Of a consent at a network (scopes/artefact.py) what it said is destroyed with it.
        """
        tenant, now = actor.tenant, self._clock()
        row = await rows.lock(connection, tenant, consent)
        if row is None:
            raise _nothing()
        if row.withdrawn_at is None:
            await rows.withdraw(connection, tenant, consent, at=now, stopped=stopped)
            await append_within(connection, Draft(tenant, "consent", now, _about(actor, row, "withdrawn")))
            await artefacts.end(connection, tenant, consent, artefacts.Ending("revoked", now, by))
        elif row.stopped and not stopped:
            await rows.keep_back(connection, tenant, consent)

    async def expire_within(self, connection: asyncpg.Connection, actor: Actor, consent: UUID, *, by: str) -> None:
        """Let a consent at a network expire now, in the caller's transaction, who then forgets the clinic."""
        tenant, now = actor.tenant, self._clock()
        row = await rows.lock(connection, tenant, consent)
        if row is not None and await artefacts.end(connection, tenant, consent, artefacts.Ending("expired", now, by)):
            await rows.expire(connection, tenant, consent, at=now)
            await append_within(connection, Draft(tenant, "consent", now, _about(actor, row, "expired")))

    async def one(self, tenant: UUID, consent: UUID) -> ConsentRow:
        """One consent. Raises NotFound."""
        async with self._store.tenant(tenant) as connection:
            row = await rows.find(connection, tenant, consent)
        if row is None:
            raise _nothing()
        return row

    async def page(self, tenant: UUID, *, subject: UUID | None, after: UUID | None, limit: int) -> list[ConsentRow]:
        """The tenant's consents, withdrawn and expired ones too, oldest first."""
        async with self._store.tenant(tenant) as connection:
            return await rows.page(connection, tenant, subject=subject, after=after, limit=limit)


def faults_of(new: NewConsent, now: datetime) -> Iterator[Fault]:
    """What is wrong with a consent that is to be recorded by hand."""
    if Channel.RECORDS in new.channels:
        yield Fault("channels", "records are consented to at their network, by the patient")
    if new.evidence.when > now + _PATIENCE:
        yield Fault("evidence.when", "must not lie in the future")
    if new.expires_at is not None and new.expires_at <= max(now, new.evidence.when):
        yield Fault("expires_at", "must lie in the future")


def consent_of(row: ConsentRow) -> Consent:
    """A stored consent as a decision weighs it."""
    return Consent(
        id=str(row.id),
        purposes=frozenset(map(Purpose, row.purposes)),
        channels=frozenset(map(Channel, row.channels)),
        given_at=row.given_at,
        expires_at=row.expires_at,
        withdrawn_at=row.withdrawn_at,
        time_zone=row.time_zone,
    )


def _nothing() -> NotFound:
    return NotFound("there is no such consent")


def _about(actor: Actor, row: ConsentRow, state: str) -> dict[str, Any]:
    return {
        "v": 1,
        "actor": {"kind": actor.kind, "id": actor.id},
        "consent": str(row.id),
        "subject": str(row.subject),
        "state": state,
        "purposes": row.purposes,
        "channels": row.channels,
    }
