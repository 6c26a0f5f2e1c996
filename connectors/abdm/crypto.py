"""Seal and open records as Fidelius does, so that every ABDM participant can. Keeps no key and logs nothing.

ECDH on Curve25519 in Weierstrass form, HKDF-SHA256, AES-256-GCM. The arithmetic is X25519's of `cryptography`, in constant time:

- A key that is made here is clamped (RFC 7748 5), so X25519 multiplies by it as it is. A clamped number is as good a private key
  for the Weierstrass curve as any. X25519 gives no y; that follows from the public keys of this number and of the next.
- A key from elsewhere (BouncyCastle draws any number below the group's order) is not clamped, and X25519 would multiply by
  another one. So it is written as the clamped number that gives the same x (curve.py, `clamped`). That step is Python's, and
  takes a little longer for some keys than for others; keys of our own never need it.

Both sides' keys and nonces decide key and initialization vector. So one pair of keys seals one record and no second one: two
records under the same pair would be told from each other's sums, and tags could be forged.
"""

import hashlib
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import GCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from connectors.abdm.curve import POINT_BYTES, CryptoError, KeyRefused, N, clamped, point_of, spki, u_of, x_of

__all__ = [
    "CryptoError",
    "KeyPair",
    "KeyRefused",
    "NonceRefused",
    "RecordChanged",
    "RecordDiffers",
    "Sealing",
    "generate",
    "seal",
    "sealed_size",
    "spki",
    "unseal",
]

_KEY_BYTES: Final = 32
NONCE_BYTES: Final = 32
_SALT_BYTES: Final = 20  # the rest of the nonces' sum is the initialization vector
_TAG_BYTES: Final = 16
_STEP: Final = 1 << 254  # a number that X25519 multiplies by as it is
# Divisible by three, so that each block is base64 without padding, which then is 64 KiB: what libcurl takes at once.
_BLOCK_BYTES: Final = 3 << 14


class NonceRefused(CryptoError):
    """A nonce is not 32 bytes long."""

    def __init__(self) -> None:
        super().__init__("nonce_length", f"A nonce is {NONCE_BYTES} bytes.")


class RecordChanged(CryptoError):
    """What was sealed does not open: it was changed on its way, cut, or sealed for other keys."""

    def __init__(self) -> None:
        super().__init__("record_changed", "The record was changed on its way, or sealed for other keys.")


class RecordDiffers(CryptoError):
    """A record is not the one that was announced; what was sealed of it so far is worth nothing to anybody."""

    def __init__(self) -> None:
        super().__init__("record_differs", "The record is not of the size or the checksum that was announced.")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """One side's keys and nonce, for one exchange: private and nonce 32 bytes, public 65, all big-endian."""

    private: bytes = field(repr=False)
    public: bytes
    nonce: bytes

    def __post_init__(self) -> None:
        if len(self.private) != _KEY_BYTES:
            raise KeyRefused("private_length")
        if len(self.public) != POINT_BYTES:
            raise KeyRefused("length")
        if len(self.nonce) != NONCE_BYTES:
            raise NonceRefused()


def generate(random: Callable[[int], bytes] = secrets.token_bytes) -> KeyPair:
    """A new pair of keys with its nonce; `random` gives as many bytes as it is asked for."""
    scalar = bytearray(random(_KEY_BYTES))
    scalar[0] &= 0xF0  # RFC 7748 5, and one bit more: the number eight further on is this one with that bit set
    scalar[-1] = scalar[-1] & 0x3F | 0x40
    further = bytes([scalar[0] | 8]) + scalar[1:]
    return KeyPair(bytes(reversed(scalar)), point_of(_public(bytes(scalar)), _public(further)), random(NONCE_BYTES))


def seal(plaintext: bytes, *, own: KeyPair, peer_public: bytes, peer_nonce: bytes) -> bytes:
    """The record as ciphertext and tag. Raises KeyRefused or NonceRefused. One record to a pair of keys."""
    key, vector = _secrets(own, peer_public, peer_nonce)
    return AESGCM(key).encrypt(vector, plaintext, None)


def unseal(sealed: bytes, *, own: KeyPair, peer_public: bytes, peer_nonce: bytes) -> bytes:
    """The record again. Raises RecordChanged where a bit is not as it was sealed, KeyRefused or NonceRefused."""
    key, vector = _secrets(own, peer_public, peer_nonce)
    try:
        return AESGCM(key).decrypt(vector, sealed, None)
    except InvalidTag:
        pass
    raise RecordChanged()


def sealed_size(size: int) -> int:
    """How many characters of base64 a record of so many bytes becomes."""
    return (size + _TAG_BYTES + 2) // 3 * 4


class Sealing:
    """One record sealed piece by piece: what `seal` gives, in base64, without ever holding it whole.

    Take every piece, then `end`. Nothing can be sealed by it afterwards, so that a pair of keys seals one record.
    """

    def __init__(self, size: int, *, own: KeyPair, peer_public: bytes, peer_nonce: bytes) -> None:
        """`size` is the record's. Raises KeyRefused or NonceRefused."""
        key, vector = _secrets(own, peer_public, peer_nonce)
        self._sealer = Cipher(AES256(key), GCM(vector)).encryptor()
        # MD5 because ABDM names it. It proves nothing: the tag does.
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._rest = bytearray()  # what does not fill a block yet
        self._left = size

    def take(self, piece: bytes) -> Iterator[bytes]:
        """The base64 of every block that is full by now. Raises RecordDiffers where the record is larger than announced."""
        self._left -= len(piece)
        if self._left < 0:
            raise RecordDiffers()
        view = memoryview(piece)
        while view:
            wanted = _BLOCK_BYTES - len(self._rest)
            part, view = view[:wanted], view[wanted:]
            if len(part) == _BLOCK_BYTES:
                yield b64encode(self._sealed(part))
                continue
            self._rest += part
            if len(self._rest) == _BLOCK_BYTES:
                block = bytes(self._rest)
                self._rest.clear()
                yield b64encode(self._sealed(block))

    def end(self) -> bytes:
        """The rest, with the tag. Raises RecordDiffers where the record is smaller than announced."""
        if self._left:
            raise RecordDiffers()
        sealed = self._sealed(bytes(self._rest)) + self._sealer.finalize()
        return b64encode(sealed + self._sealer.tag)

    @property
    def checksum(self) -> str:
        """MD5 of the plaintext, in hexadecimal, of what was sealed so far."""
        return self._md5.hexdigest()

    def _sealed(self, block: bytes | memoryview) -> bytes:
        self._md5.update(block)
        return self._sealer.update(block)


def _secrets(own: KeyPair, peer_public: bytes, peer_nonce: bytes) -> tuple[bytes, bytes]:
    """The AES key and the initialization vector of an exchange."""
    if len(peer_nonce) != NONCE_BYTES:
        raise NonceRefused()
    shared = x_of(_multiplied(own.private, u_of(peer_public)))
    nonces = bytes(one ^ other for one, other in zip(own.nonce, peer_nonce, strict=True))
    key = HKDF(SHA256(), _KEY_BYTES, salt=nonces[:_SALT_BYTES], info=None).derive(shared)
    return key, nonces[_SALT_BYTES:]


def _multiplied(private: bytes, u: bytes) -> bytes:
    """The u coordinate of private times a point of the group of prime order."""
    little = private[::-1]
    if not little[0] & 7 and little[-1] >> 6 == 1:  # clamped, as ours are
        return _x25519(little, u)
    scalar = int.from_bytes(private, "big") % N
    if not scalar:
        raise KeyRefused("private_zero")
    if (at_once := clamped(scalar)) is not None:
        return _x25519(at_once, u)
    # Eight times a number below 2^125, or its negative: nobody draws one, but it is a key. Two steps lead there.
    in_two = clamped(scalar * pow(_STEP, -1, N))
    if in_two is None:
        raise KeyRefused("private_zero")
    return _x25519(in_two, _x25519(_STEP.to_bytes(_KEY_BYTES, "little"), u))


def _public(scalar: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(scalar).public_key().public_bytes_raw()


def _x25519(scalar: bytes, u: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(scalar).exchange(X25519PublicKey.from_public_bytes(u))
