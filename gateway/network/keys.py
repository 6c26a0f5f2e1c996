"""The public keys of networks, remembered by their ids. Asks once a minute at most, whoever sends what; verifies nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from connectors.network import Key
from gateway.errors import Conflict, GatewayError, Unavailable
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
    failure: GatewayError | None = None
    asked_at: float = float("-inf")


class Keys:
    """What this gateway knows of the networks' keys."""

    def __init__(self, ask: Callable[[str], Awaitable[tuple[Key, ...]]], *, seconds: Callable[[], float]) -> None:
        """`seconds` counts and never goes back."""
        self._ask = ask
        self._seconds = seconds
        self._known: dict[str, _Known] = {}
        self._reading: dict[str, asyncio.Task[None]] = {}

    async def of(self, line: str, key_id: str) -> tuple[Key, ...]:
        """The keys that count, asked for anew where none has this id.

        Raises Unavailable where none can be had, Conflict where the gateway is not registered.
        """
        known = self._known.setdefault(line, _Known())
        if self.knows(line, key_id):
            return known.keys
        pause = PAUSE_SECONDS if known.keys else _FIRST_PAUSE_SECONDS
        if line in self._reading or self._seconds() - known.asked_at >= pause:
            try:
                await self._read(line, known)
                known.failure = None
            except Conflict as failure:
                known.failure = failure
            except GatewayError as failure:
                log.warning("network_keys_not_read", line=line, code=failure.code)
                known.failure = Unavailable("the network's keys cannot be had just now; send the message again")
        if known.failure is not None and (not known.keys or self._seconds() - known.read_at > KEPT_SECONDS):
            raise known.failure
        return known.keys

    def knows(self, line: str, key_id: str) -> bool:
        """Whether a key of this id counts without asking anybody."""
        known = self._known.get(line)
        if known is None or self._seconds() - known.read_at >= FRESH_SECONDS:
            return False
        return any(key.id == key_id for key in known.keys)

    def counting(self, line: str) -> int:
        """How many keys count here now; 0 until the first message of the network's brings this gateway to ask for them."""
        known = self._known.get(line)
        if known is None or self._seconds() - known.read_at >= KEPT_SECONDS:
            return 0
        return len(known.keys)

    async def _read(self, line: str, known: _Known) -> None:
        """Ask, or wait for the question that is under way."""
        task = self._reading.get(line)
        if task is None:
            task = self._reading[line] = asyncio.ensure_future(self._asked(line, known))
            task.add_done_callback(lambda ended: self._ended(line, ended))
        await asyncio.shield(task)

    async def _asked(self, line: str, known: _Known) -> None:
        known.asked_at = self._seconds()
        known.keys = await self._ask(line)
        known.read_at = self._seconds()
        log.info("network_keys_read", line=line, keys=len(known.keys))

    def _ended(self, line: str, ended: asyncio.Task[None]) -> None:
        self._reading.pop(line, None)
        if not ended.cancelled():
            ended.exception()  # taken note of, also where every caller has given up
