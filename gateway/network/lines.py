"""A line: one environment of one network, with a registration, a session, keys and facilities of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connectors.manifest import Manifest
from connectors.network import Network
from gateway.errors import Conflict

if TYPE_CHECKING:
    import httpx2

Send = Callable[["httpx2.Request"], Awaitable["httpx2.Response"]]


@dataclass(frozen=True)
class Line:
    """One network as the gateway reaches it: who knows its form, where it is, and a passage for each request."""

    connector: str
    environment: str
    network: Network
    base_url: str
    through: Callable[[], Send] = field(repr=False)

    @property
    def id(self) -> str:
        """What it is known by, and under which name the gateway is registered for it."""
        return id_of(self.connector, self.environment)


def id_of(connector: str, environment: str) -> str:
    """The name of a line."""
    return f"{connector}@{environment}"


def environment_of(manifest: Manifest, settings: Mapping[str, str]) -> str:
    """In which environment a connection with these settings is. Raises Conflict where they do not say."""
    rule = manifest.credential.session
    environment = settings.get(rule.setting) if rule is not None else None
    if rule is None or environment not in rule.bases:
        raise Conflict(f"this connection does not say which environment of {manifest.id} it is in; connect again")
    return environment
