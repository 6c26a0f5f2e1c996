"""The first proof that it is real: brokered calls to a third party's Stripe, read back there, and proved afterwards."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from connectors.registry import Registry
from gateway.ledger.checkpoint import Verifier, open_checkpoint
from gateway.ledger.merkle import leaf_hash, verify_inclusion
from tests.acceptance import programs
from tests.acceptance.marks import found
from tests.acceptance.relay import Relay, relay
from tests.acceptance.served import Caller, gateway
from tests.conformance.harness import CANARY, with_canaries
from tests.connectors.localstripe import CREDENTIAL, LocalStripe, running

STRIPE = Registry.load().connector("payments/stripe")
# What the door itself says; everything else in a head is the connector's.
HEADERS = {"host", "accept", "accept-encoding", "authorization", "content-length", "content-type", "stripe-version",
           "idempotency-key", "user-agent"}  # fmt: skip
SUBJECT = f"{CANARY}-patient-4711"
SPOILED = {"x-patient": CANARY, "cookie": f"name={CANARY}", "referer": f"https://host.example/{CANARY}",
           "user-agent": CANARY, "x-request-id": CANARY, "baggage": f"patient={CANARY}"}  # fmt: skip
CUSTOMER = {"reference": "pat_7Hq2ZkW9"}
PAYMENT = {"reference": "inv_7Hq2ZkW9", "amount_minor": 4250, "currency": "EUR"}
REFUND = {"reference": "ref_9Kd3Xw7Q", "amount_minor": 1000, "currency": "EUR"}
Arrived = dict[str, Any]


@pytest.fixture(scope="module")
def localstripe() -> Iterator[LocalStripe]:
    with running() as server:
        yield server


@pytest.fixture
async def between(localstripe: LocalStripe) -> AsyncIterator[Relay]:
    """Every byte on the way to localstripe."""
    async with relay(localstripe.url) as kept:
        yield kept


@pytest.fixture
async def clinic(dsn: str, tmp_path: Path, between: Relay) -> AsyncIterator[Caller]:
    """A clinic that is connected to localstripe."""
    async with gateway(dsn, tmp_path, sandboxes={"payments/stripe": between.url}) as served:
        clinic = await served.clinic()
        await clinic.connect("payments/stripe", CREDENTIAL, features=sorted(STRIPE.manifest.features))
        yield clinic


async def call(clinic: Caller, name: str, payload: dict[str, Any], **headers: str) -> dict[str, Any]:
    """One call with something undeclared in every spot of the request that holds anything at all."""
    declared = {field.name for field in STRIPE.actions[name].shape.fields}
    surplus = {key: value for key, value in with_canaries(STRIPE.actions[name].shape).items() if key not in declared}
    surplus |= {f"{CANARY} Lovelace": 1, "extra": [{"deep": [[{CANARY: CANARY}]]}], "expand[]": f"x&name={CANARY}"}
    body = {"connector": "payments", "action": name, "purpose": "HPAYMT", "subject": SUBJECT}
    answer = await clinic.post("/v1/calls", {**body, "payload": {**surplus, **payload}}, headers={**SPOILED, **headers})
    assert answer.status_code == 200, answer.text
    assert CANARY not in answer.text
    told: dict[str, Any] = answer.json()
    assert set(told["withheld"]) > {"extra", "metadata", "nested_undeclared"} - declared
    return told


async def accepted(clinic: Caller, name: str, payload: dict[str, Any], **headers: str) -> dict[str, Any]:
    """The same, for a call that the vendor does; its answer."""
    told = await call(clinic, name, payload, **headers)
    assert told["outcome"] == "accepted", told
    answer: dict[str, Any] = told["answer"]
    return answer


def beyond(arrived: Arrived, bare: Arrived) -> set[str]:
    """In what an object differs from one that was made with nothing but what localstripe needs."""

    def nameless(thing: Arrived, name: str) -> str:
        return str(thing.get(name)).replace(thing["id"], "")

    theirs = {"created", "date", "client_secret", "balance_transaction"}  # the second, and names drawn by lot
    return {name for name in arrived if nameless(arrived, name) != nameless(bare, name)} - theirs


async def test_only_declared_fields_arrive_there(clinic: Caller, between: Relay, localstripe: LocalStripe) -> None:
    customer = await accepted(clinic, "create_customer", CUSTOMER)
    payment = await accepted(clinic, "create_payment_intent", {**PAYMENT, "payer": customer["id"]})
    await localstripe.pay(payment["id"])
    refund = await accepted(clinic, "refund", {**REFUND, "payment": payment["id"]})
    assert (await accepted(clinic, "get_payment", {"payment": payment["id"]}))["status"] == "succeeded"

    assert [(request.line, request.form) for request in between.sent()] == [
        ("POST /v1/customers HTTP/1.1", {"metadata[ref]": "pat_7Hq2ZkW9"}),
        (
            "POST /v1/payment_intents HTTP/1.1",
            {"amount": "4250", "currency": "eur", "metadata[ref]": "inv_7Hq2ZkW9", "customer": customer["id"]},
        ),
        (
            "POST /v1/refunds HTTP/1.1",
            {"payment_intent": payment["id"], "metadata[ref]": "ref_9Kd3Xw7Q", "amount": "1000"},
        ),
        (f"GET /v1/payment_intents/{payment['id']} HTTP/1.1", {}),
    ]
    for request in between.sent():
        assert set(request.headers) <= HEADERS
        assert request.headers["authorization"] == f"Bearer {CREDENTIAL}"
    secrets = [CANARY, clinic.key, str(clinic.tenant), SUBJECT]
    assert found(secrets, b"".join(map(bytes, between.raw))) == []
    assert refund["payment"] == payment["id"]


async def test_what_localstripe_holds_is_what_was_declared(
    clinic: Caller, between: Relay, localstripe: LocalStripe
) -> None:
    customer = await accepted(clinic, "create_customer", CUSTOMER)
    payment = await accepted(clinic, "create_payment_intent", PAYMENT)
    bare_customer = await localstripe.ask("POST", "/v1/customers")
    arrived = await localstripe.ask("GET", f"/v1/customers/{customer['id']}")
    assert arrived["metadata"] == {"ref": "pat_7Hq2ZkW9"}
    assert beyond(arrived, bare_customer) == {"metadata"}

    bare_payment = await localstripe.ask("POST", "/v1/payment_intents", amount="1", currency="usd")
    arrived = await localstripe.ask("GET", f"/v1/payment_intents/{payment['id']}")
    assert (arrived["amount"], arrived["currency"], arrived["metadata"]) == (4250, "eur", {"ref": "inv_7Hq2ZkW9"})
    assert beyond(arrived, bare_payment) == {"amount", "currency", "metadata"}

    await localstripe.pay(payment["id"])
    refund = await accepted(clinic, "refund", {**REFUND, "payment": payment["id"]})
    bare_refund = await localstripe.ask("POST", "/v1/refunds", payment_intent=payment["id"], amount="1")
    arrived = await localstripe.ask("GET", f"/v1/refunds/{refund['id']}")
    assert (arrived["amount"], arrived["metadata"]) == (1000, {"ref": "ref_9Kd3Xw7Q"})
    assert beyond(arrived, bare_refund) == {"amount", "metadata"}


async def test_a_repeat_of_a_call_is_one_payment_there(
    clinic: Caller, between: Relay, localstripe: LocalStripe
) -> None:
    key = {"idempotency-key": f"{CANARY}-order-1"}
    first, again = [await accepted(clinic, "create_payment_intent", PAYMENT, **key) for _ in range(2)]
    assert first == again
    (request,) = between.sent()
    assert CANARY not in request.headers["idempotency-key"]


async def test_what_left_is_proved_afterwards_without_the_gateway(
    clinic: Caller, between: Relay, tmp_path: Path
) -> None:
    told = await call(clinic, "create_payment_intent", PAYMENT)
    refused = await clinic.post(
        "/v1/calls", {"connector": "payments", "action": "refund", "purpose": "TREAT", "payload": REFUND}
    )
    assert refused.status_code in (400, 403)
    vkey = (await clinic.get("/v1/log/key")).text.strip()
    for which in ("intent", "outcome"):
        answer = await clinic.get(f"/v1/disclosures/{told['id']}/proof", params={"entry": which})
        _check_proof(answer, vkey, which, told)
    bundle = await clinic.post("/v1/bundles", {})
    assert bundle.status_code == 200, bundle.text
    file = tmp_path / "evidence for an auditor.zip"
    file.write_bytes(bundle.content)
    await _check_bundle(file, vkey)


def _check_proof(answer: httpx2.Response, vkey: str, which: str, told: dict[str, Any]) -> None:
    """As an auditor would, with the log's key and nothing else of the gateway's."""
    assert answer.status_code == 200, answer.text
    proof = answer.json()
    leaf, entry = leaf_hash(proof["entry"].encode()), orjson.loads(proof["entry"])
    head = open_checkpoint(proof["checkpoint"], [Verifier.from_vkey(vkey)])
    hashes = [base64.b64decode(each, validate=True) for each in proof["hashes"]]
    verify_inclusion(index=proof["index"], size=head.size, leaf=leaf, proof=hashes, root=head.root)
    assert (entry["kind"], entry["index"], entry["disclosure"]) == (which, proof["index"], told["id"])
    assert not found([CANARY, CREDENTIAL, "inv_7Hq2ZkW9"], answer.content)
    if which == "intent":
        assert base64.b64decode(told["ledger"]["leaf"]) == leaf
        assert {path for path, _ in entry["fields"]} == set(PAYMENT)
        assert entry["recipient"]["name"] == "Stripe, Inc."
    else:
        assert entry["outcome"] == "accepted"


async def _check_bundle(file: Path, vkey: str) -> None:
    """On the auditor's own machine: a database and a data folder are nowhere."""
    nowhere = {"GATEWAY_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing", "GATEWAY_DATA_DIR": "/nonexistent"}
    good = await programs.run("verify", file, "--key", vkey, folder=file.parent, **nowhere)
    assert (good.code, good.err) == (0, "")
    assert good.out.endswith("All steps hold.\n")
    _change_one_bit(file)
    bad = await programs.run("verify", file, "--key", vkey, folder=file.parent, **nowhere)
    assert bad.code == 1
    assert bad.err.startswith("NOT PROVED: ")


def _change_one_bit(file: Path) -> None:
    raw = bytearray(file.read_bytes())
    raw[raw.index(b"HPAYMT")] ^= 1
    file.write_bytes(bytes(raw))
