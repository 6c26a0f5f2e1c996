"""Publish one event: what it may tell at most is kept sealed, with a delivery for each endpoint that wants to hear of it.

All of it is one transaction, the jobs that wake the endpoints' lanes included. What leaves is decided at each attempt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from gateway.errors import InvalidRequest
from gateway.flows.rooms import Rooms
from gateway.ids import new_id
from gateway.store import events as rows
from gateway.store import jobs
from gateway.webhooks.kinds import HOST
from scopes.minimize import Fault, InvalidPayload, Minimized, minimize

SEALED_AS: Final = "event"  # what the vault seals it for


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that happened. `only` tells it to one endpoint; under a given `id` it is published once."""

    tenant: UUID
    type: str
    data: Mapping[str, Any] = field(repr=False)
    source: str
    subject: str | None = field(default=None, repr=False)
    only: UUID | None = None
    id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What came of it; `withheld` are the paths that were handed over and stay, since the event's kind has no such field."""

    id: UUID
    deliveries: int
    withheld: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An event that is ready to be put into a transaction."""

    tenant: UUID
    row: rows.NewEventRow
    withheld: tuple[str, ...]


async def publish(event: NewEvent, rooms: Rooms) -> Published:
    """Publish an event; raises InvalidRequest."""
    ready = await prepared(event, rooms)
    async with rooms.store.tenant(ready.tenant) as connection:
        return await put(connection, ready)


async def prepared(event: NewEvent, rooms: Rooms) -> Prepared:
    """Everything about publishing that needs no transaction; raises InvalidRequest."""
    if event.source == HOST:
        rooms.kinds.publishable(event.type)
    fields = _minimized(event, rooms)
    tenant, event_id, now = event.tenant, event.id or new_id(), rooms.clock()
    clinic = await rooms.connections.clinic(tenant)
    subject = None
    if event.subject is not None:
        subject = await rooms.subjects.pseudonym(tenant, event.subject, keyed=clinic)
    sealed = clinic.keyring.seal(orjson.dumps(fields.values), purpose=SEALED_AS, row=str(event_id))
    row = rows.NewEventRow(event_id, now, event.type, event.source, subject, sealed, event.only)
    return Prepared(tenant, row, fields.withheld)


async def put(connection: asyncpg.Connection, event: Prepared) -> Published:
    """Publish in the caller's transaction: the event exists if, and only if, what it tells of does."""
    published = await rows.publish(connection, event.tenant, event.row)
    if published is not None and published.woken:
        await jobs.enqueue(connection, [jobs.lane_job(event.tenant, endpoint) for endpoint in published.woken])
    return Published(event.row.id, published.deliveries if published is not None else 0, event.withheld)


def _minimized(event: NewEvent, rooms: Rooms) -> Minimized:
    try:
        return minimize(rooms.kinds.kind(event.type).shape, event.data)
    except InvalidPayload as invalid:
        faults = [Fault(f"data.{fault.path}".rstrip("."), fault.message) for fault in invalid.faults]
        raise InvalidRequest("the data does not fit the event's type", faults=faults) from None
