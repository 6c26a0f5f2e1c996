"""emulate, a third party's emulator of Twilio (npm, pinned by a lock), as a server of its own on loopback. Knows no gateway.

Without Node, npm or a registry the tests that ask it are skipped.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.npm import laid

SOURCE = Path(__file__).with_name("npm_emulate")
ACCOUNT = "AC00112233445566778899aabbccddeeff"
TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
KEY = "SK00112233445566778899aabbccddeeff"
CREDENTIAL = f"{KEY}:emulatedSecret0123456789"
SENDER = "+15005550006"
_SEED = f"""
twilio:
  account: {{sid: {ACCOUNT}, auth_token: {TOKEN}}}
  api_keys: [{{sid: {KEY}, secret: {CREDENTIAL.partition(":")[2]}}}]
  phone_numbers: [{{phone_number: "{SENDER}"}}]
"""
_LISTENS = re.compile(r"listening on ([0-9]+)")


@dataclass(frozen=True)
class Emulate:
    """A running emulator."""

    url: str

    async def message(self, sid: str) -> dict[str, Any]:
        """A message as the account's owner reads it, past the gateway."""
        return await self._ask("GET", sid)

    async def becomes(self, sid: str, status: str) -> None:
        """Let a message get so far; the emulator tells of it by a signed callback before it answers."""
        assert (await self._ask("POST", sid, data={"Status": status}))["status"] == status

    async def _ask(self, method: str, sid: str, **given: Any) -> dict[str, Any]:
        async with httpx2.AsyncClient(trust_env=False, auth=(ACCOUNT, TOKEN)) as client:
            path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}.json"
            answer = await client.request(method, self.url + path, **given)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@contextmanager
def running() -> Iterator[Emulate]:
    """An emulator with one account; stopped at the end, also when a test fails."""
    folder, node = laid(SOURCE), shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    shutil.copy(SOURCE / "loopback.mjs", folder)
    with tempfile.TemporaryDirectory() as kept:
        seed = Path(kept) / "seed.yaml"
        seed.write_text(_SEED)
        start = [node, "--import", "./loopback.mjs", "node_modules/emulate/dist/index.js", "start", "-s", "twilio"]
        pipe = subprocess.PIPE
        server = subprocess.Popen(
            [*start, "--seed", str(seed)], cwd=folder, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )
        try:
            yield Emulate(f"http://127.0.0.1:{_port(server)}")
        finally:
            server.terminate()
            server.wait(10)


def _port(server: subprocess.Popen[str]) -> str:
    assert server.stdout
    said = []
    for line in server.stdout:
        said.append(line)
        if match := _LISTENS.search(line):
            return match[1]
    raise AssertionError(f"emulate did not start: {''.join(said)}")
