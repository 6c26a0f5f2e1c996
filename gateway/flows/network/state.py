"""How a clinic stands at a network: its facility, the gateway's session, what is wrong and who can mend it. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from gateway.connections import OPERATOR, Connection
from gateway.errors import Conflict
from gateway.flows.network.bridge import Standing, Trouble, standing_of, url_of
from gateway.flows.rooms import Rooms
from gateway.network.drift import MEND, WHAT, WHO, Fault, Who
from gateway.network.lines import Line, environment_of
from gateway.network.sessions import locked_until
from gateway.store import letters, network
from gateway.store.network import SessionRow
from scopes.vocabulary import ConnectionState

_LOOKED_AT_EVERY: Final = timedelta(days=1, hours=2)


class SessionState(StrEnum):
    """How the gateway's session at a network stands."""

    GOOD = "good"
    RESTS = "rests"
    """None is held just now; the next message asks for one."""
    LOCKED = "locked"
    REFUSED = "refused"
    AWAY = "away"
    """The network was out of order when one was last asked for."""
    UNREGISTERED = "unregistered"


@dataclass(frozen=True, slots=True)
class Session:
    """The gateway's session, and until when that holds."""

    state: SessionState
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Taking:
    """How a clinic takes part in a network."""

    connection: Connection
    environment: str | None
    facility: Standing | None
    session: Session
    url: str | None
    """Where the network is to call; None where the gateway does not know how it is reached."""
    keys: int
    """How many of the network's keys count in this gateway now."""
    heard_at: datetime | None
    """When the last letter for the clinic was taken."""
    troubles: tuple[Trouble, ...]


_OWN: Final = {
    "suspended": (
        "The connection is suspended: nothing is told to the network, and it brings its messages again later.",
        "Resume the connection.", Who.CLINIC,
    ),
    "not_linked": (
        "The network does not know yet for which facility this clinic acts, so nothing goes either way.",
        "Tell the operator the facility's id in the register of facilities; the operator links it here.", Who.BOTH,
    ),
    "unregistered": (
        "The gateway is not registered at the network, so no session can be had.",
        "The operator adds the registration that the network gave.", Who.OPERATOR,
    ),
    "refused": (
        "The network did not take the gateway's registration when a session was last asked for.",
        "The operator compares the registration with the network's own.", Who.OPERATOR,
    ),
    "away": (
        "The network was out of order when a session was last asked for.",
        "Nothing is to be done: the gateway asks again within two minutes.", Who.NOBODY,
    ),
    "not_looked_at": (
        "Whether the network has the clinic on file as it is was not compared for more than a day.",
        "The operator sees to it that a worker runs.", Who.OPERATOR,
    ),
}  # fmt: skip


async def taking_of(tenant: UUID, connector: str, rooms: Rooms) -> Taking | None:
    """How a clinic takes part; None where it is not connected."""
    connection = (await rooms.connections.present(tenant)).connections.get(connector)
    if connection is None:
        return None
    facility = await standing_of(tenant, connector, rooms)
    line = _line(connection, facility, rooms)
    session = await _session(line, rooms) if line is not None else Session(SessionState.UNREGISTERED)
    async with rooms.store.tenant(tenant) as reading:
        heard_at = await letters.last(reading, tenant, connection.id)
    found = Taking(
        connection=connection,
        environment=line.environment if line is not None else None,
        facility=facility,
        session=session,
        url=url_of(connector, rooms),
        keys=rooms.networks.keys.counting(line.id) if line is not None else 0,
        heard_at=heard_at,
        troubles=(),
    )
    return replace(found, troubles=tuple(_troubles(found, now=rooms.clock())))


def _line(connection: Connection, facility: Standing | None, rooms: Rooms) -> Line | None:
    """The environment that the clinic is in; None where its connection does not say."""
    manifest = rooms.registry.connector(connection.connector).manifest
    try:
        environment = facility.environment if facility is not None else environment_of(manifest, connection.settings)
        return rooms.networks.line(connection.connector, environment)
    except Conflict:
        return None


async def _session(line: Line, rooms: Rooms) -> Session:
    if line.id not in {name for name, _ in await rooms.oauth.clients.all()}:
        return Session(SessionState.UNREGISTERED)
    async with rooms.store.tenant(OPERATOR) as reading:
        row = await network.session(reading, OPERATOR, line.id)
    return session_of(row, rooms.clock())


def session_of(row: SessionRow | None, now: datetime) -> Session:
    """How a session stands by its row."""
    if row is None:
        return Session(SessionState.RESTS)
    if (until := locked_until(row, now)) is not None:
        return Session(SessionState.LOCKED, until)
    if row.expires_at is not None and row.expires_at > now:
        return Session(SessionState.GOOD, row.expires_at)
    if row.refused:
        return Session(SessionState.REFUSED, row.retry_at)
    if row.troubles:
        return Session(SessionState.AWAY, row.retry_at)
    return Session(SessionState.RESTS)


def _troubles(taking: Taking, *, now: datetime) -> Iterator[Trouble]:
    """What is wrong, what stops most first."""
    facility, session = taking.facility, taking.session
    if taking.connection.state is ConnectionState.SUSPENDED:
        yield _own("suspended")
    if session.state in (SessionState.UNREGISTERED, SessionState.REFUSED, SessionState.AWAY):
        yield _own(str(session.state))
    known = {trouble.code for trouble in facility.troubles} if facility is not None else set()
    here = {Fault.LOCKED_OUT: session.state is SessionState.LOCKED, Fault.URL_UNKNOWN: taking.url is None}
    for fault, holds in here.items():  # seen here at once, whoever looked last
        if holds and str(fault) not in known:
            yield Trouble(str(fault), WHAT[fault], MEND[fault], WHO[fault])
    if facility is None:
        yield _own("not_linked")
        return
    yield from facility.troubles
    if now - facility.looked_at > _LOOKED_AT_EVERY:
        yield _own("not_looked_at")


def _own(code: str) -> Trouble:
    return Trouble(code, *_OWN[code])
