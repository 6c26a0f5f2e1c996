"""Whether a message is the network's: its outside read, its token verified. Trusts nothing that the key did not sign.

The key is the one that the token names, of those that the network shows to whoever has a session, and the algorithm is that
key's own. A token counts for half an hour after its end: a message that was not taken comes again after some sixteen minutes
with the token that it had.
"""

import binascii
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from connectors.abdm.reading import instant
from connectors.errors import CallbackRefused
from connectors.network import Key, Letter
from connectors.wire import parse_object

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

# RS512 signs link tokens, which every patient's facility has: a message is signed with RS256 and nothing else.
_ALGORITHM: Final = "RS256"
_ISSUER: Final = re.compile(r"https://([a-z0-9-]+\.)*abdm\.gov\.in/auth/realms/[a-z0-9-]{1,40}")
_GATEWAY: Final = "gateway"
_LEEWAY_SECONDS: Final = 1800.0
_SKEW_SECONDS: Final = 300.0
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{8,64}")
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,63}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{10,8000}\.[A-Za-z0-9_-]{10,2000}")
_KEY_ID: Final = re.compile(r"[!-~]{1,200}")
_LATEST: Final = 253_402_300_799  # the end of the year 9999


def outside_of(headers: Mapping[str, str]) -> Letter:
    """What a message says on its outside. Raises CallbackRefused."""
    given = _once(headers)
    request_id, account = given.get("request-id", ""), given.get("x-hip-id", "")
    scheme, _, token = given.get("authorization", "").partition(" ")
    token = token.strip()
    if not _REQUEST_ID.fullmatch(request_id):
        raise CallbackRefused("request_id_missing")
    if not _ACCOUNT.fullmatch(account):
        raise CallbackRefused("account_missing")
    if scheme.lower() != "bearer" or not _TOKEN.fullmatch(token):
        raise CallbackRefused("token_missing")
    return Letter(
        request_id=request_id,
        account=account,
        key_id=_key_id(token),
        token=token,
        sent_at=instant(given.get("timestamp")),
    )


def check_token(letter: Letter, keys: Sequence[Key], *, now: datetime) -> float:
    """By how many seconds a token is too old; 0 where it is not. Raises CallbackRefused unless it is the gateway's own."""
    key = next((key for key in keys if key.id == letter.key_id), None)
    if key is None:
        raise CallbackRefused("key_unknown")
    if key.algorithm != _ALGORITHM:
        raise CallbackRefused("algorithm_refused")
    claims = _verified(letter.token, key)
    if not _is_the_gateway(claims):
        raise CallbackRefused("token_of_another")
    return _lateness(claims, now.timestamp())


def _verified(token: str, key: Key) -> Mapping[str, Any]:
    from joserfc import jwt
    from joserfc.errors import JoseError

    try:
        claims: Mapping[str, Any] = jwt.decode(token, _opened(key.pem), algorithms=[key.algorithm]).claims
    except (JoseError, ValueError, TypeError, OverflowError, RecursionError):
        raise CallbackRefused("bad_signature") from None
    return claims


def _is_the_gateway(claims: Mapping[str, Any]) -> bool:
    """Whether the token was given to the network's gateway: each participant has one of the same realm and key."""
    issuer = claims.get("iss")
    named = [claims[name] for name in ("azp", "clientId") if name in claims]
    known = isinstance(issuer, str) and _ISSUER.fullmatch(issuer) is not None
    return known and bool(named) and all(name == _GATEWAY for name in named)


def _lateness(claims: Mapping[str, Any], now: float) -> float:
    ends, begins = claims.get("exp"), claims.get("nbf", claims.get("iat"))
    if not _is_time(ends) or (begins is not None and not _is_time(begins)):
        raise CallbackRefused("token_without_end")
    if begins is not None and begins > now + _SKEW_SECONDS:
        raise CallbackRefused("token_not_yet")
    late = max(0.0, now - ends)
    if late > _LEEWAY_SECONDS:
        raise CallbackRefused("token_expired")
    return late


def _is_time(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _LATEST


def _key_id(token: str) -> str:
    """The key that a token names, and the algorithm's name beside it. Nothing of it is believed yet."""
    head = token.partition(".")[0]
    try:
        header = parse_object(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError):
        header = None
    named = header.get("kid") if header is not None else None
    if header is None or header.get("alg") != _ALGORITHM or not isinstance(named, str) or not _KEY_ID.fullmatch(named):
        raise CallbackRefused("token_malformed")
    return named


def _once(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers by their names in small letters. Of a name that is there twice neither counts."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for name, value in headers.items():
        small = name.lower()
        twice |= {small} & found.keys()
        found[small] = value
    return {name: value for name, value in found.items() if name not in twice}


@lru_cache(maxsize=32)
def _opened(pem: bytes) -> "RSAKey":
    from joserfc.jwk import RSAKey

    return RSAKey.import_key(pem)
