"""/v1/decisions says what a call would meet and does nothing; /v1/recipients says to whom, and as of when."""

from __future__ import annotations

import hashlib
from typing import Any

from gateway.app import House
from gateway.flows.broker import broker
from gateway.store import registers
from tests.gateway.egress.vendor import Vendor
from tests.gateway.house import CALL, Clinic, OpenHouse, entries_of
from tests.gateway.web.conftest import BODY, Api, As, problem

ENDPOINT = {
    "url": "http://127.0.0.1:1/", "events": ["*"], "purpose": "TREAT", "recipient": {"name": "V Ltd", "country": "DE"},
}  # fmt: skip


async def _decided(api: Api, **given: Any) -> Any:
    response = await api.post("/v1/decisions", {**BODY, **given})
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_decision_tells_what_would_leave_and_leaves_no_trace(
    api: Api, house: House, clinic: Clinic, vendor: Vendor
) -> None:
    before = await entries_of(house, clinic.tenant)
    told = await _decided(api, payload={**CALL, "patient_name": "Ada Canary"})
    assert (told["allowed"], told["reasons"], told["withheld"]) == (True, [], ["patient_name"])
    assert {"path": "amount_minor", "category": "billing"} in told["fields"]
    assert len(told["fields"]) == 3
    assert vendor.requests == []
    assert await entries_of(house, clinic.tenant) == before
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        assert await connection.fetchval("SELECT count(*) FROM subjects") == 0


async def test_a_decision_names_every_reason_that_the_call_would_meet(api: Api, house: House, clinic: Clinic) -> None:
    policy = {"jurisdiction": None, "allowed_regions": ["IE"]}
    await api.ask("PUT", "/v1/policy", json=policy)
    told = await _decided(api, purpose="TREAT")
    refused = problem(await api.call(purpose="TREAT"), 403, "refused")
    assert [reason["code"] for reason in told["reasons"]] == ["purpose_not_allowed", "region_not_allowed"]
    assert told["reasons"] == refused["reasons"]
    assert (told["allowed"], told["fields"]) == (False, [])


async def test_a_decision_is_made_on_what_another_gateway_changed_meanwhile(
    api: Api, clinic: Clinic, open_house: OpenHouse
) -> None:
    assert (await _decided(api))["allowed"]
    other = await open_house()
    policy = (await other.rooms.agreements.policy(clinic.tenant)).__class__(allowed_regions=frozenset())
    await other.rooms.agreements.set_policy(clinic.actor, policy)
    assert not (await _decided(api))["allowed"]


async def test_a_wrong_call_is_told_what_is_wrong_with_it(api: Api) -> None:
    told = problem(await api.post("/v1/decisions", {**BODY, "payload": {}}), 400, "invalid_request")
    assert "payload.amount_minor" in [fault["path"] for fault in told["faults"]]
    problem(await api.post("/v1/decisions", {**BODY, "action": "nothing"}), 404, "not_found")


async def test_whoever_may_ask_may_not_therefore_call(caller: As, clinic: Clinic) -> None:
    api = await caller(clinic, "calls:read")
    assert (await _decided(api))["allowed"]
    problem(await api.call(), 403, "forbidden")


async def test_the_register_names_every_recipient_and_what_they_signed(api: Api) -> None:
    endpoint = (await api.post("/v1/endpoints", ENDPOINT)).json()["id"]
    signed = {"kind": "dpa", "services": [], "from": "2026-01-15T09:30:00Z", "until": "2100-01-01T00:00:00Z"}
    await api.ask("PUT", f"/v1/agreements/{endpoint}", json=signed)
    told = (await api.get("/v1/recipients")).json()
    stripe, vendor = told["items"]
    assert (stripe["id"], stripe["kind"], stripe["regions"]) == ("payments/stripe", "connector", ["IE", "US"])
    assert (stripe["purposes"], stripe["agreement"]) == (["HPAYMT"], None)
    assert (vendor["id"], vendor["kind"], vendor["name"]) == (endpoint, "endpoint", "V Ltd")
    assert (vendor["agreement"]["kind"], vendor["agreement"]["from"]) == ("dpa", "2026-01-15T09:30:00Z")
    await api.ask("DELETE", f"/v1/endpoints/{endpoint}")
    assert [item["id"] for item in (await api.get("/v1/recipients")).json()["items"]] == ["payments/stripe"]


async def test_a_disclosure_names_the_register_that_it_was_made_under(
    api: Api, house: House, clinic: Clinic, open_house: OpenHouse
) -> None:
    async def disclosed(at: House) -> Any:
        told = await broker(clinic.call(), at.rooms)
        return (await entries_of(house, clinic.tenant))[told.index]["register"]

    first, other = await disclosed(house), await open_house()
    assert await disclosed(other) == first == await disclosed(house)
    assert (await api.post("/v1/keys", {"title": "another", "scopes": ["log:read"]})).status_code == 201
    assert await disclosed(house) == first, "nothing about a recipient changed"
    endpoint = (await api.post("/v1/endpoints", ENDPOINT)).json()["id"]
    second = await disclosed(house)
    assert (first["version"], second["version"]) == (1, 2)
    assert await disclosed(other) == second
    present = (await api.get("/v1/recipients")).json()
    assert {"version": present["version"], "hash": present["hash"]} == second
    former = (await api.get("/v1/recipients?version=1")).json()
    assert former["hash"] == first["hash"]
    assert endpoint not in [item["id"] for item in former["items"]]
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        stored = await registers.find(connection, clinic.tenant, 1)
    assert stored is not None
    assert hashlib.sha256(stored.body).hexdigest() == first["hash"]
    problem(await api.get("/v1/recipients?version=3"), 404, "not_found")


async def test_a_register_is_its_own_clinics(api: Api, other: Api) -> None:
    endpoint = (await api.post("/v1/endpoints", ENDPOINT)).json()["id"]
    assert endpoint in (await api.get("/v1/recipients")).text
    for path in ("/v1/recipients", "/v1/recipients?version=1"):
        assert endpoint not in (await other.get(path)).text
