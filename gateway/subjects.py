"""Pseudonyms of the people that data is about. The host's reference is never stored, only a keyed hash of it."""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID, uuid4

from gateway.calls import Call
from gateway.ledger.log import Fingerprints
from gateway.store import subjects as rows
from gateway.store.pool import Store

_REMEMBERED = 50_000


class Subjects:
    """Finds or makes the pseudonym under which a subject stands in the ledger."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._remembered: OrderedDict[tuple[UUID, bytes], UUID] = OrderedDict()

    async def of(self, call: Call, *, keyed: Fingerprints) -> UUID | None:
        """The pseudonym of a call's subject; None when the call is about nobody."""
        return None if call.subject is None else await self.pseudonym(call.tenant, call.subject, keyed=keyed)

    async def pseudonym(self, tenant: UUID, reference: str, *, keyed: Fingerprints) -> UUID:
        """The subject's pseudonym, made on first use. A pseudonym is random; `keyed` has the tenant's own key."""
        lookup = _lookup(keyed, reference)
        found = self._remembered.get((tenant, lookup))
        if found is None:
            async with self._store.tenant(tenant) as connection:
                found = await rows.pseudonym(connection, tenant, lookup, uuid4())
            self._remembered[tenant, lookup] = found
            if len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return found

    async def known(self, tenant: UUID, reference: str, *, keyed: Fingerprints) -> UUID | None:
        """The subject's pseudonym if it has one; a search never makes one."""
        async with self._store.reading(tenant) as connection:
            return await rows.known(connection, tenant, _lookup(keyed, reference))

    def forget(self, tenant: UUID) -> None:
        """Drop what is remembered of a tenant, after an erasure anywhere."""
        for remembered in [pair for pair in self._remembered if pair[0] == tenant]:
            del self._remembered[remembered]


def _lookup(keyed: Fingerprints, reference: str) -> bytes:
    return keyed.fingerprint(b"subject|" + reference.encode())
