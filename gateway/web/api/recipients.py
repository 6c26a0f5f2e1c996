"""GET /v1/recipients: the register of recipients, as it is or as a disclosure of former days names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import ConfigDict, Field

from gateway.errors import NotFound
from gateway.store import registers
from gateway.web.api.answers import Told
from gateway.web.api.models import Given
from gateway.web.api.operation import Asked, Operation, Reply
from scopes.agreement import Agreement
from scopes.scope import Area, Scope, Verb


class RegisterQuery(Given):
    """Which version of the register."""

    version: Annotated[
        int | None,
        Field(ge=1, le=2**31 - 1, description="As intents name it in `register`; by default the present one."),
    ] = None


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


async def read(asked: Asked) -> Reply:
    """The register in force, or a former version of it."""
    query: RegisterQuery = asked.query
    signed: Mapping[str, tuple[Agreement, ...]] = {}
    if query.version is None:
        clinic = await asked.rooms.connections.present(asked.tenant)
        row, signed = await asked.rooms.registers.present(clinic), clinic.standing.agreements
    else:
        async with asked.rooms.store.tenant(asked.tenant) as connection:
            found = await registers.find(connection, asked.tenant, query.version)
        if found is None:
            raise NotFound("there is no such version of the register")
        row = found
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


OPERATIONS = (
    Operation(
        method="GET", path="/v1/recipients", summary="The register of recipients, now or as a disclosure names it",
        act=read, needs=Scope(Area.AGREEMENTS, Verb.READ), query=RegisterQuery, answer=RegisterAnswer, problems=(404,),
    ),
)  # fmt: skip
