"""A gateway as a program of its own, for tests that end it the hard way. Its first line says where it serves."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop

from gateway.app import opened
from gateway.config import Settings
from gateway.log import configure
from gateway.serve import listening, serving


async def main(dsn: str, data_dir: str, vendor_url: str) -> None:
    """Serve until killed."""
    settings = Settings.from_environment({}, database_url=dsn, data_dir=Path(data_dir))
    async with (
        opened(settings, sandboxes={"payments/stripe": vendor_url}) as house,
        serving(house.web, listening("127.0.0.1", 0)) as url,
    ):
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    configure("ERROR")
    uvloop.run(main(*sys.argv[1:4]))
