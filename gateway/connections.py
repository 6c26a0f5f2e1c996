"""What a clinic connected and granted, remembered per tenant, and every change of it. Opens credentials; makes no calls.

A gateway remembers a tenant's whole standing with its version. It may be out of date: an intent carries the version it
was decided on, and the commit refuses any but the present one. So reading costs nothing and a revocation still takes
effect for every intent that is not yet written.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from types import MappingProxyType
from typing import Any
from uuid import UUID

import asyncpg

from connectors.contract import CredentialRefused, Manifest
from gateway.calls import Actor
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.ids import new_id
from gateway.ledger.writer import Draft, append_within
from gateway.store import agreements, keys, ledger, tenants
from gateway.store import connections as rows
from gateway.store.pool import Store
from gateway.vault import Keyring, Vault
from scopes.agreement import Agreement, AgreementKind
from scopes.cap import Cap
from scopes.consent import Channel
from scopes.decision import Standing
from scopes.grant import Grant
from scopes.minimize import Fault
from scopes.policy import Policy
from scopes.provider import Lattice
from scopes.quiet import QuietHours
from scopes.vocabulary import ConnectionState, Otherwise

_REMEMBERED = 10_000
_CREDENTIAL = "credential"
_ANSWER = "answer"
OPERATOR = UUID(int=0)
Clock = Callable[[], datetime]
Also = Callable[[asyncpg.Connection, UUID], Awaitable[None]]


@dataclass(frozen=True)
class Connection:
    """One connection as decisions and disclosures see it; the credential stays sealed until it is asked for."""

    id: UUID
    connector: str
    state: ConnectionState
    account: str | None
    provider_scopes: frozenset[str]
    grant: Grant
    expires_at: datetime | None
    created_at: datetime | None
    includes: Callable[[frozenset[str], str], bool]
    clinic: Clinic = field(repr=False)
    sealed: bytes | None = field(repr=False)
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    reconnect_since: datetime | None = None
    reconnect_reason: str | None = None

    @property
    def reconnect_needed(self) -> bool:
        """Whether the vendor accepts what it granted no more."""
        return self.reconnect_since is not None

    @property
    def standing(self) -> int:
        """The version of the tenant's standing that this was read with."""
        return self.clinic.standing.version

    @property
    def grant_version(self) -> int:
        """The version of the grant."""
        return self.grant.version

    def credential(self) -> str:
        """The vendor's credential, opened for one call."""
        if self.sealed is None:
            raise Conflict("this connection has no credential; connect again")
        return self.clinic.keyring.open(self.sealed, purpose=_CREDENTIAL, row=str(self.id)).decode()

    def seal_answer(self, disclosure: UUID, answer: bytes) -> bytes:
        """Seal an answer that is kept for repeats of an Idempotency-Key."""
        return self.clinic.keyring.seal(answer, purpose=_ANSWER, row=str(disclosure))

    def fingerprint(self, text: bytes) -> bytes:
        """A hash under the tenant's own key."""
        return self.clinic.fingerprint(text)


@dataclass(frozen=True)
class Clinic:
    """One tenant's standing at one moment."""

    tenant: UUID
    name: str
    standing: Standing
    keyring: Keyring = field(repr=False)
    connections: Mapping[str, Connection] = field(default_factory=dict)
    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def order(self, family: str) -> tuple[str, ...]:
        """In which order the family's connected vendors are tried: as the clinic set it, else as it connected them."""
        connected = tuple(each for each in self.connections if each.partition("/")[0] == family)
        wanted = self.orders.get(family)
        return connected if wanted is None else tuple(each for each in wanted if each in connected)

    def fingerprint(self, text: bytes) -> bytes:
        """A hash under the tenant's own key: equal texts show, nothing else does."""
        return self.keyring.fingerprint(text)

    def open_answer(self, disclosure: UUID, sealed: bytes) -> bytes:
        """Open an answer that was kept for repeats."""
        return self.keyring.open(sealed, purpose=_ANSWER, row=str(disclosure))

    def seal_reply(self, key: str, reply: bytes) -> bytes:
        """Seal the reply to a request that may be repeated under this key."""
        return self.keyring.seal(reply, purpose="reply", row=key)

    def open_reply(self, key: str, sealed: bytes) -> bytes:
        """Open such a reply."""
        return self.keyring.open(sealed, purpose="reply", row=key)

    def connection(self, connector: str) -> Connection:
        """The live connection of a connector, or one that allows nothing."""
        return self.connections.get(connector) or Connection(
            UUID(int=0), connector, ConnectionState.REVOKED, None, frozenset(), Grant(), None, None, _nothing, self, None
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class NewConnection:
    """What a clinic hands over to connect; without a secret somebody has yet to allow it at the vendor."""

    manifest: Manifest
    secret: str | None = field(repr=False)
    account: str | None
    provider_scopes: frozenset[str]
    features: frozenset[str]
    withheld: frozenset[str] = frozenset()
    free_text: frozenset[str] = frozenset()
    settings: Mapping[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None


class Connections:
    """Reads and changes what clinics connected. Every change is one transaction with its ledger entry."""

    def __init__(self, store: Store, vault: Vault, lattices: Mapping[str, Lattice], *, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._lattices = lattices
        self._clock = clock
        self._clinics: OrderedDict[UUID, Clinic] = OrderedDict()

    async def clinic(self, tenant: UUID) -> Clinic:
        """The tenant's standing, as remembered or as stored."""
        known = self._clinics.get(tenant)
        if known is None:
            async with self._store.tenant(tenant) as connection:
                known = await self._read(connection, tenant)
            self._clinics[tenant] = known
            if len(self._clinics) > _REMEMBERED:
                self._clinics.popitem(last=False)
        return known

    async def present(self, tenant: UUID) -> Clinic:
        """The tenant's standing as it is stored now; costs one small read where it is remembered."""
        async with self._store.tenant(tenant) as connection:
            head = await ledger.head(connection, tenant)
        self.forget(tenant, head.standing if head is not None else None)
        return await self.clinic(tenant)

    async def active(self, tenant: UUID, connector: str) -> Connection:
        """The connection that a call of this connector would use; one that allows nothing when there is none."""
        return (await self.clinic(tenant)).connection(connector)

    def forget(self, tenant: UUID, standing: int | None = None) -> None:
        """Read the tenant anew next time, unless what is remembered already has this standing."""
        known = self._clinics.get(tenant)
        if known is not None and known.standing.version != standing:
            del self._clinics[tenant]

    async def create_tenant(self, name: str) -> UUID:
        """A new clinic: its row, its data key, the empty head of its log."""
        tenant = new_id()
        async with self._store.tenant(tenant) as connection:
            await tenants.add(connection, tenant, name)
            await keys.add(connection, tenant, self._vault.new_data_key(tenant, new_id()))
        return tenant

    async def name_of(self, tenant: UUID) -> str:
        """What a clinic is called. Raises NotFound."""
        async with self._store.tenant(tenant) as connection:
            row = await tenants.find(connection, tenant)
        if row is None:
            raise NotFound("there is no such clinic")
        return row.name

    async def connect(self, actor: Actor, new: NewConnection, also: Also | None = None) -> Connection:
        """Connect: checked, sealed, granted and recorded at once, with what else belongs to that transaction."""
        manifest, tenant = new.manifest, actor.tenant
        _check_grant(manifest, new.features)
        _check_credential(new)
        state = ConnectionState.PENDING if new.secret is None else ConnectionState.ACTIVE
        clinic, connection_id, now = await self.clinic(tenant), new_id(), self._clock()
        row = rows.ConnectionRow(
            id=connection_id, connector=manifest.id, state=str(state), account=new.account,
            provider_scopes=sorted(new.provider_scopes), features=sorted(new.features), withheld=sorted(new.withheld),
            free_text=sorted(new.free_text), grant_version=1,
            credential=None if new.secret is None
            else clinic.keyring.seal(new.secret.encode(), purpose=_CREDENTIAL, row=str(connection_id)),
            expires_at=new.expires_at, created_at=now, changed_at=now, settings=dict(new.settings),
        )  # fmt: skip
        entry = {
            **about(actor, row),
            "state": row.state,
            "provider_scopes": row.provider_scopes,
            "recipient": manifest.recipient.recorded(),
            "features": row.features,
            "withheld": row.withheld,
            "version": 1,
        }
        async with self._store.tenant(tenant) as connection:
            try:
                async with connection.transaction():
                    await rows.add(connection, tenant, row)
            except asyncpg.UniqueViolationError:
                raise Conflict(f"{manifest.id} is already connected; revoke that connection first") from None
            await append_within(connection, Draft(tenant, "connection", now, entry))
            if also is not None:
                await also(connection, connection_id)
        self.forget(tenant)
        return await self.active(tenant, manifest.id)

    async def grant(
        self, actor: Actor, connection_id: UUID, grant: Grant, manifest_of: Callable[[str], Manifest]
    ) -> Grant:
        """Replace what a connection may be used for; in force for every intent not yet written."""
        tenant = actor.tenant
        async with self._store.tenant(tenant) as connection:
            row = await locked(connection, tenant, connection_id)
            if row.state == ConnectionState.REVOKED:
                raise Conflict("this connection is revoked; connect again")
            _check_grant(manifest_of(row.connector), grant.features)
            await rows.regrant(
                connection, tenant, connection_id, features=sorted(grant.features), withheld=sorted(grant.withheld),
                free_text=sorted(grant.free_text),
            )  # fmt: skip
            version = row.grant_version + 1
            entry = {
                **about(actor, row),
                "version": version,
                "features": sorted(grant.features),
                "withheld": sorted(grant.withheld),
                "what": sorted(grant.free_text),
            }
            await append_within(connection, Draft(tenant, "grant", self._clock(), entry))
        self.forget(tenant)
        return Grant(grant.features, grant.withheld, version, grant.free_text, grant.expires_at)

    async def set_state(self, actor: Actor, connection_id: UUID, state: ConnectionState) -> None:
        """Suspend, resume or revoke; revoking destroys the credential and is final."""
        tenant = actor.tenant
        async with self._store.tenant(tenant) as connection:
            row = await locked(connection, tenant, connection_id)
            if row.state == state:
                return
            if row.state == ConnectionState.REVOKED:
                raise Conflict("this connection is revoked; connect again")
            if row.state == ConnectionState.PENDING and state != ConnectionState.REVOKED:
                raise Conflict("nobody has allowed this connection at the vendor yet; connect again")
            await rows.set_state(connection, tenant, connection_id, str(state))
            entry = {**about(actor, row), "state": str(state)}
            await append_within(connection, Draft(tenant, "connection", self._clock(), entry))
        self.forget(tenant)

    async def set_settings(self, actor: Actor, connection_id: UUID, settings: Mapping[str, str]) -> None:
        """Replace what the clinic set for a connection; the ledger gets the names."""
        tenant = actor.tenant
        async with self._store.tenant(tenant) as connection:
            row = await locked(connection, tenant, connection_id)
            if row.state == ConnectionState.REVOKED:
                raise Conflict("this connection is revoked; connect again")
            await rows.set_settings(connection, tenant, connection_id, settings)
            entry = {
                **about(actor, row),
                "state": row.state,
                "what": [f"settings.{name}" for name in sorted(settings)],
            }
            await append_within(connection, Draft(tenant, "connection", self._clock(), entry))
        self.forget(tenant)

    async def set_order(self, actor: Actor, family: str, connectors: Sequence[str]) -> None:
        """In which order a family's vendors are tried, in force for every call not yet decided; one left out is not tried."""
        tenant, now = actor.tenant, self._clock()
        async with self._store.tenant(tenant) as connection:
            version = await rows.put_order(connection, tenant, family, connectors, at=now)
            entry = {
                "v": 1,
                "actor": {"kind": actor.kind, "id": actor.id},
                "connection": str(tenant),  # it stands for all of the family's
                "connector": family,
                "version": version,
                "features": [f"order:{each}" for each in connectors],
                "withheld": [],
            }
            await append_within(connection, Draft(tenant, "grant", now, entry))
        self.forget(tenant)

    async def operator(self) -> Keyring:
        """The keys that seal what is the whole gateway's and no clinic's; made at the first use."""
        async with self._store.tenant(OPERATOR) as connection:
            found = await keys.all_of(connection, OPERATOR)
            if not found:
                # Two gateways may do this at once: both keys stay then, and each value names the one that it is under.
                found = [self._vault.new_data_key(OPERATOR, new_id())]
                await keys.add(connection, OPERATOR, found[0])
        return self._vault.keyring(OPERATOR, found)

    async def page(self, tenant: UUID, *, after: UUID | None, limit: int) -> list[Connection]:
        """The tenant's connections, revoked ones too, oldest first."""
        clinic = await self.clinic(tenant)
        async with self._store.tenant(tenant) as connection:
            return [
                self._connection(clinic, row) for row in await rows.page(connection, tenant, after=after, limit=limit)
            ]

    async def _read(self, connection: asyncpg.Connection, tenant: UUID) -> Clinic:
        # The standing first: if it changes while we read on, what we decide is refused at the commit, never let through.
        head = await ledger.head(connection, tenant)
        row = await tenants.find(connection, tenant)
        if head is None or row is None:
            raise NotFound("there is no such tenant")
        keyring = self._vault.keyring(tenant, await keys.all_of(connection, tenant))
        found: dict[str, Connection] = {}
        standing = Standing(
            version=head.standing,
            policy=policy_of(await agreements.policy(connection, tenant)),
            agreements=_by_recipient(await agreements.all_of(connection, tenant)),
        )
        orders = MappingProxyType(await rows.orders(connection, tenant))
        clinic = Clinic(tenant, row.name, standing, keyring, MappingProxyType(found), orders)
        for live in await rows.live(connection, tenant):
            found[live.connector] = self._connection(clinic, live)
        return clinic

    def _connection(self, clinic: Clinic, row: rows.ConnectionRow) -> Connection:
        lattice = self._lattices.get(row.connector)
        return Connection(
            id=row.id,
            connector=row.connector,
            state=ConnectionState(row.state),
            account=row.account,
            provider_scopes=frozenset(row.provider_scopes),
            grant=Grant(frozenset(row.features), frozenset(row.withheld), row.grant_version, frozenset(row.free_text)),
            expires_at=row.expires_at,
            created_at=row.created_at,
            includes=lattice.includes if lattice is not None else _nothing,
            clinic=clinic,
            sealed=row.credential,
            settings=MappingProxyType(row.settings),
            reconnect_since=row.reconnect_since,
            reconnect_reason=row.reconnect_reason,
        )


def policy_of(row: agreements.PolicyRow | None) -> Policy:
    """A stored policy; one that asks for nothing where there is none."""
    if row is None:
        return Policy()
    rules, hours = row.rules, row.rules.quiet_hours
    return Policy(
        jurisdiction=rules.jurisdiction,
        allowed_regions=None if rules.allowed_regions is None else frozenset(rules.allowed_regions),
        version=row.version,
        time_zone=rules.time_zone,
        quiet_hours=None if hours is None else _quiet_hours(hours),
        caps=tuple(map(_cap, rules.caps)),
    )


def _quiet_hours(stored: Mapping[str, Any]) -> QuietHours:
    begins, ends = (time.fromisoformat(stored[end]) for end in ("from", "until"))
    return QuietHours(begins=begins, ends=ends, otherwise=Otherwise(stored["otherwise"]))


def _cap(stored: Mapping[str, Any]) -> Cap:
    channel = Channel(stored["channel"]) if stored["channel"] is not None else None
    return Cap(channel=channel, most=stored["most"], hours=stored["hours"], otherwise=Otherwise(stored["otherwise"]))


def _by_recipient(signed: list[agreements.AgreementRow]) -> Mapping[str, tuple[Agreement, ...]]:
    return MappingProxyType({row.recipient: (_agreement(row),) for row in signed})


def _agreement(row: agreements.AgreementRow) -> Agreement:
    return Agreement(
        id=str(row.id),
        kind=AgreementKind(row.kind),
        recipient=row.recipient,
        services=frozenset(row.services),
        since=row.since,
        until=row.until,
    )


def _nothing(_held: frozenset[str], _needed: str) -> bool:
    return False


async def locked(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID) -> rows.ConnectionRow:
    """One connection's row, which nobody else changes before the transaction ends. Raises NotFound."""
    row = await rows.lock(connection, tenant, connection_id)
    if row is None:
        raise NotFound("there is no such connection")
    return row


def about(actor: Actor, row: rows.ConnectionRow) -> dict[str, Any]:
    """How an entry about a connection begins."""
    return {
        "v": 1,
        "actor": {"kind": actor.kind, "id": actor.id},
        "connection": str(row.id),
        "connector": row.connector,
    }


def _check_grant(manifest: Manifest, features: frozenset[str]) -> None:
    unknown = sorted(features - manifest.features.keys())
    if unknown:
        known = ", ".join(sorted(manifest.features))
        raise InvalidRequest(faults=[Fault("features", f"{manifest.id} has these features: {known}")])


def _check_credential(new: NewConnection) -> None:
    try:
        if new.secret is not None:
            new.manifest.credential.check(new.secret)
    except CredentialRefused as refused:
        raise InvalidRequest(faults=[Fault("credential.secret", refused.reason)]) from None
    unknown = sorted(new.provider_scopes - new.manifest.provider_scopes.keys())
    if unknown:
        known = ", ".join(sorted(new.manifest.provider_scopes))
        raise InvalidRequest(faults=[Fault("provider_scopes", f"{new.manifest.id} has these provider scopes: {known}")])
