"""Let an endpoint prove itself: a signed challenge goes to its address and has to come back. Changes nothing.

A challenge says nothing about anybody, and the ledger already holds who is about to be called and why: the entry of
the pending endpoint is durable before the first challenge leaves.
"""

from __future__ import annotations

import hmac
import secrets
from functools import lru_cache
from typing import Any, Final

import httpx2
import orjson

from connectors.contract import ConnectorError, Unreachable
from gateway.egress import Route
from gateway.flows.rooms import Rooms
from gateway.ids import new_id
from gateway.webhooks.endpoints import Endpoint
from scopes.vocabulary import Repeat

CHALLENGE_SECONDS: Final = 10.0
DELIVERY_SECONDS: Final = 15.0
TYPE: Final = "endpoint.challenge"
_MOST_ANSWER_BYTES: Final = 4096
_CHALLENGE_BYTES: Final = 32
_OK: Final = 200


@lru_cache(maxsize=4096)
def address_of(url: str) -> httpx2.URL:
    """An endpoint's address, read once: a request that reads it anew pays twice its own price for that."""
    return httpx2.URL(url)


@lru_cache(maxsize=4096)
def route_of(url: str, *, seconds: float = DELIVERY_SECONDS, max_answer_bytes: int = 1 << 18) -> Route:
    """The way to an endpoint and nowhere else; raises ValueError for what is no address."""
    place = address_of(url)
    path = place.raw_path.decode("ascii").partition("?")[0]
    origin = f"{place.scheme}://{place.netloc.decode('ascii')}"
    return Route(
        frozenset({place.netloc.decode("ascii")}),
        origin + path,
        timeout_seconds=seconds,
        max_answer_bytes=max_answer_bytes,
    )


async def challenge(endpoint: Endpoint, rooms: Rooms, *, seconds: float = CHALLENGE_SECONDS) -> str | None:
    """Challenge an endpoint once. Nothing where it echoed the challenge in time, otherwise the code of what went wrong."""
    message, asked = str(new_id()), secrets.token_urlsafe(_CHALLENGE_BYTES)
    body = orjson.dumps({"type": TYPE, "challenge": asked})
    headers = endpoint.signer().headers(message, int(rooms.clock().timestamp()), body)
    route = route_of(endpoint.url, seconds=seconds, max_answer_bytes=_MOST_ANSWER_BYTES)
    passage = rooms.egress.through(route, credential=None, idempotency_key=message, repeat=Repeat.NEVER)
    request = httpx2.Request("POST", address_of(endpoint.url), headers=headers, content=body)
    try:
        try:
            answer = await passage.send(request)
        except Unreachable:  # not a byte left, and the door has another of the name's addresses in front now
            answer = await passage.send(request)
    except ConnectorError as failure:
        return failure.code
    return _judged(answer, asked)


def _judged(answer: httpx2.Response, asked: str) -> str | None:
    if answer.status_code != _OK:
        return "challenge_not_200"
    try:
        said: Any = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return "challenge_not_json"
    echoed = said.get("challenge") if isinstance(said, dict) else None
    if not isinstance(echoed, str) or not hmac.compare_digest(echoed.encode("utf-8"), asked.encode("ascii")):
        return "challenge_not_echoed"
    return None
