"""Say what would become of a call. Sends nothing, writes nothing down, and makes no pseudonym for anybody."""

from __future__ import annotations

from dataclasses import dataclass, replace

from connectors.contract import Action, Wording
from gateway.calls import Call
from gateway.connections import Clinic
from gateway.flows.broker import action_of, minimized
from gateway.flows.family import candidates
from gateway.flows.rooms import Rooms
from gateway.flows.standing import standing_of
from scopes.decision import Allowed, Denied, Refusal, decide
from scopes.minimize import Minimized


@dataclass(frozen=True, slots=True)
class Preview:
    """What a decision would be, what would leave by name and category, and what a message would say."""

    connector: str
    decision: Allowed | Denied
    fields: Minimized
    wording: Wording | None
    action: Action


async def preview(call: Call, rooms: Rooms) -> Preview:
    """Decide a call on what is stored now. Raises InvalidRequest and NotFound, as the call would.

    Of a family's vendors it is the first that may have it; where none may, the reasons of all.
    One at which it would wait ends the search.
    """
    # No commit refuses an old standing here, so what is remembered has to be looked at first.
    clinic = await rooms.connections.present(call.tenant)
    vendors = await candidates(call, rooms)
    reasons: list[Refusal] = []
    for vendor in vendors:
        seen = await _at(replace(call, connector=vendor), clinic, rooms)
        if seen.decision or len(vendors) == 1 or seen.decision.waits_until is not None:
            return seen
        reasons += [replace(each, what=f"{vendor}: {each.what}") for each in seen.decision.reasons]
    return replace(seen, decision=Denied(tuple(reasons)), connector=call.connector)


async def _at(call: Call, clinic: Clinic, rooms: Rooms) -> Preview:
    action = action_of(call, rooms)
    connection = clinic.connection(action.connector)
    fields = minimized(call, action, connection)
    subject = None
    if call.subject is not None:
        subject = await rooms.subjects.known(call.tenant, call.subject, keyed=clinic)
    standing = await standing_of(action, connection, fields, subject, rooms)
    decision = decide(action.rule, connection, call.purpose, standing, now=rooms.clock())
    return Preview(action.connector, decision, fields, standing.wording, action)
