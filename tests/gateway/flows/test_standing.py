"""Consent and agreement at the moment of sending: each interleaving of a withdrawal with a message is forced and looked at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from gateway.agreements import NewAgreement
from gateway.errors import Refused
from gateway.ledger.log import Disclosure, Intent, Ledger
from scopes.agreement import AgreementKind
from scopes.consent import Channel
from scopes.policy import Policy
from scopes.vocabulary import Outcome, Purpose
from tests.gateway.message import CONNECTOR, SINCE, Message, messaging


@pytest.fixture
async def message(dsn: str, tmp_path: Path) -> AsyncIterator[Message]:
    async with messaging(dsn, tmp_path) as message:
        yield message


async def test_a_message_with_a_consent_goes_and_names_its_grounds(message: Message) -> None:
    consent = await message.consents()
    assert (await message.sends()).outcome is Outcome.ACCEPTED
    (intent,) = await message.log("intent")
    (agreement,) = await message.log("agreement")
    assert (intent["consent"], intent["agreement"]) == (str(consent), agreement["agreement"])
    assert {"consent", "agreement", "service_covered", "region_allowed"} <= set(intent["rules"])


@pytest.mark.parametrize(
    "given",
    [
        {"subject": None},
        {"subject": "patient-4712"},
    ],
)
async def test_a_message_to_somebody_who_did_not_consent_is_refused(message: Message, given: dict[str, Any]) -> None:
    await message.consents()
    assert await message.refused(**given) == ["consent_missing"]
    assert message.vendor.requests == []


async def test_a_consent_for_another_channel_or_purpose_is_none(message: Message) -> None:
    await message.consents(channels=frozenset({Channel.WHATSAPP}))
    await message.consents(purposes=frozenset({Purpose.TREAT}))
    assert await message.refused() == ["consent_missing"]


@pytest.mark.parametrize("through", ["house", "other"])
async def test_a_consent_withdrawn_before_the_message_is_decided_sends_nothing(message: Message, through: str) -> None:
    consent = await message.consents()
    await message.sends()  # this gateway remembers the person's consents
    await getattr(message, through).rooms.consents.withdraw(message.actor, consent)
    assert await message.refused() == ["consent_withdrawn"]
    assert len(message.vendor.requests) == 1


class _Interrupted:
    """A disclosure whose intent is written before or after something else happened."""

    def __init__(self, inner: Disclosure, before: Callable[[], Any] | None, after: Callable[[], Any] | None) -> None:
        self._inner, self._before, self._after = inner, before, after

    async def __aenter__(self) -> Disclosure:
        if self._before is not None:
            await self._before()
        entered = await self._inner.__aenter__()
        if self._after is not None:
            await self._after()
        return entered

    async def __aexit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return await self._inner.__aexit__(kind, failure, trace)


def _interrupt(patch: pytest.MonkeyPatch, **at: Callable[[], Any]) -> None:
    disclosing = Ledger.disclosing

    def interrupted(self: Ledger, intent: Intent, settle: Any = None) -> Any:
        return _Interrupted(disclosing(self, intent, settle), at.get("before"), at.get("after"))

    patch.setattr(Ledger, "disclosing", interrupted)


@pytest.mark.parametrize("through", ["house", "other"])
async def test_a_consent_withdrawn_between_the_decision_and_the_intent_sends_nothing(
    message: Message, monkeypatch: pytest.MonkeyPatch, through: str
) -> None:
    consent = await message.consents()
    withdraw = getattr(message, through).rooms.consents.withdraw
    decided = []

    async def before() -> None:
        decided.append(True)
        await withdraw(message.actor, consent)

    _interrupt(monkeypatch, before=before)
    assert await message.refused() == ["consent_withdrawn"]
    assert decided == [True], "it was allowed once, and then decided anew"
    assert message.vendor.requests == []
    assert await message.log("intent") == []


@pytest.mark.parametrize("through", ["house", "other"])
async def test_a_consent_withdrawn_right_after_the_intent_is_recorded_as_sent_before(
    message: Message, monkeypatch: pytest.MonkeyPatch, through: str
) -> None:
    consent = await message.consents()
    withdraw = getattr(message, through).rooms.consents.withdraw

    async def after() -> None:
        assert message.vendor.requests == []
        await withdraw(message.actor, consent)

    _interrupt(monkeypatch, after=after)
    assert (await message.sends()).outcome is Outcome.ACCEPTED
    assert len(message.vendor.requests) == 1
    _, intent, withdrawn, outcome = (await message.log("consent", "intent", "outcome"))[-4:]
    assert (intent["kind"], withdrawn["state"], outcome["kind"]) == ("intent", "withdrawn", "outcome")
    assert await message.refused() == ["consent_withdrawn"]


async def test_nothing_is_sent_after_a_withdrawal_while_messages_run(message: Message) -> None:
    consent = await message.consents()

    async def keep_sending() -> None:
        with pytest.raises(Refused):
            while True:
                await message.sends()

    sending = [asyncio.create_task(keep_sending()) for _ in range(8)]
    await asyncio.sleep(0.3)
    await message.other.rooms.consents.withdraw(message.actor, consent)
    await asyncio.gather(*sending)
    log = await message.log("consent", "intent")
    withdrawn = log[-1]
    intents = [entry["index"] for entry in log if entry["kind"] == "intent"]
    assert withdrawn["state"] == "withdrawn"
    assert intents
    assert max(intents) < withdrawn["index"]
    assert len(message.vendor.requests) == len(intents)


async def test_an_agreement_that_ended_or_covers_something_else_sends_nothing(message: Message) -> None:
    await message.consents()
    agreements, recorded = message.other.rooms.agreements, {"name": "One", "role": "processor", "country": "DE"}
    for services, until, reason in (
        ((), None, "service_not_covered"),
        (("api",), datetime(2026, 2, 1, tzinfo=UTC), "agreement_expired"),
    ):
        await agreements.put(
            message.actor,
            NewAgreement(
                recipient=CONNECTOR, recorded=recorded, kind=AgreementKind.DPA, services=services, since=SINCE,
                until=until,
            ),
        )  # fmt: skip
        assert await message.refused() == [reason]
    assert message.vendor.requests == []


async def test_a_policy_of_the_clinic_is_weighed_at_once(message: Message) -> None:
    await message.consents()
    await message.sends()
    policy = Policy(jurisdiction="US", allowed_regions=frozenset({"IN"}))
    await message.other.rooms.agreements.set_policy(message.actor, policy)
    assert await message.refused() == ["agreement_missing", "region_not_allowed"]
    assert len(message.vendor.requests) == 1
