"""One-time links are good once: remembers the id of each that was used, for as long as it could open anything."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from gateway.errors import Unauthenticated
from gateway.store import invitations as rows
from gateway.store.pool import Store


class Links:
    """Uses links up."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def use(self, tenant: UUID, issuer: str, jti: str, *, until: datetime) -> None:
        """Use a link up. Raises Unauthenticated where it was used before, through whichever gateway."""
        link = hashlib.sha256(jti.encode("utf-8", "surrogatepass")).digest()
        async with self._store.tenant(tenant) as connection:
            if not await rows.use_link(connection, tenant, issuer, link, until=until, now=self._clock()):
                raise Unauthenticated("this link was used before")
