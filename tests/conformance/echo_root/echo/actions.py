"""What the echo declares: one field of every kind, so that each path through the gateway is tried."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from connectors.contract import Exchange
from scopes.field import Disclosed, discloses
from scopes.opaque import OpaqueReference
from scopes.transform import to_minute, to_year
from scopes.vocabulary import Category


class Urgency(StrEnum):
    """A closed word."""

    ROUTINE = "routine"
    URGENT = "urgent"


_Phone = Annotated[str, StringConstraints(pattern=r"^\+[0-9]{8,15}$"), Field(examples=["+4915112345678"])]


class Item(Disclosed):
    """A group in a list."""

    code: Annotated[str, StringConstraints(max_length=20), discloses(Category.BILLING, "which line it is")]
    amount_minor: Annotated[int | None, discloses(Category.BILLING, "what the line costs")] = None


class Place(Disclosed):
    """A group."""

    country: Annotated[Literal["DE", "IN"], discloses(Category.LOCATION, "which country's rules hold")]


class Say(Disclosed):
    """One message to nobody."""

    reference: Annotated[OpaqueReference, discloses(Category.IDENTIFIER, "finding the message again")]
    phone: Annotated[_Phone, discloses(Category.CONTACT, "where the message goes")]
    given_name: Annotated[
        str | None, StringConstraints(max_length=80), discloses(Category.IDENTITY, "the greeting")
    ] = None
    note: Annotated[
        str | None, StringConstraints(max_length=500), discloses(Category.FREE_TEXT, "a word of one's own")
    ] = None
    starts_at: Annotated[AwareDatetime | None, discloses(Category.APPOINTMENT, "the appointment's time", to_minute)] = (
        None
    )
    born: Annotated[date | None, discloses(Category.IDENTITY, "the year of birth", to_year)] = None
    urgency: Annotated[Urgency | None, discloses(Category.OPERATIONAL, "how soon it goes")] = None
    items: Annotated[list[Item] | None, discloses(Category.BILLING, "the bill's lines")] = None
    place: Annotated[Place | None, discloses(Category.LOCATION, "the place's rules")] = None


class Look(Disclosed):
    """A question about a message."""

    message: Annotated[OpaqueReference, discloses(Category.IDENTIFIER, "the message asked about")]


class Said(Disclosed):
    """What is kept of the answer."""

    id: Annotated[str, StringConstraints(max_length=64), discloses(Category.IDENTIFIER, "the echo's own id")]
    status: Annotated[
        str | None, StringConstraints(max_length=32), discloses(Category.OPERATIONAL, "how far it is")
    ] = None


ACTIONS = {"say": Exchange(Say, Said), "look": Exchange(Look, Said)}
