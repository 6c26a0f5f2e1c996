"""Curve25519 in the form that ABDM writes it: public points read, checked, converted. Keeps no secret and no key.

ABDM's keys are points of Curve25519 in short Weierstrass form, y² = x³ + ax + b, as BouncyCastle's `curve25519` has it; X25519
(RFC 7748) knows the same group as v² = u³ + Au² + u. The two are one shift apart: x = u + A/3, y = v. All numbers here are
public, so that Python's integers may take as long as they take; what depends on a secret is in crypto.py.
"""

from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

P: Final = 2**255 - 19
N: Final = 2**252 + 27742317777372353535851937790883648493
"""The order of the base point; the group has eight times as many points."""
_A_MONTGOMERY: Final = 486662
_SHIFT: Final = _A_MONTGOMERY * pow(3, -1, P) % P
A: Final = (3 - _A_MONTGOMERY**2) * pow(3, -1, P) % P
B: Final = (2 * _A_MONTGOMERY**3 - 9 * _A_MONTGOMERY) * pow(27, -1, P) % P
_BASE: Final = (9 + _SHIFT, 0x20AE19A1B8A086B4E01EDD2C7748D14C923D4D7E6D7C61B229E9C5A27ECED3D9)
_BYTES: Final = 32
POINT_BYTES: Final = 1 + 2 * _BYTES
_UNCOMPRESSED: Final = 4  # SEC 1, 2.3.3

KeyFault = Literal[
    "length", "compressed", "other_curve", "out_of_range", "not_on_curve", "low_order", "private_length", "private_zero"
]
_WHAT: Final[dict[KeyFault, str]] = {
    "length": "A public key is 65 bytes, or an X.509 SubjectPublicKeyInfo of 309 or 93 bytes.",
    "compressed": "A public key's point is uncompressed: it begins with 04.",
    "other_curve": "The public key names another curve, or parameters that are not Curve25519's in Weierstrass form.",
    "out_of_range": "A coordinate of the public key is not below the field's prime.",
    "not_on_curve": "The public key is not a point of Curve25519 in Weierstrass form.",
    "low_order": "The public key lies outside the curve's large group of prime order.",
    "private_length": "A private key is 32 bytes.",
    "private_zero": "The private key is a multiple of the group's order.",
}


class CryptoError(Exception):
    """What was handed over cannot be sealed or opened; `code` says why. Holds no byte of a key, a nonce or a record."""

    def __init__(self, code: str, what: str) -> None:
        """`code` is a word of our own."""
        self.code = code
        super().__init__(f"{what} ({code})")


class KeyRefused(CryptoError):
    """A key is not one of this curve's, or not written as ABDM writes it."""

    def __init__(self, code: KeyFault) -> None:
        """`code` is the rule that was broken."""
        super().__init__(code, _WHAT[code])


def u_of(public: bytes) -> bytes:
    """The u coordinate, as X25519 takes it, of a peer's key: 65 bytes, or those in an X.509 SubjectPublicKeyInfo.

    Raises KeyRefused unless it is a point of the curve and of its group of prime order: X25519 itself would take points of the
    twist, and would swallow the part of a point that has a low order.
    """
    x, y = _coordinates(_point_in(public))
    if max(x, y) >= P:
        raise KeyRefused("out_of_range")
    if (y * y - x * x * x - A * x - B) % P:
        raise KeyRefused("not_on_curve")
    u = ((x - _SHIFT) % P).to_bytes(_BYTES, "little")
    if not _of_prime_order(u):
        raise KeyRefused("low_order")
    return u


def x_of(u: bytes) -> bytes:
    """The x coordinate, big-endian and 32 bytes whatever it begins with, of what X25519 gave."""
    return ((int.from_bytes(u, "little") + _SHIFT) % P).to_bytes(_BYTES, "big")


def point_of(own: bytes, further: bytes) -> bytes:
    """The point, uncompressed, whose u coordinate is `own`, where `further` is that of the point eight base points further on.

    X25519 leaves the sign of v open; the sum of two points with their u coordinates does not (Okeya and Sakurai, CHES 2001).
    """
    u, u_further = int.from_bytes(own, "little"), int.from_bytes(further, "little")
    u_step, _ = _STEP
    above = (u * u_step + 1) * (u + u_step + 2 * _A_MONTGOMERY) - 2 * _A_MONTGOMERY - (u - u_step) ** 2 * u_further
    return _uncompressed((u + _SHIFT) % P, above * _HALF_V_STEP % P)


def spki(public: bytes) -> bytes:
    """A 65-byte point as X.509 SubjectPublicKeyInfo with explicit parameters: all that Fidelius reads of a HIP."""
    return SPKI_EXPLICIT + public


def _point_in(public: bytes) -> bytes:
    if len(public) == POINT_BYTES:
        return public
    for prefix in (SPKI_EXPLICIT, SPKI_NAMED):
        if len(public) == len(prefix) + POINT_BYTES:
            if not public.startswith(prefix):
                raise KeyRefused("other_curve")
            return public[len(prefix) :]
    raise KeyRefused("length")


def _coordinates(point: bytes) -> tuple[int, int]:
    if point[0] != _UNCOMPRESSED:
        raise KeyRefused("compressed")
    return int.from_bytes(point[1 : 1 + _BYTES], "big"), int.from_bytes(point[1 + _BYTES :], "big")


def _uncompressed(x: int, y: int) -> bytes:
    return bytes([_UNCOMPRESSED]) + x.to_bytes(_BYTES, "big") + y.to_bytes(_BYTES, "big")


def _doubled(u: int, v: int) -> tuple[int, int]:
    slope = (3 * u * u + 2 * _A_MONTGOMERY * u + 1) * pow(2 * v, -1, P)
    further = (slope * slope - _A_MONTGOMERY - 2 * u) % P
    return further, (slope * (u - further) - v) % P


def clamped(scalar: int) -> bytes | None:
    """What X25519 multiplies by as `scalar` or as its negative, which give the same u; None where there is nothing.

    X25519 only multiplies by 8m where m has 252 bits (RFC 7748 5). In a group of order n the scalar is 8m for m = scalar / 8,
    and its negative for n - m; n is hardly more than 2^252, so one of the two has 252 bits, except for 2^126 scalars.
    """
    m = scalar * _EIGHTH % N
    for candidate in (m, N - m):
        if candidate >> 251 == 1:
            return (8 * candidate).to_bytes(_BYTES, "little")
    return None


def _of_prime_order(u: bytes) -> bool:
    """Whether a point is of the group of order n: there, and nowhere else, multiplying by 1 modulo n changes nothing.

    Written as a multiple of eight that scalar wipes out every part of a low order.
    """
    try:
        return _ONE.exchange(X25519PublicKey.from_public_bytes(u)) == u
    except ValueError:  # the point at infinity: nothing but a low order
        return False


def _tlv(tag: int, *parts: bytes) -> bytes:
    """One DER element (X.690 8.1); none here is longer than 65,535 bytes."""
    content = b"".join(parts)
    size = len(content)
    head = [size] if size < 0x80 else [0x81, size] if size < 0x100 else [0x82, *size.to_bytes(2, "big")]
    return bytes([tag, *head]) + content


def _integer(value: int) -> bytes:
    return _tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _object(*arcs: int) -> bytes:
    groups = [[arc >> shift & 0x7F for shift in range(28, -1, -7) if arc >> shift or not shift] for arc in arcs]
    return _tlv(0x06, bytes(part | (0x80 if more else 0) for group in groups for part, more in _marked(group)))


def _marked(group: list[int]) -> list[tuple[int, bool]]:
    return [(part, index < len(group) - 1) for index, part in enumerate(group)]


def _before_the_point(parameters: bytes) -> bytes:
    """All of a SubjectPublicKeyInfo (RFC 5480 2) but its last 65 bytes."""
    algorithm = _tlv(0x30, _object(42, 840, 10045, 2, 1), parameters)  # id-ecPublicKey; 42 stands for 1.2
    return _tlv(0x30, algorithm, _tlv(0x03, b"\x00" + bytes(POINT_BYTES)))[:-POINT_BYTES]


def _explicit_parameters() -> bytes:
    """ECParameters with a prime field and a cofactor (SEC 1, C.2)."""
    field = _tlv(0x30, _object(42, 840, 10045, 1, 1), _integer(P))
    curve = _tlv(0x30, *(_tlv(0x04, coefficient.to_bytes(_BYTES, "big")) for coefficient in (A, B)))
    return _tlv(0x30, _integer(1), field, curve, _tlv(0x04, _uncompressed(*_BASE)), _integer(N), _integer(8))


SPKI_EXPLICIT: Final = _before_the_point(_explicit_parameters())
SPKI_NAMED: Final = _before_the_point(_object(43, 6, 1, 4, 1, 3029, 1, 5, 1))  # 43 stands for 1.3
_EIGHTH: Final = pow(8, -1, N)
_STEP: Final = _doubled(*_doubled(*_doubled(9, _BASE[1])))
_HALF_V_STEP: Final = pow(2 * _STEP[1], -1, P)
_ONE: Final = X25519PrivateKey.from_private_bytes(clamped(1) or b"")
