"""/v1/agreements: what recipients signed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from gateway.flows.agree import Terms, agree
from gateway.store.agreements import AgreementRow
from gateway.web.api.answers import Told
from gateway.web.api.models import Given, Moment
from gateway.web.api.operation import Asked, Operation, Reply
from scopes.agreement import AgreementKind
from scopes.scope import Area, Scope, Verb

_READ: Final = Scope(Area.AGREEMENTS, Verb.READ)
_WRITE: Final = Scope(Area.AGREEMENTS, Verb.WRITE)
_SERVICES: Final = "Which of the recipient's services it covers; no other one is. A connector's are in GET /v1/catalog."
_Service = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class AgreementBody(Given):
    """What a recipient signed; replaces what was there."""

    kind: AgreementKind
    services: Annotated[list[_Service], Field(max_length=100, description=_SERVICES)]
    since: Annotated[Moment, Field(alias="from")]
    until: Moment | None = None


class AgreementAnswer(Told):
    """The present agreement with one recipient."""

    model_config = ConfigDict(serialize_by_alias=True)

    id: UUID
    recipient: str = Field(description="A connector's or an endpoint's id.")
    kind: AgreementKind
    services: list[str]
    since: datetime = Field(serialization_alias="from")
    until: datetime | None
    changed_at: datetime


class AgreementsAnswer(Told):
    """The present agreement with each recipient."""

    items: list[AgreementAnswer]


async def put(asked: Asked) -> Reply:
    """Record an agreement in place of the one before."""
    body: AgreementBody = asked.body
    terms = Terms(kind=body.kind, services=tuple(body.services), since=body.since, until=body.until)
    return Reply(_told(await agree(asked.actor, asked.path["recipient"], terms, asked.rooms)))


async def listed(asked: Asked) -> Reply:
    """The present agreements, expired ones too."""
    found = await asked.rooms.agreements.all_of(asked.tenant)
    return Reply(AgreementsAnswer(items=[_told(row) for row in found]))


def _told(row: AgreementRow) -> AgreementAnswer:
    return AgreementAnswer(
        id=row.id,
        recipient=row.recipient,
        kind=AgreementKind(row.kind),
        services=row.services,
        since=row.since,
        until=row.until,
        changed_at=row.changed_at,
    )


OPERATIONS = (
    Operation(
        method="GET", path="/v1/agreements", summary="List the present agreement with each recipient", act=listed,
        needs=_READ, answer=AgreementsAnswer,
    ),
    Operation(
        method="PUT", path="/v1/agreements/{recipient:path}", act=put, needs=_WRITE, body=AgreementBody,
        summary="Record the agreement with a connector or an endpoint, in place of the one before",
        answer=AgreementAnswer, problems=(404,),
    ),
)  # fmt: skip
