"""A gateway with its jobs as a program of its own, on the time of a test that kills it and starts it again."""

from __future__ import annotations

import asyncio
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import uvloop

from gateway import jobs
from gateway.app import House, opened
from gateway.config import Settings
from gateway.errors import GatewayError
from gateway.flows.network import asking, reading, transfers
from gateway.jobs import Jobs
from gateway.log import configure
from gateway.serve import listening, serving

OFFSET = struct.Struct("d")
_WAKES_SECONDS = 0.5
_TAKEN_OVER_AFTER = timedelta(seconds=2)  # ten in earnest; a killed gateway's jobs are taken over as they are there


def clock_of(file: Path) -> Callable[[], datetime]:
    """The wall's time and as much more as the file says."""

    def now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=OFFSET.unpack(file.read_bytes())[0])

    return now


async def _wake(house: House) -> None:
    """What housekeeping wakes each minute; here the minutes go by faster."""
    while True:
        await asyncio.sleep(_WAKES_SECONDS)
        with suppress(GatewayError):
            await asking.wake_due(house.rooms)
            await transfers.wake_stranded(house.rooms)
            await reading.wake_letters(house.rooms)


async def main(settings: Settings, sandboxes: dict[str, str], clock_file: Path, port: int) -> None:
    """Serve and work until killed."""
    jobs._TAKEN_OVER_AFTER = _TAKEN_OVER_AFTER  # type: ignore[misc]
    async with (
        opened(settings, sandboxes=sandboxes, clock=clock_of(clock_file)) as house,
        Jobs(house.rooms).running() as working,
        serving(house.web, listening("127.0.0.1", port)),
    ):
        await working.ready.wait()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await _wake(house)


if __name__ == "__main__":
    configure("ERROR")
    given = orjson.loads(sys.argv[1])
    uvloop.run(
        main(
            Settings.from_environment(
                {}, database_url=given["dsn"], data_dir=Path(given["folder"]), public_url=given["url"]
            ),
            given["sandboxes"], Path(given["clock"]), given["port"],
        )
    )  # fmt: skip
