"""What the database itself keeps apart: a person's own, nobody's, and what an auditor's transaction can do."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from gateway.app import House
from gateway.calls import Actor
from gateway.people import Role
from gateway.people.sessions import Opening, new_token
from gateway.store import people as rows
from gateway.store.errors import StoreUnavailable
from tests.gateway.house import Clinic, connected

OWN = ("people", "credentials", "passkeys", "recovery_codes", "sessions")


async def person_of(house: House, clinic: Clinic, name: str) -> UUID:
    """A person with a row in each table of a person's own."""
    people = house.rooms.people
    person = await people.accounts.create(name, email=f"{new_token()[:12].lower()}@clinic.example")
    await people.accounts.join(Actor("system", "test", clinic.tenant, ()), person, Role.SUPPORT)
    await people.sessions.open(Opening(person=person, tenant=clinic.tenant, role=Role.SUPPORT, via="link", device="x"))
    await people.recovery.renew(person)
    now = datetime.now(UTC)
    async with house.rooms.store.person(person) as connection:
        row = rows.PasskeyRow(person, person.bytes, b"public", 0, "key", now)
        await rows.add_passkey(connection, person, row)
    return person


async def test_a_transaction_sees_the_own_of_the_person_it_names_and_nobody_elses(house: House, clinic: Clinic) -> None:
    first, second = await person_of(house, clinic, "Ada"), await person_of(house, clinic, "Ben")
    store = house.rooms.store
    for table in OWN:
        async with store.person(first) as connection:
            seen = {row[0] for row in await connection.fetch(f"SELECT DISTINCT person FROM {table}")}
            assert seen == {first}, table
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with connection.transaction():
                    await connection.execute(
                        f"INSERT INTO {table} SELECT (jsonb_populate_record(x, jsonb_build_object('person', $1::text))).* "
                        f"FROM {table} x LIMIT 1",
                        str(second),
                    )
        async with store.nobody() as connection:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
        async with store.tenant(clinic.tenant) as connection:
            count = await connection.fetchval(f"SELECT count(*) FROM {table}")
            assert count == (2 if table == "people" else 0), table  # colleagues are known by name, and no more


async def test_colleagues_of_another_clinic_are_not_seen(house: House, clinic: Clinic) -> None:
    await person_of(house, clinic, "Ada")
    other = await connected(house)
    async with house.rooms.store.tenant(other.tenant) as connection:
        assert await connection.fetchval("SELECT count(*) FROM people") == 0


@pytest.mark.parametrize("table", ["challenges", "throttles"])
async def test_what_is_nobodys_is_reached_by_functions_only(house: House, table: str) -> None:
    for statement in (f"SELECT * FROM {table}", f"DELETE FROM {table}"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with house.rooms.store.nobody() as connection:
                await connection.execute(statement)


async def test_an_auditors_transaction_reads_its_own_clinic_and_changes_nothing(house: House, clinic: Clinic) -> None:
    store, other = house.rooms.store, await connected(house)
    async with store.reading(clinic.tenant) as connection:
        assert await connection.fetchval("SELECT current_user::text") == "gateway_auditor"
        assert await connection.fetchval("SELECT count(*) FROM entries") >= 1
        tenants = await connection.fetch("SELECT DISTINCT tenant FROM entries UNION SELECT tenant FROM heads")
        assert {row[0] for row in tenants} == {clinic.tenant}
        assert await connection.fetch("SELECT 1 FROM entries WHERE tenant = $1", other.tenant) == []
    async with store.tenant(clinic.tenant) as connection:
        assert await connection.fetchval("SELECT current_user::text") == "gateway_request"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO tenants (tenant, name) VALUES (gen_random_uuid(), 'x')",
        "UPDATE heads SET size = 0",
        "DELETE FROM entries",
        "UPDATE disclosures SET subject = NULL",
        "SELECT credential FROM connections",
        "SELECT evidence FROM consents",
        "SELECT * FROM data_keys",
        "SELECT * FROM api_keys",
        "SELECT * FROM sessions",
        "SELECT * FROM credentials",
        "SELECT * FROM people",
        "SELECT * FROM events",
        "SELECT * FROM endpoint_secrets",
    ],
)
async def test_an_auditors_role_may_not(house: House, clinic: Clinic, statement: str) -> None:
    """By its own rights, not only because its transactions are declared read-only."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with house.rooms.store.tenant(clinic.tenant) as connection:
            await connection.execute("SET LOCAL ROLE gateway_auditor")
            await connection.execute(statement)


async def test_an_auditors_transaction_is_read_only_too(house: House, clinic: Clinic) -> None:
    with pytest.raises((asyncpg.ReadOnlySQLTransactionError, StoreUnavailable)):
        async with house.rooms.store.reading(clinic.tenant) as connection:
            await connection.execute("CREATE TEMPORARY TABLE t (a int)")
