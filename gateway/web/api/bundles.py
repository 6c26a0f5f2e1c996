"""POST /v1/bundles: evidence for an auditor, as one file that verifies offline. The export is itself recorded."""

from __future__ import annotations

from typing import Final

from gateway.errors import InvalidRequest, NotFound
from gateway.flows.bundles import BundleQuery, export
from gateway.web.api.models import BundleBody
from gateway.web.api.operation import ZIP, Asked, Operation, Reply
from scopes.fault import Fault
from scopes.scope import Area, Scope, Verb

_DOWNLOAD: Final = {"content-disposition": 'attachment; filename="evidence.zip"'}


async def create(asked: Asked) -> Reply:
    """Export the entries of a period, of a subject or to a recipient, with their proofs."""
    body: BundleBody = asked.body
    if body.since is not None and body.until is not None and body.since >= body.until:
        raise InvalidRequest(faults=[Fault("until", "must be later than since")])
    subject = None
    if body.subject is not None:
        clinic = await asked.rooms.connections.clinic(asked.tenant)
        subject = await asked.rooms.subjects.known(asked.tenant, body.subject, keyed=clinic)
        if subject is None:
            await asked.rooms.ledger.accessed(asked.actor, what="bundle", query={"subject": None}, count=0)
            raise NotFound("there are no entries about this subject")
    wanted = BundleQuery(since=body.since, until=body.until, subject=subject, recipient=body.recipient)
    return Reply(export(asked.actor, wanted, asked.rooms), headers=_DOWNLOAD)


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/bundles",
        summary="Export an evidence bundle (zip) that `gateway verify` checks offline",
        act=create,
        needs=Scope(Area.BUNDLES, Verb.WRITE),
        body=BundleBody,
        media=ZIP,
        problems=(404,),
    ),
)
