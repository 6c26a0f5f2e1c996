"""Addresses of people: whom a message to one is about, and what is answered from there. Keeps keyed hashes only.

A STOP takes back every consent of everybody whom messages to that address were about, for every channel; and whatever
was consented to before it counts no more for messages to that address, whoever they are about. It is in force for every
intent not yet written: taking it changes the clinic's standing. A START gives back what a STOP took, on its own channel.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from connectors.contract import Answered, Wish
from gateway.calls import Actor
from gateway.connections import Clinic
from gateway.consents import Consents, Evidence
from gateway.ids import new_id
from gateway.ledger.log import Fingerprints
from gateway.ledger.writer import Draft, append_within
from gateway.store import consents as consent_rows
from gateway.store import contacts as rows
from gateway.store.consents import ConsentRow
from gateway.store.pool import Store
from scopes.consent import Channel
from scopes.decision import Standing

_REMEMBERED: Final = 50_000


class Contacts:
    """Remembers whom messages to an address are about, and takes a person's answer."""

    def __init__(self, store: Store, consents: Consents, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._consents = consents
        self._clock = clock
        self._known: OrderedDict[tuple[UUID, bytes, UUID], None] = OrderedDict()

    async def remember(self, clinic: Clinic, address: str, subject: UUID | None) -> None:
        """Keep that messages to the address are about the subject, before the first of them leaves."""
        if subject is None:
            return
        key = (clinic.tenant, _lookup(clinic, address), subject)
        if key in self._known:
            return
        async with self._store.tenant(clinic.tenant) as connection:
            await rows.remember(connection, *key)
        self._known[key] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    async def weighed(self, clinic: Clinic, standing: Standing, address: str) -> Standing:
        """The standing as it counts for a message to this address: what was consented to before a STOP is taken back."""
        # Read after the clinic's standing: a STOP that comes meanwhile refuses the intent at its commit.
        async with self._store.tenant(clinic.tenant) as connection:
            stopped_at = await rows.stopped_at(connection, clinic.tenant, _lookup(clinic, address))
        if stopped_at is None:
            return standing
        counted = (
            each if each.withdrawn or each.given_at > stopped_at else replace(each, withdrawn_at=stopped_at)
            for each in standing.consents
        )
        return replace(standing, consents=tuple(counted))

    async def hear(self, connection: asyncpg.Connection, clinic: Clinic, answered: Answered) -> None:
        """Do what a person wants who answered, in the transaction that takes the message."""
        if answered.wish is Wish.STOP:
            await self._stop(connection, clinic, answered)
        elif answered.wish is Wish.START:
            await self._start(connection, clinic, answered)

    async def _stop(self, connection: asyncpg.Connection, clinic: Clinic, answered: Answered) -> None:
        tenant, lookup, now = clinic.tenant, _lookup(clinic, answered.address), self._clock()
        await rows.stop(connection, tenant, lookup, now)
        taken = 0
        for subject in await rows.subjects(connection, tenant, lookup):
            for row in await consent_rows.of_subject(connection, tenant, subject):
                if row.withdrawn_at is None and Channel.RECORDS not in row.channels:  # that reaches nobody
                    await self._consents.withdraw_within(connection, _gateway(tenant), row.id, stopped=True)
                    taken += 1
        if not taken:  # nobody's consent is known, and the STOP counts all the same
            entry = {**_about(answered), "state": "stopped", "purposes": [], "subject": None}
            await append_within(connection, Draft(tenant, "consent", now, entry))

    async def _start(self, connection: asyncpg.Connection, clinic: Clinic, answered: Answered) -> None:
        tenant, lookup, now = clinic.tenant, _lookup(clinic, answered.address), self._clock()
        await rows.start(connection, tenant, lookup)
        for subject in await rows.subjects(connection, tenant, lookup):
            for row in await consent_rows.of_subject(connection, tenant, subject):
                if row.stopped and str(answered.channel) in row.channels and _unexpired(row, now):
                    again = Evidence("a START was answered", now, "none")
                    await self._consents.give_again_within(connection, _gateway(tenant), row, answered.channel, again)


def _lookup(keyed: Fingerprints, address: str) -> bytes:
    return keyed.fingerprint(b"address|" + address.encode())


def _unexpired(row: ConsentRow, now: datetime) -> bool:
    return row.expires_at is None or row.expires_at > now


def _gateway(tenant: UUID) -> Actor:
    return Actor("system", "inbound", tenant, ())


def _about(answered: Answered) -> dict[str, Any]:
    return {
        "v": 1,
        "actor": {"kind": "system", "id": "inbound"},
        "consent": str(new_id()),
        "channels": [str(answered.channel)],
    }
