"""What became of something that may have been done already, by a job that was cut off. Sends nothing."""

from __future__ import annotations

from gateway.calls import Call
from gateway.flows.rooms import Rooms
from gateway.flows.settle import StillUnderWay
from gateway.ledger.log import repeat_guard
from gateway.store import disclosures
from gateway.store.disclosures import RepeatRow


async def made(call: Call, rooms: Rooms) -> RepeatRow | None:
    """The disclosure that stands under a call's key, with its outcome; None where nothing was sent.

    One whose gateway died gets its outcome first: unknown. Raises StillUnderWay where its gateway lives.
    """
    found = await _found(call, rooms)
    if found is not None and found.outcome is None:
        await rooms.ledger.sweep()
        found = await _found(call, rooms)
        if found is None or found.outcome is None:
            raise StillUnderWay
    return found


async def _found(call: Call, rooms: Rooms) -> RepeatRow | None:
    key, _ = repeat_guard(call, await rooms.connections.clinic(call.tenant))
    async with rooms.store.tenant(call.tenant) as connection:
        return await disclosures.made_by(connection, call.tenant, key)
