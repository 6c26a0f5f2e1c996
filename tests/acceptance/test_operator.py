"""What an operator gets wrong is said in one line that says what to do, and never as an unexpected something."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import orjson

from tests.acceptance.programs import Done, run, servers_in


def in_one_line(done: Done) -> str:
    """What it said, which was one line and nothing else."""
    assert (done.code, done.out) == (1, ""), done.out
    *log, line = done.err.splitlines()
    assert all(orjson.loads(each) for each in log)
    assert line.startswith("gateway: ")
    assert "unexpected" not in line
    return line


async def test_a_key_for_no_clinic_is_refused_as_that(tmp_path: Path) -> None:
    mistyped = await run("key", "create", "the-clinic", "--scope", "log:read", "--data", tmp_path / "data")
    assert mistyped.code == 2, "as of every wrong word on a command line"
    assert mistyped.err.startswith("Usage: ")
    assert "UUID" in mistyped.err
    nobody = await run("key", "create", str(uuid4()), "--scope", "log:read", "--data", tmp_path / "data")
    assert in_one_line(nobody) == "gateway: there is no such tenant"
    assert servers_in(tmp_path / "data") == []


async def test_a_scope_that_is_none_is_told_the_areas(tmp_path: Path) -> None:
    done = await run("key", "create", str(uuid4()), "--scope", "everything", "--data", tmp_path / "data")
    assert "calls, catalog, connections" in in_one_line(done)
    assert not (tmp_path / "data").exists(), "nothing is started for a command that cannot work"


async def test_a_demo_whose_database_is_gone_says_how_to_begin_anew(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "demo.json").write_bytes(orjson.dumps({"tenant": str(uuid4()), "api_key": "cgk_x"}))
    done = await run("demo", "--port", "0", "--data", folder)
    assert f"Remove {folder / 'demo.json'} to begin with a new clinic." in in_one_line(done)
    assert servers_in(folder) == []


async def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    done = await run("serve", "--port", "0", "--data", tmp_path / "a file" / "data")
    assert str(tmp_path / "a file" / "data") in in_one_line(done)
