"""The vendors' endpoints that a clinic lets hear of events, and every change of them. Makes signing secrets; calls nobody.

An endpoint is remembered with the clinic's standing that it was read with. It may be out of date, as a connection may:
the commit of an intent refuses any standing but the present one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from gateway.calls import Actor
from gateway.connections import Clinic, Connections
from gateway.errors import Conflict, NotFound
from gateway.ids import new_id
from gateway.ledger.entry import timestamp
from gateway.ledger.writer import Draft, append_within
from gateway.store import endpoints as rows
from gateway.store import lanes
from gateway.store.pool import Store
from gateway.webhooks.endpoint import (
    ANY,
    CONNECTOR,
    SEALED_FOR,
    Endpoint,
    Hearing,
    NewEndpoint,
    Recipient,
    Status,
    Why,
)
from gateway.webhooks.kinds import TEST
from gateway.webhooks.signing import new_secret
from scopes.grant import Grant
from scopes.vocabulary import Category, Purpose

__all__ = ["CONNECTOR", "OVERLAP", "Endpoint", "Endpoints", "Hearing", "NewEndpoint", "Recipient", "Status", "Why"]

OVERLAP: Final = timedelta(hours=24)  # how long a secret that was rotated out still signs beside the new one

_REMEMBERED: Final = 10_000


class Endpoints:
    """Reads and changes endpoints. Every change is one transaction with its ledger entry."""

    def __init__(self, store: Store, connections: Connections, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._connections = connections
        self._clock = clock
        self._read: OrderedDict[tuple[UUID, UUID], Endpoint] = OrderedDict()

    async def one(self, tenant: UUID, endpoint: UUID) -> Endpoint:
        """One endpoint, a removed one too, as remembered or as stored. Raises NotFound."""
        # The clinic first: if its standing changes while we read on, what is decided is refused at the commit.
        clinic = await self._connections.clinic(tenant)
        known = self._read.get((tenant, endpoint))
        if known is None or known.clinic is not clinic:
            async with self._store.tenant(tenant) as connection:
                row = await rows.find(connection, tenant, endpoint)
                if row is None:
                    raise NotFound("there is no such endpoint")
                secrets = await rows.secrets_of(connection, tenant, [endpoint])
            known = self._endpoint(clinic, row, secrets.get(endpoint, ()))
            self._read[tenant, endpoint] = known
            if len(self._read) > _REMEMBERED:
                self._read.popitem(last=False)
        return known

    async def page(self, tenant: UUID, *, after: UUID | None, limit: int) -> list[Endpoint]:
        """The tenant's endpoints, removed ones too, oldest first."""
        clinic = await self._connections.clinic(tenant)
        async with self._store.tenant(tenant) as connection:
            found = await rows.page(connection, tenant, after=after, limit=limit)
            secrets = await rows.secrets_of(connection, tenant, [row.id for row in found])
        return [self._endpoint(clinic, row, secrets.get(row.id, ())) for row in found]

    async def create(self, actor: Actor, new: NewEndpoint) -> tuple[Endpoint, str]:
        """Register an endpoint, pending; its signing secret is given here and never again."""
        tenant, now = actor.tenant, self._clock()
        clinic, secret = await self._connections.clinic(tenant), new_secret(new.signing)
        row = rows.EndpointRow(
            id=new_id(), url=new.url, state=str(Status.PENDING), why=None, events=list(new.events),
            purpose=str(new.purpose), categories=sorted(map(str, new.categories)), fields=sorted(new.fields),
            recipient=new.recipient.legal_name, country=new.recipient.country, agreement=new.recipient.agreement,
            signing=new.signing, grant_version=1, created_at=now, changed_at=now,
        )  # fmt: skip
        entry = {
            **_about(actor, row.id),
            "state": row.state,
            "recipient": new.recipient.recorded(),
            "endpoint": {"host": new.host},
            "purpose": row.purpose,
            **_hearing(new),
            "version": 1,
        }
        if row.agreement is not None:
            entry["agreement"] = row.agreement
        async with self._store.tenant(tenant) as connection:
            await rows.add(connection, tenant, row)
            await rows.add_secret(connection, tenant, row.id, _sealed(clinic, secret, now))
            await append_within(connection, Draft(tenant, "connection", now, entry))
        self._forget(tenant, row.id)
        return await self.one(tenant, row.id), secret

    async def regrant(self, actor: Actor, endpoint: UUID, hearing: Hearing) -> Endpoint:
        """Replace what it may hear; in force for every attempt whose intent is not yet written."""
        tenant = actor.tenant
        async with self._store.tenant(tenant) as connection:
            row = await _locked(connection, tenant, endpoint)
            await rows.regrant(
                connection, tenant, endpoint, events=list(hearing.events),
                categories=sorted(map(str, hearing.categories)), fields=sorted(hearing.fields),
            )  # fmt: skip
            entry = {
                **_about(actor, endpoint),
                "version": row.grant_version + 1,
                "withheld": [],
                **_hearing(hearing),
            }
            await append_within(connection, Draft(tenant, "grant", self._clock(), entry))
        self._forget(tenant, endpoint)
        return await self.one(tenant, endpoint)

    async def set_state(
        self, actor: Actor, endpoint: UUID, state: Status, why: str | None = None, *, before: frozenset[Status] = ANY
    ) -> Endpoint:
        """Activate, suspend or switch off; one that is so already stays as it is. `remove` is a verb of its own.

        Where it is active again, what still waits for it is looked at anew.
        Raises Conflict where it stands otherwise than `before` says: somebody changed it meanwhile.
        """
        tenant = actor.tenant
        async with self._store.tenant(tenant) as connection:
            row = await _locked(connection, tenant, endpoint)
            if row.state != state:
                if row.state not in before:
                    raise Conflict(f"this endpoint is {row.state}")
                await rows.set_state(connection, tenant, endpoint, state=str(state), why=why)
                entry = {**_about(actor, endpoint), "state": str(state)}
                if why is not None:
                    entry["what"] = why
                await append_within(connection, Draft(tenant, "connection", self._clock(), entry))
                if state is Status.ACTIVE and row.state != Status.PENDING:
                    await rows.refresh_lane(connection, tenant, endpoint)
                    await lanes.wake(connection, tenant, [endpoint])
        self._forget(tenant, endpoint)
        return await self.one(tenant, endpoint)

    async def rotate(self, actor: Actor, endpoint: UUID) -> str:
        """Give it a new signing secret, shown here and never again. The old one signs too for another 24 hours."""
        tenant = actor.tenant
        clinic, now = await self._connections.clinic(tenant), self._clock()
        async with self._store.tenant(tenant) as connection:
            row = await _locked(connection, tenant, endpoint)
            secret = new_secret("v1a" if row.signing == "v1a" else "v1")
            before = (await rows.secrets_of(connection, tenant, [endpoint]))[endpoint]
            new = _sealed(clinic, secret, now)
            # Only the newest goes on signing, so that never more than two do.
            await rows.end_secrets(connection, tenant, endpoint, keep=before[0].id, until=now + OVERLAP)
            await rows.add_secret(connection, tenant, endpoint, new)
            entry = {**_about(actor, endpoint), "key": str(new.id), "state": "rotated"}
            entry["until"] = timestamp(now + OVERLAP)  # of the one before
            await append_within(connection, Draft(tenant, "key", now, entry))
        self._forget(tenant, endpoint)
        return secret

    async def remove(self, actor: Actor, endpoint: UUID) -> None:
        """Remove it for good: its secrets are destroyed and what waits for it is cancelled. Twice changes nothing."""
        tenant = actor.tenant
        async with self._store.tenant(tenant) as connection:
            row = await rows.lock(connection, tenant, endpoint)
            if row is None:
                raise NotFound("there is no such endpoint")
            if row.state == Status.REMOVED:
                return
            await rows.set_state(connection, tenant, endpoint, state=str(Status.REMOVED), why=None)
            await rows.drop_secrets(connection, tenant, endpoint)
            entry = {**_about(actor, endpoint), "state": str(Status.REMOVED)}
            # The head before the deliveries: the ledger's writer locks them in this order too.
            await append_within(connection, Draft(tenant, "connection", self._clock(), entry))
            await rows.cancel_waiting(connection, tenant, endpoint)
        self._forget(tenant, endpoint)

    def _forget(self, tenant: UUID, endpoint: UUID) -> None:
        self._read.pop((tenant, endpoint), None)
        self._connections.forget(tenant)

    def _endpoint(self, clinic: Clinic, row: rows.EndpointRow, secrets: Sequence[rows.SecretRow]) -> Endpoint:
        return Endpoint(
            id=row.id,
            url=row.url,
            status=Status(row.state),
            why=row.why,
            events=tuple(row.events),
            purpose=Purpose(row.purpose),
            categories=frozenset(map(Category, row.categories)),
            fields=frozenset(row.fields),
            recipient=Recipient(row.recipient, row.country, row.agreement),
            signing="v1a" if row.signing == "v1a" else "v1",
            # A clinic may try any endpoint that it registered: that tells nothing but the test's own id.
            grant=Grant(frozenset(row.events) | {TEST}, version=row.grant_version),
            created_at=row.created_at,
            changed_at=row.changed_at,
            clinic=clinic,
            secrets=tuple(secrets),
            clock=self._clock,
        )


def _sealed(clinic: Clinic, secret: str, now: datetime) -> rows.SecretRow:
    secret_id = new_id()
    sealed = clinic.keyring.seal(secret.encode("ascii"), purpose=SEALED_FOR, row=str(secret_id))
    return rows.SecretRow(secret_id, sealed, now, None)


async def _locked(connection: asyncpg.Connection, tenant: UUID, endpoint: UUID) -> rows.EndpointRow:
    row = await rows.lock(connection, tenant, endpoint)
    if row is None:
        raise NotFound("there is no such endpoint")
    if row.state == Status.REMOVED:
        raise Conflict("this endpoint is removed; register it anew")
    return row


def _about(actor: Actor, endpoint: UUID) -> dict[str, Any]:
    return {
        "v": 1,
        "actor": {"kind": actor.kind, "id": actor.id},
        "connection": str(endpoint),
        "connector": CONNECTOR,
    }


def _hearing(hearing: Hearing) -> dict[str, Any]:
    return {
        "features": list(hearing.events),
        "categories": sorted(map(str, hearing.categories)),
        "what": sorted(hearing.fields),
    }
