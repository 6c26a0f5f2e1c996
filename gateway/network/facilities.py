"""Whose each facility at a network is: one clinic's, and never another's. Finds and claims; asks the network nothing."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic
from typing import Final
from uuid import UUID

import asyncpg

from connectors.network import Service
from gateway.calls import Actor
from gateway.connections import Connections, about, locked
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.ledger.writer import Draft, append_within
from gateway.network.lines import Line
from gateway.store import network as rows
from gateway.store.pool import Store
from scopes.fault import Fault
from scopes.vocabulary import ConnectionState

_REMEMBERED_SECONDS: Final = 30.0
_REMEMBERED: Final = 10_000
_FACILITY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{1,63}")


def service_of(facility: str, services: Sequence[Service]) -> Service:
    """The service under which a network knows a facility: `<id>` or `<id>_<n>`. Raises InvalidRequest, NotFound or Conflict."""
    if not _FACILITY.fullmatch(facility):
        raise InvalidRequest(faults=[Fault("facility", "is the facility's id, as the register of facilities names it")])
    form = re.compile(re.escape(facility) + r"(_[0-9]{1,6})?")
    found = [each for each in services if form.fullmatch(each.id)]
    exact = [each for each in found if each.id == facility]
    usable = exact or [each for each in found if each.active and each.gives_records] or found
    if not usable:
        raise NotFound(
            "the network knows no facility of that id on this bridge",
            fix="Link the facility to the bridge in the register of facilities, then repeat this.",
        )
    if len(usable) > 1:
        named = ", ".join(sorted(each.id for each in usable))
        raise Conflict("the network knows that facility more than once", fix=f"Name the one that is meant: {named}.")
    if not (usable[0].active and usable[0].gives_records):
        raise Conflict(
            f"the network lets {usable[0].id} give no records: it is off, or registered for something else",
            fix="Register the facility as a provider of records and switch it on there, then repeat this.",
        )
    return usable[0]


class Facilities:
    """Reads and claims facilities. A claim is one transaction with its ledger entry."""

    def __init__(self, store: Store, connections: Connections, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._connections = connections
        self._clock = clock
        self._owners: OrderedDict[tuple[str, str, str], tuple[float, rows.OwnerRow]] = OrderedDict()

    async def owner(self, line: Line, service: str) -> rows.OwnerRow | None:
        """Whose facility it is, as remembered for half a minute; whoever stores something looks once more."""
        place = (line.connector, line.environment, service)
        read_at, known = self._owners.get(place, (float("-inf"), None))
        if known is not None and monotonic() - read_at < _REMEMBERED_SECONDS:
            return known
        async with self._store.nobody() as session:
            found = await rows.owner(session, *place)
        if found is None:
            self._owners.pop(place, None)
            return None
        self._owners[place] = monotonic(), found
        if len(self._owners) > _REMEMBERED:
            self._owners.popitem(last=False)
        return found

    def forget(self, line: Line, service: str) -> None:
        """Look anew next time."""
        self._owners.pop((line.connector, line.environment, service), None)

    async def all(self, line: Line) -> list[rows.OwnedRow]:
        """Every clinic's facility on a line; for the operator."""
        async with self._store.nobody() as session:
            return await rows.owned(session, line.connector, line.environment)

    async def of(self, tenant: UUID, connector: str) -> rows.FacilityRow | None:
        """A clinic's facility, with what is wrong about it and since when."""
        async with self._store.tenant(tenant) as session:
            return await rows.facility(session, tenant, connector)

    async def claim(
        self, actor: Actor, connection_id: UUID, line: Line, facility: str, *, service: Service, granted: frozenset[str]
    ) -> None:
        """Let a connection act for a facility. Raises NotFound, and Conflict where that is another clinic's."""
        tenant, now = actor.tenant, self._clock()
        async with self._store.tenant(tenant) as session:
            row = await locked(session, tenant, connection_id)
            if row.state == ConnectionState.REVOKED:
                raise Conflict("this connection is revoked; connect again")
            held = rows.FacilityRow(connection_id, line.environment, facility, service.id, service.name, [], now, now)
            try:
                async with session.transaction():
                    await rows.claim(session, tenant, row.connector, held)
            except asyncpg.UniqueViolationError:
                raise Conflict(
                    f"{service.id} is another clinic's on this gateway",
                    fix="Revoke that clinic's connection first, if the facility has changed hands.",
                ) from None
            await rows.act_for(session, tenant, connection_id, service.id, sorted(granted))
            state = ConnectionState.ACTIVE if row.state == ConnectionState.PENDING else row.state
            entry = {**about(actor, row), "state": str(state), "provider_scopes": sorted(granted), "what": ["account"]}
            await append_within(session, Draft(tenant, "connection", now, entry))
        self.forget(line, service.id)
        self._connections.forget(tenant)
