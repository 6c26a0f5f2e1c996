"""Idempotency-Key on everything but calls: the first reply again, for the same caller and the same request."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.app import House
from gateway.connections import Connections
from gateway.web.api import repeats
from tests.gateway.house import Clinic
from tests.gateway.web.conftest import Api, As, problem

BODY = {"title": "the front desk", "scopes": ["log:read"]}
KEY = {"idempotency-key": "once"}


async def test_a_repeat_gets_the_first_reply_and_changes_nothing(api: Api) -> None:
    first = await api.post("/v1/keys", BODY, headers=KEY)
    again = await api.post("/v1/keys", dict(reversed(BODY.items())), headers=KEY)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert len((await api.get("/v1/keys")).json()["items"]) == 2


async def test_another_request_under_the_same_key_is_422(api: Api, clinic: Clinic) -> None:
    await api.post("/v1/keys", BODY, headers=KEY)
    problem(await api.post("/v1/keys", {**BODY, "title": "another"}, headers=KEY), 422, "idempotency_key_reused")
    where = f"/v1/connections/{clinic.connection.id}/suspend"
    problem(await api.post(where, headers=KEY), 422, "idempotency_key_reused")


async def test_two_at_once_make_one(api: Api) -> None:
    replies = await asyncio.gather(*(api.post("/v1/keys", BODY, headers=KEY) for _ in range(6)))
    assert {reply.status_code for reply in replies} <= {201, 409}
    made = {reply.json()["id"] for reply in replies if reply.status_code == 201}
    assert len(made) == 1
    for reply in replies:
        if reply.status_code == 409:
            problem(reply, 409, "in_progress")
            assert reply.headers["retry-after"]
    assert len((await api.get("/v1/keys")).json()["items"]) == 2


async def test_a_reply_belongs_to_its_caller(api: Api, caller: As, clinic: Clinic) -> None:
    first = await api.post("/v1/keys", BODY, headers=KEY)
    second = await (await caller(clinic)).post("/v1/keys", BODY, headers=KEY)
    assert second.status_code == 201
    assert second.json()["key"] != first.json()["key"]


async def test_what_failed_may_be_made_again_under_its_key(api: Api) -> None:
    problem(
        await api.post("/v1/keys", {**BODY, "expires_at": "2001-01-01T00:00:00Z"}, headers=KEY), 400, "invalid_request"
    )
    assert (await api.post("/v1/keys", BODY, headers=KEY)).status_code == 201


async def test_a_kept_reply_is_not_readable_in_the_database(api: Api, house: House, clinic: Clinic) -> None:
    made = (await api.post("/v1/keys", BODY, headers=KEY)).json()
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        stored = await connection.fetch("SELECT r::text, encode(r.sealed, 'escape') FROM replies r")
    assert len(stored) == 1
    assert made["key"][17:] not in str(stored)


async def test_a_reply_is_kept_for_a_day(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await api.post("/v1/keys", BODY, headers=KEY)
    monkeypatch.setattr(repeats, "KEPT", timedelta(0))
    assert (await api.post("/v1/keys", BODY, headers=KEY)).json()["id"] != first.json()["id"]


async def test_a_request_whose_gateway_died_does_not_hold_its_key_for_ever(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*given: object, **more: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(repeats.replies, "settle", dies)
        with pytest.raises(asyncio.CancelledError):
            await api.post("/v1/keys", BODY, headers=KEY)
    problem(await api.post("/v1/keys", BODY, headers=KEY), 409, "in_progress")
    monkeypatch.setattr(repeats, "ALIVE", timedelta(0))
    assert (await api.post("/v1/keys", BODY, headers=KEY)).status_code == 201


async def test_a_connection_is_made_once(api: Api, clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    await api.ask("DELETE", f"/v1/connections/{clinic.connection.id}")
    body = {"connector": "payments", "credential": {"secret": "rk_test_0123456789abcdef"}, "features": []}
    first = await api.post("/v1/connections", body, headers=KEY)
    assert first.status_code == 201
    monkeypatch.setattr(Connections, "connect", lambda *_: pytest.fail("connected twice"))
    assert (await api.post("/v1/connections", body, headers=KEY)).json() == first.json()
    other = {**body, "credential": {"secret": "rk_test_fedcba9876543210"}}
    problem(await api.post("/v1/connections", other, headers=KEY), 422, "idempotency_key_reused")
