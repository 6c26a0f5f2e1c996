"""The furnished clinic, and more of everything in it as a request needs it that changes something. No fixtures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID, uuid4

import httpx2

from connectors.told import Identifier, Proof
from gateway.calls import Actor
from gateway.flows import watching
from gateway.flows.authorize import again, finish, go
from gateway.flows.connect import Terms, Wish, connect, regrant
from gateway.flows.rooms import Rooms
from gateway.flows.watching import Wanted
from gateway.people import Role
from gateway.people.sessions import Opening
from gateway.records import NewPatient
from gateway.store import desks, watches
from gateway.templates import NewTemplate
from gateway.watches import Watch
from gateway.webhooks.endpoint import NewEndpoint, Recipient
from scopes.consent import Channel
from scopes.vocabulary import ConnectionState, Purpose
from tests.acceptance.furnished import Furnished
from tests.gateway.receiver import Receiver
from tests.gateway.web.pages.conftest import Browser

STRIPE, GOOGLE, TWILIO = "payments/stripe", "google", "messaging/twilio"
SECRETS: Final = ("whsec_0123456789abcdef0123456789abcdef", "whsec_fedcba98765432100123456789abcdef")


@dataclass(frozen=True)
class Good:
    """A request that is taken: what stands in its path, what it sends, and whose browser sends it from which page."""

    path: Mapping[str, object] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    browser: Browser | None = None
    page: str | None = None


@dataclass(frozen=True)
class Scene:
    """A clinic in which something has happened everywhere, and a way to make more of everything."""

    clinic: Furnished
    client: httpx2.AsyncClient
    receivers: list[Receiver] = field(default_factory=list)

    @property
    def rooms(self) -> Rooms:
        """The gateway's rooms."""
        return self.clinic.demo.house.rooms

    @property
    def tenant(self) -> UUID:
        """The clinic."""
        return self.clinic.demo.tenant

    @property
    def operator(self) -> Actor:
        """Who makes what a request needs: nobody whose entries are counted."""
        return self.clinic.operator

    # People

    async def person(self, role: Role = Role.OWNER, *, password: str | None = None) -> tuple[UUID, str]:
        """Somebody of the clinic, and their address."""
        accounts, email = self.rooms.people.accounts, f"{uuid4().hex[:12]}@clinic.example"
        person = await accounts.create("Noor Haddad", email=email, password=password)
        await accounts.join(self.operator, person, role)
        return person, email

    async def owner(self, *, password: str | None = None) -> Browser:
        """The browser of an owner who has just signed in."""
        person, email = await self.person(password=password)
        opening = Opening(person=person, tenant=self.tenant, role=Role.OWNER, via="password", device="A test")
        return Browser(self.client, {"gateway": await self.rooms.people.sessions.open(opening)}, person, email)

    def nobody(self) -> Browser:
        """A browser that nobody has signed in with."""
        return Browser(self.client)

    # Connections

    async def live(self, connector: str) -> UUID:
        """The connection of a connector."""
        return (await self.rooms.connections.present(self.tenant)).connection(connector).id

    async def revoked(self, connector: str) -> None:
        """Have a connector not connected."""
        found = (await self.rooms.connections.present(self.tenant)).connections.get(connector)
        if found is not None:
            await self.rooms.connections.set_state(self.operator, found.id, ConnectionState.REVOKED)

    async def fresh(self, *states: ConnectionState, connector: str = STRIPE) -> UUID:
        """Connect a vendor anew with every feature, and take it through these states."""
        await self.revoked(connector)
        known = self.rooms.registry.connector(connector)
        wish = Wish(
            connector=connector,
            secret=known.module("sandbox").CREDENTIAL,
            features=frozenset(known.manifest.features),
        )
        made = (await connect(self.operator, wish, self.rooms)).id
        for state in states:
            await self.rooms.connections.set_state(self.operator, made, state)
        return made

    async def narrower(self, connector: str) -> UUID:
        """A connection that somebody allowed at its vendor just now, and that needs less than was granted."""
        rooms, known = self.rooms, self.rooms.registry.connector(connector)
        found = (await rooms.connections.present(self.tenant)).connection(connector)
        await regrant(self.operator, found, Terms(features=frozenset(known.manifest.features)), rooms)
        found = (await rooms.connections.present(self.tenant)).connection(connector)
        going = await go((await again(self.operator, found, rooms)).partition("link=")[2], rooms)
        async with httpx2.AsyncClient(trust_env=False) as away:
            back = (await away.get(going.url)).headers["location"]
        await finish(dict(parse_qsl(urlsplit(back).query)), going.browser, rooms)
        await regrant(self.operator, found, Terms(features=frozenset()), rooms)
        return found.id

    async def secret(self, connection: UUID) -> UUID:
        """A secret of a connection's callback."""
        manifests = {name: each.manifest for name, each in self.rooms.registry.connectors.items()}
        await self.rooms.callbacks.add_secret(self.operator, connection, SECRETS[0], manifests)
        return (await self.rooms.callbacks.secrets(self.tenant, connection))[0].id

    async def watched(self, wanted: Wanted, *, begun: bool) -> Watch | None:
        """Have something watched, or not watched at all."""
        for each in await watching.listed(self.tenant, self.rooms):
            if each.row.name == wanted.name and each.payload == wanted.payload:
                async with self.rooms.store.tenant(self.tenant) as session:
                    await watches.remove(session, self.tenant, each.id)
        return await watching.want(self.operator, wanted, self.rooms) if begun else None

    # Webhooks

    async def address(self) -> str:
        """Where a vendor listens that nobody else tells anything."""
        receiver = Receiver()
        await receiver.open()
        self.receivers.append(receiver)
        return receiver.url

    async def pending(self) -> UUID:
        """An endpoint that has not proved itself, and would."""
        new = NewEndpoint(
            url=await self.address(), host="127.0.0.1", events=("*",), purpose=Purpose.HOPERAT,
            recipient=Recipient("Vendor Ltd", "IN"),
        )  # fmt: skip
        return (await self.rooms.endpoints.create(self.operator, new))[0].id

    async def endpoint(self) -> UUID:
        """An endpoint that hears everything."""
        made = await self.pending()
        await self.clinic.ask("POST", f"/v1/endpoints/{made}/test", None, status=200)
        return made

    async def delivery(self) -> str:
        """A delivery to an endpoint that is active."""
        endpoint = await self.endpoint()
        event = {"type": "appointment.booked", "data": {"id": "appt_7Hq2ZkW9"}}
        made = (await self.clinic.software.post("/v1/events", json=event)).json()["id"]
        sought = {"event": made, "endpoint": str(endpoint)}
        found = (await self.clinic.software.get("/v1/deliveries", params=sought)).json()
        return str(found["items"][0]["id"])

    # What the clinic says and knows

    async def consent(self) -> UUID:
        """A consent in force."""
        body = {
            "subject": f"patient-{uuid4().hex[:8]}", "purposes": ["TREAT"], "channels": ["sms"],
            "evidence": {"how": "on paper", "when": "2026-01-15T09:30:00Z", "wording": "sms-1"},
        }  # fmt: skip
        return UUID((await self.clinic.ask("POST", "/v1/consents", body, status=201))["id"])

    async def text(self) -> NewTemplate:
        """A text in use."""
        new = NewTemplate(
            name=f"closed_{uuid4().hex[:8]}", action="messaging/send_notice", channel=Channel.SMS, language="en",
            body="Closed.",
        )  # fmt: skip
        await self.rooms.templates.put(self.operator, new)
        return new

    async def patient(self, subject: str) -> UUID:
        """Somebody whom a network may find by their mobile; their pseudonym."""
        mobile = Identifier(Proof.MOBILE, "+919812345678")
        new = NewPatient(subject=subject, name="Asha Rao", gender="F", year_of_birth=1988, identifiers=(mobile,))
        return (await self.rooms.records.register(self.operator, new)).subject

    async def place(self, connector: str = "abdm") -> UUID:
        """A place in the queue at the desk, of somebody who shared nothing."""
        now, place, clinic = datetime.now(UTC), uuid4(), await self.rooms.connections.clinic(self.tenant)
        sealed = clinic.keyring.seal(b"{}", purpose="profile", row=str(place))
        row = desks.PlaceRow(
            place, connector, "desk9", now.date(), 1, place.bytes, sealed, now, now + timedelta(minutes=30)
        )
        async with self.rooms.store.tenant(self.tenant) as session:
            await desks.add(session, self.tenant, row)
        return place

    async def waiting(self) -> UUID:
        """A call that waits until tomorrow."""
        waits = uuid4()
        async with self.rooms.store.tenant(self.tenant) as session:
            await session.execute(
                "INSERT INTO waiting_calls (tenant, id, state, due_at, created_at, changed_at, connector, action, purpose, "
                "reasons, withheld, fingerprint) VALUES ($1, $2, 'waiting', now() + interval '1 day', now(), now(), "
                "'payments/stripe', 'refund', 'HPAYMT', '[]', '{}', $3)", self.tenant, waits, waits.bytes,
            )  # fmt: skip
        return waits


Make = Callable[[Scene], Awaitable[Good]]


@dataclass(frozen=True)
class Taken:
    """How a route is asked so that it does its work, and the kind of the entry that this leaves; none where it leaves none."""

    kind: str | None
    make: Make


def taking(known: dict[str, Taken]) -> Callable[[str, str | None], Callable[[Make], Make]]:
    """What puts a way to ask into a list of them, under the route's method and path."""

    def of(route: str, kind: str | None) -> Callable[[Make], Make]:
        def put(make: Make) -> Make:
            assert route not in known, route
            known[route] = Taken(kind, make)
            return make

        return put

    return of
