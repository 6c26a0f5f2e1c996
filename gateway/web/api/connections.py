"""/v1/connections: connect, grant, suspend, resume, revoke; the report of scopes. A credential goes in and never comes out."""

from __future__ import annotations

from uuid import UUID

from gateway.connections import Connection
from gateway.errors import NotFound
from gateway.flows import authorize, leave
from gateway.flows.connect import Terms, Wish, begin, regrant, set_up
from gateway.flows.scopes import report
from gateway.web.api.answers import ConnectionAnswer, ConnectionPage, ReducedAnswer, ScopesAnswer
from gateway.web.api.cursor import after_id, next_cursor
from gateway.web.api.models import ConnectBody, GrantBody, PageQuery, SettingsBody
from gateway.web.api.operation import Asked, Operation, Reply
from scopes.scope import Area, Scope, Verb
from scopes.vocabulary import ConnectionState

_READ, _WRITE = Scope(Area.CONNECTIONS, Verb.READ), Scope(Area.CONNECTIONS, Verb.WRITE)


async def create(asked: Asked) -> Reply:
    """Connect with a key, or begin to connect on the vendor's page."""
    body: ConnectBody = asked.body
    wish = Wish(
        connector=body.connector,
        secret=None if body.credential is None else body.credential.secret,
        features=frozenset(body.features),
        account=body.account,
        provider_scopes=None if body.provider_scopes is None else frozenset(body.provider_scopes),
        withheld=tuple(body.withheld),
        free_text=tuple(body.free_text),
        settings=body.settings,
        expires_at=body.expires_at,
    )
    made = await begin(asked.actor, wish, asked.rooms)
    return Reply(_told(made.connection, made.address), {"location": f"/v1/connections/{made.connection.id}"})


async def reconnect(asked: Asked) -> Reply:
    """Let somebody allow it once more on the vendor's page."""
    connection = await _one(asked)
    address = await authorize.again(asked.actor, connection, asked.rooms)
    return Reply(_told(await _one(asked), address))


async def scopes(asked: Asked) -> Reply:
    """What was asked, granted, needed, used."""
    connection = await _one(asked)
    connector = asked.rooms.registry.connector(connection.connector)
    found, oauth = await report(connection, asked.rooms), connector.manifest.credential.oauth
    lacking = authorize.off(connector, connection.grant.features, found.granted)
    return Reply(
        ScopesAnswer(
            asked=sorted(found.asked),
            granted=sorted(found.granted),
            needed=sorted(found.needed),
            used=sorted(found.used),
            excess=sorted(found.excess),
            missing=sorted(found.missing),
            features_off={feature: sorted(names) for feature, names in lacking.items()},
            last_used=found.last_used,
            not_undone=oauth.not_undone if oauth is not None else None,
        )
    )


async def reduce(asked: Asked) -> Reply:
    """Give back what the features need no more."""
    done = await leave.reduce(asked.actor, await _one(asked), asked.rooms)
    return Reply(ReducedAnswer(given_back=sorted(done.given_back), authorize_url=done.address, stopped=done.stopped))


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
    """Revoke for good: the credential is destroyed, and the vendor told. A second time changes nothing."""
    await leave.revoke(asked.actor, asked.path["id"], asked.rooms)
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


def _told(connection: Connection, address: str | None = None) -> ConnectionAnswer:
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
        reconnect_needed_since=connection.reconnect_since,
        reconnect_reason=connection.reconnect_reason,
        authorize_url=address,
    )


_ONE = "/v1/connections/{id:uuid}"
OPERATIONS = (
    Operation(
        method="POST", path="/v1/connections", summary="Connect with a key, or begin on the vendor's page", act=create,
        needs=_WRITE, body=ConnectBody, answer=ConnectionAnswer, status=201, keeps_reply=True, problems=(409,),
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
        method="POST", path=f"{_ONE}/reconnect", summary="Let somebody allow it once more on the vendor's page",
        act=reconnect, needs=_WRITE, answer=ConnectionAnswer, keeps_reply=True, problems=(404, 409),
    ),
    Operation(
        method="GET", path=f"{_ONE}/scopes", summary="What was asked, granted, needed and lately used at the vendor",
        act=scopes, needs=_READ, answer=ScopesAnswer, problems=(404,),
    ),
    Operation(
        method="POST", path=f"{_ONE}/reduce", summary="Give back provider scopes that no feature needs", act=reduce,
        needs=_WRITE, answer=ReducedAnswer, keeps_reply=True, problems=(404, 409),
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
