"""Bring a database to this version: numbered SQL files, each in one transaction, then the queue. Holds no table itself.

A file is named 0001_name.sql. What was applied is recorded with the file's SHA-256, so that a later change is noticed.
Several gateways may migrate at once: the first one works, the others wait and find nothing left to do.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from gateway.store import jobs
from gateway.store.errors import MigrationRefused, connecting, outages
from gateway.store.pool import AUDITOR_ROLE, ROLE

MIGRATIONS = Path(__file__).parent / "migrations"

_FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_LOCK = 7300  # one advisory lock per database; 7301 is the ledger writers'
_CONNECT_SECONDS = 10
_OLDEST_SERVER = 15
_ROLE_ATTEMPTS = 20

_RECORD = """
CREATE TABLE IF NOT EXISTS gateway_migrations (
    number      integer PRIMARY KEY,
    name        text NOT NULL,
    sha256      text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    sql: str
    sha256: str


def read(folder: Path) -> tuple[Migration, ...]:
    """The folder's migrations in order; raises MigrationRefused when a name is malformed or a number is missing."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationRefused(f"The migration {path.name} is not named like 0001_name.sql: rename it")
        sql = path.read_text(encoding="utf-8")  # line ends are normalised, so a checkout's settings change no hash
        found.append(Migration(int(match[1]), path.stem, sql, hashlib.sha256(sql.encode()).hexdigest()))
    for expected, migration in enumerate(found, start=1):
        if migration.number != expected:
            raise MigrationRefused(
                f"The migration {migration.name} should have number {expected:04d}: numbers leave no gap"
            )
    return tuple(found)


async def migrate(dsn: str, folder: Path = MIGRATIONS) -> list[str]:
    """Apply what is missing and return its names; raises MigrationRefused or StoreUnavailable."""
    migrations = read(folder)
    with connecting():
        connection = await asyncpg.connect(
            dsn,
            timeout=_CONNECT_SECONDS,
            server_settings={"application_name": "clinic-gateway migrate", "timezone": "UTC"},
        )
    try:
        with outages(connection):
            await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
            _check_server(connection)
            for role in (ROLE, AUDITOR_ROLE):
                await _ensure_role(connection, role)
            applied = await _apply(connection, migrations)
            if folder == MIGRATIONS:
                await jobs.install(connection)
            return applied
    finally:
        await connection.close(timeout=_CONNECT_SECONDS)  # ends the session, and the lock with it


def _check_server(connection: Any) -> None:
    version = connection.get_server_version().major
    if version < _OLDEST_SERVER:
        raise MigrationRefused(f"The database is PostgreSQL {version}: the gateway needs {_OLDEST_SERVER} or newer")


async def _apply(connection: Any, migrations: tuple[Migration, ...]) -> list[str]:
    await connection.execute(_RECORD)
    recorded = await connection.fetch("SELECT number, name, sha256 FROM gateway_migrations ORDER BY number")
    _compare(recorded, migrations)
    pending = migrations[len(recorded) :]
    for migration in pending:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO gateway_migrations (number, name, sha256) VALUES ($1, $2, $3)",
                migration.number,
                migration.name,
                migration.sha256,
            )
    return [migration.name for migration in pending]


def _compare(recorded: list[Any], migrations: tuple[Migration, ...]) -> None:
    """Raise unless what was applied is the beginning of what is on disk."""
    for position, row in enumerate(recorded):
        if position >= len(migrations):
            raise MigrationRefused(
                f"The database has migration {row['name']}, which this version does not know: "
                "a newer gateway has migrated it, so run that version"
            )
        ours = migrations[position]
        if (row["number"], row["name"], row["sha256"]) != (ours.number, ours.name, ours.sha256):
            raise MigrationRefused(
                f"The migration {row['name']} was changed after it was applied to this database: "
                "restore the file, and put the change into a new migration"
            )


async def _ensure_role(connection: Any, name: str) -> None:
    """Make sure that a role of ours exists, is harmless, and that this user can act as it."""
    for _ in range(_ROLE_ATTEMPTS):
        try:
            async with connection.transaction():
                await _create_role(connection, name)
            return
        except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            pass  # roles belong to the whole cluster: another database's migration was faster
        except asyncpg.InternalServerError as error:
            if "tuple concurrently" not in str(error):
                raise
        except asyncpg.InsufficientPrivilegeError as error:
            raise MigrationRefused(
                f"This database user may not create roles: run `CREATE ROLE {name} NOLOGIN` and "
                f"`GRANT {name} TO <this user>` as an administrator, then migrate again"
            ) from error
        await asyncio.sleep(0.05)
    raise MigrationRefused(f"The role {name} keeps changing: stop the other migrations and migrate again")


async def _create_role(connection: Any, name: str) -> None:
    role = await connection.fetchrow(
        "SELECT rolsuper, rolbypassrls, rolcanlogin FROM pg_roles WHERE rolname = $1", name
    )
    if role is None:
        await connection.execute(f"CREATE ROLE {name} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS")
    elif any(role):
        raise MigrationRefused(
            f"The role {name} may log in or is not bound by row-level security: "
            f"run `ALTER ROLE {name} NOLOGIN NOSUPERUSER NOBYPASSRLS` as an administrator"
        )
    # 'SET' exists since PostgreSQL 16, where the creator of a role is not yet allowed to act as it.
    privilege = "SET" if connection.get_server_version().major >= 16 else "MEMBER"
    if not await connection.fetchval("SELECT pg_has_role($1, $2)", name, privilege):
        await connection.execute(f"GRANT {name} TO CURRENT_USER")
