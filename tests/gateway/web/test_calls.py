"""POST /v1/calls over HTTP: what comes back, who is let in, what is wrong with a body."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gateway.web.api.answers import CallAnswer
from tests.gateway.egress.vendor import Vendor, answer
from tests.gateway.house import CALL, Clinic
from tests.gateway.web.conftest import BODY, Api, As, problem

NAME = "Ada Lovelace"


async def test_a_call_answers_with_its_outcome_and_its_place_in_the_ledger(api: Api, vendor: Vendor) -> None:
    response = await api.call(payload={**CALL, "patient_name": NAME})
    assert response.status_code == 200, response.text
    told = response.json()
    CallAnswer.model_validate(told)
    assert told["outcome"] == "accepted"
    assert told["answer"]["id"] == "pi_1"
    assert told["withheld"] == ["patient_name"]
    assert len(base64.b64decode(told["ledger"]["leaf"], validate=True)) == 32
    assert "code" not in told
    assert len(vendor.requests) == 1


async def test_what_the_vendor_refuses_is_an_answer_and_not_an_error(api: Api, vendor: Vendor) -> None:
    vendor.answers[:] = [answer(402, b'{"error": {"type": "card_error", "code": "card_declined"}}')]
    response = await api.call()
    assert response.status_code == 200
    assert response.json()["outcome"] == "rejected"
    assert response.json()["code"]


async def test_the_family_may_stand_for_its_only_vendor(api: Api) -> None:
    assert (await api.call(connector="payments")).json()["outcome"] == "accepted"


async def test_a_refusal_names_its_reasons_and_its_place(api: Api, vendor: Vendor) -> None:
    told = problem(await api.call(purpose="HMARKT"), 403, "refused")
    assert {"purpose_denied", "purpose_not_allowed"} <= {reason["code"] for reason in told["reasons"]}
    assert all(reason["what"] and reason["fix"] for reason in told["reasons"])
    assert isinstance(told["index"], int)
    assert vendor.requests == []


@pytest.mark.parametrize(
    "scope",
    [
        "calls:write",
        "calls:write:payments",
        "calls:write:payments/stripe",
        "calls:write:payments/stripe/create_payment_intent",
    ],
)
async def test_a_key_that_holds_the_scope_is_let_in(caller: As, clinic: Clinic, scope: str) -> None:
    assert (await (await caller(clinic, scope)).call()).status_code == 200


@pytest.mark.parametrize("connector", ["payments/stripe", "payments"])
@pytest.mark.parametrize(
    "scope", ["calls:write:payments/stripe/refund", "calls:write:messaging", "calls:read", "keys:write"]
)
async def test_a_key_without_the_scope_is_not_whatever_name_it_uses(
    caller: As, clinic: Clinic, vendor: Vendor, scope: str, connector: str
) -> None:
    told = problem(await (await caller(clinic, scope)).call(connector=connector), 403, "forbidden")
    assert "calls:write" in told["detail"]
    assert vendor.requests == []


async def test_who_may_not_call_at_all_is_told_before_the_body_is_read(caller: As, clinic: Clinic) -> None:
    api = await caller(clinic, "log:read")
    problem(await api.ask("POST", "/v1/calls", content=b"{", headers={"content-type": "text/plain"}), 403, "forbidden")


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"purpose": NAME}, "purpose"),
        ({"purpose": None}, "purpose"),
        ({"connector": 7}, "connector"),
        ({"connector": ""}, "connector"),
        ({"action": "x" * 129}, "action"),
        ({"subject": ""}, "subject"),
        ({"subject": "a\u0000b"}, "subject"),
        ({"subject": 4711}, "subject"),
        ({"payload": [NAME]}, "payload"),
        ({"payload": NAME}, "payload"),
        ({"patient": NAME}, "patient"),
        ({NAME: 1}, "?"),
        ({"payload": {**CALL, "amount_minor": "4250"}}, "payload.amount_minor"),
        ({"payload": {**CALL, "currency": NAME}}, "payload.currency"),
        ({"payload": {**CALL, "reference": NAME}}, "payload.reference"),
        ({"payload": {}}, "payload.reference"),
    ],
)
async def test_a_wrong_part_is_named_by_its_path_and_never_repeated(
    api: Api, vendor: Vendor, given: dict[str, Any], path: str
) -> None:
    response = await api.call(**given)
    told = problem(response, 400, "invalid_request")
    assert path in [fault["path"] for fault in told["faults"]], told
    assert all(fault["message"] for fault in told["faults"])
    assert NAME not in response.text
    assert vendor.requests == []


@pytest.mark.parametrize("missing", ["connector", "action", "purpose", "payload"])
async def test_a_missing_part_is_named(api: Api, missing: str) -> None:
    body = {name: part for name, part in BODY.items() if name != missing}
    told = problem(await api.post("/v1/calls", body), 400, "invalid_request")
    assert told["faults"] == [{"path": missing, "message": "is required"}]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"NaN",
        b'{"connector": NaN}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"payload": {"a": 1e400}}',
    ],
)
async def test_what_is_no_json_object_is_400(api: Api, content: bytes) -> None:
    response = await api.ask("POST", "/v1/calls", content=content, headers={"content-type": "application/json"})
    problem(response, 400, "invalid_request")


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/jsonp"},
        {"content-type": ""},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
async def test_only_plain_json_is_read(api: Api, headers: dict[str, str]) -> None:
    problem(await api.ask("POST", "/v1/calls", content=b"{}", headers=headers), 415, "unsupported_media_type")


async def test_json_with_a_charset_is_json(api: Api) -> None:
    assert (await api.call(headers={"content-type": "Application/JSON; charset=utf-8"})).status_code == 200


async def test_an_unknown_action_names_those_that_look_like_it(api: Api) -> None:
    told = problem(await api.call(action="create_payment_intend"), 404, "not_found")
    assert "create_payment_intent" in told["detail"]
    assert "/v1/catalog" in told["fix"]


async def test_a_call_takes_no_parameters_in_its_address(api: Api) -> None:
    response = await api.post("/v1/calls?subject=Ada", BODY)
    assert "Ada" not in problem(response, 400, "invalid_request")["detail"]


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "naïve"])
async def test_an_idempotency_key_has_visible_ascii_only(api: Api, key: str) -> None:
    response = await api.call(headers={"idempotency-key": key.encode("latin-1")})
    problem(response, 400, "invalid_request")


async def test_the_same_idempotency_key_gets_the_same_answer_once(api: Api, vendor: Vendor) -> None:
    first = await api.call(headers={"idempotency-key": "order-1"})
    again = await api.call(headers={"idempotency-key": "order-1"})
    assert again.json() == first.json()
    assert len(vendor.requests) == 1
    other = await api.call(payload={**CALL, "amount_minor": 1}, headers={"idempotency-key": "order-1"})
    problem(other, 422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("0190163d-8694-7a3c-8f0e-6c7f3e8f7a01", True),
        ("4bf92f3577b34da6a3ce929d0e0e4736", True),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", True),
        ("9876543210", False),
        ("ada-lovelace", False),
        ("x" * 500, False),
    ],
)
async def test_a_request_id_is_taken_only_where_it_can_name_nobody(api: Api, given: str, kept: bool) -> None:
    response = await api.call(headers={"x-request-id": given})
    assert (response.headers["x-request-id"] == given) is kept


async def test_every_answer_is_for_its_caller_only(api: Api) -> None:
    response = await api.call()
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/v1/calls", "/v1/decisions"])
async def test_an_action_that_only_the_gateway_makes_is_to_a_host_one_that_there_is_not(api: Api, path: str) -> None:
    asked = {"connector": "abdm", "purpose": "TREAT", "payload": {"answers": "x", "consent": "y"}}
    inner = problem(await api.post(path, {**asked, "action": "answer_consent"}), 404, "not_found")
    unknown = problem(await api.post(path, {**asked, "action": "answer_kontent"}), 404, "not_found")
    for document in (inner, unknown):
        del document["request_id"]
    assert inner == unknown
    assert (await api.post(path, {**asked, "action": "read_profile", "payload": {}})).status_code != 404


async def test_the_catalog_says_what_the_gateway_itself_tells_a_network(api: Api) -> None:
    connectors = {each["id"]: each for each in (await api.get("/v1/catalog")).json()["connectors"]}
    actions = {each["name"]: each for each in connectors["abdm"]["actions"]}
    assert actions["push_record"]["inner"]
    assert not actions["read_profile"]["inner"]
    features = {each["name"]: each["actions"] for each in connectors["abdm"]["features"]}
    assert "push_record" in features["records"]
