"""Look whether a network still has us on file as we are: when a gateway starts, and daily. Tells the clinics that it concerns.

Whoever else uses the gateway's registration can move the address at which the network calls, and nobody would hear of it:
letters then go there. While something is wrong the network is asked each hour, so that it is seen when it is mended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from connectors.network import Bridge
from gateway import metrics
from gateway.connections import OPERATOR
from gateway.errors import Conflict, GatewayError, Unavailable
from gateway.flows.rooms import Rooms
from gateway.ids import new_id
from gateway.log import Log
from gateway.network.drift import DRIFTED, MEND, WHAT, WHO, Drift, Fault, Who, compare
from gateway.network.lines import Line
from gateway.network.sessions import LockedOut
from gateway.store import network as rows
from gateway.store import notices

log = Log("gateway.bridge")

_EVERY: Final = timedelta(days=1)
_SOON: Final = timedelta(minutes=55)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong, how to mend it, and who can."""

    code: str
    what: str
    mend: str
    who: Who


@dataclass(frozen=True, slots=True)
class Standing:
    """How a clinic's facility stands at a network, as pages show it."""

    environment: str
    facility: str
    service: str
    name: str
    since: datetime
    looked_at: datetime
    troubles: tuple[Trouble, ...]

    @property
    def well(self) -> bool:
        """Whether all is as it should be."""
        return not self.troubles


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a network found."""

    bridge: Bridge | None
    """None where the network does not take our registration."""
    ours: str | None
    drift: Drift
    facilities: tuple[rows.OwnedRow, ...]


async def watch(rooms: Rooms, *, at_start: bool = False) -> None:
    """Look at every network at which the gateway is registered, where it is time to."""
    for line in rooms.networks.lines.values():
        try:
            if at_start or await _is_due(line, rooms):
                await look(line, rooms)
        except Conflict:
            continue  # not registered there: nothing to look at
        except Unavailable as outage:
            log.warning("bridge_not_looked_at", line=line.id, code=outage.code)
        except Exception as failure:  # the other networks are looked at all the same
            log.error("bridge_look_broke", failure=failure, line=line.id)


async def look(line: Line, rooms: Rooms) -> Look:
    """Compare, write down what is wrong, and tell whom it concerns. Raises Conflict, Unavailable."""
    ours = url_of(line.connector, rooms)
    facilities = tuple(await rooms.networks.facilities.all(line))
    try:
        bridge = await rooms.networks.asking.bridge(line.id)
    except LockedOut:
        found = Look(None, ours, Drift((Fault.LOCKED_OUT,)), facilities)
    else:
        found = Look(bridge, ours, compare(bridge, ours, [each.service for each in facilities]), facilities)
    await _noted(line, found, rooms)
    return found


def url_of(connector: str, rooms: Rooms) -> str | None:
    """Where the network should call us; None where nobody said how we are reached."""
    return rooms.networks.url_of(connector, rooms.callbacks.public_url or rooms.callbacks.served_at)


async def standing_of(tenant: UUID, connector: str, rooms: Rooms) -> Standing | None:
    """How a clinic's facility stood when it was last looked at; None where it has none."""
    row = await rooms.networks.facilities.of(tenant, connector)
    if row is None:
        return None
    return Standing(
        row.environment, row.facility, row.service, row.name, row.since, row.looked_at, troubles(row.faults)
    )


def troubles(codes: Sequence[str]) -> tuple[Trouble, ...]:
    """Stored codes as people read them; one that this version does not know is left out."""
    known = [Fault(code) for code in codes if code in set(Fault)]
    return tuple(Trouble(str(fault), WHAT[fault], MEND[fault], WHO[fault]) for fault in known)


async def _is_due(line: Line, rooms: Rooms) -> bool:
    async with rooms.store.tenant(OPERATOR) as session:
        row = await rows.bridge(session, OPERATOR, line.id)
    if row is None:
        return True
    facilities = await rooms.networks.facilities.all(line)
    wrong = bool(row.faults) or any(each.faults for each in facilities)
    return rooms.clock() - row.looked_at >= (_SOON if wrong else _EVERY)


async def _noted(line: Line, found: Look, rooms: Rooms) -> None:
    now = rooms.clock()
    faults = [str(fault) for fault in found.drift.bridge]
    async with rooms.store.tenant(OPERATOR) as session:
        before = await rows.bridge(session, OPERATOR, line.id)
        since = before.since if before is not None and before.faults == faults else now
        await rows.put_bridge(session, OPERATOR, line.id, rows.BridgeRow(faults, since, now))
    count = len(faults) + sum(len(each) for each in found.drift.services.values())
    metrics.drift(line.id, count)
    if found.drift:
        affected = sum(1 for each in found.facilities if found.drift.of(each.service))
        codes = sorted(
            {str(fault) for each in found.facilities for fault in found.drift.of(each.service)} | set(faults)
        )
        log.error("bridge_drifted", line=line.id, faults=codes, clinics=affected)
    for each in found.facilities:
        try:
            await _told(line.connector, each, found.drift.of(each.service), rooms)
        except GatewayError as failure:
            log.error("clinic_not_told_of_drift", failure=failure, tenant=each.tenant)


async def _told(connector: str, owned: rows.OwnedRow, faults: Sequence[Fault], rooms: Rooms) -> None:
    """Note how a clinic's facility stands; where that is news, and no good news, with a notice in the same transaction."""
    now, codes = rooms.clock(), [str(fault) for fault in faults]
    async with rooms.store.tenant(owned.tenant) as session:
        row = await rows.facility(session, owned.tenant, connector, lock=True)
        if row is None or row.connection != owned.connection:
            return  # it was revoked, or claimed anew, this very moment
        changed = row.faults != codes
        since = now if changed else row.since
        await rows.mark_facility(session, owned.tenant, connector, faults=codes, since=since, at=now)
        if changed and set(codes) - set(row.faults):
            detail = {"connector": connector, "faults": codes}
            notice = notices.NoticeRow(new_id(), now, DRIFTED, owned.connection, detail)
            await notices.add(session, owned.tenant, notice)
    if changed:
        log.info("facility_stands", connection=owned.connection, faults=codes)
