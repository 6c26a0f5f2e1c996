"""A worker as a program of its own, for tests that end it the hard way: `run()` with the database and the data folder."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop

from gateway.app import opened
from gateway.config import Settings
from gateway.jobs import Jobs
from gateway.log import configure


async def _main(dsn: str, data_dir: str) -> None:
    settings = Settings.from_environment({}, database_url=dsn, data_dir=Path(data_dir))
    async with (
        opened(settings, sandboxes={"payments/stripe": "http://127.0.0.1:9"}) as house,
        Jobs(house.rooms).running(),
    ):
        await asyncio.Event().wait()


def run() -> None:
    """Work until killed."""
    configure("ERROR")
    uvloop.run(_main(*sys.argv[1:3]))
