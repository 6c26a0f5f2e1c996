"""Lay the environment in .venv from the locks. Standard library only; writes nothing outside the checkout.

A stamp remembers what was laid, so a second run does nothing; a lock on this file makes a run beside it wait.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "ready.json"
LOCKS = [ROOT / "requirements" / name for name in ("runtime.txt", "dev.txt")]
UV_LOCK = ROOT / "requirements" / "uv.txt"
# Settings of the person's own pip that would send packages elsewhere than into .venv.
MISLEADING = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV", "PYTHONPATH", "PYTHONHOME")
QUIET = ("-qq", "--disable-pip-version-check", "--no-input", "--no-cache-dir", "--require-hashes")
NO_PIP = (
    "this Python cannot install packages (it has neither ensurepip nor pip); "
    "install them (Debian and Ubuntu: apt-get install python3-venv) and try again."
)


class SetupError(Exception):
    """What is missing and how to get it, in one line."""


def main() -> int:
    """Lay the environment, or say in one line why not."""
    os.chdir(ROOT)
    try:
        with Path(__file__).open("rb") as own_file:
            wait_for_turn(own_file.fileno())
            if laid() != wanted():
                lay()
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


def wait_for_turn(file_number: int) -> None:
    """Hold the lock; the system lets go of it however this program ends."""
    try:
        fcntl.flock(file_number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("setup: waiting for the setup that runs beside this one", file=sys.stderr)
        fcntl.flock(file_number, fcntl.LOCK_EX)


def wanted() -> dict[str, str]:
    """What the stamp says when the environment is the one that these files describe."""
    digest = hashlib.sha256()
    for file in [*LOCKS, UV_LOCK, Path(__file__)]:
        digest.update(file.read_bytes())
    return {"locks": digest.hexdigest(), "checkout": str(ROOT)}


def laid() -> dict[str, str]:
    """What the stamp says now; nothing when the environment is missing or no longer runs."""
    if not STAMP.exists() or not os.access(PYTHON, os.X_OK):
        return {}
    return dict(json.loads(STAMP.read_text()))


def lay() -> None:
    """Make or mend the environment, install what is locked, and stamp it."""
    moved = STAMP.exists() and laid().get("checkout") != str(ROOT)
    STAMP.unlink(missing_ok=True)
    if moved or not runs():
        shutil.rmtree(VENV, ignore_errors=True)
    print("setup: laying .venv (once; about a minute)", file=sys.stderr)
    install(pip_command())
    own_packages()
    STAMP.write_text(json.dumps(wanted()))


def runs() -> bool:
    """Whether the environment's Python starts and is new enough."""
    check = [str(PYTHON), "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    return PYTHON.exists() and subprocess.run(check, capture_output=True, check=False).returncode == 0


def pip_command() -> list[str]:
    """A pip that installs into .venv: the environment's own, or else this Python's."""
    own = [str(PYTHON), "-m", "pip"]
    if succeeds([*own, "--version"]):
        return own
    lender = [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    if importlib.util.find_spec("ensurepip"):
        run([sys.executable, "-m", "venv", str(VENV)], "could not make .venv")
        return own
    if importlib.util.find_spec("venv") and succeeds([sys.executable, "-m", "pip", "--version"]):
        run([sys.executable, "-m", "venv", "--without-pip", str(VENV)], "could not make .venv")
        return lender
    raise SetupError(NO_PIP)


def install(pip: list[str]) -> None:
    """Install the locks with uv, which is fast; with pip where uv cannot be had or cannot reach the index."""
    locks = [part for lock in LOCKS for part in ("-r", str(lock))]
    uv = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(PYTHON), "--require-hashes"]
    if succeeds([*pip, "install", *QUIET, "--only-binary", ":all:", "-r", str(UV_LOCK)]) and succeeds([*uv, *locks]):
        return
    run([*pip, "install", *QUIET, *locks], "could not install the locked packages; is the package index in reach?")


def own_packages() -> None:
    """Make this checkout importable and give it its command, without a build."""
    purelib = [str(PYTHON), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(purelib, capture_output=True, text=True, check=True).stdout.strip())
    # Relative to the folder it lies in, so that no letter of the checkout's path can be misread.
    (site / "clinic_gateway.pth").write_text(os.path.relpath(ROOT, site) + "\n")
    entry = "import sys; sys.argv[0] = 'gateway'; from gateway.cli import main; sys.exit(main())"
    command = VENV / "bin" / "gateway"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(str(PYTHON))} -P -c {shlex.quote(entry)} "$@"\n')
    command.chmod(0o755)


def environment() -> dict[str, str]:
    """The person's environment, less what would mislead, with every cache inside .venv."""
    kept = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    return {**kept, "UV_CACHE_DIR": str(VENV / "cache"), "UV_PYTHON_DOWNLOADS": "never", "PIP_USER": "0"}


def succeeds(command: list[str]) -> bool:
    """Run a command whose failure has a way round; its words are dropped."""
    try:
        return subprocess.run(command, env=environment(), capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def run(command: list[str], complaint: str) -> None:
    """Run a command that must succeed."""
    if subprocess.run(command, env=environment(), check=False).returncode:
        raise SetupError(complaint)


if __name__ == "__main__":
    sys.exit(main())
