"""A server that a file of tests has to itself, to stop, break and alter as it likes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from gateway.store.embedded import Embedded


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A server whose roles are this file's own."""
    folder = tmp_path_factory.mktemp("own server")
    with Embedded.start(folder) as embedded:
        yield embedded


@pytest.fixture
async def empty_dsn(own_server: Embedded) -> AsyncIterator[str]:
    """An empty database on the own server."""
    name = f"empty_{uuid4().hex}"
    connection = await asyncpg.connect(own_server.dsn())
    await connection.execute(f"CREATE DATABASE {name}")
    yield own_server.dsn(name)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for migrations."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    return folder
