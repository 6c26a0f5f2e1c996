"""A listener for webhooks, and a gateway whose clock a test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import keyfiles
from gateway.app import House, opened
from gateway.config import Settings
from tests.gateway.house import Clinic, connected
from tests.gateway.listener import Clock, Listener


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    """A listener that takes everything until it is told otherwise."""
    async with Listener().listening() as listener:
        yield listener


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until it is moved."""
    return Clock()


@pytest.fixture
async def timed_house(dsn: str, tmp_path: Path, clock: Clock, listener: Listener) -> AsyncIterator[House]:
    """A gateway with that clock."""
    settings = Settings.from_environment({}, data_dir=tmp_path / "timed", database_url=dsn)
    keyfiles.make(settings)
    async with opened(settings, sandboxes={"payments/stripe": listener.url}, clock=clock) as house:
        yield house


@pytest.fixture
async def timed_clinic(timed_house: House) -> Clinic:
    """A clinic at that gateway."""
    return await connected(timed_house)
