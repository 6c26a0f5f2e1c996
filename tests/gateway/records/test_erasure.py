"""A subject is erased: nothing that lies here of theirs is left, whatever is under way, and nothing of anybody else is gone."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from gateway.app import House
from gateway.errors import NotFound
from gateway.ids import new_id
from gateway.store import links
from tests.gateway.house import Clinic
from tests.gateway.records.test_records import ADDRESS, MOBILE, documents, frozen, kept, names_of, patient, visit

OF_SUBJECTS = (
    "patients", "patient_keys", "care_contexts", "links", "link_tokens", "link_attempts", "network_requests",
)  # fmt: skip
OF_DOCUMENTS = ("records", "record_parts")


async def lived(house: House, clinic: Clinic, subject: str) -> UUID:
    """A patient with visits, of which one is linked, one asked for, and one looked for by the patient."""
    rooms, tenant = house.rooms, clinic.tenant
    who = (await rooms.records.register(clinic.actor, patient(subject, ADDRESS, MOBILE))).subject
    large = frozen(b"x" * 600_000)
    first = await kept(house, clinic, visit(frozen(), large, subject=subject, reference=f"{subject}-1"))
    second = await kept(house, clinic, visit(subject=subject, reference=f"{subject}-2"))
    now: datetime = rooms.clock()
    lasts = (now, now + timedelta(days=1))
    async with rooms.store.tenant(tenant) as session:
        await links.want(session, tenant, [links.LinkRow(each.id, who, "wanted", [], now) for each in (first, second)])
        await links.put_token(session, tenant, "net", who, b"sealed", lasts)
        await links.ask(session, tenant, links.RequestRow(new_id(), "net", "link", who, [first.id], 1, now, now))
        shown = links.AttemptRow(
            new_id(), "net", str(new_id()), who, b"hashed", [second.id], "shown", None, 0, now, lasts[1]
        )
        await links.attempt(session, tenant, shown)
    return who


async def left(house: House, clinic: Clinic, subject: UUID) -> dict[str, int]:
    """How many rows of each table are a subject's, and of the tables of documents how many there are in all."""
    async with house.rooms.store.tenant(clinic.tenant) as session:
        counts = {
            table: await session.fetchval(f"SELECT count(*) FROM {table} WHERE subject = $1", subject)
            for table in OF_SUBJECTS
        }
        return {**counts, **{each: await session.fetchval(f"SELECT count(*) FROM {each}") for each in OF_DOCUMENTS}}


async def erased(house: House, clinic: Clinic, subject: UUID) -> int:
    async with house.rooms.store.tenant(clinic.tenant) as session:
        return await house.rooms.records.erase_within(session, clinic.tenant, subject)


async def test_nothing_of_a_subject_is_left_and_all_of_another_is(house: House, clinic: Clinic) -> None:
    gone, stays = [await lived(house, clinic, each) for each in ("patient-1", "patient-2")]
    before = await left(house, clinic, gone)
    assert min(before.values()) > 0, "each table has something of them"
    assert before["record_parts"] == 2 * 5
    others = await left(house, clinic, stays)
    assert await erased(house, clinic, gone) == 2
    assert await left(house, clinic, gone) == {**dict.fromkeys(OF_SUBJECTS, 0), "records": 3, "record_parts": 5}
    assert await left(house, clinic, stays) == {**others, "records": 3, "record_parts": 5}
    assert await erased(house, clinic, gone) == 0, "erased twice it is erased"


async def test_every_table_of_records_that_names_a_subject_is_among_those_that_are_looked_at(
    house: House, clinic: Clinic
) -> None:
    """A table that somebody adds for patients, visits or links is erased too, or named here with what erases it."""
    async with house.rooms.store.tenant(clinic.tenant) as session:
        found = await session.fetch(
            "SELECT table_name FROM information_schema.columns WHERE column_name = 'subject' AND table_schema = 'public'"
        )
    about = ("patient", "care_", "link", "record", "network_")
    assert {row[0] for row in found if row[0].startswith(about)} == set(OF_SUBJECTS)


async def test_an_erasure_that_is_rolled_back_erased_nothing(house: House, clinic: Clinic) -> None:
    subject = await lived(house, clinic, "patient-1")
    before = await left(house, clinic, subject)
    with pytest.raises(ZeroDivisionError):
        async with house.rooms.store.tenant(clinic.tenant) as session:
            await house.rooms.records.erase_within(session, clinic.tenant, subject)
            raise ZeroDivisionError
    assert await left(house, clinic, subject) == before


async def test_a_document_that_is_gone_is_found_and_read_no_more(house: House, clinic: Clinic) -> None:
    await house.rooms.records.register(clinic.actor, patient())
    context = await kept(house, clinic, visit())
    names = await names_of(house, clinic, context)
    [record] = await documents(house, clinic, names)
    await erased(house, clinic, context.subject)
    assert await documents(house, clinic, names) == []
    known = await house.rooms.connections.clinic(clinic.tenant)
    assert [chunk async for chunk in house.rooms.records.chunks(known, record)] == []
    with pytest.raises(NotFound):
        await house.rooms.records.context(clinic.tenant, context.id)


async def test_a_visit_that_is_handed_over_meanwhile_leaves_nothing(house: House, clinic: Clinic) -> None:
    """It waits for the erasure, and then finds nobody registered."""
    rooms, tenant = house.rooms, clinic.tenant
    subject = await lived(house, clinic, "patient-1")
    async with rooms.store.tenant(tenant) as session:
        await rooms.records.erase_within(session, tenant, subject)
        late = asyncio.create_task(kept(house, clinic, visit(reference="visit-9")))
        await asyncio.sleep(0.3)
        assert not late.done(), "it waits"
    with pytest.raises(NotFound):
        await late
    assert await left(house, clinic, subject) == dict.fromkeys((*OF_SUBJECTS, *OF_DOCUMENTS), 0)
