"""Curve25519 in Weierstrass form by plain integers, and the sealing that goes with it: slow, and nobody else's code.

The same names as `connectors.abdm.crypto`, so that either may stand at either end of a transfer.
"""

import os
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

P = 2**255 - 19
A = 0x2AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA984914A144
B = 0x7B425ED097B425ED097B425ED097B425ED097B425ED097B4260B5E9C7710C864
G = (
    0x2AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD245A,
    0x20AE19A1B8A086B4E01EDD2C7748D14C923D4D7E6D7C61B229E9C5A27ECED3D9,
)
N = 2**252 + 27742317777372353535851937790883648493
Point = tuple[int, int] | None


@dataclass(frozen=True)
class KeyPair:
    private: bytes
    public: bytes
    nonce: bytes


def add(left: Point, right: Point) -> Point:
    if left is None or right is None:
        return left or right
    (x1, y1), (x2, y2) = left, right
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P) if left == right else (y2 - y1) * pow(x2 - x1, -1, P)
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def multiply(scalar: int, point: Point) -> Point:
    result: Point = None
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point, scalar = add(point, point), scalar >> 1
    return result


def of(private: bytes, nonce: bytes) -> KeyPair:
    point = multiply(int.from_bytes(private), G)
    assert point is not None
    return KeyPair(private, b"\x04" + point[0].to_bytes(32) + point[1].to_bytes(32), nonce)


def generate() -> KeyPair:
    return of((1 + int.from_bytes(os.urandom(40)) % (N - 1)).to_bytes(32), os.urandom(32))


def shared(own: KeyPair, peer: bytes) -> bytes:
    peer = peer[-65:]
    x, y = int.from_bytes(peer[1:33]), int.from_bytes(peer[33:])
    assert (y * y - x * x * x - A * x - B) % P == 0
    point = multiply(int.from_bytes(own.private), (x, y))
    assert point is not None
    return point[0].to_bytes(32)


def _cipher(own: KeyPair, peer: bytes, nonce: bytes) -> tuple[AESGCM, bytes]:
    mixed = bytes(a ^ b for a, b in zip(own.nonce, nonce, strict=True))
    key = HKDF(SHA256(), 32, mixed[:20], b"").derive(shared(own, peer))
    return AESGCM(key), mixed[20:]


def seal(plaintext: bytes, *, own: KeyPair, peer_public: bytes, peer_nonce: bytes) -> bytes:
    cipher, iv = _cipher(own, peer_public, peer_nonce)
    return cipher.encrypt(iv, plaintext, None)


def unseal(sealed: bytes, *, own: KeyPair, peer_public: bytes, peer_nonce: bytes) -> bytes:
    cipher, iv = _cipher(own, peer_public, peer_nonce)
    return cipher.decrypt(iv, sealed, None)
