"""Documents as hosts hand them over at the API: a plain record, ready resources, a ready document; one of the three."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import orjson
import pytest

from connectors.told import RecordKind
from gateway.calls import Actor
from gateway.demo import EVERYTHING
from tests.connectors.abdm.records import bundle, record
from tests.gateway.network.ward import Ward, ward
from tests.gateway.web.conftest import Api, problem

VISIT = {"connector": "abdm", "subject": "patient-1", "reference": "visit-1", "display": "OP visit", "link": False}
TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
RESOURCES: list[dict[str, Any]] = [
    {"resourceType": "MedicationRequest", "id": "m", "status": "active", "intent": "order", "authoredOn": "2027-01-03",
     "medicationCodeableConcept": {"text": "Amlodipine 5 mg"}, "subject": {"reference": "Patient/p"},
     "requester": {"reference": "Practitioner/d"}, "dosageInstruction": [{"text": "One in the morning"}]},
    {"resourceType": "Patient", "id": "p", "name": [{"text": "Asha Rao"}], "identifier": [
        {"type": {"coding": [{"code": "ABHA", "display": "ABHA address"}]}, "value": "asha.rao@sbx"}]},
    {"resourceType": "Practitioner", "id": "d", "name": [{"text": "Dr Meera Nair"}], "identifier": [
        {"type": {"coding": [{"system": TYPES, "code": "MD", "display": "Medical License number"}]}, "value": "KMC-1"}]},
]  # fmt: skip
READY = {"kind": "Prescription", "resources": RESOURCES}


@pytest.fixture
async def at_abdm(fresh_dsn: str, tmp_path: Path) -> AsyncIterator[Ward]:
    async with ward(fresh_dsn, tmp_path) as made:
        await made.registered()
        yield made


@pytest.fixture
async def api(at_abdm: Ward) -> AsyncIterator[Api]:
    key, _ = await at_abdm.house.rooms.callers.create_key(at_abdm.actor, "a key of a test", EVERYTHING)
    async with httpx2.AsyncClient(base_url=at_abdm.url) as client:
        yield Api(client, key)


async def _hand_over(api: Api, *documents: dict[str, Any]) -> httpx2.Response:
    return await api.post("/v1/care-contexts", {**VISIT, "documents": list(documents)})


async def test_ready_resources_become_a_document_in_the_name_of_the_facility(at_abdm: Ward, api: Api) -> None:
    answer = await _hand_over(api, READY)
    assert answer.status_code == 201, answer.text
    [kept] = answer.json()["documents"]
    assert (kept["kind"], kept["since"][:10], kept["until"][:10]) == ("Prescription", "2027-01-02", "2027-01-03")
    assert {"medication", "identity", "staff"} <= set(kept["categories"])
    rooms = at_abdm.house.rooms
    clinic = await rooms.connections.clinic(at_abdm.tenant)
    content = b"".join([chunk async for chunk in rooms.records.chunks(clinic, UUID(kept["id"]))])
    [own] = [
        each["resource"]
        for each in orjson.loads(content)["entry"]
        if each["resource"]["resourceType"] == "Organization"
    ]
    assert own["identifier"][0]["value"] == at_abdm.service


async def test_each_of_the_three_ways_is_taken_beside_the_others(api: Api) -> None:
    plain = record(RecordKind.PRESCRIPTION).model_dump(mode="json", exclude_none=True)
    answer = await _hand_over(
        api, READY, {"kind": "Prescription", "record": plain}, {"document": bundle(RecordKind.INVOICE)}
    )
    assert answer.status_code == 201, answer.text
    assert sorted(answer.json()["kinds"]) == ["Invoice", "Prescription"]


async def test_what_has_no_place_and_what_does_not_fit_is_named_and_nothing_is_kept(api: Api) -> None:
    stray = {"kind": "Prescription", "resources": [*RESOURCES, {"resourceType": "Coverage", "id": "c"}]}
    unfit = {"kind": "Prescription", "resources": [{**RESOURCES[0], "status": "secret-word"}, *RESOURCES[1:]]}
    refused = problem(await _hand_over(api, READY, stray, unfit), 400, "invalid_request")
    paths = [each["path"] for each in refused["faults"]]
    assert paths == ["documents[1].resources[3]", "documents[2].Bundle.entry[1].resource.status"]
    assert "secret-word" not in str(refused)
    assert (await api.get("/v1/care-contexts")).json()["items"] == []


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"kind": "Prescription"},
        {"resources": RESOURCES},
        {**READY, "record": {}},
        {**READY, "document": {}},
        {"document": {}, "kind": "Prescription"},
        {"kind": "Prescription", "resources": []},
        {"kind": "Prescription", "resources": [1]},
        {"kind": "Prescription", "resources": [{}] * 1001},
    ],
)
async def test_a_document_is_one_of_the_three_and_its_kind_is_said_where_it_is_made(api: Api, document: Any) -> None:
    assert problem(await _hand_over(api, document), 400, "invalid_request")["faults"]


async def test_without_a_facility_nothing_is_composed(at_abdm: Ward) -> None:
    rooms = at_abdm.house.rooms
    actor = Actor("system", "test", await rooms.connections.create_tenant("Another Clinic"), EVERYTHING)
    key, _ = await rooms.callers.create_key(actor, "a key of a test", EVERYTHING)
    async with httpx2.AsyncClient(base_url=at_abdm.url) as client:
        refused = problem(await _hand_over(Api(client, key), READY), 400, "invalid_request")
    assert [each["path"] for each in refused["faults"]] == ["documents[0].resources"]
