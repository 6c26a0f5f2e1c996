"""/v1/keys: make, list and revoke API keys.

A key's text is shown once, in the answer that made it, and nowhere kept; only where an Idempotency-Key asks for the same
answer again does that answer lie sealed for a day.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.errors import NotFound
from gateway.store.callers import KeyRow
from gateway.web.api.answers import KeyAnswer, KeyPage, NewKeyAnswer
from gateway.web.api.cursor import after_name, next_cursor
from gateway.web.api.models import KeyBody, PageQuery
from gateway.web.api.operation import Asked, Operation, Reply
from scopes.scope import Area, Scope, Verb

_READ: Final = Scope(Area.KEYS, Verb.READ)
_WRITE: Final = Scope(Area.KEYS, Verb.WRITE)
_ID: Final = re.compile(r"[0-9A-Za-z]{1,32}")


async def create(asked: Asked) -> Reply:
    """Make a key."""
    body: KeyBody = asked.body
    scopes = [Scope.parse(text) for text in body.scopes]
    text, row = await asked.rooms.callers.create_key(asked.actor, body.title, scopes, body.expires_at)
    return Reply(NewKeyAnswer(key=text, **_told(row).model_dump()), {"location": f"/v1/keys/{row.id}"})


async def page(asked: Asked) -> Reply:
    """A page of keys, revoked ones too."""
    query: PageQuery = asked.query
    after = after_name(query.cursor)
    found = await asked.rooms.callers.keys(asked.tenant, after=after, limit=query.limit + 1)
    items, cursor = next_cursor(found, query.limit, lambda row: row.id)
    return Reply(KeyPage(items=[_told(row) for row in items], next_cursor=cursor))


async def read(asked: Asked) -> Reply:
    """One key."""
    return Reply(_told(await asked.rooms.callers.key(asked.tenant, _id(asked))))


async def revoke(asked: Asked) -> Reply:
    """Revoke a key for good. A second time changes nothing."""
    await asked.rooms.callers.revoke_key(asked.actor, _id(asked))
    return Reply()


def _id(asked: Asked) -> str:
    key_id: str = asked.path["id"]
    if not _ID.fullmatch(key_id):
        raise NotFound("there is no such key")
    return key_id


def _told(row: KeyRow) -> KeyAnswer:
    return KeyAnswer(
        id=row.id,
        title=row.title,
        scopes=row.scopes,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


OPERATIONS = (
    Operation(
        method="POST", path="/v1/keys", summary="Make an API key; its text is shown once", act=create, needs=_WRITE,
        body=KeyBody, answer=NewKeyAnswer, status=201, keeps_reply=True,
    ),
    Operation(
        method="GET", path="/v1/keys", summary="List API keys", act=page, needs=_READ, query=PageQuery, answer=KeyPage,
    ),
    Operation(
        method="GET", path="/v1/keys/{id}", summary="Read one API key", act=read, needs=_READ, answer=KeyAnswer,
        problems=(404,),
    ),
    Operation(
        method="DELETE", path="/v1/keys/{id}", summary="Revoke an API key for good", act=revoke, needs=_WRITE,
        status=204, problems=(404,),
    ),
)  # fmt: skip
