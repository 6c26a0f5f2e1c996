"""A gateway at a network's sandbox as a program of its own, to be measured from outside. Its first line says where it serves.

`run()` with the database, the data folder, the connector and the sandbox's place serves and works until it is ended.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import uvloop

from gateway.app import opened
from gateway.config import Settings
from gateway.jobs import Jobs
from gateway.log import configure
from gateway.serve import listening, serving, url_of


async def _main(dsn: str, data_dir: str, connector: str, place: str) -> None:
    listener = listening("127.0.0.1", 0)
    url = url_of(listener)
    settings = Settings.from_environment({}, database_url=dsn, data_dir=Path(data_dir), public_url=url)
    async with (
        opened(settings, sandboxes={connector: place}) as house,
        Jobs(house.rooms).running() as jobs,
        serving(house.web, listener),
    ):
        await jobs.ready.wait()
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


@asynccontextmanager
async def gateway(dsn: str, data_dir: Path, connector: str, place: str) -> AsyncIterator[tuple[str, psutil.Process]]:
    """Such a program until the block ends: where it serves, and the process."""
    code = "from tests.gateway.network.program import run; run()"
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, dsn, str(data_dir), connector, place, stdout=asyncio.subprocess.PIPE
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
    """Serve and work until ended."""
    configure("ERROR")
    uvloop.run(_main(*sys.argv[1:5]))
