"""What a browser was asked, and may answer once: OpenID's state, a passkey's challenge. Shared by all gateways."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from gateway.people.sessions import digest_of
from gateway.store import sessions as rows
from gateway.store.pool import Store

LASTS: Final = timedelta(minutes=10)


class Challenges:
    """Keeps challenges for a while, each bound to the browser's cookie."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def keep(self, challenge: bytes, kind: str, *, cookie: str, said: Mapping[str, Any]) -> None:
        """Remember a challenge that is about to be given."""
        until = self._clock() + LASTS
        async with self._store.nobody() as connection:
            await rows.keep_challenge(connection, _name(challenge), kind, digest_of(cookie), said, until)

    async def take(self, challenge: bytes, kind: str, *, cookie: str) -> Mapping[str, Any] | None:
        """Use a challenge up; nothing where it is not this browser's, is over or was used before."""
        async with self._store.nobody() as connection:
            return await rows.take_challenge(connection, _name(challenge), kind, digest_of(cookie), self._clock())


def _name(challenge: bytes) -> bytes:
    return hashlib.sha256(challenge).digest()
