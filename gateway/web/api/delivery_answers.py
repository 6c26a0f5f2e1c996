"""What callers are told about events, their deliveries, and what the clinic should know. Never what an event said."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from gateway.web.api.answers import Told
from gateway.web.api.delivery_bodies import State


class PublishedAnswer(Told):
    """An event that is on its way."""

    id: UUID = Field(description="The `webhook-id` of every delivery of it.")
    deliveries: int = Field(description="How many endpoints will hear of it.")
    withheld: list[str] = Field(description="Paths that were handed over and that the type does not declare.")


class EventAnswer(Told):
    """One event, without what it said."""

    id: UUID
    at: datetime
    type: str
    source: str = Field(description="`host`, `gateway`, or the connector whose vendor told of it.")
    subject: UUID | None = Field(description="The pseudonym of the person it is about.")
    sequence: int | None = Field(description="Its place among the events about this person.")
    kept: bool = Field(description="Whether what it said is still there; without it nothing can be replayed.")


class DeliveryAnswer(Told):
    """How the telling of one event to one endpoint stands."""

    id: UUID
    event: UUID
    type: str
    endpoint: UUID
    at: datetime = Field(description="When the event happened.")
    state: State
    attempts: int
    next_attempt_at: datetime | None = Field(description="Of a waiting one.")
    status: int | None = Field(description="The HTTP status of the last attempt.")
    code: str | None = Field(description="Why the last attempt did not succeed.")
    changed_at: datetime
    kept: bool = Field(description="Whether it can be replayed.")


class DeliveryPage(Told):
    """A page of deliveries, newest event first."""

    items: list[DeliveryAnswer]
    next_cursor: str | None = None


class AttemptAnswer(Told):
    """One attempt: a disclosure of its own, or a refusal."""

    number: int
    at: datetime
    milliseconds: int
    outcome: str
    status: int | None
    code: str | None
    disclosure: UUID


class DeliveryDetail(DeliveryAnswer):
    """One delivery with its latest attempts."""

    tried: list[AttemptAnswer]


class ReplayedAnswer(Told):
    """How many deliveries are made again."""

    deliveries: int


class NoticeAnswer(Told):
    """Something that the clinic should know."""

    id: UUID
    at: datetime
    kind: str
    about: UUID | None = Field(description="The endpoint, connection or agreement.")
    detail: dict[str, Any] = Field(description="Codes and numbers.")


class NoticePage(Told):
    """A page of notices, newest first."""

    items: list[NoticeAnswer]
    next_cursor: str | None = None


class RetentionAnswer(Told):
    """How long what events said is kept after they were delivered."""

    deliveries_days: int
