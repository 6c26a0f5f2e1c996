"""Write down what a vendor tells afterwards of a disclosure: sent on, delivered, read, or not to be delivered.

The outcome that a disclosure has is never changed; a later one follows it in the log, and the latest counts.
"""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from connectors.contract import Arrival, Settlement
from gateway.errors import Unavailable
from gateway.flows.rooms import Rooms
from gateway.ledger.log import KEY_PREFIX
from gateway.log import Log
from gateway.store import disclosures
from gateway.store.disclosures import FoundRow
from scopes.vocabulary import Outcome

log = Log("gateway.settle")

_KEY: Final = re.compile(f"{KEY_PREFIX}([0-9a-f]{{32}})")


class StillUnderWay(Unavailable):
    """The vendor was faster than our own record of its answer: look again in a moment."""


async def settle(tenant: UUID, connection: UUID, settlement: Settlement, rooms: Rooms) -> None:
    """Record what became of one disclosure of this connection, where that is news. Raises StillUnderWay.

    A key that is not one of this connection's disclosures was not made by us, and is passed over.
    """
    match = _KEY.fullmatch(settlement.key)
    if match is None:
        return
    async with rooms.store.tenant(tenant) as reading:
        found = await disclosures.find(reading, tenant, UUID(match[1]))
    if found is None or found.connection != connection:
        log.warning("settles_nothing_of_ours", connection=connection)
        return
    if found.outcome is None:
        raise StillUnderWay
    if _is_news(found, settlement):
        await rooms.ledger.settled(tenant, found, settlement.arrival.outcome, settlement.code)


def _is_news(found: FoundRow, settlement: Settlement) -> bool:
    """Vendors repeat themselves and keep no order: what is final stays, and `sent` only says more than `unknown`."""
    known = (found.code or "").partition(".")[0]
    if known in [str(arrival) for arrival in Arrival if arrival.final]:
        return False
    return settlement.arrival.final or found.outcome == Outcome.UNKNOWN
