"""Tell a clinic once of each agreement that ends soon: a notice, and an event for its endpoints. Decides nothing."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final
from uuid import UUID

from gateway.flows.publish import NewEvent, publish
from gateway.flows.rooms import Rooms
from gateway.ids import id_of, new_id
from gateway.store import agreements, notices
from gateway.store.agreements import ToldRow
from gateway.webhooks.kinds import AGREEMENT_EXPIRING, GATEWAY, ID
from scopes.agreement import EXPIRES_SOON

_PUBLISHED_WITHIN: Final = timedelta(hours=6)  # longer than from one round of housekeeping to the next


async def tell_of_expiring(tenant: UUID, rooms: Rooms) -> None:
    """Write the notices, each in the transaction that notes it, and publish what was noted lately and perhaps not published."""
    now = rooms.clock()
    async with rooms.store.tenant(tenant) as connection:
        for row in await agreements.expiring(connection, tenant, now=now, until=now + EXPIRES_SOON):
            assert row.until is not None
            detail = {"recipient": row.recipient, "until": row.until.isoformat(), "days": (row.until - now).days}
            await notices.add(connection, tenant, notices.NoticeRow(new_id(), now, AGREEMENT_EXPIRING, row.id, detail))
        told = await agreements.told_since(connection, tenant, now - _PUBLISHED_WITHIN)
    for each in told:
        await publish(_event(tenant, each), rooms)


def _event(tenant: UUID, told: ToldRow) -> NewEvent:
    """The event; under an id that is drawn from the agreement, so that it is published once."""
    agreement = told.agreement
    assert agreement.until is not None
    data = {ID: str(agreement.id), "recipient": agreement.recipient, "until": agreement.until.isoformat()}
    event = id_of(int(told.told_at.timestamp() * 1000), hashlib.sha256(b"expiring|" + agreement.id.bytes).digest())
    return NewEvent(tenant, AGREEMENT_EXPIRING, data, GATEWAY, id=event)
