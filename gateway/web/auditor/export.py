"""Take the log away: as a sheet, or as a bundle of evidence that verifies offline. Each export is itself recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import fields, replace
from typing import Any, Final

from gateway.flows import bundles, look
from gateway.flows.bundles import BundleQuery
from gateway.web.auditor import words
from gateway.web.auditor.log import READ, choices
from gateway.web.auditor.narrowing import Narrowing
from gateway.web.page import Content, Page, View, Visit
from gateway.web.sheet import MEDIA, sheet
from scopes.scope import Area, Scope, Verb

HERE: Final = "/auditor/export"
COUNTED: Final = 50_000
_BUNDLES: Final = Scope(Area.BUNDLES, Verb.WRITE)
_NOT_IN_BUNDLES: Final = ("connector", "purpose", "category", "outcome", "reason")
_HEAD: Final = (
    "at", "id", "outcome", "code", "settled at", "connector", "action", "recipient", "purpose", "categories", "subject",
    "actor", "connection", "entry", "outcome entry",
)  # fmt: skip
_HEAD_REFUSED: Final = ("at", "id", "connector", "action", "purpose", "reasons", "subject", "entry")


async def show(visit: Visit) -> View:
    """What will be made, and how many rows or entries it holds."""
    narrowing = Narrowing.of(visit.query)
    wanted = narrowing.search()
    number = await look.count(visit.tenant, wanted, visit.rooms, refused=narrowing.refused, at_most=COUNTED + 1)
    bundled = _bundled(narrowing)
    if bundled.subject or bundled.recipient:
        entries = await look.count(visit.tenant, bundled.search(), visit.rooms, refused=False, at_most=COUNTED + 1)
    else:
        entries = await bundles.about(visit.tenant, bundled.begins, bundled.ends, visit.rooms)
    return await _shown(visit, narrowing, number=number, entries=entries)


async def again(visit: Visit) -> View:
    """The form once more."""
    given = visit.query or {each.name: visit.form.text(each.name) for each in fields(Narrowing)}
    return await _shown(visit, Narrowing.typed(given), number=None, entries=None)


async def _shown(visit: Visit, narrowing: Narrowing, *, number: int | None, entries: int | None) -> View:
    parties = await visit.rooms.tallies.names(visit.tenant)
    connectors = sorted({connector for connector, _ in parties} | set(visit.rooms.registry.connectors))
    bundled = _bundled(narrowing)
    return View(
        {
            **words.EVERY_WORD, "narrowing": narrowing, "bundled": bundled, "number": number, "entries": entries,
            "counted": COUNTED, "choices": choices(narrowing, connectors, [name for _, name in parties]),
            "left_out": [name for name in _NOT_IN_BUNDLES if name in narrowing.given],
            "vkey": visit.rooms.proofs.signer(visit.tenant).vkey, "bundles": visit.may(_BUNDLES),
            "log": narrowing.at("/auditor"), "without_subject": narrowing.at(HERE, subject=""),
        }
    )  # fmt: skip


async def as_sheet(visit: Visit) -> Content:
    """Every row that fits, as it is read."""
    narrowing = _posted(visit)
    wanted = narrowing.search()
    number = await look.count(visit.tenant, wanted, visit.rooms, refused=narrowing.refused, at_most=COUNTED + 1)
    told = replace(wanted, outcome=narrowing.outcome or None)
    await look.record(visit.actor, "csv", told, number, visit.rooms)
    if narrowing.refused:
        return _download(sheet(_HEAD_REFUSED, _refused(visit, narrowing)), "refusals.csv")
    return _download(sheet(_HEAD, _disclosed(visit, narrowing)), "disclosures.csv")


async def as_bundle(visit: Visit) -> Content:
    """The entries of the period, the person or the recipient with all that proves them. Raises NotFound for none."""
    narrowing = _bundled(_posted(visit))
    wanted = narrowing.search()
    query = BundleQuery(since=wanted.since, until=wanted.until, subject=wanted.subject, recipient=wanted.recipient)
    size, chunks = await bundles.exported(visit.actor, query, visit.rooms)
    headers = {"content-disposition": 'attachment; filename="evidence.zip"', "content-length": str(size)}
    return Content(chunks, "application/zip", headers)


def _posted(visit: Visit) -> Narrowing:
    return Narrowing.of({each.name: visit.form.text(each.name) for each in fields(Narrowing)})


def _bundled(narrowing: Narrowing) -> Narrowing:
    """What narrows a bundle."""
    return replace(narrowing, **dict.fromkeys(_NOT_IN_BUNDLES, ""))


def _download(body: AsyncIterator[bytes], name: str) -> Content:
    return Content(body, MEDIA, {"content-disposition": f'attachment; filename="{name}"'})


async def _disclosed(visit: Visit, narrowing: Narrowing) -> AsyncIterator[Sequence[object]]:
    async for row in look.every_disclosure(visit.tenant, narrowing.search(), visit.rooms):
        yield (
            row.at, row.id, row.outcome or words.PENDING, row.code, row.settled_at, row.connector, row.action,
            row.recipient, row.purpose, sorted(row.categories), row.subject, row.actor, row.connection, row.leaf_index,
            row.outcome_index,
        )  # fmt: skip


async def _refused(visit: Visit, narrowing: Narrowing) -> AsyncIterator[Sequence[object]]:
    async for row in look.every_refusal(visit.tenant, narrowing.search(), visit.rooms):
        yield row.at, row.id, row.connector, row.action, row.purpose, row.reasons, row.subject, row.leaf_index


_PAGE: Final[dict[str, Any]] = {"title": "Export", "template": "auditor/export.html", "again": again}
PAGES = (
    Page(path=HERE, act=show, needs=READ, **_PAGE),
    Page(method="POST", path=f"{HERE}/csv", act=as_sheet, needs=READ, **_PAGE),
    Page(method="POST", path=f"{HERE}/bundle", act=as_bundle, needs=_BUNDLES, **_PAGE),
)
