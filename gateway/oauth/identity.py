"""Whose answer it is: an ID token, checked after OpenID Connect Core 3.1.3.7. Fetches nothing; the keys are handed in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry
from joserfc.util import urlsafe_b64decode

_LEEWAY_SECONDS: Final = 120
# RFC 8725 3.1: the algorithm follows from the kind of key.
_ALGORITHMS: Final = {"RSA": ["RS256"], "EC": ["ES256"]}
_MOST_CHARACTERS: Final = 16_384
_PARTS: Final = 3


class NotGenuine(Exception):
    """The token is not this vendor's, not for us, not of this attempt or not of this clinic's directory; `code` says which."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(f"the vendor's proof of identity is not taken ({code})")


@dataclass(frozen=True, slots=True)
class Expected:
    """What an ID token must say."""

    issuer: str
    client_id: str
    nonce: str | None
    directory: str | None


def check(token: str | None, jwks: Mapping[str, Any], expected: Expected, *, now: float) -> None:
    """Raise NotGenuine unless the token is what is expected."""
    if token is None:
        raise NotGenuine("id_token_missing")
    claims = _genuine_claims(token, jwks)
    if claims.get("iss") != expected.issuer:
        raise NotGenuine("wrong_issuer")
    audience = claims.get("aud")
    if audience not in (expected.client_id, [expected.client_id]):
        raise NotGenuine("wrong_audience")
    if claims.get("azp", expected.client_id) != expected.client_id:
        raise NotGenuine("wrong_audience")
    if expected.nonce is not None and claims.get("nonce") != expected.nonce:
        raise NotGenuine("wrong_nonce")
    if expected.directory is not None and claims.get("tid") != expected.directory:
        raise NotGenuine("wrong_directory")
    if not _moment(claims, "iat") - _LEEWAY_SECONDS <= now <= _moment(claims, "exp") + _LEEWAY_SECONDS:
        raise NotGenuine("not_fresh")


def claims_of(token: str) -> Mapping[str, Any]:
    """What a token claims that came straight from the vendor's token address, over TLS; nothing where it cannot be read."""
    parts = token.split(".")
    try:
        read = orjson.loads(urlsafe_b64decode(parts[1].encode("ascii"))) if len(parts) == _PARTS else None
    except ValueError:
        read = None
    return read if isinstance(read, dict) else {}


def _genuine_claims(token: str, jwks: Mapping[str, Any]) -> Mapping[str, Any]:
    if len(token) > _MOST_CHARACTERS:
        raise NotGenuine("unreadable")
    try:
        head = orjson.loads(urlsafe_b64decode(token.partition(".")[0].encode("ascii")))
    except ValueError:
        raise NotGenuine("unreadable") from None
    for each in _keys(jwks, head.get("kid") if isinstance(head, dict) else None):
        registry = jws.JWSRegistry(algorithms=_ALGORITHMS[each["kty"]], strict_check_header=False)
        try:
            jws.deserialize_compact(token, JWKRegistry.import_key(each), registry=registry)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        return claims_of(token)
    raise NotGenuine("bad_signature")


def _keys(jwks: Mapping[str, Any], kid: Any) -> list[dict[str, Any]]:
    listed = jwks.get("keys")
    found = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return [
        each
        for each in found
        if isinstance(each.get("kty"), str) and each["kty"] in _ALGORITHMS and each.get("use", "sig") == "sig"
        and isinstance(kid, str) and each.get("kid") == kid
    ]  # fmt: skip


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value: Any = claims.get(name)
    if type(value) not in (int, float) or not math.isfinite(value):
        raise NotGenuine("not_fresh")
    return float(value)
