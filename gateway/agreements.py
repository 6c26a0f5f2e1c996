"""What recipients signed, and the clinic's own policy; every change of them. Whether a recipient exists is the flows' to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from gateway.calls import Actor
from gateway.connections import Connections, policy_of
from gateway.ids import new_id
from gateway.ledger.entry import timestamp
from gateway.ledger.writer import Draft, append_within
from gateway.store import agreements as rows
from gateway.store.agreements import AgreementRow, Rules
from gateway.store.pool import Store
from scopes.agreement import AgreementKind
from scopes.policy import UTC, Policy

_POLICY: Final = "policy"  # what the ledger calls the integration whose grant it is


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAgreement:
    """An agreement to record. `recipient` is a connector's or an endpoint's id, `recorded` who that is in the ledger."""

    recipient: str
    recorded: Mapping[str, str] = field(compare=False)
    kind: AgreementKind
    services: Sequence[str]
    since: datetime
    until: datetime | None = None

    def is_in(self, row: AgreementRow | None) -> bool:
        """Whether a row says just this already."""
        said = (str(self.kind), sorted(self.services), self.since, self.until)
        return row is not None and said == (row.kind, row.services, row.since, row.until)


class Agreements:
    """Reads and changes agreements and the policy. Every change is one transaction with its ledger entry."""

    def __init__(self, store: Store, connections: Connections, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._connections = connections
        self._clock = clock

    async def all_of(self, tenant: UUID) -> list[AgreementRow]:
        """The present agreement with each recipient."""
        async with self._store.tenant(tenant) as connection:
            return await rows.all_of(connection, tenant)

    async def put(self, actor: Actor, new: NewAgreement) -> AgreementRow:
        """Record the agreement with a recipient in place of the one before; the same once more changes nothing."""
        tenant, now = actor.tenant, self._clock()
        async with self._store.tenant(tenant) as connection:
            before = await rows.lock(connection, tenant, new.recipient)
            if before is not None and new.is_in(before):
                return before
            row = AgreementRow(
                new.recipient, new_id(), str(new.kind), sorted(new.services), new.since, new.until, now
            )  # fmt: skip
            await rows.put(connection, tenant, row)
            entry: dict[str, Any] = {
                "v": 1,
                "actor": {"kind": actor.kind, "id": actor.id},
                "agreement": str(row.id),
                "recipient": dict(new.recorded),
                "connector": row.recipient,
                "state": "recorded",
                "what": row.kind,
                "covers": row.services,
                "from": timestamp(row.since),
            }
            if row.until is not None:
                entry["until"] = timestamp(row.until)
            await append_within(connection, Draft(tenant, "agreement", now, entry))
        self._connections.forget(tenant)
        return row

    async def policy(self, tenant: UUID) -> Policy:
        """The clinic's policy; one that asks for nothing where it never said any."""
        async with self._store.tenant(tenant) as connection:
            return policy_of(await rows.policy(connection, tenant))

    async def set_policy(self, actor: Actor, new: Policy) -> Policy:
        """Replace the policy, in force for every intent not yet written; the same once more changes nothing."""
        tenant, now, rules = actor.tenant, self._clock(), _rules(new)
        async with self._store.tenant(tenant) as connection:
            before = await rows.policy(connection, tenant)
            if before is not None and before.rules == rules:
                return replace(new, version=before.version)
            version = await rows.put_policy(connection, tenant, rules, at=now)
            entry = {
                "v": 1,
                "actor": {"kind": actor.kind, "id": actor.id},
                "connection": str(tenant),  # it stands for all of them
                "connector": _POLICY,
                "version": version,
                "features": list(_words(new)),
                "withheld": [],
            }
            await append_within(connection, Draft(tenant, "grant", now, entry))
        self._connections.forget(tenant)
        return replace(new, version=version)


def _rules(policy: Policy) -> Rules:
    """The policy as it is stored; `policy_of` reads it."""
    hours = policy.quiet_hours
    stored = None
    if hours is not None:
        begins, ends = f"{hours.begins:%H:%M}", f"{hours.ends:%H:%M}"
        stored = {"from": begins, "until": ends, "otherwise": str(hours.otherwise)}
    return Rules(
        jurisdiction=policy.jurisdiction,
        allowed_regions=None if policy.allowed_regions is None else sorted(policy.allowed_regions),
        time_zone=policy.time_zone,
        quiet_hours=stored,
        caps=[
            {"channel": cap.channel, "most": cap.most, "hours": cap.hours, "otherwise": str(cap.otherwise)}
            for cap in policy.caps
        ],
    )


def _words(policy: Policy) -> Iterator[str]:
    """The policy as the ledger says it."""
    if policy.jurisdiction is not None:
        yield f"jurisdiction:{policy.jurisdiction}"
    yield "regions:any" if policy.allowed_regions is None else "regions:listed"
    yield from (f"region:{each}" for each in sorted(policy.allowed_regions or ()))
    if policy.time_zone != UTC:
        yield f"time_zone:{policy.time_zone}"
    if policy.quiet_hours is not None:
        yield f"quiet_hours:{policy.quiet_hours}:{policy.quiet_hours.otherwise}"
    yield from (f"cap:{cap.channel or 'each'}:{cap}:{cap.otherwise}" for cap in policy.caps)
