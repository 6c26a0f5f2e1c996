"""Patients, visits and documents: sealed, found by what they are found by, frozen as they came, and no other clinic's."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from connectors.told import ContextName, Identifier, Proof, RecordKind
from gateway.app import House
from gateway.errors import Conflict, NotFound
from gateway.records import Context, Frozen, NewContext, NewPatient
from gateway.records.documents import opened_part
from gateway.vault import VaultError
from scopes.vocabulary import Category
from tests.gateway.house import Clinic, connected, entries_of

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MOBILE = Identifier(Proof.MOBILE, "+919812345678")
CONTENTS = (("MedicationRequest", Category.MEDICATION), ("Patient", Category.IDENTITY))
ADDRESS = Identifier(Proof.ADDRESS, "asha@abdm")


def patient(subject: str = "patient-1", *identifiers: Identifier, name: str = "Asha Rao") -> NewPatient:
    return NewPatient(subject=subject, name=name, gender="F", year_of_birth=1988, identifiers=identifiers)


def frozen(content: bytes = b'{"resourceType":"Bundle"}', kind: RecordKind = RecordKind.PRESCRIPTION) -> Frozen:
    return Frozen(kind, content, JUNE, JUNE + DAY, CONTENTS)


def visit(*documents: Frozen, subject: str = "patient-1", reference: str = "visit-1") -> NewContext:
    return NewContext(
        connector="net", subject=subject, reference=reference, display="Visit", documents=documents or (frozen(),)
    )


async def kept(house: House, clinic: Clinic, new: NewContext) -> Context:
    context, _ = await house.rooms.records.keep(clinic.actor, new)
    return context


async def names_of(house: House, clinic: Clinic, context: Context) -> list[ContextName]:
    found = await house.rooms.records.patient(clinic.tenant, context.subject)
    assert found is not None
    return [ContextName(found.network_reference, context.network_reference)]


async def test_whoever_registers_keeps_or_forgets_stands_in_the_log_without_a_value(
    house: House, clinic: Clinic
) -> None:
    rooms, before = house.rooms, len(await entries_of(house, clinic.tenant))
    standing = (await rooms.connections.present(clinic.tenant)).standing.version
    subject = (await rooms.records.register(clinic.actor, patient("patient-1", MOBILE))).subject
    context = await kept(house, clinic, visit())
    with pytest.raises(NotFound):
        await rooms.records.keep(clinic.actor, visit(subject="patient-2", reference="visit-2"))
    await rooms.records.forget(clinic.actor, subject)
    with pytest.raises(NotFound):
        await rooms.records.forget(clinic.actor, subject)
    fresh = (await entries_of(house, clinic.tenant))[before:]
    said = {"subject": str(subject)}
    assert [(each["what"], each["query"], each["count"]) for each in fresh] == [
        ("patient_registered", {**said, "found_by": ["mobile"]}, 1),
        ("visit_kept", {**said, "context": str(context.id), "connector": "net"}, 1),
        ("patient_forgotten", said, 1),
    ]
    assert {each["actor"]["id"] for each in fresh} == {clinic.actor.id}
    assert (await rooms.connections.present(clinic.tenant)).standing.version == standing, "no decision rests on it"


async def test_a_patient_is_found_by_each_identifier_in_any_spelling(house: House, clinic: Clinic) -> None:
    number = Identifier(Proof.NUMBER, "22722548294255")
    await house.rooms.records.register(clinic.actor, patient("patient-1", ADDRESS, number, MOBILE))
    for asked in (
        ADDRESS,
        Identifier(Proof.ADDRESS, " ASHA@abdm"),
        Identifier(Proof.NUMBER, "22-7225-4829-4255"),
        MOBILE,
    ):
        found = await house.rooms.records.known_by(clinic.tenant, asked)
        assert [each.reference for each in found] == ["patient-1"], asked.proof
    for asked in (Identifier(Proof.EMAIL, "asha@abdm"), Identifier(Proof.MOBILE, "+919812345679")):
        assert await house.rooms.records.known_by(clinic.tenant, asked) == []


async def test_a_family_shares_a_number_and_both_are_found(house: House, clinic: Clinic) -> None:
    await house.rooms.records.register(clinic.actor, patient("patient-1", MOBILE))
    await house.rooms.records.register(clinic.actor, patient("patient-2", MOBILE, name="Dev Rao"))
    found = await house.rooms.records.known_by(clinic.tenant, MOBILE)
    assert [each.name for each in found] == ["Asha Rao", "Dev Rao"]


async def test_a_registration_takes_the_place_of_the_one_before(house: House, clinic: Clinic) -> None:
    first = await house.rooms.records.register(clinic.actor, patient("patient-1", MOBILE))
    second = await house.rooms.records.register(clinic.actor, patient("patient-1", ADDRESS, name="Asha R."))
    assert (second.subject, second.registered_at) == (first.subject, first.registered_at)
    assert await house.rooms.records.known_by(clinic.tenant, MOBILE) == []
    assert [each.name for each in await house.rooms.records.known_by(clinic.tenant, ADDRESS)] == ["Asha R."]


async def test_a_patient_who_is_forgotten_is_found_no_more(house: House, clinic: Clinic) -> None:
    made = await house.rooms.records.register(clinic.actor, patient("patient-1", MOBILE))
    context = await kept(house, clinic, visit())
    names = await names_of(house, clinic, context)
    await house.rooms.records.forget(clinic.actor, made.subject)
    assert await house.rooms.records.known_by(clinic.tenant, MOBILE) == []
    assert await documents(house, clinic, names) == []
    with pytest.raises(NotFound):
        await house.rooms.records.forget(clinic.actor, made.subject)


async def documents(
    house: House, clinic: Clinic, names: list[ContextName], kinds: set[RecordKind] | None = None, at: datetime = JUNE
) -> list[UUID]:
    wanted = frozenset(RecordKind) if kinds is None else frozenset(kinds)
    return [each.id for each in await house.rooms.records.documents(clinic.tenant, names, wanted, at, at)]


async def test_what_was_kept_is_what_is_read_however_long(house: House, clinic: Clinic) -> None:
    await house.rooms.records.register(clinic.actor, patient())
    content = b"".join(hashlib.sha256(number.to_bytes(4)).digest() for number in range(40_000))  # five parts
    context = await kept(house, clinic, visit(frozen(content)))
    [record] = await documents(house, clinic, await names_of(house, clinic, context))
    known = await house.rooms.connections.clinic(clinic.tenant)
    chunks = [chunk async for chunk in house.rooms.records.chunks(known, record)]
    assert len(chunks) == 5
    assert b"".join(chunks) == content
    [row] = await house.rooms.records.documents_of(clinic.tenant, context.id)
    assert (row.length, row.sha256) == (len(content), hashlib.sha256(content).digest())
    assert row.md5 == hashlib.md5(content, usedforsecurity=False).hexdigest()


async def test_what_a_document_holds_is_kept_beside_it(house: House, clinic: Clinic) -> None:
    await house.rooms.records.register(clinic.actor, patient())
    names = await names_of(house, clinic, await kept(house, clinic, visit()))
    [found] = await house.rooms.records.documents(clinic.tenant, names, frozenset(RecordKind), JUNE, JUNE)
    assert found.contents == CONTENTS
    assert found.categories == {Category.MEDICATION, Category.IDENTITY}


async def test_a_part_opens_in_its_own_place_only(house: House, clinic: Clinic) -> None:
    await house.rooms.records.register(clinic.actor, patient())
    context = await kept(house, clinic, visit(frozen(b"x" * 600_000)))
    [record] = await documents(house, clinic, await names_of(house, clinic, context))
    known = await house.rooms.connections.clinic(clinic.tenant)
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        sealed = await connection.fetchval("SELECT sealed FROM record_parts WHERE record = $1 AND number = 1", record)
    assert opened_part(known, record, 1, sealed) == b"x" * (1 << 18)
    for moved in ((record, 0), (uuid4(), 1)):
        with pytest.raises(VaultError):
            opened_part(known, *moved, sealed)


async def test_documents_are_chosen_by_visit_kind_and_time(house: House, clinic: Clinic) -> None:
    await house.rooms.records.register(clinic.actor, patient())
    report = frozen(b'{"a":1}', RecordKind.DIAGNOSTIC_REPORT)
    context = await kept(house, clinic, visit(frozen(), report))
    await kept(house, clinic, visit(frozen(b'{"b":1}'), reference="visit-2"))
    names = await names_of(house, clinic, context)
    assert len(await documents(house, clinic, names)) == 2
    assert len(await documents(house, clinic, names, {RecordKind.DIAGNOSTIC_REPORT})) == 1
    assert await documents(house, clinic, names, {RecordKind.INVOICE}) == []
    assert len(await documents(house, clinic, names, at=JUNE + DAY)) == 2
    for outside in (JUNE - timedelta(seconds=1), JUNE + DAY + timedelta(seconds=1)):
        assert await documents(house, clinic, names, at=outside) == []


async def test_a_visit_named_with_another_patients_reference_is_none(house: House, clinic: Clinic) -> None:
    await house.rooms.records.register(clinic.actor, patient())
    await house.rooms.records.register(clinic.actor, patient("patient-2"))
    first = await kept(house, clinic, visit())
    second = await kept(house, clinic, visit(subject="patient-2", reference="visit-2"))
    [theirs] = await names_of(house, clinic, second)
    mixed = ContextName(theirs.patient, first.network_reference)
    for name in (mixed, ContextName(theirs.patient, "visit-1"), ContextName("patient-1", first.network_reference)):
        assert await documents(house, clinic, [name]) == []
    assert len(await documents(house, clinic, [theirs, mixed])) == 1


async def test_the_same_document_is_kept_once_and_a_new_one_is_added(house: House, clinic: Clinic) -> None:
    await house.rooms.records.register(clinic.actor, patient())
    first, added = await house.rooms.records.keep(clinic.actor, visit())
    again, nothing = await house.rooms.records.keep(clinic.actor, visit())
    more, one = await house.rooms.records.keep(clinic.actor, visit(frozen(), frozen(b"{}", RecordKind.INVOICE)))
    assert (first.id, len(added), nothing) == (again.id, 1, [])
    assert (more.id, len(one), more.kinds) == (first.id, 1, (RecordKind.PRESCRIPTION, RecordKind.INVOICE))


async def test_a_reference_belongs_to_one_patient(house: House, clinic: Clinic) -> None:
    await house.rooms.records.register(clinic.actor, patient())
    await house.rooms.records.register(clinic.actor, patient("patient-2"))
    await kept(house, clinic, visit())
    with pytest.raises(Conflict):
        await kept(house, clinic, visit(subject="patient-2"))
    with pytest.raises(NotFound):
        await kept(house, clinic, visit(subject="nobody", reference="visit-9"))


async def test_a_document_cannot_be_changed_by_whoever_asks_the_database(house: House, clinic: Clinic) -> None:
    await house.rooms.records.register(clinic.actor, patient())
    await kept(house, clinic, visit())
    for statement in (
        "UPDATE records SET md5 = ''",
        "UPDATE record_parts SET sealed = ''",
        "UPDATE care_contexts SET sealed = ''",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with house.rooms.store.tenant(clinic.tenant) as connection:
                await connection.execute(statement)


async def test_nothing_that_says_who_somebody_is_can_be_read_in_the_rows(house: House, clinic: Clinic) -> None:
    await house.rooms.records.register(clinic.actor, patient("patient-1", ADDRESS, MOBILE))
    await kept(house, clinic, visit(frozen(b'{"drug":"amlodipine"}')))
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        rows = [
            str(row)
            for table in ("patients", "patient_keys", "care_contexts", "records", "record_parts")
            for row in await connection.fetch(f"SELECT x::text, encode(x::text::bytea, 'escape') FROM {table} x")
        ]
    everything = "".join(rows)
    said = ("Asha", "asha@abdm", "98123", "amlodipine", "visit-1", "patient-1", "Visit")
    hidden = [word for word in said if word in everything or word.encode().hex() in everything]
    assert hidden == []


async def test_another_clinic_finds_nothing_of_it(house: House, clinic: Clinic) -> None:
    made = await house.rooms.records.register(clinic.actor, patient("patient-1", ADDRESS))
    context = await kept(house, clinic, visit())
    names = await names_of(house, clinic, context)
    other = await connected(house)
    assert await house.rooms.records.known_by(other.tenant, ADDRESS) == []
    assert await house.rooms.records.patient(other.tenant, made.subject) is None
    assert await documents(house, other, names) == []
    assert await house.rooms.records.page(other.tenant, after=None, limit=10) == []
    with pytest.raises(NotFound):
        await house.rooms.records.context(other.tenant, context.id)
    same = await house.rooms.records.register(other.actor, patient("patient-1", ADDRESS))
    assert same.network_reference != made.network_reference
