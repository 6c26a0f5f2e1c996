"""/v1/refusals: search what was asked for and not let through, read one with its entry. A search for a subject is recorded."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from gateway.errors import NotFound
from gateway.store import disclosures as rows
from gateway.store import entries
from gateway.store.disclosures import RefusedRow, Search
from gateway.web.api.answers import RefusalAnswer, RefusalDetail, RefusalPage
from gateway.web.api.cursor import after_id, next_cursor
from gateway.web.api.disclosures import entry_of, record_look, sighted_through
from gateway.web.api.models import RefusalQuery
from gateway.web.api.operation import Asked, Operation, Reply
from scopes.scope import Area, Scope, Verb

_READ: Final = Scope(Area.DISCLOSURES, Verb.READ)


async def page(asked: Asked) -> Reply:
    """A page of refusals, newest first."""
    query: RefusalQuery = asked.query
    wanted = Search(
        subject=query.subject,
        connector=query.connector,
        purpose=query.purpose,
        reason=query.reason,
        since=query.since,
        until=query.until,
        before=after_id(query.cursor),
        limit=query.limit + 1,
        through=await sighted_through(asked) if query.subject is None else None,
    )
    async with asked.rooms.store.tenant(asked.tenant) as connection:
        found = await rows.refusals(connection, asked.tenant, wanted)
    items, cursor = next_cursor([_refusal(row) for row in found], query.limit, lambda item: item.id)
    if query.subject is not None:
        await record_look(asked, "refusals", query, query.subject, len(items))
    return Reply(RefusalPage(items=list(items), next_cursor=cursor))


async def read(asked: Asked) -> Reply:
    """One refusal with its entry."""
    wanted: UUID = asked.path["id"]
    async with asked.rooms.store.tenant(asked.tenant) as connection:
        row = await rows.find_refusal(connection, asked.tenant, wanted)
        entry = await entries.entry(connection, asked.tenant, row.leaf_index) if row is not None else None
    if row is None or entry is None:
        raise NotFound("there is no such refusal")
    return Reply(RefusalDetail(**_refusal(row).model_dump(), entry=entry_of(entry.body)))


def _refusal(row: RefusedRow) -> RefusalAnswer:
    return RefusalAnswer(
        id=row.id,
        at=row.at,
        connector=row.connector,
        action=row.action,
        purpose=row.purpose,
        subject=row.subject,
        reasons=row.reasons,
        index=row.leaf_index,
    )


OPERATIONS = (
    Operation(
        method="GET", path="/v1/refusals", summary="Search refusals, newest first; a subject by its pseudonym", act=page,
        needs=_READ, query=RefusalQuery, answer=RefusalPage,
    ),
    Operation(
        method="GET", path="/v1/refusals/{id:uuid}", summary="Read one refusal with its ledger entry", act=read, needs=_READ,
        answer=RefusalDetail, problems=(404,),
    ),
)  # fmt: skip
