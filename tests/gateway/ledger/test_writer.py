"""Appending to the ledger on a real PostgreSQL: order, races, outages. What entries mean is tested with the flows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from gateway.errors import LedgerUnavailable, NotFound, OutcomeUnrecorded
from gateway.ids import new_id
from gateway.ledger.entry import parse
from gateway.ledger.merkle import leaf_hash, root_of
from gateway.ledger.writer import Draft, KeyTaken, StandingChanged, Writer, append_beside, append_within, end_of
from gateway.store import entries, tenants
from gateway.store import ledger as rows
from gateway.store.pool import Store


def access(tenant: UUID, **given: object) -> Draft:
    """The simplest entry there is."""
    fields = {"v": 1, "actor": {"kind": "system", "id": "test"}, "what": "nothing"}
    return Draft(tenant, "access", datetime.now(UTC), fields, **given)  # type: ignore[arg-type]


def keyed(tenant: UUID, key: bytes) -> Draft:
    """An entry whose disclosure has an Idempotency-Key."""
    at, disclosure = datetime.now(UTC), new_id()
    row = rows.DisclosureRow(
        tenant, disclosure, at, "c", "a", disclosure, "r", "TREAT", ["billing"], None, "x", b"", key, b"body"
    )
    return access(tenant, disclosure=row)


@pytest.fixture
async def clinic(store: Store) -> UUID:
    """A tenant with an empty log."""
    tenant = new_id()
    async with store.tenant(tenant) as connection:
        await tenants.add(connection, tenant, "a clinic")
    return tenant


@pytest.fixture
async def writer(store: Store) -> AsyncIterator[Writer]:
    """A writer that is running."""
    writer = Writer(store)
    await writer.start()
    yield writer
    await writer.stop()


async def stored(store: Store, tenant: UUID) -> list[tuple[bytes, bytes]]:
    """Everything in a tenant's log."""
    async with store.tenant(tenant) as connection:
        return await entries.stored(connection, tenant, 0, 1_000_000)


async def check_log(store: Store, tenant: UUID, size: int) -> None:
    """Gapless indexes, leaves of the stored bytes, and a head that is the root over them."""
    found = await stored(store, tenant)
    assert [parse(body)["index"] for body, _ in found] == list(range(size))
    assert [leaf_hash(body) for body, _ in found] == [leaf for _, leaf in found]
    async with store.tenant(tenant) as connection:
        head = await rows.head(connection, tenant)
        assert head is not None
        nodes = await entries.nodes(connection, tenant, 8, (0, size >> 8))
    assert head.size == size
    assert end_of(head).root() == root_of(leaf for _, leaf in found)
    assert nodes == [root_of(leaf for _, leaf in found[at : at + 256]) for at in range(0, size - size % 256, 256)]


async def test_what_waits_together_goes_down_in_few_commits_with_gapless_indexes(
    store: Store, writer: Writer, clinic: UUID
) -> None:
    appended = await asyncio.gather(*(writer.append(access(clinic)) for _ in range(600)))
    assert [each.index for each in appended] == list(range(600))
    assert writer.commits <= 3
    await check_log(store, clinic, 600)


async def test_two_writers_on_one_log_never_fork_it(store: Store, writer: Writer, clinic: UUID) -> None:
    other = Writer(store)
    await other.start()

    async def append(through: Writer) -> None:
        for _ in range(20):
            await through.append(access(clinic))

    await asyncio.gather(*(append(through) for through in (writer, other) for _ in range(16)))
    await other.stop()
    await check_log(store, clinic, 640)


async def test_two_writers_on_many_logs_never_deadlock(store: Store, writer: Writer) -> None:
    clinics = [new_id() for _ in range(8)]
    for tenant in clinics:
        async with store.tenant(tenant) as connection:
            await tenants.add(connection, tenant, "one of many")
    other = Writer(store)
    await other.start()

    async def append(through: Writer, start: int) -> None:
        for turn in range(25):
            await through.append(access(clinics[(start + turn) % len(clinics)]))

    await asyncio.gather(*(append(through, start) for through in (writer, other) for start in range(16)))
    await other.stop()
    for tenant in clinics:
        await check_log(store, tenant, 100)


async def test_an_entry_decided_on_an_old_standing_is_not_written(store: Store, writer: Writer, clinic: UUID) -> None:
    await writer.append(access(clinic, decided_on=1))
    async with store.tenant(clinic) as connection:
        _, standing = await append_within(connection, access(clinic))
    assert standing == 2
    with pytest.raises(StandingChanged):
        await writer.append(access(clinic, decided_on=1))
    await writer.append(access(clinic, decided_on=2))
    await check_log(store, clinic, 3)


async def test_an_entry_of_a_change_that_no_decision_rests_on_lets_those_that_were_decided_be_written(
    store: Store, writer: Writer, clinic: UUID
) -> None:
    await writer.append(access(clinic, decided_on=1))
    async with store.tenant(clinic) as connection:
        assert (await append_beside(connection, access(clinic))).index == 1
    await writer.append(access(clinic, decided_on=1))
    with pytest.raises(RuntimeError, match="changed my mind"):
        async with store.tenant(clinic) as connection:
            await append_beside(connection, access(clinic))
            raise RuntimeError("changed my mind")
    with pytest.raises(NotFound):
        async with store.tenant(uuid4()) as connection:
            await append_beside(connection, access(uuid4()))
    await check_log(store, clinic, 3)


async def test_a_stale_entry_does_not_hold_up_those_beside_it(store: Store, writer: Writer, clinic: UUID) -> None:
    drafts = [access(clinic, decided_on=standing) for standing in (1, 7, 1)]
    results = await asyncio.gather(*(writer.append(draft) for draft in drafts), return_exceptions=True)
    assert [type(result).__name__ for result in results] == ["Appended", "StandingChanged", "Appended"]
    await check_log(store, clinic, 2)


async def test_a_change_that_is_rolled_back_leaves_no_entry(store: Store, writer: Writer, clinic: UUID) -> None:
    with pytest.raises(RuntimeError, match="changed my mind"):
        async with store.tenant(clinic) as connection:
            await append_within(connection, access(clinic))
            raise RuntimeError("changed my mind")
    await writer.append(access(clinic, decided_on=1))
    await check_log(store, clinic, 1)


async def test_a_taken_key_is_told_and_the_others_of_the_batch_are_written(
    store: Store, writer: Writer, clinic: UUID
) -> None:
    await writer.append(keyed(clinic, b"first"))
    drafts = [access(clinic), keyed(clinic, b"first"), keyed(clinic, b"second"), keyed(clinic, b"second")]
    results = await asyncio.gather(*(writer.append(draft) for draft in drafts), return_exceptions=True)
    assert [type(result) for result in results].count(KeyTaken) == 2
    await check_log(store, clinic, 3)


async def test_an_entry_for_no_tenant_is_refused_and_the_writer_goes_on(
    store: Store, writer: Writer, clinic: UUID
) -> None:
    with pytest.raises(NotFound):
        await writer.append(access(uuid4()))
    await writer.append(access(clinic))
    await check_log(store, clinic, 1)


async def test_an_entry_that_cannot_be_encoded_fails_alone(store: Store, writer: Writer, clinic: UUID) -> None:
    broken = access(clinic)
    broken.fields["count"] = 1.5
    results = await asyncio.gather(
        *(writer.append(draft) for draft in (access(clinic), broken, access(clinic))), return_exceptions=True
    )
    assert [type(result).__name__ for result in results] == ["Appended", "EntryError", "Appended"]
    await check_log(store, clinic, 2)


async def test_a_cut_connection_refuses_what_waits_and_recovers_by_itself(
    store: Store, writer: Writer, clinic: UUID, dsn: str
) -> None:
    await writer.append(access(clinic))
    await _cut_ledger_connections(dsn)
    outcome = access(clinic, must_land=True)
    lost, landed = await asyncio.gather(writer.append(access(clinic)), writer.append(outcome), return_exceptions=True)
    assert isinstance(lost, LedgerUnavailable)
    assert not isinstance(landed, BaseException)
    await writer.append(access(clinic))
    await check_log(store, clinic, 3)


async def test_an_outcome_whose_caller_was_told_to_wait_no_longer_is_written_all_the_same(
    store: Store, writer: Writer, clinic: UUID, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.ledger.writer.PATIENCE_SECONDS", -1.0)
    await writer.append(access(clinic))
    await _cut_ledger_connections(dsn)
    with pytest.raises(OutcomeUnrecorded):
        await writer.append(access(clinic, must_land=True))
    async with asyncio.timeout(10):
        while len(await stored(store, clinic)) < 2:
            await asyncio.sleep(0.02)
    await check_log(store, clinic, 2)


async def test_entries_cannot_be_changed_or_deleted_by_the_gateways_role(
    store: Store, writer: Writer, clinic: UUID
) -> None:
    await writer.append(access(clinic))
    for statement in ("UPDATE entries SET kind = 'key'", "DELETE FROM entries", "TRUNCATE entries"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with store.tenant(clinic) as connection:
                await connection.execute(statement)


async def test_entries_cannot_be_changed_by_the_owner_either(writer: Writer, clinic: UUID, dsn: str) -> None:
    await writer.append(access(clinic))
    owner = await asyncpg.connect(dsn)
    try:
        for statement in ("UPDATE entries SET kind = 'key'", "DELETE FROM entries", "TRUNCATE entries"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="insert-only"):
                await owner.execute(statement)
    finally:
        await owner.close()


async def _cut_ledger_connections(dsn: str) -> None:
    owner = await asyncpg.connect(dsn)
    try:
        await owner.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE application_name = 'clinic-gateway ledger' AND datname = current_database()"
        )
    finally:
        await owner.close()


async def waiting_delivery(store: Store, tenant: UUID) -> UUID:
    """A delivery that has not been tried."""
    delivery = new_id()
    async with store.tenant(tenant) as connection:
        await connection.execute(
            "INSERT INTO deliveries (tenant, id, event, endpoint, state, next_at) VALUES ($1, $2, $2, $2, 'waiting', now())",
            tenant,
            delivery,
        )
    return delivery


def settling(tenant: UUID, delivery: UUID, **given: object) -> Draft:
    """An entry that settles a delivery."""
    at = datetime.now(UTC)
    row = rows.SettlementRow(tenant, delivery, 1, at, 12, "accepted", 204, None, new_id(), "delivered", at, 1)
    return access(tenant, settlement=row, **given)


async def test_a_delivery_is_settled_with_the_entry_that_says_so(store: Store, clinic: UUID, writer: Writer) -> None:
    delivery = await waiting_delivery(store, clinic)
    await writer.append(settling(clinic, delivery))
    async with store.tenant(clinic) as connection:
        row = await connection.fetchrow("SELECT state, attempts, round, status FROM deliveries WHERE id = $1", delivery)
        attempts = await connection.fetch("SELECT number, outcome, status FROM attempts WHERE delivery = $1", delivery)
    assert tuple(row) == ("delivered", 1, 1, 204)
    assert [tuple(attempt) for attempt in attempts] == [(1, "accepted", 204)]


async def test_a_delivery_is_not_settled_when_its_entry_is_not_written(
    store: Store, clinic: UUID, writer: Writer
) -> None:
    delivery = await waiting_delivery(store, clinic)
    with pytest.raises(StandingChanged):
        await writer.append(settling(clinic, delivery, decided_on=7))
    async with store.tenant(clinic) as connection:
        assert await connection.fetchval("SELECT state FROM deliveries WHERE id = $1", delivery) == "waiting"
        assert await connection.fetchval("SELECT count(*) FROM attempts WHERE delivery = $1", delivery) == 0
