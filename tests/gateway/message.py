"""A clinic that sends messages to one person, for tests of what a message needs and when it may go. No fixtures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from connectors.registry import HERE
from connectors.scaffold import write_connector
from gateway import keyfiles
from gateway.app import House, now, opened
from gateway.calls import Actor, Call
from gateway.config import Settings
from gateway.consents import Evidence, NewConsent
from gateway.demo import EVERYTHING
from gateway.errors import Refused
from gateway.flows.agree import Terms, agree
from gateway.flows.connect import Wish, connect
from gateway.flows.family import carry
from scopes.agreement import AgreementKind
from scopes.consent import Channel
from scopes.vocabulary import Purpose
from tests.gateway.egress.vendor import Vendor, answer
from tests.gateway.house import entries_of

SINCE = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
SENT = orjson.dumps({"id": "msg_7Hq2ZkW9", "status": "accepted"})
CONNECTOR = "labs/one"


@dataclass
class Message:
    """A clinic that sends messages to one person, through two gateways on one database."""

    house: House
    other: House
    actor: Actor
    vendor: Vendor
    vendors: dict[str, Vendor]

    @property
    def tenant(self) -> UUID:
        """The clinic's id."""
        return self.actor.tenant

    async def consents(self, **given: Any) -> UUID:
        """The person agrees."""
        new: dict[str, Any] = {
            "subject": "patient-4711", "purposes": frozenset({Purpose.HOPERAT}), "channels": frozenset({Channel.EMAIL}),
            "evidence": Evidence("on paper", SINCE, "sms-1"), **given,
        }  # fmt: skip
        return (await self.house.rooms.consents.give(self.actor, NewConsent(**new))).id

    async def sends(self, **given: Any) -> Any:
        """One message."""
        asked: dict[str, Any] = {
            "connector": CONNECTOR, "action": "send", "purpose": Purpose.HOPERAT, "subject": "patient-4711",
            "payload": {"reference": "inv_7Hq2ZkW9"}, "request_id": "test", **given,
        }  # fmt: skip
        return await carry(Call(self.actor, **asked), self.house.rooms)

    async def refused(self, **given: Any) -> list[str]:
        """One message that is not let through; gives the reasons."""
        with pytest.raises(Refused) as refused:
            await self.sends(**given)
        entry = (await entries_of(self.house, self.tenant))[-1]
        assert entry["kind"] == "refusal"
        assert [code for code, _ in entry["reasons"]] == [str(reason.code) for reason in refused.value.reasons]
        return [str(reason.code) for reason in refused.value.reasons]

    async def log(self, *kinds: str) -> list[dict[str, Any]]:
        """The clinic's entries of these kinds."""
        return [entry for entry in await entries_of(self.house, self.tenant) if entry["kind"] in kinds]


@asynccontextmanager
async def messaging(
    dsn: str, folder: Path, *, clock: Callable[[], datetime] = now, names: Sequence[str] = (CONNECTOR,)
) -> AsyncIterator[Message]:
    """The clinic, its vendors and its two gateways, all on one clock."""
    root, vendors = folder / "connectors", {name: Vendor(answers=[answer(200, SENT)]) for name in names}
    for name, vendor in vendors.items():
        _reaching(root, name)
        await vendor.open()
    settings = Settings.from_environment({}, data_dir=folder, database_url=dsn)
    keyfiles.make(settings)
    sandboxes = {name: f"http://127.0.0.1:{vendor.port}" for name, vendor in vendors.items()}
    async with AsyncExitStack() as stack:
        house, other = [
            await stack.enter_async_context(opened(settings, sandboxes=sandboxes, connectors=(HERE, root), clock=clock))
            for _ in range(2)
        ]
        actor = Actor("system", "test", await house.rooms.connections.create_tenant("a clinic"), EVERYTHING)
        for name in names:
            secret = f"{name.partition('/')[2]}_test_0123456789abcdef"
            await connect(actor, Wish(connector=name, secret=secret, features=frozenset({"send"})), house.rooms)
            signed = Terms(kind=AgreementKind.DPA, services=("api",), since=SINCE)
            await agree(actor, name, signed, house.rooms)
        yield Message(house, other, actor, vendors[names[0]], vendors)
    for vendor in vendors.values():
        vendor.close()


def _reaching(root: Path, name: str) -> None:
    """Write a connector whose action reaches a person by e-mail."""
    write_connector(root, name)
    manifest = root / name / "manifest.toml"
    manifest.write_text(manifest.read_text().replace('service = "api"', 'service = "api"\nchannel = "email"'))
