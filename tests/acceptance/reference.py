"""The reference verifiers of Standard Webhooks as judges of messages: the PyPI package, and the npm one where there is Node.

The npm package is laid below .venv once per lock, by `npm ci` from hashes; without Node, npm or a registry the
tests that ask it are skipped.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

ROOT = Path(__file__).parents[2]
NPM = Path(__file__).with_name("npm_standardwebhooks")
_SECONDS = 120
_LOCK = ("package.json", "package-lock.json")


class Message(NamedTuple):
    """What a receiver has in hand: its secret, and one request."""

    secret: str
    headers: Mapping[str, str]
    body: bytes

    def but(self, body: bytes | None = None, secret: str | None = None, **headers: str | None) -> Message:
        """The same with something changed; a header that is None is missing. `id` stands for webhook-id."""
        changed = {**self.headers, **{f"webhook-{name}": value for name, value in headers.items()}}
        kept = {name: value for name, value in changed.items() if value is not None}
        return Message(self.secret if secret is None else secret, kept, self.body if body is None else body)


def in_python(message: Message) -> bool:
    """Whether the PyPI package accepts it."""
    try:
        Webhook(message.secret).verify(message.body, dict(message.headers))
    except (WebhookVerificationError, ValueError):
        return False
    return True


def in_node(messages: Iterable[Message], module: Path | None = None) -> list[bool]:
    """Which the npm package accepts, or which the `verify` of a module does; skips the test where that cannot be run."""
    node = _program("node")
    folder = installed()
    asked = [{"secret": one.secret, "headers": dict(one.headers), "body": one.body.decode()} for one in messages]
    done = subprocess.run(
        [node, "verify.mjs", *([str(module)] if module else [])], cwd=folder, timeout=_SECONDS, capture_output=True, check=False,
        text=True, input="".join(json.dumps(one) + "\n" for one in asked),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = [bool(json.loads(line)) for line in done.stdout.splitlines()]
    assert len(answers) == len(asked), "the verifier did not answer every message"
    return answers


def installed() -> Path:
    """The folder in which the npm package lies beside verify.mjs."""
    digest = hashlib.sha256(b"".join((NPM / name).read_bytes() for name in _LOCK)).hexdigest()
    folder = ROOT / ".venv" / "npm" / digest[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            _install(Path(made) / "laid")
            try:
                (Path(made) / "laid").rename(folder)
            except OSError:  # a test beside this one was faster
                assert folder.exists()
    shutil.copy(NPM / "verify.mjs", folder)
    return folder


def _install(folder: Path) -> None:
    folder.mkdir()
    for name in _LOCK:
        shutil.copy(NPM / name, folder)
    cache = ROOT / ".venv" / "npm" / "cache"
    command = [_program("npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--cache", str(cache)]
    done = _tried(command, folder)
    if done.returncode:
        pytest.skip(f"npm cannot lay the reference verifier here: {done.stderr.strip().splitlines()[-1:]}")


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
