"""Record an agreement with a recipient that there is: a connector, or one of the clinic's endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from connectors.manifest import AgreementRule
from gateway.agreements import NewAgreement
from gateway.calls import Actor
from gateway.errors import InvalidRequest, NotFound
from gateway.flows.rooms import Rooms
from gateway.store.agreements import AgreementRow
from gateway.webhooks.endpoints import Status
from scopes.agreement import AgreementKind
from scopes.fault import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was signed. Services keep the order in which they were given, so that a fault can say which."""

    kind: AgreementKind
    services: tuple[str, ...]
    since: datetime
    until: datetime | None = None


async def agree(actor: Actor, recipient: str, terms: Terms, rooms: Rooms) -> AgreementRow:
    """Record an agreement in place of the one before. Raises NotFound for no recipient, InvalidRequest."""
    recorded, rule = await _recipient(actor, recipient, rooms)
    faults = list(_faults(terms, rule))
    if faults:
        raise InvalidRequest(faults=faults)
    new = NewAgreement(
        recipient=recipient, recorded=recorded, kind=terms.kind, services=tuple(dict.fromkeys(terms.services)),
        since=terms.since, until=terms.until,
    )  # fmt: skip
    return await rooms.agreements.put(actor, new)


async def _recipient(actor: Actor, recipient: str, rooms: Rooms) -> tuple[Mapping[str, str], AgreementRule | None]:
    """Who it is, and what it signs for which of its services; None where anything will do."""
    connector = rooms.registry.connectors.get(recipient)
    if connector is not None:
        manifest = connector.manifest
        return manifest.recipient.recorded(), manifest.agreements
    try:
        endpoint = UUID(recipient)
    except ValueError:
        raise _nobody() from None
    if str(endpoint) != recipient:  # one spelling per recipient: an agreement under another would cover nothing
        raise _nobody()
    found = await rooms.endpoints.one(actor.tenant, endpoint)
    if found.status is Status.REMOVED:
        raise _nobody()
    return found.recipient.recorded(), None


def _nobody() -> NotFound:
    return NotFound("there is no such recipient", fix="GET /v1/catalog and GET /v1/endpoints list their ids.")


def _faults(terms: Terms, rule: AgreementRule | None) -> Iterator[Fault]:
    if terms.until is not None and terms.until <= terms.since:
        yield Fault("until", "must be after `from`")
    if rule is None:
        return
    if terms.kind not in rule.kinds:
        yield Fault("kind", f"must be one that the recipient signs: {', '.join(rule.kinds)}")
    for at, service in enumerate(terms.services):
        if service not in rule.services:
            said = ", ".join(rule.services) or "none"
            yield Fault(f"services[{at}]", f"must be a service that the recipient tells apart: {said}")
