"""Genuine messages of Stripe's, signed by its own package, and a vendor's way to hand them over. No fixtures."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx2
import orjson
import stripe

from gateway.app import House
from tests.gateway.house import Clinic

SECRET = "whsec_oneTwoThree12345"
OTHER = "whsec_another67890abc"
MARK = "CANARY Lovelace"
PAYMENT = "pi_3RkT2vLkdIwHu7ix0aB1cD2e"


def message(kind: str = "payment_intent.succeeded", **given: Any) -> bytes:
    """A message in Stripe's shape, full of what nobody declared."""
    about = {"id": PAYMENT, "object": "payment_intent", "amount": 4250, "currency": "eur", "status": "succeeded",
             "description": MARK, "receipt_email": f"{MARK}@clinic.example", "metadata": {"ref": "inv_7Hq2ZkW9"}}  # fmt: skip
    event = {"id": f"evt_{uuid4().hex}", "object": "event", "type": kind, "created": int(time.time()), "note": MARK,
             "data": {"object": about}}  # fmt: skip
    return json.dumps({**event, **given}).encode()


def header(body: bytes, secret: str = SECRET, *, seconds: int = 0) -> str:
    """What Stripe's own package signs a message with, some seconds from now."""
    made: str = stripe.WebhookSignature.generate_signature_header(
        body.decode("latin-1"), secret, int(time.time()) + seconds
    )
    return made


def signed(body: bytes, secret: str = SECRET, **given: Any) -> dict[str, str]:
    """The headers of a genuine message."""
    return {"content-type": "application/json", "stripe-signature": header(body, secret, **given)}


@dataclass
class Vendor:
    """Stripe as it calls one connection."""

    client: httpx2.AsyncClient
    path: str

    async def post(self, body: bytes, headers: Any = None, *, query: str = "") -> httpx2.Response:
        """Hand a message over; genuine, unless headers are given."""
        return await self.client.post(self.path + query, content=body, headers=headers or signed(body))


async def ready(house: House, clinic: Clinic, *secrets: str) -> str:
    """Give a clinic's connection its secrets; where its vendor calls."""
    manifests = {name: each.manifest for name, each in house.rooms.registry.connectors.items()}
    for secret in secrets or (SECRET,):
        await house.rooms.callbacks.add_secret(clinic.actor, clinic.connection.id, secret, manifests)
    return f"/hooks/{clinic.connection.id}"


async def stored(house: House, tenant: UUID) -> list[bytes | None]:
    """What lies here of a clinic's messages, oldest first."""
    async with house.rooms.store.tenant(tenant) as connection:
        return [
            row[0]
            for row in await connection.fetch("SELECT sealed FROM callbacks WHERE tenant = $1 ORDER BY at", tenant)
        ]


async def jobs_of(house: House, clinic: Clinic) -> list[bytes]:
    """The jobs in the queue that publish a clinic's messages."""
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        rows = await connection.fetch("SELECT payload FROM pgqueuer WHERE entrypoint = 'callback' ORDER BY id")
    return [row[0] for row in rows if row[0].startswith(str(clinic.tenant).encode())]


async def events_of(house: House, tenant: UUID) -> list[tuple[str, str, Any]]:
    """Type, source and what is told at most, of every event of a clinic that is kept."""
    clinic = await house.rooms.connections.clinic(tenant)
    async with house.rooms.store.tenant(tenant) as connection:
        rows = await connection.fetch(
            "SELECT id, type, source, sealed FROM events WHERE tenant = $1 ORDER BY id", tenant
        )
    return [
        (row[1], row[2], orjson.loads(clinic.keyring.open(row[3], purpose="event", row=str(row[0])))) for row in rows
    ]


async def raw(url: str, request: bytes) -> bytes:
    """The whole answer to some bytes on a connection of their own."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        await writer.drain()
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 15)
        length = next(
            (int(line[16:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length: ")), 0
        )
        return head + await asyncio.wait_for(reader.readexactly(length), 15)
    finally:
        writer.close()
