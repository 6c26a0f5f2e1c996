"""A gateway at a network's sandbox as a program of its own, to be watched from outside. Its first line says where it serves.

`run()` with the database, the data folder and pairs of a connector and its sandbox's place serves and works until it is ended.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from signal import SIGTERM
from socket import socket

import psutil
import uvloop

from gateway.app import opened
from gateway.config import Settings
from gateway.jobs import Jobs
from gateway.log import configure
from gateway.serve import listening, serving, url_of

COMMAND = (sys.executable, "-c", "from tests.gateway.network.program import run; run()")


async def _main(settings: Settings, listener: socket, sandboxes: dict[str, str]) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(SIGTERM, stopped.set)
    async with (
        opened(settings, sandboxes=sandboxes) as house,
        Jobs(house.rooms).running() as jobs,
        serving(house.web, listener),
    ):
        await jobs.ready.wait()
        sys.stdout.write(f"{url_of(listener)}\n")
        sys.stdout.flush()
        await stopped.wait()


@asynccontextmanager
async def gateway(dsn: str, data_dir: Path, connector: str, place: str) -> AsyncIterator[tuple[str, psutil.Process]]:
    """Such a program until the block ends: where it serves, and the process."""
    program = await asyncio.create_subprocess_exec(
        *COMMAND, dsn, str(data_dir), connector, place, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert program.stdout is not None
        url = (await asyncio.wait_for(program.stdout.readline(), 60)).decode().strip()
        assert url, "the gateway did not start"
        yield url, psutil.Process(program.pid)
    finally:
        with suppress(ProcessLookupError):
            program.kill()
        await program.wait()


def run() -> None:
    """Serve and work until ended, as talkative as the environment says."""
    dsn, data_dir, *pairs = sys.argv[1:]
    listener = listening("127.0.0.1", 0)
    known = {"database_url": dsn, "data_dir": Path(data_dir), "public_url": url_of(listener)}
    settings = Settings.from_environment({"GATEWAY_LOG_LEVEL": os.environ.get("GATEWAY_LOG_LEVEL", "ERROR")}, **known)
    configure(settings.log_level)
    uvloop.run(_main(settings, listener, dict(zip(pairs[::2], pairs[1::2], strict=True))))
