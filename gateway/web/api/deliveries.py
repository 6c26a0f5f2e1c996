"""/v1/deliveries: how events fared at endpoints; replay one, or all of an endpoint since a moment."""

from __future__ import annotations

from typing import Any

from gateway.flows import fared
from gateway.flows import replay as flow
from gateway.web.api.cursor import after_id, next_cursor
from gateway.web.api.delivery_answers import (
    AttemptAnswer,
    DeliveryAnswer,
    DeliveryDetail,
    DeliveryPage,
    ReplayedAnswer,
)
from gateway.web.api.delivery_bodies import DeliveryQuery, ReplayBody
from gateway.web.api.operation import Asked, Operation, Reply
from scopes.scope import Area, Scope, Verb

_READ, _WRITE = Scope(Area.EVENTS, Verb.READ), Scope(Area.EVENTS, Verb.WRITE)


async def page(asked: Asked) -> Reply:
    """A page of deliveries."""
    query: DeliveryQuery = asked.query
    sought = fared.Sought(
        endpoint=query.endpoint, event=query.event, state=query.state, type=query.type, since=query.since,
        until=query.until, before=after_id(query.cursor), limit=query.limit + 1,
    )  # fmt: skip
    found = await fared.deliveries(asked.tenant, sought, asked.rooms)
    items, cursor = next_cursor(found, query.limit, lambda row: row.id)
    return Reply(DeliveryPage(items=[DeliveryAnswer(**_told(row)) for row in items], next_cursor=cursor))


async def read(asked: Asked) -> Reply:
    """One delivery with its attempts."""
    row, attempts = await fared.delivery(asked.tenant, asked.path["id"], asked.rooms)
    tried = [AttemptAnswer(**attempt._asdict()) for attempt in attempts]
    return Reply(DeliveryDetail(**_told(row), tried=tried))


async def replay(asked: Asked) -> Reply:
    """Make one delivery again."""
    return Reply(DeliveryAnswer(**_told(await flow.replay_one(asked.actor, asked.path["id"], asked.rooms))))


async def replay_since(asked: Asked) -> Reply:
    """Make an endpoint's deliveries again."""
    body: ReplayBody = asked.body
    count = await flow.replay_since(
        asked.actor, asked.path["id"], asked.rooms, since=body.since, states=list(body.states)
    )
    return Reply(ReplayedAnswer(deliveries=count))


def _told(row: fared.DeliveryRow) -> dict[str, Any]:
    fields = row._asdict()
    due = fields.pop("next_at")
    return {**fields, "next_attempt_at": due if row.state == "waiting" else None}


OPERATIONS = (
    Operation(
        method="GET", path="/v1/deliveries", summary="List deliveries, newest event first", act=page, needs=_READ,
        query=DeliveryQuery, answer=DeliveryPage,
    ),
    Operation(
        method="GET", path="/v1/deliveries/{id:uuid}", summary="Read one delivery with its attempts", act=read,
        needs=_READ, answer=DeliveryDetail, problems=(404,),
    ),
    Operation(
        method="POST", path="/v1/deliveries/{id:uuid}/replay", act=replay, needs=_WRITE, answer=DeliveryAnswer,
        summary="Make one delivery again, under the same webhook-id", status=202, keeps_reply=True, problems=(404, 409),
    ),
    Operation(
        method="POST", path="/v1/endpoints/{id:uuid}/replay", act=replay_since, needs=_WRITE, body=ReplayBody,
        summary="Make an endpoint's deliveries since a moment again, under the same webhook-ids", answer=ReplayedAnswer,
        status=202, keeps_reply=True, problems=(404, 409),
    ),
)  # fmt: skip
