"""The same Idempotency-Key: one disclosure, one request to the vendor, the same answer."""

from __future__ import annotations

import asyncio

import pytest

from gateway.app import House
from gateway.errors import IdempotencyReused
from gateway.flows.broker import broker
from scopes.vocabulary import Outcome
from tests.gateway.egress.vendor import Vendor, answer
from tests.gateway.house import CALL, Clinic, OpenHouse, connected, entries_of


async def test_a_repeat_gets_the_first_answer(house: House, clinic: Clinic, vendor: Vendor) -> None:
    first, second = [await broker(clinic.call(idempotency_key="k1"), house.rooms) for _ in range(2)]
    assert first == second
    assert len(vendor.requests) == 1
    assert [entry["kind"] for entry in await entries_of(house, clinic.tenant)] == ["connection", "intent", "outcome"]


async def test_twenty_at_once_make_one_disclosure(
    house: House, clinic: Clinic, vendor: Vendor, open_house: OpenHouse
) -> None:
    other = await open_house()
    through = [house, other] * 10
    answers = await asyncio.gather(*(broker(clinic.call(idempotency_key="k1"), each.rooms) for each in through))
    assert len({str(each) for each in answers}) == 1
    assert len(vendor.requests) == 1


async def test_another_body_under_the_same_key_is_refused(house: House, clinic: Clinic, vendor: Vendor) -> None:
    await broker(clinic.call(idempotency_key="k1"), house.rooms)
    with pytest.raises(IdempotencyReused):
        await broker(clinic.call({**CALL, "amount_minor": 1}, idempotency_key="k1"), house.rooms)
    assert len(vendor.requests) == 1


async def test_a_refusal_by_the_vendor_is_repeated_too(house: House, clinic: Clinic, vendor: Vendor) -> None:
    vendor.answers = [answer(402, b'{"error": {"type": "card_error", "code": "card_declined"}}')]
    first, second = [await broker(clinic.call(idempotency_key="k1"), house.rooms) for _ in range(2)]
    assert first == second
    assert first.outcome is Outcome.REJECTED
    assert len(vendor.requests) == 1


async def test_clinics_do_not_share_keys(house: House, clinic: Clinic, vendor: Vendor) -> None:
    other = await connected(house)
    first = await broker(clinic.call(idempotency_key="k1"), house.rooms)
    second = await broker(other.call(idempotency_key="k1"), house.rooms)
    assert first.id != second.id
    assert len(vendor.requests) == 2
