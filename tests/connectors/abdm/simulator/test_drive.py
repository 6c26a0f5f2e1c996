"""Everything at once, and all of it from another program: a whole run with every quirk on, driven by HTTP only."""

import asyncio
from typing import Any

import httpx2
import pytest

from connectors.abdm import sandbox
from connectors.abdm.simulator.clock import WallClock
from connectors.abdm.simulator.network import Network
from gateway.serve import listening, serving
from tests.connectors.abdm.simulator.conftest import World
from tests.connectors.abdm.simulator.hip import Hip, Record


async def drive(browser: httpx2.AsyncClient, path: str, body: Any = None, status: int = 200) -> Any:
    answer = await browser.request("GET" if body is None else "POST", f"/sim{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_with_every_quirk_on_an_honest_hospital_still_gets_through(
    world: World, browser: httpx2.AsyncClient
) -> None:
    await drive(browser, "/quirks", {"everything": True})
    hip, address = world.hip, world.asha.address
    await hip.register(world.hospital)  # the switch gave the bridge to the other system
    hip.records = [Record("V-1"), Record("V-2")]

    hip.patient = True
    await hip.ask_token(address)
    await world.go()
    token = hip.told("on-generate-token")[-1].body["linkToken"]
    await hip.link(address, token, hip.records[0])
    await world.go(20)
    (pulled,) = [each for each in world.network.transfers.values() if each.hiu_id == "ABHA-APP"]

    found = await drive(browser, "/discoveries", {"address": address, "service_id": hip.service_id})
    await hip.settled()
    found = await drive(browser, f"/discoveries/{found['transaction']}")
    assert found["state"] == "found", found
    await drive(browser, f"/discoveries/{found['transaction']}/init", {"references": ["V-2"]})
    await hip.settled()
    await drive(browser, f"/discoveries/{found['transaction']}/confirm", {"otp": "012345"})
    await hip.settled()
    await world.go(20)
    consent, transfer = await _asked_by_another(world, browser)
    share = await world.network.share_profile(address, hip.service_id, "OPD1")
    await hip.settled()
    state = await drive(browser, "/state")

    assert pulled.plain.keys() == {"V-1"}
    assert hip.typed == [12345]
    linked = {each["reference"] for each in state["patients"][0]["linked"][hip.service_id]}
    assert linked == {"V-1", "V-2"}
    assert {each["careContextReference"] for each in transfer["entries"]} == {"V-1", "V-2"}
    assert consent["acknowledged"] == ["GRANTED", "REVOKED"]
    assert share.state == "acknowledged"
    assert [each.key_form for each in world.network.transfers.values()] != ["raw"] * len(world.network.transfers)
    assert state["faults"] == 0


async def _asked_by_another(world: World, browser: httpx2.AsyncClient) -> tuple[Any, Any]:
    """Another hospital asks, is allowed, fetches, and is told that it is over."""
    wanted = {
        "purpose": "CAREMGT", "since": "2026-01-01T00:00:00.000Z", "until": "2026-11-30T00:00:00.000Z",
        "erase_at": "2026-12-30T00:00:00.000Z",
    }  # fmt: skip
    request = await drive(browser, "/consents", {"address": world.asha.address, "hiu": "IN2910000999", **wanted})
    (consent,) = await drive(browser, f"/consents/{request['id']}/grant", {})
    await world.hip.settled()
    transfer = await drive(browser, "/requests", {"consent": consent["id"]})
    await world.hip.settled()
    await drive(browser, f"/consents/{consent['id']}/revoke", {})
    await world.hip.settled()
    return await drive(browser, f"/consents/{consent['id']}"), await drive(
        browser, f"/received/{transfer['transaction']}"
    )


async def test_another_program_plays_all_parts(world: World, browser: httpx2.AsyncClient) -> None:
    patient = await drive(
        browser, "/patients", {"name": "Ravi Rao", "mobile": "9811111111", "year_of_birth": 1980, "gender": "M"}
    )
    await drive(browser, "/hius", {"id": "IN1", "name": "Far Hospital"})
    world.hip.records = [Record("V-1")]
    where = {"address": patient["address"], "service_id": world.hip.service_id}
    found = await drive(browser, "/discoveries", where)
    await world.hip.settled()
    await drive(browser, f"/discoveries/{found['transaction']}/init", {})
    await world.hip.settled()
    await drive(browser, f"/discoveries/{found['transaction']}/confirm", {"otp": "012345"})
    await world.hip.settled()
    wanted = {
        "purpose": "CAREMGT", "since": "2026-01-01T00:00:00.000Z", "until": "2026-11-30T00:00:00.000Z",
        "erase_at": "2026-12-30T00:00:00.000Z", "hi_types": ["Prescription"],
    }  # fmt: skip
    request = await drive(browser, "/consents", {"address": patient["address"], "hiu": "IN1", **wanted})
    (consent,) = await drive(browser, f"/consents/{request['id']}/grant", {})
    await world.hip.settled()
    transfer = await drive(browser, "/requests", {"consent": consent["id"], "key_form": "named"})
    await world.hip.settled()
    got = await drive(browser, f"/received/{transfer['transaction']}")
    pulled = await drive(browser, "/pulls", where)
    code = f"https://phrsbx.abdm.gov.in/share-profile?hip-id={world.hip.service_id}&counter-id=OPD1"
    share = await drive(browser, "/shares", {"address": patient["address"], "code": code})
    await world.hip.settled()
    told = await drive(browser, f"/consents/{consent['id']}/revoke", {})
    await world.hip.settled()

    assert [each["careContextReference"] for each in got["entries"]] == ["V-1"]
    assert '"Bundle"' in got["entries"][0]["plain"]
    assert (await drive(browser, f"/received/{pulled['transaction']}"))["state"] == "TRANSFERRED"
    assert (await drive(browser, f"/shares/{share['request_id']}"))["token"] == "1"
    assert told["body"]["notification"]["status"] == "REVOKED"
    assert (await drive(browser, f"/consents/{consent['id']}"))["acknowledged"] == ["GRANTED", "REVOKED"]
    assert [each["path"] for each in await drive(browser, "/told")][-1].endswith("hip/notify")


async def test_what_hospitals_said_is_told_without_their_secrets_and_from_any_number_on(
    world: World, browser: httpx2.AsyncClient
) -> None:
    await world.hip.ask_token(world.asha.address)
    heard = await drive(browser, "/heard")
    later = await drive(browser, f"/heard?since={heard[-1]['number'] + 1}")

    assert [each["path"].rsplit("/", 1)[-1] for each in heard] == ["sessions", "url", "generate-token"]
    assert later == []
    assert world.hip.client[1] not in str(heard)
    assert world.hip.token not in str(heard)


async def test_waiting_for_a_request_ends_with_it(world: World, browser: httpx2.AsyncClient) -> None:
    waiting = asyncio.create_task(drive(browser, "/heard?since=2&wait=20"))
    await asyncio.sleep(0)
    await world.hip.ask_token(world.asha.address)

    assert [each["right"] for each in await asyncio.wait_for(waiting, 5)] == [True]
    assert await drive(browser, "/heard?since=99&wait=0.01") == []


async def test_time_weather_thieves_and_phones_are_driven_too(world: World, browser: httpx2.AsyncClient) -> None:
    before = (await drive(browser, "/state"))["now"]
    await drive(browser, "/clock/advance", {"seconds": 960})
    await drive(browser, "/fail", {"shape": "text", "path": "/api"})
    await drive(browser, "/bridge/steal", {})
    await drive(browser, "/latency", {"seconds": 0})
    await drive(browser, "/citizens", {
        "aadhaar": "345123412340", "name": "Nita", "gender": "F", "year_of_birth": 1990, "mobile": "9811111111",
    })  # fmt: skip
    world.network.text("9811111111", "ABDM", "Hello")
    state = await drive(browser, "/state")

    assert state["now"] - before == 960
    assert state["bridge"]["stolen"] is True
    assert (await world.hip.ask_token(world.asha.address)).text == "Access Denied"
    assert [each["text"] for each in await drive(browser, "/phones/9811111111")] == ["Hello"]
    assert (await drive(browser, "/quirks"))["empty_400"]["section"] == "3.1"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/quirks", {"nothing": True}, 400),
        ("/discoveries", {"address": "nobody@sbx", "service_id": "x"}, 404),
        ("/consents/x/grant", {}, 404),
        ("/consents/x/burn", {}, 404),
        ("/clock/advance", {"seconds": -1}, 400),
        ("/patients", {"name": "A"}, 400),
        ("/patients", [1], 400),
        ("/shares", {"address": "asha.rao@sbx", "code": "hello"}, 400),
        ("/fail", {"shape": "round"}, 400),
    ],
)
async def test_what_a_verb_does_not_take_is_told_with_its_reason(
    browser: httpx2.AsyncClient, path: str, body: Any, status: int
) -> None:
    assert (await drive(browser, path, body, status))["error"]


async def test_the_sandbox_runs_by_the_walls_clock_and_can_be_skipped_ahead() -> None:
    app = sandbox.create()
    network: Network = app.state.sandbox
    network.latency_seconds = 0.01
    assert isinstance(network.clock, WallClock)
    async with serving(app, listening("127.0.0.1", 0)) as url:
        hip = Hip(url, network.clock.outside, sandbox.FACILITY)
        async with serving(hip.app, listening("127.0.0.1", 0)) as hospital, hip.http:
            assert (await hip.sign_in()).status_code == 200
            await hip.register(hospital)
            patient = network.patient(sandbox.PATIENT)
            await hip.ask_token(patient.address, name=patient.name, yearOfBirth=patient.year_of_birth)
            await network.until(lambda: hip.told("on-generate-token"))
            network.switch({"late_repeat": True})
            hip.status = 503
            await network.tell("/api/v3/hip/patient/share", {}, hip.service_id)
            hip.status = 202
            hip.silent = True
            await network.clock.advance(963)

    assert [each.repeats is None for each in network.tellings("patient/share")] == [True, False]
    assert network.tellings("patient/share")[1].status == 202
    assert network.faulty() == []


async def test_waiting_for_what_never_comes_ends() -> None:
    with pytest.raises(TimeoutError):
        await Network().until(lambda: False, 0.01)
