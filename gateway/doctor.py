"""Look at everything that a gateway needs, say what is wrong and how to mend it. Changes nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from rich.console import Console

from connectors.registry import Registry
from gateway.app import database
from gateway.config import Settings
from gateway.connections import OPERATOR
from gateway.keyfiles import log_keys, master_keys
from gateway.network.sessions import locked_until
from gateway.store import health, network
from gateway.store.migrate import MIGRATIONS, read
from gateway.store.pool import Store

_OLDEST = (3, 11)
_CLOCK_SECONDS = 2.0
Look = Callable[[Settings], Awaitable[str]]


async def examine(settings: Settings) -> bool:
    """Look at each thing in turn; True when all is well."""
    console, well = Console(), True
    for title, look in LOOKS.items():
        try:
            console.print(f"[green]✓[/] {title}: {await look(settings)}", highlight=False)
        except Exception as failure:
            well = False
            console.print(f"[red]✗[/] {title}: {failure}", highlight=False)
    return well


class Amiss(Exception):
    """Something is wrong; the message says how to mend it."""


async def _python(settings: Settings) -> str:
    if sys.version_info < _OLDEST:
        raise Amiss(f"Python {sys.version.split()[0]} is too old; use 3.11 or newer")
    return sys.version.split()[0]


async def _data_folder(settings: Settings) -> str:
    folder = settings.data_dir
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(nearest, os.W_OK):
        raise Amiss(f"{nearest} cannot be written; choose another folder with --data")
    return str(folder)


async def _keys(settings: Settings) -> str:
    if not settings.master_key_file.exists():
        return "not made yet; the first start makes them" if settings.database_url is None else _missing(settings)
    master_keys(settings)
    log_keys(settings)
    return "readable, by their owner only"


def _missing(settings: Settings) -> str:
    raise Amiss(f"{settings.master_key_file} is missing; make the key files with `gateway keys new`")


async def _connectors(settings: Settings) -> str:
    return ", ".join(Registry.load().connectors)


async def _database(settings: Settings) -> str:
    if settings.database_url is None and not settings.data_dir.exists():
        return "embedded; the first start makes it"
    async with database(settings) as dsn:
        store = await Store.open(dsn, size=1)
        try:
            return await _inside(store)
        finally:
            await store.close()


async def _networks(settings: Settings) -> str:
    if settings.database_url is None and not settings.data_dir.exists():
        return "none yet"
    async with database(settings) as dsn:
        store = await Store.open(dsn, size=1)
        try:
            return await sessions_at(store, datetime.now(UTC))
        finally:
            await store.close()


async def sessions_at(store: Store, now: datetime) -> str:
    """How the gateway's sessions at networks stand. Raises Amiss where one does not take its registration."""
    async with store.tenant(OPERATOR) as connection:
        found = await network.sessions(connection, OPERATOR)
    for connector, row in found.items():
        if (until := locked_until(row, now)) is not None:
            raise Amiss(
                f"{connector} refused the gateway's registration {row.refused} times in a row ({row.code}), so nobody logs in "
                f"there until {until:%H:%M} UTC; compare it with the network's own, and add it anew with `gateway clients add`"
            )
    return ", ".join(f"{connector}: {_session(row, now)}" for connector, row in found.items()) or "none"


def _session(row: network.SessionRow, now: datetime) -> str:
    if row.expires_at is not None and row.expires_at > now:
        return "in session"
    return "no session just now" if row.code is None else f"no session just now ({row.code})"


async def _inside(store: Store) -> str:
    async with store.nobody() as connection:
        found = await health.state(connection)
    newest = read(MIGRATIONS)[-1].name
    if found.migration != newest:
        raise Amiss(f"the database is at {found.migration}, this version needs {newest}; run `gateway migrate`")
    if found.read_only:
        raise Amiss("the database is read-only; calls will be refused until it can be written")
    if abs((datetime.now(UTC) - found.now).total_seconds()) > _CLOCK_SECONDS:
        raise Amiss(
            "this machine's clock and the database's differ by more than two seconds; run a time service on both"
        )
    return f"PostgreSQL {found.version}, {found.migration}, role {found.role} (bound by row-level security)"


LOOKS: dict[str, Look] = {
    "Python": _python,
    "Data folder": _data_folder,
    "Keys": _keys,
    "Connectors": _connectors,
    "Database": _database,
    "Networks": _networks,
}
