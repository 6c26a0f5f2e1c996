"""The doors at which vendors call us: whose connection it is, its signing secrets, what was taken. Sends nothing.

A door is remembered, for refusing at no cost; what is taken is stored only if the door still stands as it was remembered
(`taking` holds the connection meanwhile). So a secret that is removed, or a connection that is suspended, counts for
every message not yet stored, in every gateway.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Final
from uuid import UUID

import asyncpg

from connectors.contract import CredentialRefused, Manifest
from gateway.bursts import Bursts
from gateway.calls import Actor
from gateway.connections import Clinic, Connection, Connections
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.ids import new_id
from gateway.ledger.writer import Draft, append_within
from gateway.store import callbacks as rows
from gateway.store import connections as connection_rows
from gateway.store.pool import Store
from scopes.fault import Fault
from scopes.vocabulary import ConnectionState

PREFIX: Final = "/hooks/"
MOST_SECRETS: Final = 2  # one, and the next one while the vendor switches
REMEMBERED_SECONDS: Final = 30.0
_REMEMBERED = 10_000
_TOKEN_DIGITS = 40
_SECRET = "callback_secret"  # noqa: S105 (what it is sealed for)
_EVENTS = "callback"


class DoorChanged(Exception):
    """The connection or its secrets are not what they were when the message was verified: verify it anew."""


@dataclass(frozen=True)
class Secret:
    """One signing secret of the vendor's."""

    id: UUID
    text: str = field(repr=False)
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True)
class Door:
    """Where one connection's vendor calls."""

    connection: UUID
    row: rows.DoorRow
    secrets: tuple[Secret, ...]
    clinic: Clinic = field(repr=False)
    read_at: float = 0.0  # monotonic seconds

    @property
    def tenant(self) -> UUID:
        """Whose it is."""
        return self.clinic.tenant

    @property
    def connector(self) -> str:
        """Whose messages come here."""
        return self.row.connector

    @property
    def account(self) -> str | None:
        """The vendor's account that the connection acts for."""
        return self.row.account

    def is_open(self, now: datetime) -> bool:
        """Whether the clinic lets anything through."""
        expires_at = self.row.expires_at
        return self.row.state == ConnectionState.ACTIVE and (expires_at is None or expires_at > now)

    def valid(self, now: datetime) -> tuple[str, ...]:
        """The secrets that count now."""
        return tuple(each.text for each in self.secrets if each.expires_at is None or each.expires_at > now)

    @property
    def token(self) -> str:
        """What a vendor names in its handshake, so that nobody else can set a subscription up here."""
        return self.clinic.fingerprint(b"handshake|" + self.connection.bytes).hex()[:_TOKEN_DIGITS]

    @property
    def channel_token(self) -> str:
        """What a vendor that signs nothing brings back with each message; it was given to that vendor alone."""
        return _channel_token(self.clinic, self.connection)

    @property
    def features(self) -> frozenset[str]:
        """What the clinic switched on; as remembered with its standing."""
        return self.clinic.connection(self.connector).grant.features

    def fingerprint(self, identity: str) -> bytes:
        """A hash of what makes two messages the same, under the clinic's own key."""
        text = identity.encode("utf-8", "surrogatepass")
        return self.clinic.fingerprint(b"|".join((b"callback", self.connection.bytes, text)))

    def seal(self, identity: bytes, events: bytes) -> bytes:
        """Seal what a message said."""
        return self.clinic.keyring.seal(events, purpose=_EVENTS, row=f"{self.connection}:{identity.hex()}")

    def open(self, identity: bytes, sealed: bytes) -> bytes:
        """Open it again."""
        return self.clinic.keyring.open(sealed, purpose=_EVENTS, row=f"{self.connection}:{identity.hex()}")


class Callbacks:
    """Finds doors and changes their secrets. Every change is one transaction with its ledger entry."""

    def __init__(
        self,
        store: Store,
        connections: Connections,
        *,
        clock: Callable[[], datetime],
        public_url: str | None = None,
        trusts_host: bool = False,
    ) -> None:
        """`public_url` is how vendors reach this gateway; only the demo `trusts_host`, what a request calls it."""
        self._store = store
        self._connections = connections
        self._clock = clock
        self._doors: OrderedDict[UUID, Door] = OrderedDict()
        self.public_url = public_url
        self.trusts_host = trusts_host
        self.served_at: str | None = None  # a demo's own address, at which its sandboxes call
        self.bursts = Bursts()

    async def door(self, connection_id: UUID, *, since: float | None = None) -> Door:
        """The door of a connection, as remembered; read since that second of the monotonic clock, if one is given.

        Raises NotFound for a connection that is not there, or revoked.
        """
        known = self._doors.get(connection_id)
        since = monotonic() - REMEMBERED_SECONDS if since is None else since
        if known is None or known.read_at < since:
            self.forget(connection_id)
            known = await self._read(connection_id, known.tenant if known is not None else None)
            self._doors[connection_id] = known
            if len(self._doors) > _REMEMBERED:
                self._doors.popitem(last=False)
        return known

    def url_of(self, connection_id: UUID) -> str | None:
        """Where a connection's vendor calls; None where the gateway does not know its own address."""
        base = self.public_url or self.served_at
        return None if base is None else f"{base}{PREFIX}{connection_id}"

    def token_of(self, connection: Connection, manifest: Manifest) -> str | None:
        """What the connection's vendor is given to bring back; None where it signs its messages itself."""
        if manifest.callback is None or not manifest.callback.token:
            return None
        return _channel_token(connection.clinic, connection.id)

    def forget(self, connection_id: UUID) -> None:
        """Read the door anew next time."""
        self._doors.pop(connection_id, None)

    @asynccontextmanager
    async def taking(self, door: Door) -> AsyncIterator[asyncpg.Connection]:
        """A transaction during which the door stays as it is; raises DoorChanged where it is another one by now."""
        async with self._store.tenant(door.tenant) as connection:
            row = await rows.hold(connection, door.tenant, door.connection)
            # After the hold: whoever changes the secrets holds the connection alone.
            secrets = await rows.secrets(connection, door.tenant, door.connection)
            if row != door.row or [each.id for each in secrets] != [each.id for each in door.secrets]:
                self.forget(door.connection)
                raise DoorChanged
            yield connection

    async def secrets(self, tenant: UUID, connection_id: UUID) -> tuple[Secret, ...]:
        """The secrets of one of the tenant's connections, expired ones left out; raises NotFound."""
        clinic, now = await self._connections.clinic(tenant), self._clock()
        async with self._store.tenant(tenant) as connection:
            if await rows.door(connection, tenant, connection_id) is None:
                raise NotFound("there is no such connection")
            found = _opened(clinic, await rows.secrets(connection, tenant, connection_id))
        return tuple(each for each in found if each.expires_at is None or each.expires_at > now)

    async def add_secret(
        self, actor: Actor, connection_id: UUID, secret: str, manifests: Mapping[str, Manifest]
    ) -> None:
        """Let the vendor sign with this secret too; one that is there already changes nothing.

        Raises NotFound, InvalidRequest for another form than the vendor's, Conflict when two are valid already.
        """
        clinic, now = await self._connections.clinic(actor.tenant), self._clock()
        async with self._store.tenant(actor.tenant) as connection:
            row = await _locked(connection, actor.tenant, connection_id)
            if row.state == ConnectionState.REVOKED:
                raise Conflict("this connection is revoked; connect again")
            _check_form(manifests.get(row.connector), secret)
            valid = await self._without_expired(connection, clinic, connection_id, now)
            if any(each.text == secret for each in valid):
                return
            if len(valid) >= MOST_SECRETS:
                raise Conflict(
                    f"{MOST_SECRETS} secrets are valid already", fix="Remove the one that is not used any more."
                )
            secret_id = new_id()
            sealed = clinic.keyring.seal(secret.encode(), purpose=_SECRET, row=str(secret_id))
            await rows.add_secret(connection, actor.tenant, connection_id, rows.SecretRow(secret_id, sealed, now, None))
            await append_within(connection, _key_entry(actor, row, secret_id, "created", now))
        self._changed(actor.tenant, connection_id)

    async def remove_secret(self, actor: Actor, connection_id: UUID, secret_id: UUID) -> None:
        """Destroy a secret; what is signed with it counts no more. Raises NotFound."""
        async with self._store.tenant(actor.tenant) as connection:
            row = await _locked(connection, actor.tenant, connection_id)
            if not await rows.remove_secret(connection, actor.tenant, connection_id, secret_id):
                raise NotFound("there is no such secret")
            await append_within(connection, _key_entry(actor, row, secret_id, "revoked", self._clock()))
        self._changed(actor.tenant, connection_id)

    def _changed(self, tenant: UUID, connection_id: UUID) -> None:
        self.forget(connection_id)
        self._connections.forget(tenant)

    async def _without_expired(
        self, connection: asyncpg.Connection, clinic: Clinic, connection_id: UUID, now: datetime
    ) -> list[Secret]:
        """The secrets that are valid; the others are destroyed on the way."""
        valid = []
        for each in _opened(clinic, await rows.secrets(connection, clinic.tenant, connection_id)):
            if each.expires_at is not None and each.expires_at <= now:
                await rows.remove_secret(connection, clinic.tenant, connection_id, each.id)
            else:
                valid.append(each)
        return valid

    async def _read(self, connection_id: UUID, tenant: UUID | None) -> Door:
        read_at = monotonic()  # before reading: what changes meanwhile counts as unread
        if tenant is None:
            async with self._store.nobody() as connection:
                tenant = await rows.owner(connection, connection_id)
        if tenant is None:
            raise NotFound("there is no such connection")
        clinic = await self._connections.clinic(tenant)
        async with self._store.tenant(tenant) as connection:
            row = await rows.door(connection, tenant, connection_id)
            if row is None or row.state == ConnectionState.REVOKED:
                raise NotFound("there is no such connection")
            secrets = _opened(clinic, await rows.secrets(connection, tenant, connection_id))
        return Door(connection_id, row, secrets, clinic, read_at)


def _channel_token(clinic: Clinic, connection: UUID) -> str:
    """A secret of the clinic's own key: not the handshake's token, which may be shown."""
    return clinic.fingerprint(b"channel|" + connection.bytes).hex()[:_TOKEN_DIGITS]


def _opened(clinic: Clinic, found: list[rows.SecretRow]) -> tuple[Secret, ...]:
    return tuple(
        Secret(
            row.id,
            clinic.keyring.open(row.sealed, purpose=_SECRET, row=str(row.id)).decode(),
            row.created_at,
            row.expires_at,
        )
        for row in found
    )


async def _locked(connection: asyncpg.Connection, tenant: UUID, connection_id: UUID) -> connection_rows.ConnectionRow:
    row = await connection_rows.lock(connection, tenant, connection_id)
    if row is None:
        raise NotFound("there is no such connection")
    return row


def _check_form(manifest: Manifest | None, secret: str) -> None:
    if manifest is None or manifest.callback is None:
        raise Conflict("this connector takes no callbacks")
    if manifest.callback.token:
        raise Conflict("this vendor signs nothing; it brings back a token that the gateway gives it by itself")
    try:
        manifest.callback.check(secret)
    except CredentialRefused as refused:
        raise InvalidRequest(faults=[Fault("secret", refused.reason)]) from None


def _key_entry(actor: Actor, row: connection_rows.ConnectionRow, secret_id: UUID, state: str, now: datetime) -> Draft:
    fields = {
        "v": 1,
        "actor": {"kind": actor.kind, "id": actor.id},
        "connection": str(row.id),
        "connector": row.connector,
        "key": str(secret_id),
        "state": state,
    }
    return Draft(actor.tenant, "key", now, fields)
