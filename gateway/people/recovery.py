"""Codes for when the authenticator is lost: ten, each good once, shown once. Keyed hashes of them are kept."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from gateway.errors import NotFound
from gateway.people.accounts import Ring, Seals, ring_of
from gateway.store import people as rows
from gateway.store.pool import Store

CODES: Final = 10
_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: none that is read as another
_ALIKE: Final = str.maketrans("oil", "011")
_LENGTH: Final = 12  # sixty random bits


class Recovery:
    """Recovery codes of people."""

    def __init__(self, store: Store, seals: Seals, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._seals = seals
        self._clock = clock

    async def renew(self, person: UUID) -> list[str]:
        """Ten new codes in place of all before; shown here and never again."""
        codes = ["".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)) for _ in range(CODES)]
        async with self._store.person(person) as connection:
            known = await rows.credentials(connection, person, for_update=True)
            if known is None:
                raise NotFound("there is no such person")
            ring = ring_of(self._seals, person, known)
            await rows.replace_recovery_codes(connection, person, [_digest(ring, code) for code in codes])
        return ["-".join((code[:4], code[4:8], code[8:])) for code in codes]

    async def take(self, person: UUID, code: str) -> bool:
        """Use a code up; False where it is none, or was used before."""
        typed = "".join(code.lower().replace("-", " ").split()).translate(_ALIKE)
        if len(typed) != _LENGTH or not typed.isascii():
            return False
        async with self._store.person(person) as connection:
            known = await rows.credentials(connection, person)
            if known is None:
                return False
            digest = _digest(ring_of(self._seals, person, known), typed)
            return await rows.take_recovery_code(connection, person, digest, self._clock())

    async def left(self, person: UUID) -> int:
        """How many can still be used."""
        async with self._store.person(person) as connection:
            return await rows.recovery_codes_left(connection, person)


def _digest(ring: Ring, code: str) -> bytes:
    return ring.fingerprint(f"recovery|{code}".encode("ascii"))
