"""(A) as its own program: a gateway on an embedded PostgreSQL with fsync, its connector's base address the upstream.

A clinic with everything on, and a host's token that is checked like any other. The first line says where to send what.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import uvloop
from joserfc import jwt
from joserfc.jwk import OKPKey

from benchmarks.programs import listen_to_parent, say
from gateway.app import House, opened
from gateway.calls import Actor
from gateway.config import Settings
from gateway.demo import EVERYTHING
from gateway.flows.connect import Wish, connect
from gateway.log import configure
from gateway.serve import listening, serving

ISSUER, AUDIENCE, ROLE = "https://host.example", "clinic-gateway", "cashier"
CALL = {
    "connector": "payments",
    "action": "create_payment_intent",
    "purpose": "HPAYMT",
    "subject": "patient-4711",
    "payload": {"reference": "inv_7Hq2ZkW9", "amount_minor": 4250, "currency": "eur", "patient_name": "Ada Example"},
}


async def main(upstream: str) -> None:
    """Open the house, connect a clinic, serve until the parent is gone."""
    gone = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="clinic-gateway-bench-"))
        settings = Settings.from_environment({}, data_dir=Path(folder))
        house = await stack.enter_async_context(opened(settings, sandboxes={"payments/stripe": upstream}))
        token = await _clinic(house)
        url = await stack.enter_async_context(serving(house.web, listening("127.0.0.1", 0)))
        pid = int((Path(folder) / "postgres" / "postmaster.pid").read_text().split()[0])
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        # Each line from the parent asks how many commits there were.
        listen_to_parent(lambda _: say(house.writer.commits), at_end=lambda: loop.call_soon_threadsafe(gone.set))
        say({"url": f"{url}/v1/calls", "headers": headers, "body": orjson.dumps(CALL).decode(), "database": pid})
        await gone.wait()


async def _clinic(house: House) -> str:
    """A connected clinic; returns a token of its host's."""
    tenant = await house.rooms.connections.create_tenant("bench")
    actor = Actor("system", "bench", tenant, EVERYTHING)
    features = frozenset(house.rooms.registry.connector("payments").manifest.features)
    await connect(actor, Wish(connector="payments", secret="rk_test_0123456789abcdef", features=features), house.rooms)
    key = OKPKey.generate_key("Ed25519", parameters={"kid": "1", "use": "sig", "alg": "EdDSA"})
    jwks = {"keys": [key.as_dict(private=False)]}
    await house.callers.add_issuer(actor, ISSUER, AUDIENCE, jwks=jwks, roles={ROLE: ["calls:write"]})
    now = datetime.now(UTC)
    claims = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "7c0d5a5e-6a39-4f0e-9d3b-52f2a3a0c001", "roles": [ROLE], "tenant": str(tenant),
        "iat": int(now.timestamp()), "exp": int((now + timedelta(hours=2)).timestamp()),
    }  # fmt: skip
    return jwt.encode({"alg": "EdDSA", "kid": "1"}, claims, key, algorithms=["EdDSA"])


if __name__ == "__main__":
    configure("ERROR")
    uvloop.run(main(sys.argv[1]))
