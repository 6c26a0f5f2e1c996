"""A gateway that dies the hard way between two steps of keeping a watch up. A program of its own, for one test."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from gateway.app import opened
from gateway.config import Settings
from gateway.flows import watching
from gateway.log import configure
from gateway.watches import Watch


async def main(
    dsn: str, data_dir: str, vendor: str, url: str, tenant: str, watch: str, now: str, survives: str
) -> None:
    """See to a watch, and end where what a step came to would be stored, after so many that are."""
    kept, left = watching._keep, [int(survives)]

    async def dies(seen: Watch, *given: Any, **named: Any) -> Any:
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        return await kept(seen, *given, **named)

    watching._keep = dies
    settings = Settings.from_environment({}, database_url=dsn, data_dir=Path(data_dir), public_url=url)
    moment = datetime.fromisoformat(now)
    async with opened(settings, sandboxes={"teams": vendor}, clock=lambda: moment) as house:
        await watching.see_to(UUID(tenant), UUID(watch), house.rooms)


if __name__ == "__main__":
    configure("ERROR")
    asyncio.run(main(*sys.argv[1:9]))
