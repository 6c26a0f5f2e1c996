"""/v1/events: publish what happened, and look one event up. Which endpoints hear of it is said by /v1/endpoints."""

from __future__ import annotations

from gateway.errors import NotFound
from gateway.flows.publish import NewEvent, publish
from gateway.store import events as rows
from gateway.web.api.delivery_answers import EventAnswer, PublishedAnswer
from gateway.web.api.delivery_bodies import EventBody
from gateway.web.api.operation import Asked, Operation, Reply
from gateway.webhooks.kinds import HOST
from scopes.scope import Area, Scope, Verb

_READ, _WRITE = Scope(Area.EVENTS, Verb.READ), Scope(Area.EVENTS, Verb.WRITE)


async def create(asked: Asked) -> Reply:
    """Publish an event."""
    body: EventBody = asked.body
    new = NewEvent(asked.tenant, body.type, body.data, HOST, body.subject)
    published = await publish(new, asked.rooms)
    told = PublishedAnswer(id=published.id, deliveries=published.deliveries, withheld=list(published.withheld))
    return Reply(told, {"location": f"/v1/events/{published.id}"})


async def read(asked: Asked) -> Reply:
    """One event."""
    async with asked.rooms.store.tenant(asked.tenant) as connection:
        row = await rows.find(connection, asked.tenant, asked.path["id"])
    if row is None:
        raise NotFound("there is no such event")
    return Reply(EventAnswer(**row._asdict()))


OPERATIONS = (
    Operation(
        method="POST", path="/v1/events", summary="Publish an event to the endpoints that subscribed to its type",
        act=create, needs=_WRITE, body=EventBody, answer=PublishedAnswer, status=202, keeps_reply=True,
    ),
    Operation(
        method="GET", path="/v1/events/{id:uuid}", summary="Read one event, without what it said", act=read, needs=_READ,
        answer=EventAnswer, problems=(404,),
    ),
)  # fmt: skip
