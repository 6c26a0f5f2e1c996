"""/v1/consents: what is recorded, who may see it, and what never stands in the ledger, an address or an error."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from gateway.app import House
from tests.gateway.house import Clinic, entries_of
from tests.gateway.web.conftest import Api, problem

EVIDENCE = {"how": "on the canary tablet", "when": "2026-01-15T09:30:00Z", "wording": "canary-2026-03"}
CONSENT: dict[str, Any] = {
    "subject": "patient-4711", "purposes": ["TREAT", "HPAYMT"], "channels": ["whatsapp", "sms"], "evidence": EVIDENCE,
}  # fmt: skip


async def test_a_consent_is_recorded_with_a_commitment_and_without_its_evidence(
    api: Api, house: House, clinic: Clinic
) -> None:
    made = await api.post("/v1/consents", {**CONSENT, "expires_at": "2100-01-01T00:00:00Z"})
    assert made.status_code == 201, made.text
    told = made.json()
    assert (told["purposes"], told["channels"]) == (["HPAYMT", "TREAT"], ["sms", "whatsapp"])
    assert (told["given_at"], told["withdrawn_at"]) == ("2026-01-15T09:30:00Z", None)
    entry = (await entries_of(house, clinic.tenant))[-1]
    assert (entry["kind"], entry["state"], entry["consent"], entry["subject"]) == (
        "consent", "given", told["id"], told["subject"],
    )  # fmt: skip
    assert (entry["from"], entry["until"]) == ("2026-01-15T09:30:00.000000Z", "2100-01-01T00:00:00.000000Z")
    assert "canary" not in orjson.dumps(entry).decode()
    assert "4711" not in orjson.dumps(entry).decode()
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        row = await connection.fetchrow("SELECT evidence, salt FROM consents WHERE tenant = $1", clinic.tenant)
    keyring = (await house.rooms.connections.clinic(clinic.tenant)).keyring
    written = keyring.open(row["evidence"], purpose="consent", row=told["id"])
    assert orjson.loads(written)["wording"] == "canary-2026-03"
    assert hashlib.sha256(row["salt"] + written).hexdigest() == entry["evidence"]
    assert b"canary" not in row["evidence"]


async def test_a_withdrawal_is_recorded_once(api: Api, house: House, clinic: Clinic) -> None:
    made = (await api.post("/v1/consents", CONSENT)).json()
    for _ in range(2):
        assert (await api.ask("DELETE", f"/v1/consents/{made['id']}")).status_code == 204
    states = [entry["state"] for entry in await entries_of(house, clinic.tenant) if entry["kind"] == "consent"]
    assert states == ["given", "withdrawn"]
    (item,) = (await api.get("/v1/consents")).json()["items"]
    assert item["id"] == made["id"]
    assert abs(datetime.fromisoformat(item["withdrawn_at"]) - datetime.now(UTC)).total_seconds() < 60


async def test_a_subjects_consents_are_found_by_pseudonym_and_by_reference_and_both_are_recorded(
    api: Api, house: House, clinic: Clinic
) -> None:
    made = (await api.post("/v1/consents", CONSENT)).json()
    await api.post("/v1/consents", {**CONSENT, "subject": "patient-4712"})
    for found in (
        await api.get("/v1/consents", params={"subject": made["subject"]}),
        await api.post("/v1/consents/search", {"subject": "patient-4711"}),
    ):
        assert [item["id"] for item in found.json()["items"]] == [made["id"]]
    assert (await api.post("/v1/consents/search", {"subject": "nobody"})).json()["items"] == []
    looked = [entry for entry in await entries_of(house, clinic.tenant) if entry["kind"] == "access"]
    assert [(entry["what"], entry["query"]["subject"], entry["count"]) for entry in looked] == [
        ("consents", made["subject"], 1), ("consents", made["subject"], 1), ("consents", None, 0),
    ]  # fmt: skip
    assert len((await api.get("/v1/consents?limit=1")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"purposes": []}, "purposes"),
        ({"purposes": ["CANARY"]}, "purposes[0]"),
        ({"channels": []}, "channels"),
        ({"channels": ["sms", "canary"]}, "channels[1]"),
        ({"evidence": {**EVIDENCE, "when": "2100-01-01T00:00:00Z"}}, "evidence.when"),
        ({"evidence": {**EVIDENCE, "when": "canary"}}, "evidence.when"),
        ({"evidence": {**EVIDENCE, "how": ""}}, "evidence.how"),
        ({"evidence": {}}, "evidence.how"),
        ({"expires_at": "2026-01-16T00:00:00Z"}, "expires_at"),
        ({"subject": ""}, "subject"),
    ],
)
async def test_a_wrong_consent_is_refused_by_path_and_never_by_value(
    api: Api, house: House, clinic: Clinic, given: dict[str, Any], path: str
) -> None:
    response = await api.post("/v1/consents", {**CONSENT, **given})
    told = problem(response, 400, "invalid_request")
    assert path in [fault["path"] for fault in told["faults"]]
    assert "canary" not in response.text.lower()
    assert not [entry for entry in await entries_of(house, clinic.tenant) if entry["kind"] == "consent"]


async def test_a_hosts_reference_has_no_place_in_an_address(api: Api) -> None:
    await api.post("/v1/consents", CONSENT)
    problem(await api.get("/v1/consents?subject=patient-4711"), 400, "invalid_request")


async def test_a_repeat_under_the_same_key_records_one_consent(api: Api, house: House, clinic: Clinic) -> None:
    told = [
        (await api.post("/v1/consents", CONSENT, headers={"idempotency-key": "once"})).json()["id"] for _ in range(2)
    ]
    assert told[0] == told[1]
    assert len((await api.get("/v1/consents")).json()["items"]) == 1
