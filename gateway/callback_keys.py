"""Key pairs that vendors encrypt their messages to: one per connection, made here, sealed, replaced in time. Opens no message.

A vendor is handed the certificate when it is asked to tell of something, and encrypts to it for as long as that lasts. So a
pair that is replaced is kept until nothing can come that was encrypted to it, and destroyed then.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from connectors.contract import Certificate
from gateway.calls import Actor
from gateway.connections import Clinic, Connection, Connections
from gateway.errors import NotFound
from gateway.ids import new_id
from gateway.ledger.writer import Draft, append_within
from gateway.store import callback_keys as rows
from gateway.store.pool import Store

REPLACED_AFTER: Final = timedelta(days=90)
#: Longer than any vendor watches without being asked again.
KEPT_AFTER: Final = timedelta(days=35)
_BITS: Final = 2048  # Graph: 2,048 to 4,096
_SEALED_AS: Final = "callback_key"


class _Pair(NamedTuple):
    private_pem: bytes
    certificate: str


class CallbackKeys:
    """Makes, finds and destroys them. Every change is one transaction with its ledger entry."""

    def __init__(self, store: Store, connections: Connections, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._connections = connections
        self._clock = clock

    async def certificate(self, connection: Connection) -> Certificate:
        """The certificate to hand to a connection's vendor now; a new pair's where there is none, or it is old."""
        tenant, now = connection.clinic.tenant, self._clock()
        async with self._store.tenant(tenant) as session:
            found = await rows.newest(session, tenant, connection.id)
        if found is not None and now - found.created_at < REPLACED_AFTER:
            return Certificate(str(found.id), found.certificate)
        name = new_id()
        pair = await asyncio.to_thread(_drawn, str(name), now)  # a tenth of a second of arithmetic
        sealed = connection.clinic.keyring.seal(pair.private_pem, purpose=_SEALED_AS, row=str(name))
        row = rows.KeyRow(name, pair.certificate, sealed, now)
        async with self._store.tenant(tenant) as session:
            if not await rows.hold(session, tenant, connection.id):
                raise NotFound("there is no such connection")
            first = await rows.newest(session, tenant, connection.id)
            if first is not None and now - first.created_at < REPLACED_AFTER:  # another call was faster
                return Certificate(str(first.id), first.certificate)
            await rows.add(session, tenant, connection.id, row)
            await append_within(session, _entry(connection, name, "created", now))
        return Certificate(str(name), pair.certificate)

    async def private_keys(self, clinic: Clinic, connection_id: UUID) -> Mapping[str, bytes]:
        """What opens messages to a connection: private keys (PEM) by their certificates' ids."""
        async with self._store.tenant(clinic.tenant) as session:
            found = await rows.all_of(session, clinic.tenant, connection_id)
        return {
            str(row.id): clinic.keyring.open(row.sealed, purpose=_SEALED_AS, row=str(row.id)) for row in found
        }  # fmt: skip

    async def destroy_old(self, tenant: UUID) -> int:
        """Destroy the pairs that nothing can come for any more; says how many."""
        clinic, now = await self._connections.clinic(tenant), self._clock()
        async with self._store.tenant(tenant) as session:
            gone = await rows.drop(session, tenant, now - REPLACED_AFTER - KEPT_AFTER)
            for connection in clinic.connections.values():
                for key_id in (each.id for each in gone if each.connection == connection.id):
                    await append_within(session, _entry(connection, key_id, "revoked", now))
        return len(gone)


def _drawn(name: str, now: datetime) -> _Pair:
    """A fresh pair and a certificate for it, which says nothing but its id."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private = rsa.generate_private_key(65537, _BITS)
    called = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + REPLACED_AFTER + KEPT_AFTER)
        .sign(private, hashes.SHA256())
    )
    return _Pair(
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        base64.b64encode(certificate.public_bytes(Encoding.DER)).decode(),
    )


def _entry(connection: Connection, key: UUID, state: str, now: datetime) -> Draft:
    actor = Actor("system", "callback_keys", connection.clinic.tenant, ())
    fields = {
        "v": 1,
        "actor": {"kind": actor.kind, "id": actor.id},
        "connection": str(connection.id),
        "connector": connection.connector,
        "key": str(key),
        "state": state,
    }
    return Draft(actor.tenant, "key", now, fields)
