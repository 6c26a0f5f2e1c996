"""A clinic at a network, a patient with visits, somebody who asks for records: what the tests of releases share. No fixtures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import orjson

from connectors.registry import HERE
from connectors.told import (
    Artefact,
    ArtefactStatus,
    ConsentTold,
    ContextName,
    Identifier,
    Party,
    Proof,
    RecordKind,
    RecordsWanted,
)
from gateway import keyfiles
from gateway.app import House, opened
from gateway.calls import Actor
from gateway.config import Settings
from gateway.connections import Connection
from gateway.demo import EVERYTHING
from gateway.flows.connect import Wish, connect
from gateway.flows.network import artefacts, transfers
from gateway.flows.network.heard import Heard
from gateway.network.inbox import Post, named, seal
from gateway.records import Frozen, NewContext, NewPatient
from gateway.store import artefacts as artefact_rows
from gateway.store import letters
from gateway.store import transfers as rows
from gateway.store.jobs import TransferJob
from scopes.vocabulary import Category
from tests.gateway.egress.vendor import Vendor, answer
from tests.gateway.house import entries_of
from tests.gateway.listener import Clock
from tests.gateway.releases.net import CONNECTOR, write_network

NOW = datetime(2027, 1, 4, 9, tzinfo=UTC)
DAY = timedelta(days=1)
TAKEN = answer(202, b"{}")
CONTENTS = (("MedicationRequest", Category.MEDICATION), ("Patient", Category.IDENTITY))
HIU = Party("hiu-1", "City Hospital")


@dataclass
class Ticking(Clock):
    """A clock that goes on by itself."""

    began: float = field(default_factory=monotonic)

    def __call__(self) -> datetime:
        """The time."""
        return self.now + timedelta(seconds=monotonic() - self.began)


@dataclass
class Release:
    """A clinic that is connected to the network, on two gateways, and an HIU that takes records."""

    house: House
    other: House
    actor: Actor
    connection: Connection
    network: Vendor
    hiu: Vendor
    clock: Clock
    root: Path
    visits: list[ContextName] = field(default_factory=list)

    @property
    def tenant(self) -> UUID:
        """The clinic's id."""
        return self.actor.tenant

    def heard(self, request_id: str | None = None) -> Heard:
        """A letter that came just now."""
        return Heard(self.tenant, CONNECTOR, self.connection.id, "facility-1", request_id or str(uuid4()), self.clock())

    async def has_visits(
        self, count: int, *, documents: int = 1, at: datetime = NOW - 5 * DAY, until: datetime | None = None
    ) -> list[ContextName]:
        """A patient with so many visits, each with documents of that time."""
        records = self.house.rooms.records
        patient = await records.register(
            self.actor,
            NewPatient(
                subject="patient-1", name="Asha Rao", gender="F", year_of_birth=1988,
                identifiers=(Identifier(Proof.ADDRESS, "asha@net"),),
            ),
        )  # fmt: skip
        found = []
        for _ in range(count):
            number = len(self.visits) + len(found)
            content = [b'{"resourceType":"Bundle","id":"%d.%d"}' % (number, part) for part in range(documents)]
            frozen = tuple(Frozen(RecordKind.PRESCRIPTION, each, at, until or at, CONTENTS) for each in content)
            visit = NewContext(
                connector=CONNECTOR, subject="patient-1", reference=f"visit-{number}", display="Visit", documents=frozen
            )
            context, _ = await records.keep(self.actor, visit)
            found.append(ContextName(patient.network_reference, context.network_reference))
        self.visits += found
        return found

    def artefact(self, **changes: Any) -> Artefact:
        """What the patient consents to."""
        given: dict[str, Any] = {
            "id": str(uuid4()), "address": "asha@net", "purpose": "CAREMGT", "hiu": HIU, "requester": "Dr. Rao",
            "contexts": tuple(self.visits), "kinds": frozenset(RecordKind), "since": NOW - 30 * DAY, "until": NOW,
            "erase_at": NOW + DAY, "frequency": None, "created_at": NOW, **changes,
        }  # fmt: skip
        return Artefact(**given)

    async def tells(
        self,
        consent: str,
        status: ArtefactStatus,
        artefact: Artefact | None = None,
        *,
        house: House | None = None,
        raw: bytes = b'{"notification": {"status": "GRANTED"}}',
    ) -> Heard:
        """The network tells of a consent, or of its end."""
        house, heard = house or self.house, self.heard()
        clinic = await house.rooms.connections.clinic(self.tenant)
        letter = named(clinic, heard.connection, heard.request_id)
        row = letters.LetterRow(self.clock(), 0, seal(clinic, letter, Post("/consent", {}, raw)))
        async with house.rooms.store.tenant(self.tenant) as session:
            await letters.add(session, letter, row)
        await artefacts.told(heard, ConsentTold(consent, status, artefact), house.rooms)
        return heard

    async def consents(self, **changes: Any) -> Artefact:
        """The patient consents."""
        artefact = self.artefact(**changes)
        await self.tells(artefact.id, ArtefactStatus.GRANTED, artefact)
        return artefact

    async def held(self, artefact: Artefact) -> artefact_rows.ArtefactRow:
        """The stored consent."""
        async with self.house.rooms.store.tenant(self.tenant) as session:
            row = await artefact_rows.under(session, self.tenant, CONNECTOR, artefact.id)
        assert row is not None
        return row

    def wanted(self, consent: str, **changes: Any) -> RecordsWanted:
        """What the HIU asks for."""
        given: dict[str, Any] = {
            "transaction": str(uuid4()), "consent": consent, "since": NOW - 20 * DAY, "until": NOW - DAY,
            "push_url": f"http://127.0.0.1:{self.hiu.port}/push", "key": b"k" * 65, "nonce": b"n" * 32, **changes,
        }  # fmt: skip
        return RecordsWanted(**given)

    async def asks(self, consent: str, *, house: House | None = None, **changes: Any) -> UUID:
        """The HIU asks for records; the transfer's id."""
        wanted = self.wanted(consent, **changes)
        await transfers.wanted(self.heard(), wanted, (house or self.house).rooms)
        async with self.house.rooms.store.tenant(self.tenant) as session:
            found = await session.fetchval(
                "SELECT id FROM transfers WHERE tenant = $1 AND transaction = $2", self.tenant, wanted.transaction
            )
        assert isinstance(found, UUID)
        return found

    async def row(self, transfer: UUID) -> rows.TransferRow:
        """How a transfer stands."""
        async with self.house.rooms.store.tenant(self.tenant) as session:
            row = await rows.find(session, self.tenant, transfer)
        assert row is not None
        return row

    async def entries(self, transfer: UUID) -> list[rows.EntryRow]:
        """How its documents stand."""
        async with self.house.rooms.store.tenant(self.tenant) as session:
            return await rows.entries(session, self.tenant, transfer)

    async def works(self, transfer: UUID, *, house: House | None = None, times: int = 1) -> rows.TransferRow:
        """Its job runs, as far as it goes; then, where it waits, as often as is said, when it is due again."""
        for _ in range(times):
            row = await self.row(transfer)
            self.clock.now = max(self.clock.now, row.due_at)
            await transfers.carry(TransferJob(self.tenant, transfer, row.due_at), (house or self.house).rooms)
        return await self.row(transfer)

    def told(self, step: str) -> list[dict[str, Any]]:
        """What the network heard of one step."""
        heard = [request.partition(b"\r\n\r\n") for request in self.network.requests]
        return [orjson.loads(body) for head, _, body in heard if head.startswith(f"POST /{step} ".encode())]

    @property
    def pages(self) -> list[dict[str, Any]]:
        """The pages that the HIU got, with the record's text."""
        found = []
        for request in self.hiu.requests:
            head, _, record = request.partition(b"\r\n\r\n")[2].partition(b"\n")
            found.append({**orjson.loads(head), "record": record.decode()})
        return found

    async def log(self, *kinds: str, action: str | None = None) -> list[dict[str, Any]]:
        """The clinic's entries of these kinds, of one action where it is named."""
        found = [entry for entry in await entries_of(self.house, self.tenant) if entry["kind"] in kinds]
        return [entry for entry in found if action is None or entry.get("action") == action]

    async def pushes(self) -> list[tuple[int, str]]:
        """Each push that stands in the log: the index of its intent, and its outcome."""
        intents = {entry["index"]: entry for entry in await self.log("intent", action="push_record")}
        outcomes = {entry["intent"]: entry["outcome"] for entry in await self.log("outcome")}
        return [(index, outcomes.get(index, "none")) for index in sorted(intents)]


@asynccontextmanager
async def releasing(dsn: str, folder: Path, clock: Clock | None = None) -> AsyncIterator[Release]:
    """The clinic and everybody around it; without a clock, with one that stands still."""
    root, clock = folder / "connectors", clock or Clock(NOW)
    write_network(root)
    network, hiu = Vendor(answers=[TAKEN]), Vendor(answers=[TAKEN])
    await network.open()
    await hiu.open()
    settings = Settings.from_environment({}, data_dir=folder, database_url=dsn)
    keyfiles.make(settings)
    sandboxes = {CONNECTOR: f"http://127.0.0.1:{network.port}"}
    async with AsyncExitStack() as stack:
        house, other = [
            await stack.enter_async_context(opened(settings, sandboxes=sandboxes, connectors=(HERE, root), clock=clock))
            for _ in range(2)
        ]
        actor = Actor("system", "test", await house.rooms.connections.create_tenant("a clinic"), EVERYTHING)
        wish = Wish(connector=CONNECTOR, secret="net_test_0123456789abcdef", features=frozenset({"records"}))
        connection = await connect(actor, wish, house.rooms)
        yield Release(house, other, actor, connection, network, hiu, clock, root)
    network.close()
    hiu.close()
