"""(P bare) The same pushes by `cryptography` and aiohttp alone: each record sealed whole, in memory, nothing checked.

It takes our pairs of keys, since `cryptography` has none of this curve's, and trusts the peer's.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode

import aiohttp
import uvloop
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from benchmarks.subjects.push_record import CONTEXT, TRANSACTION, peer, serve
from connectors.abdm.crypto import generate, spki

P = 2**255 - 19
SHIFT = 486662 * pow(3, -1, P) % P


def page(record: bytes) -> bytes:
    """One page, whole."""
    asking, own = peer(), generate()
    u = (int.from_bytes(asking.public[1:33], "big") - SHIFT) % P
    theirs = X25519PublicKey.from_public_bytes(u.to_bytes(32, "little"))
    shared = int.from_bytes(X25519PrivateKey.from_private_bytes(own.private[::-1]).exchange(theirs), "little")
    nonces = bytes(one ^ other for one, other in zip(own.nonce, asking.nonce, strict=True))
    key = HKDF(SHA256(), 32, salt=nonces[:20], info=None).derive(((shared + SHIFT) % P).to_bytes(32, "big"))
    sealed = AESGCM(key).encrypt(nonces[20:], record, None)
    body = {
        "pageNumber": 0,
        "pageCount": 1,
        "transactionId": TRANSACTION,
        "entries": [
            {
                "content": b64encode(sealed).decode(),
                "media": "application/fhir+json",
                "checksum": hashlib.md5(record).hexdigest(),
                "careContextReference": CONTEXT,
            }
        ],
        "keyMaterial": {
            "cryptoAlg": "ECDH",
            "curve": "Curve25519",
            "dhPublicKey": {
                "expiry": "2026-12-01T00:00:00.000Z",
                "parameters": "Curve25519/32byte random key",
                "keyValue": b64encode(spki(own.public)).decode(),
            },
            "nonce": b64encode(own.nonce).decode(),
        },
    }
    return json.dumps(body).encode()


async def main() -> None:
    """Work until the parent is gone."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def push(url: str, record: bytes) -> int:
            headers = {"content-type": "application/json"}
            async with session.post(url, data=page(record), headers=headers) as answer:
                await answer.read()
                return answer.status

        await serve(push)


if __name__ == "__main__":
    uvloop.run(main())
