"""The gateway's registrations at vendors: one per connector, the operator's, sealed. Their secrets are never shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Final

import orjson

from gateway.connections import OPERATOR, Connections
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.store import clients as rows
from gateway.store.pool import Store
from scopes.fault import Fault

_SEALED_AS: Final = "oauth_client"
_REMEMBERED_SECONDS: Final = 30.0
_MOST_CHARACTERS: Final = 4096


@dataclass(frozen=True, slots=True)
class Client:
    """Who the gateway is at a vendor: an id with a secret, or with a private key and its certificate (both PEM)."""

    id: str
    secret: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    certificate: str | None = field(default=None, repr=False)

    def check(self) -> None:
        """Raise InvalidRequest unless it is complete."""
        if not self.id.strip() or not self.id.isprintable() or len(self.id) > _MOST_CHARACTERS:
            raise InvalidRequest(faults=[Fault("client_id", "must be the id that the vendor gave")])
        by_key = self.key is not None and self.certificate is not None
        if (self.secret is not None) == by_key or (self.key is None) != (self.certificate is None):
            raise InvalidRequest(faults=[Fault("secret", "give a secret, or a private key and its certificate")])
        if self.secret is not None and (not self.secret.isprintable() or not self.secret.strip()):
            raise InvalidRequest(faults=[Fault("secret", "must be one line of printable characters")])


class Clients:
    """Reads and changes the registrations. A change is seen by every gateway within half a minute."""

    def __init__(self, store: Store, connections: Connections, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._connections = connections
        self._clock = clock
        self._known: dict[str, tuple[float, Client]] = {}

    async def of(self, connector: str) -> Client:
        """The registration for a connector. Raises Conflict where the operator made none."""
        read_at, known = self._known.get(connector, (0.0, None))
        if known is not None and monotonic() - read_at < _REMEMBERED_SECONDS:
            return known
        read_at = monotonic()
        keyring = await self._connections.operator()
        async with self._store.tenant(OPERATOR) as connection:
            row = await rows.client(connection, OPERATOR, connector)
        if row is None:
            raise Conflict(
                f"the gateway is not registered at {connector}",
                fix=f"Let the operator run `gateway clients add {' --environment '.join(connector.split('@'))}`.",
            )
        opened = orjson.loads(keyring.open(row.sealed, purpose=_SEALED_AS, row=connector))
        client = Client(row.client_id, opened.get("secret"), opened.get("key"), opened.get("certificate"))
        self._known[connector] = (read_at, client)
        return client

    async def add(self, connector: str, client: Client) -> None:
        """Register, or replace the registration. Raises InvalidRequest."""
        client.check()
        keyring = await self._connections.operator()
        held = {"secret": client.secret, "key": client.key, "certificate": client.certificate}
        sealed = keyring.seal(orjson.dumps(held), purpose=_SEALED_AS, row=connector)
        async with self._store.tenant(OPERATOR) as connection:
            await rows.put_client(connection, OPERATOR, rows.ClientRow(connector, client.id, sealed, self._clock()))
        self._known.pop(connector, None)

    async def remove(self, connector: str) -> None:
        """Destroy a registration; what was connected with it is refreshed no more. Raises NotFound."""
        async with self._store.tenant(OPERATOR) as connection:
            if not await rows.drop_client(connection, OPERATOR, connector):
                raise NotFound(f"the gateway is not registered at {connector}")
        self._known.pop(connector, None)

    async def all(self) -> list[tuple[str, str]]:
        """Every connector that the gateway is registered for, with its client id."""
        async with self._store.tenant(OPERATOR) as connection:
            return [(row.connector, row.client_id) for row in await rows.clients(connection, OPERATOR)]
