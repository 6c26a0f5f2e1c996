"""Two vendors on loopback that are connected by OAuth, a gateway whose clock a test moves, and a clinic."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from connectors.folder import HERE
from connectors.registry import Registry
from connectors.sandbox_oauth import OAuthServer
from gateway import keyfiles
from gateway.app import House, opened
from gateway.config import Settings
from gateway.serve import listening, serving
from tests.gateway.listener import Clock
from tests.gateway.oauth.house import CALENDAR, OAUTH_ROOT, PUBLIC, ROSTER, Oauth, new_actor, registered

Sandboxes = tuple[dict[str, str], dict[str, OAuthServer]]
OpenMore = Callable[..., Awaitable[House]]


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until it is moved."""
    return Clock()


@pytest.fixture
async def sandboxes(clock: Clock) -> AsyncIterator[Sandboxes]:
    """Both vendors, served: where they are, and their OAuth servers."""
    registry = Registry.load([OAUTH_ROOT])
    async with AsyncExitStack() as stack:
        places, servers = {}, {}
        for name in (CALENDAR, ROSTER):
            app = registry.connector(name).module("sandbox").create()
            places[name] = await stack.enter_async_context(serving(app, listening("127.0.0.1", 0)))
            servers[name] = app.state.oauth
            servers[name].clock = lambda: clock().timestamp()
        yield places, servers


@pytest.fixture
async def open_more(fresh_dsn: str, tmp_path: Path, clock: Clock, sandboxes: Sandboxes) -> AsyncIterator[OpenMore]:
    """Open gateways on the shared database, all with the same keys, vendors and clock."""
    async with AsyncExitStack() as stack:

        async def open_one(**given: Any) -> House:
            settings = Settings.from_environment(
                {}, **{"data_dir": tmp_path, "database_url": fresh_dsn, "public_url": PUBLIC, **given}
            )
            keyfiles.make(settings)
            return await stack.enter_async_context(
                opened(settings, sandboxes=sandboxes[0], connectors=[HERE, OAUTH_ROOT], clock=clock)
            )

        yield open_one


@pytest.fixture
async def oauth(open_more: OpenMore, sandboxes: Sandboxes, clock: Clock) -> Oauth:
    """A gateway that is registered at both vendors, and a clinic."""
    house = await open_more()
    await registered(house, sandboxes[1])
    return Oauth(house, sandboxes[1], clock, await new_actor(house))
