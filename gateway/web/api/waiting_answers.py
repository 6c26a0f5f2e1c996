"""What callers are told of calls that wait. No value of a call is among it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from gateway.calls import Parked
from gateway.store.waiting import State, WaitingRow
from gateway.web.api.answers import RefusalReason, Told


class ParkedAnswer(Told):
    """A call that waits: it is decided anew at `until`, and goes then if nothing is against it."""

    id: UUID = Field(
        description="GET /v1/waiting/{id} says what became of it; its disclosure's entries name it in `call`."
    )
    state: Literal["waiting"] = "waiting"
    until: datetime
    reasons: list[RefusalReason] = Field(description="Why it may not go now.")
    withheld: list[str] = Field(description="Paths that were handed over and are not kept.")


class WaitingAnswer(Told):
    """A call that waits or waited, without what it says."""

    id: UUID
    state: State
    until: datetime = Field(description="When it is decided anew, or was last to be.")
    connector: str
    action: str
    purpose: str
    subject: UUID | None = Field(description="The subject's pseudonym.")
    reasons: list[RefusalReason] = Field(description="Why it waits; of one that was refused, why.")
    withheld: list[str]
    created_at: datetime
    changed_at: datetime
    disclosure: UUID | None = Field(description="Of one that was carried: what came of it.")
    code: str | None = Field(description="Of one that failed: what was wrong with it.")


class WaitingPage(Told):
    """A page of calls, newest first."""

    items: list[WaitingAnswer]
    next_cursor: str | None


def waiting_answer(parked: Parked) -> ParkedAnswer:
    """What the caller of such a call is told."""
    return ParkedAnswer(
        id=parked.id,
        until=parked.until,
        reasons=[RefusalReason(code=str(each.code), what=each.what, fix=each.fix) for each in parked.reasons],
        withheld=list(parked.withheld),
    )


def waiting_row(row: WaitingRow) -> WaitingAnswer:
    """One call as it is listed."""
    return WaitingAnswer(
        id=row.id,
        state=State(row.state),
        until=row.due_at,
        connector=row.connector,
        action=row.action,
        purpose=row.purpose,
        subject=row.subject,
        reasons=[RefusalReason(**each) for each in row.reasons],
        withheld=list(row.withheld),
        created_at=row.created_at,
        changed_at=row.changed_at,
        disclosure=row.disclosure,
        code=row.code,
    )
