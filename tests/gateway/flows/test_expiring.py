"""Agreements that end soon: shown in the register, told once by a notice and an event."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.app import House
from gateway.flows import expiring
from gateway.flows.agree import Terms, agree
from gateway.flows.housekeeping import keep_one
from gateway.flows.publish import publish
from scopes.agreement import AgreementKind
from tests.gateway.house import Clinic
from tests.gateway.listener import Clock, Listener, endpoint_at, notices_of, rows_of

STRIPE = "payments/stripe"


async def signed(house: House, clinic: Clinic, clock: Clock, *, days: float | None) -> None:
    until = None if days is None else clock.now + timedelta(days=days)
    terms = Terms(kind=AgreementKind.DPA, services=(), since=clock.now - timedelta(days=300), until=until)
    await agree(clinic.actor, STRIPE, terms, house.rooms)


async def test_a_clinic_is_told_once_and_thirty_days_before(
    timed_house: House, timed_clinic: Clinic, clock: Clock, listener: Listener
) -> None:
    house, clinic = timed_house, timed_clinic
    await endpoint_at(house, clinic, listener.url, events=["agreement.expiring"])
    await signed(house, clinic, clock, days=30.5)
    await keep_one(clinic.tenant, house.rooms)
    assert await notices_of(house, clinic) == []
    for _ in range(3):
        clock.move(hours=12)
        await keep_one(clinic.tenant, house.rooms)
    (notice,) = await notices_of(house, clinic)
    assert (notice.kind, notice.detail["recipient"], notice.detail["days"]) == ("agreement.expiring", STRIPE, 30)
    (delivery,) = await rows_of(house, clinic)
    assert delivery.type == "agreement.expiring"
    (row,) = await house.rooms.agreements.all_of(clinic.tenant)
    assert notice.about == row.id


async def test_an_agreement_in_its_place_is_told_of_anew(
    timed_house: House, timed_clinic: Clinic, clock: Clock
) -> None:
    for days in (10, 20):
        await signed(timed_house, timed_clinic, clock, days=days)
        await keep_one(timed_clinic.tenant, timed_house.rooms)
    assert len(await notices_of(timed_house, timed_clinic)) == 2


@pytest.mark.parametrize("days", [None, 31, -1])
async def test_of_one_that_ends_late_or_never_or_is_over_nobody_is_told(
    timed_house: House, timed_clinic: Clinic, clock: Clock, days: float | None
) -> None:
    await signed(timed_house, timed_clinic, clock, days=days)
    await keep_one(timed_clinic.tenant, timed_house.rooms)
    assert await notices_of(timed_house, timed_clinic) == []


async def test_an_event_that_was_cut_off_is_published_in_the_next_round_and_once(
    timed_house: House, timed_clinic: Clinic, clock: Clock, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, clinic = timed_house, timed_clinic
    await endpoint_at(house, clinic, listener.url, events=["*"])
    await signed(house, clinic, clock, days=10)

    async def cut_off(*_given: object) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(expiring, "publish", cut_off)
    with pytest.raises(ConnectionResetError):
        await keep_one(clinic.tenant, house.rooms)
    assert await rows_of(house, clinic) == []
    monkeypatch.setattr(expiring, "publish", publish)
    for _ in range(3):
        clock.move(hours=1)
        await keep_one(clinic.tenant, house.rooms)
    assert len(await rows_of(house, clinic)) == 1
    assert len(await notices_of(house, clinic)) == 1
