"""What callers send about events and deliveries: to publish, to search, to replay, how long to keep. Checked at the border."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from gateway.web.api.models import Given, Moment, PageQuery, Reference, is_plain

State = Literal["waiting", "delivered", "exhausted", "refused", "cancelled"]
EventType = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128),
    AfterValidator(is_plain),
    Field(examples=["appointment.booked"]),
]
_SUBJECT = "The person the event is about, as the host knows them. Only a keyed hash of it is stored."


class EventBody(Given):
    """Something that happened. Endpoints hear its id, and of the rest what the clinic granted them."""

    type: EventType
    subject: Annotated[Reference | None, Field(description=_SUBJECT)] = None
    data: Annotated[
        dict[str, Any],
        Field(
            description="`id`, and fields that the type declares. Others stay here and are named in `withheld`.",
            examples=[{"id": "appt_7Hq2ZkW9"}],
        ),
    ]


class DeliveryQuery(PageQuery):
    """Which deliveries to list."""

    endpoint: UUID | None = None
    event: UUID | None = None
    state: State | None = None
    type: EventType | None = None
    since: Annotated[Moment | None, Field(description="Of events from this moment on.")] = None
    until: Annotated[Moment | None, Field(description="Not including this moment.")] = None


class ReplayBody(Given):
    """Which of an endpoint's deliveries to make again."""

    since: Annotated[Moment, Field(description="Of events from this moment on.")]
    states: Annotated[
        tuple[Literal["delivered", "exhausted", "refused"], ...],
        Field(min_length=1, max_length=3, description="By default what never arrived."),
    ] = ("exhausted", "refused")


class RetentionBody(Given):
    """How long what events said is kept after they were delivered."""

    deliveries_days: Annotated[int, Field(ge=0, le=90)]
