"""A patient finds and links their own records; and what a hospital may get wrong in answering."""

from typing import Any

import pytest

from tests.connectors.abdm.simulator.conftest import World
from tests.connectors.abdm.simulator.hip import Record

ON_CONFIRM = "/api/hiecm/user-initiated-linking/v3/link/care-context/on-confirm"


async def _found(world: World, *records: Record) -> str:
    world.hip.records += records or (Record("V-1"), Record("V-2"))
    found = await world.network.discover(world.asha.address, world.hip.service_id)
    await world.hip.settled()
    assert found.state == "found"
    return found.transaction


async def test_a_patient_finds_chooses_types_the_otp_and_has_what_was_chosen(world: World) -> None:
    transaction = await _found(world)
    await world.network.init_link(transaction, ["V-2"])
    await world.hip.settled()
    assert world.network.discoveries[transaction].hint == "******4321"
    await world.network.confirm_link(transaction, "012345")
    await world.hip.settled()

    assert world.network.discoveries[transaction].state == "linked"
    assert [each.reference for each in world.asha.linked[world.hip.service_id]] == ["V-2"]
    assert world.network.faulty() == []


async def test_the_hospital_is_told_who_looks_and_how_they_are_known(world: World) -> None:
    await world.network.discover(world.asha.address, world.hip.service_id, [{"type": "MR", "value": "42"}])

    patient = world.hip.told("discover")[0].body["patient"]
    assert patient["id"] == world.asha.address
    assert {each["type"] for each in patient["verifiedIdentifiers"]} == {"MOBILE", "ABHA_NUMBER", "ABHA_ADDRESS"}
    assert patient["unverifiedIdentifiers"] == [{"type": "MR", "value": "42"}]
    assert patient["yearOfBirth"] == 1984


async def test_a_hospital_that_finds_nobody_says_so(world: World) -> None:
    found = await world.network.discover(world.asha.address, world.hip.service_id)
    await world.hip.settled()

    assert (found.state, found.error) == ("none", {"code": "ABDM-1010", "message": "Patient not found"})
    with pytest.raises(ValueError, match="nothing to choose from"):
        await world.network.init_link(found.transaction)


async def test_a_wrong_otp_leaves_the_link_open_for_another(world: World) -> None:
    transaction = await _found(world)
    await world.network.init_link(transaction)
    await world.hip.settled()
    found = await world.network.confirm_link(transaction, "999999")
    await world.hip.settled()

    assert (found.state, found.error) == ("otp", {"code": "ABDM-1035", "message": "The OTP is wrong"})
    await world.network.confirm_link(transaction, "012345")
    await world.hip.settled()
    assert found.state == "linked"


@pytest.mark.parametrize(("on", "token"), [(True, 12345), (False, "012345")])
async def test_the_otp_may_come_as_an_integer_that_lost_its_zero(world: World, on: bool, token: Any) -> None:
    world.network.switch({"integer_otp": on})
    transaction = await _found(world)
    await world.network.init_link(transaction)
    await world.hip.settled()
    await world.network.confirm_link(transaction, "012345")
    await world.hip.settled()

    assert world.hip.typed == [token]
    assert world.network.discoveries[transaction].state == "linked"


async def test_a_context_that_is_linked_already_is_not_to_be_found_again(world: World) -> None:
    await world.linked(Record("V-1"))
    world.hip.linked.clear()
    await world.network.discover(world.asha.address, world.hip.service_id)
    await world.hip.settled()

    assert world.faults("on-discover") == [("3.3", "V-1 is linked already and is not to be found again")]


async def test_linking_more_than_the_patient_chose_is_a_fault(world: World) -> None:
    transaction = await _found(world)
    await world.network.init_link(transaction, ["V-2"])
    await world.hip.settled()
    world.hip.chosen = world.hip.records
    await world.network.confirm_link(transaction, "012345")
    await world.hip.settled()

    assert world.faults("on-confirm") == [("3.3", "V-1 was not chosen, and is not to be linked")]


async def test_an_answer_to_nothing_that_was_asked_is_refused(world: World) -> None:
    response = {"requestId": "0b6f1c8a-3a43-4d9e-9d0a-6f6a1f2f3a4b"}
    answer = await world.hip.call(ON_CONFIRM, {"patient": [world.hip.block(Record("V-1"))], "response": response})

    assert answer.json()["error"]["code"] == "ABDM-1006"
    assert world.faults("on-confirm")[0][0] == "3.3"


async def test_an_answer_to_another_step_is_refused(world: World) -> None:
    await _found(world)
    response = {"requestId": world.network.told[-1].request_id}
    answer = await world.hip.call(ON_CONFIRM, {"patient": [world.hip.block(Record("V-1"))], "response": response})

    assert answer.status_code == 400


async def test_a_patient_that_names_nothing_found_is_told_so(world: World) -> None:
    transaction = await _found(world)

    with pytest.raises(ValueError, match="none of these"):
        await world.network.init_link(transaction, ["V-9"])


async def test_the_patients_app_pulls_what_was_linked(world: World) -> None:
    world.network.switch({"eager_app": True})
    transaction = await _found(world)
    await world.network.init_link(transaction)
    await world.hip.settled()
    await world.network.confirm_link(transaction, "012345")
    await world.hip.settled()
    await world.go()

    assert [sorted(each.plain) for each in world.network.transfers.values()] == [["V-1", "V-2"]]


async def test_an_answer_under_another_facilitys_id_is_a_fault(world: World) -> None:
    other = world.network.add_facility("Hill Clinic", hfr_id="IN2910000124")
    world.hip.silent = True
    await world.network.discover(world.asha.address, world.hip.service_id)
    response = {"requestId": world.network.told[-1].request_id}
    body = {
        "transactionId": world.network.told[-1].body["transactionId"], "response": response,
        "error": {"code": "ABDM-1010", "message": "Patient not found"},
    }  # fmt: skip
    path = "/api/hiecm/user-initiated-linking/v3/patient/care-context/on-discover"
    await world.hip.call(path, body, X_HIP_ID=other.service_id)

    assert world.faults("on-discover") == [("3.3", "X-HIP-ID is IN2910000124, and IN2910000123 was asked")]
