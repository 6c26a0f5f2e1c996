"""/v1/watches: what vendors watch for a clinic, begun, renewed and read by the gateway. What changes is told as events."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID

from pydantic import Field

from gateway.flows import watching
from gateway.flows.watching import Wanted
from gateway.watches import Watch
from gateway.web.api.answers import Told
from gateway.web.api.cursor import after_id, next_cursor
from gateway.web.api.models import Given, PageQuery
from gateway.web.api.operation import Asked, Operation, Reply
from scopes.scope import Area, Scope, Verb
from scopes.vocabulary import Purpose

_READ, _WRITE = Scope(Area.CALLS, Verb.READ), Scope(Area.CALLS, Verb.WRITE)
_States = Literal["starting", "watching", "lost", "ending"]


class WatchBody(Given):
    """Something that a vendor is to watch from now on."""

    connector: str = Field(max_length=130, examples=["teams"])
    watch: str = Field(max_length=64, description="One of the connector's watches.", examples=["shifts"])
    purpose: Purpose
    payload: dict[str, Any] = Field(description="What to watch; for how long is the gateway's to say.")


class WatchAnswer(Told):
    """One watch, and how it stands."""

    id: UUID
    connector: str
    watch: str
    connection: UUID
    purpose: str
    payload: dict[str, Any] = Field(description="What is watched.")
    state: _States = Field(description="`lost`: nothing watches just now; it is read often instead.")
    expires_at: datetime | None = Field(description="When the vendor would stop; it is renewed before.")
    read_at: datetime | None = Field(description="The last reading.")
    reads_at: datetime = Field(description="The next reading, at the latest.")
    code: str | None = Field(description="What went wrong the last time; none where nothing did.")
    created_at: datetime


class WatchPage(Told):
    """A page of watches, oldest first."""

    items: list[WatchAnswer]
    next_cursor: str | None


async def create(asked: Asked) -> Reply:
    """Have something watched; the same thing a second time is the same watch."""
    body: WatchBody = asked.body
    wanted = Wanted(body.connector, body.watch, body.purpose, body.payload)
    watch = await watching.want(asked.actor, wanted, asked.rooms)
    return Reply(_told(watch, asked.rooms.clock()), {"location": f"/v1/watches/{watch.id}"})


async def page(asked: Asked) -> Reply:
    """A page of watches."""
    query: PageQuery = asked.query
    found = await watching.listed(asked.tenant, asked.rooms, after=after_id(query.cursor), limit=query.limit + 1)
    items, cursor = next_cursor(found, query.limit, lambda watch: watch.id)
    now = asked.rooms.clock()
    return Reply(WatchPage(items=[_told(each, now) for each in items], next_cursor=cursor))


async def read(asked: Asked) -> Reply:
    """One watch."""
    return Reply(_told(await watching.one(asked.tenant, asked.path["id"], asked.rooms), asked.rooms.clock()))


async def remove(asked: Asked) -> Reply:
    """Have it watched no more. A second time changes nothing while it is being stopped."""
    await watching.leave_off(asked.actor, asked.path["id"], asked.rooms)
    return Reply()


def _told(watch: Watch, now: datetime) -> WatchAnswer:
    row = watch.row
    return WatchAnswer(
        id=watch.id,
        connector=row.connector,
        watch=row.name,
        connection=row.connection,
        purpose=row.purpose,
        payload=dict(watch.payload),
        state=cast("_States", watch.stands(now)),
        expires_at=row.expires_at,
        read_at=row.read_at,
        reads_at=row.sync_at,
        code=row.code,
        created_at=row.created_at,
    )


_ONE = "/v1/watches/{id:uuid}"
OPERATIONS = (
    Operation(
        method="POST", path="/v1/watches", summary="Have a vendor watch something, kept up by the gateway", act=create,
        needs=_WRITE, body=WatchBody, answer=WatchAnswer, status=201, keeps_reply=True, problems=(409,),
    ),
    Operation(
        method="GET", path="/v1/watches", summary="List what is watched, oldest first", act=page, needs=_READ,
        query=PageQuery, answer=WatchPage,
    ),
    Operation(
        method="GET", path=_ONE, summary="Read one watch", act=read, needs=_READ, answer=WatchAnswer, problems=(404,),
    ),
    Operation(
        method="DELETE", path=_ONE, summary="Have something watched no more", act=remove, needs=_WRITE, status=204,
        problems=(404,),
    ),
)  # fmt: skip
