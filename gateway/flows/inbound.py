"""Take one message of a vendor's, or refuse it; and from the queue, publish what it said. Keeps no byte of the message.

Only what the connector declares of a genuine message is stored, sealed until it is published. What becomes of a message:

- not genuine, not fresh, not readable: refused, counted by code, an alarm where it is a burst;
- genuine and of a type that is not used, or about another account: acknowledged, counted, not stored;
- genuine while the connection is suspended (or expired): not taken and not stored. The vendor is told to come again, so
  that a short pause loses nothing, and nothing of a connection that is cut off lies here meanwhile. A STOP in it counts
  at once all the same;
- genuine and here already: acknowledged, nothing else happens;
- otherwise stored and enqueued in one transaction, and acknowledged after its commit. What a person wants who answered
  is done in that transaction too; what the message says of a disclosure is written down from the queue.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson

from connectors.contract import (
    Arrival,
    Callback,
    CallbackEvent,
    CallbackRefused,
    Envelope,
    Handshake,
    Manifest,
    Settlement,
    Unsealing,
    Wish,
)
from gateway.bursts import WINDOW_SECONDS
from gateway.callbacks import Door, DoorChanged
from gateway.errors import InvalidRequest, NotFound, Unavailable
from gateway.flows import watching
from gateway.flows.publish import NewEvent, publish
from gateway.flows.rooms import Rooms
from gateway.flows.settle import settle
from gateway.ids import id_of, new_id
from gateway.log import Log
from gateway.metrics import Result
from gateway.store import callbacks as rows
from gateway.store import jobs, notices
from gateway.webhooks.kinds import CALLBACK_REFUSED, GATEWAY, prefix_of

log = Log("gateway.inbound")

KEPT: Final = timedelta(days=30)  # longer than any vendor repeats a message; housekeeping purges by it
STRANDED: Final = timedelta(minutes=5)
_VERIFICATIONS = 3  # how often a message is verified anew when the clinic changes the door meanwhile
_FRESH_SECONDS = 1.0
_MOST_STRANDED = 500
_ANY: Final = "*"
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Received:
    """What became of one message; `code` says why it was refused, `burst` counts the refusals of an alarm."""

    result: Result
    code: str | None = None
    burst: int | None = None
    text: str | None = None  # what to answer, where the vendor asks for more than a status


@dataclass(frozen=True, slots=True)
class Reader:
    """What reads one connector's messages."""

    manifest: Manifest
    callback: Callback
    handshake: Handshake | None = None
    envelope: Envelope | None = None
    unsealed: Unsealing | None = None

    def message(self, raw_body: bytes, headers: Mapping[str, str]) -> bytes:
        """What identity and translate read of a message that is verified."""
        return raw_body if self.envelope is None else self.envelope(raw_body, headers)

    @property
    def deadline_seconds(self) -> float:
        """How soon the vendor wants its answer."""
        return self.manifest.callback.deadline_seconds if self.manifest.callback is not None else 0.0


def reader(connector: str, rooms: Rooms) -> Reader:
    """What reads a connector's messages; raises NotFound where it has none."""
    found = rooms.registry.connectors.get(connector)
    if found is None or found.callback is None:
        raise NotFound("there is no such connection")
    return Reader(found.manifest, found.callback, found.handshake, found.envelope, found.unsealed)


async def shaken(connection_id: UUID, method: str, url: str, rooms: Rooms) -> Received | None:
    """What to answer where the vendor only asks whether the address is ours; None for a message. Raises NotFound."""
    door = await rooms.callbacks.door(connection_id)
    how = reader(door.connector, rooms)
    if how.handshake is None:
        return None
    shake = how.handshake
    try:
        text = _read(how, lambda: shake(method, url, door.token))
    except CallbackRefused as refused:
        return Received(Result.REFUSED, refused.code, rooms.callbacks.bursts.refused(connection_id, monotonic()))
    return None if text is None else Received(Result.HANDSHAKE, text=text)


async def receive(connection_id: UUID, raw_body: bytes, headers: Mapping[str, str], url: str, rooms: Rooms) -> Received:
    """Take one message, or refuse it. Raises NotFound, and Unavailable or an outage where it cannot be stored."""
    try:
        for _ in range(_VERIFICATIONS):
            try:
                return await _taken(connection_id, raw_body, headers, url, rooms)
            except DoorChanged:
                continue
    except CallbackRefused as refused:
        burst = rooms.callbacks.bursts.refused(connection_id, monotonic())
        return Received(Result.REFUSED, refused.code, burst)
    raise Unavailable("the connection keeps changing; repeat the request")


async def alarm(connection_id: UUID, count: int, rooms: Rooms) -> None:
    """Tell the operator, the clinic and its endpoints that somebody keeps sending what is not the vendor's."""
    log.error("callback_refused_burst", connection=connection_id, count=count)
    door = await rooms.callbacks.door(connection_id)
    detail = {"count": count, "seconds": int(WINDOW_SECONDS)}
    notice = notices.NoticeRow(new_id(), rooms.clock(), CALLBACK_REFUSED, connection_id, detail)
    async with rooms.store.tenant(door.tenant) as connection:
        await notices.add(connection, door.tenant, notice)
    told = {"id": str(connection_id), "count": count}
    await publish(NewEvent(door.tenant, CALLBACK_REFUSED, told, GATEWAY), rooms)


async def publish_callback(payload: bytes, rooms: Rooms) -> None:
    """The job of one message: publish its events, then forget what it said. Made again, it publishes nothing twice."""
    tenant, connection_id, identity = _named(payload)
    async with rooms.store.tenant(tenant) as connection:
        row = await rows.find(connection, tenant, connection_id, identity)
    if row is None or row.sealed is None:
        return
    try:
        door = await rooms.callbacks.door(connection_id, since=monotonic())
    except NotFound:  # revoked since: nothing more of it comes through
        log.info("callback_dropped", connection=connection_id)
    else:
        for at, told in enumerate(orjson.loads(door.open(identity, row.sealed))):
            if told.get("settles") is not None:
                await settle(door.tenant, connection_id, _settlement(told["settles"]), rooms)
            await _publish_one(door, told, _event_id(row.at, identity, at), rooms)
            await watching.heard(door.clinic.connection(door.connector), told["type"], str(told["data"]["id"]), rooms)
    async with rooms.store.tenant(tenant) as connection:
        await rows.clear(connection, tenant, connection_id, identity)


async def enqueue_stranded(tenant: UUID, rooms: Rooms) -> int:
    """Enqueue the clinic's messages whose job was lost or failed, how many; for housekeeping."""
    before = rooms.clock() - STRANDED
    async with rooms.store.tenant(tenant) as connection:
        found = await rows.stranded(connection, tenant, before, _MOST_STRANDED)
        await jobs.enqueue(connection, [_job(tenant, connection_id, identity) for connection_id, identity in found])
    return len(found)


async def _taken(connection_id: UUID, raw_body: bytes, headers: Mapping[str, str], url: str, rooms: Rooms) -> Received:
    door = await _verified(connection_id, raw_body, headers, url, rooms)
    how = reader(door.connector, rooms)
    message = await _opened(how, door, _read(how, lambda: how.message(raw_body, headers)), rooms)
    if not door.is_open(rooms.clock()):
        if (await rooms.callbacks.door(connection_id, since=monotonic())).is_open(rooms.clock()):
            raise DoorChanged  # resumed since it was read
        await _stopped(door, message, url, rooms)
        return Received(Result.SUSPENDED)
    identity = _identity(how, door, message)
    events = _read(how, lambda: how.callback.translate(message, url))
    if not events:
        return Received(Result.UNUSED)
    ours = [event for event in events if _is_ours(event, door, how.manifest)]
    if not ours:
        return Received(Result.OTHER_ACCOUNT)
    ours = [event for event in ours if (how.manifest.feature_of(event.type) or _ANY) in (_ANY, *door.features)]
    if not ours:
        return Received(Result.UNUSED)
    return Received(Result.ACCEPTED if await _stored(door, identity, ours, rooms) else Result.DUPLICATE)


async def _opened(how: Reader, door: Door, message: bytes, rooms: Rooms) -> bytes:
    """A verified message with what its vendor encrypted to us opened; refused where none of our keys opens it."""
    if how.unsealed is None:
        return message
    unsealed, keys = how.unsealed, await rooms.callback_keys.private_keys(door.clinic, door.connection)
    return _read(how, lambda: unsealed(message, keys))


async def _stopped(door: Door, message: bytes, url: str, rooms: Rooms) -> None:
    """Let a STOP count, once, although nothing else of the message does."""
    how = reader(door.connector, rooms)
    heard = _identity(how, door, message, "stop|")
    found = [
        event.answered
        for event in _read(how, lambda: how.callback.translate(message, url))
        if event.answered is not None and event.answered.wish is Wish.STOP and _is_ours(event, door, how.manifest)
    ]
    if found:
        async with rooms.store.tenant(door.tenant) as connection:
            if not await rows.add(
                connection, door.tenant, door.connection, heard, rows.CallbackRow(rooms.clock(), None)
            ):
                return
            for answered in found:
                await rooms.contacts.hear(connection, door.clinic, answered)
        rooms.connections.forget(door.tenant)


def _identity(how: Reader, door: Door, raw_body: bytes, prefix: str = "") -> bytes:
    """What a message is known by when it comes again; one of its own where nothing tells it from another."""
    said = _read(how, lambda: how.callback.identity(raw_body))
    return _read(how, lambda: door.fingerprint(prefix + (str(new_id()) if said is None else said)))


async def _verified(connection_id: UUID, raw_body: bytes, headers: Mapping[str, str], url: str, rooms: Rooms) -> Door:
    """The door that the message came to, once it is proved to be the vendor's. Raises CallbackRefused."""
    door = await rooms.callbacks.door(connection_id)
    try:
        _verify(door, raw_body, headers, url, rooms)
    except CallbackRefused:
        # Another gateway may have been given the secret that this was signed with a moment ago.
        anew = await rooms.callbacks.door(connection_id, since=monotonic() - _FRESH_SECONDS)
        if anew.secrets == door.secrets:
            raise
        _verify(anew, raw_body, headers, url, rooms)
        return anew
    return door


def _verify(door: Door, raw_body: bytes, headers: Mapping[str, str], url: str, rooms: Rooms) -> None:
    how, now = reader(door.connector, rooms), rooms.clock()
    rule = how.manifest.callback
    secrets = (door.channel_token,) if rule is not None and rule.token else door.valid(now)
    _read(how, lambda: how.callback.verify(raw_body, headers, url, secrets, now=now))


def _read(how: Reader, read: Callable[[], _Read]) -> _Read:
    """What a connector makes of a message; whatever its code raises, the message is refused and none of it told."""
    try:
        return read()
    except CallbackRefused:
        raise
    except Exception as failure:
        log.error("callback_reader_broke", failure=failure, connector=how.manifest.id)
        raise CallbackRefused("broken_reader") from None


def _is_ours(event: CallbackEvent, door: Door, manifest: Manifest) -> bool:
    """Whether an event is about the account that the connection acts for.

    Where a vendor lets one key act for many accounts, an event that names another one, or none, may be another clinic's.
    """
    if door.account is not None or manifest.credential.account_header is not None:
        return event.account == door.account
    return True


async def _stored(door: Door, identity: bytes, events: Sequence[CallbackEvent], rooms: Rooms) -> bool:
    """Store and enqueue in one transaction; False for a message that is here already."""
    now = rooms.clock()
    row = rows.CallbackRow(now, door.seal(identity, orjson.dumps([_said(event, now) for event in events])))
    wishes = [event.answered for event in events if event.answered is not None and event.answered.wish is not None]
    async with rooms.callbacks.taking(door) as connection:
        if not await rows.add(connection, door.tenant, door.connection, identity, row):
            return False
        for answered in wishes:
            await rooms.contacts.hear(connection, door.clinic, answered)
        await jobs.enqueue(connection, [_job(door.tenant, door.connection, identity)])
    if wishes:
        rooms.connections.forget(door.tenant)
    return True


def _said(event: CallbackEvent, now: datetime) -> dict[str, Any]:
    """What is kept of an event until it is published; the address of a person who answered is not."""
    at = event.occurred_at or now
    said: dict[str, Any] = {"type": event.type, "data": {"id": event.vendor_id, **event.data}, "at": at}
    if event.settles is not None:
        said["settles"] = [event.settles.key, event.settles.arrival, event.settles.detail]
    return said


def _settlement(kept: Sequence[str | None]) -> Settlement:
    key, arrival, detail = kept
    return Settlement(str(key), Arrival(str(arrival)), detail)


async def _publish_one(door: Door, told: Mapping[str, Any], event_id: UUID, rooms: Rooms) -> None:
    """Publish one event; one that does not fit its own declaration is left out, for ever."""
    new = NewEvent(door.tenant, f"{prefix_of(door.connector)}{told['type']}", told["data"], door.connector, id=event_id)
    try:
        await publish(new, rooms)
    except InvalidRequest:
        log.error("callback_not_publishable", connection=door.connection, type=new.type)


def _event_id(at: datetime, identity: bytes, place: int) -> UUID:
    """The id of one of a message's events: always the same one, and sorted by when the message came."""
    drawn = hashlib.sha256(identity + place.to_bytes(4)).digest()
    return id_of(int(at.astimezone(UTC).timestamp() * 1000), drawn)


def _job(tenant: UUID, connection_id: UUID, identity: bytes) -> jobs.Job:
    return jobs.Job(jobs.CALLBACK, f"{tenant} {connection_id} {identity.hex()}".encode())


def _named(payload: bytes) -> tuple[UUID, UUID, bytes]:
    tenant, connection_id, identity = payload.decode("ascii").split()
    return UUID(tenant), UUID(connection_id), bytes.fromhex(identity)
