"""An independent emulator of Google's and Entra's sign-in (npm `emulate`), on a free port of this machine, stopped again.

Not ours, so it does not share our mistakes: it checks PKCE, redirect addresses and one-time codes by its own code.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.gateway.oauth.house import OAUTH_ROOT, PUBLIC
from tests.npm import laid

NPM = Path(__file__).with_name("npm_emulate")
CLIENT = ("gateway-client", "gateway-secret")
USER = "testuser@gmail.com"  # the first one on its page
DIRECTORY = "9188040d-6c67-4c5b-b112-36a304b66dad"  # the one that it is
_SEED = """
google:
  users: [{email: owner@clinic.example, name: Owner}]
  oauth_clients: [{client_id: gateway-client, client_secret: gateway-secret, name: Gateway, redirect_uris: ["%s"]}]
  calendars: [{id: testuser@gmail.com, user_email: testuser@gmail.com, summary: Own, primary: true}]
microsoft:
  users: [{email: owner@clinic.example, name: Owner}]
  oauth_clients: [{client_id: gateway-client, client_secret: gateway-secret, name: Gateway, redirect_uris: ["%s"]}]
"""
_GOOGLE = """
[credential.oauth]
flow = "authorization_code"
library = "google-auth"
issuer = "https://google.emulate.localhost"
authorize_url = "https://google.emulate.localhost/o/oauth2/v2/auth"
token_url = "https://google.emulate.localhost/oauth2/token"
revoke_url = "https://google.emulate.localhost/oauth2/revoke"
jwks_url = "https://google.emulate.localhost/oauth2/v3/certs"
scope_prefix = "https://www.googleapis.com/auth/"
identity_scopes = ["openid"]
refresh = "keeps"
ends_whole_grant = true
not_undone = "Nothing that matters here lives on."
"""
_MICROSOFT = f"""
[credential.oauth]
flow = "authorization_code"
library = "msal"
issuer = "https://microsoft.emulate.localhost/{DIRECTORY}/v2.0"
authorize_url = "https://microsoft.emulate.localhost/oauth2/v2.0/authorize"
token_url = "https://microsoft.emulate.localhost/oauth2/v2.0/token"
revoke_url = "https://microsoft.emulate.localhost/oauth2/v2.0/revoke"
jwks_url = "https://microsoft.emulate.localhost/discovery/v2.0/keys"
identity_scopes = ["openid", "offline_access"]
tolerated_scopes = ["profile", "email"]
refresh = "rotates"
not_undone = "Nothing that matters here lives on."
"""


@dataclass(frozen=True)
class Emulator:
    """Where it is."""

    google: str
    microsoft: str

    async def signed_in(self, page: str) -> str:
        """Choose the first user on its page; where that sends the browser."""
        async with httpx2.AsyncClient() as browser:
            shown = await browser.get(page)
            assert shown.status_code == 200, shown.text
            action = re.search(r'<form class="user-form" method="post" action="([^"]+)"', shown.text)
            assert action is not None, shown.text[-800:]
            body = shown.text[action.end() :].partition("</form>")[0]
            form = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', body)}
            place = urlsplit(page)
            sent = await browser.post(f"{place.scheme}://{place.netloc}{urlsplit(action[1]).path}", data=form)
            assert sent.status_code == 302, sent.text
            return sent.headers["location"]


@asynccontextmanager
async def emulating(folder: Path) -> AsyncIterator[Emulator]:
    """Run it until the block ends."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    place = laid(NPM)
    shutil.copy(NPM / "loopback.mjs", place)
    seed = folder / "seed.yaml"
    back = f"{PUBLIC}/oauth/callback"
    seed.write_text(_SEED % (back, back))
    port = _two_free_ports()
    started = await asyncio.create_subprocess_exec(
        node, "--import", "./loopback.mjs", "node_modules/emulate/dist/index.js", "start", "-p", str(port),
        "-s", "google,microsoft", "--seed", str(seed), "--base-url", "https://{service}.emulate.localhost",
        cwd=place, stdout=DEVNULL, stderr=DEVNULL,
    )  # fmt: skip
    try:
        emulator = Emulator(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}")
        await _up(started, emulator)
        yield emulator
    finally:
        with suppress(ProcessLookupError):
            started.kill()
        await started.wait()


def write_connectors(root: Path) -> None:
    """Two connectors like the calendar of the tests, whose sign-in is the emulator's."""
    calendar = OAUTH_ROOT / "plan" / "calendar"
    text = (calendar / "manifest.toml").read_text()
    head, rest = text.split("[credential.oauth]\n")
    tail = "[limits]" + rest.partition("[limits]")[2]
    (root / "plan").mkdir(parents=True)
    (root / "plan" / "actions.py").write_text((calendar.parent / "actions.py").read_text())
    for name, oauth in (("google", _GOOGLE), ("microsoft", _MICROSOFT)):
        folder = root / "plan" / name
        folder.mkdir()
        (folder / "manifest.toml").write_text(head + oauth + "\n" + tail)
        (folder / "client.py").write_text((calendar / "client.py").read_text())


def _two_free_ports() -> int:
    """The first of two ports, one after the other, that nobody listens on."""
    for _ in range(50):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            with suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                return int(port)
    pytest.skip("there are no two free ports")


async def _up(started: asyncio.subprocess.Process, emulator: Emulator) -> None:
    async with httpx2.AsyncClient() as client:
        for _ in range(200):
            assert started.returncode is None, "the emulator ended"
            with suppress(httpx2.TransportError):
                found = [
                    await client.get(f"{each}/.well-known/openid-configuration")
                    for each in (emulator.google, emulator.microsoft)
                ]
                if all(each.status_code == 200 for each in found):
                    return
            await asyncio.sleep(0.1)
    raise AssertionError("the emulator did not start")
