"""A whole gateway behind a real socket, and callers who know nothing of it but its address and their key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2

from connectors.registry import HERE
from gateway.app import House, opened
from gateway.calls import Actor
from gateway.config import Settings
from gateway.demo import EVERYTHING
from gateway.keyfiles import make
from gateway.serve import listening, serving
from scopes.scope import Scope


@dataclass(frozen=True)
class Caller:
    """A clinic's software: one API key, over HTTP."""

    client: httpx2.AsyncClient
    key: str
    tenant: UUID

    async def ask(self, method: str, path: str, **given: Any) -> httpx2.Response:
        """One request with the key."""
        headers = {"authorization": f"Bearer {self.key}", **given.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **given)

    async def get(self, path: str, **given: Any) -> httpx2.Response:
        """Read."""
        return await self.ask("GET", path, **given)

    async def post(self, path: str, body: Any, **given: Any) -> httpx2.Response:
        """Send JSON."""
        return await self.ask("POST", path, json=body, **given)

    async def connect(self, connector: str, secret: str, **given: Any) -> str:
        """Connect a vendor; gives the connection's id."""
        body = {"connector": connector, "credential": {"secret": secret}, **given}
        made = await self.post("/v1/connections", body)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])


@dataclass(frozen=True)
class Served:
    """A gateway that serves in this interpreter."""

    house: House
    url: str
    _stack: AsyncExitStack

    async def clinic(self, name: str = "a clinic", *, scopes: Iterable[Scope] = EVERYTHING) -> Caller:
        """A new clinic's caller; nothing is connected."""
        return await self.caller(await self.house.rooms.connections.create_tenant(name), scopes=scopes)

    async def caller(self, tenant: UUID, *, scopes: Iterable[Scope] = EVERYTHING) -> Caller:
        """One more caller of a clinic."""
        operator = Actor("system", "test", tenant, ())
        key, _ = await self.house.callers.create_key(operator, "a key of a test", tuple(scopes))
        client = httpx2.AsyncClient(base_url=self.url, trust_env=False, timeout=30)
        return Caller(await self._stack.enter_async_context(client), key, tenant)


@asynccontextmanager
async def gateway(
    dsn: str, data_dir: Path, *, sandboxes: Mapping[str, str], connectors: Iterable[Path] = (HERE,)
) -> AsyncIterator[Served]:
    """A gateway on a database of its own choice, whose vendors are on loopback."""
    settings = Settings.from_environment({}, data_dir=data_dir, database_url=dsn)
    make(settings)
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(opened(settings, sandboxes=sandboxes, connectors=connectors))
        url = await stack.enter_async_context(serving(house.web, listening("127.0.0.1", 0)))
        yield Served(house, url, stack)
