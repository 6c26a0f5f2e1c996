"""The kinds of event there are, and what each may tell at most. Who hears of them is said by the endpoints.

Three sources: what hosts publish (gateway/webhooks/kinds_of_hosts.py, and any other type with nothing but an id), what vendors
tell us (`<connector>.<the vendor's type>`, as the connector's callback declares it), and what the gateway itself says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Protocol

from pydantic import AwareDatetime, Field, StringConstraints

from gateway.errors import InvalidRequest
from gateway.webhooks.kinds_of_hosts import MODELS, Thin, Undeclared
from scopes.event_id import EventId
from scopes.fault import Fault
from scopes.field import Disclosed, Shape, ShapeError, discloses, shape_of
from scopes.vocabulary import Category

HOST: Final = "host"
GATEWAY: Final = "gateway"
TEST: Final = "endpoint.test"
FAILING: Final = "endpoint.failing"
OFF: Final = "endpoint.off"
CALLBACK_REFUSED: Final = "callback.refused"
AGREEMENT_EXPIRING: Final = "agreement.expiring"
RECONNECT_NEEDED: Final = "connection.reconnect_needed"
WATCH_LOST: Final = "connection.watch_lost"
WATCH_RESUMED: Final = "connection.watch_resumed"
ID: Final = "id"

_WORD: Final = r"[a-z][a-z0-9_]*"
_TYPE: Final = re.compile(rf"(?=.{{3,128}}$){_WORD}(\.{_WORD}){{1,5}}")
_PATTERN: Final = re.compile(rf"(?=.{{3,128}}$){_WORD}(\.{_WORD}){{0,5}}\.\*")
_EVERYTHING: Final = "*"
_OWN_WORDS: Final = frozenset({"agreement", "endpoint", "callback", "connection", "gateway"})
_UNDECLARED: Final = shape_of(Undeclared)
_Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.]{0,63}$"), Field(examples=["failing"])]
_Recipient = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_/-]{1,130}$"), Field(examples=["payments/stripe"])]
_Count = Annotated[int, Field(strict=True, ge=0, examples=[50])]


class EndpointFailing(Thin):
    """An endpoint takes nothing; `id` is the endpoint's."""

    percent: Annotated[_Count | None, discloses(Category.OPERATIONAL, "how much of the patience is used up")] = None
    failing_since: Annotated[AwareDatetime | None, discloses(Category.OPERATIONAL, "the first failure")] = None


class EndpointOff(Thin):
    """An endpoint was switched off; `id` is the endpoint's."""

    why: Annotated[_Code | None, discloses(Category.OPERATIONAL, "why, from a fixed list")] = None


class CallbackRefused(Thin):
    """Messages in a vendor's name that were not its own; `id` is the connection's."""

    count: Annotated[_Count | None, discloses(Category.OPERATIONAL, "how many there were")] = None


class AgreementExpiring(Thin):
    """An agreement with a recipient ends soon; `id` is the agreement's."""

    recipient: Annotated[_Recipient | None, discloses(Category.OPERATIONAL, "the connector's or endpoint's id")] = None
    until: Annotated[AwareDatetime | None, discloses(Category.OPERATIONAL, "when it ends")] = None


class ReconnectNeeded(Thin):
    """A vendor accepts what it granted no more, and somebody must connect again; `id` is the connection's."""

    reason: Annotated[_Code | None, discloses(Category.OPERATIONAL, "why, from a fixed list")] = None


class WatchLost(Thin):
    """A vendor watches something no more and could not be asked anew; it is read now and then meanwhile. `id` is the watch's."""

    connection: Annotated[EventId | None, discloses(Category.OPERATIONAL, "the connection that it belongs to")] = None
    reason: Annotated[_Code | None, discloses(Category.OPERATIONAL, "why, from a fixed list")] = None


class WatchResumed(Thin):
    """A vendor watches again; `id` is the watch's."""

    connection: Annotated[EventId | None, discloses(Category.OPERATIONAL, "the connection that it belongs to")] = None


_OWN: Final[Mapping[str, tuple[str, type[Disclosed]]]] = {
    TEST: ("A test that the clinic asked for", Thin),
    FAILING: ("An endpoint has failed for long", EndpointFailing),
    OFF: ("An endpoint was switched off", EndpointOff),
    AGREEMENT_EXPIRING: ("An agreement with a recipient ends soon", AgreementExpiring),
    CALLBACK_REFUSED: ("Messages in a vendor's name were refused", CallbackRefused),
    RECONNECT_NEEDED: ("Somebody must connect again", ReconnectNeeded),
    WATCH_LOST: ("A vendor watches something no more", WatchLost),
    WATCH_RESUMED: ("A vendor watches something again", WatchResumed),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event: its type, the most it may tell, and who publishes it (host, gateway, or a connector's id)."""

    type: str
    shape: Shape
    title: str
    source: str


class _Callback(Protocol):
    @property
    def EVENTS(self) -> Mapping[str, Shape]: ...


class _Connector(Protocol):
    @property
    def family(self) -> str: ...
    @property
    def callback(self) -> _Callback | None: ...


class Connectors(Protocol):
    """What is asked of the registry."""

    @property
    def connectors(self) -> Mapping[str, _Connector]:
        """Every connector by its id."""


class Kinds:
    """Every kind by its type. Raises ShapeError where a connector's event cannot be told by its id alone."""

    def __init__(self, registry: Connectors) -> None:
        """Read the connectors' declarations once."""
        found = [*_of_hosts(), *_of_connectors(registry), *_of_gateway()]
        for kind in found:
            _check(kind)
        self._kinds = {kind.type: kind for kind in sorted(found, key=lambda kind: kind.type)}
        self._reserved = _OWN_WORDS | {connector.family for connector in registry.connectors.values()}

    def kind(self, type_: str) -> Kind:
        """The kind of that type. A type that nobody declared tells its id and nothing else."""
        return self._kinds.get(type_) or Kind(type_, _UNDECLARED, "An event of the host's own", HOST)

    def publishable(self, type_: str) -> None:
        """Raise InvalidRequest unless a host may publish events of this type."""
        if not is_type(type_):
            raise InvalidRequest(faults=[Fault("type", "must be 2 to 6 words such as appointment.booked")])
        if type_.partition(".")[0] in self._reserved:
            own = ", ".join(sorted(self._reserved))
            raise InvalidRequest(faults=[Fault("type", f"begins with a word that is not the host's: {own}")])

    def catalogue(self) -> Sequence[Kind]:
        """Every declared kind, in the order of the types."""
        return tuple(self._kinds.values())


def is_type(text: str) -> bool:
    """Whether a text has the form of an event's type."""
    return _TYPE.fullmatch(text) is not None


def is_pattern(text: str) -> bool:
    """Whether a text can be subscribed to: a type, `appointment.*`, or `*`."""
    return text == _EVERYTHING or is_type(text) or _PATTERN.fullmatch(text) is not None


def fits(pattern: str, type_: str) -> bool:
    """Whether an event's type is among what a pattern names; the database asks the same question when it publishes."""
    return pattern in (_EVERYTHING, type_) or (pattern.endswith(".*") and type_.startswith(pattern[:-1]))


def prefix_of(connector: str) -> str:
    """How the types of a connector's events begin: `payments.stripe.`."""
    return f"{connector.replace('/', '.').replace('-', '_')}."


def _of_hosts() -> Iterator[Kind]:
    for type_, (title, model) in MODELS.items():
        yield Kind(type_, shape_of(model), title, HOST)


def _of_gateway() -> Iterator[Kind]:
    for type_, (title, model) in _OWN.items():
        yield Kind(type_, shape_of(model), title, GATEWAY)


def _of_connectors(registry: Connectors) -> Iterator[Kind]:
    for name, connector in registry.connectors.items():
        for event, shape in connector.callback.EVENTS.items() if connector.callback is not None else ():
            yield Kind(f"{prefix_of(name)}{event}", shape, f"{name} says: {event}", name)


def _check(kind: Kind) -> None:
    if not is_type(kind.type):
        raise ShapeError(f"{kind.type} is no type of an event: 2 to 6 words such as appointment.booked")
    if {field.path for field in kind.shape.fields if field.required} != {ID}:
        raise ShapeError(f"{kind.type} must need its `id` and nothing else, so that the rest can stay at home")
