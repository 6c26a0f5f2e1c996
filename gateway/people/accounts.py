"""Accounts and who belongs to which clinic. Every change of who may do what is one transaction with its ledger entry.

An address is a value of a person: it stands in the database and on pages, never in a log, an entry or an error.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Protocol, TypeAlias
from uuid import UUID

import asyncpg

from gateway.calls import Actor
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.ids import new_id
from gateway.ledger.writer import Draft, append_within
from gateway.people.password import Passwords, weakness
from gateway.people.roles import Role, scopes_of
from gateway.store import people as rows
from gateway.store.keys import DataKeyRow
from gateway.store.people import CredentialRow, MemberRow, MembershipRow, PersonRow
from gateway.store.pool import Store
from scopes.fault import Fault

Member: TypeAlias = MemberRow  # as pages see somebody of a clinic
_EMAIL: Final = re.compile(r"[^\s@<>\"\\,;:()\[\]\x00-\x1f]{1,64}@[^\s@<>\"\\,;:()\[\]\x00-\x1f]{1,190}")
_MOST_NAME: Final = 80


class Ring(Protocol):
    """One person's opened data key."""

    def seal(self, plaintext: bytes, *, purpose: str, row: str) -> bytes:
        """Seal a value for one place."""

    def open(self, sealed: bytes, *, purpose: str, row: str) -> bytes:
        """Open it there."""

    def fingerprint(self, text: bytes) -> bytes:
        """A keyed hash."""


class Seals(Protocol):
    """What seals for a person; the composition hands the vault over, which is not this room's to open."""

    def new_data_key(self, tenant: UUID, key_id: UUID) -> DataKeyRow:
        """A fresh data key, wrapped."""

    def keyring(self, tenant: UUID, rows: list[DataKeyRow]) -> Ring:
        """The data key, opened."""


def ring_of(seals: Seals, person: UUID, known: CredentialRow) -> Ring:
    """A person's data key, opened."""
    return seals.keyring(person, [known.key])


def normal_email(text: str) -> str | None:
    """An address as it is kept and looked up; nothing where it is none."""
    written = unicodedata.normalize("NFKC", text).strip().casefold()
    return written if _EMAIL.fullmatch(written) and "." in written.partition("@")[2] else None


def checked_email(text: str, *, path: str = "email") -> str:
    """The same, or InvalidRequest."""
    email = normal_email(text)
    if email is None:
        raise InvalidRequest(faults=[Fault(path, "Write an e-mail address, such as name@clinic.example.")])
    return email


def checked_name(text: str) -> str:
    """A name as it is shown, or InvalidRequest."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not 1 <= len(name) <= _MOST_NAME or not name.isprintable():
        raise InvalidRequest(faults=[Fault("name", f"Write a name of 1 to {_MOST_NAME} characters.")])
    return name


def check_password(password: str, *, email: str | None, path: str = "password") -> None:
    """Raise InvalidRequest for what is no password to be taken."""
    wrong = weakness(password, email=email)
    if wrong is not None:
        raise InvalidRequest(faults=[Fault(path, wrong)])


class Accounts:
    """Makes and changes accounts and memberships."""

    def __init__(self, store: Store, seals: Seals, passwords: Passwords, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._seals = seals
        self._passwords = passwords
        self._clock = clock

    async def by_password(self, email: str, password: str) -> UUID | None:
        """The person whose address and password these are. Takes the same time and steps for an address without account."""
        normal = normal_email(email) or "nobody"
        async with self._store.nobody() as connection:
            person = await rows.person_of(connection, normal)
        async with self._store.person(person or UUID(int=0)) as connection:
            known = await rows.credentials(connection, person or UUID(int=0))
        fits = await self._passwords.fits(password, known.password if known is not None else None)
        return person if fits else None

    async def confirms(self, person: UUID, password: str) -> bool:
        """Whether this is the person's password."""
        async with self._store.person(person) as connection:
            known = await rows.credentials(connection, person)
        return await self._passwords.fits(password, known.password if known is not None else None)

    async def create(self, name: str, *, email: str | None = None, password: str | None = None) -> UUID:
        """A new person. Raises Conflict where the address has an account."""
        person, now = new_id(), self._clock()
        hashed = await self._passwords.hashed(password) if password is not None else None
        key = self._seals.new_data_key(person, new_id())
        try:
            async with self._store.person(person) as connection:
                await rows.add(connection, PersonRow(person, email, name, now))
                await rows.add_credentials(connection, person, CredentialRow(hashed, key, None, None, 0, now))
        except asyncpg.UniqueViolationError:
            raise Conflict("this address has an account already") from None
        return person

    async def person_of(self, email: str) -> UUID | None:
        """Whose account this address has."""
        async with self._store.nobody() as connection:
            return await rows.person_of(connection, email)

    async def person(self, person: UUID) -> PersonRow:
        """One person. Raises NotFound."""
        async with self._store.person(person) as connection:
            row = await rows.find(connection, person)
        if row is None:
            raise NotFound("there is no such person")
        return row

    async def rename(self, person: UUID, name: str) -> None:
        """Call a person by another name."""
        async with self._store.person(person) as connection:
            await rows.rename(connection, person, checked_name(name))

    async def set_password(self, person: UUID, password: str) -> None:
        """Replace the password."""
        row = await self.person(person)
        check_password(password, email=row.email, path="new_password")
        hashed = await self._passwords.hashed(password)
        async with self._store.person(person) as connection:
            await rows.set_password(connection, person, hashed, self._clock())

    async def memberships(self, person: UUID) -> list[MembershipRow]:
        """The clinics that a person belongs to, the longest known first."""
        async with self._store.person(person) as connection:
            return await rows.memberships(connection, person)

    async def members(self, tenant: UUID) -> list[MemberRow]:
        """The people of a clinic."""
        async with self._store.tenant(tenant) as connection:
            return await rows.members(connection, tenant)

    async def join(self, actor: Actor, person: UUID, role: Role) -> None:
        """Let a person belong to the actor's clinic. Raises Conflict where they do already."""
        async with self._store.tenant(actor.tenant) as connection:
            await join_within(connection, actor, person, role, now=self._clock())

    async def set_role(self, actor: Actor, person: UUID, role: Role) -> None:
        """Give somebody another role; in force with their next request. Raises NotFound, Conflict."""
        now, tenant = self._clock(), actor.tenant
        async with self._store.tenant(tenant) as connection:
            held = await rows.lock_roles(connection, tenant)
            _check_owner_stays(held, person, role)
            if held[person] == role:
                return
            await rows.set_role(connection, tenant, person, str(role), now)
            await append_within(connection, Draft(tenant, "access", now, recorded(actor, "role_changed", person, role)))

    async def remove(self, actor: Actor, person: UUID) -> None:
        """Let somebody belong to the clinic no more; their sessions there end with their next request."""
        now, tenant = self._clock(), actor.tenant
        async with self._store.tenant(tenant) as connection:
            held = await rows.lock_roles(connection, tenant)
            _check_owner_stays(held, person, None)
            await rows.drop_membership(connection, tenant, person)
            await append_within(connection, Draft(tenant, "access", now, recorded(actor, "person_removed", person)))


async def join_within(connection: asyncpg.Connection, actor: Actor, person: UUID, role: Role, *, now: datetime) -> None:
    """Let a person belong to the actor's clinic, in the caller's transaction. Raises Conflict where they do already."""
    if not await rows.add_membership(connection, person, MembershipRow(actor.tenant, str(role), now)):
        raise Conflict("this person belongs to the clinic already")
    await append_within(connection, Draft(actor.tenant, "access", now, recorded(actor, "person_joined", person, role)))


def recorded(actor: Actor, what: str, person: UUID, role: Role | None = None) -> dict[str, Any]:
    """What an entry says of a change of who may do what: ids and scopes, never a name or an address."""
    entry: dict[str, Any] = {
        "v": 1,
        "actor": {"kind": actor.kind, "id": actor.id},
        "what": what,
        "key": f"person:{person}",
        "state": "active" if role is not None else "revoked",
    }
    if role is not None:
        entry |= {"scopes": [str(scope) for scope in scopes_of(role)], "query": {"role": str(role)}}
    return entry


def _check_owner_stays(held: dict[UUID, str], person: UUID, role: Role | None) -> None:
    if person not in held:
        raise NotFound("there is no such person in this clinic")
    owners = [each for each, known in held.items() if known == Role.OWNER]
    if owners == [person] and role is not Role.OWNER:
        raise Conflict("a clinic needs an owner: make somebody else an owner first")
