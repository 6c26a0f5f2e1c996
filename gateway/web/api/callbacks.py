"""/v1/connections/{id}/callback: where the vendor calls, and the secrets that it signs with. None ever comes out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from gateway.callbacks import PREFIX
from gateway.web.api.answers import Told
from gateway.web.api.models import Given
from gateway.web.api.operation import Asked, Operation, Reply
from scopes.scope import Area, Scope, Verb

_READ, _WRITE = Scope(Area.CONNECTIONS, Verb.READ), Scope(Area.CONNECTIONS, Verb.WRITE)


class CallbackBody(Given):
    """A secret that the vendor signs its messages with. It is sealed at once and never shown again."""

    secret: Annotated[str, StringConstraints(min_length=1, max_length=4096), Field(repr=False)]


class SecretAnswer(Told):
    """One secret, without what it is."""

    id: UUID
    created_at: datetime
    expires_at: datetime | None


class CallbackAnswer(Told):
    """Where a vendor calls, and which secrets count."""

    path: str = Field(examples=["/hooks/0190163d-8694-7a3c-8f0e-6c7f3e8f7a01"])
    url: str | None = Field(
        description="The address to give to the vendor; null until the operator sets GATEWAY_PUBLIC_URL."
    )
    verify_token: str = Field(
        description="What to give to a vendor that asks for a token to verify the address with; it opens nothing."
    )
    secrets: list[SecretAnswer]


async def add(asked: Asked) -> Reply:
    """Let the vendor sign with one more secret."""
    body: CallbackBody = asked.body
    manifests = {name: each.manifest for name, each in asked.rooms.registry.connectors.items()}
    await asked.rooms.callbacks.add_secret(asked.actor, asked.path["id"], body.secret, manifests)
    return await read(asked)


async def read(asked: Asked) -> Reply:
    """Where the vendor calls."""
    callbacks = asked.rooms.callbacks
    found = await callbacks.secrets(asked.tenant, asked.path["id"])
    path = f"{PREFIX}{asked.path['id']}"
    door = await callbacks.door(asked.path["id"])
    secrets = [SecretAnswer(id=each.id, created_at=each.created_at, expires_at=each.expires_at) for each in found]
    return Reply(
        CallbackAnswer(path=path, url=callbacks.url_of(asked.path["id"]), verify_token=door.token, secrets=secrets)
    )


async def remove(asked: Asked) -> Reply:
    """Destroy a secret."""
    await asked.rooms.callbacks.remove_secret(asked.actor, asked.path["id"], asked.path["secret"])
    return Reply()


_ONE = "/v1/connections/{id:uuid}/callback"
OPERATIONS = (
    Operation(
        method="POST", path=_ONE, act=add, needs=_WRITE, body=CallbackBody, answer=CallbackAnswer, keeps_reply=True,
        summary="Hand over a secret that the vendor signs with; at most two count at once", problems=(404, 409),
    ),
    Operation(
        method="GET", path=_ONE, act=read, needs=_READ, answer=CallbackAnswer, problems=(404,),
        summary="Where the vendor calls, and how many secrets count",
    ),
    Operation(
        method="DELETE", path=_ONE + "/{secret:uuid}", act=remove, needs=_WRITE, status=204, problems=(404,),
        summary="Destroy a secret: what is signed with it counts no more",
    ),
)  # fmt: skip
