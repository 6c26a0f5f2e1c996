"""Linking, discovery, scan and share, consents and requests for records, each played through: what is told and what is heard.

Every quirk of the network that is about telling is on. What flows decide is decided here by hand.
"""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from connectors.abdm.simulator.artefacts import Wanted
from connectors.abdm.simulator.transfers import Asked
from connectors.contract import Ambiguous, Rejected, TryLater
from connectors.told import (
    ArtefactStatus,
    ConsentTold,
    ContextNoted,
    LinkConfirmed,
    Linked,
    LinkTokenCame,
    LinkWanted,
    PatientInvited,
    ProfileShared,
    Proof,
    RecordKind,
    RecordsWanted,
    Sought,
)
from tests.connectors.abdm.played import NOW, Played, played

VISIT = {"reference": "V-1", "display": "Visit of 30 November", "kinds": ["OPConsultation", "Prescription"]}
PATIENT = {"patient_reference": "P-7", "patient_display": "Asha Rao"}


def demographics(world: Played, **changed: Any) -> dict[str, Any]:
    known = {
        "address": world.asha.address,
        "number": world.asha.dashed.replace("-", ""),
        "name": "Asha Rao",
        "gender": "F",
        "year_of_birth": 1984,
        "request_id": str(uuid4()),
    }
    return {**known, **changed}


async def link_token(world: Played) -> str:
    await world.call("request_link_token", demographics(world))
    await world.go()
    _, told, _ = await world.heard()
    assert isinstance(told, LinkTokenCame)
    assert told.token is not None
    return told.token


def contexts(world: Played, token: str, *listed: Any, **changed: Any) -> dict[str, Any]:
    known = {
        "address": world.asha.address,
        "number": world.asha.dashed.replace("-", ""),
        **PATIENT,
        "contexts": list(listed) or [VISIT],
        "link_token": token,
        "request_id": str(uuid4()),
    }
    return {**known, **changed}


async def linked(world: Played) -> None:
    await world.call("link_contexts", contexts(world, await link_token(world)))
    await world.go()


async def granted(world: Played, **changed: Any) -> ConsentTold:
    day = timedelta(days=1)
    wanted = Wanted("CAREMGT", *(f"{at:%Y-%m-%dT%H:%M:%S}.000Z" for at in (NOW - 365 * day, NOW, NOW + 30 * day)))
    world.network.add_hiu("HIU-1", "Hill Hospital")
    request = world.network.ask_consent(world.asha.address, "HIU-1", wanted)
    await world.network.grant(request.id)
    _, told, _ = await world.heard()
    assert isinstance(told, ConsentTold)
    return told


async def test_a_visit_of_two_kinds_is_linked_in_one_call_and_its_news_comes_half_a_minute_later() -> None:
    world = await played()
    asked = contexts(world, await link_token(world))
    await world.call("link_contexts", asked)
    await world.go()
    _, told, _ = await world.heard()
    assert told == Linked(asked["request_id"], None)
    (known,) = world.asha.linked[world.facility]
    assert known.hi_types == {"OPConsultation", "Prescription"}
    notice = {
        "address": world.asha.address,
        "patient_reference": "P-7",
        "context_reference": "V-1",
        "kinds": ["Prescription"],
        "at": NOW.isoformat(),
    }
    await world.call("notify_context", notice)
    await world.go()
    _, told, _ = await world.heard()
    assert isinstance(told, ContextNoted)
    assert told.problem is not None
    assert told.problem.code == "ABDM-1006"
    await world.go(30)
    await world.call("notify_context", notice)
    await world.go()
    _, told, _ = await world.heard()
    assert isinstance(told, ContextNoted)
    assert told.problem is None
    ((_, (only,)),) = world.faults()
    assert "too soon" in only.what


async def test_the_number_is_an_integer_for_a_token_and_bare_digits_for_a_link() -> None:
    world = await played()
    await linked(world)
    assert isinstance(world.network.heard("token/generate-token")[-1].body["abhaNumber"], int)
    number = world.network.heard("link/carecontext")[-1].body["abhaNumber"]
    assert number == world.asha.dashed.replace("-", "")


async def test_hi_type_is_one_text_and_never_a_list() -> None:
    world = await played()
    await linked(world)
    blocks = world.network.heard("link/carecontext")[-1].body["patient"]
    assert [block["hiType"] for block in blocks] == ["Prescription", "OPConsultation"]
    assert all("hiTypes" not in block and block["count"] == 1 for block in blocks)


async def test_what_a_patient_sees_is_put_into_the_network_s_characters() -> None:
    world = await played()
    visit = {**VISIT, "display": "Besuch № 3 – Prüfung * <b>"}
    await world.call("link_contexts", contexts(world, await link_token(world), visit, patient_display="Asha Räo; *"))
    await world.go()
    (block, _) = world.network.heard("link/carecontext")[-1].body["patient"]
    assert (block["display"], block["careContexts"][0]["display"]) == ("Asha Rao", "Besuch No 3 Prufung b")
    assert world.faults() == []


async def test_a_second_token_within_seven_minutes_says_how_long_to_wait() -> None:
    world = await played()
    await link_token(world)
    with pytest.raises(TryLater) as refused:
        await world.call("request_link_token", demographics(world))
    assert (refused.value.code, refused.value.retry_after_seconds) == ("link_token_pending", 420.0)
    await world.go(420)
    await link_token(world)


async def test_a_patient_who_is_blocked_is_left_alone_for_a_day() -> None:
    world = await played()
    await link_token(world)
    for _ in range(5):
        with pytest.raises(TryLater):
            await world.call("request_link_token", demographics(world))
    await world.go(500)
    await world.call("request_link_token", demographics(world))
    await world.go()
    _, told, _ = await world.heard()
    assert isinstance(told, LinkTokenCame)
    assert told.problem is not None
    assert (told.token, told.problem.code) == (None, "ABDM-1027")


async def test_demographics_that_abdm_does_not_know_are_a_problem_in_the_answer() -> None:
    world = await played()
    await world.call("request_link_token", demographics(world, year_of_birth=1990))
    await world.go()
    _, told, _ = await world.heard()
    assert isinstance(told, LinkTokenCame)
    assert told.problem is not None
    assert told.problem.code == "ABDM-1043"


async def test_a_token_of_another_patient_s_is_refused_at_once() -> None:
    world = await played()
    token = await link_token(world)
    with pytest.raises(Rejected) as refused:
        await world.call("link_contexts", contexts(world, token, address=world.ravi.address))
    assert refused.value.code == "link_token_refused"


async def test_a_request_id_that_was_seen_leaves_the_outcome_open() -> None:
    world = await played()
    asked = demographics(world)
    await world.call("request_link_token", asked)
    with pytest.raises(Ambiguous) as refused:
        await world.call("request_link_token", asked)
    assert refused.value.code == "request_id_seen"


async def test_a_wrong_service_id_is_taken_and_never_answered() -> None:
    world = await played()
    await world.call("request_link_token", demographics(world), account="IN9999999999_9")
    await world.go(60)
    assert world.letters == []


async def test_an_invitation_is_answered_under_resp() -> None:
    world = await played()
    asked = {"phone": "+919876543210", "facility_name": "Lake Clinic", "request_id": str(uuid4())}
    await world.call("invite_patient", asked)
    await world.go()
    _, told, _ = await world.heard()
    assert told == PatientInvited(asked["request_id"], None)
    assert world.faults() == []


async def test_a_number_abroad_is_not_invited() -> None:
    world = await played()
    with pytest.raises(Rejected) as refused:
        await world.call("invite_patient", {"phone": "+14155550123", "facility_name": "Lake Clinic"})
    assert refused.value.code == "not_an_indian_mobile"
    assert world.network.heard("notify2") == []


async def test_a_patient_finds_chooses_and_confirms_although_the_code_lost_its_zeros() -> None:
    world = await played()
    found = await world.network.discover(world.asha.address, world.facility, [{"type": "MR", "value": "P-7"}])
    answers, told, _ = await world.heard()
    assert isinstance(told, Sought)
    assert told.transaction == found.transaction
    assert {each.proof for each in told.verified} >= {Proof.MOBILE}
    assert [(each.proof, each.value) for each in told.unverified] == [(Proof.RECORD_NUMBER, "P-7")]
    known = {"answers": answers, "transaction": told.transaction, **PATIENT, "contexts": [VISIT]}
    await world.call("answer_discovery", {**known, "matched_by": ["address"]})
    await world.network.init_link(found.transaction)
    answers, told, _ = await world.heard()
    assert isinstance(told, LinkWanted)
    assert [each.reference for each in told.contexts] == ["V-1"]
    reference = str(uuid4())
    sent = {
        "answers": answers,
        "transaction": told.transaction,
        "reference": reference,
        "hint": "******3210",
        "expires_at": (NOW + timedelta(minutes=10)).isoformat(),
    }
    await world.call("answer_link", sent)
    await world.network.confirm_link(found.transaction, "001234")
    answers, told, _ = await world.heard()
    assert told == LinkConfirmed(reference, "1234")
    await world.call("answer_confirmation", {"answers": answers, **PATIENT, "contexts": [VISIT]})
    assert found.state == "linked"
    assert world.faults() == []


async def test_nobody_found_is_told_without_a_patient() -> None:
    world = await played()
    found = await world.network.discover(world.asha.address, world.facility)
    answers, told, _ = await world.heard()
    assert isinstance(told, Sought)
    await world.call(
        "answer_discovery", {"answers": answers, "transaction": told.transaction, "problem": "several_patients"}
    )
    assert found.error == {"code": "ABDM-1010", "message": "More than one patient found"}
    assert "patient" not in world.network.heard("on-discover")[-1].body
    assert world.faults() == []


async def test_a_wrong_code_is_told_and_the_patient_may_type_it_again() -> None:
    world = await played()
    found = await world.network.discover(world.asha.address, world.facility)
    answers, told, _ = await world.heard()
    assert isinstance(told, Sought)
    await world.call(
        "answer_discovery",
        {
            "answers": answers,
            "transaction": told.transaction,
            **PATIENT,
            "contexts": [VISIT],
            "matched_by": ["mobile"],
        },
    )
    await world.network.init_link(found.transaction)
    answers, _, _ = await world.heard()
    sent = {"answers": answers, "transaction": found.transaction, "reference": str(uuid4()), "hint": "******3210"}
    await world.call("answer_link", {**sent, "expires_at": (NOW + timedelta(minutes=10)).isoformat()})
    await world.network.confirm_link(found.transaction, "999999")
    answers, _, _ = await world.heard()
    await world.call("answer_confirmation", {"answers": answers, "problem": "code_wrong"})
    assert found.state == "otp"
    assert found.error == {"code": "ABDM-1035", "message": "Code is not correct"}
    assert world.faults() == []


async def test_a_scanned_code_brings_a_profile_and_a_place_in_the_queue() -> None:
    world = await played()
    share = await world.network.share_profile(world.asha.address, world.facility, "desk1")
    answers, told, _ = await world.heard()
    assert isinstance(told, ProfileShared)
    assert (told.counter, told.intent, told.address) == ("desk1", "PROFILE_SHARE", world.asha.address)
    assert told.profile["name"] == "Asha Rao"
    assert told.profile["mobile"] == "+919876543210"
    answer = {"answers": answers, "address": told.address, "counter": told.counter, "token_number": "17"}
    await world.call("answer_share", {**answer, "lasts_seconds": 1799})
    assert world.faults() == []
    assert share.request_id == answers


async def test_a_consent_is_read_acknowledged_and_its_end_too() -> None:
    world = await played()
    await linked(world)
    told = await granted(world)
    assert told.status is ArtefactStatus.GRANTED
    artefact = told.artefact
    assert artefact is not None
    assert (artefact.address, artefact.purpose) == (world.asha.address, "CAREMGT")
    assert [each.reference for each in artefact.contexts] == ["V-1"]
    assert artefact.kinds == frozenset(RecordKind)
    assert artefact.hiu is None  # the network leaves it out, and the purpose and the dates still bound it
    answers, _, _ = await world.heard()
    await world.call("answer_consent", {"answers": answers, "consent": told.consent})
    await world.network.revoke(told.consent)
    answers, ended, _ = await world.heard()
    assert ended == ConsentTold(told.consent, ArtefactStatus.REVOKED, None)
    await world.call("answer_consent", {"answers": answers, "consent": told.consent})
    assert world.network.artefacts[told.consent].acknowledged == {"GRANTED", "REVOKED"}
    assert world.faults() == []


async def test_records_are_asked_for_with_keys_of_each_form_and_refused_by_a_code_of_the_network_s() -> None:
    world = await played()
    await linked(world)
    told = await granted(world)
    for _ in range(3):
        transfer = await world.network.request_records(told.consent)
        answers, wanted, _ = await world.heard()
        assert isinstance(wanted, RecordsWanted)
        assert (wanted.transaction, wanted.fault, len(wanted.nonce)) == (transfer.transaction, None, 32)
        await world.call("answer_records", {"answers": answers, "transaction": wanted.transaction})
    transfer = await world.network.request_records(told.consent)
    answers, wanted, _ = await world.heard()
    assert isinstance(wanted, RecordsWanted)
    await world.call(
        "answer_records", {"answers": answers, "transaction": wanted.transaction, "problem": "dates_refused"}
    )
    report = {
        "consent": told.consent,
        "transaction": wanted.transaction,
        "done_at": world.now.isoformat(),
        "complete": False,
        "entries": [{"context_reference": "V-1", "arrived": False, "code": "dates_refused"}],
    }
    await world.call("report_transfer", report)
    body = world.network.heard("health-information/notify")[-1].body["notification"]["statusNotification"]
    assert body["sessionStatus"] == "FAILED"
    assert body["statusResponses"][0]["hiStatus"] == "ERRORED"
    assert world.network.heard("on-request")[-1].body["error"]["code"] == "ABDM-1063"
    assert world.faults() == []


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        (Asked(curve="P-256"), "curve_unknown"),
        (Asked(crypto_alg="RSA"), "algorithm_unknown"),
        (Asked(key_value="AAAA"), "key_refused"),
        (Asked(key_value="%%%"), "key_unreadable"),
        (Asked(nonce="9c7b1f00-7a1e-4a3b-9a2c-1f2e3d4c5b6a"), "nonce_unusable"),
    ],
)
async def test_key_material_that_cannot_be_used_is_a_fault_and_still_answered(asked: Asked, fault: str) -> None:
    world = await played()
    await linked(world)
    told = await granted(world)
    await world.network.request_records(told.consent, asked)
    answers, wanted, _ = await world.heard()
    assert isinstance(wanted, RecordsWanted)
    assert wanted.fault == fault
    await world.call(
        "answer_records", {"answers": answers, "transaction": wanted.transaction, "problem": "key_refused"}
    )
    assert world.faults() == []


async def test_a_letter_that_was_not_taken_comes_again_late_and_counts_all_the_same() -> None:
    world = await played()
    world.taken = 503
    await world.call("request_link_token", demographics(world))
    await world.go()
    world.taken = 202
    first = world.letters[-1]
    await world.go(970)
    assert world.letters[-1] == first
    await world.sign_in()
    _, told, late = await world.heard()
    assert isinstance(told, LinkTokenCame)
    assert 300 < late < 1800


async def test_ids_of_an_attempt_are_uuids_of_version_four_and_no_two_alike() -> None:
    world = await played()
    await linked(world)
    ids = [each.headers["request-id"] for each in world.network.heard()]
    assert len(set(ids)) == len(ids)
    assert {each[14] for each in ids} == {"4"}


@pytest.mark.parametrize("shape", ["nested", "flat", "field", "wso2", "empty", "registry", "array", "text"])
async def test_an_error_of_each_shape_is_an_error_of_ours(shape: str) -> None:
    from connectors.abdm.simulator.refusals import Shape
    from connectors.contract import ConnectorError

    world = await played()
    world.network.fail_next(Shape(shape), path="/api/hiecm/v3/token")
    with pytest.raises(ConnectorError):
        await world.call("request_link_token", demographics(world))
    await world.call("request_link_token", demographics(world))
