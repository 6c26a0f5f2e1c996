"""Take one letter of a network's, or refuse it. Looks at its outside only; what it says is read from the queue.

What becomes of a letter:
- not readable, not signed by the network, or for no facility of ours: refused, counted by code, an alarm where it is a burst;
- proved by a token that was good lately, since a letter that was refused comes again with the one that it had: taken, as late;
- for a clinic that lets nothing through for now: not taken and not stored; the network is told to come again;
- here already: acknowledged, nothing else happens;
- otherwise sealed for the clinic whose facility it names and enqueued in one transaction, and acknowledged after its commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from time import monotonic
from typing import Final, NamedTuple, TypeVar
from uuid import NAMESPACE_URL, uuid5

import asyncpg

from connectors.contract import CallbackRefused
from connectors.network import Key, Letter
from gateway.bursts import WINDOW_SECONDS
from gateway.connections import Clinic
from gateway.errors import Conflict, Unavailable
from gateway.flows.rooms import Rooms
from gateway.log import Log
from gateway.metrics import Result
from gateway.network.inbox import Post, named, seal
from gateway.network.lines import Line
from gateway.store import jobs, network
from gateway.store import letters as rows
from gateway.store.network import OwnerRow
from scopes.vocabulary import ConnectionState

log = Log("gateway.inbox")

BROKEN: Final = "broken_reader"
NOT_OURS: Final = "unknown_facility"
_LOOKS: Final = 2  # the facility may have changed hands since somebody looked
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Arrived:
    """What became of one letter; `code` says why it was refused, `late` that it is a repeat, `burst` counts an alarm's."""

    result: Result
    code: str | None = None
    late: bool = False
    burst: int | None = None


class _Proved(NamedTuple):
    """A letter that the network signed, in one of its environments."""

    line: Line
    letter: Letter
    post: Post
    late_seconds: float


async def arrive(connector: str, path: str, raw_body: bytes, headers: Mapping[str, str], rooms: Rooms) -> Arrived:
    """Take one letter, or refuse it; `path` follows the network's prefix. Raises Unavailable where it cannot be stored now."""
    try:
        proved = await _proved(connector, Post(path, headers, raw_body), rooms)
        for _ in range(_LOOKS):
            owner = await rooms.networks.facilities.owner(proved.line, proved.letter.account)
            if owner is not None and (arrived := await _taken(owner, proved, rooms)) is not None:
                return arrived
        raise CallbackRefused(NOT_OURS)
    except CallbackRefused as refused:
        return refuse(connector, refused.code, rooms)


def refuse(connector: str, code: str, rooms: Rooms) -> Arrived:
    """Count a refusal; nobody knows whose letter it would have been."""
    about = uuid5(NAMESPACE_URL, f"network:{connector}")
    return Arrived(Result.REFUSED, code, burst=rooms.networks.bursts.refused(about, monotonic()))


def alarm(connector: str, count: int) -> None:
    """Tell the operator that somebody keeps sending what is not the network's, or the network what is for nobody here."""
    log.error("network_refused_burst", connector=connector, count=count, seconds=int(WINDOW_SECONDS))


async def _proved(connector: str, post: Post, rooms: Rooms) -> _Proved:
    """A letter whose outside can be read and that the network signed. Raises CallbackRefused."""
    form = rooms.networks.known[connector]
    letter = _safely(connector, lambda: form.outside(post.path, post.headers))
    line, keys = await _signer(connector, letter.key_id, rooms)
    late = _safely(connector, lambda: form.verify(letter, keys, now=rooms.clock()))
    return _Proved(line, letter, post, late)


async def _signer(connector: str, key_id: str, rooms: Rooms) -> tuple[Line, tuple[Key, ...]]:
    """In which environment a key is known, and the keys that count there: what another one signs proves nothing here."""
    lines, found = rooms.networks.lines_of(connector), None
    outage: Unavailable | None = None
    for line in sorted(lines, key=lambda each: not rooms.networks.keys.knows(each.id, key_id)):
        try:
            keys = await rooms.networks.keys.of(line.id, key_id)
        except Conflict:
            continue  # the gateway is not registered there
        except Unavailable as failure:
            outage = failure
            continue
        found = line, keys
        if any(key.id == key_id for key in keys):
            return found
    if found is None or outage is not None:
        raise outage or CallbackRefused(NOT_OURS)
    return found


def _safely(connector: str, read: Callable[[], _Read]) -> _Read:
    """What a connector makes of a letter; whatever its code raises, the letter is refused and none of it told."""
    try:
        return read()
    except CallbackRefused:
        raise
    except Exception as failure:
        log.error("network_reader_broke", failure=failure, connector=connector)
        raise CallbackRefused(BROKEN) from None


async def _taken(owner: OwnerRow, proved: _Proved, rooms: Rooms) -> Arrived | None:
    """Store and enqueue in one transaction, for the clinic that has the facility at its commit; None where it is another's."""
    clinic = await rooms.connections.clinic(owner.tenant)
    letter = named(clinic, owner.connection, proved.letter.request_id)
    late = proved.late_seconds > 0
    async with rooms.store.tenant(owner.tenant) as session:
        held = await network.hold(session, owner.tenant, owner.connection)
        if held is None or not _is_theirs(held, proved):
            rooms.networks.facilities.forget(proved.line, proved.letter.account)
            return None
        if held.state != ConnectionState.ACTIVE or (held.expires_at is not None and held.expires_at <= rooms.clock()):
            return Arrived(Result.SUSPENDED, late=late)
        if not await _stored(session, clinic, letter, proved, rooms):
            return Arrived(Result.DUPLICATE, late=late)
    return Arrived(Result.ACCEPTED, late=late)


def _is_theirs(held: network.HeldRow, proved: _Proved) -> bool:
    """Whether the connection is there still and acts, in that environment, for the facility that the letter names."""
    named_there = (proved.line.connector, proved.line.environment, proved.letter.account)
    return held.state != ConnectionState.REVOKED and (held.connector, held.environment, held.account) == named_there


async def _stored(
    session: asyncpg.Connection, clinic: Clinic, letter: rows.LetterJob, proved: _Proved, rooms: Rooms
) -> bool:
    row = rows.LetterRow(rooms.clock(), ceil(proved.late_seconds), seal(clinic, letter, proved.post))
    if not await rows.add(session, letter, row):
        return False
    await jobs.enqueue(session, [letter.job])
    return True
