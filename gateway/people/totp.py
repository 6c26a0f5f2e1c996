"""Codes by time (RFC 6238): proposed, confirmed with a first code, and none taken twice. The secret lies sealed."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import pyotp

from gateway.errors import Conflict, NotFound
from gateway.people.accounts import Seals, ring_of
from gateway.store import people as rows
from gateway.store.pool import Store

ISSUER: Final = "Clinic Gateway"
_SECONDS: Final = 30
_DRIFT: Final = (0, -1, 1)  # RFC 6238 5.2: one step either way, for clocks that differ and for slow typing
_PURPOSE: Final = "totp"


class Proposal(NamedTuple):
    """A secret for an authenticator, and the address that its picture holds."""

    secret: str
    uri: str


class Totp:
    """Second factors of people."""

    def __init__(self, store: Store, seals: Seals, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._seals = seals
        self._clock = clock

    async def propose(self, person: UUID, account: str) -> Proposal:
        """A secret that is not in force before it is confirmed. Raises Conflict where one is in force."""
        async with self._store.person(person) as connection:
            known = await rows.credentials(connection, person, for_update=True)
            if known is None:
                raise NotFound("there is no such person")
            if known.totp_since is not None:
                raise Conflict("codes are on already; turn them off first")
            ring = ring_of(self._seals, person, known)
            if known.totp is not None:  # the picture may be on the screen already: the same until it is confirmed
                secret = ring.open(known.totp, purpose=_PURPOSE, row=str(person)).decode("ascii")
            else:
                secret = pyotp.random_base32()
                sealed = ring.seal(secret.encode("ascii"), purpose=_PURPOSE, row=str(person))
                await rows.set_totp(connection, person, sealed, None)
        return Proposal(secret, pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=ISSUER))

    async def confirm(self, person: UUID, code: str) -> bool:
        """Put the proposed secret in force with its first code; False where the code is not its."""
        now = self._clock()
        async with self._store.person(person) as connection:
            known = await rows.credentials(connection, person, for_update=True)
            if known is None or known.totp is None or known.totp_since is not None:
                raise Conflict("there is nothing to confirm; begin again")
            secret = ring_of(self._seals, person, known).open(known.totp, purpose=_PURPOSE, row=str(person))
            step = _step_of(code, secret.decode("ascii"), now)
            if step is None:
                return False
            await rows.set_totp(connection, person, known.totp, now, step)
        return True

    async def check(self, person: UUID, code: str) -> bool:
        """Whether it is a code of now that was not taken before; it is taken with this."""
        async with self._store.person(person) as connection:
            known = await rows.credentials(connection, person)
            if known is None or known.totp is None or known.totp_since is None:
                return False
            secret = ring_of(self._seals, person, known).open(known.totp, purpose=_PURPOSE, row=str(person))
            step = _step_of(code, secret.decode("ascii"), self._clock())
            return step is not None and await rows.take_totp_step(connection, person, step)

    async def remove(self, person: UUID) -> None:
        """Take the secret away, and the recovery codes that stood in for it."""
        async with self._store.person(person) as connection:
            await rows.set_totp(connection, person, None, None)
            await rows.replace_recovery_codes(connection, person, [])

    async def is_on(self, person: UUID) -> bool:
        """Whether a code is asked for."""
        async with self._store.person(person) as connection:
            known = await rows.credentials(connection, person)
        return known is not None and known.totp_since is not None


def _step_of(code: str, secret: str, now: datetime) -> int | None:
    """The time step that a code belongs to; nothing where it is none of now."""
    typed = "".join(code.split())
    if len(typed) != 6 or not (typed.isascii() and typed.isdigit()):
        return None
    codes, present = pyotp.TOTP(secret), int(now.timestamp()) // _SECONDS
    found = [at for at in (present + drift for drift in _DRIFT) if hmac.compare_digest(codes.generate_otp(at), typed)]
    return found[0] if found else None
