"""The bytes of a letter as they came, while it is being worked off."""

from __future__ import annotations

from gateway.errors import NotFound
from gateway.flows.network.heard import Heard
from gateway.flows.rooms import Rooms
from gateway.network.inbox import named, opened
from gateway.store import letters as rows


async def as_it_came(heard: Heard, rooms: Rooms) -> bytes:
    """The raw body. Raises NotFound once the letter was worked off: what it said is kept nowhere then."""
    clinic = await rooms.connections.clinic(heard.tenant)
    letter = named(clinic, heard.connection, heard.request_id)
    async with rooms.store.tenant(heard.tenant) as connection:
        row = await rows.find(connection, letter)
    if row is None or row.sealed is None:
        raise NotFound("this letter is worked off")
    return opened(clinic, letter, row.sealed).raw_body
