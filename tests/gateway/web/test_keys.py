"""/v1/keys over HTTP: made, shown once, narrowed, revoked."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.web.api.answers import KeyAnswer, NewKeyAnswer
from tests.gateway.house import Clinic
from tests.gateway.web.conftest import Api, As, problem

BODY = {"title": "the front desk", "scopes": ["calls:write:payments", "keys:read"]}


async def test_a_new_key_is_shown_once_and_works_until_it_is_revoked(api: Api) -> None:
    response = await api.post("/v1/keys", BODY)
    assert response.status_code == 201
    made = NewKeyAnswer.model_validate(response.json())
    desk = Api(api.client, made.key)
    assert (await desk.call()).status_code == 200
    shown = await desk.get(response.headers["location"])
    assert KeyAnswer.model_validate(shown.json()).scopes == BODY["scopes"]
    assert made.key not in shown.text + (await api.get("/v1/keys")).text
    for _ in range(2):
        assert (await api.ask("DELETE", f"/v1/keys/{made.id}")).status_code == 204
    problem(await desk.call(), 401, "unauthenticated")
    assert (await api.get(f"/v1/keys/{made.id}")).json()["revoked_at"]


async def test_a_key_hands_on_no_more_than_it_holds(caller: As, clinic: Clinic) -> None:
    api = await caller(clinic, "keys:write", "calls:write:payments/stripe")
    assert (await api.post("/v1/keys", {**BODY, "scopes": ["calls:write:payments/stripe/refund"]})).status_code == 201
    for wider in ("calls:write", "calls:write:payments", "disclosures:read"):
        told = problem(await api.post("/v1/keys", {**BODY, "scopes": [wider]}), 403, "forbidden")
        assert wider in told["detail"]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"title": ""}, "title"),
        ({"title": "a\tb"}, "title"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes[0]"),
        ({"scopes": ["log:read", "calls:write:A"]}, "scopes[1]"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "tomorrow"}, "expires_at"),
    ],
)
async def test_a_wrong_key_is_named(api: Api, given: dict[str, Any], path: str) -> None:
    told = problem(await api.post("/v1/keys", {**BODY, **given}), 400, "invalid_request")
    assert [fault["path"] for fault in told["faults"]] == [path]


async def test_keys_are_listed_page_by_page(api: Api) -> None:
    made = {(await api.post("/v1/keys", BODY)).json()["id"] for _ in range(4)}
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await api.get("/v1/keys", params={"limit": "2", **({"cursor": cursor} if cursor else {})})).json()
        found += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert len(found) == len(set(found)) == 5
    assert made < set(found)


@pytest.mark.parametrize("key", ["nobody", "%00", "a'b", "x" * 300, "..", "%2e%2e"])
async def test_a_key_that_is_not_there_is_404(api: Api, key: str) -> None:
    assert (await api.get(f"/v1/keys/{key}")).status_code == 404
