"""/v1/disclosures over HTTP: searched, read, proved; and that looking for somebody is itself written down."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from gateway.app import House
from gateway.ledger.checkpoint import open_checkpoint
from gateway.ledger.merkle import leaf_hash, verify_inclusion
from gateway.web.api.answers import DisclosureDetail, DisclosurePage, InclusionAnswer
from tests.gateway.egress.vendor import Vendor, answer
from tests.gateway.house import Clinic, entries_of
from tests.gateway.web.conftest import Api, problem


@pytest.fixture
async def made(api: Api, vendor: Vendor) -> dict[str, str]:
    """Disclosures and a refusal, by what came of them."""
    accepted = (await api.call()).json()["id"]
    vendor.answers[:] = [answer(402, b'{"error": {"type": "card_error", "code": "card_declined"}}')]
    rejected = (await api.call(subject="patient-4712")).json()["id"]
    problem(await api.call(purpose="TREAT"), 403, "refused")
    return {"accepted": accepted, "rejected": rejected}


async def ids(api: Api, **query: Any) -> list[str]:
    response = await api.get("/v1/disclosures", params=query)
    assert response.status_code == 200, response.text
    return [str(item.id) for item in DisclosurePage.model_validate(response.json()).items]


async def test_disclosures_are_found_by_what_they_are(api: Api, made: dict[str, str]) -> None:
    accepted, rejected = made["accepted"], made["rejected"]
    assert await ids(api) == [rejected, accepted]
    assert await ids(api, outcome="accepted") == [accepted]
    assert await ids(api, outcome="pending") == []
    assert await ids(api, connector="payments/stripe", purpose="HPAYMT", category="billing") == [rejected, accepted]
    assert await ids(api, recipient="Stripe, Inc.") == [rejected, accepted]
    for nothing in ({"connector": "other"}, {"purpose": "TREAT"}, {"category": "clinical"}, {"recipient": "Nobody"}):
        assert await ids(api, **nothing) == []
    assert await ids(api, since="2100-01-01T00:00:00Z") == []
    assert await ids(api, until="2001-01-01T00:00:00+05:30") == []


async def test_refusals_are_listed_with_their_reasons(api: Api, made: dict[str, str]) -> None:
    items = (await api.get("/v1/disclosures", params={"outcome": "refused"})).json()["items"]
    assert [(item["outcome"], item["purpose"], item["reasons"]) for item in items] == [
        ("refused", "TREAT", ["purpose_not_allowed"])
    ]
    told = problem(await api.get("/v1/disclosures?outcome=refused&category=billing"), 400, "invalid_request")
    assert [fault["path"] for fault in told["faults"]] == ["category"]


async def test_a_subject_is_found_by_the_hosts_reference_in_a_body(api: Api, made: dict[str, str]) -> None:
    response = await api.post("/v1/disclosures/search", {"subject": "patient-4711"})
    items = DisclosurePage.model_validate(response.json()).items
    assert [str(item.id) for item in items] == [made["accepted"]]
    assert "4711" not in response.text
    pseudonym = str(items[0].subject)
    assert await ids(api, subject=pseudonym) == [made["accepted"]]
    refused = await api.post("/v1/disclosures/search", {"subject": "patient-4711", "outcome": "refused"})
    assert len(refused.json()["items"]) == 1
    assert (await api.post("/v1/disclosures/search", {"outcome": "rejected"})).json()["items"][0]["id"] == made[
        "rejected"
    ]


async def test_a_reference_does_not_stand_in_an_address(api: Api, made: dict[str, str]) -> None:
    response = await api.get("/v1/disclosures", params={"subject": "patient-4711"})
    told = problem(response, 400, "invalid_request")
    assert told["faults"] == [{"path": "subject", "message": "must be a UUID"}]
    assert "4711" not in response.text


async def test_looking_for_somebody_is_written_down_without_naming_them(
    api: Api, made: dict[str, str], house: House, clinic: Clinic
) -> None:
    found = await api.post("/v1/disclosures/search", {"subject": "patient-4711", "purpose": "HPAYMT"})
    pseudonym = found.json()["items"][0]["subject"]
    await api.get("/v1/disclosures", params={"subject": pseudonym, "since": "2001-01-01T00:00:00Z"})
    await api.post("/v1/disclosures/search", {"subject": "nobody-1"})
    await api.get("/v1/disclosures")
    written = await entries_of(house, clinic.tenant)
    assert [(entry["what"], entry["query"], entry["count"]) for entry in written if entry["kind"] == "access"] == [
        ("disclosures", {"subject": pseudonym, "purpose": "HPAYMT"}, 1),
        ("disclosures", {"subject": pseudonym, "since": "2001-01-01T00:00:00+00:00"}, 1),
        ("disclosures", {"subject": None}, 0),
    ]
    assert "patient-4711" not in str(written)
    assert "nobody-1" not in str(written)


async def test_pages_follow_each_other_without_gap_or_repeat(api: Api) -> None:
    made = [(await api.call()).json()["id"] for _ in range(5)]
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (
            await api.get("/v1/disclosures", params={"limit": "2", **({"cursor": cursor} if cursor else {})})
        ).json()
        found += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert found == made[::-1]


@pytest.mark.parametrize(
    "query",
    ["cursor=x", "cursor=AAAA", "cursor=%00", "cursor=" + "A" * 23, "cursor=AAAAAAAAAAAAAAAAAAAAAB", "cursor=", "limit=0",
     "limit=201", "limit=ten", "limit=1.5", "since=yesterday", "since=1700000000", "since=2026-01-01T00:00:00",
     "purpose=Ada", "category=Ada", "outcome=Ada", "patient=Ada", "limit=1&limit=2", "Ada=1"],
)  # fmt: skip
async def test_a_wrong_parameter_is_named_and_not_repeated(api: Api, query: str) -> None:
    response = await api.get(f"/v1/disclosures?{query}")
    name = query.partition("=")[0]
    told = problem(response, 400, "invalid_request")
    assert [fault["path"] for fault in told["faults"]] == [name]
    if name in ("patient", "Ada"):
        assert "recipient, connector, purpose" in told["faults"][0]["message"]
    assert "Ada" not in response.text.replace('"path":"Ada"', "")


async def test_one_disclosure_is_read_with_its_entries(api: Api, made: dict[str, str]) -> None:
    response = await api.get(f"/v1/disclosures/{made['rejected']}")
    told = DisclosureDetail.model_validate(response.json())
    assert (told.outcome, told.recipient, told.connector) == ("rejected", "Stripe, Inc.", "payments/stripe")
    assert told.code
    assert [entry.kind for entry in told.entries] == ["intent", "outcome"]
    assert [entry.index for entry in told.entries] == [told.ledger.index, told.ledger.outcome_index]
    assert told.entries[0].entry["disclosure"] == made["rejected"]
    assert "inv_7Hq2ZkW9" not in response.text


@pytest.mark.parametrize("which", ["intent", "outcome"])
async def test_a_proof_leads_from_the_entry_to_the_signed_head(
    api: Api, made: dict[str, str], house: House, clinic: Clinic, which: str
) -> None:
    response = await api.get(f"/v1/disclosures/{made['accepted']}/proof", params={"entry": which})
    proof = InclusionAnswer.model_validate(response.json())
    head = open_checkpoint(proof.checkpoint, [house.rooms.proofs.signer(clinic.tenant).verifier])
    leaf = base64.b64decode(proof.leaf)
    assert leaf_hash(proof.entry.encode()) == leaf
    assert orjson.loads(proof.entry)["kind"] == which
    assert head.size == proof.size
    verify_inclusion(
        index=proof.index, size=proof.size, leaf=leaf, proof=list(map(base64.b64decode, proof.hashes)), root=head.root
    )


@pytest.mark.parametrize("path", ["", "/proof"])
@pytest.mark.parametrize(
    "disclosure", ["0190163d-8694-7a3c-8f0e-6c7f3e8f7a01", "00000000-0000-0000-0000-000000000000", "Ada", "1"]
)
async def test_a_disclosure_that_is_not_there_is_404(api: Api, disclosure: str, path: str) -> None:
    response = await api.get(f"/v1/disclosures/{disclosure}{path}")
    assert response.status_code == 404
    assert "Ada" not in response.text
