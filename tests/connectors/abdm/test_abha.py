"""ABHA at the desk, against the simulator: enrolment, login by each way, profile and card. Nothing that leaves is at fault."""

from typing import Any

import pytest

from connectors.contract import Rejected, TryLater
from scopes.fault import InvalidPayload
from tests.connectors.abdm.played import AADHAAR, NEWCOMER, Played, played


async def login(world: Played, by: str, identifier: str, code_to: str, mobile: str = "9876543210") -> dict[str, Any]:
    sent = await world.call("request_login_code", {"by": by, "identifier": identifier, "code_to": code_to})
    assert sent["found"]
    proof = {"by": by, "code_to": code_to, "transaction": sent["transaction"], "code": world.code(mobile)}
    return await world.call("verify_login", proof)


async def test_a_newcomer_gets_a_number_another_mobile_and_an_address() -> None:
    world = await played()
    sent = await world.call("request_enrolment_code", {"aadhaar": "3451 2341 2340", "consented": True})
    assert sent["sent_to"].endswith("1111")
    transaction = sent["transaction"]
    proof = {"transaction": transaction, "code": world.code("9811111111"), "mobile": "9811111111", "consented": True}
    made = await world.call("enrol", proof)
    assert made["made"]
    assert made["profile"]["name"] == "Nita Shah"
    await world.go(61)
    other = await world.call("request_mobile_code", {"transaction": transaction, "mobile": "+919822222222"})
    right = {"transaction": other["transaction"], "code": world.code("9822222222")}
    assert (await world.call("verify_mobile", right))["verified"]
    profile = await world.call("read_profile", {"session": made["session"]})
    free = await world.call("suggest_addresses", {"transaction": transaction})
    chosen = await world.call("choose_address", {"transaction": transaction, "address": free["addresses"][0]})
    assert chosen["address"] == f"{free['addresses'][0]}@sbx"
    assert chosen["number"] == profile["number"]
    again = await world.call("read_profile", {"session": made["session"]})
    assert (again["address"], again["number"]) == (chosen["address"], profile["number"])
    assert world.faults() == []


async def test_a_wrong_code_at_enrolment_makes_no_account_and_says_so() -> None:
    world = await played()
    sent = await world.call("request_enrolment_code", {"aadhaar": NEWCOMER, "consented": True})
    known = len(world.network.patients)
    with pytest.raises(Rejected) as refused:
        await world.call(
            "enrol", {"transaction": sent["transaction"], "code": "0000", "mobile": "9811111111", "consented": True}
        )
    assert refused.value.code == "code_refused"
    assert len(world.network.patients) == known


async def test_an_outcome_of_failed_is_no_login_although_the_status_is_200() -> None:
    world = await played()
    sent = await world.call("request_login_code", {"by": "mobile", "identifier": "9876543210", "code_to": "mobile"})
    with pytest.raises(Rejected) as refused:
        await world.call(
            "verify_login", {"by": "mobile", "code_to": "mobile", "transaction": sent["transaction"], "code": "0000"}
        )
    assert refused.value.code == "code_refused"
    assert world.network.heard("login/verify")[-1].status == 200


async def test_a_mobile_of_two_accounts_waits_for_a_choice_and_the_other_s_profile_stays_closed() -> None:
    world = await played()
    waiting = await login(world, "mobile", "+91 98765 43210", "mobile")
    assert not waiting["complete"]
    assert waiting["session"].startswith("T.")
    assert {each["name"] for each in waiting["accounts"]} == {"Asha Rao", "Ravi Rao"}
    with pytest.raises(InvalidPayload):
        await world.call("read_profile", {"session": waiting["session"]})
    choice = {"session": waiting["session"], "transaction": waiting["transaction"], "number": world.ravi.dashed}
    opened = await world.call("choose_account", choice)
    assert opened["session"].startswith("X.")
    assert (await world.call("read_profile", {"session": opened["session"]}))["name"] == "Ravi Rao"
    assert world.faults() == []


async def test_a_login_by_aadhaar_is_complete_and_takes_no_choice() -> None:
    world = await played()
    opened = await login(world, "aadhaar", AADHAAR, "aadhaar")
    assert opened["complete"]
    assert opened["accounts"] == []
    with pytest.raises(InvalidPayload):
        await world.call(
            "choose_account",
            {"session": opened["session"], "transaction": opened["transaction"], "number": world.asha.dashed},
        )
    assert world.faults() == []


@pytest.mark.parametrize("code_to", ["mobile", "aadhaar"])
async def test_a_login_by_abha_number_is_sent_with_dashes_however_it_was_typed(code_to: str) -> None:
    world = await played()
    found = await login(world, "abha_number", world.asha.dashed.replace("-", ""), code_to)
    assert found["complete"] is (code_to == "aadhaar")
    assert world.faults() == []


async def test_a_login_by_address_uses_the_other_key() -> None:
    world = await played()
    seen = await world.call("find_address", {"address": "Asha.Rao@sbx"})
    assert seen == {"found": True, "methods": ["AADHAAR_OTP", "MOBILE_OTP"], "status": "ACTIVE"}
    opened = await login(world, "abha_address", "asha.rao@sbx", "mobile")
    assert opened["complete"]
    assert opened["session"].startswith("X.")
    assert world.faults() == []


async def test_somebody_whom_abdm_does_not_know_is_a_result_and_no_error() -> None:
    world = await played()
    assert await world.call("find_address", {"address": "nobody.here@sbx"}) == {"found": False}
    ask = {"by": "mobile", "identifier": "9999999999", "code_to": "mobile"}
    assert await world.call("request_login_code", ask) == {"found": False}


async def test_a_number_with_a_wrong_check_digit_is_asked_for_and_warned_of() -> None:
    world = await played()
    ask = {"by": "abha_number", "identifier": "22-7225-4829-4255", "code_to": "mobile"}
    assert await world.call("request_login_code", ask) == {"found": False, "warning": "number_check_digit"}


async def test_an_aadhaar_number_with_a_wrong_digit_never_leaves() -> None:
    world = await played()
    with pytest.raises(InvalidPayload) as refused:
        await world.call("request_enrolment_code", {"aadhaar": "234123412347", "consented": True})
    assert "234123412347" not in str(refused.value)
    assert world.network.heard("/v3/enrollment") == []


async def test_nothing_is_asked_of_aadhaar_without_the_patient_s_consent() -> None:
    world = await played()
    for consented in (False, None, "yes"):
        with pytest.raises(InvalidPayload):
            await world.call("request_enrolment_code", {"aadhaar": AADHAAR, "consented": consented})


@pytest.mark.parametrize("bare", [True, False])
async def test_a_profile_is_read_whichever_form_of_the_token_is_wanted(bare: bool) -> None:
    world = await played(bare_x_token=bare)
    opened = await login(world, "aadhaar", AADHAAR, "aadhaar")
    profile = await world.call("read_profile", {"session": opened["session"]})
    assert (profile["address"], profile["year_of_birth"]) == ("asha.rao@sbx", 1984)
    sent = [each.headers["x-token"] for each in world.network.heard("/v3/profile/account")]
    assert [each.startswith("Bearer ") for each in sent] == ([True, False] if bare else [True])
    ids = [each.headers["request-id"] for each in world.network.heard("/v3/profile/account")]
    assert len(set(ids)) == len(ids)


async def test_card_and_code_come_as_pictures() -> None:
    world = await played()
    opened = await login(world, "aadhaar", AADHAAR, "aadhaar")
    for action in ("read_card", "read_qr"):
        picture = await world.call(action, {"session": opened["session"]})
        assert picture["media"] == "image/png"
        assert picture["content"].startswith("iVBORw0KGgo")


async def test_a_login_that_is_over_is_refused_and_not_the_clinic_s_connection() -> None:
    world = await played(session_expiry=False)
    opened = await login(world, "aadhaar", AADHAAR, "aadhaar")
    await world.go(1801)
    with pytest.raises(Rejected) as refused:
        await world.call("read_profile", {"session": opened["session"]})
    assert refused.value.code == "user_token_refused"
    assert type(refused.value) is Rejected


async def test_a_second_code_within_a_minute_is_asked_to_wait() -> None:
    world = await played()
    ask = {"by": "mobile", "identifier": "9876543210", "code_to": "mobile"}
    await world.call("request_login_code", ask)
    with pytest.raises(TryLater) as refused:
        await world.call("request_login_code", ask)
    assert (refused.value.code, refused.value.retry_after_seconds) == ("too_many_codes", 60.0)
    await world.go(61)
    assert (await world.call("request_login_code", ask))["found"]


@pytest.mark.parametrize("wrong", [{"by": "mobile", "identifier": "12345678", "code_to": "mobile"},
                                   {"by": "aadhaar", "identifier": AADHAAR, "code_to": "mobile"},
                                   {"by": "mobile", "identifier": "9876543210", "code_to": "aadhaar"},
                                   {"by": "abha_address", "identifier": "no.at.sign", "code_to": "mobile"}])  # fmt: skip
async def test_what_cannot_be_a_login_is_refused_before_anything_leaves(wrong: dict[str, str]) -> None:
    world = await played()
    with pytest.raises(InvalidPayload) as refused:
        await world.call("request_login_code", wrong)
    assert wrong["identifier"] not in str(refused.value)
    assert world.network.heard("/v3/") == []


async def test_no_session_no_number_and_no_name_is_in_what_an_answer_s_repr_shows() -> None:
    world = await played()
    opened = await login(world, "aadhaar", AADHAAR, "aadhaar")
    model = minimize_request(opened["session"])
    assert opened["session"] not in f"{model!r} {model}"


def minimize_request(session: str) -> Any:
    from scopes.minimize import minimize
    from tests.connectors.abdm.played import ABDM

    return minimize(ABDM.actions["read_profile"].shape, {"session": session}).model
