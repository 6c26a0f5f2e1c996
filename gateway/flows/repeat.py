"""Answer a repeated Idempotency-Key with what the first call got. Sends nothing, writes nothing."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import orjson

from gateway.calls import Answer, Call, Tried
from gateway.errors import IdempotencyReused, InProgress
from gateway.flows.rooms import Rooms
from gateway.ledger.log import repeat_guard
from gateway.store import disclosures
from gateway.store.disclosures import RepeatRow
from scopes.vocabulary import Outcome

_WAIT_SECONDS = 35.0  # a little more than the longest call
_LOOK_EVERY_SECONDS = 0.05


async def first_answer(call: Call, rooms: Rooms) -> Answer:
    """The answer of the first call under this key, awaited while that call is under way.

    Raises IdempotencyReused when that was another call, InProgress when it takes too long.
    """
    clinic = await rooms.connections.clinic(call.tenant)
    key, fingerprint = repeat_guard(call, clinic)
    for _ in range(int(_WAIT_SECONDS / _LOOK_EVERY_SECONDS)):
        async with rooms.store.tenant(call.tenant) as connection:
            first = await disclosures.made_by(connection, call.tenant, key)
        if first is not None and first.fingerprint != fingerprint:
            raise IdempotencyReused
        if first is not None and first.outcome is not None:
            told = clinic.open_answer(first.id, first.sealed) if first.sealed is not None else b"{}"
            return _answer(first, told)
        await asyncio.sleep(_LOOK_EVERY_SECONDS)  # under way, or its intent is in the commit that is being made
    raise InProgress


def _answer(first: RepeatRow, told: bytes) -> Answer:
    kept = orjson.loads(told)
    return Answer(
        id=first.id,
        outcome=Outcome(kept.get("outcome", first.outcome)),
        answer=kept.get("answer", {}),
        withheld=tuple(kept.get("withheld", ())),
        index=first.leaf_index,
        leaf=first.leaf,
        code=kept.get("code", first.code),
        tried=tuple(_tried(each) for each in kept.get("before", ())),
    )


def _tried(kept: dict[str, Any]) -> Tried:
    """One vendor that was tried before, as it was kept."""
    disclosure, outcome = kept["id"], kept["outcome"]
    return Tried(
        kept["connector"],
        None if disclosure is None else UUID(disclosure),
        None if outcome is None else Outcome(outcome),
        tuple(kept["reasons"]),
    )
