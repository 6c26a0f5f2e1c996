"""Take note of a patient's consent at a network, or of its end; and let go of those whose time is over."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final
from uuid import UUID

from connectors.told import Artefact, ArtefactStatus, ConsentTold, Identifier, Proof, Setback
from gateway.calls import Actor
from gateway.errors import NotFound
from gateway.flows.network.heard import Heard
from gateway.flows.network.insisting import insist, purpose_for
from gateway.flows.network.letters import as_it_came
from gateway.flows.network.pushing import PUSH_SECONDS
from gateway.flows.network.releasing import ACTION
from gateway.flows.network.telling import Word
from gateway.flows.rooms import Rooms
from gateway.log import Log
from gateway.network.artefacts import NewArtefact, purpose_of
from gateway.store import artefacts as rows
from gateway.store import disclosures

log = Log("gateway.artefacts")

_MOST_ENDED: Final = 1_000
_LOOK_SECONDS: Final = 0.05
_LOOKS: Final = round(PUSH_SECONDS / _LOOK_SECONDS)


async def told(heard: Heard, told: ConsentTold, rooms: Rooms) -> None:
    """Keep a consent, or end it, and tell the network so. Told twice it is kept once; an end that comes first stays an end.

    What ends it is in force for every intent that is not yet written; the network is told so once nothing is on its way any
    more that had its intent before. Raises NotTaken where the network does not take the
    answer, so that the letter comes again.
    """
    actor = Actor("system", "network", heard.tenant, ())
    problem: str | None = None
    if told.status is not ArtefactStatus.GRANTED:
        await rooms.artefacts.end(actor, heard.connector, told.consent, told.status)
        await _stillness(heard, told.consent, rooms)
    elif told.artefact is None or told.artefact.id != told.consent:
        problem = str(Setback.CONSENT_UNREADABLE)
    else:
        await _grant(actor, heard, told.artefact, rooms)
    await _answer(heard, told, problem, rooms)


async def end_overdue(rooms: Rooms) -> int:
    """Let every consent expire whose time is over; says how many. For the schedule: decisions look at the time themselves."""
    async with rooms.store.nobody() as connection:
        found = await rows.ended(connection, rooms.clock(), _MOST_ENDED)
    for each in found:
        await rooms.artefacts.expire(each.tenant, each.id)
    return len(found)


async def _grant(actor: Actor, heard: Heard, artefact: Artefact, rooms: Rooms) -> None:
    subject = await _subject(heard.tenant, artefact, rooms)
    letter = await as_it_came(heard, rooms)
    consent = await rooms.artefacts.grant(actor, NewArtefact(heard.connector, letter, artefact, subject))
    log.info("artefact_kept", consent=consent)


async def _stillness(heard: Heard, consent: str, rooms: Rooms) -> None:
    """Wait until no record of the subject's is on its way any more, for as long as one may be."""
    begun = rooms.clock() - timedelta(seconds=PUSH_SECONDS)
    for _ in range(_LOOKS):
        async with rooms.store.tenant(heard.tenant) as session:
            row = await rows.under(session, heard.tenant, heard.connector, consent)
            if row is None or row.subject is None:
                return
            deed = disclosures.Deed(heard.connector, ACTION, row.subject)
            if not await disclosures.is_under_way(session, heard.tenant, deed, begun):
                return
        await asyncio.sleep(_LOOK_SECONDS)


async def _subject(tenant: UUID, artefact: Artefact, rooms: Rooms) -> UUID:
    """Whose consent it is: the patient whose visits it names, else whoever has that address.

    One of whom nothing lies here gets a pseudonym all the same: nothing can be released under such a consent.
    """
    for name in artefact.contexts:
        try:
            return (await rooms.records.context(tenant, UUID(name.reference))).subject
        except (NotFound, ValueError):
            continue
    known = await rooms.records.known_by(tenant, Identifier(Proof.ADDRESS, artefact.address))
    if len(known) == 1:
        return known[0].subject
    clinic = await rooms.connections.clinic(tenant)
    return await rooms.subjects.pseudonym(tenant, f"network|{artefact.address.lower()}", keyed=clinic)


async def _answer(heard: Heard, told: ConsentTold, problem: str | None, rooms: Rooms) -> None:
    purpose = purpose_of(told.artefact.purpose) if told.artefact is not None else None
    payload = {"answers": heard.request_id, "consent": told.consent}
    if problem is not None:
        payload["problem"] = problem
    word = Word("answer_consent", payload, purpose_for(heard.connector, "answer_consent", purpose, rooms))
    await insist(heard.tenant, heard.connector, word, rooms, key=f"consent {heard.connection} {heard.request_id}")
