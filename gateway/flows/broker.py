"""Carry one call to a recipient, or refuse it. The sentence the whole house is built around; nothing else happens here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from connectors.contract import Action, Message, ReconnectNeeded, Wording
from connectors.registry import UnknownAction
from gateway.calls import Answer, Call, Parked
from gateway.connections import Connection
from gateway.egress import Credential, Hook, Passage
from gateway.errors import InvalidRequest, NotFound, Unavailable
from gateway.flows.bearer import Bearer, bearer_for
from gateway.flows.repeat import first_answer
from gateway.flows.rooms import Rooms
from gateway.flows.standing import standing_of
from gateway.flows.waiting import park, still_waits
from gateway.ledger.log import Disclosure, Intent
from gateway.ledger.writer import KeyTaken, StandingChanged
from scopes.decision import decide
from scopes.minimize import InvalidPayload, Minimized, minimize, minimize_answer

_DECISIONS = 5  # how often a call is decided anew when the clinic changes its settings meanwhile


async def broker(call: Call, rooms: Rooms) -> Answer | Parked:
    """Carry one call to a recipient, refuse it, or let it wait where the clinic says so; the ledger hears of the first two.

    Raises InvalidRequest, NotFound, Refused, LedgerUnavailable, NoToken and NoSession (nothing was sent), OutcomeUnrecorded (it
    was) and IdempotencyReused; of a call that waited WaitsNoMore too. What the vendor says, or fails to say, is the
    answer's outcome and never an exception.
    """
    for _ in range(_DECISIONS):
        try:
            return await _carry(call, rooms)
        except StandingChanged:
            rooms.connections.forget(call.tenant)
        except KeyTaken:
            return await first_answer(call, rooms)
    raise Unavailable("the clinic's settings keep changing; repeat the request")


async def _carry(call: Call, rooms: Rooms) -> Answer | Parked:
    action = action_of(call, rooms)
    connection = await rooms.connections.active(call.tenant, action.connector)
    if call.waited is not None:
        await still_waits(call, rooms)
    fields = minimized(call, action, connection)
    subject = await rooms.subjects.of(call, keyed=connection.clinic)
    standing = await standing_of(action, connection, fields, subject, rooms)
    decision = decide(action.rule, connection, call.purpose, standing, now=rooms.clock())
    register = await rooms.registers.place(connection.clinic)
    host = rooms.routes[action.connector].host
    intent = Intent(call, action, connection, fields, decision, subject, host, register, _trace(call, standing.wording))
    if not decision:
        if decision.waits_until is not None:
            return await park(call, connection.clinic, intent, rooms)
        raise await rooms.ledger.refused(intent)
    bearer = await bearer_for(connection, action.manifest, rooms)
    certificate = await rooms.callback_keys.certificate(connection) if action.hands_certificate else None
    hook = Hook(
        rooms.callbacks.url_of(connection.id), rooms.callbacks.token_of(connection, action.manifest), certificate
    )
    if isinstance(fields.model, Message):
        await rooms.contacts.remember(connection.clinic, fields.model.phone, subject)
    async with rooms.ledger.disclosing(intent) as disclosure:
        passage = _through(rooms, action, disclosure, _Own(connection, bearer, hook, standing.wording))
        answer = await action.perform(fields.model, passage)
        disclosure.accepted(answer, minimize_answer(action.answer, answer.body))
    if bearer is not None and isinstance(disclosure.failure, ReconnectNeeded):
        bearer.distrust()
    return _told(disclosure, fields)


def action_of(call: Call, rooms: Rooms) -> Action:
    """The action that a call names. Raises NotFound."""
    try:
        action = rooms.registry.action(call.connector, call.action)
        if action.inner and call.actor.kind != "system":
            rooms.registry.offered(call.connector, call.action)  # raises
        return action
    except UnknownAction as unknown:
        raise NotFound(str(unknown), fix="GET /v1/catalog lists the connectors and their actions.") from None


def minimized(call: Call, action: Action, connection: Connection) -> Minimized:
    """What of the payload may leave. Raises InvalidRequest."""
    try:
        fields = minimize(action.shape, call.payload, connection.grant.holds_back(action.shape.free_text_paths))
    except InvalidPayload as invalid:
        raise InvalidRequest("the payload does not fit the action", faults=invalid.faults) from None
    if call.waited is None:
        return fields
    return replace(fields, withheld=tuple(sorted({*fields.withheld, *call.waited.withheld})))


class _Own(NamedTuple):
    """What a disclosure takes along of its clinic's."""

    connection: Connection
    bearer: Bearer | None
    hook: Hook
    wording: Wording | None


def _through(rooms: Rooms, action: Action, disclosure: Disclosure, own: _Own) -> Passage:
    """The one way out for this disclosure: to the hosts of its manifest, with its clinic's key or its token."""
    connection = own.connection
    secret, renew = (connection.credential(), None) if own.bearer is None else (own.bearer.token, own.bearer.renew)
    passage = rooms.egress.through(
        rooms.routes[action.connector],
        credential=Credential(action.manifest.credential.apply, secret, renew),
        idempotency_key=disclosure.idempotency_key,
        account=connection.account,
        repeat=action.repeat,
        settings=connection.settings,
        wording=own.wording,
        hook=own.hook,
    )
    disclosure.through(passage)
    return passage


def _trace(call: Call, wording: Wording | None) -> dict[str, Any]:
    """What else an entry says: of a family's call its id, of a message's words which text it is, never the text."""
    trace: dict[str, Any] = {} if call.id is None else {"call": str(call.id)}
    if wording is not None:
        trace["template"] = [wording.template, wording.version, wording.language]
    return trace


def _told(disclosure: Disclosure, fields: Minimized) -> Answer:
    return Answer(
        id=disclosure.id,
        outcome=disclosure.outcome,
        answer=disclosure.answer,
        withheld=fields.withheld,
        index=disclosure.appended.index,
        leaf=disclosure.appended.leaf,
        code=disclosure.code,
    )
