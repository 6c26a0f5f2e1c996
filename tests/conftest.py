"""What every test may ask for: a real PostgreSQL, databases on it, a tenant; and no way out of this machine.

One server serves the whole run, all workers of it. It lies in a folder of its own for temporary files, which goes with
it when the run ends; what a killed run left behind is cleared away by the next one.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import psutil
import pytest

from gateway.store.embedded import Embedded
from gateway.store.errors import EmbeddedRefused
from gateway.store.migrate import migrate
from gateway.store.pool import Store

_FOLDER = "GATEWAY_TEST_POSTGRES"
_PREFIX = "clinic-gateway-tests-"
_SPECS = Path(__file__).parents[2] / "shared" / "specs"


def pytest_configure(config: pytest.Config) -> None:
    """Make the run's folder, in the one interpreter that sees the whole run; workers inherit its name."""
    if not hasattr(config, "workerinput"):
        _sweep()
        os.environ[_FOLDER] = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what a crashed worker may have left running, and remove the folder."""
    if not hasattr(config, "workerinput") and _FOLDER in os.environ:
        _clear(Path(os.environ.pop(_FOLDER)))


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).split("-")[0]
        with suppress(FileNotFoundError, EmbeddedRefused):  # a run beside this one clears it, or has just ended
            if folder.stat().st_uid == os.geteuid() and pid.isdigit() and not psutil.pid_exists(int(pid)):
                _clear(folder)


def _clear(folder: Path) -> None:
    if (folder / "postgres" / "PG_VERSION").exists():
        Embedded.start(folder).stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def no_way_out() -> Iterator[None]:
    """Python's sockets reach this machine only. (Engines in other languages do not come past here.)"""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
        yield


def _guarded(connect: Callable[[socket.socket, Any], Any]) -> Callable[[socket.socket, Any], Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(str(address[0])):
            raise RuntimeError("a test tried to reach another machine; give it a local server or a mock transport")
        return connect(self, address)

    return guarded


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run asynchronous work from a fixture that must not touch the tests' own event loop."""
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(asyncio.run, work).result()


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Embedded]:
    """The run's PostgreSQL server."""
    with Embedded.start(Path(os.environ[_FOLDER])) as embedded:
        yield embedded


@pytest.fixture(scope="session")
def migrated(postgres: Embedded) -> str:
    """The name of a migrated database to clone; nobody may be connected to it."""
    name = f"migrated_{uuid4().hex}"
    _run(_execute(postgres.dsn(), f"CREATE DATABASE {name}"))
    _run(migrate(postgres.dsn(name)))
    return name


@pytest.fixture(scope="session")
def dsn(postgres: Embedded, migrated: str) -> str:
    """A migrated database that this worker's tests share; tenants keep them apart."""
    name = f"shared_{uuid4().hex}"
    _run(_execute(postgres.dsn(), f"CREATE DATABASE {name} TEMPLATE {migrated}"))
    return postgres.dsn(name)


@contextmanager
def cloned(postgres: Embedded, migrated: str) -> Iterator[str]:
    """A migrated database until the block ends."""
    name = f"fresh_{uuid4().hex}"
    _run(_execute(postgres.dsn(), f"CREATE DATABASE {name} TEMPLATE {migrated}"))
    yield postgres.dsn(name)
    _run(_execute(postgres.dsn(), f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def fresh_dsn(postgres: Embedded, migrated: str) -> Iterator[str]:
    """A migrated database of this test's own."""
    with cloned(postgres, migrated) as dsn:
        yield dsn


@pytest.fixture
async def store(dsn: str) -> AsyncIterator[Store]:
    """The store over the shared database."""
    store = await Store.open(dsn, size=4)
    yield store
    await store.close()


@pytest.fixture
def tenant() -> UUID:
    """A tenant that nobody else has; only an id, without rows."""
    return uuid4()


@pytest.fixture(scope="session")
def specs() -> Path:
    """The folder of vendors' and standards' own files, where there is one."""
    folder = Path(os.environ.get("GATEWAY_SPECS", _SPECS))
    if not folder.is_dir():
        pytest.skip(f"no specifications at {folder}; name their folder in GATEWAY_SPECS")
    return folder
