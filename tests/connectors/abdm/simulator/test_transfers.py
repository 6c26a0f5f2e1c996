"""Consents and records: what the HIU opens, and every way in which a hospital may break what the consent says."""

import base64
import hashlib
from dataclasses import replace
from typing import Any

import pytest

from connectors.abdm.simulator import peerkeys
from connectors.abdm.simulator.artefacts import Artefact, Wanted
from connectors.abdm.simulator.transfers import Asked, Transfer
from tests.connectors.abdm.simulator import curve
from tests.connectors.abdm.simulator.conftest import World
from tests.connectors.abdm.simulator.hip import Hip, Record, bundle

HIU = "IN2910000999"
WANTED = Wanted(
    "CAREMGT", since="2026-01-01T00:00:00.000Z", until="2026-11-30T00:00:00.000Z", erase_at="2026-12-30T00:00:00.000Z"
)
VISITS = (Record("V-1"), Record("V-2", hi_type="OPConsultation", bundle=bundle("OPConsultation")))


async def granted(world: World, wanted: Wanted = WANTED, narrowed: tuple[str, str] | None = None) -> Artefact:
    if not world.asha.linked:
        await world.linked(*VISITS)
    request = world.network.ask_consent(world.asha.address, HIU, wanted)
    (artefact,) = await world.network.grant(request.id, narrowed=narrowed)
    await world.hip.settled()
    return artefact


async def asked(world: World, artefact: Artefact, **more: Any) -> Transfer:
    transfer = await world.network.request_records(artefact.id, Asked(**more))
    await world.hip.settled()
    return transfer


def faults(transfer: Transfer) -> list[tuple[str, str]]:
    return [(each.section, each.what) for each in transfer.faults]


async def test_an_honest_hospital_delivers_what_the_consent_allows_and_nothing_is_wrong(world: World) -> None:
    artefact = await granted(world)
    transfer = await asked(world, artefact)

    assert transfer.state == "TRANSFERRED"
    assert {each.reference: each.hi_type for each in transfer.entries} == {
        "V-1": "Prescription",
        "V-2": "OPConsultation",
    }
    assert transfer.statuses == {"V-1": "OK", "V-2": "OK"}
    assert artefact.acknowledged == {"GRANTED"}
    assert (faults(transfer), world.network.faulty()) == ([], [])
    assert world.network.heard("/data/push")[0].body["entries"][0]["content"] == "..."


async def test_a_consent_that_is_asked_for_or_denied_reaches_no_hospital(world: World) -> None:
    await world.linked(*VISITS)
    request = world.network.ask_consent(world.asha.address, HIU, WANTED)
    world.network.deny(request.id)

    assert world.hip.told("hip/notify") == []
    with pytest.raises(ValueError, match="DENIED"):
        await world.network.grant(request.id)


async def test_a_consent_for_which_nothing_is_linked_cannot_be_granted(world: World) -> None:
    request = world.network.ask_consent(world.asha.address, HIU, WANTED)

    with pytest.raises(ValueError, match="nothing of this is linked"):
        await world.network.grant(request.id)


async def test_a_consent_names_only_contexts_that_have_what_it_is_for(world: World) -> None:
    artefact = await granted(world, replace(WANTED, hi_types=("Prescription",)))

    assert artefact.references == {"V-1"}


@pytest.mark.parametrize("on", [True, False])
async def test_a_granted_consent_may_not_say_whose_it_is(world: World, on: bool) -> None:
    world.network.switch({"consent_without_hiu": on})
    await granted(world)

    detail = world.hip.told("hip/notify")[-1].body["notification"]["consentDetail"]
    assert ("hiu" in detail) is not on
    assert len(base64.b64decode(world.hip.told("hip/notify")[-1].body["notification"]["signature"])) == 256


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("status", ["REVOKED", "EXPIRED"])
async def test_the_end_of_a_consent_may_come_without_its_detail(world: World, status: str, on: bool) -> None:
    world.network.switch({"bare_revocation": on})
    artefact = await granted(world)
    await (world.network.revoke if status == "REVOKED" else world.network.expire)(artefact.id)
    await world.hip.settled()

    told = world.hip.told("hip/notify")[-1].body["notification"]
    assert (told["status"], told["consentId"]) == (status, artefact.id)
    assert ("consentDetail" in told) is not on
    assert artefact.acknowledged == {"GRANTED", status}
    with pytest.raises(ValueError, match=status):
        await world.network.revoke(artefact.id)


async def test_a_consent_expires_by_itself_when_its_time_is_over(world: World) -> None:
    artefact = await granted(world)
    await world.hip.sign_in()
    await world.go(31 * 86_400)

    assert artefact.status == "EXPIRED"
    assert world.hip.told("hip/notify")[-1].body["notification"]["status"] == "EXPIRED"


async def test_the_patient_may_narrow_the_dates(world: World) -> None:
    by_hand = await granted(world, narrowed=("2026-11-01T00:00:00.000Z", "2026-11-10T00:00:00.000Z"))
    world.network.switch({"narrowed_dates": True})
    by_quirk = await granted(world)

    assert by_hand.dates == ("2026-11-01T00:00:00.000Z", "2026-11-10T00:00:00.000Z")
    assert by_quirk.dates == ("2026-06-16T12:00:00.000Z", "2026-11-30T00:00:00.000Z")
    assert (await asked(world, by_hand)).entries == []


@pytest.mark.parametrize("form", peerkeys.FORMS)
async def test_a_hiu_shows_its_key_in_each_form_that_is_seen(world: World, form: str) -> None:
    transfer = await asked(world, await granted(world), key_form=form)

    sent = world.hip.told("information/request")[-1].body["hiRequest"]["keyMaterial"]["dhPublicKey"]["keyValue"]
    assert len(base64.b64decode(sent)) == {"raw": 65, "x509": 309, "named": 93}[form]
    assert form != "x509" or sent.startswith("MIIBMTCB6gYHKoZIzj0CATCB3gIBATAr")
    assert peerkeys.read(sent) == (transfer.own.public, form)
    assert transfer.plain.keys() == {"V-1", "V-2"}


async def test_hius_keys_come_in_all_forms_in_turn(world: World) -> None:
    world.network.switch({"mixed_peer_keys": True})
    artefact = await granted(world)

    assert {(await asked(world, artefact)).key_form for _ in range(3)} == set(peerkeys.FORMS)


@pytest.mark.parametrize("on", [True, False])
async def test_ids_in_the_body_of_a_request_may_be_empty(world: World, on: bool) -> None:
    world.network.switch({"empty_request_ids": on})
    await asked(world, await granted(world))

    told = world.hip.told("information/request")[-1]
    assert told.body["requestId"] == ("" if on else told.headers["request-id"])
    assert bool(told.body["timestamp"]) is not on


async def test_nothing_is_let_through_after_a_consents_end_unless_that_is_wanted(world: World) -> None:
    artefact = await granted(world)
    await world.network.revoke(artefact.id)
    await world.hip.settled()

    with pytest.raises(ValueError, match="REVOKED"):
        await world.network.request_records(artefact.id)
    transfer = await asked(world, artefact, forced=True)
    assert (transfer.state, transfer.entries) == ("refused", [])


async def test_records_after_a_revocation_that_the_hospital_took_are_a_fault(world: World) -> None:
    artefact = await granted(world)
    world.hip.silent = True
    transfer = await asked(world, artefact)
    await world.network.revoke(artefact.id)
    await _push(world, transfer, [VISITS[0]], (0, 1))

    assert faults(transfer) == [("4.1", "records under a consent that has ended, after the hospital was told so")]


async def _push(
    world: World, transfer: Transfer, records: list[Record], page: tuple[int, int], **other: Any
) -> tuple[int, Any]:
    asked_for = world.hip.told("information/request")[-1].body["hiRequest"]
    answer = await world.hip.push(asked_for, transfer.transaction, records, page, **other)
    return answer.status_code, answer


async def _open(world: World) -> Transfer:
    """A transfer that waits for pages."""
    artefact = await granted(world)
    world.hip.silent = True
    return await asked(world, artefact)


async def test_a_record_outside_the_consent_is_a_fault_with_its_reason(world: World) -> None:
    artefact = await granted(world, replace(WANTED, hi_types=("Prescription",)))
    world.hip.silent = True
    transfer = await asked(world, artefact)
    await _push(world, transfer, [VISITS[1]], (0, 2))
    await _push(world, transfer, [Record("V-1", bundle=bundle(date="2025-11-20T10:00:00Z"))], (1, 2))

    assert faults(transfer) == [
        ("4.3", "V-2 is not in the consent"),
        ("4.3", "V-2 is a OPConsultation, which the consent does not allow"),
        ("4.3", "the date of V-1 lies outside what was asked"),
    ]


async def test_a_visit_that_reaches_into_the_dates_counts(world: World) -> None:
    transfer = await _open(world)
    visit = {"resourceType": "Encounter", "period": {"start": "2025-12-30", "end": "2026-01-02"}}
    document = bundle(date="2025-12-30T10:00:00Z")
    document["entry"].append({"resource": visit})
    await _push(world, transfer, [Record("V-1", bundle=document)], (0, 1))

    assert faults(transfer) == []


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ({"resourceType": "Bundle"}, "V-1 holds no FHIR document with a Composition"),
        (bundle(date="yesterday"), "a date in the document of V-1 is none"),
        ({"entry": [{"resource": {"resourceType": "Composition"}}]}, "the document of V-1 has the type of no HI type"),
    ],
)
async def test_a_document_that_is_none_is_a_fault(world: World, document: dict[str, Any], what: str) -> None:
    transfer = await _open(world)
    await _push(world, transfer, [Record("V-1", bundle=document)], (0, 1))

    assert what in [each.what for each in transfer.faults]


async def test_keys_and_nonces_are_fresh_for_every_page_and_pages_have_one_entry(world: World) -> None:
    transfer = await _open(world)
    own = curve.generate()
    await _push(world, transfer, [VISITS[0]], (0, 2), own=own)
    await _push(world, transfer, [VISITS[1]], (1, 2), own=own)
    reused = faults(transfer)
    await _push(world, transfer, list(VISITS), (1, 2))

    assert reused == [
        ("4.7", "the key pair was used before: it must be fresh for every page"),
        ("4.7", "the nonce was used before: it must be fresh for every page"),
    ]
    assert faults(transfer)[2:] == [
        ("4.7", "several entries of one page share a key and a nonce: send one entry to a page")
    ]


async def test_a_wrong_checksum_and_text_that_cannot_be_opened_are_faults(world: World) -> None:
    transfer = await _open(world)
    await _push(world, transfer, [VISITS[0]], (0, 2), checksum=hashlib.md5(b"other").hexdigest())
    await _push(world, replace_own(transfer, world), [VISITS[1]], (1, 2))

    assert faults(transfer)[0] == ("4.4", "the checksum of V-1 is not the MD5 of its plain bytes")
    assert faults(transfer)[1][1].startswith("V-2 cannot be opened: ")
    assert transfer.plain.keys() == {"V-1"}


def replace_own(transfer: Transfer, world: World) -> Transfer:
    """The HIU holds another key pair than it said: what comes is sealed for somebody else."""
    transfer.own = world.network.crypto.generate()
    return transfer


async def test_a_key_as_raw_bytes_is_noted_since_other_hius_read_x509_only(world: World) -> None:
    world.hip.key_form = peerkeys.RAW
    transfer = await asked(world, await granted(world))

    assert {each[0] for each in faults(transfer)} == {"4.4"}
    assert transfer.plain.keys() == {"V-1", "V-2"}


@pytest.mark.parametrize(
    ("quirk", "first", "refused"),
    [
        ("one_based_pages", 1, False), ("one_based_pages", 0, True), ("zero_based_pages", 0, False),
        ("zero_based_pages", 1, True), (None, 0, False), (None, 1, False),
    ],
)  # fmt: skip
async def test_a_hiu_counts_pages_from_its_own_base(world: World, quirk: str | None, first: int, refused: bool) -> None:
    world.network.switch({quirk: True} if quirk else {})
    world.hip.first_page = first
    transfer = await asked(world, await granted(world))

    assert (transfer.state, len(transfer.entries)) == (("FAILED", 1) if refused else ("TRANSFERRED", 2))


async def test_with_one_page_either_base_will_do(world: World) -> None:
    world.network.switch({"one_based_pages": True})
    transfer = await asked(world, await granted(world, replace(WANTED, hi_types=("Prescription",))))

    assert transfer.state == "TRANSFERRED"


@pytest.mark.parametrize("on", [True, False])
async def test_a_hiu_may_want_a_bearer_of_the_gateway_with_each_push(world: World, on: bool) -> None:
    world.network.switch({"push_needs_token": on})
    artefact = await granted(world)
    world.hip.bearer_on_push = False
    without = await asked(world, artefact)
    world.hip.bearer_on_push = True
    with_it = await asked(world, artefact)

    assert without.state == ("FAILED" if on else "TRANSFERRED")
    assert with_it.state == "TRANSFERRED"


async def test_a_push_after_twenty_minutes_is_refused_and_silence_is_a_fault(world: World) -> None:
    transfer = await _open(world)
    await world.go(1201)
    status, _ = await _push(world, transfer, [VISITS[0]], (0, 1))

    assert status == 400
    assert faults(transfer) == [
        ("1.7", "no end of it within 20 minutes"), ("1.7", "a push more than 20 minutes after the request"),
    ]  # fmt: skip


async def test_a_hospitals_own_account_is_held_against_what_arrived(world: World) -> None:
    transfer = await _open(world)
    await _push(world, transfer, [VISITS[0]], (0, 2))
    await world.hip.report(transfer.consent_id, transfer.transaction, {"V-2": "OK"})

    assert [what for _, what in world.faults("health-information/notify")] == [
        "V-2 is reported as delivered, and did not arrive",
        "V-1 arrived, and is not reported as delivered",
        "1 of 2 pages came, and it is reported as TRANSFERRED",
    ]


async def test_a_push_to_another_hiu_or_of_another_transaction_is_not_found(world: World) -> None:
    transfer = await _open(world)
    stray = Transfer("0b6f1c8a-3a43-4d9e-9d0a-6f6a1f2f3a4b", "", "", "", None, "", "", "", 0, "raw")

    assert (await _push(world, stray, [VISITS[0]], (0, 1)))[0] == 404
    assert transfer.entries == []


async def test_a_page_that_lacks_what_it_needs_is_refused_by_name(world: World) -> None:
    transfer = await _open(world)
    status, _ = await _push(world, transfer, [VISITS[0]], (0, 1), keyMaterial={"cryptoAlg": "ECDH"}, more=1)

    assert status == 400
    assert ("4.6", "body.keyMaterial.nonce is missing") in faults(transfer)
    assert ("4.6", "body.more is not a key of this body") in faults(transfer)


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda key: b"\x04" + b"\0" * 64, "the point is not on the curve"),
        (lambda key: key[:-1] + bytes([key[-1] ^ 1]), "the point is not on the curve"),
        (lambda key: key[1:33], "neither 65 bytes nor an X.509 key of this curve"),
    ],
)
def test_a_point_that_is_not_on_the_curve_is_no_key(spoil: Any, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        peerkeys.read(base64.b64encode(spoil(curve.generate().public)).decode())


@pytest.mark.parametrize(
    "more",
    [
        {"key_value": base64.b64encode(b"\x04" + b"\0" * 64).decode()},
        {"nonce": "short"},
        {"curve": "P-256"},
        {"push_url": "http://169.254.169.254/latest"},
        {"since": "2020-01-01T00:00:00.000Z"},
        {"consent_id": "0b6f1c8a-3a43-4d9e-9d0a-6f6a1f2f3a4b"},
    ],
)
async def test_a_dishonest_request_goes_out_as_it_was_wanted(world: World, more: dict[str, str]) -> None:
    artefact = await granted(world)
    world.hip.silent = True
    await asked(world, artefact, **more)

    assert next(iter(more.values())) in str(world.hip.told("information/request")[-1].body)


async def test_an_answer_to_another_request_is_refused(world: World) -> None:
    transfer = await _open(world)
    path = "/api/hiecm/data-flow/v3/health-information/hip/on-request"
    told = {"hiRequest": {"transactionId": transfer.consent_id, "sessionStatus": "ACKNOWLEDGED"}}
    wrong = await world.hip.call(path, {**told, "response": {"requestId": transfer.request_id}})
    stray = await world.hip.call(path, {**told, "response": {"requestId": transfer.consent_id}})

    assert (wrong.status_code, stray.status_code) == (400, 400)
    assert transfer.state == "asked"


def test_the_doubles_curve_reproduces_the_published_vector() -> None:
    def raw(text: str) -> bytes:
        return base64.b64decode(text)

    hiu = curve.of(
        raw("DMxHPri8d7IT23KgLk281zZenMfVHSdeamq0RhwlIBk="), raw("6uj1RdDUbcpI3lVMZvijkMC8Te20O4Bcyz0SyivX8Eg=")
    )
    hip = curve.of(
        raw("AYhVZpbVeX4KS5Qm/W0+9Ye2q3rnVVGmqRICmseWni4="), raw("lmXgblZwotx+DfBgKJF0lZXtAXgBEYr5khh79Zytr2Y=")
    )
    plain = b"Wormtail should never have been Potter cottage's secret keeper."
    sealed = curve.seal(plain, own=hip, peer_public=hiu.public, peer_nonce=hiu.nonce)

    assert curve.shared(hip, hiu.public) == raw("HZbc9a4h9kMAReILN5VtvbSYHWQpfIcrZ9pWHlQZUHs=")
    assert base64.b64encode(sealed).startswith(b"pzMvVZNNVtJzqPkkxcCbBUWgDEBy/mBXIeT2dJWI16ZAQnnXUb9lI+S4k8XK6mgZ")
    assert curve.unseal(sealed, own=hiu, peer_public=hip.public, peer_nonce=hip.nonce) == plain


def test_an_honest_hospital_has_a_name_for_each_thing_it_hears() -> None:
    assert all(path.startswith("/api/v3/") for path in Hip.answers)
