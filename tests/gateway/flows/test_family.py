"""One call to a family of two vendors: who is tried, in which order, and never two where one may have taken it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.registry import HERE
from connectors.scaffold import write_connector
from gateway import keyfiles
from gateway.app import House, opened
from gateway.calls import Actor, Answer, Call
from gateway.config import Settings
from gateway.demo import EVERYTHING
from gateway.errors import IdempotencyReused, Refused
from gateway.flows.agree import Terms, agree
from gateway.flows.connect import Wish, connect
from gateway.flows.family import carry
from gateway.flows.preview import preview
from scopes.agreement import AgreementKind
from scopes.vocabulary import ConnectionState, Outcome, Purpose
from tests.gateway.egress.vendor import Vendor, answer
from tests.gateway.house import entries_of

SINCE = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
ONE, TWO = "labs/one", "labs/two"
TAKEN = orjson.dumps({"id": "msg_7Hq2ZkW9", "status": "accepted"})
REFUSED = answer(400, b'{"error": {"code": "no"}}')


@dataclass
class Labs:
    """A clinic that is connected to both vendors of a family."""

    house: House
    actor: Actor
    vendors: dict[str, Vendor]
    connections: dict[str, Any] = field(default_factory=dict)

    async def sends(self, **given: Any) -> Answer:
        """One call to the family."""
        return await carry(self.call(**given), self.house.rooms)

    def call(self, **given: Any) -> Call:
        """One call to the family, not yet made."""
        asked: dict[str, Any] = {
            "connector": "labs", "action": "send", "purpose": Purpose.HOPERAT, "request_id": "test",
            "payload": {"reference": "inv_7Hq2ZkW9"}, **given,
        }  # fmt: skip
        return Call(self.actor, **asked)

    def heard(self) -> tuple[int, int]:
        """How many requests each vendor got."""
        return len(self.vendors[ONE].requests), len(self.vendors[TWO].requests)

    async def log(self, *kinds: str) -> list[dict[str, Any]]:
        """The clinic's entries of these kinds."""
        return [entry for entry in await entries_of(self.house, self.actor.tenant) if entry["kind"] in kinds]

    async def suspend(self, connector: str) -> None:
        """Let nothing through to one vendor."""
        state = ConnectionState.SUSPENDED
        await self.house.rooms.connections.set_state(self.actor, self.connections[connector].id, state)


@pytest.fixture
async def labs(dsn: str, tmp_path: Path) -> AsyncIterator[Labs]:
    root = tmp_path / "connectors"
    vendors = {}
    for name in (ONE, TWO):
        write_connector(root, name)
        vendors[name] = Vendor(answers=[answer(200, TAKEN)])
        await vendors[name].open()
    settings = Settings.from_environment({}, data_dir=tmp_path, database_url=dsn)
    keyfiles.make(settings)
    sandboxes = {name: f"http://127.0.0.1:{vendor.port}" for name, vendor in vendors.items()}
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(opened(settings, sandboxes=sandboxes, connectors=(HERE, root)))
        actor = Actor("system", "test", await house.rooms.connections.create_tenant("a clinic"), EVERYTHING)
        made = Labs(house, actor, vendors)
        for name in (ONE, TWO):
            secret = f"{name.partition('/')[2]}_test_0123456789abcdef"
            wish = Wish(connector=name, secret=secret, features=frozenset({"send"}))
            made.connections[name] = await connect(actor, wish, house.rooms)
            await agree(actor, name, Terms(kind=AgreementKind.DPA, services=("api",), since=SINCE), house.rooms)
        yield made
    for vendor in vendors.values():
        vendor.close()


async def test_the_first_vendor_that_takes_it_is_the_only_one_that_hears_of_it(labs: Labs) -> None:
    told = await labs.sends()
    assert [(each.connector, each.outcome) for each in told.tried] == [(ONE, Outcome.ACCEPTED)]
    assert labs.heard() == (1, 0)


async def test_the_clinic_s_order_decides_and_a_vendor_left_out_is_not_tried(labs: Labs) -> None:
    await labs.house.rooms.connections.set_order(labs.actor, "labs", [TWO])
    assert [each.connector for each in (await labs.sends()).tried] in ([TWO], [])
    assert labs.heard() == (0, 1)
    labs.vendors[TWO].answers[:] = [REFUSED]
    assert (await labs.sends()).outcome is Outcome.REJECTED
    assert labs.heard() == (0, 2)


async def test_each_further_vendor_is_a_disclosure_of_its_own_under_one_call(labs: Labs) -> None:
    labs.vendors[ONE].answers[:] = [REFUSED]
    told = await labs.sends()
    assert [(each.connector, each.outcome) for each in told.tried] == [
        (ONE, Outcome.REJECTED),
        (TWO, Outcome.ACCEPTED),
    ]
    first, second = await labs.log("intent")
    assert (first["connector"], second["connector"]) == (ONE, TWO)
    assert first["call"] == second["call"]
    assert first["disclosure"] != second["disclosure"] == str(told.id)


async def test_a_vendor_that_the_decision_refuses_is_passed_over_and_the_refusal_recorded(labs: Labs) -> None:
    await labs.suspend(ONE)
    told = await labs.sends()
    assert [(each.connector, each.reasons) for each in told.tried] == [(ONE, ("connection_inactive",)), (TWO, ())]
    refusal, intent = await labs.log("refusal", "intent")
    assert refusal["call"] == intent["call"]
    assert labs.heard() == (0, 1)


async def test_where_nobody_may_have_it_every_reason_of_everyone_is_told(labs: Labs) -> None:
    for name in (ONE, TWO):
        await labs.suspend(name)
    with pytest.raises(Refused) as refused:
        await labs.sends()
    assert [each.what for each in refused.value.reasons] == [f"{ONE}: suspended", f"{TWO}: suspended"]
    assert len(await labs.log("refusal")) == 2
    seen = await preview(labs.call(), labs.house.rooms)
    assert [each.what for each in seen.decision.reasons] == [f"{ONE}: suspended", f"{TWO}: suspended"]


async def test_what_may_have_arrived_is_never_sent_by_another_vendor_too(labs: Labs) -> None:
    labs.vendors[ONE].answers[:] = [answer(500, b"{}")]
    told = await labs.sends()
    assert told.outcome is Outcome.UNKNOWN
    assert labs.heard()[1] == 0


async def test_a_repeat_under_one_key_gets_the_first_answer_whoever_gave_it(labs: Labs) -> None:
    labs.vendors[ONE].answers[:] = [REFUSED]
    first = await labs.sends(idempotency_key="k-1")
    assert (await labs.sends(idempotency_key="k-1")) == first
    labs.vendors[ONE].answers[:] = [answer(200, TAKEN)]  # it would take it now
    assert (await labs.sends(idempotency_key="k-1")).id == first.id
    assert labs.heard() == (1, 1)
    with pytest.raises(IdempotencyReused):
        await labs.sends(idempotency_key="k-1", payload={"reference": "inv_8Jr3YlX1"})


async def test_many_at_once_under_one_key_are_one_call(labs: Labs) -> None:
    await labs.suspend(ONE)
    told = await asyncio.gather(*(labs.sends(idempotency_key="k-2") for _ in range(8)))
    assert len({each.id for each in told}) == 1
    assert labs.heard() == (0, 1)


async def test_a_call_that_was_cut_off_between_two_vendors_goes_on_where_it_ended(
    labs: Labs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.flows import family

    labs.vendors[ONE].answers[:] = [REFUSED]
    broker, calls = family.broker, []

    async def dies(call: Call, rooms: Any) -> Answer:
        calls.append(call.connector)
        if len(calls) == 2:
            raise asyncio.CancelledError
        return await broker(call, rooms)

    with monkeypatch.context() as patch:
        patch.setattr(family, "broker", dies)
        with pytest.raises(asyncio.CancelledError):
            await labs.sends(idempotency_key="k-3")
    assert labs.heard() == (1, 0)
    told = await labs.sends(idempotency_key="k-3")
    assert [each.connector for each in told.tried] == [ONE, TWO]
    assert labs.heard() == (1, 1)


async def test_an_agreement_counts_for_each_vendor_by_itself(labs: Labs) -> None:
    until = datetime(2026, 2, 1, tzinfo=UTC)
    await agree(
        labs.actor, ONE, Terms(kind=AgreementKind.DPA, services=("api",), since=SINCE, until=until), labs.house.rooms
    )
    told = await labs.sends()
    assert [(each.connector, each.reasons) for each in told.tried] == [(ONE, ("agreement_expired",)), (TWO, ())]
