"""A gateway that dies the hard way between a vendor's answer and its own commit. A program of its own, for one test."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from connectors.folder import HERE
from gateway.app import opened
from gateway.config import Settings
from gateway.flows import tokens
from gateway.log import configure
from tests.gateway.oauth.house import CALENDAR, OAUTH_ROOT, PUBLIC


async def main(dsn: str, data_dir: str, vendor: str, tenant: str, now: str) -> None:
    """Ask for the next token, and end where it would be stored."""

    async def dies(*_: Any, **__: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    tokens.keep = dies
    settings = Settings.from_environment({}, database_url=dsn, data_dir=Path(data_dir), public_url=PUBLIC)
    moment = datetime.fromisoformat(now)
    async with opened(
        settings, sandboxes={CALENDAR: vendor}, connectors=[HERE, OAUTH_ROOT], clock=lambda: moment
    ) as house:
        connection = await house.rooms.connections.active(UUID(tenant), CALENDAR)
        await tokens.bearer(connection, house.rooms)


if __name__ == "__main__":
    configure("ERROR")
    asyncio.run(main(*sys.argv[1:6]))
