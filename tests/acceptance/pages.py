"""Connect what is connected on a vendor's page, before a program of its own starts: with each one's sandbox beside it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from uuid import UUID

from connectors.registry import Registry
from gateway.app import opened
from gateway.config import Settings
from gateway.demo import _connected
from gateway.serve import listening, serving
from tests.acceptance.clinics import Prepared
from tests.acceptance.whole import ROOTS

PUBLIC = "http://127.0.0.1:9"  # nobody comes back there by a browser: who says yes is led back by the test


async def connected_on_pages(clinic: Prepared) -> None:
    """Every connector of OAuth's, with all its features and the agreements that these need."""
    registry = Registry.load(ROOTS)
    by_page = {name: each for name, each in registry.connectors.items() if each.manifest.credential.oauth is not None}
    vendors = {name: each.module("sandbox").create() for name, each in by_page.items()}
    async with AsyncExitStack() as stack:
        places = {
            name: await stack.enter_async_context(serving(vendor, listening("127.0.0.1", 0)))
            for name, vendor in vendors.items()
        }
        settings = Settings.from_environment({}, data_dir=clinic.folder, public_url=PUBLIC)
        house = await stack.enter_async_context(opened(settings, sandboxes=places, connectors=ROOTS))
        for name, connector in by_page.items():
            await _connected(house, UUID(clinic.tenant), connector, vendors[name])
