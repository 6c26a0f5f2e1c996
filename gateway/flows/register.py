"""The register of a clinic's recipients: its connectors, its endpoints, what they signed. Each version is kept as it was.

It is made anew when the clinic's standing changed, and gets a new version where it says something new. An intent names
the version that it was written under; the commit refuses an intent of an old standing, so of an old register too.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from connectors.registry import Registry
from gateway.connections import Clinic
from gateway.errors import NotFound
from gateway.ledger.entry import timestamp
from gateway.ledger.log import RegisterPlace
from gateway.store import endpoints, registers
from gateway.store.endpoints import EndpointRow
from gateway.store.pool import Store
from gateway.store.registers import RegisterRow
from gateway.webhooks.endpoints import Status
from scopes.vocabulary import Role

_REMEMBERED: Final = 10_000
_MOST_ENDPOINTS: Final = 10_000


class Registers:
    """Finds or makes the version of a clinic's register that is in force."""

    def __init__(self, store: Store, registry: Registry, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self._read: OrderedDict[UUID, tuple[int, RegisterPlace]] = OrderedDict()

    async def place(self, clinic: Clinic) -> RegisterPlace:
        """The version in force under this standing, for an intent."""
        standing = clinic.standing.version
        known = self._read.get(clinic.tenant)
        if known is None or known[0] != standing:
            row = await self.present(clinic)
            known = self._read[clinic.tenant] = standing, RegisterPlace(row.version, row.hash.hex())
            if len(self._read) > _REMEMBERED:
                self._read.popitem(last=False)
        return known[1]

    async def present(self, clinic: Clinic) -> RegisterRow:
        """The register in force, stored as a new version where it says something new."""
        async with self._store.tenant(clinic.tenant) as connection:
            body = await self._written(connection, clinic)
            digest = hashlib.sha256(body).digest()
            while True:
                last = await registers.latest(connection, clinic.tenant)
                if last is not None and last.hash == digest:
                    return last
                row = RegisterRow(last.version + 1 if last is not None else 1, self._clock(), digest, body)
                if await registers.add(connection, clinic.tenant, row):
                    return row

    async def former(self, tenant: UUID, version: int) -> RegisterRow:
        """One version as it was stored; raises NotFound."""
        async with self._store.tenant(tenant) as connection:
            found = await registers.find(connection, tenant, version)
        if found is None:
            raise NotFound("there is no such version of the register")
        return found

    async def versions(self, tenant: UUID, limit: int) -> list[tuple[int, datetime]]:
        """The newest versions and since when each was in force, the newest first."""
        async with self._store.tenant(tenant) as connection:
            return await registers.times(connection, tenant, limit)

    async def _written(self, connection: asyncpg.Connection, clinic: Clinic) -> bytes:
        rows = await endpoints.page(connection, clinic.tenant, after=None, limit=_MOST_ENDPOINTS)
        there = [row for row in rows if row.state != Status.REMOVED]
        items = [*self._connectors(clinic), *(_endpoint(clinic, row) for row in there)]
        return orjson.dumps(items, option=orjson.OPT_SORT_KEYS)

    def _connectors(self, clinic: Clinic) -> Iterator[dict[str, Any]]:
        for connector in self._registry.connectors.values():
            if connector.id not in clinic.connections:
                continue
            manifest, grant = connector.manifest, clinic.connections[connector.id].grant
            actions = [each for each in connector.actions.values() if each.feature in grant.features]
            recipient = manifest.recipient
            yield {
                **recipient.recorded(),
                "id": connector.id,
                "kind": "connector",
                "address": recipient.address,
                "regions": sorted(recipient.regions),
                "transfer": recipient.transfer,
                "subprocessors_url": str(recipient.subprocessors_url) if recipient.subprocessors_url else None,
                "features": sorted(grant.features),
                "purposes": sorted({str(purpose) for each in actions for purpose in each.purposes}),
                "categories": sorted({str(category) for each in actions for category in each.shape.categories}),
                "agreement": _agreement(clinic, connector.id),
            }


def _endpoint(clinic: Clinic, row: EndpointRow) -> dict[str, Any]:
    return {
        "name": row.recipient,
        "role": str(Role.PROCESSOR),
        "country": row.country,
        "id": str(row.id),
        "kind": "endpoint",
        "address": None,
        "regions": [row.country],
        "transfer": row.agreement,
        "subprocessors_url": None,
        "features": sorted(row.events),
        "purposes": [row.purpose],
        "categories": sorted(row.categories),
        "agreement": _agreement(clinic, str(row.id)),
    }


def _agreement(clinic: Clinic, recipient: str) -> dict[str, Any] | None:
    signed = clinic.standing.agreements.get(recipient, ())
    if not signed:
        return None
    last = signed[-1]
    return {
        "id": last.id,
        "kind": str(last.kind),
        "services": sorted(last.services),
        "from": timestamp(last.since),
        "until": timestamp(last.until) if last.until is not None else None,
    }
