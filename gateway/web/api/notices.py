"""/v1/notices: what the clinic should know. /v1/retention: how long what events said is kept."""

from __future__ import annotations

from gateway.flows.retention import keep_days, set_keep_days
from gateway.store import notices as rows
from gateway.web.api.cursor import after_id, next_cursor
from gateway.web.api.delivery_answers import NoticeAnswer, NoticePage, RetentionAnswer
from gateway.web.api.delivery_bodies import RetentionBody
from gateway.web.api.models import PageQuery
from gateway.web.api.operation import Asked, Operation, Reply
from scopes.scope import Area, Scope, Verb

_READ, _WRITE = Scope(Area.EVENTS, Verb.READ), Scope(Area.EVENTS, Verb.WRITE)


async def page(asked: Asked) -> Reply:
    """A page of notices."""
    query: PageQuery = asked.query
    async with asked.rooms.store.tenant(asked.tenant) as connection:
        found = await rows.page(connection, asked.tenant, before=after_id(query.cursor), limit=query.limit + 1)
    items, cursor = next_cursor(found, query.limit, lambda row: row.id)
    told = [
        NoticeAnswer(id=row.id, at=row.at, kind=row.kind, about=row.about, detail=dict(row.detail)) for row in items
    ]
    return Reply(NoticePage(items=told, next_cursor=cursor))


async def read_retention(asked: Asked) -> Reply:
    """How long it is kept."""
    return Reply(RetentionAnswer(deliveries_days=await keep_days(asked.tenant, asked.rooms)))


async def put_retention(asked: Asked) -> Reply:
    """Keep it for so long from now on."""
    body: RetentionBody = asked.body
    await set_keep_days(asked.actor, body.deliveries_days, asked.rooms)
    return await read_retention(asked)


OPERATIONS = (
    Operation(
        method="GET", path="/v1/notices", summary="List what the clinic should know, newest first", act=page, needs=_READ,
        query=PageQuery, answer=NoticePage,
    ),
    Operation(
        method="GET", path="/v1/retention", summary="Read how long what events said is kept", act=read_retention,
        needs=_READ, answer=RetentionAnswer,
    ),
    Operation(
        method="PUT", path="/v1/retention", summary="Say how long what events said is kept after its delivery",
        act=put_retention, needs=_WRITE, body=RetentionBody, answer=RetentionAnswer,
    ),
)  # fmt: skip
