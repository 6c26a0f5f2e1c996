"""Visits are linked from the clinic's side: a token once, the visits, the network's word, a notice in time; at ABDM."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.abdm.simulator.quirks import Quirks
from connectors.abdm.simulator.refusals import Shape
from gateway.flows.network.linking import invite
from gateway.records import Context
from tests.gateway.network.ward import ADDRESS, MOBILE, Ward, ward


@pytest.fixture
async def at_abdm(fresh_dsn: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Ward]:
    async with ward(fresh_dsn, tmp_path, getattr(request, "param", None)) as made:
        yield made


async def linked(at: Ward, context: Context) -> bool:
    row = await at.link_of(context)
    return row is not None and row.state == "linked"


async def test_a_visit_is_linked_and_the_network_hears_of_its_documents(at_abdm: Ward) -> None:
    await at_abdm.registered()
    context = await at_abdm.visited()
    await at_abdm.until(lambda: linked(at_abdm, context))
    [shown] = at_abdm.network.patient(ADDRESS).linked[at_abdm.service]
    assert (shown.reference, at_abdm.network.faulty()) == (str(context.id), [])
    await at_abdm.pass_time(minutes=2)
    [notice] = await at_abdm.until(lambda: at_abdm.requests("notify_context"))
    await at_abdm.until(lambda: _answered(at_abdm, "notify_context"))
    assert notice.contexts == [context.id]
    assert at_abdm.network.faulty() == []


async def _answered(at: Ward, action: str) -> bool:
    rows = await at.requests(action)
    return bool(rows) and all(row.answered_at is not None for row in rows)


async def test_one_token_links_every_later_visit(at_abdm: Ward) -> None:
    await at_abdm.registered()
    for reference in ("visit-1", "visit-2", "visit-3"):
        context = await at_abdm.visited(reference)
        await at_abdm.until(lambda context=context: linked(at_abdm, context))  # type: ignore[misc]
    assert len(await at_abdm.requests("request_link_token")) == 1


@pytest.mark.parametrize("at_abdm", [Quirks(duplicate_window=True, block=True, slow_callbacks=True)], indirect=True)
async def test_visits_that_come_together_ask_for_one_token(at_abdm: Ward) -> None:
    await at_abdm.registered()
    contexts = [await at_abdm.visited(f"visit-{number}") for number in range(25)]
    await at_abdm.until(lambda: at_abdm.requests("request_link_token"))
    await at_abdm.pass_time(seconds=10)
    await at_abdm.until(lambda: _asked(at_abdm, 25))
    await at_abdm.pass_time(seconds=10)
    for context in contexts:
        await at_abdm.until(lambda context=context: linked(at_abdm, context))  # type: ignore[misc]
    assert len(await at_abdm.requests("request_link_token")) == 1
    assert max(len(row.contexts) for row in await at_abdm.requests("link_contexts")) <= 20
    assert at_abdm.network.faulty() == []


async def _asked(at: Ward, count: int) -> bool:
    return sum(len(row.contexts) for row in await at.requests("link_contexts") if row.told_at) >= count


async def test_a_patient_whose_data_differ_is_not_linked_and_the_clinic_hears_why(at_abdm: Ward) -> None:
    await at_abdm.registered(year_of_birth=1970)
    context = await at_abdm.visited()
    row = await at_abdm.until(lambda: _failed(at_abdm, context))
    assert row == "demographics_differ"
    await at_abdm.registered()
    again = await at_abdm.visited("visit-2")
    await at_abdm.pass_time(minutes=9)
    await at_abdm.until(lambda: linked(at_abdm, again))


async def _failed(at: Ward, context: Context) -> str | None:
    row = await at.link_of(context)
    return row.code if row is not None and row.state == "failed" else None


async def test_a_patient_without_an_address_is_told_apart_at_once(at_abdm: Ward) -> None:
    await at_abdm.registered(address=None)
    context = await at_abdm.visited()
    assert await at_abdm.until(lambda: _failed(at_abdm, context)) == "no_address"
    assert await at_abdm.requests("request_link_token") == []


@pytest.mark.parametrize("at_abdm", [Quirks(notify_race=True)], indirect=True)
async def test_a_notice_that_came_too_soon_is_repeated_until_it_is_taken(at_abdm: Ward) -> None:
    await at_abdm.registered()
    context = await at_abdm.visited()
    await at_abdm.until(lambda: linked(at_abdm, context))
    [first] = await at_abdm.requests("notify_context")
    assert first.due_at is not None
    assert (first.due_at - first.at).total_seconds() == 30
    await at_abdm.pass_time(minutes=2)
    await at_abdm.until(lambda: _taken(at_abdm))


async def _taken(at: Ward) -> bool:
    return any(row.answered_at is not None and row.code is None for row in await at.requests("notify_context"))


async def test_silence_is_not_taken_for_a_link(at_abdm: Ward) -> None:
    await at_abdm.registered()
    at_abdm.network.quirks.silent_wrong_hip = True
    at_abdm.network.facilities.clear()  # the id means nobody to the network any more: it accepts, and says nothing
    context = await at_abdm.visited()
    await at_abdm.until(lambda: _told(at_abdm, 1))
    for round_number in (2, 3):
        await at_abdm.pass_time(minutes=9)
        await at_abdm.until(lambda count=round_number: _told(at_abdm, count))  # type: ignore[misc]
    await at_abdm.pass_time(minutes=9)
    assert await at_abdm.until(lambda: _failed(at_abdm, context)) == "not_answered"
    assert len(await at_abdm.requests("request_link_token")) == 3


async def _told(at: Ward, count: int) -> bool:
    return sum(row.told_at is not None for row in await at.requests("request_link_token")) >= count


async def test_the_network_writes_to_a_patient_of_whom_the_mobile_is_known(at_abdm: Ward) -> None:
    subject = await at_abdm.registered()
    await invite(at_abdm.actor, "abdm", subject, at_abdm.house.rooms)
    await at_abdm.until(lambda: _answered(at_abdm, "invite_patient"))
    [row] = await at_abdm.requests("invite_patient")
    assert (row.code, at_abdm.network.faulty()) == (None, [])


async def test_a_text_that_the_network_did_not_take_is_asked_for_again(at_abdm: Ward) -> None:
    subject = await at_abdm.registered()
    at_abdm.network.fail_next(Shape.WSO2, path="/api/hiecm/hip/v3/link/patient/links/sms")
    await invite(at_abdm.actor, "abdm", subject, at_abdm.house.rooms)
    await at_abdm.until(lambda: _invited(at_abdm, 2))
    assert MOBILE[-10:] not in at_abdm.network.phones
    await at_abdm.pass_time(minutes=3)
    await at_abdm.until(lambda: _answered(at_abdm, "invite_patient"))
    assert len(at_abdm.network.phones[MOBILE[-10:]]) == 1


async def _invited(at: Ward, count: int) -> bool:
    return len(await at.requests("invite_patient")) == count
