"""India's network, played with its quirks: a patient consents, an HIU asks, opens what came, and finds nothing wrong with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.abdm.sandbox import FACILITY, PATIENT, create
from connectors.abdm.simulator.artefacts import Wanted
from connectors.abdm.simulator.clock import Clock, stamp
from connectors.abdm.simulator.linked import add
from connectors.abdm.simulator.network import CLIENT, Network
from connectors.abdm.simulator.quirks import Quirks
from connectors.abdm.simulator.transfers import Asked
from connectors.told import Identifier, Proof, RecordKind
from gateway import keyfiles
from gateway.app import House, opened
from gateway.calls import Actor
from gateway.config import Settings
from gateway.flows.network.facility import link_facility, move
from gateway.flows.network.keeping import Handed, Visit, keep
from gateway.oauth.clients import Client
from gateway.records import NewPatient
from gateway.serve import listening, serving, url_of
from scopes.grant import Grant
from tests.connectors.abdm.records import bundle
from tests.gateway.house import entries_of
from tests.gateway.listener import working

LINE = "abdm@sbx"
QUIRKS = (
    "strict_clock", "request_id_once", "session_expiry", "certs_behind_token", "suffixed_service_ids", "empty_request_ids",
    "mixed_peer_keys", "push_needs_token", "bare_revocation", "error_shapes",
)  # fmt: skip
HIU = "HIU-LAB"
ON_NOTIFY = "/api/hiecm/consent/v3/request/hip/on-notify"


@dataclass
class Played:
    """A clinic whose patient has a linked visit with a prescription."""

    house: House
    network: Network
    actor: Actor
    service: str
    references: list[str] = field(default_factory=list)

    async def visited(self) -> None:
        """The patient has one more visit, with a prescription, which is linked."""
        rooms, name = self.house.rooms, f"v-{len(self.references)}"
        handed = Handed(document=bundle(RecordKind.PRESCRIPTION))
        visit = Visit(connector="abdm", subject="patient-1", reference=name, display="Visit", documents=(handed,))
        context, _ = await keep(self.actor, visit, rooms, link=False)
        patient = await rooms.records.patient(self.actor.tenant, context.subject)
        assert patient is not None
        block = {
            "referenceNumber": patient.network_reference, "hiType": "Prescription",
            "careContexts": [{"referenceNumber": context.network_reference, "display": "Visit"}],
        }  # fmt: skip
        add(self.network, self.network.patient(PATIENT), self.service, block)
        self.references.append(context.network_reference)

    async def consented(self) -> str:
        """The patient consents to everything of the last month."""
        now = self.network.clock.outside()
        month = 30 * 86_400
        wanted = Wanted("CAREMGT", since=stamp(now - month), until=stamp(now + 86_400), erase_at=stamp(now + month))
        request = self.network.ask_consent(PATIENT, HIU, wanted)
        [artefact] = await self.network.grant(request.id)
        await self.network.until(lambda: bool(self.network.heard(ON_NOTIFY)), 20)
        return artefact.id


@pytest.fixture
async def played(fresh_dsn: str, tmp_path: Path) -> AsyncIterator[Played]:
    """The gateway on a socket, its worker, and the network; all by the network's clock."""
    app = create(clock=Clock(datetime(2026, 11, 18, 9, 0, tzinfo=UTC)), quirks=Quirks(**dict.fromkeys(QUIRKS, True)))
    network: Network = app.state.sandbox
    network.add_hiu(HIU, "City Laboratory")
    listener = listening("127.0.0.1", 0)
    settings = Settings.from_environment({}, data_dir=tmp_path, database_url=fresh_dsn, public_url=url_of(listener))
    keyfiles.make(settings)
    async with (
        serving(app, listening("127.0.0.1", 0)) as place,
        opened(settings, sandboxes={"abdm": place}, clock=network.today) as house,
        serving(house.web, listener),
    ):
        network.served_at = place
        rooms = house.rooms
        await rooms.oauth.clients.add(LINE, Client(*CLIENT))
        tenant = await rooms.connections.create_tenant("Lake Clinic")
        actor = Actor("system", "test", tenant, ())
        linked = await link_facility(tenant, "abdm", FACILITY, rooms)
        await move(rooms.networks.lines[LINE], rooms)
        grant = Grant(frozenset({"records"}))
        await rooms.connections.grant(
            actor, linked.connection.id, grant, lambda name: rooms.registry.connectors[name].manifest
        )
        await rooms.records.register(
            actor,
            NewPatient(
                subject="patient-1", name="Asha Rao", gender="F", year_of_birth=1984,
                identifiers=(Identifier(Proof.ADDRESS, PATIENT),),
            ),
        )  # fmt: skip
        played = Played(house, network, actor, str(linked.connection.account))
        await played.visited()
        async with working(house):
            yield played


@pytest.mark.timeout(120)
async def test_an_hiu_opens_the_record_and_the_network_hears_that_it_arrived(played: Played) -> None:
    consent = await played.consented()
    transfer = await played.network.request_records(consent)
    await played.network.until(lambda: bool(transfer.statuses), 40)
    [received] = transfer.entries
    assert (received.reference, received.hi_type) == (played.references[0], "Prescription")
    assert transfer.statuses == {played.references[0]: "OK"}
    assert [fault.what for fault in transfer.faults] == []
    entries = await entries_of(played.house, played.actor.tenant)
    [intent] = [each for each in entries if each["kind"] == "intent" and each["action"] == "push_record"]
    assert intent["recipient"]["id"] == HIU
    said = {(path, category) for path, category, *_ in intent["fields"]}
    assert said >= {
        ("document.MedicationRequest", "medication"), ("document.Patient", "identity"), ("document.Binary", "clinical"),
    }  # fmt: skip


@pytest.mark.timeout(120)
async def test_a_consent_that_was_revoked_releases_nothing_to_an_hiu_that_asks_all_the_same(played: Played) -> None:
    consent = await played.consented()
    await played.network.revoke(consent)
    await played.network.until(lambda: len(played.network.heard(ON_NOTIFY)) == 2, 20)
    transfer = await played.network.request_records(consent, Asked(forced=True))
    await played.network.until(lambda: transfer.error is not None, 40)
    assert transfer.entries == []
    assert "ABDM-1062" in str(transfer.error)
    entries = await entries_of(played.house, played.actor.tenant)
    assert [each["state"] for each in entries if each["kind"] == "consent"] == ["given", "withdrawn"]
    assert not [each for each in entries if each["kind"] == "intent" and each["action"] == "push_record"]


@pytest.mark.timeout(180)
async def test_a_patient_who_revokes_while_30_records_are_sent_stops_the_rest_and_nothing_comes_after_it(
    played: Played,
) -> None:
    network = played.network
    for _ in range(29):
        await played.visited()
    consent = await played.consented()
    transfer = await network.request_records(consent)
    await network.until(lambda: len(transfer.entries) >= 5, 60)
    await network.revoke(consent)
    await network.until(lambda: len(network.heard(ON_NOTIFY)) == 2, 60)
    arrived = [each.reference for each in transfer.entries]
    await network.until(lambda: bool(transfer.statuses), 60)
    assert [each.reference for each in transfer.entries] == arrived, "something came after the end was acknowledged"
    assert 5 <= len(arrived) < 30
    assert transfer.state == "FAILED"
    assert {name for name, status in transfer.statuses.items() if status == "OK"} == set(arrived)
    assert set(transfer.statuses) == set(played.references)
    entries = await entries_of(played.house, played.actor.tenant)
    [end] = [each["index"] for each in entries if each["kind"] == "consent" and each["state"] == "withdrawn"]
    pushed = [each["index"] for each in entries if each["kind"] == "intent" and each["action"] == "push_record"]
    outcomes = {each["intent"]: each["outcome"] for each in entries if each["kind"] == "outcome"}
    assert [outcomes[each] for each in pushed] == ["accepted"] * len(arrived)
    assert max(pushed) < end
    refused = [each["index"] for each in entries if each["kind"] == "refusal"]
    assert len(refused) == 30 - len(arrived)
    assert min(refused) > end
