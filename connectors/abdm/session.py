"""What the gateway says to the network in its own name: a session, keys, and where everything is to be sent.

Requests are built and answers read; who keeps a session, and never asks again too soon, is the gateway's network room.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from connectors.abdm.errors import refusal_in, said_in
from connectors.abdm.headers import environment_of, headers
from connectors.errors import Ambiguous, ConnectorError, ReconnectNeeded, Rejected
from connectors.network import Bridge, Key, Service, Session, SessionRefused
from connectors.wire import build_request, error_for, object_in

if TYPE_CHECKING:
    import httpx2

_GATEWAY: Final = "/api/hiecm/gateway/v3"
_TOKEN: Final = re.compile(r"[!-~]{20,8000}")
_SERVICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,63}")
_MOST_SECONDS: Final = 86_400
_MOST_KEYS: Final = 20
_LEAST_BITS: Final = 2048
_MOST_SERVICES: Final = 5000


def session_request(
    base_url: str, client_id: str, client_secret: str, *, request_id: str, now: datetime
) -> "httpx2.Request":
    """Ask for a session. There is no credential in a header: the registration is in the body."""
    body = {"clientId": client_id, "clientSecret": client_secret, "grantType": "client_credentials"}
    return _request("POST", base_url, "/sessions", request_id=request_id, now=now, body=body)


def read_session(answer: "httpx2.Response") -> Session:
    """What came. Raises SessionRefused where the registration is not taken: about eight such answers lock it."""
    status = answer.status_code
    if status in (400, 401, 403):
        said = said_in(answer.content)
        # A suspended or not subscribed outer gate says nothing of the registration.
        if status == 403 and said is not None and said.code == "900908":
            raise SessionRefused("subscription_inactive")
        raise SessionRefused("registration_refused")
    if refusal := refusal_in(answer):
        raise refusal
    found = object_in(answer)
    token, lasts = found.get("accessToken"), found.get("expiresIn")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise Ambiguous("unreadable_answer")
    if isinstance(lasts, bool) or not isinstance(lasts, int) or not 0 < lasts <= _MOST_SECONDS:
        raise Ambiguous("unreadable_answer")
    return Session(token, lasts)


def keys_request(base_url: str, *, token: str, request_id: str, now: datetime) -> "httpx2.Request":
    """Ask for the network's public keys: it shows them only to whoever has a session."""
    return _request("GET", base_url, "/certs", request_id=request_id, now=now, token=token)


def read_keys(answer: "httpx2.Response") -> tuple[Key, ...]:
    """The RSA keys with an id and an algorithm of their own; another one signs nothing that we take."""
    listed = _asked(answer).get("keys")
    if not isinstance(listed, list):
        raise Ambiguous("unreadable_answer")
    return tuple(key for each in listed[:_MOST_KEYS] if (key := _key(each)) is not None)


def bridge_request(base_url: str, *, token: str, request_id: str, now: datetime) -> "httpx2.Request":
    """Ask what the network has on file about us."""
    return _request("GET", base_url, "/bridge-services", request_id=request_id, now=now, token=token)


def read_bridge(answer: "httpx2.Response") -> Bridge:
    """What it has. A service's id is what messages carry; it need not be the facility's id in the registry."""
    found = _asked(answer)
    bridge, services = found.get("bridge"), found.get("services")
    if not isinstance(bridge, Mapping) or not isinstance(services, list):
        raise Ambiguous("unreadable_answer")
    if not isinstance(bridge.get("id"), str):
        raise Ambiguous("unreadable_answer")
    url = bridge.get("url")
    return Bridge(
        id=bridge["id"],
        url=url if isinstance(url, str) and url else None,
        active=bridge.get("active") is True and bridge.get("blocklisted") is not True,
        services=tuple(one for each in services[:_MOST_SERVICES] if (one := _service(each)) is not None),
    )


def move_request(base_url: str, url: str, *, token: str, request_id: str, now: datetime) -> "httpx2.Request":
    """Tell the network where it is to send everything from now on: one address for all clinics, the last one counts."""
    body = {"url": url}
    return _request("PATCH", base_url, "/bridge/url", request_id=request_id, now=now, token=token, body=body)


def read_moved(answer: "httpx2.Response") -> None:
    """Nothing, where the network took that: 202 and an empty body, or 200."""
    if refusal := _refusal(answer):
        raise refusal


def _asked(answer: "httpx2.Response") -> dict[str, Any]:
    if refusal := _refusal(answer):
        raise refusal
    return object_in(answer)


def _refusal(answer: "httpx2.Response") -> ConnectorError | None:
    if answer.status_code == 401:
        return ReconnectNeeded("session_refused")
    return refusal_in(answer) or error_for(answer.status_code, answer.headers)


def _key(found: object) -> Key | None:
    from joserfc.errors import JoseError
    from joserfc.jwk import RSAKey

    if not isinstance(found, Mapping) or found.get("kty") != "RSA" or found.get("use", "sig") != "sig":
        return None
    name, algorithm = found.get("kid"), found.get("alg")
    modulus, exponent = found.get("n"), found.get("e")
    if not all(isinstance(each, str) and each for each in (name, algorithm, modulus, exponent)):
        return None
    try:
        key = RSAKey.import_key({"kty": "RSA", "n": str(modulus), "e": str(exponent)})
        if key.public_key.key_size < _LEAST_BITS:
            return None
        return Key(str(name), str(algorithm), key.as_pem(private=False))
    except (JoseError, ValueError, TypeError, OverflowError):
        return None


def _service(found: object) -> Service | None:
    if not isinstance(found, Mapping):
        return None
    name, types = found.get("id"), found.get("types")
    if not isinstance(name, str) or not _SERVICE.fullmatch(name):
        return None
    gives = isinstance(types, list) and "HIP" in types
    said = found.get("name")
    title = said if isinstance(said, str) and said.strip() else name
    return Service(name, title.strip()[:200], found.get("active") is True, gives)


def _request(
    method: str,
    base_url: str,
    path: str,
    *,
    request_id: str,
    now: datetime,
    token: str | None = None,
    body: Mapping[str, Any] | None = None,
) -> "httpx2.Request":
    own = headers(request_id=request_id, now=now, environment=environment_of(base_url))
    if token is not None:
        if not _TOKEN.fullmatch(token):
            raise Rejected("session_unusable")
        own["Authorization"] = f"Bearer {token}"
    content = None if body is None else orjson.dumps(body)
    return build_request(method, f"{base_url}{_GATEWAY}{path}", headers=own, content=content)
