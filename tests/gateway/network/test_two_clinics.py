"""Two clinics on one bridge: whatever is sent for one, no row of the other is touched. Compared over every table there is."""

from __future__ import annotations

import itertools
import random
from typing import Any

import asyncpg
import httpx2
import orjson
import pytest

from connectors.told import ConsentTold, Linked, RecordsWanted
from gateway.calls import Call
from gateway.flows.broker import broker
from gateway.flows.network.heard import Heard
from gateway.flows.network.reading import read_letter
from gateway.flows.network.telling import Word, tell
from gateway.flows.rooms import Rooms
from scopes.vocabulary import ConnectionState, Purpose
from tests.gateway.house import Clinic
from tests.gateway.network.conftest import OpenMore
from tests.gateway.network.house import NETWORK, Bridge
from tests.gateway.network.office import post

LETTERS = 300
OURS, THEIRS = "IN01", "IN02"
PATHS = (*("/consents", "/linked", "/wanted") * 4, "/other", "", "/../hooks", "//consents", "/consents/%2e%2e/linked")


async def _answer(heard: Heard, _told: Any, rooms: Rooms) -> None:
    """A taker that answers, as all of them do: it leaves rows in the clinic's ledger."""
    word = Word("answer", {"answers": heard.request_id}, Purpose.TREAT)
    await tell(heard.tenant, heard.connector, word, rooms, key=f"letter:{heard.request_id}")


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind is answered."""
    takers = dict.fromkeys((ConsentTold, Linked, RecordsWanted), _answer)
    monkeypatch.setattr("gateway.flows.network.reading.TAKERS", takers)


async def _rows_of(owner: asyncpg.Connection, clinic: Clinic) -> dict[str, list[str]]:
    """Every row of every table that is a tenant's own, or mentions it."""
    tables = await owner.fetch(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'tenant'"
    )
    found = {}
    for row in tables:
        name = row["table_name"]
        rows = await owner.fetch(f"SELECT x::text FROM {name} x WHERE tenant::text = $1", str(clinic.tenant))
        found[name] = sorted(str(each[0]) for each in rows)
    queued = await owner.fetch("SELECT payload FROM pgqueuer")
    found["pgqueuer"] = sorted(
        bytes(row[0]).decode() for row in queued if str(clinic.tenant).encode() in bytes(row[0] or b"")
    )
    return found


def _mentions(chance: random.Random, other: Clinic, repeated: str) -> bytes:
    """A body that names the other clinic's facility, tenant, connection and letters wherever it can."""
    words = [THEIRS, str(other.tenant), str(other.connection.id), repeated, "", "\u0000", "x" * 500]
    said: Any = chance.choice(
        [
            {"consent": chance.choice(words), "facility-id": THEIRS, "tenant": str(other.tenant)},
            {"consent": chance.choice(words), "to": chance.choice(words), "connection": str(other.connection.id)},
            {"to": chance.choice(words), "hip": {"id": THEIRS}},
            [chance.choice(words)],
            chance.choice(words),
            None,
        ]
    )
    body = orjson.dumps(said)
    return chance.choice([body, body, body, body[: chance.randrange(len(body) + 1)], chance.randbytes(60)])


async def _fuzzed(
    bridge: Bridge, network: httpx2.AsyncClient, chance: random.Random, other: Clinic, repeated: str
) -> int:
    """Send one letter for the first clinic, or one that wants to be the other's without being proved to be."""
    office = bridge.office
    request_id = chance.choice(
        [None, None, None, None, repeated, f"{repeated}-{other.tenant}", str(other.connection.id)]
    )
    kind = chance.randrange(6)
    headers = office.headers(OURS, request_id=request_id, age_seconds=chance.choice([0, 1300, 2900, 4000]))
    if kind == 1:  # the other's facility, and a signature of nobody's
        headers = office.headers(THEIRS, request_id=request_id, key=office.strangers)
    elif kind == 2:  # a name that looks like it
        account = chance.choice([f"{THEIRS}_1", f" {THEIRS}", f"{THEIRS},{OURS}", THEIRS.lower(), f"{OURS}\t{THEIRS}"])
        headers = office.headers(account.strip() if account != f" {THEIRS}" else f"x{account}", request_id=request_id)
    elif kind == 3:  # what a proxy or another gateway might look at
        headers |= {
            "x-facility-id": THEIRS,
            "x-tenant": str(other.tenant),
            "x-hip-id": THEIRS,
            "x-forwarded-for": THEIRS,
        }
    answer = await post(network, chance.choice(PATHS), headers, _mentions(chance, other, repeated))
    return answer.status_code


@pytest.mark.usefixtures("answered")
async def test_fuzzed_letters_for_one_clinic_never_touch_a_row_of_the_other(bridge: Bridge, fresh_dsn: str) -> None:
    chance = random.Random(20261130)
    bridge.office.serves(OURS, THEIRS)
    ours, other = await bridge.clinic(OURS), await bridge.clinic(THEIRS)
    await broker(Call(other.actor, NETWORK, "answer", Purpose.TREAT, {"answers": "r"}, "test"), bridge.house.rooms)
    owner = await asyncpg.connect(fresh_dsn)
    async with bridge.over_http() as network:
        first = await post(network, "/consents", bridge.office.headers(THEIRS, request_id="theirs-1"))
        assert first.status_code == 202
        before = await _rows_of(owner, other)
        assert len([name for name, rows in before.items() if rows]) >= 10, "nothing to touch proves nothing"
        statuses = [await _fuzzed(bridge, network, chance, other, "theirs-1") for _ in range(LETTERS)]
    assert {202, 400} <= set(statuses)
    assert all(status < 500 for status in statuses)
    for job in await bridge.jobs(ours.tenant):
        await read_letter(job, bridge.house.rooms)
    assert await _rows_of(owner, other) == before
    mine = await bridge.letters(ours)
    assert statuses.count(202) >= len(mine) > 50
    assert {row["sealed"] for row in mine} == {None}
    assert len(bridge.office.answers) > 10
    assert {facility for facility, _ in bridge.office.answers[1:]} == {OURS}
    await owner.close()


async def test_the_same_id_for_two_clinics_is_two_letters(bridge: Bridge) -> None:
    bridge.office.serves(OURS, THEIRS)
    clinics = {name: await bridge.clinic(name) for name in (OURS, THEIRS)}
    async with bridge.over_http() as network:
        for name, _ in itertools.product(clinics, range(2)):
            headers = bridge.office.headers(name, request_id="one-and-the-same")
            assert (await post(network, "/consents", headers)).status_code == 202
    found = [await bridge.letters(clinic) for clinic in clinics.values()]
    assert [len(rows) for rows in found] == [1, 1]
    assert found[0][0]["identity"] != found[1][0]["identity"]


async def test_a_facility_that_changes_hands_takes_its_new_letters_to_its_new_clinic_only(
    bridge: Bridge, open_more: OpenMore
) -> None:
    bridge.office.serves(OURS)
    before = await bridge.clinic(OURS)
    elsewhere = Bridge(await open_more(), bridge.office, bridge.clock)  # a gateway that still remembers the one before
    async with elsewhere.over_http() as network:
        assert (await post(network, "/consents", bridge.office.headers(OURS))).status_code == 202
        await bridge.house.rooms.connections.set_state(before.actor, before.connection.id, ConnectionState.REVOKED)
        after = await bridge.clinic(OURS)
        assert (await post(network, "/consents", bridge.office.headers(OURS))).status_code == 202
    assert (len(await bridge.letters(before)), len(await bridge.letters(after))) == (1, 1)


async def test_a_row_that_names_another_clinic_s_connection_brings_nothing_across(
    bridge: Bridge, fresh_dsn: str
) -> None:
    """Even with the table of facilities spoiled, the connection has to act for the facility that the letter names."""
    bridge.office.serves(OURS, THEIRS)
    ours, other = await bridge.clinic(OURS), await bridge.clinic(THEIRS)
    owner = await asyncpg.connect(fresh_dsn)
    await owner.execute("DELETE FROM network_facilities WHERE service = $1", OURS)
    await owner.execute("UPDATE network_facilities SET service = $1 WHERE service = $2", OURS, THEIRS)
    await owner.close()
    async with bridge.over_http() as network:
        assert (await post(network, "/consents", bridge.office.headers(OURS))).status_code == 400
    assert await bridge.letters(ours) == await bridge.letters(other) == []
