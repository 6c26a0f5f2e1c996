"""Migrations: applied once, in order, by one gateway at a time, and never against what was applied before."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from gateway.store import StoreUnavailable
from gateway.store.embedded import Embedded
from gateway.store.errors import MigrationRefused
from gateway.store.migrate import migrate
from gateway.store.pool import AUDITOR_ROLE, ROLE


async def _values(dsn: str, query: str) -> list[object]:
    connection = await asyncpg.connect(dsn)
    try:
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close()


def _write(folder: Path, **files: str) -> None:
    for name, sql in files.items():
        (folder / f"{name.removeprefix('m')}.sql").write_text(sql)


async def test_the_projects_own_migrations_apply_to_an_empty_database(empty_dsn: str) -> None:
    applied = await migrate(empty_dsn)
    assert applied
    assert applied == sorted(applied)
    assert await migrate(empty_dsn) == []


async def test_files_are_applied_in_order_and_only_once(empty_dsn: str, folder: Path) -> None:
    _write(folder, m0001_table="CREATE TABLE a (b int)", m0002_row="INSERT INTO a VALUES (1)")
    assert await migrate(empty_dsn, folder) == ["0001_table", "0002_row"]
    _write(folder, m0003_more="INSERT INTO a VALUES (2); INSERT INTO a VALUES (3)")
    assert await migrate(empty_dsn, folder) == ["0003_more"]
    assert await migrate(empty_dsn, folder) == []
    assert await _values(empty_dsn, "SELECT b FROM a ORDER BY b") == [1, 2, 3]


async def test_a_file_that_fails_leaves_nothing_of_itself_and_all_before_it(empty_dsn: str, folder: Path) -> None:
    _write(folder, m0001_table="CREATE TABLE a (b int)", m0002_bad="INSERT INTO a VALUES (1); SELECT 1/0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty_dsn, folder)
    assert await _values(empty_dsn, "SELECT b FROM a") == []
    _write(folder, m0002_bad="INSERT INTO a VALUES (2)")
    assert await migrate(empty_dsn, folder) == ["0002_bad"]


async def test_a_file_changed_after_it_was_applied_is_refused(empty_dsn: str, folder: Path) -> None:
    _write(folder, m0001_table="CREATE TABLE a (b int)")
    await migrate(empty_dsn, folder)
    _write(folder, m0001_table="CREATE TABLE a (b bigint)", m0002_more="CREATE TABLE c (d int)")
    with pytest.raises(MigrationRefused, match="0001_table was changed after it was applied"):
        await migrate(empty_dsn, folder)
    assert await _values(empty_dsn, "SELECT to_regclass('c')::text") == [None]


async def test_line_ends_of_a_checkout_are_no_change(empty_dsn: str, folder: Path) -> None:
    (folder / "0001_table.sql").write_bytes(b"CREATE TABLE a (\nb int)\n")
    await migrate(empty_dsn, folder)
    (folder / "0001_table.sql").write_bytes(b"CREATE TABLE a (\r\nb int)\r\n")
    assert await migrate(empty_dsn, folder) == []


async def test_a_database_of_a_newer_version_is_refused(empty_dsn: str, folder: Path) -> None:
    _write(folder, m0001_table="CREATE TABLE a (b int)", m0002_more="CREATE TABLE c (d int)")
    await migrate(empty_dsn, folder)
    (folder / "0002_more.sql").unlink()
    with pytest.raises(MigrationRefused, match="a newer gateway has migrated it"):
        await migrate(empty_dsn, folder)


@pytest.mark.parametrize("names", [["0002_late"], ["0001_one", "0003_three"], ["0001_one", "0001_other"], ["one"]])
async def test_a_folder_with_gaps_or_other_names_is_refused(names: list[str], folder: Path) -> None:
    for name in names:
        (folder / f"{name}.sql").write_text("SELECT 1")
    with pytest.raises(MigrationRefused):
        await migrate("postgresql://nowhere", folder)


async def test_of_several_gateways_one_migrates_and_the_others_wait(empty_dsn: str, folder: Path) -> None:
    _write(folder, m0001_slow="SELECT pg_sleep(0.2); CREATE TABLE a (b int)", m0002_row="INSERT INTO a VALUES (1)")
    applied = await asyncio.gather(*(migrate(empty_dsn, folder) for _ in range(4)))
    assert sorted(applied) == [[], [], [], ["0001_slow", "0002_row"]]
    assert await _values(empty_dsn, "SELECT b FROM a") == [1]


async def test_databases_of_one_server_may_create_the_role_at_once(own_server: Embedded, folder: Path) -> None:
    names = [f"race_{uuid4().hex}" for _ in range(4)]
    connection = await asyncpg.connect(own_server.dsn())
    for name in names:
        await connection.execute(f"CREATE DATABASE {name}")
    for _ in range(2):
        await connection.execute(f"DROP ROLE IF EXISTS {ROLE}, {AUDITOR_ROLE}")
        await asyncio.gather(*(migrate(own_server.dsn(name), folder) for name in names))
    for name in names:
        await connection.execute(f"DROP DATABASE {name}")
    await connection.close()


async def test_the_request_role_may_neither_log_in_nor_pass_row_level_security(empty_dsn: str, folder: Path) -> None:
    await migrate(empty_dsn, folder)
    query = f"SELECT rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole FROM pg_roles WHERE rolname = '{ROLE}'"
    assert await _values(empty_dsn, query) == [False]


async def test_a_request_role_that_passes_row_level_security_is_refused(empty_dsn: str, folder: Path) -> None:
    await migrate(empty_dsn, folder)
    await _values(empty_dsn, f"ALTER ROLE {ROLE} BYPASSRLS")
    try:
        with pytest.raises(MigrationRefused, match="not bound by row-level security"):
            await migrate(empty_dsn, folder)
    finally:
        await _values(empty_dsn, f"ALTER ROLE {ROLE} NOBYPASSRLS")


async def test_an_owner_who_is_no_superuser_migrates_and_acts_as_the_request_role(
    own_server: Embedded, folder: Path
) -> None:
    owner = f"owner_{uuid4().hex}"
    await _values(own_server.dsn(), f"CREATE ROLE {owner} LOGIN CREATEROLE")
    await _values(own_server.dsn(), f"CREATE DATABASE {owner} OWNER {owner}")
    connection = await asyncpg.connect(own_server.dsn())
    await connection.execute(f"DROP ROLE IF EXISTS {ROLE}, {AUDITOR_ROLE}")
    dsn = own_server.dsn(owner, owner)
    _write(folder, m0001_table="CREATE TABLE a (b int)")
    assert await migrate(dsn, folder) == ["0001_table"]
    assert await migrate(dsn, folder) == []
    as_role = await asyncpg.connect(dsn, server_settings={"role": ROLE})
    assert await as_role.fetchval("SELECT current_user") == ROLE
    await as_role.close()
    await connection.execute(f"DROP DATABASE {owner} WITH (FORCE)")
    await connection.execute(f"DROP OWNED BY {owner} CASCADE")
    await connection.execute(f"DROP ROLE {owner}")
    await connection.close()


async def test_a_user_who_may_not_create_roles_is_told_what_to_run(own_server: Embedded, folder: Path) -> None:
    owner = f"owner_{uuid4().hex}"
    connection = await asyncpg.connect(own_server.dsn())
    await connection.execute(f"CREATE ROLE {owner} LOGIN")
    await connection.execute(f"CREATE DATABASE {owner} OWNER {owner}")
    await connection.execute(f"DROP ROLE IF EXISTS {ROLE}, {AUDITOR_ROLE}")
    with pytest.raises(MigrationRefused, match=f"CREATE ROLE {ROLE} NOLOGIN"):
        await migrate(own_server.dsn(owner, owner), folder)
    await connection.execute(f"DROP DATABASE {owner} WITH (FORCE)")
    await connection.execute(f"DROP ROLE {owner}")
    await connection.close()


async def test_a_database_that_is_away_is_an_outage(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await migrate(f"postgresql://gateway@/gateway?host={tmp_path}", folder)
