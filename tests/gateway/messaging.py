"""What tests of messages share: a clinic with a messaging vendor, through two gateways on one database. No fixtures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from connectors.registry import HERE
from connectors.scaffold import write_connector
from gateway import keyfiles
from gateway.app import House, opened
from gateway.calls import Actor, Call
from gateway.config import Settings
from gateway.consents import Evidence, NewConsent
from gateway.demo import EVERYTHING
from gateway.flows.agree import Terms, agree
from gateway.flows.broker import broker
from gateway.flows.connect import Wish as Connecting
from gateway.flows.connect import connect
from gateway.flows.template import Wish, register
from gateway.store.templates import TemplateRow
from scopes.agreement import AgreementKind
from scopes.consent import Channel
from scopes.grant import Grant
from scopes.vocabulary import Purpose
from tests.gateway.egress.vendor import Vendor, answer
from tests.gateway.house import entries_of

CONNECTOR, SECOND = "messaging/acme", "messaging/birds"
ACTIONS = ("send_reminder", "send_confirmation_request", "send_payment_link", "send_notice")
SINCE = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
SENT = orjson.dumps({"id": "SM0123", "status": "queued"})
US, INDIA = "+14155550123", "+919876543210"
BODY = "Hi {given_name|there}, see you on {starts_at:date} at {starts_at:time}."
PAYLOAD = {"phone": US, "starts_at": "2026-11-27T10:30:00+05:30"}
CALL = {
    "connector": CONNECTOR, "action": "send_reminder", "purpose": Purpose.HOPERAT, "subject": "patient-4711",
    "request_id": "test",
}  # fmt: skip


@dataclass
class Texts:
    """A clinic that sends messages to one person."""

    house: House
    other: House
    actor: Actor
    vendor: Vendor

    @property
    def tenant(self) -> UUID:
        """The clinic's id."""
        return self.actor.tenant

    async def registers(self, body: str = BODY, house: House | None = None, **given: Any) -> TemplateRow:
        """The clinic registers a text."""
        wish: dict[str, Any] = {
            "name": "reminder", "action": "messaging/send_reminder", "channel": Channel.SMS, "language": "en", **given,
        }  # fmt: skip
        return await register(self.actor, Wish(body=body, **wish), (house or self.house).rooms)

    def call(self, payload: dict[str, Any] | None = None, **given: Any) -> Call:
        """One message to send."""
        asked: dict[str, Any] = {**CALL, **given}
        return Call(self.actor, payload={**PAYLOAD, **(payload or {})}, **asked)

    async def sends(self, payload: dict[str, Any] | None = None, **given: Any) -> Any:
        """Send one."""
        return await broker(self.call(payload, **given), self.house.rooms)

    def heard(self, index: int = -1) -> Any:
        """What the vendor was told."""
        return orjson.loads(self.vendor.requests[index].partition(b"\r\n\r\n")[2])

    async def grants(self, withheld: frozenset[str] = frozenset(), free_text: frozenset[str] = frozenset()) -> None:
        """The clinic says anew what may leave."""
        rooms = self.house.rooms
        connection = await rooms.connections.active(self.tenant, CONNECTOR)
        grant = replace(connection.grant, withheld=withheld, free_text=free_text)
        manifest = rooms.registry.connector(CONNECTOR).manifest
        await rooms.connections.grant(self.actor, connection.id, Grant(*_fields(grant)), lambda _: manifest)

    async def log(self, *kinds: str) -> list[dict[str, Any]]:
        """The clinic's entries of these kinds."""
        return [entry for entry in await entries_of(self.house, self.tenant) if entry["kind"] in kinds]


def _fields(grant: Grant) -> tuple[Any, ...]:
    return grant.features, grant.withheld, grant.version, grant.free_text


@asynccontextmanager
async def texting(dsn: str, folder: Path, *channels: Channel) -> AsyncIterator[Texts]:
    """A clinic with a messaging vendor for each channel (SMS by default), agreements, and a person who consented to them."""
    channels = channels or (Channel.SMS,)
    vendors = dict(zip((CONNECTOR, SECOND), channels, strict=False))
    root = folder / "connectors"
    for name, channel in vendors.items():
        write_connector(root, name)
        manifest = root / name / "manifest.toml"
        manifest.write_text(manifest.read_text().replace('channel = "sms"', f'channel = "{channel}"'))
    vendor = Vendor(answers=[answer(200, SENT)])
    await vendor.open()
    settings = Settings.from_environment({}, data_dir=folder, database_url=dsn)
    keyfiles.make(settings)
    sandboxes = dict.fromkeys(vendors, f"http://127.0.0.1:{vendor.port}")
    async with AsyncExitStack() as stack:
        house, other = [
            await stack.enter_async_context(opened(settings, sandboxes=sandboxes, connectors=(HERE, root)))
            for _ in range(2)
        ]
        actor = Actor("system", "test", await house.rooms.connections.create_tenant("a clinic"), EVERYTHING)
        for name in vendors:
            secret = f"{name.partition('/')[2]}_test_0123456789abcdef"
            await connect(actor, Connecting(connector=name, secret=secret, features=frozenset(ACTIONS)), house.rooms)
            await agree(actor, name, Terms(kind=AgreementKind.DPA, services=("api",), since=SINCE), house.rooms)
        consent = NewConsent(
            subject="patient-4711", purposes=frozenset({Purpose.HOPERAT}), channels=frozenset(channels),
            evidence=Evidence("on paper", SINCE, "sms-1"),
        )  # fmt: skip
        await house.rooms.consents.give(actor, consent)
        yield Texts(house, other, actor, vendor)
    vendor.close()
