"""Whoever asked answers badly, or the network does: what is tried again, how often, and what is reported in the end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.flows.network import pushing
from gateway.store import notices
from tests.gateway.egress.vendor import answer
from tests.gateway.releases.clinic import HIU, NOW, TAKEN, Release


async def to_the_end(release: Release, transfer: Any) -> None:
    """Its jobs run until there is none left."""
    for _ in range(30):
        if (await release.works(transfer)).state in ("reported", "unreported"):
            return
    raise AssertionError("it never ends")


async def ready(release: Release, **consented: Any) -> Any:
    await release.has_visits(1)
    artefact = await release.consents(**consented)
    return await release.asks(artefact.id)


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_an_hiu_out_of_order_is_tried_again_each_time_as_a_disclosure_of_its_own(
    release: Release, status: int
) -> None:
    transfer = await ready(release)
    release.hiu.answers = [answer(status), answer(status), TAKEN]
    await to_the_end(release, transfer)
    assert [outcome for _, outcome in await release.pushes()] == ["rejected", "rejected", "accepted"]
    intents = await release.log("intent", action="push_record")
    assert [each["attempt"] for each in intents] == [1, 2, 3]
    assert len({page["key"] for page in release.pages}) == 3, "each attempt is sealed anew"
    [told] = release.told("report_transfer")
    assert told["complete"] is True


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (answer(400), "http_400"),
        (answer(401), "http_401"),
        (answer(307, location="http://127.0.0.1:1/elsewhere"), "redirect"),
        (answer(200, b"x" * (1 << 17)), "too_large"),
    ],
)
async def test_an_hiu_that_does_not_take_it_is_not_asked_again(release: Release, said: bytes, code: str) -> None:
    transfer = await ready(release)
    release.hiu.answers = [said]
    await to_the_end(release, transfer)
    assert len(release.hiu.requests) == 1
    [told] = release.told("report_transfer")
    assert told["complete"] is False
    assert [(each["arrived"], each["code"]) for each in told["entries"]] == [(False, code)]


@pytest.mark.parametrize("status", [502, 504])
async def test_what_may_have_arrived_is_sent_once_more_and_no_oftener(release: Release, status: int) -> None:
    transfer = await ready(release)
    release.hiu.answers = [answer(status)]
    await to_the_end(release, transfer)
    assert [outcome for _, outcome in await release.pushes()] == ["unknown", "unknown"]
    assert len(release.hiu.requests) == 2
    assert [(each.state, each.code) for each in await release.entries(transfer)] == [("failed", f"http_{status}")]


async def test_an_hiu_that_hangs_holds_nothing_up_for_long(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "PUSH_SECONDS", 0.3)

    async def hangs(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> bytes:
        await asyncio.sleep(60)
        return TAKEN

    transfer = await ready(release)
    release.hiu.answers = [hangs, TAKEN]
    await to_the_end(release, transfer)
    assert [outcome for _, outcome in await release.pushes()] == ["unknown", "accepted"]
    assert release.told("report_transfer")[0]["complete"] is True


async def test_an_hiu_that_is_not_there_is_tried_until_its_time_is_over(release: Release) -> None:
    transfer = await ready(release)
    release.hiu.close()
    await to_the_end(release, transfer)
    assert [outcome for _, outcome in await release.pushes()] == ["failed"] * pushing.MOST_ATTEMPTS
    [told] = release.told("report_transfer")
    assert [(each["arrived"], each["code"]) for each in told["entries"]] == [(False, "connect_failed")]
    assert (release.clock() - NOW).total_seconds() < 20 * 60


async def test_a_name_that_leads_into_a_private_network_is_refused_at_the_door(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def inside(_host: str, _port: int) -> list[str]:
        return ["93.184.216.34", "10.0.0.7"]

    monkeypatch.setattr(release.house.rooms.egress.book, "_resolver", inside)
    await release.has_visits(1)
    artefact = await release.consents()
    transfer = await release.asks(artefact.id, push_url="https://hiu.example/push")
    await to_the_end(release, transfer)
    assert [(each.state, each.code) for each in await release.entries(transfer)] == [("failed", "private_address")]
    assert [outcome for _, outcome in await release.pushes()] == ["failed"]


async def test_a_key_that_nothing_can_be_sealed_for_sends_nothing(release: Release) -> None:
    await release.has_visits(1)
    artefact = await release.consents()
    transfer = await release.asks(artefact.id, key=b"broken")
    await to_the_end(release, transfer)
    assert release.hiu.requests == []
    assert [(each.state, each.code) for each in await release.entries(transfer)] == [("failed", "key_refused")]


async def test_one_visit_arrived_only_where_each_of_its_records_did(release: Release) -> None:
    [first, second] = await release.has_visits(2, documents=2)
    artefact = await release.consents()
    transfer = await release.asks(artefact.id)

    async def picks(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> bytes:
        return answer(400) if release.pages[-1]["record"].endswith('"1.1"}') else TAKEN

    release.hiu.answers = [picks]
    await to_the_end(release, transfer)
    [told] = release.told("report_transfer")
    assert told["complete"] is False
    assert told["entries"] == [
        {"context_reference": first.reference, "arrived": True},
        {"context_reference": second.reference, "arrived": False, "code": "http_400"},
    ]


async def test_nothing_is_sent_before_the_network_took_our_answer(release: Release) -> None:
    transfer = await ready(release)
    release.network.answers = [answer(500), answer(503), TAKEN]
    row = await release.works(transfer)
    assert (row.state, release.hiu.requests) == ("asked", [])
    await to_the_end(release, transfer)
    assert len(release.told("answer_records")) == 3
    assert len(release.hiu.requests) == 1


async def test_a_network_that_never_takes_our_answer_gets_no_record_sent(release: Release) -> None:
    transfer = await ready(release)
    release.network.answers = [answer(400)]
    for _ in range(40):
        if (await release.works(transfer)).state != "asked":
            break
    assert release.hiu.requests == []
    release.network.answers = [TAKEN]
    await to_the_end(release, transfer)
    told = release.told("report_transfer")[-1]
    assert (told["complete"], release.hiu.requests) == (False, [])


async def test_an_answer_in_doubt_that_is_refused_the_second_time_was_taken_the_first(release: Release) -> None:
    transfer = await ready(release)
    release.network.answers = [answer(500), answer(409), TAKEN]
    await to_the_end(release, transfer)
    assert len(release.hiu.requests) == 1


async def test_the_report_is_repeated_until_the_network_takes_it(release: Release) -> None:
    transfer = await ready(release)
    release.network.answers = [TAKEN, answer(500), answer(429), answer(503), TAKEN]
    await to_the_end(release, transfer)
    reports = release.told("report_transfer")
    assert len(reports) == 4
    assert all(each == reports[0] for each in reports), "the same each time: it was done when it was done"
    assert len(release.hiu.requests) == 1


async def test_a_report_that_nobody_takes_for_a_day_is_told_to_the_clinic(release: Release) -> None:
    transfer = await ready(release)
    release.network.answers = [TAKEN, answer(500)]
    await release.works(transfer)
    release.clock.move(hours=25)
    row = await release.works(transfer)
    assert row.state == "unreported"
    async with release.house.rooms.store.tenant(release.tenant) as session:
        [notice] = await notices.page(session, release.tenant, before=None, limit=10)
    assert (notice.kind, notice.detail) == ("records.unreported", {"transfer": str(transfer)})


@pytest.mark.parametrize("withheld", [False, True])
async def test_the_networks_token_goes_along_but_not_to_those_whom_the_clinic_keeps_it_from(
    release: Release, monkeypatch: pytest.MonkeyPatch, withheld: bool
) -> None:
    class Bearer:
        token = "a-session"

    async def bearer_for(*_: Any) -> Bearer:
        return Bearer()

    monkeypatch.setattr(pushing, "bearer_for", bearer_for)
    if withheld:
        settings = {"push_token_withheld": f"another, {HIU.id}"}
        await release.house.rooms.connections.set_settings(release.actor, release.connection.id, settings)
    transfer = await ready(release)
    await to_the_end(release, transfer)
    assert release.hiu.header("authorization") == ([] if withheld else ["Bearer a-session"])


async def test_a_record_that_is_gone_meanwhile_is_reported_as_that(release: Release) -> None:
    transfer = await ready(release)
    release.hiu.answers = [answer(503)]
    await release.works(transfer)
    async with release.house.rooms.store.tenant(release.tenant) as session:
        await session.execute("DELETE FROM records WHERE tenant = $1", release.tenant)
    await to_the_end(release, transfer)
    assert [(each.state, each.code) for each in await release.entries(transfer)] == [("failed", "record_gone")]
