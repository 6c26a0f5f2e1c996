"""Everything about people who sign in, put together once per gateway. Holds no rule of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime

from gateway.errors import NotFound
from gateway.people.accounts import Accounts, Seals, checked_email
from gateway.people.challenges import Challenges
from gateway.people.invitations import Invitations
from gateway.people.links import Links
from gateway.people.oidc import Providers
from gateway.people.passkeys import Passkeys
from gateway.people.password import Passwords
from gateway.people.recovery import Recovery
from gateway.people.sessions import Sessions
from gateway.people.throttle import Throttle
from gateway.people.totp import Totp
from gateway.people.views import Views
from gateway.people.vouching import Keyed, Vouching
from gateway.store.pool import Store


class People:
    """The rooms of one gateway that know people."""

    def __init__(self, store: Store, seals: Seals, keyed: Keyed, *, clock: Callable[[], datetime]) -> None:
        """`seals` keeps what is a person's own, `keyed` finds a clinic's own key."""
        self.accounts = Accounts(store, seals, Passwords(), clock=clock)
        self.sessions = Sessions(store, clock=clock)
        self.throttle = Throttle(store, clock=clock)
        self.challenges = Challenges(store, clock=clock)
        self.totp = Totp(store, seals, clock=clock)
        self.recovery = Recovery(store, seals, clock=clock)
        self.passkeys = Passkeys(store, self.challenges, clock=clock)
        self.invitations = Invitations(store, self.accounts, clock=clock)
        self.vouching = Vouching(store, self.accounts, keyed)
        self.links = Links(store, clock=clock)
        self.providers = Providers(store, keyed, clock=clock)
        self.views = Views(store, clock=clock)

    async def reset(self, email: str) -> str:
        """A new password for somebody who cannot sign in any more, on an operator's word. Raises NotFound.

        Codes and passkeys are taken away and every session ends: whoever took the account over is out too.
        """
        person = await self.accounts.person_of(checked_email(email))
        if person is None:
            raise NotFound("no account has this address")
        password = secrets.token_urlsafe(18)
        await self.accounts.set_password(person, password)
        await self.totp.remove(person)
        for each in await self.passkeys.of(person):
            await self.passkeys.remove(person, each.id)
        await self.sessions.revoke_all(person)
        return password
