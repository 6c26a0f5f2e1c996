"""/v1/connections: connect with a key, grant, suspend, resume, revoke. A credential goes in and never comes out."""

from __future__ import annotations

from uuid import UUID

from gateway.connections import Connection
from gateway.errors import NotFound
from gateway.flows.connect import Terms, Wish, connect, regrant, set_up
from gateway.web.api.answers import ConnectionAnswer, ConnectionPage
from gateway.web.api.cursor import after_id, next_cursor
from gateway.web.api.models import ConnectBody, GrantBody, PageQuery, SettingsBody
from gateway.web.api.operation import Asked, Operation, Reply
from scopes.scope import Area, Scope, Verb
from scopes.vocabulary import ConnectionState

_READ, _WRITE = Scope(Area.CONNECTIONS, Verb.READ), Scope(Area.CONNECTIONS, Verb.WRITE)


async def create(asked: Asked) -> Reply:
    """Connect with a key."""
    body: ConnectBody = asked.body
    wish = Wish(
        connector=body.connector,
        secret=body.credential.secret,
        features=frozenset(body.features),
        account=body.account,
        provider_scopes=None if body.provider_scopes is None else frozenset(body.provider_scopes),
        withheld=tuple(body.withheld),
        free_text=tuple(body.free_text),
        settings=body.settings,
        expires_at=body.expires_at,
    )
    made = await connect(asked.actor, wish, asked.rooms)
    return Reply(_told(made), {"location": f"/v1/connections/{made.id}"})


async def page(asked: Asked) -> Reply:
    """A page of connections, revoked ones too."""
    query: PageQuery = asked.query
    after = after_id(query.cursor)
    found = await asked.rooms.connections.page(asked.tenant, after=after, limit=query.limit + 1)
    items, cursor = next_cursor(found, query.limit, lambda connection: connection.id)
    return Reply(ConnectionPage(items=[_told(connection) for connection in items], next_cursor=cursor))


async def read(asked: Asked) -> Reply:
    """One connection."""
    return Reply(_told(await _one(asked)))


async def grant(asked: Asked) -> Reply:
    """Replace what a connection may be used for."""
    body: GrantBody = asked.body
    terms = Terms(features=frozenset(body.features), withheld=tuple(body.withheld), free_text=tuple(body.free_text))
    await regrant(asked.actor, await _one(asked), terms, asked.rooms)
    return Reply(_told(await _one(asked)))


async def settings(asked: Asked) -> Reply:
    """Replace what the clinic set for a connection."""
    body: SettingsBody = asked.body
    await set_up(asked.actor, await _one(asked), body.settings, asked.rooms)
    return Reply(_told(await _one(asked)))


async def revoke(asked: Asked) -> Reply:
    """Revoke for good: the credential is destroyed. A second time changes nothing."""
    await asked.rooms.connections.set_state(asked.actor, asked.path["id"], ConnectionState.REVOKED)
    return Reply()


async def suspend(asked: Asked) -> Reply:
    """Let nothing through until it is resumed."""
    return await _to(asked, ConnectionState.SUSPENDED)


async def resume(asked: Asked) -> Reply:
    """Let calls through again."""
    return await _to(asked, ConnectionState.ACTIVE)


async def _to(asked: Asked, state: ConnectionState) -> Reply:
    await asked.rooms.connections.set_state(asked.actor, asked.path["id"], state)
    return Reply(_told(await _one(asked)))


async def _one(asked: Asked) -> Connection:
    """The connection that the path names, if it is the tenant's."""
    wanted: UUID = asked.path["id"]
    before = UUID(int=wanted.int - 1) if wanted.int else None  # the page that begins with this very id
    found = await asked.rooms.connections.page(asked.tenant, after=before, limit=1)
    if not found or found[0].id != wanted:
        raise NotFound("there is no such connection")
    return found[0]


def _told(connection: Connection) -> ConnectionAnswer:
    return ConnectionAnswer(
        id=connection.id,
        connector=connection.connector,
        state=connection.state,
        account=connection.account,
        provider_scopes=sorted(connection.provider_scopes),
        features=sorted(connection.grant.features),
        withheld=sorted(connection.grant.withheld),
        free_text=sorted(connection.grant.free_text),
        grant_version=connection.grant.version,
        settings=dict(connection.settings),
        expires_at=connection.expires_at,
        created_at=connection.created_at,
    )


_ONE = "/v1/connections/{id:uuid}"
OPERATIONS = (
    Operation(
        method="POST", path="/v1/connections", summary="Connect with a key of the vendor's", act=create, needs=_WRITE,
        body=ConnectBody, answer=ConnectionAnswer, status=201, keeps_reply=True, problems=(409,),
    ),
    Operation(
        method="GET", path="/v1/connections", summary="List connections, oldest first, revoked ones too", act=page,
        needs=_READ, query=PageQuery, answer=ConnectionPage,
    ),
    Operation(
        method="GET", path=_ONE, summary="Read one connection", act=read, needs=_READ, answer=ConnectionAnswer,
        problems=(404,),
    ),
    Operation(
        method="DELETE", path=_ONE, summary="Revoke a connection for good; its credential is destroyed", act=revoke,
        needs=_WRITE, status=204, problems=(404,),
    ),
    Operation(
        method="PUT", path=f"{_ONE}/grant", summary="Replace what a connection may be used for", act=grant,
        needs=_WRITE, body=GrantBody, answer=ConnectionAnswer, problems=(404, 409),
    ),
    Operation(
        method="PUT", path=f"{_ONE}/settings", summary="Replace what is set for a connection, such as its sender",
        act=settings, needs=_WRITE, body=SettingsBody, answer=ConnectionAnswer, problems=(404, 409),
    ),
    Operation(
        method="POST", path=f"{_ONE}/suspend", summary="Suspend: let nothing through for now", act=suspend,
        needs=_WRITE, answer=ConnectionAnswer, keeps_reply=True, problems=(404, 409),
    ),
    Operation(
        method="POST", path=f"{_ONE}/resume", summary="Resume a suspended connection", act=resume, needs=_WRITE,
        answer=ConnectionAnswer, keeps_reply=True, problems=(404, 409),
    ),
)  # fmt: skip
