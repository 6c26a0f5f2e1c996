"""A gateway as a program of its own with every connector there is, the echo too, whose vendors are all on loopback."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from connectors.registry import HERE, Registry
from gateway.app import opened
from gateway.config import Settings
from gateway.log import configure
from gateway.serve import listening, serving

ROOTS = (HERE, Path(__file__).parents[1] / "conformance" / "echo_root")


async def main(settings: Settings, vendor_url: str) -> None:
    """Say where it serves, and serve until told to stop."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    sandboxes = dict.fromkeys(Registry.load(ROOTS).connectors, vendor_url)
    async with (
        opened(settings, sandboxes=sandboxes, connectors=ROOTS) as house,
        serving(house.web, listening("127.0.0.1", 0)) as url,
    ):
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await stopped.wait()


if __name__ == "__main__":
    settings = Settings.from_environment(data_dir=Path(sys.argv[1]))
    configure(settings.log_level)
    uvloop.run(main(settings, sys.argv[2]))
