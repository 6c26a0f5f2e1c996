"""Scan and share: thirty seconds, the same token for the same patient, and codes that are not ABDM's."""

import pytest

from connectors.abdm.simulator.sharing import read_code
from tests.connectors.abdm.simulator.conftest import World

CODE = "https://phrsbx.abdm.gov.in/share-profile?hip-id=IN2910000123&counter-id=OPD1"


async def test_a_shared_profile_brings_a_token_and_a_second_scan_the_same(world: World) -> None:
    first = await world.network.share_profile(world.asha.address, *read_code(CODE))
    await world.hip.settled()
    second = await world.network.share_profile(world.asha.address, *read_code(CODE))
    await world.hip.settled()

    assert (first.state, first.token, first.expiry_seconds) == ("acknowledged", "1", 1799)
    assert second.token == "1"
    assert world.hip.callbacks[0].body["profile"]["patient"]["yearOfBirth"] == "1984"
    assert world.network.faulty() == []


async def test_another_token_within_its_time_and_one_that_another_has_are_faults(world: World) -> None:
    ravi = world.network.add_patient("Ravi Rao", mobile="9876543211", year_of_birth=1980, gender="M")
    for address in (world.asha.address, ravi.address, world.asha.address):
        await world.network.share_profile(address, world.hip.service_id, "OPD1")
        await world.hip.settled()
        world.hip.queue = {("OPD2", "somebody"): 1} if address == ravi.address else {}

    second, third = world.network.heard("on-share")[1:]
    assert [each.what for each in second.faults] == ["another patient has this token at this counter"]
    assert [each.what for each in third.faults] == ["a second scan while the token is valid must bring the same token"]


async def test_the_patients_app_gives_up_after_thirty_seconds(world: World) -> None:
    world.hip.silent = True
    share = await world.network.share_profile(world.asha.address, world.hip.service_id, "OPD1")
    await world.go(31)
    profile = {"context": "OPD1", "tokenNumber": "1", "expiry": "1799"}
    acknowledgement = {"status": "SUCCESS", "abhaAddress": world.asha.address, "profile": profile}
    body = {"acknowledgement": acknowledgement, "response": {"requestId": share.request_id}}
    await world.hip.call("/api/hiecm/patient-share/v3/on-share", body)

    assert (share.state, share.token) == ("timed_out", None)
    assert world.faults("on-share")[0][1].startswith("the acknowledgement comes after 30 seconds")


async def test_a_token_that_is_a_number_is_a_fault_of_form(world: World) -> None:
    world.hip.silent = True
    share = await world.network.share_profile(world.asha.address, world.hip.service_id, "OPD1")
    profile = {"context": "OPD1", "tokenNumber": 1, "expiry": "1799"}
    acknowledgement = {"status": "SUCCESS", "abhaAddress": world.asha.address, "profile": profile}
    body = {"acknowledgement": acknowledgement, "response": {"requestId": share.request_id}}
    answer = await world.hip.call("/api/hiecm/patient-share/v3/on-share", body)

    assert answer.status_code == 400
    assert world.faults("on-share") == [
        ("2.6", "body.acknowledgement.profile.tokenNumber must be a string, not an integer")
    ]


@pytest.mark.parametrize(
    "code",
    [
        CODE.replace("phrsbx.abdm.gov.in", "phrsbx.abdm.gov.in.example"),
        CODE.replace("https", "http"),
        CODE.replace("OPD1", "OPD-1"),
        CODE.replace("OPD1", "X" * 21),
        "hello",
    ],
)
def test_a_code_that_is_not_abdms_is_not_read(code: str) -> None:
    with pytest.raises(ValueError, match="code"):
        read_code(code)
