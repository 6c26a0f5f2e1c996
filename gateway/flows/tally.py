"""Count what every clinic's log has gained since it was last counted: one clinic after the other, a little at a time."""

from __future__ import annotations

from typing import Final

from gateway.errors import Unavailable
from gateway.flows.rooms import Rooms
from gateway.log import Log

log = Log("gateway.tallies")

_AT_A_TIME: Final = 100_000  # entries of one clinic before it is the next one's turn


async def tally(rooms: Rooms) -> None:
    """Count everything that there is now. Another gateway may do the same meanwhile: nothing counts twice."""
    waiting = await rooms.tallies.untallied()
    while waiting:
        behind = []
        for tenant in waiting:
            try:
                through = await rooms.tallies.roll(tenant, _AT_A_TIME)
            except Unavailable:
                raise
            except Exception as failure:  # the other clinics count all the same
                log.error("clinic_not_tallied", failure=failure, tenant=tenant)
                continue
            if not through.complete:
                behind.append(tenant)
        waiting = behind
