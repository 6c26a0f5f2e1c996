"""A passkey without a browser (W3C WebAuthn 5 and 6): made and shown as a browser's script would send it. For tests alone."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import Any

import cbor2
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import bytes_to_base64url

_UP_UV, _ATTESTED = 0x05, 0x40  # WebAuthn 6.1: somebody was there and proved it; a new key is in it


@dataclass(frozen=True)
class Passkey:
    """One key of somebody's, at one origin."""

    origin: str
    host: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    name: bytes = field(default_factory=lambda: os.urandom(32))

    def made(self, options: dict[str, Any]) -> str:
        """The answer to the options for a new passkey, without attestation."""
        numbers = self.key.public_key().public_numbers()
        x, y = (each.to_bytes(32, "big") for each in (numbers.x, numbers.y))
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})  # RFC 9053 2.1, 7.1.1: ES256 on P-256
        data = self._data(_UP_UV | _ATTESTED) + bytes(16) + len(self.name).to_bytes(2, "big") + self.name + public
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        said = self._said("webauthn.create", options)
        return self._answer(clientDataJSON=said, attestationObject=attestation)

    def shown(self, options: dict[str, Any]) -> str:
        """The answer to the options for a sign-in."""
        said, data = self._said("webauthn.get", options), self._data(_UP_UV)
        signature = self.key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(SHA256()))
        return self._answer(clientDataJSON=said, authenticatorData=data, signature=signature)

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + bytes(4)

    def _said(self, kind: str, options: dict[str, Any]) -> bytes:
        return orjson.dumps({"type": kind, "challenge": options["challenge"], "origin": self.origin})

    def _answer(self, **response: bytes) -> str:
        inner = {name: bytes_to_base64url(each) for name, each in response.items()}
        name = bytes_to_base64url(self.name)
        return orjson.dumps({"id": name, "rawId": name, "type": "public-key", "response": inner}).decode()
