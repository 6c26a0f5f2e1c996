"""One browser for all of a worker's tests that look at pages: they share its program, each has windows of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from gateway.store.embedded import Embedded
from tests.acceptance.chromium import chromium
from tests.conftest import cloned


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The browser; skips where there is none."""
    async with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def module_dsn(postgres: Embedded, migrated: str) -> Iterator[str]:
    """A migrated database that the tests of one file share; clinics keep them apart."""
    with cloned(postgres, migrated) as dsn:
        yield dsn
