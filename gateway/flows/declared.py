"""Declared against actual: every field that a recipient may get or got, and how often it was about to leave in a period."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from connectors.registry import Connector
from gateway.connections import Connection
from gateway.errors import NotFound
from gateway.flows.rooms import Rooms
from gateway.tallies import Counts, FieldCount, Period
from gateway.webhooks.endpoints import Endpoint, Status
from gateway.webhooks.kinds import TEST
from scopes.field import Field, Shape
from scopes.vocabulary import ConnectionState


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredField:
    """One field of one action, or of one type of event, as it is declared and as it left.

    `off` says that it does not leave as things stand, whatever it is: not connected, not switched on, not granted.
    """

    action: str
    path: str
    category: str
    why: str | None = None
    reduction: str | None = None
    required: bool = False
    withheld: bool = False
    off: bool = False
    declared: bool = True
    count: int = 0
    failed: int = 0


async def declared(tenant: UUID, recipient: str, period: Period, rooms: Rooms) -> Counts[DeclaredField]:
    """What a connector or an endpoint may get, beside what left for it; what is not declared any more comes last.

    Raises NotFound for whom nothing is declared and nothing ever left.
    """
    if not recipient.isprintable():  # no id of anybody's, and perhaps what PostgreSQL holds in no text
        raise _nobody()
    counted = await rooms.tallies.fields(tenant, recipient, period)
    fields = await _declared(tenant, recipient, {each.action for each in counted.items}, rooms)
    if fields is None and not counted.items:
        raise _nobody()
    return Counts(counted.through, tuple(_joined(fields or [], counted.items)))


def _nobody() -> NotFound:
    return NotFound("there is no such recipient", fix="GET /v1/recipients lists their ids.")


def _joined(fields: list[DeclaredField], counted: tuple[FieldCount, ...]) -> Iterator[DeclaredField]:
    """An entry may not say how a field was reduced, so that the kind of data is what has to be the same."""
    left: dict[tuple[str, str, str], list[FieldCount]] = {}
    for each in counted:
        left.setdefault((each.action, each.path, each.category), []).append(each)
    for field in fields:
        found = left.pop((field.action, field.path, field.category), [])
        yield replace(field, count=sum(each.count for each in found), failed=sum(each.failed for each in found))
    for (action, path, category), found in left.items():
        yield DeclaredField(
            action=action, path=path, category=category, reduction=found[0].reduction, off=True, declared=False,
            count=sum(each.count for each in found), failed=sum(each.failed for each in found),
        )  # fmt: skip


async def _declared(tenant: UUID, recipient: str, done: set[str], rooms: Rooms) -> list[DeclaredField] | None:
    clinic = await rooms.connections.present(tenant)
    connector = rooms.registry.connectors.get(recipient)
    if connector is not None:
        return list(_of_connector(connector, clinic.connection(connector.id)))
    endpoint = await _endpoint(tenant, recipient, rooms)
    return None if endpoint is None else list(_of_endpoint(endpoint, done, rooms))


def _of_connector(connector: Connector, connection: Connection) -> Iterator[DeclaredField]:
    """Every field of its actions."""
    grant, active = connection.grant, connection.state is ConnectionState.ACTIVE
    for action in connector.actions.values():
        on = active and action.feature in grant.features
        for field, around in _leaves(action.shape):
            paths = {field.path, *around}
            closed = field.path in action.shape.free_text_paths and field.path not in grant.free_text
            yield DeclaredField(
                action=action.name, path=field.path, category=str(field.category), why=field.why, reduction=field.reduction,
                required=field.path in action.shape.required_paths, withheld=not paths.isdisjoint(grant.withheld),
                off=not on or closed,
            )  # fmt: skip


def _of_endpoint(endpoint: Endpoint, heard: set[str], rooms: Rooms) -> Iterator[DeclaredField]:
    """Every field of the types of event that it hears; nothing but the id goes that was not granted.

    Types that a host made up are in no list: of these the ones that it heard of.
    """
    known = {kind.type: kind for kind in rooms.kinds.catalogue()}
    known |= {type_: rooms.kinds.kind(type_) for type_ in sorted(heard - known.keys())}
    for kind in known.values():
        if not endpoint.subscribes(kind.type) and kind.type != TEST:
            continue
        held = endpoint.holds_back(kind)
        for field, around in _leaves(kind.shape):
            yield DeclaredField(
                action=kind.type, path=field.path, category=str(field.category), why=field.why, reduction=field.reduction,
                required=field.path in kind.shape.required_paths,
                off=endpoint.status is not Status.ACTIVE or not held.isdisjoint({field.path, *around}),
            )  # fmt: skip


def _leaves(shape: Shape, around: tuple[str, ...] = ()) -> Iterator[tuple[Field, tuple[str, ...]]]:
    """Every leaf with the paths of the groups that it is in."""
    for field in shape.fields:
        if field.shape is None:
            yield field, around
        else:
            yield from _leaves(field.shape, (*around, field.path))


async def _endpoint(tenant: UUID, recipient: str, rooms: Rooms) -> Endpoint | None:
    """The endpoint of that id in its one spelling, a removed one too: it did hear of things."""
    try:
        named = UUID(recipient)
        return await rooms.endpoints.one(tenant, named) if str(named) == recipient else None
    except (ValueError, NotFound):
        return None
