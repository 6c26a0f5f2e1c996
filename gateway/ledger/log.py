"""The ledger as the flows use it: a disclosure's intent and outcome, refusals, proofs, checkpoints. No SQL, no HTTP.

The rule of the house lives here: no durable intent, no call; leaving the block always writes an outcome.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Protocol, Self
from uuid import UUID

import orjson

from connectors.contract import ConnectorError, VendorAnswer
from gateway.calls import Actor, Call
from gateway.errors import Refused, Unavailable
from gateway.ids import new_id
from gateway.ledger.writer import Appended, Draft, Writer
from gateway.log import Log
from gateway.store import ledger as rows
from gateway.store import writers
from gateway.store.pool import Store
from scopes.decision import Allowed, Denied
from scopes.minimize import Minimized
from scopes.vocabulary import Outcome, Purpose

log = Log("gateway.ledger")

_SWEPT_AT_ONCE = 1_000
_SWEEP_PAUSE_SECONDS = 1.0
_SALT_BYTES = 32
KEY_PREFIX: Final = "cg_"
# A vendor may answer with anything as its id: a sentence about somebody, or more than an entry can hold.
_REFERENCE = re.compile(r"[0-9A-Za-z._:/+=-]{1,255}")
Clock = Callable[[], datetime]
Settle = Callable[["Disclosure"], rows.SettlementRow]


def note_of(actor: Actor, what: str, *, query: Mapping[str, Any], count: int, at: datetime) -> Draft:
    """The entry of a look, or of a change that says no more than who, what and how many; `query` holds pseudonyms and ids."""
    fields = {"v": 1, "actor": {"kind": actor.kind, "id": actor.id}, "what": what, "query": dict(query), "count": count}
    return Draft(actor.tenant, "access", at, fields)


class Fingerprints(Protocol):
    """Something that has the tenant's own key."""

    def fingerprint(self, text: bytes) -> bytes:
        """A keyed hash that says whether two texts are the same, and nothing else."""


class Ground(Fingerprints, Protocol):
    """The connection a disclosure stands on, as far as the ledger writes it down."""

    @property
    def id(self) -> UUID:
        """The connection's id."""

    @property
    def standing(self) -> int:
        """The version of the tenant's standing that the decision was made on."""

    @property
    def grant_version(self) -> int:
        """The version of the grant."""

    def seal_answer(self, disclosure: UUID, answer: bytes) -> bytes:
        """Seal an answer that is kept for repeats of the Idempotency-Key."""


class Asked(Protocol):
    """What was asked for: a host's call, or an event's delivery."""

    @property
    def tenant(self) -> UUID:
        """Whose data it is."""

    @property
    def actor(self) -> Actor:
        """Who asked."""

    @property
    def purpose(self) -> Purpose:
        """What for."""

    @property
    def request_id(self) -> str:
        """The request at the gateway's door, or the event, that led to it."""

    @property
    def idempotency_key(self) -> str | None:
        """Under which a repeat gets the first answer."""


class Recipient(Protocol):
    """Who receives it."""

    @property
    def legal_name(self) -> str:
        """The name that a patient is told."""

    @property
    def regions(self) -> Sequence[str]:
        """Where the data is kept and worked on."""

    @property
    def transfer(self) -> str | None:
        """On which ground it may cross a border."""

    def recorded(self) -> dict[str, str]:
        """Who it is, as every entry of the ledger says it."""


class Deed(Protocol):
    """What is done: a connector's action, or the telling of an event."""

    @property
    def connector(self) -> str:
        """The integration."""

    @property
    def name(self) -> str:
        """Its action."""

    @property
    def feature(self) -> str:
        """What the clinic switched on for it."""

    @property
    def recipient(self) -> Recipient:
        """Who receives it."""


class Disclosed(Protocol):
    """A disclosure that stands in the log, as far as a later outcome refers to it."""

    @property
    def id(self) -> UUID:
        """Its id."""

    @property
    def leaf_index(self) -> int:
        """The index of its intent."""


class Passage(Protocol):
    """The way out of one disclosure, as far as its outcome tells of it."""

    attempts: int
    sent: bool


@dataclass(frozen=True, slots=True)
class RegisterPlace:
    """The version of the register of recipients that is in force, and its SHA-256 in hexadecimal digits."""

    version: int
    hash: str


@dataclass(frozen=True, slots=True)
class Intent:
    """What is about to be disclosed, decided but not yet written down."""

    call: Asked
    action: Deed
    ground: Ground
    fields: Minimized
    decision: Allowed | Denied
    subject: UUID | None
    host: str
    register: RegisterPlace
    trace: Mapping[str, Any] = field(default_factory=dict)  # what else its entry says: ids and numbers only


class Ledger:
    """Writes what is disclosed before it leaves, and what came of it."""

    def __init__(self, store: Store, writer: Writer, *, clock: Clock) -> None:
        self._store = store
        self._writer = writer
        self._clock = clock
        self._open: set[UUID] = set()
        self._sweeping: set[asyncio.Task[int]] = set()
        writer.recovered = self._sweep_soon

    def disclosing(self, intent: Intent, settle: Settle | None = None) -> Disclosure:
        """The block in which data leaves: entering writes the intent, leaving writes the outcome.

        Entering raises LedgerUnavailable, StandingChanged or KeyTaken; then nothing was written that counts. Leaving
        raises OutcomeUnrecorded when the ledger cannot take the outcome for long; it is written later all the same.
        `settle` is asked when the outcome is known, and what it gives becomes durable with it or not at all.
        """
        return Disclosure(intent, self._writer, self._clock, self._open, settle)

    async def refused(
        self, intent: Intent, settle: Callable[[UUID, datetime], rows.SettlementRow] | None = None
    ) -> Refused:
        """Record a refusal; returns what to raise. Raises StandingChanged when it was decided on an old standing.

        `settle` gets the refusal's id and time, and what it gives becomes durable with the refusal or not at all.
        """
        assert isinstance(intent.decision, Denied)
        call, at, refusal = intent.call, self._clock(), new_id()
        reasons = intent.decision.reasons
        draft = Draft(
            tenant=call.tenant,
            kind="refusal",
            at=at,
            fields={
                **_asked(intent, refusal),
                "reasons": [[str(reason.code), reason.what] for reason in reasons],
                "standing": intent.ground.standing,
            },
            decided_on=intent.ground.standing,
            refusal=rows.RefusalRow(
                call.tenant, refusal, at, intent.action.connector, intent.action.name, str(call.purpose),
                intent.subject, [str(reason.code) for reason in reasons],
            ),
            settlement=settle(refusal, at) if settle is not None else None,
        )  # fmt: skip
        appended = await self._writer.append(draft)
        return Refused(reasons, index=appended.index)

    async def settled(self, tenant: UUID, found: Disclosed, outcome: Outcome, code: str) -> Appended:
        """Record what a vendor told later of a disclosure; its earlier outcome stays where it is."""
        at = self._clock()
        return await self._writer.append(
            Draft(
                tenant=tenant,
                kind="outcome",
                at=at,
                fields=_outcome_fields(found.id, found.leaf_index, outcome, code),
                must_land=True,
                outcome=rows.OutcomeRow(tenant, found.id, at, str(outcome), code),
            )
        )

    async def accessed(self, actor: Actor, *, what: str, query: dict[str, Any], count: int) -> Appended:
        """Record that somebody searched or exported the log; `query` holds pseudonyms, never a host's reference."""
        return await self._writer.append(note_of(actor, what, query=query, count=count, at=self._clock()))

    @property
    def healthy(self) -> bool:
        """Whether the ledger could be written when it was last tried."""
        return self._writer.healthy

    @property
    def writer(self) -> int:
        """The id under which this gateway writes and lives; another one after the database was away."""
        return self._writer.id

    async def sweep(self) -> int:
        """Give every intent whose writer died an outcome: unknown. Returns how many there were."""
        swept = 0
        while True:
            async with self._store.nobody() as connection:
                if not await writers.try_sweeping(connection):
                    return swept  # another gateway is at it
                found = await writers.orphans(connection, _SWEPT_AT_ONCE)
                orphans = [orphan for orphan in found if orphan.id not in self._open]
                await asyncio.gather(*(self._writer.append(self._lost(orphan)) for orphan in orphans))
                swept += len(orphans)
                if len(found) < _SWEPT_AT_ONCE:
                    if not self._open.intersection(orphan.id for orphan in found):
                        await writers.forget_writers(connection)
                    if swept:
                        log.warning("swept_to_unknown", intents=swept)
                    return swept

    def _sweep_soon(self) -> None:
        """After an outage: an intent whose commit was cut off may be there, and its caller was told that it is not."""
        task = asyncio.create_task(self._sweep_when_possible(), name="ledger-sweep")
        self._sweeping.add(task)
        task.add_done_callback(self._swept)

    async def _sweep_when_possible(self) -> int:
        while True:
            try:
                return await self.sweep()
            except Unavailable:  # the database is on its way back, or away again
                await asyncio.sleep(_SWEEP_PAUSE_SECONDS)

    def _swept(self, task: asyncio.Task[int]) -> None:
        self._sweeping.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("sweep_failed", failure=task.exception())  # the next start or recovery sweeps again

    def _lost(self, orphan: writers.Orphan) -> Draft:
        at = self._clock()
        return Draft(
            tenant=orphan.tenant,
            kind="outcome",
            at=at,
            fields=_outcome_fields(orphan.id, orphan.leaf_index, Outcome.UNKNOWN, "gateway_stopped"),
            must_land=True,
            outcome=rows.OutcomeRow(orphan.tenant, orphan.id, at, str(Outcome.UNKNOWN), "gateway_stopped"),
        )


class Disclosure:
    """One disclosure while it happens. A vendor's failure ends the block and is recorded; it does not come out of it."""

    def __init__(
        self, intent: Intent, writer: Writer, clock: Clock, under_way: set[UUID], settle: Settle | None = None
    ) -> None:
        self.id = new_id()
        self.outcome = Outcome.UNKNOWN
        self.code: str | None = None
        self.failure: ConnectorError | None = None
        self.answer: dict[str, Any] = {}
        self.appended = Appended(-1, b"")
        self._intent = intent
        self._writer = writer
        self._clock = clock
        self._under_way = under_way
        self._settle = settle
        self._reference: str | None = None
        self._passage: Passage | None = None

    @property
    def idempotency_key(self) -> str:
        """The vendor's idempotency key: the same for every attempt, never used for another disclosure."""
        return f"{KEY_PREFIX}{self.id.hex}"

    def through(self, passage: Passage) -> None:
        """Remember where the attempts are counted."""
        self._passage = passage

    def accepted(self, answer: VendorAnswer, kept: dict[str, Any]) -> None:
        """The vendor did it; `kept` is its answer, minimized. Its id is written down where it can be nothing but an id."""
        self.outcome, self.answer = Outcome.ACCEPTED, kept
        if answer.reference is not None and _REFERENCE.fullmatch(answer.reference):
            self._reference = answer.reference

    async def __aenter__(self) -> Self:
        self._under_way.add(self.id)
        landing = self._writer.append(self._intent_draft())
        try:
            self.appended = await landing
        except asyncio.CancelledError:
            # The caller left meanwhile. Nothing was sent; the entry counts if it is durable, and needs its outcome.
            self._under_way.discard(self.id)
            if landing.exception() is None:
                self.appended, self.outcome, self.code = landing.result(), Outcome.FAILED, "cancelled"
                self._writer.append(self._outcome_draft())
            raise
        except BaseException:
            self._under_way.discard(self.id)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(failure, ConnectorError):
            self.outcome, self.code, self.answer, self.failure = failure.outcome, failure.code, {}, failure
        elif failure is not None:
            left = self._passage is not None and self._passage.sent
            self.outcome, self.answer = Outcome.UNKNOWN if left else Outcome.FAILED, {}
            self.code = "cancelled" if isinstance(failure, asyncio.CancelledError) else "gateway_fault"
        try:
            await self._writer.append(self._outcome_draft())
        finally:
            self._under_way.discard(self.id)
        return isinstance(failure, ConnectorError)

    def _intent_draft(self) -> Draft:
        intent = self._intent
        call, action, fields, at = intent.call, intent.action, intent.fields, self._clock()
        recipient = action.recipient
        payload = orjson.dumps(fields.values, option=orjson.OPT_SORT_KEYS)
        salt = os.urandom(_SALT_BYTES)
        assert isinstance(intent.decision, Allowed)
        entry = {
            **_asked(intent, self.id),
            "connection": str(intent.ground.id),
            "feature": action.feature,
            "fields": fields.sent,
            "withheld": fields.withheld,
            "recipient": recipient.recorded(),
            "endpoint": {"host": intent.host, "regions": recipient.regions},
            "transfer": recipient.transfer,
            "payload": {"commitment": hashlib.sha256(salt + payload).hexdigest(), "length": len(payload)},
            "rules": intent.decision.rules,
            **_grounds(intent.decision),
            "register": {"version": intent.register.version, "hash": intent.register.hash},
            "standing": intent.ground.standing,
            "version": intent.ground.grant_version,
        }
        return Draft(
            tenant=call.tenant,
            kind="intent",
            at=at,
            fields=entry,
            decided_on=intent.ground.standing,
            disclosure=rows.DisclosureRow(
                call.tenant, self.id, at, action.connector, action.name, intent.ground.id, recipient.legal_name,
                str(call.purpose), list({str(category) for _, category in fields.sent}), intent.subject,
                f"{call.actor.kind}:{call.actor.id}", salt, *_repeat_guard(intent),
            ),
            reach=_reach(intent, self.id, at),
        )  # fmt: skip

    def _outcome_draft(self) -> Draft:
        intent, at = self._intent, self._clock()
        tenant = intent.call.tenant
        fields = _outcome_fields(self.id, self.appended.index, self.outcome, self.code)
        fields["attempts"] = self._passage.attempts if self._passage is not None else 0
        if self._reference is not None:
            fields["reference"] = self._reference
        sealed = None
        if intent.call.idempotency_key is not None:
            told = {
                "outcome": self.outcome,
                "code": self.code,
                "answer": self.answer,
                "withheld": intent.fields.withheld,
                "before": intent.call.before if isinstance(intent.call, Call) else (),
            }
            sealed = rows.AnswerRow(
                tenant, self.id, at, intent.ground.seal_answer(self.id, orjson.dumps(told, default=str))
            )
        return Draft(
            tenant=tenant,
            kind="outcome",
            at=at,
            fields=fields,
            must_land=True,
            outcome=rows.OutcomeRow(tenant, self.id, at, str(self.outcome), self.code),
            answer=sealed,
            settlement=self._settle(self) if self._settle is not None else None,
        )


def _asked(intent: Intent, disclosure: UUID) -> dict[str, Any]:
    """What an intent and a refusal say alike: who asked for what, about whom, why."""
    call, action = intent.call, intent.action
    return {
        "v": 1,
        "disclosure": str(disclosure),
        "actor": {"kind": call.actor.kind, "id": call.actor.id},
        "request": call.request_id,
        "connector": action.connector,
        "action": action.name,
        "purpose": str(call.purpose),
        "subject": str(intent.subject) if intent.subject is not None else None,
        **intent.trace,
    }


def _reach(intent: Intent, disclosure: UUID, at: datetime) -> rows.ReachRow | None:
    """The place that it takes among the person's messages."""
    assert isinstance(intent.decision, Allowed)
    reach, subject = intent.decision.reach, intent.subject
    if reach is None or subject is None:
        return None
    return rows.ReachRow(intent.call.tenant, subject, str(reach.channel), disclosure, at, reach.at_most)


def _grounds(decision: Allowed) -> dict[str, str]:
    """The consent and the agreement that a permission stands on, where it needed any."""
    grounds = {"consent": decision.consent, "agreement": decision.agreement}
    return {name: given for name, given in grounds.items() if given is not None}


def _outcome_fields(disclosure: UUID, index: int, outcome: Outcome, code: str | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"v": 1, "disclosure": str(disclosure), "intent": index, "outcome": str(outcome)}
    if code is not None:
        fields["code"] = code
    return fields


def _repeat_guard(intent: Intent) -> tuple[bytes | None, bytes | None]:
    """Keyed hashes of the Idempotency-Key and of the body, so that a repeat is known without keeping either."""
    if not isinstance(intent.call, Call) or intent.call.idempotency_key is None:
        return None, None
    return repeat_guard(intent.call, intent.ground)


def repeat_guard(call: Call, keyed: Fingerprints) -> tuple[bytes, bytes]:
    """The keyed hashes under which a call's Idempotency-Key and its body are known."""
    assert call.idempotency_key is not None
    return keyed.fingerprint(b"key|" + call.idempotency_key.encode()), body_fingerprint(call, keyed)


def body_fingerprint(call: Call, keyed: Fingerprints) -> bytes:
    """The keyed hash under which what a call asks for is known."""
    if call.waited is not None:
        return call.waited.fingerprint
    asked = [call.family or call.connector, call.action, str(call.purpose), call.subject, dict(call.payload)]
    return keyed.fingerprint(b"body|" + orjson.dumps(asked, option=orjson.OPT_SORT_KEYS))
