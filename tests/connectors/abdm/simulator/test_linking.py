"""Linking as the network does it, with the traps that cost integrators their days."""

from typing import Any

import pytest

from tests.connectors.abdm.simulator.conftest import World
from tests.connectors.abdm.simulator.hip import Record, bundle

VISIT = Record("V-1")


async def test_a_hospital_that_does_everything_right_has_a_linked_context_and_no_fault(world: World) -> None:
    await world.linked(VISIT)
    await world.go(60)
    await world.hip.notify(world.asha.address, "V-1")
    await world.go()

    assert [each.reference for each in world.asha.linked[world.hip.service_id]] == ["V-1"]
    assert world.hip.told("link/on_carecontext")[-1].body["status"] == "SUCCESS"
    assert world.hip.told("context/on-notify")[-1].body["acknowledgement"] == {"status": "SUCCESS"}
    assert world.network.faulty() == []


async def test_a_link_token_is_signed_with_rs512_and_says_whose_it_is(world: World) -> None:
    claims = world.network.keys.read_link_token(await world.token())

    assert claims["hipId"] == world.hip.service_id
    assert claims["exp"] - claims["iat"] == 15_768_000
    with pytest.raises(ValueError, match="not a token"):
        world.network.keys.read_token(await _raw_link_token(world))


async def _raw_link_token(world: World) -> str:
    return str(world.hip.told("on-generate-token")[-1].body["linkToken"])


async def test_demographics_that_abha_does_not_know_are_1043(world: World) -> None:
    await world.hip.ask_token(world.asha.address, yearOfBirth=1985)
    await world.go()

    assert world.hip.told("on-generate-token")[-1].body["error"]["code"] == "ABDM-1043"


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("wrong", [{"hiType": ["Prescription"]}, {"hiType": "Rx"}])
async def test_an_hi_type_in_an_array_gets_a_400_without_a_word(world: World, wrong: dict[str, Any], on: bool) -> None:
    world.network.switch({"empty_400": on})
    block = {**world.hip.block(VISIT), **wrong}

    answer = await world.hip.link(world.asha.address, await world.token(), patient=[block])

    assert answer.status_code == 400
    assert answer.content == b"" if on else answer.json()["error"]["code"] == "ABDM-1006"
    assert any("hiType" in what for _, what in world.faults("link/carecontext"))


async def test_a_dashed_abha_number_in_a_link_gets_a_400_without_a_word(world: World) -> None:
    world.network.switch({"empty_400": True})

    answer = await world.hip.link(world.asha.address, await world.token(), VISIT, abhaNumber=world.asha.dashed)

    assert (answer.status_code, answer.content) == (400, b"")
    assert ("3.2", "body.abhaNumber must fit [0-9]{14} or must be an integer, not something else") in world.faults(
        "link/carecontext"
    )


async def test_an_empty_list_of_patients_and_a_wrong_count_are_told_in_words(world: World) -> None:
    token = await world.token()
    none = await world.hip.link(world.asha.address, token, patient=[])
    miscounted = await world.hip.link(world.asha.address, token, patient=[{**world.hip.block(VISIT), "count": 2}])

    assert none.json()["error"] == {"code": "ABDM-9999", "message": "patient attribute required in the payload"}
    assert miscounted.json()["error"]["code"] == "ABDM-1037"


async def test_more_than_twenty_contexts_in_a_block_are_refused(world: World) -> None:
    contexts = [{"referenceNumber": f"V-{number}", "display": "Visit"} for number in range(21)]
    block = {**world.hip.block(VISIT), "careContexts": contexts, "count": 21}

    answer = await world.hip.link(world.asha.address, await world.token(), patient=[block])

    assert answer.json()["error"]["code"] == "ABDM-1006"


async def test_a_link_without_its_token_is_a_401_without_a_body(world: World) -> None:
    body = {"abhaAddress": world.asha.address, "patient": [world.hip.block(VISIT)]}

    answer = await world.hip.call("/api/hiecm/hip/v3/link/carecontext", body)

    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["www-authenticate"] == 'Basic realm="Realm"'
    assert ("3.2", "X-LINK-TOKEN is missing") in world.faults("link/carecontext")


async def test_a_token_of_another_patient_is_1038_and_a_forged_one_1026(world: World) -> None:
    other = world.network.add_patient("Ravi Rao", mobile="9876543211", year_of_birth=1980, gender="M")
    token = await world.token()

    assert (await world.hip.link(other.address, token, VISIT)).json()["error"]["code"] == "ABDM-1038"
    assert (await world.hip.link(world.asha.address, "x.y.z", VISIT)).json()["error"]["code"] == "ABDM-1026"


async def test_a_token_made_with_the_number_needs_the_number_in_the_link(world: World) -> None:
    await world.hip.ask_token(world.asha.address, abhaNumber=int(world.asha.abha_number))
    await world.go()
    token = await _raw_link_token(world)

    assert (await world.hip.link(world.asha.address, token, VISIT)).json()["error"]["code"] == "ABDM-1062"
    both = await world.hip.link(world.asha.address, token, VISIT, abhaNumber=world.asha.abha_number)
    assert both.status_code == 202


async def test_a_context_that_is_linked_already_is_1056_and_a_new_type_of_it_is_not(world: World) -> None:
    await world.linked(VISIT)
    token = await _raw_link_token(world)
    await world.hip.link(world.asha.address, token, VISIT)
    await world.go()
    again = world.hip.told("link/on_carecontext")[-1].body
    await world.hip.link(world.asha.address, token, Record("V-1", hi_type="DiagnosticReport"))
    await world.go()

    assert again["error"]["code"] == "ABDM-1056"
    assert "error" not in world.hip.told("link/on_carecontext")[-1].body


@pytest.mark.parametrize("on", [True, False])
async def test_a_wrong_hip_id_is_taken_with_202_and_nothing_ever_comes(world: World, on: bool) -> None:
    world.network.switch({"silent_wrong_hip": on})
    world.hip.service_id = "IN2910000123_1"

    answer = await world.hip.ask_token(world.asha.address)
    await world.go(86_400)

    assert answer.status_code == (202 if on else 400)
    assert world.network.told == []
    assert ("1.3", "X-HIP-ID must be a service id of the bridge") in world.faults("generate-token")


async def test_a_facilitys_service_id_may_be_more_than_its_hfr_id(world: World) -> None:
    world.network.switch({"suffixed_service_ids": True})

    made = world.network.add_facility("Hill Clinic", hfr_id="IN2910000124")
    services = await world.hip.call("/api/hiecm/gateway/v3/bridge-services", None, "GET")

    assert made.service_id == "IN2910000124_1"
    assert [each["id"] for each in services.json()["services"]] == ["IN2910000123", "IN2910000124_1"]


async def test_a_second_token_within_six_minutes_is_1092_and_after_them_it_is_not(world: World) -> None:
    world.network.switch({"duplicate_window": True})
    await world.hip.ask_token(world.asha.address)
    await world.go(362)
    refused = await world.hip.ask_token(world.asha.address)
    await world.go(12)
    taken = await world.hip.ask_token(world.asha.address)

    assert refused.json()["error"]["code"] == "ABDM-1092"
    assert taken.status_code == 202
    assert [bool(each.faults) for each in world.network.heard("generate-token")] == [False, True, False]


async def test_a_storm_of_token_requests_blocks_the_patient_for_a_day_and_nobody_else(world: World) -> None:
    world.network.switch({"duplicate_window": True, "block": True})
    ravi = world.network.add_patient("Ravi Rao", mobile="9876543211", year_of_birth=1980, gender="M")
    for _ in range(6):
        await world.hip.ask_token(world.asha.address)
    blocked = await world.hip.ask_token(world.asha.address)
    await world.hip.ask_token(ravi.address, name="Ravi Rao", gender="M", yearOfBirth=1980)
    await world.go()
    answers = {each.body["abhaAddress"]: each.body for each in world.hip.told("on-generate-token")}
    await world.go(86_400)

    assert blocked.status_code == 202
    assert answers[world.asha.address]["error"]["code"] == "ABDM-1027: "
    assert "linkToken" in answers[ravi.address]
    await world.hip.sign_in()
    assert await world.token()


async def test_twenty_links_that_were_refused_without_a_word_block_as_well(world: World) -> None:
    world.network.switch({"empty_400": True, "block": True})
    token = await world.token()
    block = {**world.hip.block(VISIT), "hiType": ["Prescription"]}
    for _ in range(20):
        await world.hip.link(world.asha.address, token, patient=[block])
    await world.go(400)
    await world.hip.ask_token(world.asha.address)
    await world.go()

    assert world.hip.told("on-generate-token")[-1].body["error"]["code"].startswith("ABDM-1027")


@pytest.mark.parametrize(
    ("wait", "on", "status"), [(15, True, "ERRORED"), (25, True, "SUCCESS"), (15, False, "SUCCESS")]
)
async def test_a_notification_races_the_link(world: World, wait: float, on: bool, status: str) -> None:
    world.network.switch({"notify_race": on})
    await world.linked(VISIT)
    await world.clock.advance(wait)
    await world.hip.notify(world.asha.address, "V-1")
    await world.go()

    told = world.hip.told("context/on-notify")[-1].body
    assert told["acknowledgement"]["status"] == status
    assert (told.get("error") or {"code": "ABDM-1006"})["code"] == "ABDM-1006"
    assert bool(world.faults("context/notify")) == (wait + 10 < 30)


async def test_a_notification_with_the_abha_address_as_patient_reference_is_errored(world: World) -> None:
    await world.linked(VISIT)
    await world.go(60)
    context = {"patientReference": world.asha.address, "careContextReference": "V-1"}
    await world.hip.notify(world.asha.address, "V-1", careContext=context)
    await world.go()

    assert world.hip.told("context/on-notify")[-1].body["error"]["code"] == "ABDM-1006"
    assert ("3.2", "patientReference must be the HIP's own, and is the ABHA address") in world.faults("context/notify")


@pytest.mark.parametrize(("on", "status"), [(True, "Successfully Linked care context"), (False, "SUCCESS")])
async def test_a_links_success_may_be_prose(world: World, on: bool, status: str) -> None:
    world.network.switch({"prose_success": on})

    await world.linked(VISIT)

    assert world.hip.told("link/on_carecontext")[-1].body["status"] == status


@pytest.mark.parametrize(("on", "key"), [(True, "resp"), (False, "response")])
async def test_the_answer_to_an_sms_says_resp(world: World, on: bool, key: str) -> None:
    world.network.switch({"sms_resp": on})
    hip = {"id": world.hip.service_id, "name": "Lake Clinic"}
    body = {"notification": {"phoneNo": "+91-9876543210", "hip": hip}}

    await world.hip.call("/api/hiecm/hip/v3/link/patient/links/sms/notify2", body)
    await world.go()

    asked = world.network.heard("sms/notify2")[-1].headers["request-id"]
    assert world.hip.told("sms/on-notify")[-1].body[key] == {"requestId": asked}
    assert "Lake Clinic has health records" in world.network.phones["9876543210"][-1].text


@pytest.mark.parametrize("on", [True, False])
async def test_the_patients_app_pulls_seconds_after_a_link(world: World, on: bool) -> None:
    world.network.switch({"eager_app": on})

    await world.linked(VISIT)

    assert [each.state for each in world.network.transfers.values()] == (["TRANSFERRED"] if on else [])
    if on:
        (transfer,) = world.network.transfers.values()
        assert transfer.plain.keys() == {"V-1"}
        assert [each["purpose"]["code"] for each in world.hip.consents.values()] == ["PATRQT"]
    assert world.network.faulty() == []


async def test_the_patients_app_pulls_again_when_it_hears_of_something_new(world: World) -> None:
    await world.linked(VISIT)
    await world.go(60)
    world.network.switch({"eager_app": True})
    world.hip.records.append(Record("V-1", hi_type="DiagnosticReport", bundle=bundle("DiagnosticReport")))
    await world.hip.notify(world.asha.address, "V-1", hiTypes=["DiagnosticReport"])
    await world.go()

    (transfer,) = world.network.transfers.values()
    assert {each.hi_type for each in transfer.entries} == {"Prescription", "DiagnosticReport"}
