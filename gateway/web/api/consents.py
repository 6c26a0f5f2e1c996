"""/v1/consents: record what a person agreed to, look it up, withdraw it. The evidence goes in and is not listed.

An address may hold a subject's pseudonym only; a host's own reference belongs in a body.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field

from gateway.consents import Evidence, NewConsent, faults_of
from gateway.errors import InvalidRequest
from gateway.store.consents import ConsentRow
from gateway.web.api.answers import Told
from gateway.web.api.cursor import after_id, next_cursor
from gateway.web.api.models import Given, Moment, PageQuery, Path, Reference, TimeZone
from gateway.web.api.operation import Asked, Operation, Reply
from scopes.consent import Channel
from scopes.scope import Area, Scope, Verb
from scopes.vocabulary import Purpose

_READ: Final = Scope(Area.CONSENTS, Verb.READ)
_WRITE: Final = Scope(Area.CONSENTS, Verb.WRITE)
_TIME_ZONE: Final = "Where the person lives: by that clock quiet hours are kept. Without one, by the clinic's."
_PSEUDONYM: Final = "A subject's pseudonym, as other answers give it."


class EvidenceBody(Given):
    """How a consent was given. It is sealed; the ledger holds a salted commitment to it."""

    how: Annotated[Path, Field(examples=["signed on the front desk's tablet"])]
    when: Annotated[Moment, Field(description="The consent holds from then on.")]
    wording: Annotated[Path, Field(description="Which version of the text the person saw.", examples=["sms-2026-03"])]


class ConsentBody(Given):
    """A consent to record: for each of these purposes on each of these channels, and no other."""

    subject: Annotated[Reference, Field(description="The person, as the host knows them. Only a keyed hash is stored.")]
    purposes: Annotated[list[Purpose], Field(min_length=1, max_length=len(Purpose))]
    channels: Annotated[list[Channel], Field(min_length=1, max_length=len(Channel))]
    evidence: EvidenceBody
    expires_at: Moment | None = None
    time_zone: Annotated[TimeZone | None, Field(description=_TIME_ZONE)] = None


class ConsentQuery(PageQuery):
    """A list of consents, or of one subject's."""

    subject: Annotated[UUID | None, Field(description=_PSEUDONYM)] = None


class ConsentSearchBody(PageQuery):
    """The consents of a subject as the host knows them, which must not stand in an address."""

    subject: Reference


class ConsentAnswer(Told):
    """One consent, without its evidence."""

    id: UUID
    subject: UUID = Field(description="The subject's pseudonym.")
    purposes: list[str]
    channels: list[str]
    given_at: datetime
    expires_at: datetime | None
    withdrawn_at: datetime | None
    time_zone: str | None


class ConsentPage(Told):
    """A page of consents, oldest first."""

    items: list[ConsentAnswer]
    next_cursor: str | None


async def create(asked: Asked) -> Reply:
    """Record a consent."""
    body: ConsentBody = asked.body
    new = NewConsent(
        subject=body.subject,
        purposes=frozenset(body.purposes),
        channels=frozenset(body.channels),
        evidence=Evidence(body.evidence.how, body.evidence.when, body.evidence.wording),
        expires_at=body.expires_at,
        time_zone=body.time_zone,
    )
    faults = list(faults_of(new, asked.rooms.clock()))
    if faults:
        raise InvalidRequest(faults=faults)
    return Reply(_told(await asked.rooms.consents.give(asked.actor, new)))


async def page(asked: Asked) -> Reply:
    """A page of consents; a look at one subject's is recorded."""
    query: ConsentQuery = asked.query
    found = await _found(asked, query, query.subject)
    if query.subject is not None:
        await _record(asked, query.subject, len(found.items))
    return Reply(found)


async def search(asked: Asked) -> Reply:
    """The same for a subject as the host knows them; one that is not known has none."""
    body: ConsentSearchBody = asked.body
    clinic = await asked.rooms.connections.clinic(asked.tenant)
    subject = await asked.rooms.subjects.known(asked.tenant, body.subject, keyed=clinic)
    found = ConsentPage(items=[], next_cursor=None)
    if subject is not None:
        found = await _found(asked, body, subject)
    await _record(asked, subject, len(found.items))
    return Reply(found)


async def withdraw(asked: Asked) -> Reply:
    """Withdraw a consent. A second time changes nothing."""
    await asked.rooms.consents.withdraw(asked.actor, asked.path["id"])
    return Reply()


async def _found(asked: Asked, query: PageQuery, subject: UUID | None) -> ConsentPage:
    after = after_id(query.cursor)
    rows = await asked.rooms.consents.page(asked.tenant, subject=subject, after=after, limit=query.limit + 1)
    items, cursor = next_cursor(rows, query.limit, lambda row: row.id)
    return ConsentPage(items=[_told(row) for row in items], next_cursor=cursor)


async def _record(asked: Asked, subject: UUID | None, count: int) -> None:
    """Write down who looked for whom."""
    sought = {"subject": str(subject) if subject is not None else None}
    await asked.rooms.ledger.accessed(asked.actor, what="consents", query=sought, count=count)


def _told(row: ConsentRow) -> ConsentAnswer:
    return ConsentAnswer(
        id=row.id,
        subject=row.subject,
        purposes=row.purposes,
        channels=row.channels,
        given_at=row.given_at,
        expires_at=row.expires_at,
        withdrawn_at=row.withdrawn_at,
        time_zone=row.time_zone,
    )


OPERATIONS = (
    Operation(
        method="POST", path="/v1/consents", summary="Record a consent with its evidence", act=create, needs=_WRITE,
        body=ConsentBody, answer=ConsentAnswer, status=201, keeps_reply=True,
    ),
    Operation(
        method="GET", path="/v1/consents", summary="List consents, oldest first; a subject by its pseudonym", act=page,
        needs=_READ, query=ConsentQuery, answer=ConsentPage,
    ),
    Operation(
        method="POST", path="/v1/consents/search", summary="List the consents of a subject as the host knows it",
        act=search, needs=_READ, body=ConsentSearchBody, answer=ConsentPage,
    ),
    Operation(
        method="DELETE", path="/v1/consents/{id:uuid}", summary="Withdraw a consent, in force at once", act=withdraw,
        needs=_WRITE, status=204, problems=(404,),
    ),
)  # fmt: skip
