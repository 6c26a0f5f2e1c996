"""One vendor's endpoint as decisions, disclosures and signatures see it. Opens its signing secrets; reads and changes no row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from gateway.connections import Clinic
from gateway.store.endpoints import SecretRow
from gateway.webhooks.kinds import GATEWAY, ID, Kind, fits
from gateway.webhooks.signing import Signer, Signing, public_of
from scopes.agreement import Need
from scopes.decision import ActionRule
from scopes.field import Shape
from scopes.grant import Grant
from scopes.tracking import tracks
from scopes.vocabulary import Category, ConnectionState, Purpose, Role

CONNECTOR: Final = "webhook"  # what the ledger calls the integration
SEALED_FOR: Final = "endpoint"  # what the vault seals a signing secret for

_ANSWER: Final = "answer"
_EVERY_FIELD: Final = "*"


class Status(StrEnum):
    """How an endpoint stands; only `active` hears anything."""

    PENDING = "pending"
    """It has not proved yet that it is the vendor's."""
    ACTIVE = "active"
    SUSPENDED = "suspended"
    """The clinic stopped it for now; what happens meanwhile passes it by."""
    OFF = "off"
    """The gateway stopped it: it said that it is gone, or it failed for too long."""
    REMOVED = "removed"


class Why(StrEnum):
    """Why an endpoint is suspended or off."""

    CLINIC = "clinic"
    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """It took nothing for five days."""


ANY: Final = frozenset(Status)
_STATES: Final = {
    Status.PENDING: ConnectionState.PENDING,
    Status.ACTIVE: ConnectionState.ACTIVE,
    Status.SUSPENDED: ConnectionState.SUSPENDED,
    Status.OFF: ConnectionState.SUSPENDED,
    Status.REMOVED: ConnectionState.REVOKED,
}


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who hears of the events, as the clinic says; a vendor that works for it."""

    legal_name: str
    country: str
    agreement: str | None = None

    @property
    def regions(self) -> tuple[str, ...]:
        """Where the data is kept, as far as the clinic knows."""
        return (self.country,)

    @property
    def transfer(self) -> str | None:
        """On which ground the data may cross a border: the agreement."""
        return self.agreement

    def recorded(self) -> dict[str, str]:
        """Who it is, as every entry of the ledger says it."""
        return {"name": self.legal_name, "role": str(Role.PROCESSOR), "country": self.country}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """What an endpoint may hear: types or patterns of events, and what of their fields goes beyond the id."""

    events: tuple[str, ...]
    categories: frozenset[Category] = frozenset()
    fields: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEndpoint(Hearing):
    """What a clinic wants to register, checked."""

    url: str
    host: str
    purpose: Purpose
    recipient: Recipient
    signing: Signing = "v1"


@dataclass(frozen=True, kw_only=True, eq=False)
class Endpoint:
    """One endpoint as decisions and disclosures see it; its secrets stay sealed until it signs."""

    id: UUID
    url: str
    status: Status
    why: str | None
    events: tuple[str, ...]
    purpose: Purpose
    categories: frozenset[Category]
    fields: frozenset[str]
    recipient: Recipient
    signing: Signing
    grant: Grant
    created_at: datetime
    changed_at: datetime
    clinic: Clinic = field(repr=False)
    secrets: tuple[SecretRow, ...] = field(repr=False)
    clock: Callable[[], datetime] = field(repr=False)
    provider_scopes: frozenset[str] = frozenset()
    expires_at: datetime | None = None
    reconnect_needed: bool = False
    _held_back: dict[Kind, frozenset[str]] = field(default_factory=dict, init=False, repr=False)
    _signers: dict[tuple[UUID, ...], Signer] = field(default_factory=dict, init=False, repr=False)

    @property
    def tenant(self) -> UUID:
        """Whose endpoint it is."""
        return self.clinic.tenant

    @property
    def state(self) -> ConnectionState:
        """How it stands, in the words of a decision."""
        return _STATES[self.status]

    @property
    def includes(self) -> Callable[[frozenset[str], str], bool]:
        """An endpoint has no scopes of a vendor's."""
        return _nothing

    @property
    def standing(self) -> int:
        """The version of the tenant's standing that this was read with."""
        return self.clinic.standing.version

    @property
    def grant_version(self) -> int:
        """The version of the grant."""
        return self.grant.version

    def seal_answer(self, disclosure: UUID, answer: bytes) -> bytes:
        """Seal an answer that is kept for repeats of an Idempotency-Key; deliveries have none."""
        return self.clinic.keyring.seal(answer, purpose=_ANSWER, row=str(disclosure))

    def fingerprint(self, text: bytes) -> bytes:
        """A hash under the tenant's own key."""
        return self.clinic.fingerprint(text)

    def subscribes(self, type_: str) -> bool:
        """Whether events of this type are delivered to it."""
        return any(fits(pattern, type_) for pattern in self.events)

    def rule(self, kind: Kind) -> ActionRule:
        """What decide() needs to know of telling it an event of this kind."""
        return ActionRule(
            connector=CONNECTOR,
            name=kind.type,
            feature=next((pattern for pattern in self.events if fits(pattern, kind.type)), kind.type),
            purposes=frozenset({self.purpose}),
            provider_scopes=(),
            required_paths=kind.shape.required_paths,
            categories=kind.shape.categories,
            free_text_paths=kind.shape.free_text_paths,
            recipient=self.recipient.legal_name,
            recipient_id=str(self.id),
            # What the gateway says of itself is about nobody.
            agreement=Need.NEVER if kind.source == GATEWAY else Need.BY_LAW,
            regions=frozenset(self.recipient.regions),
            tracks=self._tracks,
        )

    def holds_back(self, kind: Kind) -> frozenset[str]:
        """The paths of a kind that may not go: all but the id, and the fields that were granted with their category."""
        if len(kind.shape.fields) == 1:  # there is only the id; hosts may make up any number of such types
            return frozenset()
        held = self._held_back.get(kind)
        if held is None:
            held = self._held_back[kind] = frozenset(_held(kind.shape, self._granted(kind)))
        return held

    def signer(self) -> Signer:
        """Signs with the secrets that are valid now."""
        valid = self._valid()
        names = tuple([row.id for row in valid])
        signer = self._signers.get(names)
        if signer is None:
            signer = self._signers[names] = Signer.of([self._opened(row) for row in valid])
        return signer

    @property
    def public_keys(self) -> tuple[str, ...]:
        """What a receiver of v1a verifies with, newest first; none of an endpoint that shares its secret."""
        if self.signing != "v1a":
            return ()
        return tuple(public_of(self._opened(row)) for row in self._valid())

    def pseudonym(self, subject: UUID) -> str:
        """The name of a subject at this endpoint alone: two vendors cannot join what they heard."""
        return self.clinic.fingerprint(b"endpoint|" + self.id.bytes + subject.bytes).hex()[:32]

    @cached_property
    def _tracks(self) -> bool:
        place = urlsplit(self.url)
        return tracks(place.hostname or "", place.path)

    def _granted(self, kind: Kind) -> frozenset[str]:
        every = f"{kind.type}:{_EVERY_FIELD}" in self.fields
        may_have = self.categories | {Category.OPERATIONAL}
        return frozenset(
            leaf.path
            for leaf in kind.shape.walk()
            if leaf.category in may_have
            and (f"{kind.type}:{leaf.path}" in self.fields or (every and leaf.category is not Category.FREE_TEXT))
        ) | {ID}

    def _valid(self) -> list[SecretRow]:
        """The secrets that sign now, newest first."""
        now = self.clock()
        return [row for row in self.secrets if row.expires_at is None or row.expires_at > now]

    def _opened(self, row: SecretRow) -> str:
        return self.clinic.keyring.open(row.sealed, purpose=SEALED_FOR, row=str(row.id)).decode("ascii")


def _held(shape: Shape, granted: frozenset[str]) -> Iterator[str]:
    """What stays of a shape; a group stays whole where nothing of it may go, or not what it cannot be without."""
    for each in shape.fields:
        if each.shape is None:
            if each.path not in granted:
                yield each.path
            continue
        inside = frozenset(_held(each.shape, granted))
        needed = inside & each.shape.required_paths
        if needed or inside.issuperset(field.path for field in each.shape.fields):
            yield each.path
        else:
            yield from inside


def _nothing(_held_scopes: frozenset[str], _needed: str) -> bool:
    return False
