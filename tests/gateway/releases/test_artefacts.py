"""A patient's consent at the network: kept as it came, one of the clinic's consents, gone with what it said when it ended."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest

from connectors.told import ArtefactStatus, ConsentTold
from gateway.errors import InvalidRequest
from gateway.flows.network import artefacts
from gateway.flows.network.insisting import NotTaken
from gateway.network.artefacts import letter_of
from gateway.store.consents import ConsentRow
from scopes.artefact import State
from scopes.consent import Channel
from tests.gateway.egress.vendor import answer
from tests.gateway.releases.clinic import NOW, TAKEN, Release
from tests.gateway.releases.test_revocation import calling

RAW = b'{"notification": {"status": "GRANTED", "signature": "c2lnbmVk"}} '


async def consents_of(release: Release) -> list[ConsentRow]:
    return await release.house.rooms.consents.page(release.tenant, subject=None, after=None, limit=10)


async def test_a_consent_is_kept_exactly_as_it_came_and_sealed(release: Release) -> None:
    await release.has_visits(1)
    artefact = release.artefact()
    await release.tells(artefact.id, ArtefactStatus.GRANTED, artefact, raw=RAW)
    row = await release.held(artefact)
    clinic = await release.house.rooms.connections.clinic(release.tenant)
    held = await release.house.rooms.artefacts.held(clinic, row.id)
    assert letter_of(clinic, held) == RAW
    assert held.terms == artefact
    assert row.digest == hashlib.sha256(RAW).digest()
    async with release.house.rooms.store.tenant(release.tenant) as session:
        stored = await session.fetchrow("SELECT a::text AS said FROM artefacts a WHERE tenant = $1", release.tenant)
    for value in ("asha@net", "Dr. Rao", artefact.contexts[0].reference, artefact.contexts[0].patient):
        assert value not in stored["said"]


async def test_it_is_a_consent_of_the_clinics_too_with_its_entry_in_the_log(release: Release) -> None:
    await release.has_visits(1)
    artefact = await release.consents()
    [consent] = await consents_of(release)
    assert (consent.purposes, consent.channels) == (["CAREMGT"], [str(Channel.RECORDS)])
    assert (consent.id, consent.expires_at) == ((await release.held(artefact)).id, artefact.erase_at)
    [entry] = await release.log("consent")
    assert (entry["state"], entry["consent"], entry["subject"]) == ("given", str(consent.id), str(consent.subject))
    async with release.house.rooms.store.tenant(release.tenant) as session:
        sealed, salt = await session.fetchrow("SELECT evidence, salt FROM consents WHERE id = $1", consent.id)
    clinic = await release.house.rooms.connections.clinic(release.tenant)
    evidence = clinic.keyring.open(sealed, purpose="consent", row=str(consent.id))
    assert orjson.loads(evidence) == {
        "artefact": artefact.id, "digest": (await release.held(artefact)).digest.hex(),  # type: ignore[union-attr]
    }  # fmt: skip
    assert entry["evidence"] == hashlib.sha256(salt + evidence).hexdigest()
    [answered] = release.told("answer_consent")
    assert answered["consent"] == artefact.id


async def test_a_letter_that_comes_twice_gives_one_consent_and_one_answer(release: Release) -> None:
    await release.has_visits(1)
    artefact = release.artefact()
    heard = await release.tells(artefact.id, ArtefactStatus.GRANTED, artefact)
    await artefacts.told(heard, ConsentTold(artefact.id, ArtefactStatus.GRANTED, artefact), release.other.rooms)
    assert (
        len(await consents_of(release)) == len(release.told("answer_consent")) == len(await release.log("consent")) == 1
    )


async def test_a_letter_comes_again_until_the_network_took_our_answer(release: Release) -> None:
    await release.has_visits(1)
    artefact = release.artefact()
    release.network.answers = [answer(500), answer(429), TAKEN]
    with pytest.raises(NotTaken):
        await release.tells(artefact.id, ArtefactStatus.GRANTED, artefact)
    heard = release.heard(release.told("answer_consent")[0]["answers"])
    with pytest.raises(NotTaken):
        await artefacts.told(heard, ConsentTold(artefact.id, ArtefactStatus.GRANTED, artefact), release.house.rooms)
    await artefacts.told(heard, ConsentTold(artefact.id, ArtefactStatus.GRANTED, artefact), release.house.rooms)
    await artefacts.told(heard, ConsentTold(artefact.id, ArtefactStatus.GRANTED, artefact), release.house.rooms)
    assert len(release.told("answer_consent")) == 3
    assert len(await consents_of(release)) == 1


@pytest.mark.parametrize(
    ("status", "state", "said"),
    [
        (ArtefactStatus.REVOKED, "revoked", "withdrawn"),
        (ArtefactStatus.EXPIRED, "expired", "expired"),
        (ArtefactStatus.DENIED, "revoked", "withdrawn"),
    ],
)
async def test_its_end_destroys_what_it_said_and_keeps_that_it_was(
    release: Release, status: ArtefactStatus, state: str, said: str
) -> None:
    await release.has_visits(1)
    artefact = await release.consents()
    before = (await release.house.rooms.connections.present(release.tenant)).standing.version
    await release.tells(artefact.id, status)
    row = await release.held(artefact)
    assert (row.letter, row.terms, row.state, row.ended_by) == (None, None, state, "network")
    assert row.digest is not None
    assert row.hiu == "hiu-1"
    assert [each["state"] for each in await release.log("consent")] == ["given", said]
    assert (await release.house.rooms.connections.present(release.tenant)).standing.version > before
    [consent] = await consents_of(release)
    assert (consent.withdrawn_at is not None) == (said == "withdrawn")
    assert consent.expires_at is not None
    assert (consent.expires_at <= release.clock()) == (said == "expired")
    await release.tells(artefact.id, status)
    assert len(await release.log("consent")) == 2, "told twice it ends once"


async def test_an_end_that_comes_before_its_beginning_stays_an_end(release: Release) -> None:
    await release.has_visits(1)
    artefact = release.artefact()
    await release.tells(artefact.id, ArtefactStatus.REVOKED)
    await release.tells(artefact.id, ArtefactStatus.GRANTED, artefact)
    assert (await release.held(artefact)).state == "revoked"
    assert await consents_of(release) == []
    transfer = await release.asks(artefact.id)
    await release.works(transfer)
    assert release.hiu.requests == []


async def test_a_grant_that_does_not_say_what_for_is_answered_as_unreadable(release: Release) -> None:
    await release.tells("c-1", ArtefactStatus.GRANTED)
    await release.tells("c-2", ArtefactStatus.GRANTED, release.artefact(id="c-3"))
    assert [each["problem"] for each in release.told("answer_consent")] == ["consent_unreadable"] * 2
    assert await consents_of(release) == []


async def test_a_consent_of_somebody_of_whom_nothing_lies_here_is_kept(release: Release) -> None:
    artefact = await release.consents(contexts=(), address="Nobody@net")
    again = await release.consents(contexts=(), address="nobody@net")
    assert (await release.held(artefact)).subject == (await release.held(again)).subject
    transfer = await release.asks(artefact.id)
    assert (await release.works(transfer)).state == "reported"
    assert release.told("report_transfer") == []


async def test_a_consent_whose_time_is_over_is_let_go_of(release: Release) -> None:
    await release.has_visits(1)
    artefact, stays = await release.consents(), await release.consents(erase_at=NOW.replace(year=2030))
    release.clock.move(hours=25)
    while await artefacts.end_overdue(release.house.rooms):
        pass
    row = await release.held(artefact)
    assert (row.state, row.ended_by, row.letter) == ("expired", "time", None)
    assert (await release.held(stays)).state == State.GRANTED
    assert [each["state"] for each in await release.log("consent")] == ["given", "given", "expired"]
    [consent, _] = await consents_of(release)
    assert (consent.withdrawn_at, consent.expires_at) == (None, artefact.erase_at)


async def test_a_stop_to_messages_takes_no_consent_at_a_network_back(release: Release) -> None:
    """STOP is about what reaches the person."""
    from connectors.contract import Answered, Wish

    await release.has_visits(1)
    artefact = await release.consents()
    rooms = release.house.rooms
    clinic = await rooms.connections.clinic(release.tenant)
    subject = (await release.held(artefact)).subject
    await rooms.contacts.remember(clinic, "+919812345678", subject)
    async with rooms.store.tenant(release.tenant) as session:
        await rooms.contacts.hear(session, clinic, Answered("+919812345678", Channel.SMS, Wish.STOP))
    assert (await release.held(artefact)).state == State.GRANTED


async def test_nobody_records_a_consent_to_records_by_hand(release: Release) -> None:
    body: dict[str, Any] = {
        "subject": "patient-1", "purposes": ["CAREMGT"], "channels": ["records"],
        "evidence": {"how": "on paper", "when": "2026-12-01T09:00:00Z", "wording": "v1"},
    }  # fmt: skip
    async with calling(release) as client:
        said = await client.post("/v1/consents", json=body, headers={"Idempotency-Key": "k-1"})
    assert said.status_code == InvalidRequest.status
    assert "at their network" in said.text


async def test_two_clinics_never_meet(release: Release) -> None:
    await release.has_visits(1)
    artefact = await release.consents()
    rooms = release.house.rooms
    stranger = await rooms.connections.create_tenant("another clinic")
    async with rooms.store.tenant(stranger) as session:
        for table in ("artefacts", "transfers", "transfer_entries"):
            assert await session.fetchval(f"SELECT count(*) FROM {table}") == 0
    assert (await release.held(artefact)).state == State.GRANTED
