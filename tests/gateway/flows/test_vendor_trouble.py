"""Vendors that refuse, hang, drip, flood, redirect or vanish: each leaves one outcome, and nothing hangs."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import orjson
import pytest

from gateway.app import House
from gateway.egress import Route
from gateway.flows.broker import broker
from scopes.vocabulary import Outcome
from tests.gateway.egress.vendor import Vendor, answer
from tests.gateway.house import PAYMENT, Clinic, entries_of

YES = answer(200, orjson.dumps(PAYMENT))


def said(kind: str, code: str, status: int) -> bytes:
    """An error as Stripe says it."""
    return answer(status, orjson.dumps({"error": {"type": kind, "code": code, "message": "canary"}}))


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (said("card_error", "card_declined", 402), Outcome.REJECTED),
        (said("invalid_request_error", "parameter_unknown", 400), Outcome.REJECTED),
        (answer(401, b"{}"), Outcome.REJECTED),
        (answer(403, b"{}"), Outcome.REJECTED),
        (answer(302, location="https://elsewhere.example/"), Outcome.FAILED),
        (answer(200, b"not json"), Outcome.UNKNOWN),
    ],
)
async def test_what_the_vendor_says_becomes_the_outcome(
    house: House, clinic: Clinic, vendor: Vendor, told: bytes, outcome: Outcome
) -> None:
    vendor.answers = [told]
    result = await broker(clinic.call(), house.rooms)
    assert result.outcome is outcome
    assert "canary" not in repr(result)
    entry = (await entries_of(house, clinic.tenant))[-1]
    assert (entry["kind"], entry["outcome"]) == ("outcome", str(outcome))
    assert len(vendor.requests) == 1


async def test_a_broken_server_is_asked_again_with_the_same_key(house: House, clinic: Clinic, vendor: Vendor) -> None:
    vendor.answers = [answer(503, b"{}"), answer(500, b"{}"), YES]
    result = await broker(clinic.call(), house.rooms)
    assert result.outcome is Outcome.ACCEPTED
    assert len({vendor.header("idempotency-key", at)[0] for at in range(3)}) == 1
    log = await entries_of(house, clinic.tenant)
    assert [entry["kind"] for entry in log[-2:]] == ["intent", "outcome"]
    assert log[-1]["attempts"] == 3


async def test_each_call_has_a_vendors_key_of_its_own(house: House, clinic: Clinic, vendor: Vendor) -> None:
    first, second = [await broker(clinic.call(), house.rooms) for _ in range(2)]
    assert [vendor.header("idempotency-key", at)[0] for at in (0, 1)] == [f"cg_{first.id.hex}", f"cg_{second.id.hex}"]


async def test_a_vendor_that_floods_is_cut_off_and_failed(house: House, clinic: Clinic, vendor: Vendor) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10485760\r\n\r\n")
        for _ in range(160):
            writer.write(b"x" * 65536)
            await writer.drain()

    vendor.answers = [flood]
    result = await broker(clinic.call(), house.rooms)
    assert (result.outcome, result.code) == (Outcome.FAILED, "too_large")


async def test_a_vendor_that_drips_is_cut_off_and_failed(house: House, clinic: Clinic, vendor: Vendor) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        for _ in range(100):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.1)

    vendor.answers = [drip]
    result = await broker(clinic.call(), _with_route(house, vendor, timeout_seconds=1.0))
    assert (result.outcome, result.code) == (Outcome.FAILED, "too_slow")


async def test_a_vendor_that_hangs_leaves_an_unknown_outcome(house: House, clinic: Clinic, vendor: Vendor) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(10)

    vendor.answers = [hang]
    result = await broker(clinic.call(), _with_route(house, vendor, timeout_seconds=1.0))
    assert result.outcome is Outcome.UNKNOWN


async def test_a_vendor_that_is_not_there_fails_and_nothing_left(house: House, clinic: Clinic, vendor: Vendor) -> None:
    vendor.close()
    result = await broker(clinic.call(), _with_route(house, vendor, timeout_seconds=2.0))
    assert (result.outcome, result.code) == (Outcome.FAILED, "connect_failed")


async def test_a_vendor_that_resolves_to_a_private_address_is_not_called(
    house: House, clinic: Clinic, vendor: Vendor
) -> None:
    async def private(host: str, port: int) -> list[str]:
        return ["10.0.0.7"]

    house.rooms.egress.book._resolver = private
    routes = {"payments/stripe": Route(frozenset({"api.stripe.com"}), "https://api.stripe.com")}
    result = await broker(clinic.call(), replace(house.rooms, routes=routes))
    assert (result.outcome, result.code) == (Outcome.FAILED, "private_address")
    assert vendor.connections == 0


def _with_route(house: House, vendor: Vendor, *, timeout_seconds: float):  # type: ignore[no-untyped-def]
    base = f"http://127.0.0.1:{vendor.port}"
    route = Route(frozenset({f"127.0.0.1:{vendor.port}"}), base, timeout_seconds=timeout_seconds)
    return replace(house.rooms, routes={"payments/stripe": route})
