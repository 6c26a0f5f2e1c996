"""The gateway's own manners: sessions, clocks, ids, keys, errors, the bridge, and deliveries that were refused."""

from typing import Any

import pytest

from connectors.abdm.simulator.clock import stamp
from connectors.abdm.simulator.courier import REPEAT_SECONDS
from connectors.abdm.simulator.quirks import NAMES, Quirks
from connectors.abdm.simulator.refusals import Shape
from tests.connectors.abdm.simulator.conftest import World
from tests.connectors.abdm.simulator.hip import Record

GATEWAY = "/api/hiecm/gateway/v3"


async def test_eight_bad_logins_lock_the_client_with_the_same_text(world: World) -> None:
    world.network.switch({"login_lock": True})
    right, world.hip.client = world.hip.client, ("SBX_000001", "wrong")
    for _ in range(8):
        bad = await world.hip.sign_in()
    world.hip.client = right
    locked = await world.hip.sign_in()
    await world.clock.advance(481)
    free = await world.hip.sign_in()

    assert (bad.status_code, locked.status_code, free.status_code) == (401, 401, 200)
    assert bad.json()["message"] == locked.json()["message"] == "Invalid user credentials"
    assert any("locked" in fault.what for fault in world.network.heard("/sessions")[-2].faults)


async def test_without_the_lock_a_right_login_follows_eight_bad_ones(world: World) -> None:
    right, world.hip.client = world.hip.client, ("SBX_000001", "wrong")
    for _ in range(8):
        await world.hip.sign_in()
    world.hip.client = right

    assert (await world.hip.sign_in()).status_code == 200


async def test_a_session_call_has_no_authorization(world: World) -> None:
    await world.hip.call(f"{GATEWAY}/sessions", {"clientId": "a", "clientSecret": "b", "grantType": "password"})

    assert ("1.2", "the session call has no Authorization") in world.faults("/sessions")
    assert ("1.2", "body.grantType must be 'client_credentials'") in world.faults("/sessions")


@pytest.mark.parametrize(("on", "status"), [(True, 401), (False, 200)])
async def test_a_session_ends_after_twenty_minutes_with_900901(world: World, on: bool, status: int) -> None:
    world.network.switch({"session_expiry": on})
    before = await world.hip.call(f"{GATEWAY}/bridge-services", None, "GET")
    await world.clock.advance(1201)
    after = await world.hip.call(f"{GATEWAY}/bridge-services", None, "GET")

    assert (before.status_code, after.status_code) == (200, status)
    assert not on or after.json()["code"] == "900901"


@pytest.mark.parametrize(("on", "status"), [(True, 401), (False, 200)])
async def test_the_keys_are_behind_the_token(world: World, on: bool, status: int) -> None:
    world.network.switch({"certs_behind_token": on})

    bare = await world.hip.call(f"{GATEWAY}/certs", None, "GET", Authorization=None)
    shown = await world.hip.call(f"{GATEWAY}/certs", None, "GET")

    assert bare.status_code == status
    assert sorted(key["alg"] for key in shown.json()["keys"]) == ["RS256", "RS512"]
    assert all("d" not in key for key in shown.json()["keys"])


@pytest.mark.parametrize(
    ("seconds", "zone", "status", "code"),
    [(0, "+05:30", 404, ""), (19_800, "Z", 404, ""), (400, "Z", 400, "ABDM-1016"), (-400, "Z", 400, "ABDM-1016")],
)
async def test_a_clock_that_is_not_utc_or_drifts_is_refused(
    world: World, seconds: float, zone: str, status: int, code: str
) -> None:
    wrong = stamp(world.clock.outside() + seconds).replace("Z", zone)
    let_through = await world.hip.call(f"{GATEWAY}/bridge-services", None, "GET", TIMESTAMP=wrong)
    world.network.switch({"strict_clock": True})
    refused = await world.hip.call(f"{GATEWAY}/bridge-services", None, "GET", TIMESTAMP=wrong)

    assert let_through.status_code == 200
    assert refused.status_code == status
    assert world.network.heard()[-1].code == code
    assert all("TIMESTAMP" in each.faults[0].what for each in world.network.heard("bridge-services"))


async def test_a_timestamp_without_milliseconds_is_refused(world: World) -> None:
    world.network.switch({"strict_clock": True})

    answer = await world.hip.call(f"{GATEWAY}/bridge-services", None, "GET", TIMESTAMP="2026-11-30T09:00:00Z")

    assert answer.json()["error"]["code"] == "ABDM-1016"


@pytest.mark.parametrize("on", [True, False])
async def test_a_request_id_that_comes_twice_is_1064(world: World, on: bool) -> None:
    world.network.switch({"request_id_once": on})
    same = "0b6f1c8a-3a43-4d9e-9d0a-6f6a1f2f3a4b"
    await world.hip.call(f"{GATEWAY}/bridge-services", None, "GET", REQUEST_ID=same)
    answer = await world.hip.call(f"{GATEWAY}/bridge-services", None, "GET", REQUEST_ID=same)

    assert answer.status_code == (400 if on else 200)
    assert not on or answer.json()["error"]["code"] == "ABDM-1064"
    assert ("1.3", "REQUEST-ID must be fresh for every attempt") in world.faults("bridge-services")


@pytest.mark.parametrize("missing", ["REQUEST-ID", "TIMESTAMP", "X-CM-ID"])
async def test_a_missing_header_is_an_empty_401(world: World, missing: str) -> None:
    answer = await world.hip.call(f"{GATEWAY}/bridge-services", None, "GET", **{missing: None})

    assert (answer.status_code, answer.content) == (401, b"")
    assert any(missing in what for _, what in world.faults("bridge-services"))


async def test_no_token_is_900902_and_another_clients_900901(world: World) -> None:
    none = await world.hip.call(f"{GATEWAY}/bridge-services", None, "GET", Authorization=None)
    wrong = await world.hip.call(f"{GATEWAY}/bridge-services", None, "GET", Authorization="Bearer x")

    assert (none.json()["code"], wrong.json()["code"]) == ("900902", "900901")


async def test_paths_that_do_not_exist_any_more_are_404_and_noted(world: World) -> None:
    old = await world.hip.call("/gateway/v0.5/links/link/add-contexts", {})
    misspelt = await world.hip.call("/api/hiecm/hip/v3/link/care-context", {})

    assert (old.status_code, misspelt.status_code) == (404, 404)
    assert world.faults("add-contexts") == [("1.1", "paths of V0.5 are dead")]
    assert world.faults("link/care-context")[0][0] == "1.1"


SHAPES: dict[Shape, Any] = {
    Shape.NESTED: lambda answer: answer.json()["error"]["code"] == "ABDM-1006",
    Shape.FLAT: lambda answer: answer.json().keys() == {"code", "message", "timestamp"},
    Shape.FIELD: lambda answer: answer.json().keys() == {"loginId", "timestamp"},
    Shape.WSO2: lambda answer: answer.json()["code"] == "303001" and "description" in answer.json(),
    Shape.EMPTY: lambda answer: answer.content == b"",
    Shape.REGISTRY: lambda answer: answer.json()["details"][0]["code"] == "HIS-1070",
    Shape.ARRAY: lambda answer: answer.json()[0]["error"]["code"] == "ABDM-1010: ",
    Shape.TEXT: lambda answer: (answer.status_code, answer.text) == (403, "Access Denied"),
}


@pytest.mark.parametrize("shape", list(Shape))
async def test_the_next_call_fails_in_whichever_shape_is_wanted(world: World, shape: Shape) -> None:
    world.network.fail_next(shape, path=f"{GATEWAY}/bridge-services")
    elsewhere = await world.hip.call(f"{GATEWAY}/providers", None, "GET")
    first = await world.hip.call(f"{GATEWAY}/bridge-services", None, "GET")
    second = await world.hip.call(f"{GATEWAY}/bridge-services", None, "GET")

    assert SHAPES[shape](first)
    assert not first.is_success
    assert (elsewhere.status_code, second.status_code) == (200, 200)


async def test_errors_come_in_all_their_shapes_and_codes_may_end_in_a_colon(world: World) -> None:
    world.network.switch({"error_shapes": True})
    answers = [await world.hip.call("/api/hiecm/v3/token/generate-token", {}) for _ in range(6)]

    seen = {
        type(each.json()).__name__ + str(sorted(each.json())[:1] if isinstance(each.json(), dict) else "")
        for each in answers
    }
    assert seen == {"dict['error']", "dict['code']", "list"}
    assert {"ABDM-1006", "ABDM-1006: "} == {_code(each.json()) for each in answers}
    assert {each.code for each in world.network.heard("generate-token")} == {"ABDM-1006"}


def _code(body: Any) -> str:
    first = body[0] if isinstance(body, list) else body
    return str(first.get("error", first)["code"])


async def test_an_outage_suspends_every_ninth_call(world: World) -> None:
    world.network.switch({"outage": True})
    answers = [await world.hip.call(f"{GATEWAY}/providers", None, "GET") for _ in range(18)]

    broken = [each for each in answers if each.status_code == 500]
    assert len(broken) == 2
    assert broken[0].json()["code"] == "303001"


async def test_a_facility_is_linked_by_its_registered_name_and_another_name_is_an_error_with_200(world: World) -> None:
    path = "/v4/int/v1/bridges/MutipleHRPAddUpdateServices"
    hrp = [{"bridgeId": "SBX_000001", "hipName": "Lake Clinic", "type": "HIP", "active": True}]
    right = await world.hip.call(path, {"facilityId": "IN2910000123", "facilityName": "Lake Clinic", "HRP": hrp})
    wrong = await world.hip.call(path, {"facilityId": "IN2910000123", "facilityName": "Lake", "HRP": hrp})
    blank = await world.hip.call(
        path, {"facilityId": "IN2910000123", "facilityName": "Lake", "HRP": [{**hrp[0], "bridgeId": "x"}]}
    )

    assert right.json()[0]["serviceId"] == world.hip.service_id
    assert (wrong.status_code, wrong.json()[0]["error"]["code"]) == (200, "2500")
    assert blank.json()["details"][0]["code"] == "HIS-1070"


async def test_one_service_does_not_say_where_callbacks_go_and_the_list_does(world: World) -> None:
    one = await world.hip.call(f"{GATEWAY}/bridge-service/serviceId/{world.hip.service_id}", None, "GET")
    every = await world.hip.call(f"{GATEWAY}/bridge-services", None, "GET")

    assert one.json()["endpoints"] == {}
    assert every.json()["bridge"]["url"] == f"{world.hospital}/abdm"


async def test_another_system_takes_the_bridge_and_whoever_writes_last_has_it(world: World) -> None:
    world.network.switch({"bridge_thief": True})
    await world.hip.ask_token(world.asha.address)
    await world.go()
    lost = list(world.hip.callbacks)
    seen = (await world.hip.call(f"{GATEWAY}/bridge-services", None, "GET")).json()["bridge"]["url"]
    await world.hip.register(world.hospital)
    await world.go(400)
    await world.hip.ask_token(world.asha.address)
    await world.go()

    assert lost == []
    assert seen == "https://another-system.example/abdm"
    assert len(world.hip.told("on-generate-token")) == 1
    await world.go(1800)
    assert world.network.bridge.stolen


async def test_a_refused_delivery_comes_again_after_sixteen_minutes_with_the_same_dead_bearer(world: World) -> None:
    world.network.switch({"late_repeat": True})
    world.hip.status = 503
    await world.hip.ask_token(world.asha.address)
    await world.go()
    world.hip.status = 202
    await world.go(REPEAT_SECONDS - 20)
    early = list(world.hip.callbacks)
    await world.go(20)

    first, second = world.network.tellings("on-generate-token")
    assert early == []
    assert (first.status, second.status, second.repeats) == (503, 202, first.number)
    assert first.headers == second.headers
    assert 0 < world.hip.callbacks[0].late_seconds < 1800
    await world.go(10 * REPEAT_SECONDS)
    assert len(world.hip.callbacks) == 1


async def test_without_the_quirk_a_refused_delivery_is_lost(world: World) -> None:
    world.hip.status = 503
    await world.hip.ask_token(world.asha.address)
    await world.go(10_000)

    assert [each.status for each in world.network.told] == [503]


async def test_callbacks_take_one_to_nine_seconds(world: World) -> None:
    world.network.switch({"slow_callbacks": True})
    started = world.clock.now()
    for _ in range(5):
        await world.hip.ask_token(world.asha.address)
    await world.go(10)

    waits = [each.at - started for each in world.network.told]
    assert len({round(each, 3) for each in waits}) == 5
    assert all(1 <= each <= 9 for each in waits)


async def test_a_callback_is_the_gateways_and_bound_to_nothing_that_it_carries(world: World) -> None:
    await world.linked(Record("V-1"))

    told = world.network.told[-1]
    claims = world.network.keys.read_token(told.headers["Authorization"].removeprefix("Bearer "))
    assert claims["iss"] == "https://dev.abdm.gov.in/auth/realms/central-registry"
    assert (claims["aud"], claims["azp"], claims["typ"]) == ("account", "gateway", "Bearer")
    assert told.headers["X-HIP-ID"] == world.hip.service_id


def test_every_quirk_has_a_name_and_all_but_the_contradictory_ones_go_on_together() -> None:
    everything = Quirks.everything().shown()

    assert set(everything) == set(NAMES)
    assert {name for name, on in everything.items() if not on} == {"one_based_pages", "zero_based_pages"}
    with pytest.raises(ValueError, match="no such quirk: nothing"):
        Quirks().switch({"nothing": True})


async def test_a_body_that_is_no_json_gets_a_400_without_a_word(world: World) -> None:
    world.network.switch({"empty_400": True})
    headers = {**world.hip.headers(), "Content-Type": "application/json"}

    answer = await world.hip.http.post("/api/hiecm/v3/token/generate-token", content=b"{", headers=headers)

    assert (answer.status_code, answer.content) == (400, b"")
    assert world.faults("generate-token") == [("3.2", "body must be an object")]
