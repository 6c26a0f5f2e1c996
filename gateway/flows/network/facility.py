"""Let a clinic's connection act for its facility at a network, as the operator does. The service id is found, never typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from connectors.network import Service
from gateway.calls import Actor
from gateway.connections import Connection
from gateway.errors import Conflict
from gateway.flows.connect import Wish, begin, least_scopes
from gateway.flows.network.watching import url_of
from gateway.flows.rooms import Rooms
from gateway.network.facilities import service_of

_NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Linked:
    """Which service a clinic's connection acts for now."""

    connection: Connection
    service: Service


async def link_facility(tenant: UUID, connector: str, facility: str, rooms: Rooms) -> Linked:
    """Find the service, make the connection where there is none, and claim it. Raises NotFound, Conflict or InvalidRequest."""
    operator = Actor("system", "operator", tenant, ())
    bridge = await rooms.networks.asking.bridge(connector)
    service = service_of(facility.strip(), bridge.services)
    owner = await rooms.networks.facilities.owner(connector, service.id)
    if owner is not None and owner.tenant != tenant:
        raise Conflict(
            f"{service.id} is another clinic's on this gateway",
            fix="Revoke that clinic's connection first, if the facility has changed hands.",
        )
    connection = (await rooms.connections.present(tenant)).connection(connector)
    if connection.id == _NOBODY:
        features = frozenset(rooms.registry.connector(connector).manifest.features)
        connection = (await begin(operator, Wish(connector=connector, features=features), rooms)).connection
    granted = least_scopes(rooms.registry.connector(connector), connection.grant.features)
    await rooms.networks.facilities.claim(operator, connection.id, facility.strip(), service, granted)
    return Linked(await rooms.connections.active(tenant, connector), service)


async def move(connector: str, rooms: Rooms) -> str:
    """Tell the network to send everything here from now on; the address. Raises Conflict where we do not know it."""
    ours = url_of(connector, rooms)
    if ours is None:
        raise Conflict("the gateway does not know its own address", fix="Set GATEWAY_PUBLIC_URL and start it again.")
    await rooms.networks.asking.move(connector, ours)
    return ours
