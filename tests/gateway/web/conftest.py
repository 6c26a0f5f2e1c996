"""The API as a caller meets it: a client with a key, over the application in this interpreter or over a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from gateway.app import House
from gateway.calls import Actor
from gateway.demo import EVERYTHING
from scopes.scope import Scope
from tests.gateway.house import CALL, Clinic, connected

BODY = {
    "connector": "payments/stripe",
    "action": "create_payment_intent",
    "purpose": "HPAYMT",
    "subject": "patient-4711",
    "payload": CALL,
}


@dataclass
class Api:
    """One caller of the API."""

    client: httpx2.AsyncClient
    key: str | None

    async def ask(self, method: str, path: str, **given: Any) -> httpx2.Response:
        """One request with the caller's key."""
        headers = dict(given.pop("headers", {}))
        if self.key is not None:
            headers.setdefault("authorization", f"Bearer {self.key}")
        return await self.client.request(method, path, headers=headers, **given)

    async def get(self, path: str, **given: Any) -> httpx2.Response:
        """Read."""
        return await self.ask("GET", path, **given)

    async def post(self, path: str, body: Any = None, **given: Any) -> httpx2.Response:
        """Send JSON."""
        return await self.ask("POST", path, **({} if body is None else {"json": body}), **given)

    async def call(self, **given: Any) -> httpx2.Response:
        """Make the call that would be let through, but for what is given otherwise."""
        headers = given.pop("headers", {})
        return await self.post("/v1/calls", {**BODY, **given}, headers=headers)


As = Callable[..., Awaitable[Api]]


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    """HTTP without a socket."""
    transport = httpx2.ASGITransport(app=house.web)
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


@pytest.fixture
def caller(house: House, client: httpx2.AsyncClient) -> As:
    """Make a caller of a clinic with the scopes that are named."""

    async def make(clinic: Clinic, *scopes: str) -> Api:
        held = tuple(map(Scope.parse, scopes)) or EVERYTHING
        actor = Actor("system", "test", clinic.tenant, ())
        key, _ = await house.rooms.callers.create_key(actor, "a key of a test", held)
        return Api(client, key)

    return make


@pytest.fixture
async def api(caller: As, clinic: Clinic) -> Api:
    """The clinic's caller who may do everything."""
    return await caller(clinic)


@pytest.fixture
async def other(caller: As, house: House) -> Api:
    """A caller of another clinic who may do everything there."""
    return await caller(await connected(house))


def problem(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of a response, checked for what every one has."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    document: dict[str, Any] = response.json()
    assert document["code"] == code, document
    assert document["type"] == f"urn:clinic-gateway:problem:{code}"
    assert document["status"] == status
    assert document["request_id"] == response.headers["x-request-id"]
    return document
