"""A gateway on a real database, a vendor on loopback that answers as told, and a clinic that is connected to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway import keyfiles
from gateway.app import House, opened
from gateway.config import Settings
from tests.gateway.egress.vendor import Vendor, answer
from tests.gateway.house import PAYMENT, Clinic, OpenHouse, connected


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    """A payment vendor that says yes until it is told otherwise."""
    vendor = Vendor(answers=[answer(200, orjson.dumps(PAYMENT))])
    await vendor.open()
    yield vendor
    vendor.close()


@pytest.fixture
async def open_house(dsn: str, tmp_path: Path, vendor: Vendor) -> AsyncIterator[OpenHouse]:
    """Open gateways on the shared database, all with the same key files."""
    async with AsyncExitStack() as stack:

        async def open_one(**given: Any) -> House:
            settings = Settings.from_environment({}, data_dir=tmp_path, **{"database_url": dsn, **given})
            keyfiles.make(settings)
            sandboxes = {"payments/stripe": f"http://127.0.0.1:{vendor.port}"}
            return await stack.enter_async_context(opened(settings, sandboxes=sandboxes))

        yield open_one


@pytest.fixture
async def house(open_house: OpenHouse) -> House:
    """One gateway."""
    return await open_house()


@pytest.fixture
async def clinic(house: House) -> Clinic:
    """A connected clinic."""
    return await connected(house)
