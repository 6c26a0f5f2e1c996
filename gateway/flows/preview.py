"""Say what would become of a call. Sends nothing, writes nothing down, and makes no pseudonym for anybody."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.calls import Call
from gateway.flows.broker import action_of, minimized
from gateway.flows.rooms import Rooms
from scopes.decision import Allowed, Denied, decide
from scopes.minimize import Minimized


@dataclass(frozen=True, slots=True)
class Preview:
    """What a decision would be, and what would leave by name and category."""

    decision: Allowed | Denied
    fields: Minimized


async def preview(call: Call, rooms: Rooms) -> Preview:
    """Decide a call on what is stored now. Raises InvalidRequest and NotFound, as the call would."""
    action = action_of(call, rooms)
    # No commit refuses an old standing here, so what is remembered has to be looked at first.
    clinic = await rooms.connections.present(call.tenant)
    connection = clinic.connection(action.connector)
    fields = minimized(call, action, connection)
    subject = None
    if call.subject is not None:
        subject = await rooms.subjects.known(call.tenant, call.subject, keyed=clinic)
    standing = await rooms.consents.standing(clinic, action.rule, subject)
    return Preview(decide(action.rule, connection, call.purpose, standing, now=rooms.clock()), fields)
