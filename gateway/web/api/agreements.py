"""/v1/agreements and /v1/policy: what recipients signed, and what the clinic's law and rules ask of every recipient."""

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
from scopes.policy import Policy
from scopes.scope import Area, Scope, Verb

_READ: Final = Scope(Area.AGREEMENTS, Verb.READ)
_WRITE: Final = Scope(Area.AGREEMENTS, Verb.WRITE)
_SERVICES: Final = "Which of the recipient's services it covers; no other one is. A connector's are in GET /v1/catalog."
_JURISDICTION: Final = "Whose law the clinic is under, ISO 3166-1. US: data about patients needs a BAA."
_REGIONS: Final = "The only countries where a recipient may process the data; null for no such rule, and none for [] ."
_Service = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
_Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class AgreementBody(Given):
    """What a recipient signed; replaces what was there."""

    kind: AgreementKind
    services: Annotated[list[_Service], Field(max_length=100, description=_SERVICES)]
    since: Annotated[Moment, Field(alias="from")]
    until: Moment | None = None


class PolicyBody(Given):
    """What the clinic's law and its own rules ask; replaces what was there."""

    jurisdiction: Annotated[_Country | None, Field(description=_JURISDICTION, examples=["US"])]
    allowed_regions: Annotated[list[_Country] | None, Field(max_length=300, description=_REGIONS, examples=[["IN"]])]


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


class PolicyAnswer(Told):
    """What the clinic's law and its own rules ask of every recipient."""

    jurisdiction: str | None
    allowed_regions: list[str] | None
    version: int = Field(description="0 where the clinic never said any.")


async def put(asked: Asked) -> Reply:
    """Record an agreement in place of the one before."""
    body: AgreementBody = asked.body
    terms = Terms(kind=body.kind, services=tuple(body.services), since=body.since, until=body.until)
    return Reply(_told(await agree(asked.actor, asked.path["recipient"], terms, asked.rooms)))


async def listed(asked: Asked) -> Reply:
    """The present agreements, expired ones too."""
    found = await asked.rooms.agreements.all_of(asked.tenant)
    return Reply(AgreementsAnswer(items=[_told(row) for row in found]))


async def read_policy(asked: Asked) -> Reply:
    """The clinic's policy."""
    return Reply(_policy(await asked.rooms.agreements.policy(asked.tenant)))


async def put_policy(asked: Asked) -> Reply:
    """Replace it, in force for every intent not yet written."""
    body: PolicyBody = asked.body
    allowed = None if body.allowed_regions is None else frozenset(body.allowed_regions)
    new = Policy(jurisdiction=body.jurisdiction, allowed_regions=allowed)
    return Reply(_policy(await asked.rooms.agreements.set_policy(asked.actor, new)))


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


def _policy(policy: Policy) -> PolicyAnswer:
    allowed = None if policy.allowed_regions is None else sorted(policy.allowed_regions)
    return PolicyAnswer(jurisdiction=policy.jurisdiction, allowed_regions=allowed, version=policy.version)


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
    Operation(
        method="GET", path="/v1/policy", summary="Read what the clinic's law and rules ask of every recipient",
        act=read_policy, needs=_READ, answer=PolicyAnswer,
    ),
    Operation(
        method="PUT", path="/v1/policy", summary="Replace what the clinic's law and rules ask of every recipient",
        act=put_policy, needs=_WRITE, body=PolicyBody, answer=PolicyAnswer,
    ),
)  # fmt: skip
