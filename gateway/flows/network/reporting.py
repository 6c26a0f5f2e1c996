"""Tell the network how a request's records fared, visit by visit, as it was and not as it should have been."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from gateway.errors import NotFound
from gateway.flows.network.insisting import once, purpose_for
from gateway.flows.network.telling import Word
from gateway.flows.rooms import Rooms
from gateway.ids import new_id
from gateway.log import Log
from gateway.network.artefacts import Held
from gateway.network.asked import UNREPORTED
from gateway.store import notices
from gateway.store import transfers as rows
from gateway.store.transfers import EntryRow, EntryState, State, TransferRow

log = Log("gateway.transfers")

PATIENCE: Final = timedelta(hours=24)
_ACTION: Final = "report_transfer"
NOTHING: Final = "nothing_here"
ENDED: Final = "consent_ended"


async def report(tenant: UUID, row: TransferRow, rooms: Rooms) -> State | None:
    """Report once: how the request ended, or None where it is to be reported again. Raises Unavailable."""
    held = await held_of(tenant, row, rooms)
    async with rooms.store.tenant(tenant) as connection:
        entries = await rows.entries(connection, tenant, row.id)
    purpose = purpose_for(row.connector, _ACTION, held.purpose if held is not None else None, rooms)
    payload = _payload(row, entries, held)
    if not payload["entries"]:
        return State.REPORTED  # of a consent of which no visit is known: what there is to say, the answer said
    word = Word(_ACTION, payload, purpose, await _reference(tenant, held, rooms))
    if (await once(tenant, row.connector, word, rooms, key=f"transfer {row.id} report {row.reports}")).taken:
        return State.REPORTED
    if rooms.clock() < row.asked_at + PATIENCE:
        return None
    await _give_up(tenant, row, rooms)
    return State.UNREPORTED


def _payload(row: TransferRow, entries: Sequence[EntryRow], held: Held | None) -> dict[str, Any]:
    said = list(_visits(entries)) or list(_refused(row, held))
    arrived = bool(entries) and all(each.state == EntryState.SENT for each in entries)
    done_at = row.done_at or row.asked_at
    return {
        "consent": row.consent, "transaction": row.transaction, "done_at": done_at.isoformat(), "complete": arrived,
        "entries": said,
    }  # fmt: skip


def _visits(entries: Sequence[EntryRow]) -> Iterator[dict[str, Any]]:
    """One line for each visit: its records arrived where every one of them did."""
    for context in dict.fromkeys(each.context for each in entries):
        missing = [each for each in entries if each.context == context and each.state != EntryState.SENT]
        line: dict[str, Any] = {"context_reference": context, "arrived": not missing}
        if missing:
            line["code"] = missing[0].code or missing[0].state
        yield line


def _refused(row: TransferRow, held: Held | None) -> Iterator[dict[str, Any]]:
    """Where nothing was to be sent, each visit that the consent names, with the reason."""
    code = ENDED if held is not None and held.terms is None else NOTHING
    if row.reasons:
        code = row.reasons[0]["code"]
    for reference in dict.fromkeys(row.contexts):
        yield {"context_reference": reference, "arrived": False, "code": code}


async def held_of(tenant: UUID, row: TransferRow, rooms: Rooms) -> Held | None:
    """The consent that a request named, as it stands now."""
    if row.artefact is None:
        return None
    try:
        return await rooms.artefacts.held(await rooms.connections.clinic(tenant), row.artefact)
    except NotFound:
        return None


async def _reference(tenant: UUID, held: Held | None, rooms: Rooms) -> str | None:
    """The host's own reference of the patient, by which the report is found as one about them."""
    if held is None or held.row.subject is None:
        return None
    patient = await rooms.records.patient(tenant, held.row.subject)
    return None if patient is None else patient.reference


async def _give_up(tenant: UUID, row: TransferRow, rooms: Rooms) -> None:
    """The clinic hears of it: the network believes that nothing came."""
    log.error("transfer_unreported", transfer=row.id, attempts=row.reports + 1)
    notice = notices.NoticeRow(new_id(), rooms.clock(), UNREPORTED, row.connection, {"transfer": str(row.id)})
    async with rooms.store.tenant(tenant) as connection:
        await notices.add(connection, tenant, notice)
