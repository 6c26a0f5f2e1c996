"""One gateway at a time: whoever has a connection's turn asks its vendor for the next token, and the others wait and look.

The turns are advisory locks of one database session per gateway, which end with it: a gateway that is killed leaves none
behind. Where the session is lost while a vendor is asked, two may ask at once; the generation says whose answer counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final
from uuid import UUID

import asyncpg

from gateway.errors import Unavailable
from gateway.store import oauth as rows
from gateway.store.pool import Store

_LOOK_EVERY_SECONDS: Final = 0.05
_LONGEST_LOOK_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 40.0  # longer than a vendor is waited for


class Turns:
    """The turns that this gateway has."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._session: asyncpg.Connection | None = None
        self._one_statement = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, connection_id: UUID) -> AsyncIterator[None]:
        """Have the turn until the block ends; waits while somebody else has it. Raises Unavailable where that takes long."""
        pause = _LOOK_EVERY_SECONDS
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while not await self._try(connection_id):
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_LOOK_SECONDS)
        except TimeoutError:
            raise Unavailable("somebody else renews this connection's token and does not get done") from None
        try:
            yield
        finally:
            await asyncio.shield(self._end(connection_id))

    async def close(self) -> None:
        """Give every turn back."""
        if self._session is not None:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._session.close(timeout=2)
            self._session = None

    async def _try(self, connection_id: UUID) -> bool:
        async with self._one_statement:
            if self._session is None or self._session.is_closed():
                self._session = await self._store.dedicated(name="clinic-gateway turns", plain=True, command_seconds=10)
            try:
                return await rows.try_turn(self._session, connection_id)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                self._session.terminate()
                raise Unavailable from None
            except asyncio.CancelledError:
                self._session.terminate()  # nobody knows whether the turn was given
                raise

    async def _end(self, connection_id: UUID) -> None:
        async with self._one_statement:
            if self._session is None or self._session.is_closed():
                return
            try:
                await rows.end_turn(self._session, connection_id)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                self._session.terminate()  # the session's end gives it back
