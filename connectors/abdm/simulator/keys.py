"""The network's keys: RS256 for the gateway's tokens, RS512 for link tokens, and the ABHA service's two for fields."""

import base64
import uuid
from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

#: Bits of the key for /v3/enrollment and /v3/profile, and for /v3/phr.
PROFILE_BITS: Final = 4096
PHR_BITS: Final = 2048
PADDING: Final = "RSA/ECB/OAEPWithSHA-1AndMGF1Padding"
_OAEP: Final = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), label=None)  # noqa: S303 (the service's choice)


class Keyring:
    """A network's two keys to sign with; each is drawn when it is first needed, since that takes a while."""

    @cached_property
    def _tokens(self) -> RSAKey:
        return _signing("RS256")

    @cached_property
    def _links(self) -> RSAKey:
        return _signing("RS512")

    def jwks(self) -> dict[str, Any]:
        """The public halves of both."""
        return {"keys": [key.as_dict(private=False) for key in (self._tokens, self._links)]}

    def token(self, claims: Mapping[str, Any]) -> str:
        """A token of the gateway's."""
        return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": self._tokens.kid}, dict(claims), self._tokens)

    def link_token(self, claims: Mapping[str, Any]) -> str:
        """A link token."""
        header = {"alg": "RS512", "kid": self._links.kid}
        return jwt.encode(header, dict(claims), self._links, algorithms=["RS512"])

    def read_token(self, token: str) -> dict[str, Any]:
        """The claims of a token of the gateway's, whatever its age; raises ValueError for another's."""
        return _claims(token, self._tokens, "RS256")

    def read_link_token(self, token: str) -> dict[str, Any]:
        """The claims of a link token, whatever its age; raises ValueError for a forged one."""
        return _claims(token, self._links, "RS512")

    def sign(self, content: bytes) -> str:
        """256 bytes beside a consent. What the real one is made of is not published."""
        private = self._tokens.private_key
        if not isinstance(private, rsa.RSAPrivateKey):
            raise TypeError("the gateway's key is not a private one")
        return base64.b64encode(private.sign(content, padding.PKCS1v15(), hashes.SHA256())).decode()


def field_certificate(bits: int) -> dict[str, str]:
    """The answer that tells integrators which key to encrypt fields with."""
    spki = field_key(bits).public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    return {"publicKey": base64.b64encode(spki).decode(), "encryptionAlgorithm": PADDING}


def opened(bits: int, value: str) -> str:
    """What stands in an encrypted field; raises ValueError where it is not OAEP with SHA-1 under this key."""
    return field_key(bits).decrypt(base64.b64decode(value, validate=True), _OAEP).decode()


@cache
def shared() -> Keyring:
    """The keys of every network of this program that is given none, as they share the ABHA service's."""
    return Keyring()


@cache
def field_key(bits: int) -> rsa.RSAPrivateKey:
    """The ABHA service's key of one size."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def _signing(algorithm: str) -> RSAKey:
    return RSAKey.generate_key(
        2048, {"alg": algorithm, "use": "sig", "kid": uuid.uuid4().hex}, private=True
    )  # fmt: skip


def _claims(token: str, key: RSAKey, algorithm: str) -> dict[str, Any]:
    try:
        return dict(jwt.decode(token, key, algorithms=[algorithm]).claims)
    except JoseError as fault:
        raise ValueError("not a token of this network") from fault
