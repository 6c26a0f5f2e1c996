"""Our Stripe client against a third party's emulator, over real HTTP: what we meant is what arrived, and nothing else.

localstripe knows customers, payment intents and refunds. It takes only keys that begin with sk_, and of a payment intent's
parameters neither receipt_email nor allowed_payment_method_types, which Stripe has; so a payer confirms here by themselves.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from connectors.contract import ReconnectNeeded, Rejected
from connectors.registry import Registry
from scopes.minimize import minimize_answer
from tests.conformance.harness import CANARY, DirectEgress, perform
from tests.connectors.localstripe import CREDENTIAL, LocalStripe

STRIPE = Registry.load().connector("payments/stripe")
PAYMENT = {"reference": "inv_7Hq2ZkW9", "amount_minor": 4250, "currency": "EUR"}
SURPLUS = {
    "name": CANARY,
    "email": f"{CANARY}@clinic.example",
    "description": CANARY,
    "metadata": {"diagnosis": CANARY},
}


@pytest.fixture
async def door(localstripe: LocalStripe) -> AsyncIterator[DirectEgress]:
    async with httpx2.AsyncClient(trust_env=False) as client:
        yield DirectEgress(STRIPE.manifest, client, CREDENTIAL, localstripe.url, idempotency_key=str(uuid4()))


async def call(name: str, payload: Mapping[str, Any], door: DirectEgress) -> dict[str, Any]:
    action = STRIPE.actions[name]
    return minimize_answer(action.answer, (await perform(action, payload, door)).body)


async def test_a_customer_arrives_with_a_reference_and_nothing_else(
    localstripe: LocalStripe, door: DirectEgress
) -> None:
    made = await call("create_customer", {"reference": "pat_7Hq2ZkW9", **SURPLUS}, door)
    arrived = await localstripe.ask("GET", f"/v1/customers/{made['id']}")
    assert arrived["metadata"] == {"ref": "pat_7Hq2ZkW9"}
    assert not any(
        arrived[name] for name in ("name", "email", "phone", "description", "address", "shipping") if name in arrived
    )
    assert CANARY not in str(arrived)


async def test_a_payment_arrives_paid_and_is_given_back_in_parts(localstripe: LocalStripe, door: DirectEgress) -> None:
    customer = await call("create_customer", {"reference": "pat_7Hq2ZkW9"}, door)
    made = await call("create_payment_intent", {**PAYMENT, "payer": customer["id"], **SURPLUS}, door)
    assert made["status"] == "requires_payment_method"
    arrived = await localstripe.ask("GET", f"/v1/payment_intents/{made['id']}")
    assert (arrived["amount"], arrived["currency"], arrived["customer"]) == (4250, "eur", customer["id"])
    assert arrived["metadata"] == {"ref": "inv_7Hq2ZkW9"}
    assert CANARY not in str(arrived)

    await localstripe.pay(made["id"])
    assert (await call("get_payment", {"payment": made["id"]}, door))["status"] == "succeeded"

    refund = {"reference": "ref_9Kd3Xw7Q", "payment": made["id"], "amount_minor": 1000, "currency": "EUR"}
    given = await call("refund", {**refund, **SURPLUS}, door)
    arrived = await localstripe.ask("GET", f"/v1/refunds/{given['id']}")
    assert (arrived["amount"], arrived["metadata"]) == (1000, {"ref": "ref_9Kd3Xw7Q"})
    assert (given["status"], given["payment"], given["reference"]) == ("succeeded", made["id"], "ref_9Kd3Xw7Q")


async def test_the_client_secret_stays_there(localstripe: LocalStripe, door: DirectEgress) -> None:
    made = await call("create_payment_intent", PAYMENT, door)
    arrived = await localstripe.ask("GET", f"/v1/payment_intents/{made['id']}")
    assert arrived["client_secret"]
    assert arrived["client_secret"] not in str(made)


async def test_its_refusals_become_ours(door: DirectEgress) -> None:
    with pytest.raises(Rejected):
        await call("get_payment", {"payment": "pi_3MtwBwLkdIwHu7ix28a3tqPa"}, door)
    door.credential = "rk_test_notKnownThere1"
    with pytest.raises(ReconnectNeeded):
        await call("create_customer", {"reference": "pat_7Hq2ZkW9"}, door)


async def test_a_parameter_that_it_does_not_know_is_refused_and_not_dropped(door: DirectEgress) -> None:
    """So whatever arrives without an error is all that we sent."""
    with pytest.raises(Rejected):
        await call("create_payment_intent", {**PAYMENT, "receipt_email": "payer@clinic.example"}, door)
