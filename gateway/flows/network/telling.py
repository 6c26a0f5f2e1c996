"""Tell the network something, as the gateway itself: a call like any host's, weighed, minimized and recorded by the broker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from gateway.calls import Actor, Answer, Call
from gateway.errors import Unavailable
from gateway.flows.broker import broker
from gateway.flows.rooms import Rooms
from scopes.vocabulary import Purpose


@dataclass(frozen=True, slots=True)
class Word:
    """What is to be told: the network's action and its payload, why, about whom."""

    action: str
    payload: Mapping[str, Any]
    purpose: Purpose
    subject: str | None = None
    """The host's reference of the patient."""


async def tell(tenant: UUID, connector: str, word: Word, rooms: Rooms, *, key: str) -> Answer:
    """Tell it once, however often it is asked for under this key. Raises what the broker raises."""
    call = Call(
        actor=Actor("system", "network", tenant, ()),
        connector=connector,
        action=word.action,
        purpose=word.purpose,
        payload=word.payload,
        request_id=key,
        subject=word.subject,
        idempotency_key=key,
    )
    answer = await broker(call, rooms)
    if not isinstance(answer, Answer):  # only messages to people wait
        raise Unavailable("the clinic's settings let this wait")
    return answer
