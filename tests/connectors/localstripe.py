"""localstripe, a third party's emulator of Stripe, as a server of its own on loopback. Knows nothing of the gateway.

Its own starter listens on every interface and keeps a file, so its application is served here instead: on 127.0.0.1, on a
free port, in a process that ends with the test run.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

CREDENTIAL = "sk_test_localstripe1234"

_SERVE = """
import os, socket, sys, threading
from aiohttp import web
from localstripe import server
# Whoever started this holds the other end of stdin; when they are gone, however they went, so is this.
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
opened = socket.create_server(("127.0.0.1", 0))
print(opened.getsockname()[1], flush=True)
web.run_app(server.app, sock=opened, print=None, access_log=None)
"""


@dataclass(frozen=True)
class LocalStripe:
    """A running emulator."""

    url: str

    async def ask(self, method: str, path: str, **form: Any) -> Any:
        """Speak to it directly, past the gateway, as an auditor or a payer would."""
        async with httpx2.AsyncClient(trust_env=False) as client:
            headers = {"Authorization": f"Bearer {CREDENTIAL}"}
            answer = await client.request(method, self.url + path, data=form or None, headers=headers)
            answer.raise_for_status()
            return answer.json()

    async def pay(self, payment: str) -> Any:
        """Pay a payment intent with a test card, as a payer would."""
        card = {
            "card[number]": "4242424242424242",
            "card[exp_month]": "12",
            "card[exp_year]": "2035",
            "card[cvc]": "123",
        }
        method = await self.ask("POST", "/v1/payment_methods", type="card", **card)
        await self.ask("POST", f"/v1/payment_intents/{payment}", payment_method=method["id"])
        return await self.ask("POST", f"/v1/payment_intents/{payment}/confirm")


@contextmanager
def running() -> Iterator[LocalStripe]:
    """An emulator with nothing in it; stopped at the end, also when a test fails."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _SERVE]
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        server = subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, stderr=nothing, text=True)
        try:
            assert server.stdout
            url = f"http://127.0.0.1:{int(server.stdout.readline())}"
            _wait(url)
            yield LocalStripe(url)
        finally:
            server.terminate()
            server.wait(10)


def _wait(url: str) -> None:
    for _ in range(100):
        try:
            httpx2.get(f"{url}/js.stripe.com/v3/", trust_env=False)
        except httpx2.TransportError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("localstripe did not start")
