"""What the tests of a whole gateway share: a clinic that calls, its payment, what stands in its log. No fixtures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from gateway.app import House
from gateway.calls import Actor, Call
from gateway.connections import Connection
from gateway.demo import EVERYTHING
from gateway.flows.connect import Wish, connect
from gateway.store import disclosures, entries
from scopes.vocabulary import Purpose

PAYMENT = {
    "id": "pi_1",
    "object": "payment_intent",
    "status": "requires_payment_method",
    "amount": 4250,
    "currency": "eur",
}
CALL = {"reference": "inv_7Hq2ZkW9", "amount_minor": 4250, "currency": "eur"}
OpenHouse = Callable[..., Awaitable[House]]


@dataclass(frozen=True)
class Clinic:
    """A clinic with everything switched on, and one way to call for it."""

    actor: Actor
    connection: Connection

    @property
    def tenant(self) -> UUID:
        """The clinic's id."""
        return self.actor.tenant

    def call(self, payload: dict[str, Any] | None = None, **given: Any) -> Call:
        """A call that would be let through, but for what is given otherwise."""
        asked: dict[str, Any] = {
            "connector": "payments", "action": "create_payment_intent", "purpose": Purpose.HPAYMT,
            "payload": CALL if payload is None else payload, "request_id": "test", **given,
        }  # fmt: skip
        return Call(self.actor, **asked)


async def connected(house: House) -> Clinic:
    """A new clinic, connected to the vendor with every feature."""
    tenant = await house.rooms.connections.create_tenant("a clinic")
    actor = Actor("system", "test", tenant, EVERYTHING)
    features = frozenset(house.rooms.registry.connector("payments").manifest.features)
    wish = Wish(connector="payments", secret="rk_test_0123456789abcdef", features=features)
    return Clinic(actor, await connect(actor, wish, house.rooms))


async def entries_of(house: House, tenant: UUID) -> list[dict[str, Any]]:
    """Everything that stands in a clinic's log."""
    async with house.rooms.store.tenant(tenant) as connection:
        return [orjson.loads(body) for body, _ in await entries.stored(connection, tenant, 0, 1_000_000)]


async def outcome_of(house: House, tenant: UUID, disclosure: UUID) -> disclosures.FoundRow:
    """How a disclosure stands."""
    async with house.rooms.store.tenant(tenant) as connection:
        found = await disclosures.find(connection, tenant, disclosure)
    assert found is not None
    return found
