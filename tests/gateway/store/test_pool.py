"""The store's connections: one tenant at a time, never more than the request role may, and back after an outage."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from gateway.store import StoreRefused, StoreUnavailable, pool
from gateway.store.embedded import Embedded
from gateway.store.embedded.cluster import Files
from gateway.store.embedded.server import alive
from gateway.store.migrate import migrate
from gateway.store.pool import ROLE, Store

WALLED = f"""
CREATE TABLE notes (tenant uuid NOT NULL, body jsonb NOT NULL, UNIQUE (tenant, body));
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE notes FORCE ROW LEVEL SECURITY;
CREATE POLICY tenants ON notes
    USING (tenant = ANY (string_to_array(current_setting('gateway.tenants', true), ',')::uuid[]));
GRANT SELECT, INSERT ON notes TO {ROLE};
"""
A, B = uuid4(), uuid4()


@pytest.fixture
async def walled_dsn(empty_dsn: str, folder: Path) -> str:
    """A database with one table behind row-level security."""
    (folder / "0001_walled.sql").write_text(WALLED)
    await migrate(empty_dsn, folder)
    return empty_dsn


@pytest.fixture
async def walled(walled_dsn: str) -> AsyncIterator[Store]:
    """The store over it, with one connection, so that each transaction meets what the one before left."""
    store = await Store.open(walled_dsn, size=1)
    for tenant in (A, B):
        async with store.tenant(tenant) as connection:
            await connection.execute("INSERT INTO notes VALUES ($1, $2)", tenant, {"of": str(tenant)})
    yield store
    await store.close()


async def _notes(connection: asyncpg.Connection) -> list[object]:
    return [row["tenant"] for row in await connection.fetch("SELECT tenant FROM notes ORDER BY tenant")]


async def test_a_transaction_sees_its_own_tenant_and_no_other(walled: Store) -> None:
    async with walled.tenant(A) as connection:
        assert await _notes(connection) == [A]
    async with walled.tenant(B) as connection:
        assert await _notes(connection) == [B]


async def test_a_transaction_of_several_tenants_sees_just_these(walled: Store) -> None:
    async with walled.tenants([A, B]) as connection:
        assert await _notes(connection) == sorted([A, B])
    async with walled.tenants([]) as connection:
        assert await _notes(connection) == []


async def test_nobody_sees_nothing(walled: Store) -> None:
    async with walled.nobody() as connection:
        assert await _notes(connection) == []


async def test_a_tenant_cannot_write_rows_of_another(walled: Store) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with walled.tenant(A) as connection:
            await connection.execute("INSERT INTO notes VALUES ($1, '{}')", B)


async def test_a_connection_of_its_own_sees_nothing_until_it_names_its_tenants(walled: Store) -> None:
    connection = await walled.dedicated()
    try:
        assert await _notes(connection) == []
        async with connection.transaction():
            await connection.execute(pool.SET_TENANTS, str(B))
            assert await _notes(connection) == [B]
        assert await _notes(connection) == []
    finally:
        await connection.close()


async def test_what_a_session_keeps_does_not_reach_the_next_transaction(walled: Store) -> None:
    async with walled.tenant(A) as connection:
        await connection.execute("SET ROLE NONE")
        await connection.execute(f"SET gateway.tenants = '{B}'")
    async with walled.nobody() as connection:
        assert await connection.fetchval("SELECT current_user") == ROLE
        assert await _notes(connection) == []


async def test_a_block_that_raises_leaves_nothing(walled: Store) -> None:
    async def write_and_raise() -> None:
        async with walled.tenant(A) as connection:
            await connection.execute("INSERT INTO notes VALUES ($1, '{}')", A)
            raise KeyError("a reason")

    with pytest.raises(KeyError):
        await write_and_raise()
    async with walled.tenant(A) as connection:
        assert await _notes(connection) == [A]


async def test_a_tenant_that_is_no_uuid_is_a_mistake(walled: Store) -> None:
    with pytest.raises(TypeError):
        async with walled.tenants([f"{A},{B}"]):  # type: ignore[list-item]
            pass


async def test_jsonb_comes_and_goes_as_python_values(walled: Store) -> None:
    value = {"name": "Jürgen", "list": [1, 2.5, None, True], "nested": {"empty": {}}}
    async with walled.nobody() as connection:
        assert await connection.fetchval("SELECT $1::jsonb", value) == value
        assert await connection.fetchval("SELECT '[1, \"ü\"]'::jsonb") == [1, "ü"]


async def test_an_error_of_a_statement_stays_what_it_is(walled: Store) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        async with walled.tenant(A) as connection:
            await connection.execute("INSERT INTO notes VALUES ($1, $2)", A, {"of": str(A)})


@pytest.mark.parametrize("code", ["53100", "53200", "25006", "57P01", "57P03", "08006", "58030"])
async def test_what_passes_by_itself_is_an_outage_and_quotes_nothing(walled: Store, code: str) -> None:
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'could not write Maria' USING ERRCODE = '{code}'; END $$"
    with pytest.raises(StoreUnavailable, match=code) as caught:
        async with walled.nobody() as connection:
            await connection.execute(raising)
    assert "Maria" not in str(caught.value)


async def test_a_database_that_turns_read_only_is_an_outage(walled: Store) -> None:
    async def write() -> None:
        async with walled.tenant(A) as connection:
            await connection.execute("SET TRANSACTION READ ONLY")
            await connection.execute("INSERT INTO notes VALUES ($1, '{}')", A)

    with pytest.raises(StoreUnavailable, match="read-only"):
        await write()


async def test_a_connection_cut_inside_a_block_is_an_outage_and_the_next_block_works(
    walled: Store, own_server: Embedded
) -> None:
    other = await asyncpg.connect(own_server.dsn())

    async def ask_after_the_cut() -> None:
        async with walled.nobody() as connection:
            await other.execute("SELECT pg_terminate_backend($1, 5000)", connection.get_server_pid())
            await connection.fetchval("SELECT 1")

    with pytest.raises(StoreUnavailable):
        await ask_after_the_cut()
    await other.close()
    await walled.ping()


async def test_a_full_pool_is_an_outage(walled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_ACQUIRE_SECONDS", 0.05)
    async with walled.nobody():
        with pytest.raises(StoreUnavailable):
            await walled.ping()
    await walled.ping()


async def test_the_store_comes_back_with_the_server(tmp_path: Path, folder: Path) -> None:
    (folder / "0001_walled.sql").write_text(WALLED)
    files = Files(tmp_path / "data")
    embedded = await asyncio.to_thread(Embedded.start, files.data_dir)
    dsn = embedded.dsn()
    try:
        await migrate(dsn, folder)
        store = await Store.open(dsn, size=2)
        os.kill(int((files.cluster / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        await asyncio.to_thread(_wait_until_dead, files)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await store.ping()
        with pytest.raises(StoreUnavailable):
            await store.dedicated()
        await asyncio.to_thread(embedded.revive)
        await store.ping()
        await store.close()
    finally:
        await asyncio.to_thread(embedded.stop)
    with pytest.raises(StoreUnavailable):
        await Store.open(dsn)


async def test_a_database_that_is_not_migrated_is_refused_with_what_to_run(own_server: Embedded) -> None:
    with pytest.raises(StoreRefused, match="gateway migrate"):
        await Store.open(own_server.dsn("no_such_database"))


@pytest.mark.parametrize("power", ["BYPASSRLS", "SUPERUSER"])
async def test_a_role_that_passes_row_level_security_is_refused(walled_dsn: str, power: str) -> None:
    owner = await asyncpg.connect(walled_dsn)
    await owner.execute(f"ALTER ROLE {ROLE} {power}")
    try:
        with pytest.raises(StoreRefused, match="not bound by row-level security"):
            await Store.open(walled_dsn)
    finally:
        await owner.execute(f"ALTER ROLE {ROLE} NO{power}")
        await owner.close()


async def test_a_role_that_owns_a_table_is_refused(walled_dsn: str) -> None:
    owner = await asyncpg.connect(walled_dsn)
    await owner.execute(f"ALTER TABLE notes OWNER TO {ROLE}")
    await owner.close()
    with pytest.raises(StoreRefused, match="owns the table notes"):
        await Store.open(walled_dsn)


async def test_a_role_that_may_become_the_owner_is_refused(walled_dsn: str) -> None:
    owner = await asyncpg.connect(walled_dsn)
    await owner.execute(f"CREATE ROLE landlord; ALTER TABLE notes OWNER TO landlord; GRANT landlord TO {ROLE}")
    try:
        with pytest.raises(StoreRefused, match="may act as its owner"):
            await Store.open(walled_dsn)
    finally:
        await owner.execute("DROP OWNED BY landlord; DROP ROLE landlord")
        await owner.close()


def _wait_until_dead(files: Files) -> None:
    while alive(files):
        time.sleep(0.01)
