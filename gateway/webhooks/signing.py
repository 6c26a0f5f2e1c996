"""Sign webhooks as Standard Webhooks 1.0.0 has it: HMAC-SHA256 (v1) or Ed25519 (v1a). Keeps no secret, sends nothing."""

from __future__ import annotations

import binascii
import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Signing = Literal["v1", "v1a"]

_SYMMETRIC: Final = "whsec_"
_PRIVATE: Final = "whsk_"
_PUBLIC: Final = "whpk_"
_SECRET_BYTES: Final = 32
_FEWEST_BYTES, _MOST_BYTES = 24, 64  # of a v1 secret
_Sign = Callable[[bytes], str]


class SecretError(ValueError):
    """A text that is no signing secret; the message never repeats it."""


def new_secret(kind: Signing) -> str:
    """A fresh signing secret: `whsec_` and 32 random bytes for v1, `whsk_` and the seed of an Ed25519 key for v1a."""
    prefix = _SYMMETRIC if kind == "v1" else _PRIVATE
    return prefix + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


def public_of(secret: str) -> str:
    """What a receiver of v1a verifies with (`whpk_`); raises SecretError for a v1 secret, which is shared."""
    public = _private_key(secret).public_key().public_bytes_raw()
    return _PUBLIC + b64encode(public).decode("ascii")


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs with every secret that is valid now, the newest first; made once and used for many messages."""

    _signs: tuple[_Sign, ...] = field(repr=False)

    @classmethod
    def of(cls, secrets: Sequence[str]) -> Signer:
        """Read the secrets, newest first; raises SecretError."""
        if not secrets:
            raise SecretError("without a secret nothing is signed")
        return cls(tuple(map(_reading, secrets)))

    def signature(self, webhook_id: str, timestamp: int, body: bytes) -> str:
        """The value of `webhook-signature`: over id, Unix seconds and the raw body, one signature for each secret."""
        signed = b"%b.%d.%b" % (webhook_id.encode("ascii"), timestamp, body)
        return " ".join([sign(signed) for sign in self._signs])

    def headers(self, webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        """Every header of one message."""
        return {
            "content-type": "application/json",
            "user-agent": "Clinic-Gateway",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": self.signature(webhook_id, timestamp, body),
        }


def _reading(secret: str) -> _Sign:
    if secret.startswith(_PRIVATE):
        key = _private_key(secret)
        return lambda signed: "v1a," + b64encode(key.sign(signed)).decode("ascii")
    shared = _bytes(secret, _SYMMETRIC)
    if not _FEWEST_BYTES <= len(shared) <= _MOST_BYTES:
        raise SecretError(f"a {_SYMMETRIC} secret has {_FEWEST_BYTES} to {_MOST_BYTES} bytes")
    return lambda signed: "v1," + b64encode(hmac.digest(shared, signed, "sha256")).decode("ascii")


def _private_key(secret: str) -> Ed25519PrivateKey:
    seed = _bytes(secret, _PRIVATE)
    if len(seed) != _SECRET_BYTES:
        raise SecretError(f"a {_PRIVATE} secret has {_SECRET_BYTES} bytes")
    return Ed25519PrivateKey.from_private_bytes(seed)


def _bytes(secret: str, prefix: str) -> bytes:
    if secret.startswith(prefix):
        try:
            return b64decode(secret.removeprefix(prefix), validate=True)
        except binascii.Error:
            pass
    raise SecretError(f"a secret of this kind is {prefix} and base64")  # outside the block: the cause may quote it
