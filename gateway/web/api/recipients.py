"""/v1/recipients: the register, as it is or as a disclosure of former days names it; and what really left for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import ConfigDict, Field

from gateway.errors import InvalidRequest
from gateway.flows.declared import DeclaredField, declared
from gateway.tallies import Period
from gateway.web.api.answers import Told
from gateway.web.api.models import Day, Given
from gateway.web.api.operation import Asked, Operation, Reply
from scopes.agreement import Agreement
from scopes.fault import Fault
from scopes.scope import Area, Scope, Verb

_DAYS: Final = 30


class RegisterQuery(Given):
    """Which version of the register."""

    version: Annotated[
        int | None,
        Field(ge=1, le=2**31 - 1, description="As intents name it in `register`; by default the present one."),
    ] = None


class FieldsQuery(Given):
    """Which days to count, in UTC."""

    since: Annotated[Day | None, Field(alias="from", description="By default 30 days before `until`.")] = None
    until: Annotated[Day | None, Field(description="Not including this day; by default today is the last.")] = None


class SignedAnswer(Told):
    """The agreement with a recipient."""

    model_config = ConfigDict(serialize_by_alias=True, populate_by_name=True)

    id: str
    kind: str
    services: list[str]
    since: datetime = Field(alias="from")
    until: datetime | None
    expires_in_days: int | None = Field(None, description="In the present version, of one that ends: whole days left.")
    expiring: bool = Field(False, description="In the present version: it holds and ends within 30 days.")


class RegisteredAnswer(Told):
    """One recipient, as the register has it."""

    id: str = Field(description="The connector's or the endpoint's.")
    kind: Literal["connector", "endpoint"]
    name: str
    role: str
    country: str
    address: str | None
    regions: list[str]
    transfer: str | None
    subprocessors_url: str | None
    features: list[str] = Field(description="Of a connector what is switched on; of an endpoint the events it hears.")
    purposes: list[str]
    categories: list[str] = Field(description="Kinds of data that may reach it.")
    agreement: SignedAnswer | None


class RegisterAnswer(Told):
    """One version of the register. Its hash is SHA-256 of the text that is stored, as hexadecimal digits."""

    version: int
    hash: str
    at: datetime = Field(description="In force from then on.")
    items: list[RegisteredAnswer]


class FieldCountAnswer(Told):
    """One field of one action (of an endpoint: of one type of event), as it is declared and as it left."""

    action: str
    path: str
    category: str
    why: str | None = Field(description="null where it is not declared any more.")
    reduction: str | None
    required: bool
    withheld: bool = Field(description="The clinic holds it back.")
    off: bool = Field(description="It does not leave as things stand: not connected, not switched on, not granted.")
    declared: bool = Field(description="false: it left in the period, and is not declared any more.")
    count: int = Field(description="Disclosures of the period that held it.")
    failed: int = Field(description="Of these, how many failed: they did not arrive, or the answer was refused.")


class CountedAnswer(Told):
    """How far the log is counted: every entry below `index`, of `size`."""

    index: int
    size: int


class FieldCountsAnswer(Told):
    """What a recipient may get beside what left for it in a period of days in UTC."""

    model_config = ConfigDict(serialize_by_alias=True, populate_by_name=True)

    recipient: str
    since: date = Field(alias="from")
    until: date
    counted: CountedAnswer
    items: list[FieldCountAnswer]


async def read(asked: Asked) -> Reply:
    """The register in force, or a former version of it."""
    query: RegisterQuery = asked.query
    signed: Mapping[str, tuple[Agreement, ...]] = {}
    if query.version is None:
        clinic = await asked.rooms.connections.present(asked.tenant)
        row, signed = await asked.rooms.registers.present(clinic), clinic.standing.agreements
    else:
        row = await asked.rooms.registers.former(asked.tenant, query.version)
    now = asked.rooms.clock()
    items = [_told(item, signed.get(item["id"], ()), now) for item in orjson.loads(row.body)]
    return Reply(RegisterAnswer(version=row.version, hash=row.hash.hex(), at=row.at, items=items))


def _told(item: dict[str, Any], signed: Sequence[Agreement], now: datetime) -> RegisteredAnswer:
    """One recipient; how long its agreement still holds is no part of what is stored and hashed."""
    left: dict[str, Any] = {}
    if signed and item["agreement"] is not None:
        left = {"expires_in_days": signed[-1].days_left(now), "expiring": signed[-1].expires_soon(now)}
    agreement = {**item["agreement"], **left} if item["agreement"] is not None else None
    return RegisteredAnswer.model_validate({**item, "agreement": agreement})


async def fields(asked: Asked) -> Reply:
    """Declared against actual for one recipient."""
    recipient, period = asked.path["recipient"], _period(asked.query, asked.rooms.clock())
    found = await declared(asked.tenant, recipient, period, asked.rooms)
    return Reply(
        FieldCountsAnswer(
            recipient=recipient,
            since=period.since,
            until=period.until,
            counted=CountedAnswer(index=found.through.next, size=found.through.size),
            items=[_counted(field) for field in found.items],
        )
    )


def _period(query: FieldsQuery, now: datetime) -> Period:
    until = query.until or (now + timedelta(days=1)).date()
    since = query.since or date.fromordinal(max(1, until.toordinal() - _DAYS))
    if until <= since:
        raise InvalidRequest(faults=[Fault("until", "must be after `from`")])
    return Period(since, until)


def _counted(field: DeclaredField) -> FieldCountAnswer:
    return FieldCountAnswer(**asdict(field))


OPERATIONS = (
    Operation(
        method="GET", path="/v1/recipients", summary="The register of recipients, now or as a disclosure names it",
        act=read, needs=Scope(Area.AGREEMENTS, Verb.READ), query=RegisterQuery, answer=RegisterAnswer, problems=(404,),
    ),
    Operation(
        method="GET", path="/v1/recipients/{recipient:path}/fields", act=fields, needs=Scope(Area.AGREEMENTS, Verb.READ),
        summary="What is declared for a connector or an endpoint, and how often it left", query=FieldsQuery,
        answer=FieldCountsAnswer, problems=(404,),
    ),
)  # fmt: skip
