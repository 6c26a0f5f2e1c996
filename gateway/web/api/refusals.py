"""/v1/refusals: search what was asked for and not let through, read one with its entry. A search for a subject is recorded."""

from __future__ import annotations

from typing import Final

from gateway.flows import look
from gateway.flows.look import RefusedRow, Search
from gateway.web.api.answers import RefusalAnswer, RefusalDetail, RefusalPage
from gateway.web.api.cursor import after_id, next_cursor
from gateway.web.api.disclosures import entry_of
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
    )
    found = await look.refusals(asked.tenant, wanted, asked.rooms)
    items, cursor = next_cursor([_refusal(row) for row in found], query.limit, lambda item: item.id)
    if query.subject is not None:
        await look.record(asked.actor, "refusals", wanted, len(items), asked.rooms)
    return Reply(RefusalPage(items=list(items), next_cursor=cursor))


async def read(asked: Asked) -> Reply:
    """One refusal with its entry."""
    row, body = await look.refusal(asked.tenant, asked.path["id"], asked.rooms)
    return Reply(RefusalDetail(**_refusal(row).model_dump(), entry=entry_of(body)))


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
