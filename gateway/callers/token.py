"""What makes a host's token genuine: signature, issuer, audience, times, tenant, roles. Reads no row and no clock.

RFC 7519 with the advice of RFC 8725: the algorithm follows from the issuer's key and never from the token, keys come
from the issuer's registered set only (jku, x5u and jwk in a header are not looked at), a key is named by its kid.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self
from uuid import UUID

import orjson
from joserfc import jws  # joserfc.jwt would bring all of encryption along, 60 ms of starting
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, Key, RSAKey
from joserfc.util import urlsafe_b64decode

from gateway.errors import InvalidRequest, Unauthenticated
from gateway.store.callers import IssuerRow
from scopes.fault import Fault
from scopes.scope import Scope, ScopeError

LEEWAY_SECONDS: Final = 60
MAX_LIFETIME_SECONDS: Final = 24 * 3600
MAX_TOKEN_CHARACTERS: Final = 8192
_MAX_KEYS = 20
_MAX_TEXT = 255
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})  # RFC 8725 3.11: not an id of another kind of token
# RFC 9864 renames EdDSA to Ed25519; hosts still send the old name, and the key fixes the curve here.
_ALGORITHMS: Mapping[str, tuple[str, ...]] = {"RSA": ("RS256",), "EC": ("ES256",), "OKP": ("EdDSA", "Ed25519")}
_REGISTRIES = {
    kind: jws.JWSRegistry(algorithms=algorithms, strict_check_header=False) for kind, algorithms in _ALGORITHMS.items()
}
_CURVES = {"EC": "P-256", "OKP": "Ed25519"}
_ORIGIN = re.compile(r"https://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?")
_RSA_BITS = (2048, 8192)  # NIST SP 800-131A; more than 8192 bits only costs us time

warnings.filterwarnings("ignore", message="EdDSA is deprecated", category=SecurityWarning)


@dataclass(frozen=True, slots=True)
class Bearer:
    """What a genuine token says: who, until when, with which scopes."""

    subject: str = field(repr=False)
    expires_at: float
    scopes: tuple[Scope, ...]


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer that one tenant trusts, ready to check tokens."""

    tenant: UUID
    name: str
    audience: str
    keys: Mapping[str, Key] = field(repr=False)
    roles: Mapping[str, tuple[Scope, ...]]
    link_roles: frozenset[str] = frozenset()
    frames: tuple[str, ...] = ()

    @classmethod
    def of(cls, tenant: UUID, row: IssuerRow) -> Self:
        """Read a stored or proposed issuer; raises InvalidRequest naming the wrong part."""
        for path, text in (("issuer", row.issuer), ("audience", row.audience)):
            if not 1 <= len(text) <= _MAX_TEXT or not text.isprintable():
                raise _wrong(path, f"must be 1 to {_MAX_TEXT} printable characters")
        for origin in row.frames:
            if not _ORIGIN.fullmatch(origin):
                raise _wrong("frames", "must list origins: https://host")
        return cls(
            tenant, row.issuer, row.audience, _keys(row.jwks), _roles(row.roles), frozenset(row.link_roles),
            tuple(row.frames),
        )  # fmt: skip

    def check(self, token: str, *, now: float) -> Bearer:
        """Read a token, or raise Unauthenticated with the rule that it breaks; never with a word of the token."""
        claims = self.claims(token, now=now)
        return Bearer(claims["sub"], _moment(claims, "exp"), self._scopes(claims.get("roles")))

    def claims(
        self, token: str, *, now: float, types: frozenset[str] = _TYPES, names_key: bool = True
    ) -> Mapping[str, Any]:
        """The claims of a genuine token of this issuer, for this audience and tenant, now; or Unauthenticated.

        Without `names_key` a token needs no kid where the issuer has one key (OpenID Core 10.1).
        """
        claims = self._genuine_claims(token, types, names_key=names_key)
        if claims.get("iss") != self.name:
            raise Unauthenticated("the token's issuer is not the one that signed it")
        audience = claims.get("aud")
        if self.audience not in (audience if isinstance(audience, list) else [audience]):
            raise Unauthenticated("the token is for another audience")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 1 <= len(subject) <= _MAX_TEXT:
            raise Unauthenticated("the token needs a subject (sub)")
        if claims.get("tenant", str(self.tenant)) != str(self.tenant):
            raise Unauthenticated("the token is for another tenant")
        _check_times(claims, now)
        return claims

    def _genuine_claims(self, token: str, types: frozenset[str], *, names_key: bool) -> Mapping[str, Any]:
        header = _part(token, 0)
        kid = header.get("kid")
        if kid is None and not names_key and len(self.keys) == 1:
            kid = next(iter(self.keys))
        key = self.keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise Unauthenticated("the token names no key (kid) that its issuer is trusted with")
        algorithms = _ALGORITHMS[key.key_type]
        declared = key.get("alg")
        if header.get("alg") not in algorithms or (isinstance(declared, str) and declared != header.get("alg")):
            raise Unauthenticated("the token is signed with an algorithm that its key is not for")
        if "crit" in header or "b64" in header or str(header.get("typ", "JWT")).lower() not in types:
            raise Unauthenticated("the token is of a kind that is not taken")
        try:
            signed = jws.deserialize_compact(token, key, registry=_REGISTRIES[key.key_type])
        except (JoseError, ValueError, TypeError):
            raise Unauthenticated("the token's signature is not valid") from None
        return _object(signed.payload)

    def _scopes(self, roles: Any) -> tuple[Scope, ...]:
        """What the roles may do together; no role, or none that is known, may do nothing."""
        named = roles if isinstance(roles, list) else []
        held = {scope for role in named if isinstance(role, str) for scope in self.roles.get(role, ())}
        return tuple(sorted(held))


def issuer_named_in(token: str) -> str:
    """The issuer that a token claims, not checked in any way: only good for finding whose keys to check it with."""
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise Unauthenticated(f"the token is longer than {MAX_TOKEN_CHARACTERS} characters")
    name = _part(token, 1).get("iss")
    if not isinstance(name, str) or not 1 <= len(name) <= _MAX_TEXT or "\0" in name:
        raise Unauthenticated("the token names no issuer (iss)")
    return name


def _part(token: str, at: int) -> Mapping[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        raise Unauthenticated("this is neither an API key nor a JSON Web Token")
    try:
        return _object(urlsafe_b64decode(parts[at].encode("ascii")))
    except ValueError:
        raise Unauthenticated("the token cannot be read") from None


def _object(text: bytes | None) -> Mapping[str, Any]:
    try:
        read = orjson.loads(text or b"")
    except orjson.JSONDecodeError:
        read = None
    if not isinstance(read, dict):
        raise Unauthenticated("the token cannot be read")
    return read


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    """Check the times (RFC 7519 4.1.4 to 4.1.6)."""
    expires_at, issued_at = _moment(claims, "exp"), _moment(claims, "iat")
    if now >= expires_at + LEEWAY_SECONDS:
        raise Unauthenticated("the token has expired")
    if issued_at > now + LEEWAY_SECONDS:
        raise Unauthenticated("the token was issued in the future; check the clocks")
    if "nbf" in claims and _moment(claims, "nbf") > now + LEEWAY_SECONDS:
        raise Unauthenticated("the token is not valid yet")
    if not 0 < expires_at - issued_at <= MAX_LIFETIME_SECONDS:
        raise Unauthenticated(f"a token may live for {MAX_LIFETIME_SECONDS // 3600} hours at most")


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value: Any = claims.get(name)
    if type(value) not in (int, float) or not math.isfinite(value):
        raise Unauthenticated(f"the token needs a time in {name}")
    return float(value)


def _keys(jwks: Mapping[str, Any]) -> dict[str, Key]:
    listed = jwks.get("keys")
    if not isinstance(listed, list) or not 1 <= len(listed) <= _MAX_KEYS:
        raise _wrong("jwks.keys", f"must list 1 to {_MAX_KEYS} keys")
    keys: dict[str, Key] = {}
    for at, each in enumerate(listed):
        key, kid = _key(each, f"jwks.keys[{at}]"), each["kid"]
        if kid in keys:
            raise _wrong(f"jwks.keys[{at}].kid", "must be another than those before")
        keys[kid] = key
    return keys


def _key(each: Any, path: str) -> Key:
    """One public key for signatures of a kind that is taken."""
    if not isinstance(each, dict) or not isinstance(each.get("kid"), str) or not 1 <= len(each["kid"]) <= _MAX_TEXT:
        raise _wrong(path, "must be a key (RFC 7517) with a kid")
    kind: Any = each.get("kty")
    if not isinstance(kind, str) or kind not in _ALGORITHMS or each.get("crv") != _CURVES.get(kind):
        raise _wrong(path, "must be RSA, EC on P-256 or OKP on Ed25519")
    if each.get("use", "sig") != "sig" or each.get("alg", _ALGORITHMS[kind][0]) not in _ALGORITHMS[kind]:
        raise _wrong(path, f"must be for signatures with {' or '.join(_ALGORITHMS[kind])}")
    if "d" in each:
        raise _wrong(path, "is a private key; register the public one only, and replace this key: it has been shown")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # of short keys, which are refused below
            key = JWKRegistry.import_key(each)
            public: Any = key.raw_value  # reads the numbers: a point that is not on its curve fails here
    except (JoseError, ValueError, TypeError, KeyError):
        raise _wrong(path, "is not a readable key") from None
    if isinstance(key, RSAKey) and not _RSA_BITS[0] <= public.key_size <= _RSA_BITS[1]:
        raise _wrong(path, f"must have {_RSA_BITS[0]} to {_RSA_BITS[1]} bits")
    return key


def _roles(roles: Mapping[str, Sequence[str]]) -> dict[str, tuple[Scope, ...]]:
    read: dict[str, tuple[Scope, ...]] = {}
    for role, scopes in roles.items():
        if not isinstance(scopes, list | tuple):
            raise _wrong("roles", "must map each role to a list of scopes")
        try:
            read[role] = tuple(Scope.parse(scope) for scope in scopes)
        except (ScopeError, AttributeError) as fault:
            raise _wrong("roles", str(fault) if isinstance(fault, ScopeError) else "must list scopes as text") from None
    return read


def _wrong(path: str, message: str) -> InvalidRequest:
    return InvalidRequest("the issuer is not complete", faults=[Fault(path, message)])
