"""Everything about people who sign in, put together once per gateway. Holds no rule of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from gateway.people.accounts import Accounts, Seals
from gateway.people.challenges import Challenges
from gateway.people.password import Passwords
from gateway.people.sessions import Sessions
from gateway.people.throttle import Throttle
from gateway.store.pool import Store


class People:
    """The rooms of one gateway that know people."""

    def __init__(self, store: Store, seals: Seals, *, clock: Callable[[], datetime]) -> None:
        passwords = Passwords()
        self.accounts = Accounts(store, seals, passwords, clock=clock)
        self.challenges = Challenges(store, clock=clock)
        self.sessions = Sessions(store, clock=clock)
        self.throttle = Throttle(store, clock=clock)
