"""Register a vendor's endpoint and let it prove itself; say anew what it hears; test, suspend and resume it.

What is checked here needs the kinds of event and the door's rules; Endpoints keeps the rows and the ledger's entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from gateway.calls import Actor
from gateway.errors import Conflict, InvalidRequest
from gateway.flows.challenge import CHALLENGE_SECONDS, challenge
from gateway.flows.place import place
from gateway.flows.publish import NewEvent, publish
from gateway.flows.rooms import Rooms
from gateway.webhooks.endpoints import Endpoint, Hearing, NewEndpoint, Recipient, Status, Why
from gateway.webhooks.kinds import GATEWAY, ID, TEST, Kinds, fits, is_pattern
from gateway.webhooks.signing import Signing
from scopes.decision import DENIED_PURPOSES
from scopes.fault import Fault
from scopes.vocabulary import Category, Purpose

_EVERY_FIELD: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an endpoint may hear. Lists keep the order in which they were given, so that a fault can say which."""

    events: tuple[str, ...]
    categories: frozenset[Category] = frozenset()
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish(Terms):
    """What a clinic wants to register."""

    url: str
    purpose: Purpose
    recipient: Recipient
    signing: Signing = "v1"


@dataclass(frozen=True, slots=True)
class Registered:
    """A new endpoint with its secret; `code` says what kept it from proving itself."""

    endpoint: Endpoint
    secret: str = field(repr=False)
    code: str | None


@dataclass(frozen=True, slots=True)
class Tested:
    """What came of a test: of a pending endpoint whether it is proved now, of an active one the event that is on its way."""

    endpoint: Endpoint
    code: str | None = None
    event: UUID | None = None


async def register(actor: Actor, wish: Wish, rooms: Rooms, *, seconds: float = CHALLENGE_SECONDS) -> Registered:
    """Register an endpoint and challenge it at once. Raises InvalidRequest; an endpoint that fails stays pending."""
    url, wrong = place(wish.url, rooms)
    faults = [] if wrong is None else [Fault("url", wrong)]
    if wish.purpose in DENIED_PURPOSES:
        faults.append(Fault("purpose", "no integration may serve this purpose"))
    _refuse([*faults, *_faults(wish, rooms.kinds)])
    new = NewEndpoint(
        url=str(url), host=url.host, events=wish.events, purpose=wish.purpose, recipient=wish.recipient,
        categories=wish.categories, fields=frozenset(wish.fields), signing=wish.signing,
    )  # fmt: skip
    endpoint, secret = await rooms.endpoints.create(actor, new)
    proved = await _prove(actor, endpoint, rooms, seconds=seconds)
    return Registered(proved.endpoint, secret, proved.code)


async def regrant(actor: Actor, endpoint: UUID, terms: Terms, rooms: Rooms) -> Endpoint:
    """Replace what an endpoint may hear; raises InvalidRequest, NotFound or Conflict."""
    _refuse(_faults(terms, rooms.kinds))
    hearing = Hearing(events=terms.events, categories=terms.categories, fields=frozenset(terms.fields))
    return await rooms.endpoints.regrant(actor, endpoint, hearing)


async def try_out(actor: Actor, endpoint: UUID, rooms: Rooms, *, seconds: float = CHALLENGE_SECONDS) -> Tested:
    """Challenge a pending endpoint again, or publish a test to an active one alone. Raises NotFound or Conflict."""
    found = await rooms.endpoints.one(actor.tenant, endpoint)
    if found.status is Status.PENDING:
        return await _prove(actor, found, rooms, seconds=seconds)
    if found.status is not Status.ACTIVE:
        raise Conflict(f"this endpoint is {found.status}", fix="Resume it first, or register it anew if it is removed.")
    told = NewEvent(actor.tenant, TEST, {ID: str(endpoint)}, source=GATEWAY, subject=None, only=endpoint)
    published = await publish(told, rooms)
    return Tested(found, event=published.id)


async def suspend(actor: Actor, endpoint: UUID, rooms: Rooms) -> Endpoint:
    """Let it hear nothing until it is resumed. Raises NotFound or Conflict."""
    return await rooms.endpoints.set_state(
        actor, endpoint, Status.SUSPENDED, Why.CLINIC, before=frozenset({Status.ACTIVE})
    )


async def resume(actor: Actor, endpoint: UUID, rooms: Rooms, *, seconds: float = CHALLENGE_SECONDS) -> Endpoint:
    """Let a suspended endpoint hear again, or one that is off once it has proved itself anew. NotFound or Conflict."""
    found = await rooms.endpoints.one(actor.tenant, endpoint)
    if found.status in (Status.SUSPENDED, Status.ACTIVE):
        return await rooms.endpoints.set_state(
            actor, endpoint, Status.ACTIVE, before=frozenset({Status.SUSPENDED, Status.ACTIVE})
        )
    if found.status is not Status.OFF:
        raise Conflict(f"this endpoint is {found.status}", fix=f"POST /v1/endpoints/{endpoint}/test challenges it.")
    proved = await _prove(actor, found, rooms, seconds=seconds)
    if proved.code is not None:
        raise Conflict(f"this endpoint is off and did not prove itself: {proved.code}")
    return proved.endpoint


async def _prove(actor: Actor, endpoint: Endpoint, rooms: Rooms, *, seconds: float) -> Tested:
    code = await challenge(endpoint, rooms, seconds=seconds)
    if code is not None:
        return Tested(endpoint, code)
    before = frozenset({endpoint.status, Status.ACTIVE})  # not where somebody suspended or removed it meanwhile
    return Tested(await rooms.endpoints.set_state(actor, endpoint.id, Status.ACTIVE, before=before))


def _refuse(faults: Iterable[Fault]) -> None:
    found = list(faults)
    if found:
        raise InvalidRequest(faults=found)


def _faults(terms: Terms, kinds: Kinds) -> Iterator[Fault]:
    """A grant of what is not there would grant nothing, and the clinic would believe that it does."""
    if not terms.events:
        yield Fault("events", "must name at least one type, a group such as appointment.*, or *")
    for at, pattern in enumerate(terms.events):
        if not is_pattern(pattern):
            yield Fault(f"events[{at}]", "must be a type such as appointment.booked, a group appointment.*, or *")
    for at, granted in enumerate(terms.fields):
        if wrong := _wrong_field(granted, terms, kinds):
            yield Fault(f"fields[{at}]", wrong)


def _wrong_field(granted: str, terms: Terms, kinds: Kinds) -> str | None:
    type_, colon, path = granted.partition(":")
    declared = {leaf.path: leaf.category for leaf in kinds.kind(type_).shape.walk()}
    if not colon or (path != _EVERY_FIELD and path not in declared):
        return "must be type:field or type:*, as GET /v1/events/types names them"
    if not any(fits(pattern, type_) for pattern in terms.events):
        return "is of a type that is not among the events"
    category = declared.get(path, Category.OPERATIONAL)
    if path != ID and category not in terms.categories | {Category.OPERATIONAL}:
        return f"is of the category {category}, which is not among the categories"
    return None
