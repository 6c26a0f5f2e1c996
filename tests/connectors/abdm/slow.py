"""The same curve and the same sealing again, slowly: SEC 1 addition, HMAC, big integers. Shares no code with what it checks."""

import hmac
from base64 import b64decode
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors.abdm.crypto import KeyPair

p = 2**255 - 19
a = 0x2AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA984914A144
b = 0x7B425ED097B425ED097B425ED097B425ED097B425ED097B4260B5E9C7710C864
n = 2**252 + 27742317777372353535851937790883648493
G = (
    0x2AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD245A,
    0x20AE19A1B8A086B4E01EDD2C7748D14C923D4D7E6D7C61B229E9C5A27ECED3D9,
)
Point = tuple[int, int] | None  # None is the point at infinity
Jacobian = tuple[int, int, int]


def add(one: Point, other: Point) -> Point:
    """The sum of two points (SEC 1, 2.2.1)."""
    return _affine(_sum(_jacobian(one), _jacobian(other)))


def times(scalar: int, point: Point) -> Point:
    """So many times a point."""
    total: Jacobian = (1, 1, 0)
    for bit, step in enumerate(_doublings(point)):
        if scalar >> bit & 1:
            total = _sum(total, step)
    return _affine(total)


def written(point: Point) -> bytes:
    """65 bytes; the point at infinity has no such form."""
    assert point is not None
    return b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def read(public: bytes) -> Point:
    """The point in 65 bytes, whatever it is."""
    return int.from_bytes(public[1:33], "big"), int.from_bytes(public[33:], "big")


def right_side(x: int) -> int:
    """What y² is."""
    return (x**3 + a * x + b) % p


def root(square: int) -> int | None:
    """A square root, where there is one."""
    for candidate in (pow(square, (p + 3) // 8, p), pow(square, (p + 3) // 8, p) * pow(2, (p - 1) // 4, p) % p):
        if candidate * candidate % p == square % p:
            return candidate
    return None


def shared_x(private: bytes, public: bytes) -> bytes:
    """The secret of two sides."""
    point = times(int.from_bytes(private, "big"), read(public))
    assert point is not None
    return point[0].to_bytes(32, "big")


def sealed(plaintext: bytes, *, own: KeyPair, public: bytes, nonce: bytes) -> bytes:
    """A record as Fidelius seals it (RFC 5869 2.2 and 2.3 by hand)."""
    both = (int.from_bytes(own.nonce, "big") ^ int.from_bytes(nonce, "big")).to_bytes(32, "big")
    pseudorandom = hmac.digest(both[:20], shared_x(own.private, public), "sha256")
    key = hmac.digest(pseudorandom, b"\x01", "sha256")
    return AESGCM(key).encrypt(both[-12:], plaintext, b"")


@lru_cache(maxsize=8)
def _doublings(point: Point) -> list[Jacobian]:
    steps = [_jacobian(point)]
    while len(steps) < 256:
        steps.append(_sum(steps[-1], steps[-1]))
    return steps


def _jacobian(point: Point) -> Jacobian:
    return (1, 1, 0) if point is None else (*point, 1)


def _affine(point: Jacobian) -> Point:
    x, y, z = point
    if z == 0:
        return None
    inverse = pow(z, -1, p)
    return x * inverse**2 % p, y * inverse**3 % p


def _sum(one: Jacobian, other: Jacobian) -> Jacobian:
    (x1, y1, z1), (x2, y2, z2) = one, other
    if z1 == 0 or z2 == 0:
        return other if z1 == 0 else one
    zz1, zz2 = z1 * z1 % p, z2 * z2 % p
    u1, u2, s1, s2 = x1 * zz2 % p, x2 * zz1 % p, y1 * zz2 * z2 % p, y2 * zz1 * z1 % p
    if u1 != u2:
        h, r = u2 - u1, s2 - s1
        hh = h * h % p
        v, hhh = u1 * hh % p, h * hh % p
        x = (r * r - hhh - 2 * v) % p
        return x, (r * (v - x) - s1 * hhh) % p, z1 * z2 * h % p
    if s1 != s2 or y1 == 0:
        return 1, 1, 0
    yy = y1 * y1 % p
    s, m = 4 * x1 * yy % p, (3 * x1 * x1 + a * zz1 * zz1) % p
    x = (m * m - 2 * s) % p
    return x, (m * (s - x) - 8 * yy * yy) % p, 2 * y1 * z1 % p


# The published vector of fidelius-cli: what both sides have, and what comes out.
HIU = KeyPair(
    private=b64decode("DMxHPri8d7IT23KgLk281zZenMfVHSdeamq0RhwlIBk="),
    public=b64decode("BAheD5rUqTy4V5xR4/6HWmYpopu5CO+KO8BECS0udNqUTSNo91TIqIIy1A4Vh+F94c+n9vAcwXU2bGcfsI5f69Y="),
    nonce=b64decode("6uj1RdDUbcpI3lVMZvijkMC8Te20O4Bcyz0SyivX8Eg="),
)
HIP = KeyPair(
    private=b64decode("AYhVZpbVeX4KS5Qm/W0+9Ye2q3rnVVGmqRICmseWni4="),
    public=b64decode("BABVt+mpRLMXiQpIfEq6bj8hlXsdtXIxLsspmMgLNI1SR5mHgDVbjHO2A+U4QlMddGzqyEidzm1AkhtSxSO2Ahg="),
    nonce=b64decode("lmXgblZwotx+DfBgKJF0lZXtAXgBEYr5khh79Zytr2Y="),
)
PLAINTEXT = b"Wormtail should never have been Potter cottage's secret keeper."
SHARED_X = b64decode("HZbc9a4h9kMAReILN5VtvbSYHWQpfIcrZ9pWHlQZUHs=")
CONTENT = "pzMvVZNNVtJzqPkkxcCbBUWgDEBy/mBXIeT2dJWI16ZAQnnXUb9lI+S4k8XK6mgZSKKSRIHkcNvJpllnBg548wUgavBa0vCRRwdL6kY6Yw=="
# A key of BouncyCastle's own writing (1.72, KeyPairGenerator "EC" over CustomNamedCurves "curve25519"), without its point.
BOUNCY_CASTLE_PREFIX = bytes.fromhex(
    "308201313081ea06072a8648ce3d02013081de020101302b06072a8648ce3d010102207fffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffed304404202aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa984914a14404207b425ed097"
    "b425ed097b425ed097b425ed097b425ed097b4260b5e9c7710c8640441042aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaad245a20ae19a1b8a086b4e01edd2c7748d14c923d4d7e6d7c61b229e9c5a27eced3d902201000000000000000000000000000"
    "000014def9dea2f79cd65812631a5cf5d3ed020108034200"
)
