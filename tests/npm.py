"""Ask an npm package that judges ours: laid below .venv once per lock, by `npm ci` from hashes. No fixtures.

Without Node, npm or a registry the tests that ask are skipped.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_SECONDS = 120
_LOCK = ("package.json", "package-lock.json")


def asked_of(source: Path, script: str, lines: Sequence[str], *arguments: str) -> list[str]:
    """What a script answers to each line, beside the packages that the lock in its folder names; or the test is skipped."""
    node, folder = _program("node"), laid(source)
    shutil.copy(source / script, folder)
    done = subprocess.run(
        [node, script, *arguments], cwd=folder, timeout=_SECONDS, capture_output=True, check=False, text=True,
        input="".join(f"{line}\n" for line in lines),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    assert len(answers) == len(lines), "the script did not answer every line"
    return answers


def laid(source: Path) -> Path:
    """The folder in which the packages lie."""
    digest = hashlib.sha256(b"".join((source / name).read_bytes() for name in _LOCK)).hexdigest()
    folder = ROOT / ".venv" / "npm" / digest[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            _install(source, Path(made) / "laid")
            try:
                (Path(made) / "laid").rename(folder)
            except OSError:  # a test beside this one was faster
                assert folder.exists()
    return folder


def _install(source: Path, folder: Path) -> None:
    folder.mkdir()
    for name in _LOCK:
        shutil.copy(source / name, folder)
    cache = ROOT / ".venv" / "npm" / "cache"
    command = [_program("npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--cache", str(cache)]
    done = _tried(command, folder)
    if done.returncode:
        pytest.skip(f"npm cannot lay the package here: {done.stderr.strip().splitlines()[-1:]}")


def _tried(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, cwd=folder, timeout=_SECONDS, capture_output=True, check=False, text=True)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not end in time: is its registry in reach?")


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found
