"""A network on loopback, gateways that are registered there, and a clock that a test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from connectors.folder import HERE
from gateway import keyfiles
from gateway.app import House, opened
from gateway.config import Settings
from gateway.serve import listening, serving
from tests.gateway.listener import Clock
from tests.gateway.network.house import NETWORK, PUBLIC, ROOT, Bridge
from tests.gateway.network.office import Office

OpenMore = Callable[..., Awaitable[House]]


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until it is moved."""
    return Clock()


@pytest.fixture
def office(clock: Clock) -> Office:
    """The network."""
    return Office(clock, url=f"{PUBLIC}/postbox")


@pytest.fixture
async def place(office: Office) -> AsyncIterator[str]:
    """Where it is served."""
    async with serving(office.app, listening("127.0.0.1", 0)) as url:
        yield url


@pytest.fixture
async def open_more(fresh_dsn: str, tmp_path: Path, clock: Clock, place: str) -> AsyncIterator[OpenMore]:
    """Open gateways on one database, all with the same keys, network and clock."""
    async with AsyncExitStack() as stack:

        async def open_one(**given: Any) -> House:
            known = {"data_dir": tmp_path, "database_url": fresh_dsn, "public_url": PUBLIC, **given}
            settings = Settings.from_environment({}, **{name: each for name, each in known.items() if each is not None})
            keyfiles.make(settings)
            return await stack.enter_async_context(
                opened(settings, sandboxes={NETWORK: place}, connectors=[HERE, ROOT], clock=clock)
            )

        yield open_one


@pytest.fixture
async def bridge(open_more: OpenMore, office: Office, clock: Clock) -> Bridge:
    """A gateway that is registered at the network."""
    made = Bridge(await open_more(), office, clock)
    await made.registered()
    return made
