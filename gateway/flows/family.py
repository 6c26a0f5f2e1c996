"""Carry one call to a family of vendors: to the first in the clinic's order that may have it and takes it.

Each vendor that is tried is a recipient of its own: decided, recorded and proved anew, under the id of the call. The next
is tried where one was refused, or said no, or was not reached; never where it may have taken the call. So nobody gets a
message twice, and a repeat under the same Idempotency-Key goes on where the first one ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg

from connectors.registry import UnknownAction
from gateway.calls import Answer, Call, Parked, Tried
from gateway.errors import InProgress, NotFound, Refused
from gateway.flows.broker import broker
from gateway.flows.repeat import first_answer
from gateway.flows.rooms import Rooms
from gateway.flows.waiting import known, may_wait
from gateway.ids import new_id
from gateway.ledger.log import repeat_guard
from gateway.store import disclosures, replies
from gateway.store.disclosures import RepeatRow
from scopes.decision import Refusal
from scopes.vocabulary import Outcome

_GOES_ON: Final = frozenset({Outcome.REJECTED, Outcome.FAILED})  # nothing happened there
_ALIVE: Final = timedelta(minutes=2)  # longer than every vendor of a family takes: the gateway must have died
_KEPT: Final = timedelta(hours=24)
_LOOK_EVERY_SECONDS: Final = 0.05
_WAIT_SECONDS: Final = 35.0


async def carry(call: Call, rooms: Rooms) -> Answer | Parked:
    """Carry a call, whether it names a connector or a family. Raises what broker() raises; Refused where everyone was.

    Where the first vendor that may have it at all may not have it now, the whole call waits.
    """
    if call.idempotency_key is not None and call.waited is None and may_wait(call, rooms):
        first = await known(call, rooms)
        if first is not None:
            return first if isinstance(first, Parked) else await _final(call, rooms)
    if call.connector in rooms.registry.connectors:
        return await broker(call, rooms)
    vendors = await candidates(call, rooms)
    if len(vendors) == 1:
        return await broker(replace(call, connector=vendors[0], family=call.connector), rooms)
    async with _alone(call, rooms):
        return await _in_order(replace(call, id=call.id or new_id(), family=call.connector), vendors, rooms)


async def _final(call: Call, rooms: Rooms) -> Answer:
    """What came of a call that waited and was carried."""
    vendors = await candidates(call, rooms)
    place = await _begun(call, len(vendors), rooms)
    named = call if call.connector in rooms.registry.connectors else replace(call, family=call.connector)
    answer = await first_answer(_step(named, vendors[place], place), rooms)
    if len(vendors) == 1:
        return answer
    return replace(answer, tried=(*answer.tried, Tried(vendors[place], answer.id, answer.outcome)))


async def under_way(call: Call, rooms: Rooms) -> RepeatRow | None:
    """The last disclosure that was begun under a call's key, unless it is known that nothing happened there."""
    keys = await keys_of(call, rooms)
    async with rooms.store.tenant(call.tenant) as connection:
        return await begun_under(keys, connection, call.tenant)


async def keys_of(call: Call, rooms: Rooms) -> list[bytes]:
    """Under what the disclosures of a call stand that has a key, at whichever vendor; the last place first."""
    clinic, vendors = await rooms.connections.clinic(call.tenant), await candidates(call, rooms)
    return [repeat_guard(_step(call, vendor, place), clinic)[0] for place, vendor in enumerate(vendors)][::-1]


async def begun_under(keys: Sequence[bytes], connection: asyncpg.Connection, tenant: UUID) -> RepeatRow | None:
    """The same as `under_way`, in the caller's transaction."""
    for key in keys:
        made = await disclosures.made_by(connection, tenant, key)
        if made is not None:
            return made if made.outcome not in _GOES_ON else None
    return None


async def candidates(call: Call, rooms: Rooms) -> tuple[str, ...]:
    """The vendors of a family that a call may go to, in the clinic's order; at least one. Raises NotFound."""
    if call.connector in rooms.registry.connectors:
        return (call.connector,)
    try:
        able = [action.connector for action in rooms.registry.actions(call.connector, call.action)]
    except UnknownAction as unknown:
        raise NotFound(str(unknown), fix="GET /v1/catalog lists the connectors and their actions.") from None
    clinic = await rooms.connections.clinic(call.tenant)
    wanted = [each for each in clinic.order(call.connector) if each in able]
    return tuple(wanted or able[:1])  # nobody is connected: the first says so, and the refusal is recorded


async def _in_order(call: Call, vendors: tuple[str, ...], rooms: Rooms) -> Answer | Parked:
    tried: list[Tried] = []
    reasons: list[Refusal] = []
    last: Answer | None = None
    begun = await _begun(call, len(vendors), rooms)
    for place, vendor in list(enumerate(vendors))[begun:]:
        try:
            told = await broker(replace(_step(call, vendor, place), before=tuple(tried)), rooms)
        except Refused as refused:
            tried.append(Tried(vendor, None, None, tuple(str(each.code) for each in refused.reasons)))
            reasons += [replace(each, what=f"{vendor}: {each.what}") for each in refused.reasons]
            continue
        if isinstance(told, Parked):
            return told
        last = told
        tried = [*(last.tried or tried), Tried(vendor, last.id, last.outcome)]
        if last.outcome not in _GOES_ON:
            break
    if last is None:
        raise Refused(reasons)
    return replace(last, tried=tuple(tried))


def _step(call: Call, vendor: str, place: int) -> Call:
    """The call to one vendor; under the caller's key, with the place where it is not the first."""
    key = call.idempotency_key
    if key is not None and place:
        key = f"{key}\n{place}"  # a header holds no line break, so no caller's own key is like this
    return replace(call, connector=vendor, idempotency_key=key)


async def _begun(call: Call, most: int, rooms: Rooms) -> int:
    """Where to begin: with the vendor that a first call under this key came to, else with the first."""
    if call.idempotency_key is None:
        return 0
    clinic = await rooms.connections.clinic(call.tenant)
    for place in range(most - 1, 0, -1):
        key, _ = repeat_guard(_step(call, call.connector, place), clinic)
        async with rooms.store.tenant(call.tenant) as connection:
            if await disclosures.made_by(connection, call.tenant, key) is not None:
                return place
    return 0


@asynccontextmanager
async def _alone(call: Call, rooms: Rooms) -> AsyncIterator[None]:
    """Only one call at a time under one Idempotency-Key: the second finds how far the first came. Raises InProgress."""
    if call.idempotency_key is None:
        yield
        return
    clinic, now = await rooms.connections.clinic(call.tenant), rooms.clock()
    name = clinic.fingerprint(b"family|" + call.idempotency_key.encode())
    ages = replies.Ages(now - _KEPT, now - _ALIVE)
    for _ in range(int(_WAIT_SECONDS / _LOOK_EVERY_SECONDS)):
        async with rooms.store.tenant(call.tenant) as connection:
            if await replies.claim(connection, call.tenant, name, fingerprint=b"", ages=ages) is None:
                break
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
    else:
        raise InProgress
    try:
        yield
    finally:
        async with rooms.store.tenant(call.tenant) as connection:
            await replies.release(connection, call.tenant, name)
