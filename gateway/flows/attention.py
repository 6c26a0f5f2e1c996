"""What a clinic should look at: notices that still ask for something to be done, and how many messages wait."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast
from uuid import UUID

from gateway.connections import Clinic
from gateway.errors import NotFound
from gateway.flows.rooms import Rooms
from gateway.network.asked import UNREPORTED
from gateway.network.drift import DRIFTED, Fault
from gateway.store import notices as rows
from gateway.store import waiting
from gateway.store.notices import NoticeRow
from gateway.webhooks.endpoint import Status
from gateway.webhooks.kinds import AGREEMENT_EXPIRING, CALLBACK_REFUSED, FAILING, OFF

_LOOKED_AT: Final = 100  # the newest notices; what is older asks for nothing any more, or is told anew
_LATELY: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to look at: what kind it is, since when, and about whom: a connector by its id, an endpoint by its name."""

    kind: str
    at: datetime
    connector: str | None = None
    endpoint: str | None = None
    until: datetime | None = None
    count: int = 0
    faults: tuple[Fault, ...] = ()
    """What is wrong at a network."""


async def notices(tenant: UUID, rooms: Rooms) -> list[Notice]:
    """What still asks for something to be done, newest first, each thing once."""
    clinic = await rooms.connections.present(tenant)
    async with rooms.store.tenant(tenant) as connection:
        found = await rows.page(connection, tenant, before=None, limit=_LOOKED_AT)
    told = []
    for row in _latest(found):
        lately = rooms.clock() - row.at < _LATELY
        notice = None
        if row.kind == AGREEMENT_EXPIRING:
            notice = await _expiring(row, clinic, rooms)
        elif row.kind == CALLBACK_REFUSED and lately:
            notice = _refused(row, clinic)
        elif row.kind in (FAILING, OFF):
            notice = await _endpoint(row, tenant, rooms, lately=lately)
        elif row.kind == DRIFTED:
            notice = await _drifted(row, clinic, rooms)
        elif row.kind == UNREPORTED and lately:
            week = [each for each in found if rooms.clock() - each.at < _LATELY]
            notice = _unreported(row, clinic, sum((each.kind, each.about) == (row.kind, row.about) for each in week))
        if notice is not None:
            told.append(notice)
    return told


async def waiting_messages(tenant: UUID, rooms: Rooms) -> int:
    """How many messages wait until they may go."""
    async with rooms.store.tenant(tenant) as connection:
        return await waiting.count(connection, tenant)


def _latest(found: Iterable[NoticeRow]) -> list[NoticeRow]:
    """The newest notice of each kind about each thing."""
    kept: dict[tuple[str, UUID | None], NoticeRow] = {}
    for row in found:
        kept.setdefault((row.kind, row.about), row)
    return list(kept.values())


async def _expiring(row: NoticeRow, clinic: Clinic, rooms: Rooms) -> Notice | None:
    """Unless another agreement has taken its place."""
    for recipient, signed in clinic.standing.agreements.items():
        if any(each.id == str(row.about) for each in signed):
            if recipient in rooms.registry.connectors:
                return Notice(row.kind, row.at, connector=recipient, until=signed[-1].until)
            name, status = await _named(clinic.tenant, UUID(recipient), rooms)
            return Notice(row.kind, row.at, endpoint=name, until=signed[-1].until) if status in _THERE else None
    return None


def _refused(row: NoticeRow, clinic: Clinic) -> Notice | None:
    """Unless the connection is gone."""
    connector, count = _connector(row, clinic), cast("int | None", row.detail.get("count"))
    return None if connector is None else Notice(row.kind, row.at, connector=connector, count=int(count or 0))


async def _drifted(row: NoticeRow, clinic: Clinic, rooms: Rooms) -> Notice | None:
    """Unless it was mended, or the connection is gone: what is wrong is what the last look found."""
    connector = _connector(row, clinic)
    facility = None if connector is None else await rooms.networks.facilities.of(clinic.tenant, connector)
    faults = () if facility is None else tuple(Fault(code) for code in facility.faults if code in set(Fault))
    return Notice(row.kind, row.at, connector=connector, faults=faults) if faults else None


def _unreported(row: NoticeRow, clinic: Clinic, count: int) -> Notice | None:
    """Unless the connection is gone."""
    connector = _connector(row, clinic)
    return None if connector is None else Notice(row.kind, row.at, connector=connector, count=count)


def _connector(row: NoticeRow, clinic: Clinic) -> str | None:
    """Whose connection a notice is about; None where that is gone."""
    return next((each.connector for each in clinic.connections.values() if each.id == row.about), None)


async def _endpoint(row: NoticeRow, tenant: UUID, rooms: Rooms, *, lately: bool) -> Notice | None:
    """Unless it was resumed or removed, or has long been quiet."""
    name, status = await _named(tenant, row.about or UUID(int=0), rooms)
    holds = status is Status.OFF if row.kind == OFF else status is Status.ACTIVE and lately
    return Notice(row.kind, row.at, endpoint=name) if holds else None


_THERE: Final = frozenset(Status) - {Status.REMOVED}


async def _named(tenant: UUID, endpoint: UUID, rooms: Rooms) -> tuple[str, Status]:
    try:
        found = await rooms.endpoints.one(tenant, endpoint)
    except NotFound:
        return "", Status.REMOVED
    return found.recipient.legal_name, found.status
