"""/v1/disclosures: search what left, read one with its entries, prove it. A search for a subject is itself recorded.

An address may hold a subject's pseudonym only; a host's own reference belongs in the body of a search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from gateway.errors import Conflict, InvalidRequest
from gateway.flows import look
from gateway.flows.look import FoundRow, RefusedRow, Search
from gateway.ledger.entry import parse
from gateway.ledger.merkle import leaf_hash
from gateway.web.api.answers import (
    DisclosureAnswer,
    DisclosureDetail,
    DisclosurePage,
    DisclosurePlace,
    EntryAnswer,
    InclusionAnswer,
    base64_of,
)
from gateway.web.api.cursor import after_id, next_cursor
from gateway.web.api.models import DisclosureQuery, ProofQuery, SearchBody
from gateway.web.api.operation import Asked, Operation, Reply
from scopes.fault import Fault
from scopes.scope import Area, Scope, Verb

_READ: Final = Scope(Area.DISCLOSURES, Verb.READ)
_REFUSED: Final = "refused"
_PENDING: Final = "pending"


async def page(asked: Asked) -> Reply:
    """A page of disclosures or refusals, newest first."""
    query: DisclosureQuery = asked.query
    wanted = _wanted(query, query.subject)
    found = await _found(asked, query, wanted)
    if query.subject is not None:
        await look.record(asked.actor, "disclosures", wanted, len(found.items), asked.rooms)
    return Reply(found)


async def search(asked: Asked) -> Reply:
    """The same, where the subject is named as the host knows it; one that is not known has no disclosures."""
    body: SearchBody = asked.body
    if body.subject is None:
        return Reply(await _found(asked, body, _wanted(body, None)))
    clinic = await asked.rooms.connections.clinic(asked.tenant)
    subject = await asked.rooms.subjects.known(asked.tenant, body.subject, keyed=clinic)
    wanted, found = _wanted(body, subject), DisclosurePage(items=[], next_cursor=None)
    if subject is not None:
        found = await _found(asked, body, wanted)
    await look.record(asked.actor, "disclosures", wanted, len(found.items), asked.rooms)
    return Reply(found)


async def read(asked: Asked) -> Reply:
    """One disclosure with its entries."""
    row, bodies = await _one(asked)
    told = _disclosure(row).model_dump()
    return Reply(DisclosureDetail(**told, entries=[entry_of(body) for body in bodies]))


async def prove(asked: Asked) -> Reply:
    """That an entry of a disclosure is in the log."""
    query: ProofQuery = asked.query
    row, bodies = await _one(asked)
    index = row.leaf_index if query.entry == "intent" else row.outcome_index
    if index is None:
        raise Conflict("this disclosure has no outcome yet")
    proof = await asked.rooms.proofs.inclusion(asked.tenant, index)
    body = next(body for body in bodies if leaf_hash(body) == proof.leaf)
    return Reply(
        InclusionAnswer(
            index=proof.index,
            size=proof.size,
            leaf=base64_of(proof.leaf),
            hashes=[base64_of(each) for each in proof.hashes],
            checkpoint=proof.checkpoint,
            entry=body.decode(),
        )
    )


async def _one(asked: Asked) -> tuple[FoundRow, list[bytes]]:
    return await look.disclosure(asked.tenant, asked.path["id"], asked.rooms)


def _wanted(query: DisclosureQuery | SearchBody, subject: UUID | None) -> Search:
    """What is looked for; raises InvalidRequest for what says nothing about a refusal."""
    if query.outcome == _REFUSED and (query.recipient is not None or query.category is not None):
        faults = [Fault(name, "does not narrow refusals: nothing left") for name in ("recipient", "category")]
        raise InvalidRequest(faults=[fault for fault in faults if getattr(query, fault.path) is not None])
    return Search(
        subject=subject,
        recipient=query.recipient,
        connector=query.connector,
        purpose=query.purpose,
        category=query.category,
        outcome=query.outcome,
        since=query.since,
        until=query.until,
        before=after_id(query.cursor),
        limit=query.limit + 1,
    )


async def _found(asked: Asked, query: DisclosureQuery | SearchBody, wanted: Search) -> DisclosurePage:
    items: Sequence[DisclosureAnswer]
    if query.outcome == _REFUSED:
        refused = await look.refusals(asked.tenant, replace(wanted, outcome=None), asked.rooms)
        items = [_refusal(row) for row in refused]
    else:
        items = [_disclosure(row) for row in await look.disclosures(asked.tenant, wanted, asked.rooms)]
    items, cursor = next_cursor(items, query.limit, lambda item: item.id)
    return DisclosurePage(items=list(items), next_cursor=cursor)


def _disclosure(row: FoundRow) -> DisclosureAnswer:
    return DisclosureAnswer(
        id=row.id,
        at=row.at,
        connector=row.connector,
        action=row.action,
        connection=row.connection,
        recipient=row.recipient,
        purpose=row.purpose,
        categories=sorted(row.categories),
        subject=row.subject,
        actor=row.actor,
        outcome=row.outcome or _PENDING,
        code=row.code,
        settled_at=row.settled_at,
        ledger=DisclosurePlace(index=row.leaf_index, outcome_index=row.outcome_index),
    )


def _refusal(row: RefusedRow) -> DisclosureAnswer:
    return DisclosureAnswer(
        id=row.id,
        at=row.at,
        connector=row.connector,
        action=row.action,
        purpose=row.purpose,
        subject=row.subject,
        outcome=_REFUSED,
        reasons=row.reasons,
        ledger=DisclosurePlace(index=row.leaf_index),
    )


def entry_of(body: bytes) -> EntryAnswer:
    """A stored entry as it is told."""
    entry = parse(body)
    return EntryAnswer(index=entry["index"], kind=entry["kind"], leaf=base64_of(leaf_hash(body)), entry=entry)


_ONE = "/v1/disclosures/{id:uuid}"
OPERATIONS = (
    Operation(
        method="GET", path="/v1/disclosures", summary="Search disclosures, newest first; a subject by its pseudonym",
        act=page, needs=_READ, query=DisclosureQuery, answer=DisclosurePage,
    ),
    Operation(
        method="POST", path="/v1/disclosures/search", summary="Search disclosures for a subject as the host knows it",
        act=search, needs=_READ, body=SearchBody, answer=DisclosurePage,
    ),
    Operation(
        method="GET", path=_ONE, summary="Read one disclosure with its ledger entries", act=read, needs=_READ,
        answer=DisclosureDetail, problems=(404,),
    ),
    Operation(
        method="GET", path=f"{_ONE}/proof", summary="Prove that a disclosure's entry is in the log", act=prove,
        needs=_READ, query=ProofQuery, answer=InclusionAnswer, problems=(404, 409),
    ),
)  # fmt: skip
