"""/v1/waiting: calls that wait until they may go. Look them up, call them back; what they say is not shown."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from pydantic import Field

from gateway.errors import NotFound
from gateway.flows.due import cancel
from gateway.store import waiting as rows
from gateway.store.waiting import Sought, State
from gateway.web.api.cursor import after_id, next_cursor
from gateway.web.api.models import PageQuery
from gateway.web.api.operation import Asked, Operation, Reply
from gateway.web.api.waiting_answers import WaitingAnswer, WaitingPage, waiting_row
from scopes.scope import Area, Scope, Verb

_READ: Final = Scope(Area.CALLS, Verb.READ)
_WRITE: Final = Scope(Area.CALLS, Verb.WRITE)


class WaitingQuery(PageQuery):
    """Which calls to list."""

    state: Annotated[State | None, Field(description="By default all, those that wait no more too.")] = None
    subject: Annotated[UUID | None, Field(description="A subject's pseudonym, as other answers give it.")] = None


async def page(asked: Asked) -> Reply:
    """A page of calls; a look at one subject's is recorded."""
    query: WaitingQuery = asked.query
    state = str(query.state) if query.state is not None else None
    sought = Sought(state, query.subject, after_id(query.cursor), query.limit + 1)
    async with asked.rooms.store.tenant(asked.tenant) as connection:
        found = await rows.page(connection, asked.tenant, sought)
    items, cursor = next_cursor(found, query.limit, lambda row: row.id)
    if query.subject is not None:
        sought_for = {"subject": str(query.subject)}
        await asked.rooms.ledger.accessed(asked.actor, what="waiting", query=sought_for, count=len(items))
    return Reply(WaitingPage(items=list(map(waiting_row, items)), next_cursor=cursor))


async def read(asked: Asked) -> Reply:
    """One call."""
    async with asked.rooms.store.tenant(asked.tenant) as connection:
        row = await rows.find(connection, asked.tenant, asked.path["id"])
    if row is None:
        raise NotFound("there is no such call")
    return Reply(waiting_row(row))


async def remove(asked: Asked) -> Reply:
    """Call it back. A second time changes nothing."""
    await cancel(asked.actor, asked.path["id"], asked.rooms)
    return Reply()


OPERATIONS = (
    Operation(
        method="GET", path="/v1/waiting", summary="List calls that wait or waited, newest first", act=page, needs=_READ,
        query=WaitingQuery, answer=WaitingPage,
    ),
    Operation(
        method="GET", path="/v1/waiting/{id:uuid}", summary="What became of a call that waited", act=read, needs=_READ,
        answer=WaitingAnswer, problems=(404,),
    ),
    Operation(
        method="DELETE", path="/v1/waiting/{id:uuid}", summary="Call a call back that waits, in force at once", act=remove,
        needs=_WRITE, status=204, problems=(404, 409),
    ),
)  # fmt: skip
