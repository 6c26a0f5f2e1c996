"""Appends a second of one ledger in one program, with so many waiting at once, on an embedded PostgreSQL with fsync.

An append is an intent as a brokered call writes it: the entry, its searchable row, two search indexes.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from uuid import UUID

import uvloop

from gateway.ids import new_id
from gateway.ledger.writer import Draft, Writer
from gateway.store import ledger as rows
from gateway.store import tenants
from gateway.store.embedded import Embedded
from gateway.store.migrate import migrate
from gateway.store.pool import Store

WAITING = (1, 16, 64, 128)
_WARM_SECONDS = 0.5


def appends(seconds: float) -> dict[int, float]:
    """Appends a second by how many are waiting."""
    with TemporaryDirectory(prefix="clinic-gateway-bench-") as folder, Embedded.start(Path(folder)) as embedded:
        return uvloop.run(_measured(embedded.dsn(), seconds))


async def _measured(dsn: str, seconds: float) -> dict[int, float]:
    await migrate(dsn)
    store = await Store.open(dsn)
    tenant = new_id()
    async with store.tenant(tenant) as connection:
        await tenants.add(connection, tenant, "bench")
    writer = Writer(store)
    await writer.start()
    await _rate(writer, tenant, WAITING[-1], _WARM_SECONDS)
    rates = {waiting: await _rate(writer, tenant, waiting, seconds) for waiting in WAITING}
    await writer.stop()
    await store.close()
    return rates


async def _rate(writer: Writer, tenant: UUID, waiting: int, seconds: float) -> float:
    began = perf_counter()

    async def append() -> int:
        count = 0
        while perf_counter() < began + seconds:
            await writer.append(_intent(tenant))
            count += 1
        return count

    counts = await asyncio.gather(*(append() for _ in range(waiting)))
    return sum(counts) / (perf_counter() - began)


def _intent(tenant: UUID) -> Draft:
    at, disclosure = datetime.now(UTC), new_id()
    connection = UUID(int=1)
    fields = {
        "v": 1, "disclosure": str(disclosure), "actor": {"kind": "jwt", "id": "u_0123456789abcdef"}, "request": str(disclosure),
        "connector": "payments/stripe", "action": "create_payment_intent", "feature": "card_payments",
        "connection": str(connection), "purpose": "HPAYMT", "subject": str(disclosure),
        "recipient": {"name": "Stripe, Inc.", "role": "independent_controller", "country": "US"},
        "endpoint": {"host": "api.stripe.com", "regions": ["US", "IE"]}, "transfer": "standard contractual clauses",
        "fields": [["amount_minor", "billing"], ["currency", "billing"], ["reference", "identifier"]],
        "withheld": ["patient_name"], "payload": {"commitment": "00" * 32, "length": 64},
        "rules": ["connection_active", "feature_on", "provider_scopes", "purpose_served"], "standing": 1, "version": 1,
    }  # fmt: skip
    row = rows.DisclosureRow(
        tenant, disclosure, at, "payments/stripe", "create_payment_intent", connection, "Stripe, Inc.", "HPAYMT",
        ["billing", "identifier"], disclosure, "jwt:u_0123456789abcdef", bytes(32), None, None,
    )  # fmt: skip
    return Draft(tenant, "intent", at, fields, decided_on=1, disclosure=row)
