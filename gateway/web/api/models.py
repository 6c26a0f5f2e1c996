"""What callers send: bodies and parameters, checked at the border. Inside are dataclasses; answers are in answers.py."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from scopes.fault import DAY, MOMENT
from scopes.field import Unfit
from scopes.quiet import zone_of
from scopes.scope import Scope, ScopeError
from scopes.vocabulary import Category, Purpose, Reason

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _is_written_out(value: Any) -> Any:
    if not isinstance(value, str) or not _DATE.match(value):  # a bare number would be taken for seconds since 1970
        raise Unfit(MOMENT)
    return value


def _is_a_day(value: Any) -> Any:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise Unfit(DAY)
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise Unfit(DAY) from None


def _is_a_moment_everywhere(value: datetime) -> datetime:
    try:
        value.astimezone(UTC)
    except OverflowError:  # before the year 1 or after 9999, where neither Python nor PostgreSQL has a calendar
        raise Unfit(MOMENT) from None
    return value


def _is_scope(text: str) -> str:
    try:
        return str(Scope.parse(text))
    except ScopeError as error:
        raise Unfit(str(error)) from None


def _is_time_zone(name: str) -> str:
    if zone_of(name) is None:
        raise Unfit("must be an IANA time zone such as Europe/Oslo")
    return name


def is_plain(text: str) -> str:
    """The text, or Unfit where it holds a line break or another control."""
    if not text.isprintable():
        raise Unfit("must have printable characters only")
    return text


Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Path = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(is_plain)]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(is_plain)]
Moment = Annotated[AwareDatetime, BeforeValidator(_is_written_out), AfterValidator(_is_a_moment_everywhere)]
Day = Annotated[date, BeforeValidator(_is_a_day)]
TimeZone = Annotated[
    str,
    # The system's folder of zones holds more than zones, all of it in small letters.
    StringConstraints(pattern=r"^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$", max_length=64),
    AfterValidator(_is_time_zone),
    Field(examples=["Asia/Kolkata"]),
]
ScopeText = Annotated[str, StringConstraints(max_length=600), AfterValidator(_is_scope)]
Names = Annotated[list[Path], Field(max_length=200)]
Settings = Annotated[dict[Name, Path], Field(max_length=20, examples=[{"sender": "+15005550006"}])]
_SUBJECT = "The person the data is about, as the host knows them. Only a keyed hash of it is stored."


class Given(BaseModel):
    """What a caller sends: closed, and silent about its values."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class CallBody(Given):
    """One call to a recipient."""

    connector: Annotated[Name, Field(examples=["payments/stripe"], description="A connector, or a family.")]
    action: Annotated[Name, Field(examples=["create_payment_link"])]
    purpose: Purpose
    subject: Annotated[Reference | None, Field(description=_SUBJECT)] = None
    payload: Annotated[
        dict[str, Any],
        Field(description="The action's fields. What it does not declare stays here and is named in `withheld`."),
    ]


class Credential(Given):
    """The vendor's credential. It is sealed at once and never shown again."""

    secret: Annotated[str, StringConstraints(min_length=1, max_length=4096), Field(repr=False)]


class ConnectBody(Given):
    """A connector to connect. Nothing is on that is not named in `features`."""

    connector: Name
    credential: Annotated[
        Credential | None,
        Field(description="The vendor's key; none where somebody allows it on a page of the vendor's (OAuth)."),
    ] = None
    account: Annotated[
        Path | None, Field(description="The vendor's account that is acted for, where it has such a thing.")
    ] = None
    provider_scopes: Annotated[
        Names | None,
        Field(
            description="What the key may do at the vendor: no more than the features need, and by default the least."
        ),
    ] = None
    features: Names
    withheld: Annotated[Names, Field(description="Paths of optional fields that never leave.")] = []
    free_text: Annotated[Names, Field(description="Paths of free text that may leave, screened.")] = []
    settings: Annotated[Settings, Field(description="What the connector asks for besides; the catalog names it.")] = {}
    expires_at: Moment | None = None


class SettingsBody(Given):
    """What a clinic sets for a connection; replaces what was there."""

    settings: Settings


class GrantBody(Given):
    """What a connection may be used for; replaces what was there."""

    features: Names
    withheld: Names
    free_text: Names = []


class PageQuery(Given):
    """How a list is paged."""

    cursor: Annotated[
        str | None, StringConstraints(max_length=64), Field(description="`next_cursor` of the page before.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class _Narrowing(PageQuery):
    recipient: Annotated[Path | None, Field(description="The recipient's legal name.")] = None
    connector: Annotated[Name, AfterValidator(is_plain)] | None = None
    purpose: Purpose | None = None
    category: Category | None = None
    outcome: Literal["accepted", "rejected", "failed", "unknown", "pending", "refused"] | None = None
    since: Moment | None = None
    until: Annotated[Moment | None, Field(description="Not including this moment.")] = None


class DisclosureQuery(_Narrowing):
    """A search by what may stand in an address: the subject only as its pseudonym."""

    subject: Annotated[UUID | None, Field(description="A subject's pseudonym, as other answers give it.")] = None


class SearchBody(_Narrowing):
    """The same search with the subject as the host knows it, which must not stand in an address."""

    subject: Annotated[Reference | None, Field(description=_SUBJECT)] = None


class RefusalQuery(PageQuery):
    """A search among refusals: the subject only as its pseudonym."""

    subject: Annotated[UUID | None, Field(description="A subject's pseudonym, as other answers give it.")] = None
    connector: Annotated[Name, AfterValidator(is_plain)] | None = None
    purpose: Purpose | None = None
    reason: Reason | None = None
    since: Moment | None = None
    until: Annotated[Moment | None, Field(description="Not including this moment.")] = None


class ProofQuery(Given):
    """Which of a disclosure's entries to prove."""

    entry: Literal["intent", "outcome"] = "intent"


class ConsistencyQuery(Given):
    """Two sizes of the log."""

    old_size: Annotated[int, Field(ge=1, le=2**53)]
    new_size: Annotated[int | None, Field(ge=1, le=2**53, description="By default the present size.")] = None


class BundleBody(Given):
    """What to export: a period, or what concerns one subject or one recipient in it."""

    since: Moment | None = None
    until: Moment | None = None
    subject: Annotated[Reference | None, Field(description=_SUBJECT)] = None
    recipient: Annotated[Path | None, Field(description="The recipient's legal name.")] = None


class KeyBody(Given):
    """An API key to make. Nobody can hand on a scope that they do not hold."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=80), AfterValidator(is_plain)]
    scopes: Annotated[list[ScopeText], Field(min_length=1, max_length=100, examples=[["calls:write:payments"]])]
    expires_at: Moment | None = None
