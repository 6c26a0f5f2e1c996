"""A clinic at ABDM's simulator, over HTTP both ways: patients, visits, messages by SMS, and a clock that a test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from connectors.abdm import sandbox as abdm_sandbox
from connectors.abdm.simulator.clock import Clock
from connectors.abdm.simulator.network import CLIENT, Network
from connectors.abdm.simulator.quirks import Quirks
from connectors.messaging.twilio import sandbox as twilio_sandbox
from connectors.told import Identifier, Proof, RecordKind
from gateway import keyfiles
from gateway.app import House, opened
from gateway.calls import Actor
from gateway.config import Settings
from gateway.demo import EVERYTHING
from gateway.flows.agree import Terms, agree
from gateway.flows.connect import Wish, begin, connect
from gateway.flows.network import asking
from gateway.flows.network.facility import link_facility
from gateway.flows.network.keeping import Handed, Visit, keep
from gateway.flows.template import Wish as Text
from gateway.flows.template import register
from gateway.jobs import Jobs
from gateway.oauth.clients import Client
from gateway.records import Context, NewPatient
from gateway.serve import listening, serving
from gateway.store import links
from scopes.agreement import AgreementKind
from scopes.consent import Channel
from scopes.dlt import Registration

FACILITY, ADDRESS = abdm_sandbox.FACILITY, abdm_sandbox.PATIENT
MOBILE = "+919876543210"
_Found = TypeVar("_Found")


@dataclass
class Ward:
    """One clinic that takes part in the network."""

    house: House
    network: Network
    texts: Any
    actor: Actor
    service: str
    url: str

    @property
    def tenant(self) -> UUID:
        """The clinic."""
        return self.actor.tenant

    def now(self) -> datetime:
        """The time of the gateway and of the network."""
        return self.house.rooms.clock()

    async def registered(self, subject: str = "patient-1", **given: Any) -> UUID:
        """A patient as the network knows them, but for what is given otherwise; the pseudonym."""
        known: dict[str, Any] = {"name": "Asha Rao", "gender": "F", "year_of_birth": 1984, "address": ADDRESS, **given}
        identifiers = [Identifier(Proof.MOBILE, known.pop("mobile", MOBILE))]
        if known["address"] is not None:
            identifiers.append(Identifier(Proof.ADDRESS, known["address"]))
        known.pop("address")
        new = NewPatient(subject=subject, identifiers=tuple(identifiers), **known)
        return (await self.house.rooms.records.register(self.actor, new)).subject

    async def visited(self, reference: str = "visit-1", subject: str = "patient-1", *, link: bool = True) -> Context:
        """A visit with a prescription."""
        at = self.now() - timedelta(days=1)
        record = {
            "patient": {"name": "Asha Rao", "gender": "female", "abha_address": ADDRESS},
            "author": {"name": "Dr Meera Nair", "registration": "KMC-1234"},
            "written_at": at.isoformat(),
            "medicines": [{"drug": {"text": f"Amlodipine 5 mg for {reference}"}, "dosage": "One in the morning"}],
        }
        visit = Visit(
            connector="abdm", subject=subject, reference=reference, display="OP visit",
            documents=(Handed(kind=RecordKind.PRESCRIPTION, record=record),),
        )  # fmt: skip
        context, _ = await keep(self.actor, visit, self.house.rooms, link=link)
        return context

    async def link_of(self, context: Context) -> links.LinkRow | None:
        """How far a visit is linked."""
        async with self.house.rooms.store.tenant(self.tenant) as session:
            found = await links.of_contexts(session, self.tenant, [context.id])
        return found[0] if found else None

    async def requests(self, action: str) -> list[links.RequestRow]:
        """What was told under ids of ours, oldest first."""
        async with self.house.rooms.store.tenant(self.tenant) as session:
            rows = await session.fetch(
                f"SELECT {links._REQUEST} FROM network_requests WHERE action = $1 ORDER BY at, id", action
            )
        return [links.RequestRow(*row) for row in rows]

    async def pass_time(self, **by: float) -> None:
        """Let time pass for both, and whoever waits for it go on."""
        await self.network.clock.advance(timedelta(**by).total_seconds())
        await asking.wake_due(self.house.rooms)

    async def until(self, look: Callable[[], Awaitable[_Found]], seconds: float = 60.0) -> _Found:
        """What a look finds, as soon as it finds anything; time goes by meanwhile, as slowly as the network's letters come."""
        async with asyncio.timeout(seconds):
            while not (found := await look()):
                await self.network.clock.advance(0.1)
                await asyncio.sleep(0.02)
        return found


@asynccontextmanager
async def ward(dsn: str, folder: Path, quirks: Quirks | None = None) -> AsyncIterator[Ward]:
    """A gateway with one clinic in it, at work."""
    clock = Clock(datetime.fromisoformat("2027-01-04T09:00:00+00:00"))
    app = abdm_sandbox.create(clock=clock, quirks=quirks)
    network: Network = app.state.sandbox
    texts = twilio_sandbox.create()

    def now() -> datetime:
        return datetime.fromtimestamp(clock.now(), datetime.fromisoformat("2027-01-04T09:00:00+00:00").tzinfo)

    async with AsyncExitStack() as stack:
        listener = listening("127.0.0.1", 0)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        sandboxes = {
            "abdm": await stack.enter_async_context(serving(app, listening("127.0.0.1", 0))),
            "messaging/twilio": await stack.enter_async_context(serving(texts, listening("127.0.0.1", 0))),
        }
        settings = Settings.from_environment({}, data_dir=folder, database_url=dsn)
        keyfiles.make(settings)
        house = await stack.enter_async_context(opened(settings, sandboxes=sandboxes, clock=now))
        await stack.enter_async_context(Jobs(house.rooms, grace_seconds=1.0).running())
        await stack.enter_async_context(serving(house.web, listener))
        network.register(f"{url}/abdm")
        actor = await clinic(house)
        yield Ward(house, network, texts.state.sandbox, actor, await joined(house, actor), url)


async def joined(house: House, actor: Actor) -> str:
    """Let a clinic take part in the network, with everything there is; what the network calls its facility."""
    features = frozenset(house.rooms.registry.connector("abdm").manifest.features)
    await begin(actor, Wish(connector="abdm", features=features, settings={"environment": "sbx"}), house.rooms)
    linked = await link_facility(actor.tenant, "abdm", FACILITY, house.rooms)
    return str(linked.service.id)


async def clinic(house: House) -> Actor:
    """A clinic that sends codes by SMS."""
    await house.rooms.oauth.clients.add("abdm@sbx", Client(*CLIENT))
    actor = Actor("system", "test", await house.rooms.connections.create_tenant("Lake Clinic"), EVERYTHING)
    manifest = house.rooms.registry.connector("messaging/twilio").manifest
    wish = Wish(
        connector="messaging/twilio", secret=twilio_sandbox.CREDENTIAL, features=frozenset(manifest.features),
        account=twilio_sandbox.ACCOUNT, settings=twilio_sandbox.SETTINGS,
    )  # fmt: skip
    await connect(actor, wish, house.rooms)
    signed = Terms(kind=AgreementKind.DPA, services=("sms",), since=house.rooms.clock() - timedelta(days=1))
    await agree(actor, "messaging/twilio", signed, house.rooms)
    body = "{code} is your code. It holds for ten minutes."
    registered = {
        "entity_id": "1101234567890123456", "header": "CLINIC", "template_id": "1107123456789012345",
        "text": "{#var#} is your code. It holds for ten minutes.",
    }  # fmt: skip
    text = Text(
        name="code", action="messaging/send_code", channel=Channel.SMS, language="en", body=body, at_vendor=None,
        dlt=Registration(**registered),
    )  # fmt: skip
    await register(actor, text, house.rooms)
    return actor
