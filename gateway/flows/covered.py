"""Every recipient of a clinic's beside what its law and rules ask: which agreement and why, which regions; what is refused today.

What is in use is asked as the broker would ask it; nothing is sent and nothing is written down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from connectors.manifest import AgreementRule
from connectors.registry import Connector
from gateway.connections import Clinic
from gateway.flows.rooms import Rooms
from gateway.webhooks.endpoints import Endpoint, Status
from scopes import agreement
from scopes.agreement import Agreement, AgreementKind, Need
from scopes.decision import ActionRule, Standing, needs_agreement
from scopes.policy import Policy
from scopes.vocabulary import ConnectionState, Reason

_MOST_ENDPOINTS: Final = 1_000
_ANY: Final = AgreementRule(
    needed=False, why="An endpoint's recipient is whom the clinic named; its law says what to sign."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """One recipient and how it stands. `needs` are the actions, or types of event, that need an agreement."""

    id: str
    title: str
    legal_name: str
    country: str
    regions: tuple[str, ...]
    rule: AgreementRule
    is_endpoint: bool
    in_use: bool
    signed: Agreement | None
    needs: tuple[str, ...] = ()
    always: bool = False
    """Whether the connector itself asks for it, and not the clinic's law alone."""
    by_law: AgreementKind | None = None
    lacking: Reason | None = None
    uncovered: tuple[str, ...] = ()
    """Services that are used and that no agreement in force covers."""
    outside: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
    """Channels that the law bars for data about patients, whatever is agreed."""

    @property
    def refused(self) -> bool:
        """Whether anything of it is refused as things stand."""
        return bool(self.in_use and (self.lacking or self.uncovered or self.outside or self.barred))


async def covered(tenant: UUID, rooms: Rooms, *, policy: Policy | None = None) -> list[Covered]:
    """Every recipient that a clinic knows, those in use first; under another policy than its own where one is given."""
    clinic = await rooms.connections.present(tenant)
    standing = clinic.standing if policy is None else replace(clinic.standing, policy=policy)
    endpoints = await rooms.endpoints.page(tenant, after=None, limit=_MOST_ENDPOINTS)
    now = rooms.clock()
    found = [
        *(_connector(each, clinic, standing, now) for each in rooms.registry.connectors.values()),
        *(_endpoint(each, standing, rooms, now) for each in endpoints if each.status is not Status.REMOVED),
    ]
    return sorted(found, key=lambda each: (not each.in_use, each.is_endpoint, each.title.lower()))


def _connector(connector: Connector, clinic: Clinic, standing: Standing, now: datetime) -> Covered:
    connection, manifest = clinic.connection(connector.id), connector.manifest
    on = [each.rule for each in connector.actions.values() if each.feature in connection.grant.features]
    in_use = connection.state in (ConnectionState.ACTIVE, ConnectionState.SUSPENDED)
    known = Covered(
        id=connector.id, title=manifest.title, legal_name=manifest.recipient.legal_name,
        country=manifest.recipient.country, regions=manifest.recipient.regions, rule=manifest.agreements,
        is_endpoint=False, in_use=in_use, signed=_last(standing, connector.id),
    )  # fmt: skip
    rules = on if in_use else [each.rule for each in connector.actions.values()]
    return _weighed(known, rules, standing, now)


def _endpoint(endpoint: Endpoint, standing: Standing, rooms: Rooms, now: datetime) -> Covered:
    kinds = [kind for kind in rooms.kinds.catalogue() if endpoint.subscribes(kind.type)]
    known = Covered(
        id=str(endpoint.id), title=endpoint.recipient.legal_name, legal_name=endpoint.recipient.legal_name,
        country=endpoint.recipient.country, regions=endpoint.recipient.regions, rule=_ANY, is_endpoint=True, in_use=True,
        signed=_last(standing, str(endpoint.id)),
    )  # fmt: skip
    return _weighed(known, [endpoint.rule(kind) for kind in kinds], standing, now)


def _weighed(known: Covered, rules: Sequence[ActionRule], standing: Standing, now: datetime) -> Covered:
    """What these actions ask of the recipient, as rules of a decision."""
    policy = standing.policy
    needing = [rule for rule in rules if needs_agreement(rule, policy)]
    signed = agreement.of_kind(standing.agreements.get(known.id, ()), policy.agreement_kind)
    lacking = agreement.lacking(signed, now=now) if needing else None
    return replace(
        known,
        needs=tuple(sorted({rule.name for rule in needing})),
        always=any(rule.agreement is Need.ALWAYS for rule in needing),
        by_law=policy.agreement_kind if any(policy.demands_agreement(rule.categories) for rule in needing) else None,
        lacking=lacking,
        uncovered=tuple(sorted(set(_uncovered(needing, signed, now)))) if lacking is None else (),
        outside=tuple(policy.outside(known.regions)),
        barred=tuple(
            sorted({str(r.channel) for r in rules if r.channel is not None and policy.bars(r.channel, r.categories)})
        ),
    )


def _uncovered(needing: Sequence[ActionRule], signed: Sequence[Agreement], now: datetime) -> Iterator[str]:
    for rule in needing:
        if rule.service and not any(each.in_force(now) and each.covers(rule.service) for each in signed):
            yield rule.service


def _last(standing: Standing, recipient: str) -> Agreement | None:
    found = standing.agreements.get(recipient, ())
    return found[-1] if found else None
