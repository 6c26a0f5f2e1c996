"""A clinic at a network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.gateway.releases.clinic import Release, releasing


@pytest.fixture
async def release(dsn: str, tmp_path: Path) -> AsyncIterator[Release]:
    """A clinic at the network, on the shared database."""
    async with releasing(dsn, tmp_path) as release:
        yield release
