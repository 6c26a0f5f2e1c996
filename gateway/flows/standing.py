"""What a decision weighs for one call: the clinic's standing, the subject's consents, what was answered, what is said."""

from __future__ import annotations

from uuid import UUID

from connectors.contract import Action, Message
from gateway.connections import Connection
from gateway.flows.rooms import Rooms
from gateway.flows.wording import worded
from scopes.decision import Standing
from scopes.minimize import Minimized


async def standing_of(
    action: Action, connection: Connection, fields: Minimized, subject: UUID | None, rooms: Rooms
) -> Standing:
    """The standing for one call, to decide it on."""
    standing = await rooms.consents.standing(connection.clinic, action.rule, subject)
    # Nothing is copied where a required field is withheld; that is said already.
    if isinstance(fields.model, Message) and fields.values:
        standing = await rooms.contacts.weighed(connection.clinic, standing, fields.model.phone)
        standing = await worded(standing, action, fields.model, connection.clinic, rooms)
    return standing
