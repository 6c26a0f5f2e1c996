"""Invitations: one clinic, one address, one role, good once and for a week. Of a link there is only the hash."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from gateway.calls import Actor
from gateway.errors import Conflict, NotFound
from gateway.ids import new_id
from gateway.ledger.writer import Draft, append_within
from gateway.people.accounts import Accounts, checked_email, join_within
from gateway.people.roles import Role, scopes_of
from gateway.people.sessions import digest_of, is_token
from gateway.store import invitations as rows
from gateway.store.invitations import InvitationRow
from gateway.store.pool import Store

LASTS: Final = timedelta(days=7)
_GONE: Final = "this invitation was used, taken back or has run out; ask for a new one"


@dataclass(frozen=True, slots=True)
class Invited:
    """A new invitation; the token makes its link, and is shown once."""

    id: UUID
    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that can be accepted."""

    id: UUID
    tenant: UUID
    email: str = field(repr=False)
    role: Role


class Invitations:
    """Invites, and lets in who was invited."""

    def __init__(self, store: Store, accounts: Accounts, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock

    async def invite(self, actor: Actor, email: str, role: Role) -> Invited:
        """Invite an address. Raises Conflict where it belongs to the clinic already; takes back an earlier invitation."""
        address, now, token = checked_email(email), self._clock(), secrets.token_urlsafe(32)
        if any(member.email == address for member in await self._accounts.members(actor.tenant)):
            raise Conflict("this person belongs to the clinic already")
        row = InvitationRow(new_id(), digest_of(token), address, str(role), now, now + LASTS)
        async with self._store.tenant(actor.tenant) as connection:
            for before in await rows.waiting(connection, actor.tenant, now):
                if before.email == address:
                    await rows.end(connection, actor.tenant, before.id, now)
            await rows.add(connection, actor.tenant, row)
            entry = _entry(actor, "person_invited", row, "pending")
            await append_within(connection, Draft(actor.tenant, "access", now, entry))
        return Invited(row.id, token, row.expires_at)

    async def waiting(self, tenant: UUID) -> list[InvitationRow]:
        """What a clinic waits for."""
        async with self._store.tenant(tenant) as connection:
            return await rows.waiting(connection, tenant, self._clock())

    async def withdraw(self, actor: Actor, invitation: UUID) -> None:
        """Take an invitation back. Raises NotFound."""
        now = self._clock()
        async with self._store.tenant(actor.tenant) as connection:
            found = [row for row in await rows.waiting(connection, actor.tenant, now) if row.id == invitation]
            if not found:
                raise NotFound("there is no such invitation")
            await rows.end(connection, actor.tenant, invitation, now)
            entry = _entry(actor, "invitation_withdrawn", found[0], "revoked")
            await append_within(connection, Draft(actor.tenant, "access", now, entry))

    async def find(self, token: str) -> Invitation:
        """The invitation of a link. Raises NotFound, the same for every link that opens nothing."""
        if is_token(token):
            async with self._store.nobody() as connection:
                tenant = await rows.owner(connection, digest_of(token))
            if tenant is not None:
                async with self._store.tenant(tenant) as connection:
                    return _open(await rows.by_digest(connection, tenant, digest_of(token)), tenant, self._clock())
        raise NotFound(_GONE)

    async def accept(self, token: str, person: UUID) -> Invitation:
        """Let a person in; the link is used up with it. Raises NotFound, Conflict."""
        found, now = await self.find(token), self._clock()
        async with self._store.tenant(found.tenant) as connection:
            locked = await rows.by_digest(connection, found.tenant, digest_of(token), for_update=True)
            found = _open(locked, found.tenant, now)
            actor = Actor("person", str(person), found.tenant, ())
            await rows.end(connection, found.tenant, found.id, now)
            await join_within(connection, actor, person, found.role, now=now)
        return found


def _open(row: InvitationRow | None, tenant: UUID, now: datetime) -> Invitation:
    if row is None or row.ended_at is not None or row.expires_at <= now:
        raise NotFound(_GONE)
    return Invitation(row.id, tenant, row.email, Role(row.role))


def _entry(actor: Actor, what: str, row: InvitationRow, state: str) -> dict[str, Any]:
    return {
        "v": 1,
        "actor": {"kind": actor.kind, "id": actor.id},
        "what": what,
        "key": f"invitation:{row.id}",
        "state": state,
        "query": {"role": row.role},
        "scopes": [str(scope) for scope in scopes_of(Role(row.role))],
    }
