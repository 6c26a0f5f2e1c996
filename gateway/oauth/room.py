"""The parts of this room, put together once at start, and where people come back to. Holds no logic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from gateway.connections import Connections
from gateway.oauth.attempts import Attempts
from gateway.oauth.changes import Changes
from gateway.oauth.clients import Clients
from gateway.oauth.tokens import Tokens
from gateway.store.pool import Store

START: Final = "/oauth/start"
CALLBACK: Final = "/oauth/callback"


@dataclass(slots=True)
class OAuth:
    """What connecting by OAuth needs."""

    clients: Clients
    attempts: Attempts
    tokens: Tokens
    changes: Changes
    sandboxes: Mapping[str, str]
    public_url: str | None
    served_at: str | None = None
    """A demo's own address, to which its sandboxes send people back."""

    @classmethod
    def of(
        cls, store: Store, connections: Connections, *, clock: Callable[[], datetime], sandboxes: Mapping[str, str],
        public_url: str | None,
    ) -> Self:  # fmt: skip
        """Put the parts together. `sandboxes` maps a connector to a base URL on loopback, for the demo and tests."""
        attempts, tokens = Attempts(store, connections, clock=clock), Tokens(store, clock=clock)
        return cls(
            clients=Clients(store, connections, clock=clock),
            attempts=attempts,
            tokens=tokens,
            changes=Changes(store, connections, tokens, attempts, clock=clock),
            sandboxes=sandboxes,
            public_url=public_url,
        )

    @property
    def base(self) -> str | None:
        """How people reach the gateway; None where nobody said so."""
        return self.public_url or self.served_at

    @property
    def redirect(self) -> str | None:
        """Where a vendor sends people back to: one address, as it is registered there; None where nobody set ours."""
        return None if self.base is None else f"{self.base}{CALLBACK}"

    @property
    def secure(self) -> bool:
        """Whether people come to us over TLS; only on this machine they need not."""
        return (self.base or "").startswith("https://")

    def link_of(self, link: str) -> str | None:
        """The address to begin at."""
        return None if self.base is None else f"{self.base}{START}?link={link}"
