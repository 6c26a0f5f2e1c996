"""What holds for every file of the project: its words, its first line, its locks. Layers are in test_rooms."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
BANNED = {"manager", "managers", "helper", "helpers", "util", "utils", "process", "processes", "handle", "handles"}
# Written in pieces, so that this file does not find itself.
UNFINISHED = re.compile(rf"\b(?:{'TO' + 'DO'}|{'FIX' + 'ME'})\b")
MACHINE = re.compile(r"(?<![\w.:/~-])/(?:home|Users|root|" + "work" + r")/[\w.-]")
ASK_PIP = "from pip._internal.models.index import PyPI; print(PyPI.netloc, PyPI.file_storage_domain)"


def own_files() -> Iterator[Path]:
    """Every file of ours: no environment, no cache, no data."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name == ".ci" or not re.match(r"\.|__pycache__|build$|data$", name)]
        yield from (Path(folder, name) for name in names if not name.endswith((".pyc", ".zip", ".png")))


def texts() -> Iterator[tuple[str, str]]:
    """Every file that is text, by its path from the root."""
    for file in own_files():
        try:
            yield file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def python_files() -> Iterator[tuple[str, ast.Module]]:
    """The syntax of every Python file."""
    for path, text in texts():
        if path.endswith(".py"):
            yield path, ast.parse(text)


def found(pattern: re.Pattern[str]) -> list[str]:
    """Where a pattern stands in the project."""
    return [
        f"{path}:{number}: {line.strip()[:80]}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def words(name: str) -> set[str]:
    """The words of a name, however they are joined."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def test_no_file_names_where_packages_come_from() -> None:
    bases = [sys.executable, getattr(sys, "_base_executable", sys.executable)]
    runs = [subprocess.run([base, "-c", ASK_PIP], capture_output=True, text=True, check=False) for base in bases]
    hosts = next((run.stdout.split() for run in runs if run.returncode == 0), None)
    if hosts is None:
        pytest.skip("neither this Python nor the one below it has a pip to ask")

    assert len(hosts) == 2
    assert found(re.compile("|".join(map(re.escape, hosts)))) == []


def test_no_file_names_a_folder_of_one_machine() -> None:
    assert found(MACHINE) == []


def test_no_file_holds_marks_of_a_merge() -> None:
    assert found(re.compile(r"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)) == []


def test_nothing_is_left_for_later() -> None:
    assert found(UNFINISHED) == []


def test_every_python_file_says_first_what_it_keeps() -> None:
    assert [path for path, tree in python_files() if not ast.get_docstring(tree)] == []


def test_no_file_function_or_class_has_a_name_that_says_nothing() -> None:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    named = [
        (f"{path}:{node.lineno}", node.name)
        for path, tree in python_files()
        for node in ast.walk(tree)
        if isinstance(node, kinds)
    ]
    named += [(path, part) for path, _ in texts() for part in path.removesuffix(".py").split("/")]

    assert sorted({f"{place}: {name}" for place, name in named if words(name) & BANNED}) == []


@pytest.mark.parametrize("name", ["PaymentManager", "process_refund", "handleEvent", "utils", "http_helpers"])
def test_a_name_that_says_nothing_is_noticed(name: str) -> None:
    assert words(name) & BANNED


@pytest.mark.parametrize("name", ["processor", "handler_of", "utility", "managed", "subprocess"])
def test_a_word_that_only_begins_alike_is_left_alone(name: str) -> None:
    assert not words(name) & BANNED


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_pins_each_package_by_hash_and_names_no_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[\w-])", "\n" + re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))

    assert "://" not in text
    assert not re.search(r"^\s*-(?!-hash=)", text, flags=re.MULTILINE)
    assert [block.split()[0] for block in blocks if block.strip() and "--hash=sha256:" not in block] == []
    assert [block.split()[0] for block in blocks if block.strip() and not re.match(r"\s*[\w.-]+==", block)] == []


@pytest.mark.parametrize("part", ["runtime", "dev"])
def test_the_locks_answer_what_the_project_asks_for(part: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = project["project"]["dependencies"] if part == "runtime" else project["dependency-groups"]["dev"]
    text = (ROOT / "requirements" / f"{part}.txt").read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", text, flags=re.MULTILINE))

    for line in asked:
        requirement = Requirement(line)
        assert pinned.get(requirement.name, "0") in requirement.specifier, f"{line}: run `make lock`"


def test_both_locks_pin_a_package_at_one_version() -> None:
    pins = [
        pin
        for lock in LOCKS
        for pin in re.findall(r"^([\w.-]+)==([^\s;]+)", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    ]

    assert len(set(pins)) == len(dict(pins))


@pytest.mark.parametrize("path", [".ci/run", "scripts/setup.sh"])
def test_what_is_run_by_name_can_be_run(path: str) -> None:
    assert os.access(ROOT / path, os.X_OK)
