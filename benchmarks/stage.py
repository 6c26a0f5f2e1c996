"""Everything a measurement of webhooks plays on: a database, a sink, a publisher, and workers that come and go."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
from rich.console import Console
from rich.progress import Progress

from benchmarks.programs import Program
from gateway.config import Settings
from gateway.keyfiles import make
from gateway.store.embedded import Embedded
from gateway.store.migrate import migrate

SUBJECT = "benchmarks.subjects.webhooks"
START_SECONDS = 60.0
STEP_SECONDS = 600.0


@dataclass(frozen=True)
class Stage:
    """The programs that stay, and where the next worker finds them."""

    dsn: str
    folder: Path
    sink: Program
    url: str
    publisher: Program

    def worker(self) -> Program:
        """A new worker; it may still be starting."""
        return Program(SUBJECT, "worker", self.dsn, str(self.folder), self.url)

    def endpoint(
        self, path: str, events: Sequence[str], *, temper: str = "well", clinic: int = 0, checked: bool = True
    ) -> str:
        """Register one at the sink, which from then on has this temper and checks signatures; gives its id."""
        return str(self.registered(path, events, temper=temper, clinic=clinic, checked=checked)["id"])

    def registered(
        self, path: str, events: Sequence[str], *, temper: str = "well", clinic: int = 0, checked: bool = True
    ) -> Any:
        """The same; gives the id and the secret."""
        asked = {"do": "endpoint", "url": f"{self.url}{path}", "events": list(events), "clinic": clinic}
        made = ask(self.publisher, asked)
        ask(self.sink, {"do": "expect", "path": path, "temper": temper, "secret": made["secret"] if checked else None})
        return made

    def publish(self, count: int, types: Sequence[str], **how: Any) -> None:
        """Begin to publish; `published` waits for the end."""
        self.publisher.tell({"do": "publish", "count": count, "types": list(types), "callers": 8, **how})

    def published(self) -> Any:
        """What was published, once it is."""
        return self.publisher.hear(STEP_SECONDS)

    def count(self) -> dict[str, int]:
        """How many different events each path has."""
        counted: dict[str, int] = ask(self.sink, {"do": "count"})
        return counted

    def rows(self, statement: str, *given: Any) -> list[Any]:
        """Ask the database itself, as nobody of the gateway could."""
        return asyncio.run(_rows(self.dsn, statement, given))


@contextmanager
def staged(dsn: str | None = None, folder: Path | None = None) -> Iterator[Stage]:
    """A stage with one clinic, on a database of its own unless one is given."""
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="clinic-gateway-bench-")))
        if dsn is None:
            dsn = stack.enter_context(Embedded.start(folder)).dsn()
        asyncio.run(migrate(dsn))
        make(Settings.from_environment({}, database_url=dsn, data_dir=folder))
        sink = stack.enter_context(Program("benchmarks.sink"))
        url = f"http://127.0.0.1:{sink.hear()['port']}"
        publisher = stack.enter_context(Program(SUBJECT, "publisher", dsn, str(folder), url))
        publisher.hear(START_SECONDS)
        ask(publisher, {"do": "clinic"})
        yield Stage(dsn, folder, sink, url, publisher)


def ask(program: Program, message: object, seconds: float = STEP_SECONDS) -> Any:
    """One question, one answer."""
    program.tell(message)
    return program.hear(seconds)


def end_hard(program: Program) -> None:
    """Kill -9: it gets no chance to finish anything."""
    os.kill(program.id, signal.SIGKILL)


async def _rows(dsn: str, statement: str, given: Sequence[Any]) -> list[Any]:
    connection = await asyncpg.connect(dsn)
    try:
        return list(await connection.fetch(statement, *given))
    finally:
        await connection.close()


def bar() -> Progress:
    """How far a long measurement has come, for a person who watches."""
    return Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def percentile(values: Sequence[float], part: float) -> float:
    """The value that this part of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else float("nan")
