"""Work one letter off, from the queue: read it, hand it to whoever takes its kind, forget what it said.

A job may run twice, and a letter whose taker fails comes again; it is forgotten only when the taker is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final

from connectors.contract import CallbackRefused
from gateway import metrics
from gateway.connections import Clinic, Connection
from gateway.flows.network.heard import Heard
from gateway.flows.network.takers import TAKERS, Taker
from gateway.flows.rooms import Rooms
from gateway.log import Log
from gateway.network.inbox import opened
from gateway.store import jobs
from gateway.store import letters as rows
from scopes.vocabulary import ConnectionState

log = Log("gateway.inbox")

STRANDED: Final = timedelta(minutes=2)
_MOST_STRANDED: Final = 1_000


class Ended(StrEnum):
    """What became of a letter."""

    TAKEN = "taken"
    UNUSED = "unused"  # of a kind that its connector does not use
    UNTAKEN = "untaken"  # of a kind that nobody takes here
    UNREADABLE = "unreadable"
    DROPPED = "dropped"  # its connection was revoked meanwhile


async def read_letter(payload: bytes, rooms: Rooms, takers: Mapping[type, Taker] | None = None) -> None:
    """The job of one letter. Raises what its taker raises, and the letter comes again."""
    named = rows.LetterJob.parse(payload)
    async with rooms.store.tenant(named.tenant) as session:
        row = await rows.find(session, named)
    if row is None or row.sealed is None:
        return
    clinic = await rooms.connections.present(named.tenant)
    connection = next((each for each in clinic.connections.values() if each.id == named.connection), None)
    if connection is None or connection.state == ConnectionState.REVOKED:
        ended = Ended.DROPPED
    else:
        ended = await _read(clinic, connection, named, row, rooms, TAKERS if takers is None else takers)
    async with rooms.store.tenant(named.tenant) as session:
        await rows.end(session, named, str(ended))


async def wake_letters(rooms: Rooms) -> int:
    """Enqueue the letters of every clinic whose job was lost, how many."""
    async with rooms.store.nobody() as session:
        found = await rows.stranded(session, rooms.clock() - STRANDED, _MOST_STRANDED)
        await jobs.enqueue(session, [each.job for each in found])
    if found:
        log.warning("stranded_letters_woken", letters=len(found))
    return len(found)


async def _read(
    clinic: Clinic, connection: Connection, named: rows.LetterJob, row: rows.LetterRow, rooms: Rooms,
    takers: Mapping[type, Taker],
) -> Ended:  # fmt: skip
    """Read what came and hand it on."""
    assert row.sealed is not None
    network = rooms.networks.known[connection.connector]
    post = opened(clinic, named, row.sealed)
    try:
        letter = network.outside(post.path, post.headers)
        told = network.read(post.path, letter, post.raw_body)
    except CallbackRefused as refused:
        log.warning("letter_unreadable", connection=connection.id, code=refused.code)
        return _counted(connection, "none", Ended.UNREADABLE)
    if told is None:
        return _counted(connection, "none", Ended.UNUSED)
    kind = type(told).__name__
    taker = takers.get(type(told))
    if taker is None:
        return _counted(connection, kind, Ended.UNTAKEN)
    late = row.late_seconds > 0
    heard = Heard(clinic.tenant, connection.connector, connection.id, letter.account, letter.request_id, row.at, late)
    await taker(heard, told, rooms)
    return _counted(connection, kind, Ended.TAKEN)


def _counted(connection: Connection, kind: str, ended: Ended) -> Ended:
    """Count it; the kinds are the classes of connectors/told.py, a closed list."""
    metrics.letter(connection.connector, kind, str(ended))
    return ended
