"""/v1/policy: what the clinic's law and its own rules ask of every recipient, and when and how often persons are reached."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from gateway.web.api.answers import Told
from gateway.web.api.models import Given, TimeZone
from gateway.web.api.operation import Asked, Operation, Reply
from scopes.cap import Cap
from scopes.consent import Channel
from scopes.field import Unfit
from scopes.policy import UTC, Policy
from scopes.quiet import QuietHours
from scopes.scope import Area, Scope, Verb
from scopes.vocabulary import Otherwise

MOST_HOURS: Final = 366 * 24  # as far as any cap looks back
_READ: Final = Scope(Area.AGREEMENTS, Verb.READ)
_WRITE: Final = Scope(Area.AGREEMENTS, Verb.WRITE)
_JURISDICTION: Final = "Whose law the clinic is under, ISO 3166-1. US: data about patients needs a BAA."
_REGIONS: Final = "The only countries where a recipient may process the data; null for no such rule, and none for [] ."
_TIME_ZONE: Final = "The clinic's own; it counts for people whose consent names none."
_OTHERWISE: Final = "Whether a message that may not go now waits until it may, or is refused."
_Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
_Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$"), Field(examples=["21:00"])]


class QuietHoursBody(Given):
    """The hours in which nobody is reached, by the clock of the person's own place; they may span midnight."""

    begins: Annotated[_Clock, Field(alias="from")]
    until: Annotated[_Clock, Field(examples=["08:00"])]
    otherwise: Annotated[Otherwise, Field(description=_OTHERWISE)] = Otherwise.WAIT

    @model_validator(mode="after")
    def _end_some_time(self) -> Self:
        if self.begins == self.until:
            raise Unfit("must end at another time than they begin")
        return self

    def read(self) -> QuietHours:
        """As the rules have it."""
        begins, ends = map(time.fromisoformat, (self.begins, self.until))
        return QuietHours(begins=begins, ends=ends, otherwise=self.otherwise)


class CapBody(Given):
    """At most so many messages to one person on one channel, in any so many hours."""

    channel: Annotated[Channel | None, Field(description="Null: on each channel by itself.")] = None
    most: Annotated[int, Field(strict=True, ge=1, le=1000)]
    hours: Annotated[int, Field(strict=True, ge=1, le=MOST_HOURS)]
    otherwise: Annotated[Otherwise, Field(description=_OTHERWISE)] = Otherwise.WAIT


class PolicyBody(Given):
    """What the clinic's law and its own rules ask; replaces what was there."""

    jurisdiction: Annotated[_Country | None, Field(description=_JURISDICTION, examples=["US"])]
    allowed_regions: Annotated[list[_Country] | None, Field(max_length=300, description=_REGIONS, examples=[["IN"]])]
    time_zone: Annotated[TimeZone, Field(description=_TIME_ZONE)] = UTC
    quiet_hours: QuietHoursBody | None = None
    caps: Annotated[tuple[CapBody, ...], Field(max_length=20, description="A message must keep all of them.")] = ()


class QuietHoursAnswer(Told):
    """The hours in which nobody is reached."""

    model_config = ConfigDict(serialize_by_alias=True)

    begins: str = Field(serialization_alias="from")
    until: str
    otherwise: Otherwise


class CapAnswer(Told):
    """How often a person is reached at most."""

    channel: Channel | None
    most: int
    hours: int
    otherwise: Otherwise


class PolicyAnswer(Told):
    """What the clinic's law and its own rules ask of every recipient."""

    jurisdiction: str | None
    allowed_regions: list[str] | None
    time_zone: str
    quiet_hours: QuietHoursAnswer | None
    caps: list[CapAnswer]
    version: int = Field(description="0 where the clinic never said any.")


async def read(asked: Asked) -> Reply:
    """The clinic's policy."""
    return Reply(_told(await asked.rooms.agreements.policy(asked.tenant)))


async def put(asked: Asked) -> Reply:
    """Replace it, in force for every intent not yet written."""
    body: PolicyBody = asked.body
    new = Policy(
        jurisdiction=body.jurisdiction,
        allowed_regions=None if body.allowed_regions is None else frozenset(body.allowed_regions),
        time_zone=body.time_zone,
        quiet_hours=body.quiet_hours.read() if body.quiet_hours is not None else None,
        caps=tuple(Cap(**cap.model_dump()) for cap in body.caps),
    )
    return Reply(_told(await asked.rooms.agreements.set_policy(asked.actor, new)))


def _told(policy: Policy) -> PolicyAnswer:
    hours, quiet = policy.quiet_hours, None
    if hours is not None:
        begins, ends = (f"{end:%H:%M}" for end in (hours.begins, hours.ends))
        quiet = QuietHoursAnswer(begins=begins, until=ends, otherwise=hours.otherwise)
    return PolicyAnswer(
        jurisdiction=policy.jurisdiction,
        allowed_regions=None if policy.allowed_regions is None else sorted(policy.allowed_regions),
        time_zone=policy.time_zone,
        quiet_hours=quiet,
        caps=[
            CapAnswer(channel=cap.channel, most=cap.most, hours=cap.hours, otherwise=cap.otherwise)
            for cap in policy.caps
        ],
        version=policy.version,
    )


OPERATIONS = (
    Operation(
        method="GET", path="/v1/policy", summary="Read what the clinic's law and rules ask of every recipient", act=read,
        needs=_READ, answer=PolicyAnswer,
    ),
    Operation(
        method="PUT", path="/v1/policy", summary="Replace what the clinic's law and rules ask of every recipient",
        act=put, needs=_WRITE, body=PolicyBody, answer=PolicyAnswer,
    ),
)  # fmt: skip
