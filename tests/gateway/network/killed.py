"""A gateway that dies the hard way at one moment. A program of its own: database, folder, network, time, which moment."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.folder import HERE
from gateway.app import opened
from gateway.config import Settings
from gateway.flows.network import reading
from gateway.flows.network.takers import TAKERS
from gateway.log import configure
from gateway.store import letters
from gateway.store import network as rows
from tests.gateway.network.house import LIVE, NETWORK, PUBLIC, ROOT


async def _takes(*_: Any) -> None:
    """Whoever takes the letter is done with it."""


async def _dies(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(dsn: str, data_dir: str, place: str, now: str, moment: str, *about: str) -> None:
    """Do one thing, and end in the middle of it."""
    settings = Settings.from_environment({}, database_url=dsn, data_dir=Path(data_dir), public_url=PUBLIC)
    at = datetime.fromisoformat(now)
    async with opened(settings, sandboxes={NETWORK: place}, connectors=[HERE, ROOT], clock=lambda: at) as house:
        if moment == "login":
            rows.keep_session = _dies
            await house.rooms.networks.sessions.token(LIVE)
        else:  # a letter whose taker is done, and that is not yet forgotten
            letters.end = _dies
            await reading.read_letter(about[0].encode(), house.rooms, dict.fromkeys(TAKERS, _takes))


if __name__ == "__main__":
    configure("ERROR")
    asyncio.run(main(*sys.argv[1:]))
