"""/v1/endpoints: register a vendor's address, say what it hears, test, rotate, suspend, resume, remove.

A signing secret is shown once, in the answer that made it; only where an Idempotency-Key asks for the same answer again
does that answer lie sealed for a day.
"""

from __future__ import annotations

from gateway.flows.endpoints import Terms, Wish, register, regrant, resume, suspend, try_out
from gateway.web.api.cursor import after_id, next_cursor
from gateway.web.api.endpoint_answers import (
    EndpointAnswer,
    EndpointPage,
    EndpointRecipient,
    NewEndpointAnswer,
    RotatedAnswer,
    TestedAnswer,
)
from gateway.web.api.endpoint_bodies import EndpointBody, HearingBody
from gateway.web.api.models import PageQuery
from gateway.web.api.operation import Asked, Operation, Reply
from gateway.webhooks.endpoints import Endpoint, Recipient
from scopes.scope import Area, Scope, Verb

_READ, _WRITE = Scope(Area.ENDPOINTS, Verb.READ), Scope(Area.ENDPOINTS, Verb.WRITE)


async def create(asked: Asked) -> Reply:
    """Register an endpoint and challenge it."""
    body: EndpointBody = asked.body
    wish = Wish(
        url=body.url,
        events=tuple(dict.fromkeys(body.events)),
        purpose=body.purpose,
        recipient=Recipient(body.recipient.name, body.recipient.country, body.agreement),
        categories=frozenset(body.categories),
        fields=tuple(body.fields),
        signing=body.signing,
    )
    made = await register(asked.actor, wish, asked.rooms)
    told = NewEndpointAnswer(**_told(made.endpoint).model_dump(), secret=made.secret, code=made.code)
    return Reply(told, {"location": f"/v1/endpoints/{made.endpoint.id}"})


async def page(asked: Asked) -> Reply:
    """A page of endpoints, removed ones too."""
    query: PageQuery = asked.query
    after = after_id(query.cursor)
    found = await asked.rooms.endpoints.page(asked.tenant, after=after, limit=query.limit + 1)
    items, cursor = next_cursor(found, query.limit, lambda endpoint: endpoint.id)
    return Reply(EndpointPage(items=[_told(endpoint) for endpoint in items], next_cursor=cursor))


async def read(asked: Asked) -> Reply:
    """One endpoint."""
    return Reply(_told(await asked.rooms.endpoints.one(asked.tenant, asked.path["id"])))


async def grant(asked: Asked) -> Reply:
    """Replace what an endpoint may hear."""
    body: HearingBody = asked.body
    terms = Terms(
        events=tuple(dict.fromkeys(body.events)), categories=frozenset(body.categories), fields=tuple(body.fields)
    )
    return Reply(_told(await regrant(asked.actor, asked.path["id"], terms, asked.rooms)))


async def rotate(asked: Asked) -> Reply:
    """Give it a new signing secret."""
    secret = await asked.rooms.endpoints.rotate(asked.actor, asked.path["id"])
    endpoint = await asked.rooms.endpoints.one(asked.tenant, asked.path["id"])
    until = next(row.expires_at for row in endpoint.secrets if row.expires_at is not None)
    return Reply(RotatedAnswer(id=endpoint.id, secret=secret, public_keys=list(endpoint.public_keys), both_until=until))


async def test(asked: Asked) -> Reply:
    """Challenge it again, or send it a test."""
    tested = await try_out(asked.actor, asked.path["id"], asked.rooms)
    status = "pending" if tested.code is not None else "active"
    return Reply(TestedAnswer(id=tested.endpoint.id, status=status, code=tested.code, event=tested.event))


async def pause(asked: Asked) -> Reply:
    """Let it hear nothing until it is resumed."""
    return Reply(_told(await suspend(asked.actor, asked.path["id"], asked.rooms)))


async def go_on(asked: Asked) -> Reply:
    """Let it hear again."""
    return Reply(_told(await resume(asked.actor, asked.path["id"], asked.rooms)))


async def remove(asked: Asked) -> Reply:
    """Remove it for good: its secrets are destroyed. A second time changes nothing."""
    await asked.rooms.endpoints.remove(asked.actor, asked.path["id"])
    return Reply()


def _told(endpoint: Endpoint) -> EndpointAnswer:
    return EndpointAnswer(
        id=endpoint.id,
        status=endpoint.status.value,
        why=endpoint.why,
        url=endpoint.url,
        events=list(endpoint.events),
        purpose=str(endpoint.purpose),
        recipient=EndpointRecipient(name=endpoint.recipient.legal_name, country=endpoint.recipient.country),
        agreement=endpoint.recipient.agreement,
        categories=sorted(endpoint.categories),
        fields=sorted(endpoint.fields),
        signing=endpoint.signing,
        public_keys=list(endpoint.public_keys),
        grant_version=endpoint.grant_version,
        created_at=endpoint.created_at,
        changed_at=endpoint.changed_at,
    )


_ONE = "/v1/endpoints/{id:uuid}"
OPERATIONS = (
    Operation(
        method="POST", path="/v1/endpoints", summary="Register a vendor's endpoint and challenge it; its secret is shown once",
        act=create, needs=_WRITE, body=EndpointBody, answer=NewEndpointAnswer, status=201, keeps_reply=True,
    ),
    Operation(
        method="GET", path="/v1/endpoints", summary="List endpoints, oldest first, removed ones too", act=page,
        needs=_READ, query=PageQuery, answer=EndpointPage,
    ),
    Operation(
        method="GET", path=_ONE, summary="Read one endpoint", act=read, needs=_READ, answer=EndpointAnswer,
        problems=(404,),
    ),
    Operation(
        method="DELETE", path=_ONE, summary="Remove an endpoint for good; what waits for it is cancelled", act=remove,
        needs=_WRITE, status=204, problems=(404,),
    ),
    Operation(
        method="PUT", path=f"{_ONE}/grant", summary="Replace what an endpoint may hear", act=grant, needs=_WRITE,
        body=HearingBody, answer=EndpointAnswer, problems=(404, 409),
    ),
    Operation(
        method="POST", path=f"{_ONE}/rotate", summary="Give it a new signing secret; both sign for 24 hours", act=rotate,
        needs=_WRITE, answer=RotatedAnswer, keeps_reply=True, problems=(404, 409),
    ),
    Operation(
        method="POST", path=f"{_ONE}/test", summary="Challenge a pending endpoint again; send an active one a test",
        act=test, needs=_WRITE, answer=TestedAnswer, keeps_reply=True, problems=(404, 409),
    ),
    Operation(
        method="POST", path=f"{_ONE}/suspend", summary="Suspend: let it hear nothing for now", act=pause, needs=_WRITE,
        answer=EndpointAnswer, keeps_reply=True, problems=(404, 409),
    ),
    Operation(
        method="POST", path=f"{_ONE}/resume", summary="Resume an endpoint; one that is off proves itself anew first",
        act=go_on, needs=_WRITE, answer=EndpointAnswer, keeps_reply=True, problems=(404, 409),
    ),
)  # fmt: skip
