"""GET /v1/events/types: the declared kinds of event, and the most that each may tell. Says nothing about any clinic."""

from __future__ import annotations

from functools import cache

from connectors.example import example_of
from gateway.web.api.catalog import fields_of
from gateway.web.api.endpoint_answers import EventTypeAnswer, EventTypesAnswer
from gateway.web.api.operation import Asked, Operation, Reply
from gateway.webhooks.kinds import Kind
from scopes.scope import Area, Scope, Verb


async def read(asked: Asked) -> Reply:
    """Every declared kind."""
    return Reply(EventTypesAnswer(items=[_told(kind) for kind in asked.rooms.kinds.catalogue()]))


@cache
def _told(kind: Kind) -> EventTypeAnswer:
    return EventTypeAnswer(
        type=kind.type,
        title=kind.title,
        source=kind.source,
        fields=fields_of(kind.shape),
        data_schema=kind.shape.model.model_json_schema(),
        example=example_of(kind.shape),
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/events/types",
        summary="The kinds of event and their fields",
        act=read,
        needs=Scope(Area.CATALOG, Verb.READ),
        answer=EventTypesAnswer,
    ),
)
