"""Views: filters of the log that a person named for themselves. Holds addresses of searches, never a host's reference."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.ids import new_id
from gateway.store import views as rows
from gateway.store.pool import Store
from gateway.store.views import ViewRow
from scopes.fault import Fault

__all__ = ["ViewRow", "Views"]

_MOST: Final = 50
_MOST_TITLE: Final = 60


class Views:
    """Keeps each person's own."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def of(self, tenant: UUID, person: UUID) -> list[ViewRow]:
        """A person's views in a clinic, by title."""
        async with self._store.tenant(tenant) as connection:
            return await rows.all_of(connection, tenant, person)

    async def save(self, tenant: UUID, person: UUID, title: str, query: str) -> None:
        """Name a search; one of the same name is replaced. Raises InvalidRequest, or Conflict where there are too many."""
        if not title or len(title) > _MOST_TITLE or not title.isprintable():
            raise InvalidRequest(faults=[Fault("title", f"Give the view a name of at most {_MOST_TITLE} letters.")])
        async with self._store.tenant(tenant) as connection:
            known = await rows.all_of(connection, tenant, person)
            if len(known) >= _MOST and title not in {view.title for view in known}:
                raise Conflict(f"you have {_MOST} views already; remove one first")
            await rows.put(connection, tenant, person, ViewRow(new_id(), title, query, self._clock()))

    async def remove(self, tenant: UUID, person: UUID, view: UUID) -> None:
        """Remove a view. Raises NotFound."""
        async with self._store.tenant(tenant) as connection:
            if not await rows.remove(connection, tenant, person, view):
                raise NotFound("there is no such view of yours")
