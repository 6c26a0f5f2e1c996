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
from gateway.flows.network.bridge import url_of
from gateway.flows.rooms import Rooms
from gateway.network.facilities import service_of
from gateway.network.lines import Line, environment_of

_NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Linked:
    """Which service a clinic's connection acts for now."""

    connection: Connection
    service: Service


async def link_facility(
    tenant: UUID, connector: str, facility: str, rooms: Rooms, *, environment: str | None = None
) -> Linked:
    """Find the service, make the connection where there is none, and claim it. Raises NotFound, Conflict or InvalidRequest."""
    operator = Actor("system", "operator", tenant, ())
    connection = (await rooms.connections.present(tenant)).connection(connector)
    line = await _line(connection, environment, rooms)
    bridge = await rooms.networks.asking.bridge(line.id)
    service = service_of(facility.strip(), bridge.services)
    rooms.networks.facilities.forget(line, service.id)
    owner = await rooms.networks.facilities.owner(line, service.id)
    if owner is not None and owner.tenant != tenant:
        raise Conflict(
            f"{service.id} is another clinic's on this gateway",
            fix="Revoke that clinic's connection first, if the facility has changed hands.",
        )
    if connection.id == _NOBODY:
        connection = await _connected(operator, line, rooms)
    granted = least_scopes(rooms.registry.connector(connector), connection.grant.features)
    await rooms.networks.facilities.claim(
        operator, connection.id, line, facility.strip(), service=service, granted=granted
    )
    return Linked(await rooms.connections.active(tenant, connector), service)


async def move(line: Line, rooms: Rooms) -> str:
    """Tell the network to send everything here from now on; the address. Raises Conflict where we do not know it."""
    ours = url_of(line.connector, rooms)
    if ours is None:
        raise Conflict("the gateway does not know its own address", fix="Set GATEWAY_PUBLIC_URL and start it again.")
    await rooms.networks.asking.move(line.id, ours)
    return ours


async def line_of(connector: str, environment: str | None, rooms: Rooms) -> Line:
    """The environment that is named, or the only one at which the gateway is registered. Raises InvalidRequest or Conflict."""
    if environment is not None:
        return rooms.networks.line(connector, environment)
    registered = {name for name, _ in await rooms.oauth.clients.all()}
    found = [line for line in rooms.networks.lines_of(connector) if line.id in registered]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Conflict(
            f"the gateway is not registered at {connector}",
            fix=f"Run `gateway clients add {connector} --environment NAME`.",
        )
    named = " or ".join(line.environment for line in found)
    raise Conflict(f"the gateway is registered in several environments of {connector}", fix=f"Name one: {named}.")


async def _line(connection: Connection, environment: str | None, rooms: Rooms) -> Line:
    """In which environment the clinic's connection is, or is to be."""
    if connection.id == _NOBODY:
        return await line_of(connection.connector, environment, rooms)
    manifest = rooms.registry.connector(connection.connector).manifest
    chosen = environment_of(manifest, connection.settings)
    if environment not in (None, chosen):
        raise Conflict(
            f"the clinic's connection is in the environment {chosen}",
            fix="Leave the environment out, or let the clinic revoke that connection first.",
        )
    return rooms.networks.line(connection.connector, chosen)


async def _connected(operator: Actor, line: Line, rooms: Rooms) -> Connection:
    """A new connection with everything on, in that environment; settings that must be made and have no other value stop it."""
    manifest = rooms.registry.connector(line.connector).manifest
    rule = manifest.credential.session
    assert rule is not None  # else there were no line
    wish = Wish(
        connector=line.connector, features=frozenset(manifest.features), settings={rule.setting: line.environment}
    )
    return (await begin(operator, wish, rooms)).connection
