"""The tokens of connections: sealed where they are kept, opened for calls, at most one renewal of each at a time here.

What is opened is remembered as long as the clinic's standing is: whoever connects anew or revokes changes that.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from gateway.connections import Clinic, Connection
from gateway.oauth.answer import Answer
from gateway.oauth.turns import Turns
from gateway.store import oauth as rows
from gateway.store.pool import Store

AHEAD: Final = timedelta(seconds=60)
"""A token that runs out sooner is not sent any more: it has to outlast the request, and the vendor's clock."""
_SHORT: Final = timedelta(seconds=5)
_NO_OLDER: Final = timedelta(minutes=5)
_AHEAD_BY_JOB: Final = timedelta(minutes=10)
_SEALED_AS: Final = "oauth_tokens"
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Held:
    """A connection's tokens, opened."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    expires_at: datetime
    generation: int
    received_at: datetime

    def lasts(self, now: datetime, margin: timedelta = AHEAD) -> bool:
        """Whether the access token outlasts a request that is made now."""
        return self.expires_at - now > margin

    def lasts_just(self, now: datetime) -> bool:
        """Whether it may do where no other can be had."""
        return self.lasts(now, _SHORT)


class Tokens:
    """Opens, keeps and remembers tokens."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._known: OrderedDict[UUID, tuple[int, Held]] = OrderedDict()
        self._renewals: dict[UUID, asyncio.Task[Held]] = {}
        self._distrusted: dict[UUID, str] = {}
        self.turns = Turns(store)

    async def held(self, connection: Connection) -> Held | None:
        """A connection's tokens as remembered or as stored; nothing where it has none."""
        standing, known = self._known.get(connection.id, (-1, None))
        if known is not None and standing == connection.standing:
            return known
        async with self._store.tenant(connection.clinic.tenant) as session:
            row = await rows.tokens(session, connection.clinic.tenant, connection.id)
        found = None if row is None else opened(connection.clinic, row)
        if found is not None:
            self.remember(connection, found)
        return found

    def remember(self, connection: Connection, held: Held) -> None:
        """Remember tokens for the calls that follow."""
        self._known[connection.id] = (connection.standing, held)
        self._known.move_to_end(connection.id)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def forget(self, connection_id: UUID) -> None:
        """Read them anew next time."""
        self._known.pop(connection_id, None)
        self._distrusted.pop(connection_id, None)

    def distrust(self, connection_id: UUID, access: str) -> None:
        """The vendor refused this access token, so it is not sent again: the next call renews it, or hears why not."""
        self._distrusted[connection_id] = access

    def good(self, connection_id: UUID, held: Held | None, now: datetime) -> bool:
        """Whether a token may be sent. One that was refused just after it came is no older for being renewed."""
        if held is None or not held.lasts(now):
            return False
        return self._distrusted.get(connection_id) != held.access or now - held.received_at < _NO_OLDER

    async def once(self, connection_id: UUID, renew: Callable[[], Awaitable[Held]]) -> Held:
        """Renew, or wait for the renewal that is under way here: of many callers one asks, and all get its answer."""
        task = self._renewals.get(connection_id)
        if task is None:
            task = self._renewals[connection_id] = asyncio.ensure_future(_awaited(renew))
            task.add_done_callback(lambda ended: self._ended(connection_id, ended))
        return await asyncio.shield(task)  # a caller that gives up takes the token from nobody

    def _ended(self, connection_id: UUID, ended: asyncio.Task[Held]) -> None:
        self._renewals.pop(connection_id, None)
        if not ended.cancelled():
            ended.exception()  # taken note of, also where every caller has given up

    async def close(self) -> None:
        """Let renewals end, then give every turn back."""
        if self._renewals:
            await asyncio.wait(set(self._renewals.values()), timeout=5)
        await self.turns.close()


async def keep(
    session: asyncpg.Connection, clinic: Clinic, connection_id: UUID, answer: Answer, *, generation: int,
    granted: frozenset[str], now: datetime,
) -> Held | None:  # fmt: skip
    """Store an answer as the next generation, in the caller's transaction; nothing where another one came first."""
    held = orjson.dumps({"access": answer.access, "refresh": answer.refresh})
    sealed = clinic.keyring.seal(held, purpose=_SEALED_AS, row=str(connection_id))
    lasts = answer.expires_at - now
    refresh_at = answer.expires_at - min(_AHEAD_BY_JOB, lasts / 4)
    received = rows.Received(sorted(granted), sealed, now, answer.expires_at, refresh_at)
    if not await rows.receive(session, clinic.tenant, connection_id, generation, received):
        return None
    return Held(answer.access, answer.refresh, answer.expires_at, generation + 1, now)


def opened(clinic: Clinic, row: rows.TokensRow) -> Held | None:
    """Stored tokens, opened; nothing where there are none."""
    if row.sealed is None or row.expires_at is None or row.received_at is None:
        return None
    held = orjson.loads(clinic.keyring.open(row.sealed, purpose=_SEALED_AS, row=str(row.connection)))
    return Held(held["access"], held["refresh"], row.expires_at, row.generation, row.received_at)


async def _awaited(renew: Callable[[], Awaitable[Held]]) -> Held:
    return await renew()
