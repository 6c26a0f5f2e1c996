"""The public keys of networks, remembered by their ids. Asks once a minute at most, whoever sends what; verifies nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from connectors.network import Key
from gateway.errors import GatewayError, Unavailable
from gateway.log import Log

log = Log("gateway.network")

FRESH_SECONDS: Final = 3600.0
"""So old they may be: a key that the network has withdrawn counts no longer than that, where the network answers."""
KEPT_SECONDS: Final = 86_400.0
PAUSE_SECONDS: Final = 60.0
_FIRST_PAUSE_SECONDS: Final = 2.0  # where there is none yet, nothing at all can be taken


@dataclass(slots=True)
class _Known:
    keys: tuple[Key, ...] = ()
    read_at: float = float("-inf")
    asked_at: float = float("-inf")


class Keys:
    """What this gateway knows of the networks' keys."""

    def __init__(self, ask: Callable[[str], Awaitable[tuple[Key, ...]]], *, seconds: Callable[[], float]) -> None:
        """`seconds` counts and never goes back."""
        self._ask = ask
        self._seconds = seconds
        self._known: dict[str, _Known] = {}
        self._reading: dict[str, asyncio.Task[None]] = {}

    async def of(self, connector: str, key_id: str) -> tuple[Key, ...]:
        """The keys that count, asked for anew where none has this id. Raises Unavailable where there are none."""
        known = self._known.setdefault(connector, _Known())
        age = self._seconds() - known.read_at
        if age < FRESH_SECONDS and any(key.id == key_id for key in known.keys):
            return known.keys
        pause = PAUSE_SECONDS if known.keys else _FIRST_PAUSE_SECONDS
        if connector in self._reading or self._seconds() - known.asked_at >= pause:
            try:
                await self._read(connector, known)
            except GatewayError as failure:
                log.warning("network_keys_not_read", connector=connector, code=failure.code)
        if not known.keys or self._seconds() - known.read_at > KEPT_SECONDS:
            raise Unavailable("the network's keys cannot be had just now; send the message again")
        return known.keys

    async def _read(self, connector: str, known: _Known) -> None:
        """Ask, or wait for the question that is under way."""
        task = self._reading.get(connector)
        if task is None:
            task = self._reading[connector] = asyncio.ensure_future(self._asked(connector, known))
            task.add_done_callback(lambda ended: self._ended(connector, ended))
        await asyncio.shield(task)

    async def _asked(self, connector: str, known: _Known) -> None:
        known.asked_at = self._seconds()
        known.keys = await self._ask(connector)
        known.read_at = self._seconds()
        log.info("network_keys_read", connector=connector, keys=len(known.keys))

    def _ended(self, connector: str, ended: asyncio.Task[None]) -> None:
        self._reading.pop(connector, None)
        if not ended.cancelled():
            ended.exception()  # taken note of, also where every caller has given up
