"""What a decision weighs for one call: the clinic's standing, the subject's consents, and what was answered from its address."""

from __future__ import annotations

from uuid import UUID

from connectors.contract import Action, Message
from gateway.connections import Connection
from gateway.flows.rooms import Rooms
from scopes.decision import Standing
from scopes.minimize import Minimized


async def standing_of(
    action: Action, connection: Connection, fields: Minimized, subject: UUID | None, rooms: Rooms
) -> Standing:
    """The standing for one call, to decide it on."""
    standing = await rooms.consents.standing(connection.clinic, action.rule, subject)
    if isinstance(fields.model, Message):
        standing = await rooms.contacts.weighed(connection.clinic, standing, fields.model.phone)
    return standing
