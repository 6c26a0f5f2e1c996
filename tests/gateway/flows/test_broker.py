"""The sentence of the house, clause by clause, against a vendor on a socket and a real PostgreSQL."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from gateway.app import House
from gateway.errors import InvalidRequest, NotFound, Refused
from gateway.flows.broker import broker
from gateway.ledger.checkpoint import open_checkpoint
from gateway.ledger.merkle import verify_inclusion
from gateway.store import ledger
from scopes.grant import Grant
from scopes.vocabulary import ConnectionState, Outcome, Purpose
from tests.gateway.egress.vendor import Vendor, answer
from tests.gateway.house import CALL, PAYMENT, Clinic, OpenHouse, entries_of, outcome_of


async def test_a_call_leaves_an_intent_an_outcome_and_an_answer(house: House, clinic: Clinic, vendor: Vendor) -> None:
    told = await broker(clinic.call(subject="patient-4711"), house.rooms)
    assert told.outcome is Outcome.ACCEPTED
    assert told.answer["id"] == "pi_1"
    intent, outcome = (await entries_of(house, clinic.tenant))[-2:]
    assert (intent["kind"], intent["index"], intent["disclosure"]) == ("intent", told.index, str(told.id))
    assert intent["recipient"]["name"] == "Stripe, Inc."
    assert sorted(intent["fields"]) == [
        ["amount_minor", "billing"],
        ["currency", "billing"],
        ["reference", "identifier"],
    ]
    assert (outcome["kind"], outcome["intent"], outcome["outcome"]) == ("outcome", told.index, "accepted")
    assert outcome["reference"] == "pi_1"
    assert "patient-4711" not in orjson.dumps([intent, outcome]).decode()


async def test_what_is_not_declared_does_not_arrive_and_is_named(house: House, clinic: Clinic, vendor: Vendor) -> None:
    payload = {**CALL, "patient_name": "Ada Canary", "metadata": {"diagnosis": "canary"}, "Amount_Minor": 1}
    told = await broker(clinic.call(payload), house.rooms)
    assert told.withheld == ("Amount_Minor", "metadata", "patient_name")
    assert b"anary" not in vendor.requests[-1]
    assert (await entries_of(house, clinic.tenant))[-2]["withheld"] == list(told.withheld)


async def test_the_intent_is_durable_before_the_vendor_hears_anything(
    house: House, clinic: Clinic, vendor: Vendor
) -> None:
    seen: list[str] = []

    async def look_at_the_log(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.extend(entry["kind"] for entry in await entries_of(house, clinic.tenant))
        writer.write(answer(200, orjson.dumps(PAYMENT)))
        await writer.drain()

    vendor.answers = [look_at_the_log]
    await broker(clinic.call(), house.rooms)
    assert seen == ["connection", "intent"]


async def test_the_proof_of_a_disclosure_leads_to_the_signed_checkpoint(house: House, clinic: Clinic) -> None:
    for _ in range(5):
        told = await broker(clinic.call(), house.rooms)
    proof = await house.rooms.proofs.inclusion(clinic.tenant, told.index)
    head = open_checkpoint(proof.checkpoint, [house.rooms.proofs.signer(clinic.tenant).verifier])
    verify_inclusion(index=told.index, size=proof.size, leaf=told.leaf, proof=proof.hashes, root=head.root)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"purpose": Purpose.HMARKT}, "purpose_denied"),
        ({"purpose": Purpose.TREAT}, "purpose_not_allowed"),
    ],
)
async def test_a_purpose_that_is_not_allowed_is_refused_recorded_and_sends_nothing(
    house: House, clinic: Clinic, vendor: Vendor, given: dict[str, Purpose], reason: str
) -> None:
    with pytest.raises(Refused) as refused:
        await broker(clinic.call(**given), house.rooms)
    assert reason in {str(each.code) for each in refused.value.reasons}
    entry = (await entries_of(house, clinic.tenant))[-1]
    assert entry["kind"] == "refusal"
    assert reason in {code for code, _ in entry["reasons"]}
    assert vendor.requests == []


async def test_a_feature_that_is_off_is_refused(house: House, clinic: Clinic, vendor: Vendor) -> None:
    await _grant(house, clinic, Grant(frozenset({"refunds"})))
    with pytest.raises(Refused) as refused:
        await broker(clinic.call(), house.rooms)
    assert [str(each.code) for each in refused.value.reasons] == ["feature_off"]
    assert vendor.requests == []


async def test_a_field_that_the_clinic_withholds_stays(house: House, clinic: Clinic, vendor: Vendor) -> None:
    features = frozenset({"card_payments"})
    await _grant(house, clinic, Grant(features, frozenset({"receipt_email"})))
    told = await broker(clinic.call({**CALL, "receipt_email": "canary@example.org"}), house.rooms)
    assert told.withheld == ("receipt_email",)
    assert b"canary" not in vendor.requests[-1]


async def test_a_required_field_that_is_withheld_refuses_the_call(house: House, clinic: Clinic) -> None:
    await _grant(house, clinic, Grant(frozenset({"card_payments"}), frozenset({"currency"})))
    with pytest.raises(Refused) as refused:
        await broker(clinic.call(), house.rooms)
    assert [str(each.code) for each in refused.value.reasons] == ["required_withheld"]


async def test_a_revocation_through_another_gateway_takes_effect_for_the_next_intent(
    house: House, clinic: Clinic, vendor: Vendor, open_house: OpenHouse
) -> None:
    await broker(clinic.call(), house.rooms)  # this gateway remembers the clinic as connected
    other = await open_house()
    await other.rooms.connections.set_state(clinic.actor, clinic.connection.id, ConnectionState.REVOKED)
    with pytest.raises(Refused) as refused:
        await broker(clinic.call(), house.rooms)
    assert "connection_inactive" in {str(each.code) for each in refused.value.reasons}
    assert len(vendor.requests) == 1


async def test_a_grant_through_another_gateway_is_not_refused_on_old_settings(
    house: House, clinic: Clinic, open_house: OpenHouse
) -> None:
    await _grant(house, clinic, Grant(frozenset()))
    with pytest.raises(Refused):
        await broker(clinic.call(), house.rooms)
    await _grant(await open_house(), clinic, Grant(frozenset({"card_payments"})))
    assert (await broker(clinic.call(), house.rooms)).outcome is Outcome.ACCEPTED


async def test_nothing_is_sent_after_a_revocation_while_calls_run(
    house: House, clinic: Clinic, vendor: Vendor, open_house: OpenHouse
) -> None:
    other = await open_house()

    async def keep_calling() -> None:
        with pytest.raises(Refused):
            while True:
                await broker(clinic.call(), house.rooms)

    calling = [asyncio.create_task(keep_calling()) for _ in range(8)]
    await asyncio.sleep(0.3)
    await other.rooms.connections.set_state(clinic.actor, clinic.connection.id, ConnectionState.REVOKED)
    await asyncio.gather(*calling)
    log = await entries_of(house, clinic.tenant)
    revoked = next(entry["index"] for entry in log if entry.get("state") == "revoked")
    intents = [entry["index"] for entry in log if entry["kind"] == "intent"]
    assert intents
    assert max(intents) < revoked
    assert len(vendor.requests) == len(intents)


async def test_bad_input_names_the_path_and_not_the_value(house: House, clinic: Clinic, vendor: Vendor) -> None:
    with pytest.raises(InvalidRequest) as invalid:
        await broker(clinic.call({**CALL, "amount_minor": "canary"}), house.rooms)
    assert [fault.path for fault in invalid.value.faults] == ["amount_minor"]
    assert "canary" not in repr(invalid.value.faults)
    assert vendor.requests == []


async def test_an_action_that_does_not_exist_is_not_found(house: House, clinic: Clinic) -> None:
    with pytest.raises(NotFound):
        await broker(clinic.call(action="create_payment"), house.rooms)


async def test_a_caller_that_goes_away_leaves_an_outcome(house: House, clinic: Clinic, vendor: Vendor) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    vendor.answers = [hang]
    calling = asyncio.create_task(broker(clinic.call(), house.rooms))
    while not vendor.requests:
        await asyncio.sleep(0.01)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    intent, outcome = (await entries_of(house, clinic.tenant))[-2:]
    assert (outcome["intent"], outcome["outcome"], outcome["code"]) == (intent["index"], "unknown", "cancelled")


async def test_a_caller_that_goes_away_while_the_intent_is_written_sends_nothing_and_leaves_an_outcome(
    house: House, clinic: Clinic, vendor: Vendor
) -> None:
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        await ledger.lock_heads(connection, [clinic.tenant])  # the commit waits for as long as this is held
        calling = asyncio.create_task(broker(clinic.call(), house.rooms))
        await asyncio.sleep(0.2)
        calling.cancel()
        await asyncio.sleep(0.1)
        assert not calling.done()
    with pytest.raises(asyncio.CancelledError):
        await calling
    await broker(clinic.call(), house.rooms)
    log = await entries_of(house, clinic.tenant)
    intent, outcome = log[1], next(entry for entry in log if entry.get("intent") == log[1]["index"])
    assert (intent["kind"], outcome["outcome"], outcome["code"]) == ("intent", "failed", "cancelled")
    assert len(vendor.requests) == 1


async def test_the_answers_undeclared_fields_do_not_come_back(house: House, clinic: Clinic, vendor: Vendor) -> None:
    secret = {**PAYMENT, "client_secret": "canary", "customer_details": {"name": "canary"}, "receipt_email": "canary"}
    vendor.answers = [answer(200, orjson.dumps(secret))]
    told = await broker(clinic.call(), house.rooms)
    assert "canary" not in repr(told)
    assert (await outcome_of(house, clinic.tenant, told.id)).outcome == "accepted"


async def _grant(house: House, clinic: Clinic, grant: Grant) -> None:
    manifest = house.rooms.registry.connector("payments").manifest
    await house.rooms.connections.grant(clinic.actor, clinic.connection.id, grant, lambda _: manifest)
