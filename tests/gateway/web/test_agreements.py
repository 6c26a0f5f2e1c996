"""/v1/agreements and /v1/policy: recorded, replaced, listed; and what they change in the next decision."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.app import House
from tests.gateway.house import Clinic, entries_of
from tests.gateway.web.conftest import Api, problem

SIGNED: dict[str, Any] = {"kind": "baa", "services": [], "from": "2026-01-15T09:30:00Z"}
STRIPE = "/v1/agreements/payments/stripe"
ENDPOINT = {
    "url": "http://127.0.0.1:1/", "events": ["*"], "purpose": "TREAT", "recipient": {"name": "V Ltd", "country": "DE"},
}  # fmt: skip


async def _put(api: Api, path: str, body: Any) -> Any:
    response = await api.ask("PUT", path, json=body)
    assert response.status_code == 200, response.text
    return response.json()


async def test_an_agreement_is_recorded_replaced_and_listed(api: Api, house: House, clinic: Clinic) -> None:
    first = await _put(api, STRIPE, SIGNED)
    assert first["from"] == "2026-01-15T09:30:00Z"
    assert await _put(api, STRIPE, SIGNED) == first
    second = await _put(api, STRIPE, {**SIGNED, "kind": "dpa", "until": "2100-01-01T00:00:00Z"})
    assert second["id"] != first["id"]
    assert (await api.get("/v1/agreements")).json() == {"items": [second]}
    entries = [entry for entry in await entries_of(house, clinic.tenant) if entry["kind"] == "agreement"]
    assert [(entry["agreement"], entry["what"]) for entry in entries] == [(first["id"], "baa"), (second["id"], "dpa")]
    assert entries[0]["recipient"]["name"] == "Stripe, Inc."
    assert (entries[1]["from"], entries[1]["until"]) == ("2026-01-15T09:30:00.000000Z", "2100-01-01T00:00:00.000000Z")


async def test_an_agreement_with_an_endpoint_names_its_recipient(api: Api, house: House, clinic: Clinic) -> None:
    endpoint = (await api.post("/v1/endpoints", ENDPOINT)).json()["id"]
    told = await _put(api, f"/v1/agreements/{endpoint}", {**SIGNED, "services": ["hosting"]})
    assert (told["recipient"], told["services"]) == (endpoint, ["hosting"])
    assert (await entries_of(house, clinic.tenant))[-1]["recipient"]["name"] == "V Ltd"
    problem(await api.ask("PUT", f"/v1/agreements/{endpoint.upper()}", json=SIGNED), 404, "not_found")
    await api.ask("DELETE", f"/v1/endpoints/{endpoint}")
    problem(await api.ask("PUT", f"/v1/agreements/{endpoint}", json=SIGNED), 404, "not_found")


@pytest.mark.parametrize("recipient", ["payments", "payments/strip", "canary", "", "a/b/c"])
async def test_an_agreement_with_nobody_is_not_found(api: Api, recipient: str) -> None:
    response = await api.ask("PUT", f"/v1/agreements/{recipient}", json=SIGNED)
    problem(response, 404, "not_found")
    assert "canary" not in response.text


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"kind": "canary"}, "kind"),
        ({"services": ["canary"]}, "services[0]"),
        ({"services": ["Canary Mail"]}, "services[0]"),
        ({"from": "canary"}, "from"),
        ({"until": "2026-01-15T09:30:00Z"}, "until"),
        ({"canary": 1}, "canary"),
    ],
)
async def test_a_wrong_agreement_is_refused_by_path(api: Api, given: dict[str, Any], path: str) -> None:
    told = problem(await api.ask("PUT", STRIPE, json={**SIGNED, **given}), 400, "invalid_request")
    assert path in [fault["path"] for fault in told["faults"]]
    if path == "canary":
        assert told["faults"][0]["message"].endswith("kind, services, from, until")


async def test_a_policy_is_replaced_recorded_and_counted(api: Api, house: House, clinic: Clinic) -> None:
    silent = {"time_zone": "UTC", "quiet_hours": None, "caps": []}
    assert (await api.get("/v1/policy")).json() == {
        "jurisdiction": None,
        "allowed_regions": None,
        "version": 0,
        **silent,
    }
    told = await _put(api, "/v1/policy", {"jurisdiction": "IN", "allowed_regions": ["IN", "DE"]})
    assert told == {"jurisdiction": "IN", "allowed_regions": ["DE", "IN"], "version": 1, **silent}
    assert await _put(api, "/v1/policy", {"jurisdiction": "IN", "allowed_regions": ["DE", "IN"]}) == told
    assert (await api.get("/v1/policy")).json() == told
    (entry,) = [entry for entry in await entries_of(house, clinic.tenant) if entry["kind"] == "grant"]
    assert (entry["connector"], entry["version"]) == ("policy", 1)
    assert entry["features"] == ["jurisdiction:IN", "regions:listed", "region:DE", "region:IN"]
    problem(await api.ask("PUT", "/v1/policy", json={"jurisdiction": "IN"}), 400, "invalid_request")


async def test_data_stays_in_the_regions_that_the_clinic_allows(api: Api) -> None:
    assert (await api.call()).status_code == 200
    await _put(api, "/v1/policy", {"jurisdiction": None, "allowed_regions": ["IE"]})
    told = problem(await api.call(), 403, "refused")
    assert [(reason["code"], reason["what"]) for reason in told["reasons"]] == [("region_not_allowed", "US")]
    await _put(api, "/v1/policy", {"jurisdiction": None, "allowed_regions": []})
    assert len(problem(await api.call(), 403, "refused")["reasons"]) == 2
    await _put(api, "/v1/policy", {"jurisdiction": "US", "allowed_regions": None})
    assert (await api.call()).status_code == 200, "a payment needs no agreement"
