"""Which token goes with one call: the connection's own, the gateway's session, or none where the clinic gave a key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from connectors.contract import Manifest
from gateway.connections import Connection
from gateway.errors import GatewayError
from gateway.flows import tokens
from gateway.flows.rooms import Rooms
from gateway.network.lines import environment_of, id_of
from scopes.vocabulary import CredentialKind

Renew = Callable[[], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token, and what to do where the vendor does not take it: at once, and with the calls that follow."""

    token: str = field(repr=False)
    distrust: Callable[[], None]
    renew: Renew | None = None


async def bearer_for(connection: Connection, manifest: Manifest, rooms: Rooms) -> Bearer | None:
    """The token for one call. Raises NoToken or NoSession, and StandingChanged where the grant turns out to have ended."""
    if manifest.credential.kind is CredentialKind.OAUTH2:
        token = await tokens.bearer(connection, rooms)
        return Bearer(token, lambda: rooms.oauth.tokens.distrust(connection.id, token))
    if manifest.credential.kind is CredentialKind.SESSION:
        line = id_of(manifest.id, environment_of(manifest, connection.settings))
        return await _of_session(line, rooms)
    return None


async def _of_session(line: str, rooms: Rooms) -> Bearer:
    """The token of the gateway's session, which the vendor may have ended before its time."""
    token = await rooms.networks.sessions.token(line)

    async def renew() -> str | None:
        try:
            return await rooms.networks.sessions.renewed(line, token)
        except GatewayError:
            return None  # then what the vendor said stands

    return Bearer(token, lambda: None, renew)
