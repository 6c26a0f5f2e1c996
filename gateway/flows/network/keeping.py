"""Keep a visit's documents: made of plain records, composed of ready resources or taken as they are, checked, frozen.

A document that does not fit is refused with its paths before anything is kept: what a network can find can be sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from pydantic import ValidationError

from connectors.network import Network
from connectors.told import Party, RecordKind
from gateway.calls import Actor
from gateway.errors import InvalidRequest, NotFound
from gateway.flows.network.linking import want
from gateway.flows.rooms import Rooms
from gateway.ids import new_id
from gateway.records import Context, Frozen, NewContext
from scopes.fault import MOST_NAMED, Fault, InvalidPayload, faults_of


@dataclass(frozen=True, slots=True)
class Handed:
    """One document as a host hands it over: ready, or of a kind, as a plain record or as ready resources."""

    document: Mapping[str, Any] | None = field(default=None, repr=False)
    kind: RecordKind | None = None
    record: Mapping[str, Any] | None = field(default=None, repr=False)
    resources: Sequence[Mapping[str, Any]] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A visit with the documents that are handed over for it; a connector's name, and the host's own references."""

    connector: str
    subject: str = field(repr=False)
    reference: str = field(repr=False)
    display: str = field(repr=False)
    documents: tuple[Handed, ...] = field(repr=False)


async def keep(actor: Actor, visit: Visit, rooms: Rooms, *, link: bool) -> tuple[Context, list[UUID]]:
    """Keep a visit, and let it be linked; the ids of the documents that are new.

    Raises NotFound, InvalidRequest with paths, and Conflict.
    """
    network = network_of(visit.connector, rooms)
    maker = _Maker(network, await _facility(actor, visit.connector, rooms), rooms)
    frozen = await asyncio.to_thread(_frozen, visit.documents, maker)  # a large document takes a while
    new = NewContext(
        connector=visit.connector, subject=visit.subject, reference=visit.reference, display=visit.display,
        documents=frozen,
    )  # fmt: skip

    async def linked(session: asyncpg.Connection, context: Context) -> None:
        await want(session, actor.tenant, context, rooms)

    return await rooms.records.keep(actor, new, linked if link else None)


def network_of(connector: str, rooms: Rooms) -> Network:
    """What knows the network's form. Raises NotFound where the connector is no network of health records."""
    found = rooms.registry.connectors.get(connector)
    if found is None or found.network is None:
        raise NotFound(
            "there is no network of health records of this name", fix="GET /v1/catalog names the connectors."
        )
    return found.network


@dataclass(frozen=True, slots=True)
class _Maker:
    """What makes documents: the network's form, and the facility in whose name."""

    network: Network
    facility: Party | None
    rooms: Rooms


async def _facility(actor: Actor, connector: str, rooms: Rooms) -> Party | None:
    row = await rooms.networks.facilities.of(actor.tenant, connector)
    return None if row is None else Party(row.service, row.name)


def _frozen(handed: tuple[Handed, ...], maker: _Maker) -> tuple[Frozen, ...]:
    made: list[Frozen] = []
    faults: list[Fault] = []
    for place, each in enumerate(handed):
        try:
            document = _document(each, maker)
            wrong = maker.network.check(document)
            faults += [Fault(f"documents[{place}].{fault.path}", fault.message) for fault in wrong]
            if not faults:
                made.append(_kept(document, maker.network))
        except InvalidRequest as invalid:
            faults += [Fault(f"documents[{place}].{fault.path}", fault.message) for fault in invalid.faults]
    if faults:
        raise InvalidRequest("a document does not fit the network's profiles", faults=faults[:MOST_NAMED])
    return tuple(made)


def _document(handed: Handed, maker: _Maker) -> Mapping[str, Any]:
    if handed.document is not None:
        return handed.document
    if maker.facility is None:
        wanted = (
            "is written in the name of the clinic's facility: let the operator link it, or hand over a ready document"
        )
        raise InvalidRequest(faults=[Fault("record" if handed.resources is None else "resources", wanted)])
    try:
        return _made(handed, maker, maker.facility)
    except ValidationError as invalid:
        raise InvalidRequest(faults=list(_faults(invalid))) from None
    except InvalidPayload as invalid:
        raise InvalidRequest(faults=invalid.faults) from None


def _made(handed: Handed, maker: _Maker, facility: Party) -> Mapping[str, Any]:
    assert handed.kind is not None
    document, now = str(new_id()), maker.rooms.clock()
    if handed.resources is not None:
        return maker.network.compose_of(handed.kind, handed.resources, document=document, now=now, facility=facility)
    assert handed.record is not None
    return maker.network.document_of(handed.kind, handed.record, document=document, now=now, facility=facility)


def _faults(invalid: ValidationError) -> Iterator[Fault]:
    return (Fault(f"record.{path}", message) for path, message in faults_of(invalid).items())


def _kept(document: Mapping[str, Any], network: Network) -> Frozen:
    kind, dates = network.kind_of(document), network.dates_of(document)
    if kind is None:
        raise InvalidRequest(faults=[Fault("document", "is of no kind that the network knows")])
    if dates is None:
        raise InvalidRequest(faults=[Fault("document", "does not say of which time it is")])
    return Frozen(kind, orjson.dumps(document), *dates, network.contents_of(document))
