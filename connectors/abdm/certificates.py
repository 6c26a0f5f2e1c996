"""Encrypt single values for the ABHA service, with its key for the part of it that is called. Keeps public keys for an hour.

RSA-OAEP with SHA-1 for digest and mask (RFC 8017 7.1), base 64. With another padding or the other key the service blames the
value. So an algorithm that it names and that we don't know is refused, and a value that is refused has its key fetched anew.
"""

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from connectors.abdm.errors import refusal_in
from connectors.abdm.headers import abha_base, environment_in, headers, request_id
from connectors.contract import Ambiguous, Egress, Rejected
from connectors.wire import build_request, object_in

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

ENROLMENT_AND_PROFILE: Final = "/v3/profile/public/certificate"
PHR: Final = "/v3/phr/app/login/public/certificate"
_ALGORITHM: Final = "RSA/ECB/OAEPWithSHA-1AndMGF1Padding"
_KEPT_SECONDS: Final = 3600.0
_LEAST_BITS: Final = 2048
_MOST_KEPT: Final = 16


@dataclass(frozen=True, slots=True)
class _Held:
    key: "RSAPublicKey" = field(repr=False)
    since: datetime


_held: Final[dict[tuple[str, str], _Held]] = {}


async def encrypted(value: str, path: str, egress: Egress) -> str:
    """A value that only the service can read; `path` is where the key for its part is."""
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
    from cryptography.hazmat.primitives.hashes import SHA1

    key = await _key(path, egress)
    # SHA-1 is what the service reads; as OAEP's hash it need not resist collisions.
    padding = OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303
    return b64encode(key.encrypt(value.encode(), padding)).decode()


def forget(path: str, egress: Egress) -> None:
    """Fetch the key anew next time: a value that was encrypted with it was refused."""
    _held.pop((_base(egress), path), None)


async def _key(path: str, egress: Egress) -> "RSAPublicKey":
    place = (_base(egress), path)
    held = _held.get(place)
    if held is not None and 0 <= (egress.now - held.since).total_seconds() < _KEPT_SECONDS:
        return held.key
    found = await _fetched(path, egress)
    if len(_held) >= _MOST_KEPT:
        _held.clear()
    _held[place] = _Held(found, egress.now)
    return found


async def _fetched(path: str, egress: Egress) -> "RSAPublicKey":
    own = headers(
        request_id=request_id(egress.idempotency_key, path), now=egress.now, environment=environment_in(egress.settings)
    )
    answer = await egress.send(build_request("GET", _base(egress) + path, headers=own))
    if refusal := refusal_in(answer):
        raise refusal
    found = object_in(answer)
    if found.get("encryptionAlgorithm", _ALGORITHM) != _ALGORITHM:
        raise Rejected("encryption_unknown")
    return _read(found.get("publicKey"))


def _read(written: object) -> "RSAPublicKey":
    """A key in base 64 of its DER form, or in PEM. Raises Ambiguous where it is none, or too short."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    text = written if isinstance(written, str) and len(written) < 10_000 else ""
    lines = [line for line in text.splitlines() if not line.startswith("-----")]
    try:
        key = load_der_public_key(b64decode("".join(lines), validate=True))
    except (binascii.Error, ValueError, TypeError):
        raise Ambiguous("unreadable_certificate") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < _LEAST_BITS:
        raise Ambiguous("unreadable_certificate")
    return key


def _base(egress: Egress) -> str:
    return abha_base(egress.base_url, environment_in(egress.settings))
