"""One attempt of one delivery: a disclosure like any other, decided anew, with its intent before the first byte.

What the receiver says, or fails to say, is how the attempt ended and never an exception. The delivery is settled in the
transaction of the attempt's outcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any, Final
from uuid import UUID

import httpx2
import orjson

from connectors.contract import Ambiguous, Rejected, VendorAnswer
from gateway.calls import Actor
from gateway.errors import Unavailable
from gateway.flows.challenge import DELIVERY_SECONDS, address_of, route_of
from gateway.flows.publish import SEALED_AS
from gateway.flows.rooms import Rooms
from gateway.flows.schedule import SLOW_DOWN, next_attempt, wish_of
from gateway.ledger.log import Disclosure, Intent
from gateway.ledger.writer import StandingChanged
from gateway.store import deliveries as rows
from gateway.store.ledger import SettlementRow
from gateway.webhooks.endpoints import CONNECTOR, Endpoint, Recipient, Status
from gateway.webhooks.kinds import Kind
from scopes.decision import decide
from scopes.minimize import Minimized, minimize
from scopes.vocabulary import Outcome, Purpose, Repeat

_DECISIONS: Final = 5  # how often an attempt is decided anew when the clinic changes its settings meanwhile
_MOST_ANSWER_BYTES: Final = 1 << 16
_GONE: Final = 410
# Something between us and the receiver says that it got no answer: the receiver may have taken the event all the same.
_IN_DOUBT: Final = frozenset({502, 504})
_STOPPED: Final = "cancelled"  # the ledger's word for an attempt that the gateway broke off


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery that is due, with its event, as it was read when the tenant's standing was this one."""

    tenant: UUID
    endpoint: UUID
    standing: int
    row: rows.WaitingRow


class Ended(Enum):
    """How an attempt ended."""

    DELIVERED = auto()
    FAILED = auto()
    REFUSED = auto()
    """The decision said no."""
    CANCELLED = auto()
    """There is nothing to send any more."""
    IDLE = auto()
    """The endpoint is not active; nothing was done."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """How an attempt ended, and what it says about the endpoint."""

    ended: Ended
    slow: bool = False
    gone: bool = False
    wish: timedelta | None = None


async def deliver(waiting: Waiting, rooms: Rooms) -> Attempted:
    """Attempt a delivery once. Raises LedgerUnavailable (nothing was sent) and OutcomeUnrecorded (it was)."""
    for _ in range(_DECISIONS):
        try:
            return await _attempt(waiting, rooms)
        except StandingChanged:
            rooms.connections.forget(waiting.tenant)
    raise Unavailable("the clinic's settings keep changing")


async def _attempt(waiting: Waiting, rooms: Rooms) -> Attempted:
    endpoint = await rooms.endpoints.one(waiting.tenant, waiting.endpoint)
    if endpoint.status is not Status.ACTIVE:
        return Attempted(Ended.IDLE)
    row = await _up_to_date(waiting, endpoint, rooms)
    if row is None:
        return Attempted(Ended.CANCELLED)
    if row.sealed is None:
        return await _cancelled(waiting, rooms)
    kind = rooms.kinds.kind(row.type)
    said = orjson.loads(endpoint.clinic.keyring.open(row.sealed, purpose=SEALED_AS, row=str(row.event)))
    fields = minimize(kind.shape, said, endpoint.holds_back(kind))
    rule = endpoint.rule(kind)
    decision = decide(rule, endpoint, endpoint.purpose, endpoint.clinic.standing, now=rooms.clock())
    telling = Telling.of(row, endpoint, kind, rule.feature)
    route = route_of(endpoint.url, seconds=DELIVERY_SECONDS, max_answer_bytes=_MOST_ANSWER_BYTES)
    register = await rooms.registers.place(endpoint.clinic)
    intent = Intent(telling, telling, endpoint, fields, decision, row.subject, route.host, register, telling.trace)
    settling = _Settling(row, waiting.tenant, rooms)
    if not decision:
        await rooms.ledger.refused(intent, settling.refused)
        return Attempted(Ended.REFUSED)
    body = _body(row, endpoint, fields)
    async with rooms.ledger.disclosing(intent, settling.settle) as disclosure:
        settling.begin()
        passage = rooms.egress.through(
            route, credential=None, idempotency_key=disclosure.idempotency_key, repeat=Repeat.NEVER
        )
        disclosure.through(passage)
        headers = endpoint.signer().headers(str(row.event), int(rooms.clock().timestamp()), body)
        answer = await passage.send(httpx2.Request("POST", address_of(endpoint.url), headers=headers, content=body))
        settling.hear(answer)
        judge(answer.status_code, disclosure)
    return settling.attempted(disclosure)


def judge(status: int, disclosure: Disclosure) -> None:
    """What an answer says: only 2xx takes the event, and any other answer of the receiver's own says that it did not."""
    if 200 <= status < 300:
        disclosure.accepted(VendorAnswer({}, None, status), {})
    elif status in _IN_DOUBT:
        raise Ambiguous(f"http_{status}")
    else:
        raise Rejected(f"http_{status}")


def _body(row: rows.WaitingRow, endpoint: Endpoint, fields: Minimized) -> bytes:
    """The same bytes at each attempt, as long as the grant is the same."""
    told: dict[str, Any] = {"type": row.type, "timestamp": _rfc3339(row.at), "data": fields.values}
    if row.subject is not None:
        told["subject"], told["sequence"] = endpoint.pseudonym(row.subject), row.sequence
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


async def _cancelled(waiting: Waiting, rooms: Rooms) -> Attempted:
    async with rooms.store.tenant(waiting.tenant) as connection:
        await rows.cancel(connection, waiting.tenant, waiting.row.id, code="payload_gone", now=rooms.clock())
    return Attempted(Ended.CANCELLED)


async def _up_to_date(waiting: Waiting, endpoint: Endpoint, rooms: Rooms) -> rows.WaitingRow | None:
    """The row, read anew where the clinic changed something since: its subject may have been erased. None: it waits no more.

    From here on the commit of the intent refuses any other standing than the endpoint's.
    """
    if waiting.standing == endpoint.standing:
        return waiting.row
    async with rooms.store.tenant(waiting.tenant) as connection:
        return await rows.waiting(connection, waiting.tenant, waiting.row.id)


@dataclass(frozen=True, slots=True)
class Telling:
    """The telling of one event to one endpoint, as the ledger writes it down: who asks, what is done, for whom."""

    tenant: UUID
    actor: Actor
    purpose: Purpose
    request_id: str
    name: str
    feature: str
    recipient: Recipient
    trace: dict[str, Any]
    connector: str = CONNECTOR
    idempotency_key: str | None = None

    @classmethod
    def of(cls, row: rows.WaitingRow, endpoint: Endpoint, kind: Kind, feature: str) -> Telling:
        """What this attempt tells."""
        delivery, event = str(row.id), str(row.event)
        return cls(
            tenant=endpoint.tenant,
            actor=Actor("system", "delivery", endpoint.tenant, ()),
            purpose=endpoint.purpose,
            request_id=event,
            name=kind.type,
            feature=feature,
            recipient=endpoint.recipient,
            trace={"delivery": delivery, "event": event, "attempt": row.attempts + 1},
        )


class _Settling:
    """What becomes of a delivery, worked out when the outcome of its attempt is known."""

    def __init__(self, row: rows.WaitingRow, tenant: UUID, rooms: Rooms) -> None:
        self._row = row
        self._tenant = tenant
        self._rooms = rooms
        self._began = rooms.egress.clock()
        self._status: int | None = None
        self._wish: timedelta | None = None

    def begin(self) -> None:
        """The attempt begins now."""
        self._began = self._rooms.egress.clock()

    def hear(self, answer: httpx2.Response) -> None:
        """Take note of the receiver's answer."""
        self._status = answer.status_code
        if answer.status_code >= 400:
            self._wish = wish_of(answer.headers.get("retry-after"), now=self._rooms.clock())

    def settle(self, disclosure: Disclosure) -> SettlementRow:
        """The delivery after an attempt with this outcome."""
        now, row = self._rooms.clock(), self._row
        state, next_at, tried = "delivered", now, row.round + 1
        if disclosure.code == _STOPPED:
            state, tried = "waiting", row.round  # not the receiver's fault: again, as soon as somebody can
        elif disclosure.outcome is not Outcome.ACCEPTED:
            again = next_attempt(tried, now, wish=self._wish, chance=self._rooms.egress.policy.chance)
            state, next_at = ("waiting", again) if again is not None else ("exhausted", now)
        milliseconds = round((self._rooms.egress.clock() - self._began) * 1000)
        return SettlementRow(
            self._tenant, row.id, row.attempts + 1, now, milliseconds, str(disclosure.outcome), self._status,
            disclosure.code, disclosure.id, state, next_at, tried,
        )  # fmt: skip

    def refused(self, refusal: UUID, at: datetime) -> SettlementRow:
        """The delivery after a refusal."""
        row = self._row
        return SettlementRow(
            self._tenant, row.id, row.attempts + 1, at, 0, "refused", None, "refused", refusal, "refused", at, row.round
        )

    def attempted(self, disclosure: Disclosure) -> Attempted:
        """What the attempt says about the endpoint."""
        if disclosure.outcome is Outcome.ACCEPTED:
            return Attempted(Ended.DELIVERED)
        return Attempted(Ended.FAILED, self._status in SLOW_DOWN, self._status == _GONE, self._wish)
