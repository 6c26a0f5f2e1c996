"""What people answer and what vendors tell afterwards: a STOP counts at once, a START gives back, a status settles."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from connectors.contract import Answered, Arrival, CallbackEvent, Settlement, Wish
from connectors.payments.stripe import callback
from gateway.app import House
from gateway.calls import Actor
from gateway.consents import Evidence, NewConsent, consent_of
from gateway.demo import EVERYTHING
from gateway.flows.broker import broker
from gateway.flows.inbound import publish_callback, receive
from gateway.flows.settle import StillUnderWay, settle
from gateway.metrics import Result
from scopes.consent import Channel, lacking
from scopes.decision import Standing
from scopes.vocabulary import ConnectionState, Outcome, Purpose, Reason
from tests.gateway.callbacks import jobs_of, message, ready, signed, stored
from tests.gateway.house import Clinic, entries_of, outcome_of

PHONE, OTHER_PHONE = "+14155550123", "+14155550199"
GIVEN = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
Say = Callable[..., Any]


@pytest.fixture
def says(house: House, clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Let a genuine message of the vendor's say this."""

    async def say(*, answered: Answered | None = None, settles: Settlement | None = None, body: bytes = b"") -> Result:
        event = CallbackEvent("charge.refunded", "ch_1", None, None, {"id": "ch_1"}, settles, answered)
        monkeypatch.setattr(callback, "translate", lambda raw_body, url: (event,))
        raw = body or message()
        return (await receive(clinic.connection.id, raw, signed(raw), "", house.rooms)).result

    return say


async def consents(house: House, clinic: Clinic, subject: str = "patient-4711", **given: Any) -> UUID:
    """A person agrees."""
    asked: dict[str, Any] = {
        "subject": subject, "purposes": frozenset({Purpose.PATADMIN}), "evidence": Evidence("on paper", GIVEN, "1"),
        "channels": frozenset({Channel.SMS, Channel.WHATSAPP, Channel.EMAIL}), **given,
    }  # fmt: skip
    return (await house.rooms.consents.give(clinic.actor, NewConsent(**asked))).id


async def subject_of(house: House, clinic: Clinic, reference: str = "patient-4711") -> UUID:
    """The pseudonym."""
    known = await house.rooms.connections.clinic(clinic.tenant)
    return await house.rooms.subjects.pseudonym(clinic.tenant, reference, keyed=known)


async def written_to(house: House, clinic: Clinic, phone: str = PHONE, reference: str = "patient-4711") -> None:
    """A message about somebody goes to this number."""
    known = await house.rooms.connections.clinic(clinic.tenant)
    await house.rooms.contacts.remember(known, phone, await subject_of(house, clinic, reference))


async def lacks(
    house: House, clinic: Clinic, channel: Channel, *, phone: str = PHONE, reference: str = "patient-4711"
) -> Reason | None:
    """Why a message to this number about this person may not go out over a channel."""
    known, now = await house.rooms.connections.present(clinic.tenant), house.rooms.clock()
    subject = await subject_of(house, clinic, reference)
    found = await house.rooms.consents.page(clinic.tenant, subject=subject, after=None, limit=50)
    standing = Standing(version=1, consents=tuple(map(consent_of, found)))
    weighed = await house.rooms.contacts.weighed(known, standing, phone)
    return lacking(weighed.consents, Purpose.PATADMIN, channel, now=now)


STOP = Answered(PHONE, Channel.SMS, Wish.STOP)
START = Answered(PHONE, Channel.SMS, Wish.START)


async def test_a_stop_takes_every_consent_of_everybody_at_that_number_back_on_every_channel(
    house: House, clinic: Clinic, says: Say
) -> None:
    await ready(house, clinic)
    for person in ("patient-4711", "patient-4712"):
        await consents(house, clinic, person)
        await written_to(house, clinic, reference=person)
    await consents(house, clinic, "patient-4713")
    await written_to(house, clinic, OTHER_PHONE, "patient-4713")
    assert await says(answered=STOP) is Result.ACCEPTED
    for person in ("patient-4711", "patient-4712"):
        for channel in (Channel.SMS, Channel.WHATSAPP, Channel.EMAIL):
            assert await lacks(house, clinic, channel, reference=person) is Reason.CONSENT_WITHDRAWN
    assert await lacks(house, clinic, Channel.SMS, phone=OTHER_PHONE, reference="patient-4713") is None


async def test_a_stop_changes_the_standing_so_that_no_intent_decided_before_it_commits(
    house: House, clinic: Clinic, says: Say
) -> None:
    await ready(house, clinic)
    await consents(house, clinic)
    await written_to(house, clinic)
    before = (await house.rooms.connections.present(clinic.tenant)).standing.version
    await says(answered=STOP)
    assert (await house.rooms.connections.present(clinic.tenant)).standing.version > before


async def test_a_stop_counts_for_whoever_is_written_to_there_later_until_they_agree_anew(
    house: House, clinic: Clinic, says: Say
) -> None:
    await ready(house, clinic)
    assert await says(answered=STOP) is Result.ACCEPTED  # nobody was written to there yet
    await consents(house, clinic)
    assert await lacks(house, clinic, Channel.SMS) is Reason.CONSENT_WITHDRAWN  # given on paper before the STOP
    await consents(house, clinic, evidence=Evidence("on the phone", datetime.now(UTC), "1"))
    assert await lacks(house, clinic, Channel.SMS) is None
    (entry,) = [entry for entry in await entries_of(house, clinic.tenant) if entry.get("state") == "stopped"]
    assert PHONE not in str(entry)


async def test_a_start_gives_back_what_a_stop_took_on_its_own_channel_only(
    house: House, clinic: Clinic, says: Say
) -> None:
    await ready(house, clinic)
    await consents(house, clinic)
    await written_to(house, clinic)
    await says(answered=STOP)
    await says(answered=START)
    assert await lacks(house, clinic, Channel.SMS) is None
    assert await lacks(house, clinic, Channel.WHATSAPP) is Reason.CONSENT_WITHDRAWN
    await says(answered=START)  # once more gives nothing more
    subject = await subject_of(house, clinic)
    assert len(await house.rooms.consents.page(clinic.tenant, subject=subject, after=None, limit=50)) == 2


async def test_a_start_gives_nothing_back_that_the_person_took_back_otherwise(
    house: House, clinic: Clinic, says: Say
) -> None:
    await ready(house, clinic)
    await house.rooms.consents.withdraw(clinic.actor, await consents(house, clinic))
    stopped = await consents(house, clinic)
    await written_to(house, clinic)
    await says(answered=STOP)
    await house.rooms.consents.withdraw(clinic.actor, stopped)  # at the desk, after the STOP
    await says(answered=START)
    assert await lacks(house, clinic, Channel.SMS) is Reason.CONSENT_WITHDRAWN


async def test_a_stop_that_comes_twice_takes_nothing_that_was_given_between(
    house: House, clinic: Clinic, says: Say
) -> None:
    await ready(house, clinic)
    await consents(house, clinic)
    await written_to(house, clinic)
    body = message()
    assert await says(answered=STOP, body=body) is Result.ACCEPTED
    await consents(house, clinic, evidence=Evidence("on the phone", datetime.now(UTC), "1"))
    assert await says(answered=STOP, body=body) is Result.DUPLICATE
    assert await lacks(house, clinic, Channel.SMS) is None


async def test_a_stop_counts_once_while_the_connection_is_suspended(house: House, clinic: Clinic, says: Say) -> None:
    await ready(house, clinic)
    await consents(house, clinic)
    await written_to(house, clinic)
    state = ConnectionState.SUSPENDED
    await house.rooms.connections.set_state(clinic.actor, clinic.connection.id, state)
    body = message()
    assert await says(answered=STOP, body=body) is Result.SUSPENDED
    assert await lacks(house, clinic, Channel.WHATSAPP) is Reason.CONSENT_WITHDRAWN
    await consents(house, clinic, evidence=Evidence("on the phone", datetime.now(UTC), "1"))
    assert await says(answered=STOP, body=body) is Result.SUSPENDED  # the vendor tries again
    assert await lacks(house, clinic, Channel.WHATSAPP) is None


async def test_the_address_of_a_person_who_answers_is_kept_nowhere(house: House, clinic: Clinic, says: Say) -> None:
    await ready(house, clinic)
    await written_to(house, clinic)
    await says(answered=STOP)
    (payload,) = await jobs_of(house, clinic)
    assert PHONE.encode() not in payload
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        for table in ("contacts", "stops", "callbacks", "consents", "entries"):
            assert PHONE not in str(await connection.fetch(f"SELECT * FROM {table}"))


# --- Settling ---------------------------------------------------------------------------------------------------------


async def made(house: House, clinic: Clinic) -> UUID:
    """A disclosure that the vendor took."""
    return (await broker(clinic.call(), house.rooms)).id


def told(disclosure: UUID, arrival: Arrival, detail: str | None = None) -> Settlement:
    return Settlement(f"cg_{disclosure.hex}", arrival, detail)


async def heard(house: House, clinic: Clinic, settlement: Settlement) -> None:
    await settle(clinic.tenant, clinic.connection.id, settlement, house.rooms)


async def test_a_status_settles_its_disclosure_and_stands_in_the_log_after_the_first_outcome(
    house: House, clinic: Clinic, says: Say, vendor: Any
) -> None:
    await ready(house, clinic)
    disclosure = await made(house, clinic)
    assert await says(settles=told(disclosure, Arrival.DELIVERED)) is Result.ACCEPTED
    (payload,) = await jobs_of(house, clinic)
    for _ in range(2):  # a job may come twice
        await publish_callback(payload, house.rooms)
    found = await outcome_of(house, clinic.tenant, disclosure)
    assert (found.outcome, found.code) == (Outcome.ACCEPTED, "delivered")
    outcomes = [entry for entry in await entries_of(house, clinic.tenant) if entry["kind"] == "outcome"]
    assert [entry["intent"] for entry in outcomes] == [found.leaf_index] * 2
    assert await stored(house, clinic.tenant) == [None]


async def test_what_never_arrived_is_failed_with_the_vendor_s_code(house: House, clinic: Clinic, vendor: Any) -> None:
    disclosure = await made(house, clinic)
    await heard(house, clinic, told(disclosure, Arrival.UNDELIVERED, "30003"))
    found = await outcome_of(house, clinic.tenant, disclosure)
    assert (found.outcome, found.code) == (Outcome.FAILED, "undelivered.30003")


async def test_sent_is_news_of_what_was_unknown_only_and_what_is_final_stays(
    house: House, clinic: Clinic, vendor: Any
) -> None:
    disclosure = await made(house, clinic)
    await heard(house, clinic, told(disclosure, Arrival.SENT))
    assert (await outcome_of(house, clinic.tenant, disclosure)).code is None
    await heard(house, clinic, told(disclosure, Arrival.DELIVERED))
    await heard(house, clinic, told(disclosure, Arrival.UNDELIVERED, "30003"))
    await heard(house, clinic, told(disclosure, Arrival.READ))
    assert (await outcome_of(house, clinic.tenant, disclosure)).code == "delivered"


async def test_another_clinic_s_disclosure_another_connection_s_and_a_foreign_key_settle_nothing(
    house: House, clinic: Clinic, vendor: Any
) -> None:
    disclosure = await made(house, clinic)
    before = await entries_of(house, clinic.tenant)
    tenant = await house.rooms.connections.create_tenant("another clinic")
    stranger = Actor("system", "test", tenant, EVERYTHING)
    await settle(stranger.tenant, clinic.connection.id, told(disclosure, Arrival.DELIVERED), house.rooms)
    await settle(clinic.tenant, UUID(int=7), told(disclosure, Arrival.DELIVERED), house.rooms)
    for key in ("", "cg_", "cg_x", f"cg_{'0' * 32}", f"CG_{disclosure.hex}"):
        await heard(house, clinic, Settlement(key, Arrival.DELIVERED))
    assert await entries_of(house, clinic.tenant) == before


async def test_a_status_that_is_faster_than_our_own_record_waits_for_it(
    house: House, clinic: Clinic, vendor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    async def too_early(disclosure: Any, *given: Any) -> None:
        with pytest.raises(StillUnderWay):
            await heard(house, clinic, told(disclosure.id, Arrival.DELIVERED))
        seen.append(disclosure.id)

    from gateway.ledger.log import Disclosure

    accepted = Disclosure.accepted
    early: list[asyncio.Task[None]] = []

    def accept(self: Disclosure, answer: Any, kept: Any) -> None:
        early.append(asyncio.get_running_loop().create_task(too_early(self)))
        accepted(self, answer, kept)

    leave = Disclosure.__aexit__

    async def left(self: Disclosure, *given: Any) -> bool:
        await asyncio.gather(*early)
        return await leave(self, *given)

    monkeypatch.setattr(Disclosure, "accepted", accept)
    monkeypatch.setattr(Disclosure, "__aexit__", left)
    disclosure = await made(house, clinic)
    assert seen == [disclosure]
    await heard(house, clinic, told(disclosure, Arrival.DELIVERED))
    assert (await outcome_of(house, clinic.tenant, disclosure)).code == "delivered"
