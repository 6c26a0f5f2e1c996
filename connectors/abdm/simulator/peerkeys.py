"""The forms in which the parties show their public keys: 65 raw bytes, or X.509 with the curve spelled out or named."""

import base64
from typing import Final

RAW, X509, NAMED = "raw", "x509", "named"
FORMS: Final = (RAW, X509, NAMED)
_POINT_BYTES: Final = 65

# Curve25519 in short Weierstrass form (specification, 4.4): y2 = x3 + ax + b with A = 486662 of the Montgomery form.
P: Final = 2**255 - 19
_A: Final = 486_662
A: Final = (3 - _A * _A) * pow(3, -1, P) % P
B: Final = (2 * _A**3 - 9 * _A) * pow(27, -1, P) % P
_GX: Final = (9 + _A * pow(3, -1, P)) % P
_GY: Final = 0x20AE19A1B8A086B4E01EDD2C7748D14C923D4D7E6D7C61B229E9C5A27ECED3D9
_ORDER: Final = 2**252 + 27_742_317_777_372_353_535_851_937_790_883_648_493
_EC_PUBLIC_KEY: Final = bytes.fromhex("06072a8648ce3d0201")
_PRIME_FIELD: Final = bytes.fromhex("06072a8648ce3d0101")
_NAMED_CURVE: Final = bytes.fromhex("060a2b060104019755010501")  # 1.3.6.1.4.1.3029.1.5.1


def shown(point: bytes, form: str) -> str:
    """A public point in one of the forms, in base64."""
    if form == RAW:
        return base64.b64encode(point).decode()
    curve = _NAMED_CURVE if form == NAMED else _explicit()
    key = _der(0x03, b"\0" + point)
    return base64.b64encode(_der(0x30, _der(0x30, _EC_PUBLIC_KEY + curve) + key)).decode()


def read(value: str) -> tuple[bytes, str]:
    """The point in a key's base64 and the form that it has; raises ValueError for anything else."""
    raw = base64.b64decode(value, validate=True)
    for form in FORMS:
        if len(raw) >= _POINT_BYTES and raw == base64.b64decode(shown(raw[-_POINT_BYTES:], form)):
            return _checked(raw[-_POINT_BYTES:]), form
    raise ValueError("neither 65 bytes nor an X.509 key of this curve")


def _checked(point: bytes) -> bytes:
    x, y = int.from_bytes(point[1:33]), int.from_bytes(point[33:])
    if point[0] != 4 or x >= P or y >= P or (y * y - x * x * x - A * x - B) % P:
        raise ValueError("the point is not on the curve")
    return point


def _explicit() -> bytes:
    field = _der(0x30, _PRIME_FIELD + _integer(P))
    curve = _der(0x30, _der(0x04, A.to_bytes(32)) + _der(0x04, B.to_bytes(32)))
    base = _der(0x04, b"\x04" + _GX.to_bytes(32) + _GY.to_bytes(32))
    return _der(0x30, _integer(1) + field + curve + base + _integer(_ORDER) + _integer(8))


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content
