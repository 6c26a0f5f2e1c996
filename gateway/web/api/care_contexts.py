"""/v1/care-contexts: visits with their documents, checked and frozen; what a patient may link and a consent may release."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from connectors.told import RecordKind
from gateway.flows.network.keeping import Handed, Visit, keep
from gateway.flows.network.linking import link_of
from gateway.records import Context
from gateway.store.links import LinkRow
from gateway.store.records import RecordRow
from gateway.web.api.answers import Hash, Told, base64_of
from gateway.web.api.cursor import after_id, next_cursor
from gateway.web.api.models import Given, Name, PageQuery, Reference
from gateway.web.api.operation import Asked, Operation, Reply
from scopes.field import Unfit
from scopes.scope import Area, Scope, Verb
from scopes.vocabulary import Category

_READ: Final = Scope(Area.RECORDS, Verb.READ)
_WRITE: Final = Scope(Area.RECORDS, Verb.WRITE)
LARGEST_BYTES: Final = 80 << 20
"""A document of 50 MB with what it holds in base 64."""
_Display = Annotated[
    str,
    StringConstraints(pattern=r"^[a-zA-Z0-9_\-@,. \"':|()/]{1,255}$"),
    Field(description="What a patient sees before they have proved who they are: never what the visit was for."),
]


class DocumentBody(Given):
    """A document: ready (a FHIR document bundle), or of a kind, made of a plain record or composed of ready FHIR resources."""

    document: Annotated[dict[str, Any] | None, Field(description="A FHIR R4 document bundle.")] = None
    kind: Annotated[RecordKind | None, Field(description="What record or resources are to become.")] = None
    record: Annotated[
        dict[str, Any] | None, Field(description="The plain record; the connector's README has its form.")
    ] = None
    resources: Annotated[
        list[dict[str, Any]] | None,
        Field(
            min_length=1,
            max_length=1000,
            description="FHIR R4 resources that refer to each other as Type/id or urn:uuid: with the id, one Patient "
            "among them; the connector's README says which goes where.",
        ),
    ] = None

    @model_validator(mode="after")
    def _is_one_of_the_three(self) -> Self:
        of_a_kind = [each for each in (self.record, self.resources) if each is not None]
        if (self.document is not None) + len(of_a_kind) != 1 or (self.kind is not None) != bool(of_a_kind):
            raise Unfit("must have one of document, record and resources, and kind with the latter two")
        return self


class CareContextBody(Given):
    """A visit to keep, or further documents of one that is kept."""

    connector: Annotated[Name, Field(examples=["abdm"])]
    subject: Annotated[Reference, Field(description="The patient, as the host knows them; registered beforehand.")]
    reference: Annotated[Reference, Field(description="The visit, as the host knows it. The network never sees it.")]
    display: _Display
    documents: Annotated[list[DocumentBody], Field(min_length=1, max_length=50)]
    link: Annotated[
        bool,
        Field(strict=True, description="Whether the visit is to appear in the patient's app without their asking."),
    ] = True


class CareContextSearchBody(Given):
    """The visits of a patient as the host knows them."""

    subject: Reference


class DocumentAnswer(Told):
    """A frozen document; its bytes are never told."""

    id: UUID
    kind: RecordKind
    bytes: int
    sha256: Hash
    since: datetime
    until: datetime
    categories: list[Category]
    kept_at: datetime


class LinkAnswer(Told):
    """How far a visit is linked at the network."""

    state: Literal["wanted", "asked", "linked", "failed"]
    changed_at: datetime
    linked_at: datetime | None
    code: str | None = Field(description="Why it is not linked, or not yet.")


class CareContextAnswer(Told):
    """A visit as a network may find it."""

    id: UUID = Field(description="What the network knows it by.")
    connector: str
    subject: UUID = Field(description="The patient's pseudonym.")
    reference: str
    display: str
    kinds: list[RecordKind]
    created_at: datetime
    documents: list[DocumentAnswer]
    link: LinkAnswer | None = Field(description="Null where linking was never wanted.")


class CareContextsAnswer(Told):
    """The visits of a patient."""

    items: list[CareContextAnswer]


class CareContextPage(Told):
    """A page of visits, oldest first."""

    items: list[CareContextAnswer]
    next_cursor: str | None


async def create(asked: Asked) -> Reply:
    """Keep a visit."""
    body: CareContextBody = asked.body
    visit = Visit(
        connector=body.connector, subject=body.subject, reference=body.reference, display=body.display,
        documents=tuple(Handed(each.document, each.kind, each.record, each.resources) for each in body.documents),
    )  # fmt: skip
    context, _ = await keep(asked.actor, visit, asked.rooms, link=body.link)
    return Reply(await _told(asked, context))


async def read(asked: Asked) -> Reply:
    """One visit."""
    return Reply(await _told(asked, await asked.rooms.records.context(asked.tenant, asked.path["id"])))


async def page(asked: Asked) -> Reply:
    """The clinic's visits."""
    query: PageQuery = asked.query
    found = await asked.rooms.records.page(asked.tenant, after=after_id(query.cursor), limit=query.limit + 1)
    items, cursor = next_cursor(found, query.limit, lambda context: context.id)
    return Reply(CareContextPage(items=[await _told(asked, each) for each in items], next_cursor=cursor))


async def search(asked: Asked) -> Reply:
    """The visits of one patient; the look is recorded."""
    body: CareContextSearchBody = asked.body
    clinic = await asked.rooms.connections.clinic(asked.tenant)
    subject = await asked.rooms.subjects.known(asked.tenant, body.subject, keyed=clinic)
    found: Sequence[Context] = ()
    if subject is not None:
        found = await asked.rooms.records.contexts_of(asked.tenant, subject)
    sought = {"subject": str(subject) if subject is not None else None}
    await asked.rooms.ledger.accessed(asked.actor, what="care_contexts", query=sought, count=len(found))
    return Reply(CareContextsAnswer(items=[await _told(asked, each) for each in found]))


async def _told(asked: Asked, context: Context) -> CareContextAnswer:
    documents = await asked.rooms.records.documents_of(asked.tenant, context.id)
    link = await link_of(asked.tenant, context.id, asked.rooms)
    return CareContextAnswer(
        id=context.id,
        connector=context.connector,
        subject=context.subject,
        reference=context.reference,
        display=context.display,
        kinds=list(context.kinds),
        created_at=context.created_at,
        documents=[_document(row) for row in documents],
        link=None if link is None else _link(link),
    )


def _document(row: RecordRow) -> DocumentAnswer:
    return DocumentAnswer(
        id=row.id,
        kind=RecordKind(row.kind),
        bytes=row.length,
        sha256=base64_of(row.sha256),
        since=row.since,
        until=row.until,
        categories=[Category(each) for each in row.categories],
        kept_at=row.created_at,
    )


def _link(row: LinkRow) -> LinkAnswer:
    state: Any = row.state
    return LinkAnswer(state=state, changed_at=row.changed_at, linked_at=row.linked_at, code=row.code)


OPERATIONS = (
    Operation(
        method="POST", path="/v1/care-contexts", act=create, needs=_WRITE, body=CareContextBody,
        answer=CareContextAnswer, status=201, keeps_reply=True, largest_bytes=LARGEST_BYTES, problems=(404, 409),
        summary="Keep a visit with its documents, checked against the network's profiles and frozen",
    ),
    Operation(
        method="GET", path="/v1/care-contexts", summary="List visits, oldest first", act=page, needs=_READ,
        query=PageQuery, answer=CareContextPage,
    ),
    Operation(
        method="POST", path="/v1/care-contexts/search", summary="List the visits of a patient as the host knows them",
        act=search, needs=_READ, body=CareContextSearchBody, answer=CareContextsAnswer,
    ),
    Operation(
        method="GET", path="/v1/care-contexts/{id:uuid}", summary="Read a visit", act=read, needs=_READ,
        answer=CareContextAnswer, problems=(404,),
    ),
)  # fmt: skip
