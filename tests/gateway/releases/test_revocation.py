"""A consent that is taken back while its records are being sent: nothing goes after it, and the log shows what went before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from connectors.told import ArtefactStatus
from gateway.flows.network import pushing
from gateway.ledger.log import Disclosure
from scopes.artefact import State
from tests.gateway.egress.vendor import answer
from tests.gateway.house import entries_of
from tests.gateway.listener import until
from tests.gateway.releases.clinic import NOW, TAKEN, Release


async def check(release: Release, transfer: Any, ended: str = "withdrawn") -> int:
    """The log and the HIU agree on what went, all of it before the end of the consent; says how many."""
    entries = await entries_of(release.house, release.tenant)
    [end] = [each["index"] for each in entries if each["kind"] == "consent" and each["state"] == ended]
    pushed = [each for each in entries if each["kind"] == "intent" and each["action"] == "push_record"]
    refused = [each for each in entries if each["kind"] == "refusal"]
    assert all(each["index"] < end for each in pushed), "an intent was written after the consent had ended"
    assert all(each["index"] > end for each in refused)
    assert len(release.hiu.requests) == len(pushed)
    sent = {each.number for each in await release.entries(transfer) if each.state == "sent"}
    assert {page["page"] for page in release.pages} == sent
    kept = await release.entries(transfer)
    assert [each.code for each in kept if each.number not in sent] == ["consent_withdrawn"] * (len(kept) - len(sent))
    assert len(refused) == len(kept) - len(sent)
    [told] = release.told("report_transfer")
    assert (told["complete"], sum(each["arrived"] for each in told["entries"])) == (False, len(sent))
    return len(sent)


@pytest.mark.timeout(240)
async def test_a_revocation_while_200_records_are_sent_stops_the_rest(release: Release) -> None:
    await release.has_visits(200)
    artefact = await release.consents()
    transfer = await release.asks(artefact.id)
    release.hiu.delay_seconds = 0.005
    job = asyncio.create_task(release.works(transfer))
    await until(lambda: len(release.hiu.requests) >= 60, seconds=60)
    await release.tells(artefact.id, ArtefactStatus.REVOKED, house=release.other)  # another gateway hears of it
    told_at = len(release.hiu.requests)
    row = await job
    assert row.state == "reported"
    sent = await check(release, transfer)
    assert 60 <= sent == told_at, "nothing arrives once the network was told that the consent has ended"


@dataclass
class Gate:
    """Where the first one who comes waits until it is opened."""

    there: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> None:
        """Wait, if nobody did before."""
        if not self.there.is_set():
            self.there.set()
            await self.go.wait()


async def test_a_revocation_after_the_decision_and_before_the_intent_sends_nothing(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decision said yes on a standing that is gone when its intent is written."""
    await release.has_visits(1)
    artefact = await release.consents()
    transfer = await release.asks(artefact.id)
    gate, send = Gate(), pushing._sent

    async def held(*given: Any) -> Any:
        await gate.wait()
        return await send(*given)

    monkeypatch.setattr(pushing, "_sent", held)
    job = asyncio.create_task(release.works(transfer))
    await gate.there.wait()
    await release.tells(artefact.id, ArtefactStatus.REVOKED, house=release.other)
    gate.go.set()
    await job
    assert release.hiu.requests == []
    assert await check(release, transfer) == 0


async def test_a_revocation_after_the_intent_comes_too_late_for_it_and_for_no_other(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the log shows as gone before is what went before."""
    await release.has_visits(3)
    monkeypatch.setattr("gateway.flows.network.transfers.AT_ONCE", 1)
    artefact = await release.consents()
    transfer = await release.asks(artefact.id)
    gate, enter = Gate(), Disclosure.__aenter__

    async def entering(self: Disclosure) -> Disclosure:
        entered = await enter(self)
        if self._intent.action.name == "push_record":
            await gate.wait()
        return entered

    monkeypatch.setattr(Disclosure, "__aenter__", entering)
    job = asyncio.create_task(release.works(transfer))
    await gate.there.wait()
    assert release.hiu.requests == []
    telling = asyncio.create_task(release.tells(artefact.id, ArtefactStatus.REVOKED, house=release.other))

    async def ended() -> bool:
        return (await release.held(artefact)).state == "revoked"

    await until(ended)
    await asyncio.sleep(0.3)
    assert len(release.told("answer_consent")) == 1, "the network hears of the end once nothing is on its way any more"
    gate.go.set()
    await job
    await telling
    assert len(release.told("answer_consent")) == 2
    assert await check(release, transfer) == 1


async def test_the_network_hears_of_an_end_although_a_push_hangs_for_longer_than_one_may(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    await release.has_visits(1)
    monkeypatch.setattr("gateway.flows.network.artefacts._LOOKS", 3)
    artefact = await release.consents()
    transfer = await release.asks(artefact.id)
    gate = Gate()

    async def hangs(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> bytes:
        await gate.wait()
        return TAKEN

    release.hiu.answers = [hangs]
    job = asyncio.create_task(release.works(transfer))
    await gate.there.wait()
    await asyncio.wait_for(release.tells(artefact.id, ArtefactStatus.REVOKED, house=release.other), 20)
    assert len(release.told("answer_consent")) == 2
    assert not job.done()
    gate.go.set()
    await job


async def test_a_consent_that_is_withdrawn_on_our_own_page_stops_its_records_too(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    await release.has_visits(3)
    monkeypatch.setattr("gateway.flows.network.transfers.AT_ONCE", 1)
    artefact = await release.consents()
    consent = (await release.held(artefact)).id
    transfer = await release.asks(artefact.id)
    gate = Gate()

    async def taking(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> bytes:
        await gate.wait()
        return TAKEN

    release.hiu.answers = [taking]
    job = asyncio.create_task(release.works(transfer))
    await gate.there.wait()
    async with calling(release) as client:
        assert (await client.delete(f"/v1/consents/{consent}")).status_code == 204
    gate.go.set()
    await job
    assert await check(release, transfer) == 1
    row = await release.held(artefact)
    assert (row.state, row.ended_by, row.letter, row.terms) == ("revoked", "clinic", None, None)
    held = await release.house.rooms.artefacts.held(
        await release.house.rooms.connections.clinic(release.tenant), consent
    )
    assert held.state is State.WITHDRAWN


async def test_an_erasure_stops_what_is_asked_for_about_its_subject(release: Release) -> None:
    await release.has_visits(3)
    artefact = await release.consents()
    transfer = await release.asks(artefact.id)
    release.hiu.answers = [answer(503)]
    await release.works(transfer)
    before = len(release.hiu.requests)
    rooms, subject = release.house.rooms, (await release.held(artefact)).subject
    assert subject is not None
    async with rooms.store.tenant(release.tenant) as session:
        assert await rooms.artefacts.erase_within(session, release.actor, subject) == 1
    rooms.connections.forget(release.tenant)
    assert (await release.row(transfer)).sealed is None
    release.hiu.answers = [TAKEN]
    row = await release.works(transfer)
    assert row.state == "reported"
    assert len(release.hiu.requests) == before
    assert {each.code for each in await release.entries(transfer)} == {"consent_withdrawn"}


async def test_a_consent_whose_time_ends_meanwhile_releases_no_more(release: Release) -> None:
    """Nobody tells of that: the decision looks at the clock."""
    await release.has_visits(2)
    artefact = await release.consents(erase_at=NOW + timedelta(seconds=3))
    transfer = await release.asks(artefact.id)
    release.hiu.answers = [answer(503)]
    await release.works(transfer, times=2)
    assert len(release.hiu.requests) == 2
    assert [each.code for each in await release.entries(transfer)] == ["consent_expired"] * 2


@asynccontextmanager
async def calling(release: Release) -> AsyncIterator[httpx2.AsyncClient]:
    """The clinic's host, calling our API."""
    key, _ = await release.house.callers.create_key(release.actor, "test", release.actor.scopes)
    transport = httpx2.ASGITransport(app=release.house.web)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://gateway", headers={"Authorization": f"Bearer {key}"}
    ) as client:
        yield client


async def test_a_request_whose_consent_ends_before_its_records_are_looked_for_is_reported_visit_by_visit(
    release: Release,
) -> None:
    [visit] = await release.has_visits(1)
    artefact = await release.consents()
    transfer = await release.asks(artefact.id)
    await release.tells(artefact.id, ArtefactStatus.REVOKED)
    row = await release.works(transfer)
    assert (row.state, release.hiu.requests) == ("reported", [])
    [told] = release.told("report_transfer")
    assert told["complete"] is False
    assert told["entries"] == [{"context_reference": visit.reference, "arrived": False, "code": "consent_ended"}]
