"""Scan and share: a patient at a counter shares their profile and gets a place in its queue.

Numbers begin anew each day by the clinic's own clock. Whoever scans again within half an hour keeps their number. The profile
is sealed; the desk reads it, and it is gone after a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

import orjson

from connectors.told import Identifier, ProfileShared, Proof, Setback
from gateway.calls import Actor
from gateway.connections import Clinic
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.flows.network.heard import Heard
from gateway.flows.network.insisting import insist
from gateway.flows.network.keeping import network_of
from gateway.flows.network.marks import mark_of
from gateway.flows.network.telling import Word
from gateway.flows.rooms import Rooms
from gateway.ids import new_id
from gateway.ledger.log import note_of
from gateway.ledger.writer import append_beside
from gateway.log import Log
from gateway.records.patients import key_of
from gateway.store import desks as rows
from gateway.store.desks import Count, PlaceRow
from scopes.fault import Fault
from scopes.quiet import zone_of
from scopes.vocabulary import Purpose

log = Log("gateway.desk")

LASTS: Final = timedelta(minutes=30)
WAITS: Final = timedelta(seconds=30)  # then the patient's app has given up, and whoever wants a place scans again
_SEALED_AS: Final = "profile"
_PROFILE: Final = "PROFILE_SHARE"
_MOST_SHOWN: Final = 200
_MOST_TAKEN_SHOWN: Final = 30


async def shared(heard: Heard, told: ProfileShared, rooms: Rooms) -> None:
    """Give a place in the queue and tell the network its number, within half a minute."""
    if heard.late or rooms.clock() - heard.at > WAITS:
        log.info("share_too_late", connection=heard.connection)
        return
    payload: dict[str, object] = {"answers": heard.request_id, "address": told.address, "counter": told.counter}
    if told.intent != _PROFILE:
        payload["problem"] = str(Setback.NOT_AVAILABLE)
    else:
        place = await _placed(heard, told, rooms)
        left = max(int((place.expires_at - rooms.clock()).total_seconds()), 0)
        payload |= {"token_number": str(place.number), "lasts_seconds": left}
    word = Word("answer_share", payload, Purpose.PATADMIN)
    await insist(heard.tenant, heard.connector, word, rooms, key=f"{heard.request_id}:answer_share")


@dataclass(frozen=True, slots=True)
class Queue:
    """Today's queue at a network: who waits, by counter and number, and who was taken last, each with what they shared."""

    waiting: Sequence[tuple[PlaceRow, dict[str, object]]] = field(repr=False)
    taken: Sequence[tuple[PlaceRow, dict[str, object]]] = field(repr=False)
    count: Count


async def queue(actor: Actor, connector: str, rooms: Rooms) -> Queue:
    """Today's queue by the clinic's clock. The look is recorded."""
    tenant, clinic = actor.tenant, await rooms.connections.clinic(actor.tenant)
    today = _day(clinic, rooms.clock())
    async with rooms.store.tenant(tenant) as session:
        count = await rows.count(session, tenant, connector, today)
        waiting = await rows.untaken(session, tenant, connector, today, _MOST_SHOWN)
        taken = await rows.taken(session, tenant, connector, today, _MOST_TAKEN_SHOWN)
    await rooms.ledger.accessed(actor, what="desk", query={}, count=len(waiting) + len(taken))
    return Queue(
        [(row, opened(clinic, row)) for row in waiting], [(row, opened(clinic, row)) for row in taken], count
    )  # fmt: skip


async def mark(tenant: UUID, connector: str, rooms: Rooms) -> str:
    """Another word as soon as the queue is another; opens nothing, so that asking for it is no look at anybody."""
    today = _day(await rooms.connections.clinic(tenant), rooms.clock())
    async with rooms.store.tenant(tenant) as session:
        return mark_of([today, await rows.count(session, tenant, connector, today)])


async def code_of(tenant: UUID, connector: str, counter: str, rooms: Rooms) -> str:
    """What the code at a counter says. Raises Conflict where the clinic has no facility there, InvalidRequest."""
    facility = await rooms.networks.facilities.of(tenant, connector)
    if facility is None:
        raise Conflict("the clinic's facility is not linked yet", fix="The gateway's operator links it.")
    try:
        return network_of(connector, rooms).scanned_text(facility.environment, facility.service, counter)
    except ValueError:
        raise InvalidRequest(
            faults=[Fault("counter", "Name it by 1 to 20 letters and digits, such as desk1.")]
        ) from None


async def see(actor: Actor, place: UUID, rooms: Rooms) -> None:
    """Note that the desk took somebody, and in the log who did. Raises NotFound."""
    now = rooms.clock()
    async with rooms.store.tenant(actor.tenant) as session:
        if not await rows.see(session, actor.tenant, place, now):
            raise NotFound("there is no such place in the queue")
        said = {"place": str(place)}
        await append_beside(session, note_of(actor, "desk_taken", query=said, count=1, at=now))


def opened(clinic: Clinic, row: PlaceRow) -> dict[str, object]:
    """What somebody shared."""
    profile: dict[str, object] = orjson.loads(clinic.keyring.open(row.sealed, purpose=_SEALED_AS, row=str(row.id)))
    return profile


async def _placed(heard: Heard, told: ProfileShared, rooms: Rooms) -> PlaceRow:
    now, clinic = rooms.clock(), await rooms.connections.clinic(heard.tenant)
    address = key_of(clinic, Identifier(Proof.ADDRESS, told.address)).lookup
    day = _day(clinic, heard.at)
    async with rooms.store.tenant(heard.tenant) as session:
        await rows.lock(session, heard.tenant, told.counter)
        place = await rows.held(session, heard.tenant, heard.connector, told.counter, address, now)
        if place is None:
            number = 1 + await rows.last(session, heard.tenant, heard.connector, told.counter, day)
            place_id = new_id()
            sealed = clinic.keyring.seal(
                orjson.dumps(dict(told.profile), default=str), purpose=_SEALED_AS, row=str(place_id)
            )
            place = PlaceRow(
                place_id, heard.connector, told.counter, day, number, address, sealed, heard.at, now + LASTS
            )  # fmt: skip
            await rows.add(session, heard.tenant, place)
    return place


def _day(clinic: Clinic, at: datetime) -> date:
    """The day by the clinic's clock."""
    zone = zone_of(clinic.standing.policy.time_zone)
    return at.astimezone(zone).date() if zone is not None else at.date()
