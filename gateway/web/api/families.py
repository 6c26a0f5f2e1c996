"""/v1/families: in which order a clinic's vendors of one kind are tried, where a call names the family."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from gateway.errors import InvalidRequest, NotFound
from gateway.web.api.answers import Told
from gateway.web.api.models import Given, Name
from gateway.web.api.operation import Asked, Operation, Reply
from scopes.fault import Fault
from scopes.scope import Area, Scope, Verb

_READ: Final = Scope(Area.CONNECTIONS, Verb.READ)
_WRITE: Final = Scope(Area.CONNECTIONS, Verb.WRITE)


class OrderBody(Given):
    """The vendors to try, the first first. One that is left out is not tried by the family's name."""

    order: Annotated[
        list[Name], Field(min_length=1, max_length=20, examples=[["messaging/whatsapp", "messaging/twilio"]])
    ]


class FamilyAnswer(Told):
    """One family and how its vendors are tried."""

    family: str
    vendors: list[str] = Field(description="Every connector of the family.")
    order: list[str] = Field(description="Those that are connected, as a call to the family tries them.")


class FamiliesAnswer(Told):
    """Every family."""

    items: list[FamilyAnswer]


async def read(asked: Asked) -> Reply:
    """Every family and its order."""
    names = dict.fromkeys(connector.family for connector in asked.rooms.registry.connectors.values())
    return Reply(FamiliesAnswer(items=[await _told(asked, name) for name in names]))


async def set_order(asked: Asked) -> Reply:
    """Replace a family's order."""
    body: OrderBody = asked.body
    family: str = asked.path["family"]
    vendors = _vendors(asked, family)
    faults = [
        Fault(f"order[{at}]", "is no vendor of this family")
        for at, each in enumerate(body.order)
        if each not in vendors
    ]
    if len(set(body.order)) != len(body.order):
        faults.append(Fault("order", "must name each vendor once"))
    if faults:
        raise InvalidRequest(faults=faults)
    await asked.rooms.connections.set_order(asked.actor, family, body.order)
    return Reply(await _told(asked, family))


def _vendors(asked: Asked, family: str) -> list[str]:
    found = [connector.id for connector in asked.rooms.registry.family(family)]
    if not found:
        raise NotFound("there is no such family", fix="GET /v1/families lists them.")
    return found


async def _told(asked: Asked, family: str) -> FamilyAnswer:
    clinic = await asked.rooms.connections.clinic(asked.tenant)
    return FamilyAnswer(family=family, vendors=_vendors(asked, family), order=list(clinic.order(family)))


OPERATIONS = (
    Operation(
        method="GET", path="/v1/families", summary="Families of connectors, and in which order their vendors are tried",
        act=read, needs=_READ, answer=FamiliesAnswer,
    ),
    Operation(
        method="PUT", path="/v1/families/{family}", summary="Replace the order in which a family's vendors are tried",
        act=set_order, needs=_WRITE, body=OrderBody, answer=FamilyAnswer, problems=(404,),
    ),
)  # fmt: skip
