"""Letters of a network: proved, brought to their clinic, stored once, worked off, forgotten; or refused without a word."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

from connectors.told import ConsentTold
from gateway import metrics
from gateway.flows import housekeeping
from gateway.flows.network.heard import Heard
from gateway.flows.network.reading import read_letter, wake_letters
from gateway.flows.rooms import Rooms
from scopes.vocabulary import ConnectionState
from tests.gateway.listener import until, working
from tests.gateway.network.conftest import OpenMore
from tests.gateway.network.house import NETWORK, Bridge
from tests.gateway.network.office import post

CANARY = "CANARY Lovelace"
BODY = orjson.dumps({"consent": "c-1", "patient": CANARY})
MINUTE = 60


class Taken:
    """A taker that keeps what it took."""

    def __init__(self, failures: int = 0) -> None:
        """It fails so often first."""
        self.failures = failures
        self.heard: list[tuple[Heard, Any]] = []

    async def __call__(self, heard: Heard, told: Any, rooms: Rooms) -> None:
        """Take a letter."""
        if self.failures:
            self.failures -= 1
            raise RuntimeError(CANARY)
        self.heard.append((heard, told))


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Taken:
    """Somebody who takes consents."""
    taken = Taken()
    monkeypatch.setattr("gateway.flows.network.reading.TAKERS", {ConsentTold: taken})
    return taken


async def test_a_letter_is_taken_and_reaches_whoever_takes_its_kind(bridge: Bridge, taken: Taken) -> None:
    bridge.office.serves("IN01_1", "IN02")
    clinic, other = await bridge.clinic("IN01"), await bridge.clinic("IN02")
    async with bridge.over_http() as network, working(bridge.house):
        answer = await post(network, "/consents", bridge.office.headers("IN01_1", request_id="r-1"), BODY)
        assert (answer.status_code, answer.json()) == (202, {})
        await until(lambda: len(taken.heard) == 1)
    ((heard, told),) = taken.heard
    assert isinstance(told, ConsentTold)
    assert (heard.tenant, heard.connection) == (clinic.tenant, clinic.connection.id)
    assert (heard.account, heard.request_id, heard.at) == ("IN01_1", "r-1", bridge.clock())
    (row,) = await bridge.letters(clinic)
    assert (row["sealed"], row["ended"]) == (None, "taken")
    assert await bridge.letters(other) == []


async def test_what_was_stored_cannot_be_read_and_no_word_of_it_reaches_a_log(
    bridge: Bridge, fresh_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    headers = bridge.office.headers("IN01", request_id="the-request-id")
    async with bridge.over_http() as network:
        assert (await post(network, "/consents", headers, BODY)).status_code == 202
    (row,) = await bridge.letters(clinic)
    assert len(row["sealed"]) > len(BODY)
    owner = await asyncpg.connect(fresh_dsn)
    dumped = str(await owner.fetch("SELECT l::text, encode(sealed, 'escape') FROM network_letters l"))
    await owner.close()
    for secret in (CANARY, "the-request-id", headers["authorization"]):
        assert secret not in dumped
    (job,) = await bridge.jobs(clinic.tenant)
    with pytest.raises(RuntimeError):
        await read_letter(job, bridge.house.rooms, {ConsentTold: Taken(1)})
    written = capsys.readouterr()
    assert CANARY not in written.out + written.err + metrics.written().decode()


async def test_a_late_repeat_with_a_bearer_that_has_died_is_taken_once_and_noted_as_late(bridge: Bridge) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    headers = bridge.office.headers("IN01")
    await bridge.house.rooms.connections.set_state(clinic.actor, clinic.connection.id, ConnectionState.SUSPENDED)
    async with bridge.over_http() as network:
        suspended = await post(network, "/consents", headers, BODY)
        assert (suspended.status_code, suspended.json()["code"]) == (503, "connection_suspended")
        assert await bridge.letters(clinic) == []
        await bridge.house.rooms.connections.set_state(clinic.actor, clinic.connection.id, ConnectionState.ACTIVE)
        bridge.clock.move(minutes=20 + 16)  # it lived for twenty minutes
        assert (await post(network, "/consents", headers, BODY)).status_code == 202
        assert (await post(network, "/consents", headers, BODY)).status_code == 202
        (row,) = await bridge.letters(clinic)
        assert row["late_seconds"] == 16 * MINUTE
        assert len(await bridge.jobs(clinic.tenant)) == 1
        bridge.clock.move(minutes=15)
        assert (await post(network, "/consents", headers, BODY)).status_code == 400
    assert f'gateway_letters_late_total{{connector="{NETWORK}"}} ' in metrics.written().decode()


async def test_duplicates_at_the_same_moment_at_two_gateways_are_one_letter(
    bridge: Bridge, open_more: OpenMore, taken: Taken
) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    headers = bridge.office.headers("IN01")
    other = Bridge(await open_more(), bridge.office, bridge.clock)
    async with bridge.over_http() as here, other.over_http() as there:
        answers = await asyncio.gather(*(post((here, there)[at % 2], "/consents", headers, BODY) for at in range(40)))
    assert {answer.status_code for answer in answers} == {202}
    assert len(await bridge.letters(clinic)) == len(await bridge.jobs(clinic.tenant)) == 1
    async with working(bridge.house), working(other.house):
        await until(lambda: len(taken.heard) == 1)
        await asyncio.sleep(0.3)
    assert len(taken.heard) == 1


@pytest.mark.parametrize(
    "spoiled",
    [
        {"authorization": ""},
        {"authorization": "Bearer a.b.c"},
        {"authorization": "Basic YTpi"},
        {"facility-id": "IN99"},
        {"facility-id": ""},
        {"request-id": ""},
    ],
)
async def test_a_letter_that_is_not_the_networks_or_for_nobody_here_is_refused_alike(
    bridge: Bridge, spoiled: dict[str, str]
) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    async with bridge.over_http() as network:
        answer = await post(network, "/consents", {**bridge.office.headers("IN01"), **spoiled}, BODY)
    assert answer.status_code == 400
    assert answer.json()["code"] == "callback_refused"
    assert CANARY not in answer.text
    assert "IN99" not in answer.text
    assert await bridge.letters(clinic) == []


def strangers() -> float:
    """How many letters were refused for their signature, in this program's whole life."""
    found = re.search(
        r"""refusals_total\{code="bad_signature",connector="postbox"\} (.+)""", metrics.written().decode()
    )
    return float(found[1]) if found is not None else 0.0


async def test_a_strangers_signature_is_refused_and_a_burst_of_them_sounds_the_alarm(
    bridge: Bridge, caplog: pytest.LogCaptureFixture
) -> None:
    bridge.office.serves("IN01")
    clinic, before = await bridge.clinic("IN01"), strangers()
    async with bridge.over_http() as network:
        for _ in range(20):
            headers = bridge.office.headers("IN01", key=bridge.office.strangers)
            assert (await post(network, "/consents", headers, BODY)).status_code == 400
        await until(lambda: "network_refused_burst" in caplog.text)
    assert await bridge.letters(clinic) == []
    assert strangers() - before == 20


async def test_what_is_no_letter_is_refused_before_it_is_read(bridge: Bridge) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    async with bridge.over_http() as network:
        headers = bridge.office.headers("IN01")
        assert (await network.get("/postbox/consents", headers=headers)).status_code == 405
        assert (await post(network, "/consents", headers, b"x" * (2 << 20))).status_code == 413
        assert (await post(network, "/consents", {**headers, "x": "y" * 40_000}, BODY)).status_code == 400
        twice = [*headers.items(), ("facility-id", "IN02")]
        assert (await network.post("/postbox/consents", content=BODY, headers=twice)).status_code == 400
    assert await bridge.letters(clinic) == []


async def test_letters_for_a_clinic_that_revoked_are_refused_and_those_that_lie_here_are_dropped(
    bridge: Bridge, taken: Taken
) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    async with bridge.over_http() as network:
        assert (await post(network, "/consents", bridge.office.headers("IN01"), BODY)).status_code == 202
        await bridge.house.rooms.connections.set_state(clinic.actor, clinic.connection.id, ConnectionState.REVOKED)
        assert (await post(network, "/consents", bridge.office.headers("IN01"), BODY)).status_code == 400
    (job,) = await bridge.jobs(clinic.tenant)
    await read_letter(job, bridge.house.rooms)
    (row,) = await bridge.letters(clinic)
    assert (row["sealed"], row["ended"]) == (None, "dropped")
    assert taken.heard == []


async def test_a_connection_that_has_no_facility_yet_takes_nothing(bridge: Bridge) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic()
    assert clinic.connection.state is ConnectionState.PENDING
    async with bridge.over_http() as network:
        assert (await post(network, "/consents", bridge.office.headers("IN01"), BODY)).status_code == 400


@pytest.mark.parametrize(
    ("path", "body", "ended"),
    [
        ("/wanted", b"{}", "untaken"),
        ("/linked", b'{"to": "r"}', "untaken"),
        ("/something-new", b"{}", "unused"),
        ("/consents", b"\xff\x00 no JSON", "unreadable"),
        ("/consents", b"[[[[", "unreadable"),
    ],
)
async def test_a_letter_that_nobody_takes_is_acknowledged_counted_and_forgotten(
    bridge: Bridge, taken: Taken, path: str, body: bytes, ended: str
) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    async with bridge.over_http() as network:
        assert (await post(network, path, bridge.office.headers("IN01"), body)).status_code == 202
    (job,) = await bridge.jobs(clinic.tenant)
    await read_letter(job, bridge.house.rooms)
    (row,) = await bridge.letters(clinic)
    assert (row["sealed"], row["ended"]) == (None, ended)
    assert f'ended="{ended}"' in metrics.written().decode()


async def test_a_letter_whose_taker_fails_comes_again_until_it_is_taken(bridge: Bridge, taken: Taken) -> None:
    taken.failures = 2
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    async with bridge.over_http() as network, working(bridge.house):
        await post(network, "/consents", bridge.office.headers("IN01"), BODY)
        await until(lambda: len(taken.heard) == 1, seconds=20)
    (row,) = await bridge.letters(clinic)
    assert row["ended"] == "taken"
    assert await bridge.jobs(clinic.tenant) == []


async def test_a_letter_whose_job_is_lost_is_found_and_one_that_waits_is_not_queued_twice(
    bridge: Bridge, taken: Taken
) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    async with bridge.over_http() as network:
        for _ in range(2):
            await post(network, "/consents", bridge.office.headers("IN01"), BODY)
    bridge.clock.move(minutes=3)
    assert await wake_letters(bridge.house.rooms) == 0
    async with bridge.house.rooms.store.nobody() as session:
        await session.execute(
            "DELETE FROM pgqueuer WHERE id = (SELECT min(id) FROM pgqueuer WHERE entrypoint = 'letter')"
        )
    assert await wake_letters(bridge.house.rooms) == 1
    async with working(bridge.house):
        await until(lambda: len(taken.heard) == 2)
    bridge.clock.move(days=31)
    await housekeeping.keep_one(clinic.tenant, bridge.house.rooms)
    assert await bridge.letters(clinic) == []


async def test_a_gateway_that_is_killed_before_it_forgets_a_letter_works_it_off_again(
    bridge: Bridge, taken: Taken, place: str, fresh_dsn: str, tmp_path: Path
) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    async with bridge.over_http() as network:
        await post(network, "/consents", bridge.office.headers("IN01"), BODY)
    (job,) = await bridge.jobs(clinic.tenant)
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.gateway.network.killed", fresh_dsn, str(tmp_path), place,
        bridge.clock().isoformat(), "letter", job.decode(), cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert await asyncio.wait_for(program.wait(), 40) == -signal.SIGKILL
    (row,) = await bridge.letters(clinic)
    assert row["sealed"] is not None
    async with working(bridge.house):
        await until(lambda: len(taken.heard) == 1)
    (row,) = await bridge.letters(clinic)
    assert row["ended"] == "taken"


async def test_a_gateway_whose_database_fails_in_between_takes_no_letter_and_the_network_comes_again(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge.office.serves("IN01")
    clinic = await bridge.clinic("IN01")
    headers = bridge.office.headers("IN01")

    async def fails(*_: Any) -> None:
        raise asyncpg.CannotConnectNowError("no")

    async with bridge.over_http() as network:
        with monkeypatch.context() as patch:
            patch.setattr("gateway.flows.network.arriving.jobs.enqueue", fails)
            assert (await post(network, "/consents", headers, BODY)).status_code == 503
        assert await bridge.letters(clinic) == []
        assert (await post(network, "/consents", headers, BODY)).status_code == 202
    assert len(await bridge.letters(clinic)) == 1
