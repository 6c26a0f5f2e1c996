"""Tenant A cannot read, prove, search, change or revoke anything of tenant B by any id, on any route that takes one."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gateway.app import House
from gateway.web.api.app import OPERATIONS
from tests.gateway.house import Clinic, entries_of
from tests.gateway.web.conftest import Api, problem

WITH_ID = [operation for operation in OPERATIONS if "{" in operation.path]
# Where a path with an id takes a body: one that would be taken.
BODIES: dict[str, Any] = {
    "GrantBody": {"features": [], "withheld": []},
    "SettingsBody": {"settings": {}},
    "OrderBody": {"order": ["payments/stripe"]},
    "CallbackBody": {"secret": "whsec_0123456789abcdef0123456789abcdef"},
    "HearingBody": {"events": ["*"], "categories": [], "fields": []},
    "AgreementBody": {"kind": "dpa", "services": [], "from": "2026-01-15T09:30:00Z"},
    "TemplateBody": {"action": "messaging/send_notice", "channel": "sms", "language": "en", "body": "Closed."},
    "ReplayBody": {"since": "2026-01-15T09:30:00Z"},
}
CONSENT = {
    "subject": "patient-4711", "purposes": ["TREAT"], "channels": ["sms"],
    "evidence": {"how": "on paper", "when": "2026-01-15T09:30:00Z", "wording": "sms-1"},
}  # fmt: skip


async def _ids(api: Api, clinic: Clinic) -> dict[str, str]:
    """An id of every kind that a clinic has."""
    endpoint = {"url": "http://127.0.0.1:1/", "events": ["*"], "purpose": "TREAT"}
    recipient = {"name": "Vendor Ltd", "country": "DE"}
    consent = await api.post("/v1/consents", CONSENT)
    await api.call(purpose="TREAT")
    return {
        "consents": consent.json()["id"],
        "connections": str(clinic.connection.id),
        "disclosures": (await api.call()).json()["id"],
        "refusals": (await api.get("/v1/refusals")).json()["items"][0]["id"],
        "keys": (await api.get("/v1/keys")).json()["items"][0]["id"],
        "endpoints": (await api.post("/v1/endpoints", {**endpoint, "recipient": recipient})).json()["id"],
    }


@pytest.mark.parametrize("operation", WITH_ID, ids=lambda operation: f"{operation.method} {operation.path}")
async def test_an_id_of_another_tenant_is_as_if_it_were_not_there(
    api: Api, other: Api, clinic: Clinic, house: House, operation: Any
) -> None:
    ids = await _ids(api, clinic)
    before = await entries_of(house, clinic.tenant)
    for own in ids.values():
        path = re.sub(r"{\w+(:\w+)?}", own, operation.path)
        given = {"json": BODIES[operation.body.__name__]} if operation.body is not None else {}
        response = await other.ask(operation.method, path, **given)
        assert response.status_code == 404, (operation.method, path, response.text)
        assert own not in response.text
    assert await entries_of(house, clinic.tenant) == before
    assert (await api.call()).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/connections",
        "/v1/disclosures",
        "/v1/disclosures?outcome=refused",
        "/v1/refusals",
        "/v1/keys",
        "/v1/consents",
    ],
)
async def test_lists_hold_only_what_is_ones_own(api: Api, other: Api, clinic: Clinic, path: str) -> None:
    await api.call()
    await api.call(purpose="TREAT")
    await api.post("/v1/consents", CONSENT)
    mine = {item["id"] for item in (await api.get(path)).json()["items"]}
    theirs = {item["id"] for item in (await other.get(path)).json()["items"]}
    assert mine
    assert not mine & theirs


@pytest.mark.parametrize("path", ["/v1/connections", "/v1/disclosures", "/v1/keys", "/v1/consents"])
async def test_a_cursor_of_another_tenant_opens_nothing(api: Api, other: Api, clinic: Clinic, path: str) -> None:
    for _ in range(3):
        await api.call()
        await api.post("/v1/consents", CONSENT)
        await api.post("/v1/keys", {"title": "another", "scopes": ["log:read"]})
    cursor = (await api.get(f"{path}?limit=1")).json()["next_cursor"] or "AAAAAAAAAAAAAAAAAAAAAA"
    mine = {item["id"] for item in (await api.get(path)).json()["items"]}
    for response in (await other.get(f"{path}?cursor={cursor}"), await other.get(f"{path}?limit=200")):
        if response.status_code == 200:
            assert not mine & {item["id"] for item in response.json()["items"]}


async def test_a_subject_of_another_tenant_is_not_known(api: Api, other: Api, clinic: Clinic) -> None:
    await api.call(subject="patient-4711")
    pseudonym = (await api.get("/v1/disclosures")).json()["items"][0]["subject"]
    assert (await other.get(f"/v1/disclosures?subject={pseudonym}")).json()["items"] == []
    assert (await other.post("/v1/disclosures/search", {"subject": "patient-4711"})).json()["items"] == []
    assert (await api.post("/v1/consents", CONSENT)).json()["subject"] == pseudonym
    assert (await other.get(f"/v1/consents?subject={pseudonym}")).json()["items"] == []
    assert (await other.post("/v1/consents/search", {"subject": "patient-4711"})).json()["items"] == []
    problem(await other.post("/v1/bundles", {"subject": "patient-4711"}), 404, "not_found")


async def test_one_reference_at_two_clinics_has_two_pseudonyms(api: Api, other: Api) -> None:
    found = set()
    for each in (api, other):
        await each.call(subject="patient-4711")
        found.add((await each.get("/v1/disclosures")).json()["items"][0]["subject"])
    assert len(found) == 2


async def test_a_log_is_its_own_tenants(api: Api, other: Api, clinic: Clinic) -> None:
    for path in ("/v1/log/checkpoint", "/v1/log/key"):
        mine, theirs = (await api.get(path)).text, (await other.get(path)).text
        assert str(clinic.tenant) in mine
        assert str(clinic.tenant) not in theirs
    bundle = await other.post("/v1/bundles", {})
    assert str(clinic.tenant).encode() not in bundle.content


async def test_the_same_idempotency_key_at_two_clinics_is_two_keys(api: Api, other: Api) -> None:
    made = [(await each.call(headers={"idempotency-key": "order-1"})).json()["id"] for each in (api, other)]
    assert made[0] != made[1]


@pytest.mark.parametrize(
    "given",
    [
        {"headers": {"x-tenant": "0190163d-8694-7a3c-8f0e-6c7f3e8f7a01"}},
        {"tenant": "0190163d-8694-7a3c-8f0e-6c7f3e8f7a01"},
        {"connection": "0190163d-8694-7a3c-8f0e-6c7f3e8f7a01"},
    ],
)
async def test_nothing_but_the_credential_names_a_tenant(api: Api, given: dict[str, Any]) -> None:
    response = await api.call(**given)
    assert response.status_code == (200 if "headers" in given else 400)
