"""Gather what stands behind one disclosure: on whose word it was let through, what else its call did, how it was delivered.

Reads as the role that can only select; ids, kinds and dates only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from gateway.flows.rooms import Rooms
from gateway.store import deliveries, evidence
from gateway.store.deliveries import AttemptRow
from gateway.store.evidence import ConnectionRow, GivenRow, SiblingRow, ToldRow

__all__ = ["AttemptRow", "ConnectionRow", "Evidence", "GivenRow", "SiblingRow", "ToldRow", "gather"]
_MOST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What could be found; nothing of what an entry does not name, or of what was removed since."""

    consent: GivenRow | None = None
    agreement: Mapping[str, Any] | None = None
    """The entry that recorded it."""
    connection: ConnectionRow | None = None
    siblings: tuple[SiblingRow, ...] = ()
    delivery: ToldRow | None = None
    attempts: tuple[AttemptRow, ...] = ()


async def gather(tenant: UUID, entry: Mapping[str, Any], rooms: Rooms) -> Evidence:
    """What an intent's or a refusal's entry refers to."""
    async with rooms.store.reading(tenant) as connection:
        call, delivery = entry.get("call"), _id(entry.get("delivery"))
        siblings = await evidence.siblings(connection, tenant, str(call), _MOST) if call is not None else []
        return Evidence(
            consent=await _one(evidence.consent, connection, tenant, entry.get("consent")),
            agreement=await _agreement(connection, tenant, entry),
            connection=await _one(evidence.connection_of, connection, tenant, entry.get("connection")),
            siblings=tuple(each for each in siblings if str(each.id) != entry["disclosure"]),
            delivery=await _one(evidence.delivery, connection, tenant, entry.get("delivery")),
            attempts=tuple(await deliveries.attempts(connection, tenant, delivery, _MOST)) if delivery else (),
        )


async def _one(find: Any, connection: asyncpg.Connection, tenant: UUID, named: Any) -> Any:
    found = _id(named)
    return await find(connection, tenant, found) if found is not None else None


async def _agreement(
    connection: asyncpg.Connection, tenant: UUID, entry: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    named = _id(entry.get("agreement"))
    if named is None:
        return None
    body = await evidence.agreement(connection, tenant, named, entry["index"])
    return orjson.loads(body) if body is not None else None


def _id(named: Any) -> UUID | None:
    """An id; an agreement of an endpoint is named as the clinic names it and is none."""
    try:
        return UUID(named) if isinstance(named, str) else None
    except ValueError:
        return None
