"""/openapi.json: valid, complete, and true to what is served."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from connectors.registry import Registry
from gateway.web.api.app import OPERATIONS
from gateway.web.api.openapi import described, operation_of
from tests.gateway.web.conftest import BODY, Api


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    registry = Registry.load()
    written: dict[str, Any] = orjson.loads(described((*OPERATIONS, operation_of(OPERATIONS, registry)), registry))
    return written


def checked(document: dict[str, Any], name: str, value: Any) -> list[str]:
    """What is wrong with a value by one of the document's schemas."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return [error.json_path for error in Draft202012Validator(schema).iter_errors(value)]


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_every_operation_has_a_name_of_its_own_and_its_problems(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names)) == len(OPERATIONS) + 2
    for method, path, operation in operations(document):
        codes = set(operation["responses"])
        assert {"400", "500", "503"} <= codes, path
        if operation.get("security") != []:
            assert {"401", "403"} <= codes, path
        if method == "post":
            assert "Idempotency-Key" in [parameter["name"] for parameter in operation["parameters"]]
        if "{id}" in path:
            assert "404" in codes, path


def test_every_action_of_every_connector_is_described(document: dict[str, Any]) -> None:
    bodies = document["paths"]["/v1/calls"]["post"]["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    actions = [action.path for each in Registry.load().connectors.values() for action in each.actions.values()]
    assert [body["title"] for body in bodies] == actions
    payload = document["components"]["schemas"]["payments.stripe.create_payment_intent.payload"]
    assert payload["properties"]["amount_minor"]["x-category"] == "billing"
    assert payload["properties"]["amount_minor"]["description"]
    assert payload["additionalProperties"] is False


def test_two_connectors_may_use_one_name_for_two_things(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert not [name for name in schemas if name.endswith(".payload") and "$ref" in str(schemas[name])]


async def test_it_is_what_is_served(api: Api, document: dict[str, Any]) -> None:
    response = await api.client.get("/openapi.json")
    assert response.headers["content-type"] == "application/json"
    served = response.json()
    validate(served)
    assert served == document


async def test_what_is_answered_is_what_is_described(api: Api, document: dict[str, Any]) -> None:
    assert checked(document, "CallBody", BODY) == []
    call = await api.call()
    refused = await api.call(purpose="TREAT")
    disclosure = call.json()["id"]
    key = await api.post("/v1/keys", {"title": "another", "scopes": ["log:read"]})
    connection = (await api.get("/v1/connections")).json()["items"][0]["id"]
    answers = {
        "CallAnswer": call,
        "ProblemDocument": refused,
        "NewKeyAnswer": key,
        "KeyPage": await api.get("/v1/keys"),
        "CatalogAnswer": await api.get("/v1/catalog"),
        "ConnectionAnswer": await api.get(f"/v1/connections/{connection}"),
        "ConnectionPage": await api.get("/v1/connections"),
        "DisclosurePage": await api.get("/v1/disclosures"),
        "DisclosureDetail": await api.get(f"/v1/disclosures/{disclosure}"),
        "InclusionAnswer": await api.get(f"/v1/disclosures/{disclosure}/proof"),
        "ConsistencyAnswer": await api.get("/v1/log/consistency?old_size=1"),
        "Health": await api.get("/healthz"),
    }
    assert {name: wrong for name, answer in answers.items() if (wrong := checked(document, name, answer.json()))} == {}


@pytest.mark.parametrize(
    "junk", [None, [], "text", 7, {}, {"connector": []}, {"scopes": {}}, {"subject": {"$ne": None}}]
)
async def test_junk_at_every_operation_is_a_problem_and_never_500(
    api: Api, document: dict[str, Any], junk: Any
) -> None:
    for method, path, operation in operations(document):
        where = path.replace("{id}", "0190163d-8694-7a3c-8f0e-6c7f3e8f7a01")
        given = {"json": junk} if "requestBody" in operation else {}
        response = await api.ask(method.upper(), where, **given)
        assert response.status_code < 500, (method, path, response.text)
        assert str(response.status_code) in operation["responses"], (method, path, response.status_code)
