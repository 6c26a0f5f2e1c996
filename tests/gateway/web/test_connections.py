"""/v1/connections over HTTP: connect, grant, suspend, resume, revoke; and that a credential never comes out."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.app import House
from gateway.web.api.answers import ConnectionAnswer, ConnectionPage
from tests.gateway.egress.vendor import Vendor
from tests.gateway.house import Clinic, entries_of
from tests.gateway.web.conftest import Api, problem

SECRET = "rk_test_0123456789abcdef"
CONNECT = {"connector": "payments/stripe", "credential": {"secret": SECRET}, "features": ["card_payments"]}


@pytest.fixture
async def bare(api: Api, clinic: Clinic) -> Api:
    """The caller of a clinic whose connection is revoked, so that it can connect anew."""
    assert (await api.ask("DELETE", f"/v1/connections/{clinic.connection.id}")).status_code == 204
    return api


async def test_connecting_switches_on_what_is_named_with_the_least_scopes(bare: Api) -> None:
    response = await bare.post("/v1/connections", CONNECT)
    assert response.status_code == 201, response.text
    told = ConnectionAnswer.model_validate(response.json())
    assert (told.state, told.features, told.withheld) == ("active", ["card_payments"], [])
    assert told.provider_scopes == ["rak_payment_intent_write"]
    assert response.headers["location"] == f"/v1/connections/{told.id}"
    assert (await bare.get(response.headers["location"])).json() == response.json()
    assert (await bare.call()).json()["outcome"] == "accepted"
    problem(await bare.call(action="create_customer", payload={"reference": "pat_7Hq2ZkW9"}), 403, "refused")


async def test_a_credential_never_comes_out(bare: Api, house: House, clinic: Clinic) -> None:
    response = await bare.post("/v1/connections", CONNECT)
    listed = await bare.get("/v1/connections")
    written = await entries_of(house, clinic.tenant)
    assert SECRET not in response.text + listed.text + str(written)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"connector": "payments/strype"}, "connector"),
        ({"credential": {"secret": "sk_live_0123456789abcdef"}}, "credential.secret"),
        ({"credential": {"secret": ""}}, "credential.secret"),
        ({"credential": SECRET}, "credential"),
        ({"credential": {}}, "credential.secret"),
        ({"features": ["everything"]}, "features"),
        ({"features": "card_payments"}, "features"),
        ({"provider_scopes": ["rak_everything"]}, "provider_scopes"),
        ({"provider_scopes": ["rak_payment_intent_write", "rak_charge_write"]}, "provider_scopes"),
        ({"account": "Ada Lovelace"}, "account"),
        ({"withheld": ["receipt_mail"]}, "withheld[0]"),
        ({"withheld": ["receipt_email", "nothing"]}, "withheld[1]"),
        ({"free_text": ["reference"]}, "free_text[0]"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2101-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": 4102444800}, "expires_at"),
        ({"secret": SECRET}, "secret"),
    ],
)
async def test_what_does_not_fit_is_named_and_nothing_is_connected(bare: Api, given: dict[str, Any], path: str) -> None:
    response = await bare.post("/v1/connections", {**CONNECT, **given})
    told = problem(response, 400, "invalid_request")
    assert [fault["path"] for fault in told["faults"]] == [path]
    assert SECRET not in response.text
    assert "Ada" not in response.text
    assert [each["state"] for each in (await bare.get("/v1/connections")).json()["items"]] == ["revoked"]


async def test_a_connector_is_connected_once(api: Api) -> None:
    problem(await api.post("/v1/connections", CONNECT), 409, "conflict")


async def test_a_grant_replaces_what_was_there_and_holds_for_the_next_call(
    api: Api, clinic: Clinic, vendor: Vendor
) -> None:
    where = f"/v1/connections/{clinic.connection.id}"
    body = {"features": ["card_payments"], "withheld": ["receipt_email"]}
    told = (await api.ask("PUT", f"{where}/grant", json=body)).json()
    assert (told["features"], told["withheld"], told["grant_version"]) == (["card_payments"], ["receipt_email"], 2)
    payload = {"reference": "inv_7Hq2ZkW9", "amount_minor": 1, "currency": "eur", "receipt_email": "ada@clinic.example"}
    assert (await api.call(payload=payload)).json()["withheld"] == ["receipt_email"]
    assert b"clinic.example" not in vendor.requests[0]
    assert (await api.ask("PUT", f"{where}/grant", json={"features": [], "withheld": []})).status_code == 200
    told = problem(await api.call(), 403, "refused")
    assert [reason["code"] for reason in told["reasons"]] == ["feature_off"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"features": ["all"], "withheld": []}, "features"),
        ({"features": [], "withheld": ["recipt"]}, "withheld[0]"),
        ({"features": []}, "withheld"),
    ],
)
async def test_a_grant_of_what_is_not_there_changes_nothing(api: Api, clinic: Clinic, body: Any, path: str) -> None:
    response = await api.ask("PUT", f"/v1/connections/{clinic.connection.id}/grant", json=body)
    assert [fault["path"] for fault in problem(response, 400, "invalid_request")["faults"]] == [path]
    assert (await api.call()).status_code == 200


async def test_suspended_is_paused_and_revoked_is_final(api: Api, clinic: Clinic, vendor: Vendor) -> None:
    where = f"/v1/connections/{clinic.connection.id}"
    assert (await api.post(f"{where}/suspend")).json()["state"] == "suspended"
    told = problem(await api.call(), 403, "refused")
    assert [reason["code"] for reason in told["reasons"]] == ["connection_inactive"]
    assert (await api.post(f"{where}/resume")).json()["state"] == "active"
    assert (await api.call()).status_code == 200
    for _ in range(2):
        gone = await api.ask("DELETE", where)
        assert (gone.status_code, gone.content) == (204, b"")
    assert (await api.get(where)).json()["state"] == "revoked"
    problem(await api.post(f"{where}/resume"), 409, "conflict")
    problem(await api.ask("PUT", f"{where}/grant", json={"features": [], "withheld": []}), 409, "conflict")
    problem(await api.call(), 403, "refused")
    assert len(vendor.requests) == 1


async def test_connections_are_listed_page_by_page_oldest_first(bare: Api) -> None:
    ids = [(await bare.get("/v1/connections")).json()["items"][0]["id"]]
    for _ in range(4):
        ids.append((await bare.post("/v1/connections", CONNECT)).json()["id"])
        await bare.ask("DELETE", f"/v1/connections/{ids[-1]}")
    found, cursor = [], ""
    while cursor is not None:
        response = await bare.get("/v1/connections", params={"limit": "2", **({"cursor": cursor} if cursor else {})})
        page = ConnectionPage.model_validate(response.json())
        found += [str(item.id) for item in page.items]
        assert len(page.items) <= 2
        cursor = page.next_cursor
    assert found == ids
