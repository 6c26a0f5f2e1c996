"""What a network has on file about us, compared with what we are, in words that say how to mend it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from connectors.network import Bridge, Service

DRIFTED: Final = "network.drifted"
"""The notice to a clinic whom something that is wrong concerns."""


class Fault(StrEnum):
    """One thing that is not as it should be."""

    URL_ELSEWHERE = "url_elsewhere"
    URL_MISSING = "url_missing"
    URL_UNKNOWN = "url_unknown"
    BRIDGE_OFF = "bridge_off"
    LOCKED_OUT = "locked_out"
    SERVICE_GONE = "service_gone"
    SERVICE_OFF = "service_off"
    GIVES_NO_RECORDS = "gives_no_records"


WHAT: Mapping[Fault, str] = {
    Fault.URL_ELSEWHERE: "The network sends its messages to another address than this gateway's.",
    Fault.URL_MISSING: "The network has no address on file to send messages to.",
    Fault.URL_UNKNOWN: "The gateway does not know the address at which it is reached, so none can be compared.",
    Fault.BRIDGE_OFF: "The network has switched the gateway's bridge off.",
    Fault.LOCKED_OUT: "The network does not take the gateway's registration.",
    Fault.SERVICE_GONE: "The network does not know the clinic's facility on this bridge any more.",
    Fault.SERVICE_OFF: "The network has switched the clinic's facility off.",
    Fault.GIVES_NO_RECORDS: "The clinic's facility is not registered as one that gives records.",
}
MEND: Mapping[Fault, str] = {
    Fault.URL_ELSEWHERE: "Find out which other system uses this registration and stop it; then the operator tells the "
    "network this gateway's address.",
    Fault.URL_MISSING: "The operator tells the network this gateway's address.",
    Fault.URL_UNKNOWN: "The operator sets GATEWAY_PUBLIC_URL.",
    Fault.BRIDGE_OFF: "The operator asks the network's support why.",
    Fault.LOCKED_OUT: "The operator compares the registration with the network's own; ten minutes after each third "
    "refusal it is tried again.",
    Fault.SERVICE_GONE: "Link the facility to the bridge in the register of facilities; then the operator names it here anew.",
    Fault.SERVICE_OFF: "Switch the facility on in the register of facilities.",
    Fault.GIVES_NO_RECORDS: "Register the facility as a provider of records in the register of facilities.",
}


class Who(StrEnum):
    """Who can mend something."""

    CLINIC = "clinic"
    OPERATOR = "operator"
    BOTH = "both"
    """The clinic first, then the operator."""
    NOBODY = "nobody"
    """It passes by itself."""


WHO: Mapping[Fault, Who] = {
    Fault.URL_ELSEWHERE: Who.OPERATOR,
    Fault.URL_MISSING: Who.OPERATOR,
    Fault.URL_UNKNOWN: Who.OPERATOR,
    Fault.BRIDGE_OFF: Who.OPERATOR,
    Fault.LOCKED_OUT: Who.OPERATOR,
    Fault.SERVICE_GONE: Who.BOTH,
    Fault.SERVICE_OFF: Who.CLINIC,
    Fault.GIVES_NO_RECORDS: Who.CLINIC,
}


@dataclass(frozen=True, slots=True)
class Drift:
    """What is wrong about the bridge itself, and about single facilities by their service ids."""

    bridge: tuple[Fault, ...] = ()
    services: Mapping[str, tuple[Fault, ...]] = field(default_factory=dict)

    def of(self, service: str) -> tuple[Fault, ...]:
        """What concerns one facility's clinic: the bridge's faults are everybody's."""
        return (*self.bridge, *self.services.get(service, ()))

    def __bool__(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.bridge) or any(self.services.values())


def compare(bridge: Bridge, ours: str | None, services: Iterable[str]) -> Drift:
    """What differs. `ours` is the address at which the network should call, `services` are those of our clinics."""
    known = {service.id: service for service in bridge.services}
    return Drift(_of_bridge(bridge, ours), {each: _of_service(known.get(each)) for each in services})


def _of_bridge(bridge: Bridge, ours: str | None) -> tuple[Fault, ...]:
    found = []
    if ours is None:
        found.append(Fault.URL_UNKNOWN)
    elif bridge.url is None:
        found.append(Fault.URL_MISSING)
    elif bridge.url.rstrip("/") != ours.rstrip("/"):
        found.append(Fault.URL_ELSEWHERE)
    if not bridge.active:
        found.append(Fault.BRIDGE_OFF)
    return tuple(found)


def _of_service(service: Service | None) -> tuple[Fault, ...]:
    if service is None:
        return (Fault.SERVICE_GONE,)
    found = () if service.active else (Fault.SERVICE_OFF,)
    return found if service.gives_records else (*found, Fault.GIVES_NO_RECORDS)
