"""The clinic's own texts: registered, replaced, removed, remembered. Whether an action can fill one is the flows' to say.

What a decision reads is remembered with the standing that it was read under, as consents are: changing a text counts the
standing up, and the commit of an intent refuses any standing but the present one.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from gateway.calls import Actor
from gateway.connections import Clinic, Connections
from gateway.errors import Conflict, NotFound
from gateway.ids import new_id
from gateway.ledger.writer import Draft, append_within
from gateway.store import templates as rows
from gateway.store.pool import Store
from gateway.store.templates import TemplateRow
from scopes.consent import Channel
from scopes.dlt import Registration
from scopes.template import AtVendor, Gap, Slot, Template, read

__all__ = ["MOST", "NewTemplate", "TemplateRow", "Templates", "template_of"]

MOST: Final = 500  # texts in use at one clinic: all of them are remembered
_REMEMBERED: Final = 2_000
_TEMPLATES: Final = "templates"  # what the ledger calls the integration whose grant it is


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTemplate:
    """A text to register, checked against its action already."""

    name: str
    action: str
    channel: Channel
    language: str
    body: str = field(repr=False)
    at_vendor: AtVendor | None = None
    dlt: Registration | None = None

    def draft(self, version: int = 1) -> Template:
        """The text as it would be filled."""
        return Template(
            name=self.name, version=version, action=self.action, channel=self.channel, language=self.language,
            pieces=read(self.body), at_vendor=self.at_vendor, dlt=self.dlt,
        )  # fmt: skip

    def row(self, version: int, at: datetime) -> TemplateRow:
        """The text as it is stored."""
        return TemplateRow(
            self.name, version, new_id(), self.action, str(self.channel), self.language, self.body,
            asdict(self.dlt) if self.dlt is not None else None,
            _stored(self.at_vendor) if self.at_vendor is not None else None, at,
        )  # fmt: skip

    def is_in(self, row: TemplateRow | None) -> bool:
        """Whether a row says just this already."""
        if row is None:
            return False
        mine = self.row(row.version, row.changed_at)
        return mine._replace(id=row.id) == row


class Templates:
    """Reads and changes a clinic's texts. Every change is one transaction with its ledger entry."""

    def __init__(self, store: Store, connections: Connections, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._connections = connections
        self._clock = clock
        self._read: OrderedDict[UUID, tuple[int, tuple[Template, ...]]] = OrderedDict()

    async def present(self, clinic: Clinic) -> tuple[Template, ...]:
        """Every text that is in use, as of the clinic's standing."""
        # Read after the standing: if a text changes meanwhile, what is decided is refused at the commit.
        tenant, version = clinic.tenant, clinic.standing.version
        known = self._read.get(tenant)
        if known is None or known[0] != version:
            async with self._store.tenant(tenant) as connection:
                found = await rows.present(connection, tenant)
            known = self._read[tenant] = version, tuple(map(template_of, found))
            if len(self._read) > _REMEMBERED:
                self._read.popitem(last=False)
        return known[1]

    async def page(self, tenant: UUID, *, after: UUID | None, limit: int) -> list[TemplateRow]:
        """The texts that are in use, the longest unchanged first."""
        async with self._store.tenant(tenant) as connection:
            return await rows.page(connection, tenant, after=after, limit=limit)

    async def of_name(self, tenant: UUID, name: str) -> list[TemplateRow]:
        """The texts of one name. Raises NotFound where there is none."""
        async with self._store.tenant(tenant) as connection:
            found = await rows.of_name(connection, tenant, name)
        if not found:
            raise _nothing()
        return found

    async def put(self, actor: Actor, new: NewTemplate) -> TemplateRow:
        """Register a text in place of the one before, in force for every intent not yet written.

        The same once more changes nothing. Raises Conflict where the name is another action's, or there are too many.
        """
        tenant, now = actor.tenant, self._clock()
        async with self._store.tenant(tenant) as connection:
            in_use = await rows.lock(connection, tenant)
            others = await rows.of_name(connection, tenant, new.name)
            before = next((row for row in others if (row.channel, row.language) == (new.channel, new.language)), None)
            if before is not None and new.is_in(before):
                return before
            if any(row.action != new.action for row in others if row is not before):
                raise Conflict("texts of this name are for another action; take another name, or remove them first")
            if before is None and in_use >= MOST:
                raise Conflict(f"a clinic has at most {MOST} texts; remove some first")
            if before is not None:
                await rows.retire(connection, tenant, before.name, before.version, state="replaced")
            row = new.row(await rows.last_version(connection, tenant, new.name) + 1, now)
            await rows.add(connection, tenant, row)
            await append_within(connection, Draft(tenant, "grant", now, _entry(actor, row, "present")))
        self._connections.forget(tenant)
        return row

    async def remove(
        self, actor: Actor, name: str, *, channel: Channel | None = None, language: str | None = None
    ) -> None:
        """Take texts of one name out of use, all of them or one channel's or language's. Raises NotFound for none."""
        tenant, now = actor.tenant, self._clock()
        async with self._store.tenant(tenant) as connection:
            await rows.lock(connection, tenant)
            found = [
                row
                for row in await rows.of_name(connection, tenant, name)
                if channel in (None, row.channel) and language in (None, row.language)
            ]
            if not found:
                raise _nothing()
            for row in found:
                await rows.retire(connection, tenant, row.name, row.version, state="removed")
                await append_within(connection, Draft(tenant, "grant", now, _entry(actor, row, "removed")))
        self._connections.forget(tenant)


def template_of(row: TemplateRow) -> Template:
    """A stored text, ready to be filled."""
    return Template(
        name=row.name,
        version=row.version,
        action=row.action,
        channel=Channel(row.channel),
        language=row.language,
        pieces=read(row.body),
        at_vendor=_at_vendor(row.whatsapp) if row.whatsapp is not None else None,
        dlt=Registration(**row.dlt) if row.dlt is not None else None,
    )


def _stored(vendor: AtVendor) -> dict[str, Any]:
    slots = [
        {"component": slot.component, "kind": slot.kind, "placeholder": str(slot.gap), "base": slot.base}
        for slot in vendor.slots
    ]
    return {"name": vendor.name, "language": vendor.language, "parameters": slots}


def _at_vendor(stored: dict[str, Any]) -> AtVendor:
    slots = [
        Slot(slot["component"], slot["kind"], gap, slot["base"])
        for slot in stored["parameters"]
        for gap in read(slot["placeholder"])
        if isinstance(gap, Gap)
    ]
    return AtVendor(stored["name"], stored["language"], tuple(slots))


def _entry(actor: Actor, row: TemplateRow, state: str) -> dict[str, Any]:
    """What the ledger says of a change: which text, never its words."""
    return {
        "v": 1,
        "actor": {"kind": actor.kind, "id": actor.id},
        "connection": str(actor.tenant),  # it stands for all of them
        "connector": _TEMPLATES,
        "version": row.version,
        "state": state,
        "template": [row.name, row.version, row.language],
        "features": [
            f"action:{row.action}",
            f"channel:{row.channel}",
            f"sha256:{hashlib.sha256(row.body.encode()).hexdigest()}",
        ],
        "withheld": [],
    }


def _nothing() -> NotFound:
    return NotFound("there is no template of this name", fix="GET /v1/templates lists them.")
