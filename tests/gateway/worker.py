"""A worker as a program of its own, for tests that end it the hard way: `run()` with the database and the data folder.

And, where it is to carry calls, a folder of connectors, the one of them that is meant and where its vendor is.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop

from connectors.registry import HERE
from gateway.app import opened
from gateway.config import Settings
from gateway.jobs import Jobs
from gateway.log import configure


async def _main(dsn: str, data_dir: str, root: str | None = None, connector: str = "", url: str = "") -> None:
    settings = Settings.from_environment({}, database_url=dsn, data_dir=Path(data_dir))
    sandboxes = {"payments/stripe": "http://127.0.0.1:9"}
    if root is not None:
        sandboxes[connector] = url
    roots = (HERE,) if root is None else (HERE, Path(root))
    async with (
        opened(settings, sandboxes=sandboxes, connectors=roots) as house,
        Jobs(house.rooms).running(),
    ):
        await asyncio.Event().wait()


def run() -> None:
    """Work until killed."""
    configure("ERROR")
    uvloop.run(_main(*sys.argv[1:6]))
