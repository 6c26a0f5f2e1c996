"""What callers send about endpoints, checked at the border. What they are told is in endpoint_answers.py."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from gateway.web.api.models import Given, Names, Path, is_plain
from gateway.webhooks.signing import Signing
from scopes.vocabulary import Category, Purpose

_EVENTS = "Types of events, groups such as `appointment.*`, or `*`. GET /v1/events/types lists the declared types."
_CATEGORIES = "Kinds of data that it may get beyond the id of what happened. `operational` is always among them."
_FIELDS = (
    "Fields that it gets beyond the id: `type:field`, or `type:*` for all but free text. Without any, events are thin."
)
Events = Annotated[
    list[Path], Field(min_length=1, max_length=200, description=_EVENTS, examples=[["appointment.*", "invoice.paid"]])
]
Categories = Annotated[list[Category], Field(max_length=len(Category), description=_CATEGORIES)]
Fields = Annotated[Names, Field(description=_FIELDS, examples=[["appointment.booked:starts_at"]])]


class RecipientBody(Given):
    """Who receives the events, as a patient would be told."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(is_plain)]
    country: Annotated[
        str, StringConstraints(pattern=r"^[A-Z]{2}$"), Field(description="ISO 3166-1: where it keeps the data.")
    ]


class EndpointBody(Given):
    """An address of a vendor's to register. It is challenged at once, and hears nothing before it echoed the challenge."""

    url: Annotated[
        str, StringConstraints(min_length=1, max_length=500), Field(examples=["https://vendor.example/webhooks"])
    ]
    events: Events
    purpose: Purpose
    recipient: RecipientBody
    categories: Categories = Field(default_factory=list)
    fields: Fields = Field(default_factory=list)
    agreement: Annotated[Path | None, Field(description="The agreement that covers it, by the clinic's own name.")] = (
        None
    )
    signing: Annotated[
        Signing, Field(description="v1: HMAC-SHA256 with a shared secret. v1a: Ed25519, the vendor gets a public key.")
    ] = "v1"


class HearingBody(Given):
    """What an endpoint may hear; replaces what was there."""

    events: Events
    categories: Categories
    fields: Fields
