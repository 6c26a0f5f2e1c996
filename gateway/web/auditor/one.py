"""One disclosure, or one refusal, with everything that stands behind it; and the bytes that its proof is about."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from gateway.errors import NotFound
from gateway.flows import evidence, look
from gateway.flows.look import Search
from gateway.ledger.entry import MAX_INTEGER, moment_of, parse
from gateway.ledger.merkle import leaf_hash
from gateway.web.auditor import words
from gateway.web.auditor.log import READ
from gateway.web.auditor.narrowing import Narrowing
from gateway.web.page import JSON, Content, Page, View, Visit

_BYTES: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Told:
    """One entry as a page tells it."""

    index: int
    leaf: str
    fields: dict[str, Any]
    at: Any
    text: str


async def disclosure(visit: Visit) -> View:
    """One disclosure."""
    row, bodies = await look.disclosure(visit.tenant, visit.id(), visit.rooms)
    entries = [_told(body) for body in bodies]
    behind = await evidence.gather(visit.tenant, entries[0].fields, visit.rooms)
    await look.record(visit.actor, "disclosure", Search(subject=row.subject), len(entries), visit.rooms)
    return View(
        {
            **_common(visit, row.id, row.subject, entries, behind),
            "row": row,
            "outcome": row.outcome or words.PENDING,
            "same_recipient": Narrowing(recipient=row.recipient).at("/auditor"),
            "export": Narrowing(
                recipient=row.recipient, since=row.at.date().isoformat(), until=row.at.date().isoformat()
            ).at("/auditor/export"),
        },
        title="Disclosure",
    )


async def refusal(visit: Visit) -> View:
    """One refusal."""
    row, body = await look.refusal(visit.tenant, visit.id(), visit.rooms)
    entry = _told(body)
    behind = await evidence.gather(visit.tenant, entry.fields, visit.rooms)
    await look.record(visit.actor, "refusal", Search(subject=row.subject), 1, visit.rooms)
    return View({**_common(visit, row.id, row.subject, [entry], behind), "row": row}, title="Refusal")


async def entry(visit: Visit) -> Content:
    """The stored bytes of one entry, exactly."""
    found = await look.entry(visit.tenant, _index(visit), visit.rooms)
    await visit.rooms.ledger.accessed(visit.actor, what="entry", query={"index": found.leaf_index}, count=1)
    return Content(found.body, _BYTES)


async def proof(visit: Visit) -> Content:
    """That an entry is in the log: the hashes beside its way to the root that the checkpoint signs."""
    made = await visit.rooms.proofs.inclusion(visit.tenant, _index(visit))
    told = {
        "index": made.index, "size": made.size, "leaf": _base64(made.leaf),
        "hashes": [_base64(each) for each in made.hashes], "checkpoint": made.checkpoint,
        "key": visit.rooms.proofs.signer(visit.tenant).vkey,
    }  # fmt: skip
    return Content(orjson.dumps(told), JSON)


def _common(
    visit: Visit, identity: UUID, subject: UUID | None, entries: list[Told], behind: evidence.Evidence
) -> dict[str, Any]:
    return {
        **words.EVERY_WORD,
        "states": words.DELIVERY_STATES,
        "means": words.OUTCOME_MEANS,
        "id": identity,
        "entries": entries,
        "intent": entries[0].fields,
        "behind": behind,
        "vkey": visit.rooms.proofs.signer(visit.tenant).vkey,
        "about_subject": Narrowing(subject=str(subject)).at("/auditor") if subject else "",
        "account": Narrowing(subject=str(subject)).at("/auditor/subject") if subject else "",
    }


def _told(body: bytes) -> Told:
    fields = parse(body)
    return Told(fields["index"], leaf_hash(body).hex(), fields, moment_of(fields["at"]), body.decode())


def _index(visit: Visit) -> int:
    text = str(visit.path["id"])
    if not text.isascii() or not text.isdigit() or len(text) > 16 or int(text) > MAX_INTEGER:
        raise NotFound("there is no such entry")
    return int(text)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


PAGES = (
    Page(
        path="/auditor/disclosures/{id:uuid}", act=disclosure, needs=READ, title="Disclosure",
        template="auditor/disclosure.html",
    ),
    Page(
        path="/auditor/refusals/{id:uuid}", act=refusal, needs=READ, title="Refusal", template="auditor/refusal.html"
    ),
    Page(path="/auditor/entries/{id}", act=entry, needs=READ),
    Page(path="/auditor/entries/{id}/proof", act=proof, needs=READ),
)  # fmt: skip
