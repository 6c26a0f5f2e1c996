"""Records go to whoever asks with a patient's consent: each as a disclosure of its own, and the network hears how it went."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.flows.network import transfers
from gateway.flows.network.transfers import OVERTAKEN
from gateway.flows.settle import StillUnderWay
from gateway.network.inbox import Post, named, seal
from gateway.store import letters
from tests.gateway.releases.clinic import HIU, NOW, Release


async def test_each_document_is_sent_on_a_page_of_its_own_and_the_network_hears_that_it_arrived(
    release: Release,
) -> None:
    visits = await release.has_visits(2, documents=2)
    artefact = await release.consents()
    transfer = await release.asks(artefact.id)
    row = await release.works(transfer)
    assert row.state == "reported"
    assert [each.state for each in await release.entries(transfer)] == ["sent"] * 4
    pages = sorted(release.pages, key=lambda page: page["page"])
    assert [page["page"] for page in pages] == [0, 1, 2, 3]
    assert {page["pages"] for page in pages} == {4}
    assert sorted(page["record"] for page in pages) == sorted(
        f'{{"resourceType":"Bundle","id":"{visit}.{part}"}}' for visit in range(2) for part in range(2)
    )
    assert len({page["key"] for page in pages}) == 4, "a key seals one page and no other"
    [acknowledged] = release.told("answer_records")
    assert acknowledged == {"answers": row.request, "transaction": row.transaction}
    [told] = release.told("report_transfer")
    assert told["complete"] is True
    assert {entry["context_reference"] for entry in told["entries"]} == {each.reference for each in visits}
    assert all(entry["arrived"] for entry in told["entries"])
    assert await release.pushes() == [(index, "accepted") for index, _ in await release.pushes()]


async def test_an_intent_says_to_whom_and_what_kind_of_data_and_no_value(release: Release) -> None:
    await release.has_visits(1)
    artefact = await release.consents()
    transfer = await release.asks(artefact.id)
    await release.works(transfer)
    [intent] = await release.log("intent", action="push_record")
    assert intent["recipient"] == {
        "name": HIU.name, "id": HIU.id, "role": "independent_controller", "country": "IN",
    }  # fmt: skip
    assert intent["endpoint"] == {"host": "127.0.0.1", "regions": ["IN"]}
    assert {tuple(field) for field in intent["fields"]} >= {
        ("document.MedicationRequest", "medication"), ("document.Patient", "identity"),
    }  # fmt: skip
    assert intent["consent"] == str((await release.held(artefact)).id)
    assert intent["call"] == str(transfer)
    assert intent["purpose"] == "CAREMGT"
    assert {"consent", "connection_active", "artefact_in_force", "record_dates"} <= set(intent["rules"])
    subject = await release.house.rooms.subjects.pseudonym(
        release.tenant, "patient-1", keyed=await release.house.rooms.connections.clinic(release.tenant)
    )
    assert intent["subject"] == str(subject)
    text = str(await release.log("intent", "outcome", "consent"))
    for value in ("Asha", "asha@net", "Bundle", "/push", "patient-1", "Dr. Rao"):
        assert value not in text, value


async def test_what_was_asked_for_is_gone_once_it_is_sent(release: Release) -> None:
    await release.has_visits(1)
    artefact = await release.consents()
    transfer = await release.asks(artefact.id)
    assert (await release.row(transfer)).sealed is not None
    await release.works(transfer)
    assert (await release.row(transfer)).sealed is None


async def test_the_same_exchange_is_taken_once(release: Release) -> None:
    await release.has_visits(1)
    artefact = await release.consents()
    first = await release.asks(artefact.id, transaction="t-1")
    await release.works(first)
    again = await release.asks(artefact.id, transaction="t-1")
    assert again == first
    await release.works(first)
    assert len(release.hiu.requests) == len(release.told("report_transfer")) == 1


async def test_nothing_is_sent_after_the_deadline_and_that_is_what_is_reported(release: Release) -> None:
    [visit] = await release.has_visits(1)
    artefact = await release.consents()
    transfer = await release.asks(artefact.id)
    release.clock.move(minutes=20)
    row = await release.works(transfer)
    assert row.state == "reported"
    assert release.hiu.requests == []
    [told] = release.told("report_transfer")
    assert told["complete"] is False
    assert told["entries"] == [{"context_reference": visit.reference, "arrived": False, "code": "too_late"}]
    assert (row.deadline_at, await release.pushes()) == (NOW + timedelta(minutes=20), [])


async def test_a_request_that_overtakes_its_consent_waits_for_it_and_not_for_ever(release: Release) -> None:
    await release.has_visits(1)
    consent, asked = release.artefact(), release.wanted
    before = release.heard()
    clinic = await release.house.rooms.connections.clinic(release.tenant)
    letter = named(clinic, before.connection, before.request_id)
    row = letters.LetterRow(release.clock(), 0, seal(clinic, letter, Post("/consent", {}, b"{}")))
    async with release.house.rooms.store.tenant(release.tenant) as session:
        await letters.add(session, letter, row)
    release.clock.move(seconds=1)
    heard, wanted = release.heard(), asked(consent.id)
    with pytest.raises(StillUnderWay):
        await transfers.wanted(heard, wanted, release.house.rooms)
    assert release.told("answer_records") == []
    release.clock.move(seconds=OVERTAKEN.total_seconds())
    await transfers.wanted(heard, wanted, release.house.rooms)
    async with release.house.rooms.store.tenant(release.tenant) as session:
        reasons = await session.fetchval("SELECT reasons FROM transfers WHERE tenant = $1", release.tenant)
    assert "consent_missing" in str(reasons)
