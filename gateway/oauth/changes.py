"""What connecting by OAuth changes about a connection: each change one transaction with its entry in the ledger."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from gateway.calls import Actor
from gateway.connections import Clinic, Connection, Connections, about, locked
from gateway.errors import Conflict
from gateway.ledger.writer import Draft, append_within
from gateway.oauth.answer import Answer
from gateway.oauth.attempts import Attempts
from gateway.oauth.comparison import Comparison
from gateway.oauth.tokens import Held, Tokens, keep
from gateway.store import oauth as rows
from gateway.store.connections import ConnectionRow
from gateway.store.pool import Store
from scopes.vocabulary import ConnectionState

RECONNECT: Final = "reconnect_needed"
Told = Callable[[asyncpg.Connection], Awaitable[None]]
"""What else belongs to the transaction: a notice, an event."""


class Changes:
    """Makes the changes. After each, the tenant's standing is read anew."""

    def __init__(
        self,
        store: Store,
        connections: Connections,
        tokens: Tokens,
        attempts: Attempts,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._connections = connections
        self._tokens = tokens
        self._attempts = attempts
        self._clock = clock

    async def ask(
        self, session: asyncpg.Connection, tenant: UUID, connection_id: UUID, asked: frozenset[str], *, back: bool = False
    ) -> str:  # fmt: skip
        """Note what is asked for, and make an attempt, in the caller's transaction; what its link holds."""
        await rows.ask(session, tenant, connection_id, sorted(asked))
        return await self._attempts.make(session, tenant, connection_id, asked, back=back)

    async def ask_again(self, actor: Actor, connection_id: UUID, asked: frozenset[str], *, back: bool = False) -> str:
        """Let somebody connect once more; what there is stays as it is meanwhile. What the link holds."""
        async with self._store.tenant(actor.tenant) as session:
            row = await locked(session, actor.tenant, connection_id)
            _alive(row)
            return await self.ask(session, actor.tenant, connection_id, asked, back=back)

    async def connected(
        self, actor: Actor, clinic: Clinic, connection_id: UUID, answer: Answer, compared: Comparison, told: Told
    ) -> Held:
        """Keep what was granted, in place of what there was, and let the connection be used."""
        tenant, now = clinic.tenant, self._clock()
        async with self._store.tenant(tenant) as session:
            row = await locked(session, tenant, connection_id)
            _alive(row)
            before = await rows.tokens(session, tenant, connection_id)
            generation = before.generation if before is not None else 0
            held = await keep(
                session, clinic, connection_id, answer, generation=generation, granted=compared.granted, now=now
            )
            if held is None:
                raise Conflict("the connection changed meanwhile; connect again")
            await rows.activate(session, tenant, connection_id, sorted(compared.granted), now)
            state = ConnectionState.ACTIVE if row.state == ConnectionState.PENDING else row.state
            await self._record(session, actor, row, state=str(state), provider_scopes=sorted(compared.granted))
            await told(session)
        self._forget(tenant, connection_id)
        return held

    async def refused(
        self, actor: Actor, clinic: Clinic, connection_id: UUID, compared: Comparison, told: Told, *, keeps: bool
    ) -> None:
        """Keep nothing of what was granted because it is too much; what was too much is shown.

        Nothing goes out from here on, unless the connection `keeps` what it was granted before.
        """
        tenant = clinic.tenant
        async with self._store.tenant(tenant) as session:
            row = await locked(session, tenant, connection_id)
            _alive(row)
            state = row.state if keeps else str(ConnectionState.PENDING)
            if keeps:
                await rows.note_excess(session, tenant, connection_id, sorted(compared.excess))
            else:
                await rows.refuse(session, tenant, connection_id, sorted(compared.granted), sorted(compared.excess))
                await rows.deactivate(session, tenant, connection_id, self._clock())
            await self._record(
                session, actor, row, state=state, code="scope_excess",
                what=sorted(compared.excess),
            )  # fmt: skip
            await told(session)
        self._forget(tenant, connection_id)

    async def cleared(self, actor: Actor, connection_id: UUID, asked: frozenset[str], *, back: bool = False) -> str:
        """Destroy the tokens so that less can be asked for; nothing goes out until somebody connects. What the link holds."""
        tenant = actor.tenant
        async with self._store.tenant(tenant) as session:
            row = await locked(session, tenant, connection_id)
            _alive(row)
            await rows.destroy(session, tenant, connection_id)
            await rows.deactivate(session, tenant, connection_id, self._clock())
            await self._record(session, actor, row, state=str(ConnectionState.PENDING), code="scopes_reduced")
            link = await self.ask(session, tenant, connection_id, asked, back=back)
        self._forget(tenant, connection_id)
        return link

    async def narrowed(self, actor: Actor, connection: Connection, granted: frozenset[str]) -> None:
        """Count on less than before: the vendor gives no more, or the clinic wants no more."""
        tenant = connection.clinic.tenant
        async with self._store.tenant(tenant) as session:
            row = await locked(session, tenant, connection.id)
            _alive(row)
            await rows.activate(session, tenant, connection.id, sorted(granted), self._clock())
            await self._record(
                session, actor, row, state=row.state, code="scopes_changed", provider_scopes=sorted(granted)
            )
        self._forget(tenant, connection.id)

    async def ended(self, actor: Actor, connection: Connection, reason: str, told: Told) -> bool:
        """Note that the vendor accepts the grant no more; False where that is known. Nothing goes out from here on."""
        tenant = connection.clinic.tenant
        async with self._store.tenant(tenant) as session:
            row = await locked(session, tenant, connection.id)
            fresh = await rows.need_reconnect(session, tenant, connection.id, reason, self._clock())
            if fresh:
                await rows.destroy(session, tenant, connection.id)
                await self._record(session, actor, row, state=row.state, code=f"{RECONNECT}.{reason}")
                await told(session)
        self._forget(tenant, connection.id)
        return fresh

    def _forget(self, tenant: UUID, connection_id: UUID) -> None:
        self._tokens.forget(connection_id)
        self._connections.forget(tenant)

    async def _record(self, session: asyncpg.Connection, actor: Actor, row: ConnectionRow, **fields: Any) -> None:
        entry: Mapping[str, Any] = {**about(actor, row), **fields}
        tenant = actor.tenant
        await append_within(session, Draft(tenant, "connection", self._clock(), dict(entry)))


def _alive(row: ConnectionRow) -> None:
    if row.state == ConnectionState.REVOKED:
        raise Conflict("this connection is revoked; connect again")
