"""What callers are told about endpoints and the kinds of event. What they send is in endpoint_bodies.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from gateway.web.api.answers import FieldAnswer, Told
from scopes.vocabulary import Category

_CODE = "Why it has not proved itself: the code of what came of the challenge."


class EndpointRecipient(Told):
    """Who receives the events."""

    name: str
    country: str


class EndpointAnswer(Told):
    """One endpoint, without its secret."""

    id: UUID
    status: Literal["pending", "active", "suspended", "off", "removed"]
    why: str | None = Field(description="Why it is suspended or off: clinic, gone (it answered 410), failing.")
    url: str
    events: list[str]
    purpose: str
    recipient: EndpointRecipient
    agreement: str | None
    categories: list[Category]
    fields: list[str]
    signing: Literal["v1", "v1a"]
    public_keys: list[str] = Field(description="Of an endpoint that is signed for by v1a: what to verify with.")
    grant_version: int
    created_at: datetime
    changed_at: datetime


class NewEndpointAnswer(EndpointAnswer):
    """A new endpoint: `secret` is shown here and never again."""

    secret: str
    code: str | None = Field(None, description=f"{_CODE} POST /v1/endpoints/{{id}}/test challenges it again.")


class EndpointPage(Told):
    """A page of endpoints, oldest first."""

    items: list[EndpointAnswer]
    next_cursor: str | None


class RotatedAnswer(Told):
    """A new signing secret, shown here and never again; the one before signs too until then."""

    id: UUID
    secret: str
    public_keys: list[str]
    both_until: datetime


class TestedAnswer(Told):
    """What came of a test."""

    id: UUID
    status: Literal["pending", "active"]
    code: str | None = Field(None, description=_CODE)
    event: UUID | None = Field(None, description="Of an active endpoint: the event that is on its way to it.")


class EventTypeAnswer(Told):
    """One kind of event, and the most it may tell."""

    type: str
    title: str
    source: str = Field(description="Who publishes it: host, gateway, or a connector.")
    fields: list[FieldAnswer]
    data_schema: dict[str, Any] = Field(description="JSON Schema of `data` with every field granted.")
    example: dict[str, Any] = Field(description="Invented `data` with every field granted.")


class EventTypesAnswer(Told):
    """Every declared kind of event. Other types may be published too, with nothing but an id."""

    items: list[EventTypeAnswer]
