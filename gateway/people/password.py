"""Hash and check passwords: Argon2id (RFC 9106), and the same work where there is none to check. Stores nothing."""

from __future__ import annotations

import asyncio
import unicodedata
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

LEAST: Final = 12
MOST: Final = 256
_LEAST_DIFFERENT: Final = 5
# RFC 9106, second choice: 64 MiB, three passes. It is a tenth of a second of work that lets go of the interpreter.
_HASHER: Final = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=2, type=Type.ID)
_AT_ONCE: Final = 2  # a flood of sign-ins takes neither all memory nor all cores from the calls


class Passwords:
    """Checks passwords, a few at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._dummy: str | None = None

    async def hashed(self, password: str) -> str:
        """The hash to keep."""
        async with self._turn:
            return await asyncio.to_thread(_HASHER.hash, _plain(password))

    async def fits(self, password: str, known: str | None) -> bool:
        """Whether it is the password of the hash. Without one the work is the same, and the answer no."""
        if self._dummy is None:
            self._dummy = await self.hashed("nobody has this password")
        async with self._turn:
            found = await asyncio.to_thread(_verified, known or self._dummy, _plain(password))
        return found and known is not None


def weakness(password: str, *, email: str | None) -> str | None:
    """Why something is no password to be taken; nothing where it is one."""
    if len(password) < LEAST:
        return f"Use {LEAST} characters or more; a few words in a row are easy to keep in mind."
    if len(password) > MOST:
        return f"Use {MOST} characters at most."
    if len(set(password.casefold())) < _LEAST_DIFFERENT:
        return "Use more different characters."
    own = (email or "").partition("@")[0].casefold()
    if len(own) > 3 and own in password.casefold():
        return "Leave your e-mail address out of it."
    return None


def _plain(password: str) -> bytes:
    """The same bytes whichever keyboard it was typed on (NIST SP 800-63B 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password[: MOST * 4]).encode("utf-8", "surrogatepass")


def _verified(known: str, password: bytes) -> bool:
    try:
        return _HASHER.verify(known, password)
    except (VerificationError, InvalidHashError):
        return False
