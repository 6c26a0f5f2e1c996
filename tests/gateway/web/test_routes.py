"""What every route has in common: who is let in, methods, headers, problems."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gateway.app import House
from gateway.ledger.log import Ledger
from gateway.store.errors import StoreUnavailable
from gateway.store.pool import Store
from gateway.web.api.app import OPERATIONS
from scopes.scope import Area, Verb
from tests.gateway.house import Clinic
from tests.gateway.web.conftest import Api, As, problem

ID = "0190163d-8694-7a3c-8f0e-6c7f3e8f7a01"
GUARDED = [operation for operation in OPERATIONS if operation.needs is not None]
each_guarded = pytest.mark.parametrize("operation", GUARDED, ids=lambda each: f"{each.method} {each.path}")


def path_of(operation: Any) -> str:
    return re.sub(r"{\w+(:\w+)?}", ID, operation.path)


@each_guarded
async def test_nobody_is_let_in_without_a_credential(api: Api, operation: Any) -> None:
    response = await Api(api.client, None).ask(operation.method, path_of(operation))
    problem(response, 401, "unauthenticated")
    assert response.headers["www-authenticate"].startswith("Bearer")


@each_guarded
async def test_every_scope_but_the_right_one_is_not_enough(caller: As, clinic: Clinic, operation: Any) -> None:
    every = {f"{area}:{verb}" for area in Area for verb in Verb}
    api = await caller(clinic, *(every - {str(operation.needs)}))
    # Not a byte of the request is read first: no JSON, no known parameter.
    response = await api.ask(operation.method, f"{path_of(operation)}?Ada=1", content=b"{")
    told = problem(response, 403, "forbidden")
    assert str(operation.needs) in told["detail"]


@each_guarded
async def test_the_right_scope_alone_is_enough(caller: As, clinic: Clinic, operation: Any) -> None:
    api = await caller(clinic, str(operation.needs))
    given = {"json": {}} if operation.body else {}
    response = await api.ask(operation.method, path_of(operation), **given)
    assert response.status_code in (200, 201, 204, 400, 404)


@each_guarded
async def test_an_unknown_parameter_is_refused_with_the_known_ones(api: Api, operation: Any) -> None:
    response = await api.ask(operation.method, f"{path_of(operation)}?patient=Ada", json={})
    told = problem(response, 400, "invalid_request")
    assert "Ada" not in response.text
    if operation.query is not None:
        said = {fault["path"]: fault["message"] for fault in told["faults"]}
        names = [field.alias or name for name, field in operation.query.model_fields.items()]
        assert all(name in said["patient"] for name in names)


@pytest.mark.parametrize(
    "path",
    [
        "/v1", "/v1/", "/v1/calls/", "/v1/nothing", "/v1/connections/", "/v1/keys/a/b", "/favicon.ico",
        "//v1/catalog", "/v1/%2e%2e/readyz", "/V1/catalog",
    ],
)  # fmt: skip
async def test_an_unknown_path_is_a_problem_document(api: Api, path: str) -> None:
    problem(await api.client.get(path), 404, "no_such_route")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/calls", {"POST"}),
        ("DELETE", "/v1/calls", {"POST"}),
        ("PUT", "/v1/connections", {"GET", "HEAD", "POST"}),
        ("POST", f"/v1/connections/{ID}", {"GET", "HEAD", "DELETE"}),
        ("PATCH", "/v1/keys", {"GET", "HEAD", "POST"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
        ("OPTIONS", "/v1/calls", {"POST"}),
        ("TRACE", "/v1/catalog", {"GET", "HEAD"}),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(api: Api, method: str, path: str, allowed: set[str]) -> None:
    response = await api.client.request(method, path)
    problem(response, 405, "method_not_allowed")
    assert set(response.headers["allow"].split(", ")) == allowed
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("path", ["/v1/catalog", "/v1/connections", "/v1/log/checkpoint", "/healthz", "/openapi.json"])
async def test_head_is_answered_as_get_is(api: Api, path: str) -> None:
    head, get = await api.ask("HEAD", path), await api.get(path)
    assert head.status_code == get.status_code == 200
    assert head.headers["content-type"] == get.headers["content-type"]


async def test_every_answer_of_the_api_has_its_headers(api: Api) -> None:
    for path in ("/v1/catalog", "/v1/nothing", "/v1/keys/nobody", "/healthz"):
        response = await api.get(path, headers={"x-request-id": ID, "origin": "https://evil.example"})
        assert response.headers["x-request-id"] == ID
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert not [name for name in response.headers if name.startswith("access-control")]


async def test_health_says_nothing_of_any_clinic_and_asks_for_no_key(api: Api) -> None:
    for path in ("/healthz", "/readyz"):
        response = await api.client.get(path)
        assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_it_is_not_ready_without_its_ledger_or_its_database(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "healthy", False)
        problem(await api.client.get("/readyz"), 503, "ledger_unavailable")
        assert (await api.client.get("/healthz")).status_code == 200

    async def away(self: Store) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(Store, "ping", away)
    response = await api.client.get("/readyz")
    problem(response, 503, "store_unavailable")
    assert response.headers["retry-after"]


async def test_a_defect_of_ours_is_500_and_says_nothing(
    api: Api, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: Any, **more: Any) -> None:
        raise RuntimeError("Ada Lovelace")

    monkeypatch.setattr("gateway.web.api.calls.carry", broken)
    monkeypatch.setattr(type(house.rooms.connections), "page", broken)
    for response in (await api.call(), await api.get("/v1/connections")):
        problem(response, 500, "internal")
        assert "Ada" not in response.text
        assert "RuntimeError" not in response.text


async def test_a_header_that_is_there_twice_is_refused(api: Api) -> None:
    headers = [("authorization", f"Bearer {api.key}"), ("authorization", "Bearer x")]
    problem(await api.client.get("/v1/catalog", headers=headers), 400, "invalid_request")
    problem(await api.client.post("/v1/calls", headers=headers), 400, "invalid_request")


async def test_the_catalog_names_what_would_leave_and_the_scope_it_takes(api: Api) -> None:
    connectors = {each["id"]: each for each in (await api.get("/v1/catalog")).json()["connectors"]}
    stripe = connectors["payments/stripe"]
    assert stripe["recipient"]["country"] == "US"
    actions = {action["name"]: action for action in stripe["actions"]}
    intent = actions["create_payment_intent"]
    fields = {each["path"]: each for each in intent["fields"]}
    assert fields["amount_minor"]["category"] == "billing"
    assert fields["amount_minor"]["required"]
    assert not fields["receipt_email"]["required"]
    assert all(each["why"] for each in fields.values())
    assert intent["scope"] == "calls:write:payments/stripe/create_payment_intent"
    assert {name for feature in stripe["features"] for name in feature["actions"]} == set(actions)
