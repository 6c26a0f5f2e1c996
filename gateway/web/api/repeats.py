"""Give a repeated Idempotency-Key the first reply again. For every POST that changes something, except calls.

A key belongs to the caller who used it: nobody is given another's reply. Only what succeeded is kept; a request that
failed changed nothing and may be made again under its key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import orjson

from gateway.calls import Actor
from gateway.errors import IdempotencyReused, InProgress
from gateway.flows.rooms import Rooms
from gateway.store import replies
from gateway.store.replies import Ages

KEPT: Final = timedelta(hours=24)
ALIVE: Final = timedelta(minutes=10)  # longer than any request takes: its gateway must have died
Kept = tuple[int, bytes]


async def once(key: str, asked: Any, act: Callable[[], Awaitable[Kept]], *, actor: Actor, rooms: Rooms) -> Kept:
    """Act and keep the reply, or give the reply that was kept. `asked` is all of the request that matters.

    Raises IdempotencyReused for another request under the same key, InProgress while the first is under way.
    """
    clinic, tenant, now = await rooms.connections.clinic(actor.tenant), actor.tenant, rooms.clock()
    name = clinic.fingerprint(f"reply|{actor.kind}:{actor.id}|{key}".encode())
    fingerprint = clinic.fingerprint(b"asked|" + orjson.dumps(asked, option=orjson.OPT_SORT_KEYS))
    ages = Ages(now - KEPT, now - ALIVE)
    async with rooms.store.tenant(tenant) as connection:
        first = await replies.claim(connection, tenant, name, fingerprint=fingerprint, ages=ages)
    if first is not None:
        if first.fingerprint != fingerprint:
            raise IdempotencyReused
        if first.status is None or first.sealed is None:
            raise InProgress
        return first.status, clinic.open_reply(name.hex(), first.sealed)
    try:
        status, body = await act()
    except BaseException:
        async with rooms.store.tenant(tenant) as connection:
            await replies.release(connection, tenant, name)
        raise
    async with rooms.store.tenant(tenant) as connection:
        sealed = clinic.seal_reply(name.hex(), body)
        await replies.settle(connection, tenant, name, status=status, sealed=sealed)
    return status, body
