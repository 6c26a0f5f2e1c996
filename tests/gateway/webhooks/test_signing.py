"""Signatures of webhooks: the standard's own vector, its reference verifier, rotation, and Ed25519."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from time import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.webhooks.signing import SecretError, Signer, Signing, new_secret, public_of

BODY = b'{"type":"appointment.booked","data":{"id":"appt_1"}}'
ID = "0190163d-8694-7a3c-8f0e-6c7f3e8f7a01"
BOTH: tuple[Signing, ...] = ("v1", "v1a")


def now() -> int:
    return int(time())


def headers(signer: Signer, *, at: int, body: bytes = BODY) -> dict[str, str]:
    return signer.headers(ID, at, body)


def test_the_vector_of_the_standard() -> None:
    signer = Signer.of(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    signature = signer.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_reference_verifier_takes_a_message_and_refuses_it_changed() -> None:
    secret = new_secret("v1")
    sent = headers(Signer.of([secret]), at=now())
    assert Webhook(secret).verify(BODY, sent) == {"type": "appointment.booked", "data": {"id": "appt_1"}}
    for wrong in ({"webhook-id": "another"}, {"webhook-timestamp": str(now() - 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(BODY, {**sent, **wrong})
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret("v1")).verify(BODY, sent)


def test_a_message_says_what_it_is_and_who_sends_it() -> None:
    at = int(datetime(2026, 1, 15, tzinfo=UTC).timestamp())
    sent = headers(Signer.of([new_secret("v1")]), at=at)
    assert (sent["webhook-id"], sent["webhook-timestamp"]) == (ID, str(at))
    assert (sent["content-type"], sent["user-agent"]) == ("application/json", "Clinic-Gateway")


def test_while_a_secret_is_rotated_both_sign_the_newest_first() -> None:
    new, old = new_secret("v1"), new_secret("v1")
    sent = headers(Signer.of([new, old]), at=now())
    first, second = sent["webhook-signature"].split(" ")
    assert first == Signer.of([new]).signature(ID, int(sent["webhook-timestamp"]), BODY)
    for secret in (new, old):
        Webhook(secret).verify(BODY, sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(BODY, {**sent, "webhook-signature": first})
    Webhook(old).verify(BODY, {**sent, "webhook-signature": second})


def test_ed25519_is_verified_with_the_public_key_alone() -> None:
    secret = new_secret("v1a")
    public = public_of(secret)
    scheme, signature = Signer.of([secret]).signature(ID, 1614265330, BODY).split(",", 1)
    assert scheme == "v1a"
    assert public.startswith("whpk_")
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    key.verify(base64.b64decode(signature), f"{ID}.1614265330.".encode() + BODY)
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(signature), f"{ID}.1614265331.".encode() + BODY)


@pytest.mark.parametrize("kind", BOTH)
def test_a_secret_has_32_random_bytes_and_is_never_printed(kind: Signing) -> None:
    one, another = new_secret(kind), new_secret(kind)
    assert one != another
    assert len(base64.b64decode(one.partition("_")[2])) == 32
    assert one.partition("_")[2] not in repr(Signer.of([one]))


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_not base64",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsk_" + base64.b64encode(bytes(31)).decode(),
        "whsk_!",
        "whpk_" + base64.b64encode(bytes(32)).decode(),
    ],
)
def test_what_is_no_secret_is_refused_without_a_word_of_it(secret: str) -> None:
    with pytest.raises(SecretError) as refused:
        Signer.of([secret])
    said = secret.partition("_")[2]
    assert not said or said not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


def test_without_a_secret_nothing_is_signed() -> None:
    with pytest.raises(SecretError):
        Signer.of([])


def test_a_shared_secret_has_no_public_key() -> None:
    with pytest.raises(SecretError):
        public_of(new_secret("v1"))
