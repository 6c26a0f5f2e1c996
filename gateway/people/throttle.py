"""Who tries too often waits, each time twice as long; counted in the database, so that all gateways count together.

An attempt counts before it is made. Accounts are counted by the address that was typed, whether it has an account or not,
so that the wait says nothing about that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from gateway.errors import GatewayError
from gateway.store import sessions as rows
from gateway.store.pool import Store


class TooOften(GatewayError):
    """Too many attempts failed; `seconds` says when the next one may be made."""

    status = 429
    code = "too_often"
    title = "Too many attempts; wait a little"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many attempts; try again in {seconds} seconds")
        self.seconds = seconds


class Patience(NamedTuple):
    """How many attempts are free, and how long a wait grows."""

    free: int
    most_seconds: int
    forget: timedelta


ACCOUNT: Final = Patience(5, 15 * 60, timedelta(hours=12))
ADDRESS: Final = Patience(30, 15 * 60, timedelta(hours=1))


class Throttle:
    """Counts attempts."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def attempt(self, account: str, address: str) -> None:
        """Count an attempt on an account from an address. Raises TooOften where it may not be made yet."""
        now = self._clock()
        async with self._store.nobody() as connection:
            seconds = await rows.attempt(connection, _name("address", address), **ADDRESS._asdict(), now=now)
            if not seconds:
                seconds = await rows.attempt(connection, _name("account", account), **ACCOUNT._asdict(), now=now)
        if seconds:
            raise TooOften(seconds)

    async def succeeded(self, account: str, address: str) -> None:
        """Forget the account's failures, and of the address this attempt: one's own account buys no guesses at others."""
        async with self._store.nobody() as connection:
            await rows.succeeded(connection, _name("account", account), _name("address", address))


def _name(kind: str, text: str) -> bytes:
    return hashlib.sha256(f"{kind}|{text}".encode("utf-8", "surrogatepass")).digest()
