"""People whom a clinic's own systems vouch for: known by what the issuer calls them, in that clinic and nowhere else.

Nothing that an issuer says reaches another clinic: such a person has no address here, so they are never taken for somebody
who has an account.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

from gateway.calls import Actor
from gateway.people.accounts import Accounts, Ring
from gateway.people.roles import Role
from gateway.store import invitations as rows
from gateway.store.pool import Store

_MOST_NAME: Final = 80
_NAMELESS: Final = "Signed in by the clinic"


class HasKeyring(Protocol):
    """A clinic, as far as its own key is needed."""

    @property
    def keyring(self) -> Ring:
        """The clinic's data keys, opened."""


Keyed = Callable[[UUID], Awaitable[HasKeyring]]


@dataclass(frozen=True, slots=True)
class Voucher:
    """What a genuine token says: in this clinic this is who, and this is what they may do."""

    tenant: UUID
    issuer: str
    subject: str = field(repr=False)
    role: Role
    name: str = field(repr=False)


class Vouching:
    """Finds or makes the person whom an issuer means."""

    def __init__(self, store: Store, accounts: Accounts, keyed: Keyed) -> None:
        self._store = store
        self._accounts = accounts
        self._keyed = keyed

    async def person(self, voucher: Voucher) -> UUID:
        """The person; they belong to the clinic with the role that the issuer gives them, from now on."""
        subject = await self._hashed(voucher)
        actor = Actor("system", f"issuer:{voucher.issuer}", voucher.tenant, ())
        async with self._store.tenant(voucher.tenant) as connection:
            person = await rows.vouched_for(connection, voucher.tenant, voucher.issuer, subject)
        if person is None:
            made = await self._accounts.create(shown_name(voucher.name))
            async with self._store.tenant(voucher.tenant) as connection:
                if await rows.vouch(connection, voucher.tenant, voucher.issuer, subject, made):
                    person = made
                else:  # two browsers at once: the other's person it is
                    person = await rows.vouched_for(connection, voucher.tenant, voucher.issuer, subject)
        if person is None:
            raise RuntimeError("an identity that exists is not there")
        held = {row.tenant: row.role for row in await self._accounts.memberships(person)}
        if voucher.tenant not in held:
            await self._accounts.join(actor, person, voucher.role)
        elif held[voucher.tenant] != voucher.role:
            await self._accounts.set_role(actor, person, voucher.role)
        return person

    async def _hashed(self, voucher: Voucher) -> bytes:
        ring = (await self._keyed(voucher.tenant)).keyring
        return ring.fingerprint(f"identity|{voucher.issuer}|{voucher.subject}".encode("utf-8", "surrogatepass"))


def shown_name(said: str) -> str:
    """A name as an issuer says it, made fit to be shown."""
    name = " ".join(unicodedata.normalize("NFC", said).split())[:_MOST_NAME]
    return name if name and name.isprintable() else _NAMELESS
