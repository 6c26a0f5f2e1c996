"""The command `gateway` as a person starts it, in an interpreter of its own, and what it leaves behind."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "from gateway.cli import main; main()")
SECONDS = 60.0  # more than anything here takes, on a machine that is busy with other things too


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Program:
    """A command that runs; what it says to stderr goes to a file."""

    started: Process
    err: Path

    def said(self) -> str:
        """The end of what it said to stderr."""
        return self.err.read_text()[-2000:]

    @property
    def resident_mb(self) -> float:
        """Its memory."""
        return float(psutil.Process(self.started.pid).memory_info().rss / 1_000_000)

    @property
    def cpu_seconds(self) -> float:
        """How long it has worked so far, alone: without the programs that it started."""
        spent = psutil.Process(self.started.pid).cpu_times()
        return float(spent.user + spent.system)

    async def line(self) -> str:
        """The next line that it prints; empty when it has ended."""
        assert self.started.stdout is not None
        return (await asyncio.wait_for(self.started.stdout.readline(), SECONDS)).decode().rstrip("\n")

    async def json_line(self) -> dict[str, Any]:
        """The next line that it prints, as JSON."""
        text = await self.line()
        assert text, f"it ended: {self.said()}"
        said: dict[str, Any] = orjson.loads(text)
        return said

    async def stop(self, signal: int) -> int:
        """Send a signal and wait for the end; gives the exit code."""
        self.started.send_signal(signal)
        return await asyncio.wait_for(self.started.wait(), SECONDS)


def environment(**more: str) -> dict[str, str]:
    """This run's environment without the settings of a gateway that may be installed here."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "PYTEST_"))}
    return {**own, "PYTHONPATH": str(ROOT), **more}


async def run(*arguments: str | Path, folder: Path = ROOT, **more: str) -> Done:
    """Run one command to its end."""
    program = await asyncio.create_subprocess_exec(
        *COMMAND, *map(str, arguments), stdout=PIPE, stderr=PIPE, cwd=folder, env=environment(**more)
    )
    try:
        out, err = await asyncio.wait_for(program.communicate(), SECONDS)
    finally:
        await _end(program)
    return Done(program.returncode or 0, out.decode(), err.decode())


@asynccontextmanager
async def running(
    *arguments: str | Path, err: Path, command: tuple[str, ...] = COMMAND, **more: str
) -> AsyncIterator[Program]:
    """Start a command; it is ended with the block, the hard way if it must."""
    with err.open("ab") as file:
        program = await asyncio.create_subprocess_exec(
            *command, *map(str, arguments), stdout=PIPE, stderr=file, cwd=err.parent, env=environment(**more)
        )
    try:
        yield Program(program, err)
    finally:
        await _end(program)


async def _end(program: Process) -> None:
    """First as a stop is meant, so that the database goes too."""
    for end in (program.terminate, program.kill):
        with suppress(ProcessLookupError):
            end()
        with suppress(TimeoutError):
            await asyncio.wait_for(program.wait(), 15)
            return


def servers_in(folder: Path) -> list[int]:
    """The PostgreSQL servers that work on a data folder."""
    cluster, found = str(folder.resolve() / "postgres"), []
    for each in psutil.process_iter(["name"]):
        with suppress(psutil.Error):
            if each.info["name"] == "postgres" and each.cwd() == cluster:
                found.append(each.pid)
    return found
