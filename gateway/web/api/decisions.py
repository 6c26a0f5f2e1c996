"""POST /v1/decisions: what would become of a call, with every reason. Nothing is sent and nothing is recorded."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import Field

from gateway.calls import Call
from gateway.errors import InvalidRequest
from gateway.flows.preview import Preview, preview
from gateway.web.api.answers import RefusalReason, Told
from gateway.web.api.models import CallBody
from gateway.web.api.operation import Asked, Operation, Reply
from gateway.web.api.template_answers import ParameterAnswer, parameters_of
from scopes.decision import Denied
from scopes.fault import Fault
from scopes.scope import Area, Scope, Verb, includes
from scopes.vocabulary import Category
from scopes.wording import Encoding, Wording

_READ: Final = Scope(Area.CALLS, Verb.READ)


class LeavingAnswer(Told):
    """One field that would leave."""

    path: str
    category: Category


class WordingAnswer(Told):
    """What a message would cost, and, for who may send it, what it would say."""

    template: str
    version: int
    language: str
    length: int
    encoding: Encoding
    segments: int
    text: str | None = Field(description="Null for a caller that may not make this call.")
    parameters: list[ParameterAnswer]


class DecisionAnswer(Told):
    """What would become of a call."""

    connector: str = Field(description="The one that would be called; the family where none of its vendors may be.")
    allowed: bool
    reasons: list[RefusalReason] = Field(description="Every reason against it; none where it is allowed.")
    waits_until: datetime | None = Field(
        description="Until when it would wait instead of being refused, where the clinic lets it wait for all of the reasons."
    )
    fields: list[LeavingAnswer] = Field(description="What would leave, by name; where it is allowed.")
    withheld: list[str] = Field(description="Paths that were handed over and would not leave.")
    wording: WordingAnswer | None = Field(
        description="The clinic's own text, filled; where the action sends a message."
    )


async def decide(asked: Asked) -> Reply:
    """Decide a call and leave it at that."""
    body: CallBody = asked.body
    call = Call(asked.actor, body.connector, body.action, body.purpose, body.payload, asked.request_id, body.subject)
    try:
        seen = await preview(call, asked.rooms)
    except InvalidRequest as invalid:
        faults = [Fault(f"payload.{fault.path}".rstrip("."), fault.message) for fault in invalid.faults]
        raise InvalidRequest(invalid.detail, faults=faults, fix=invalid.fix) from None
    denied = seen.decision if isinstance(seen.decision, Denied) else None
    reasons = denied.reasons if denied is not None else ()
    sent = seen.fields.sent if seen.decision else ()
    return Reply(
        DecisionAnswer(
            connector=seen.connector,
            allowed=bool(seen.decision),
            reasons=[RefusalReason(code=str(each.code), what=each.what, fix=each.fix) for each in reasons],
            waits_until=denied.waits_until if denied is not None else None,
            fields=[LeavingAnswer(path=path, category=category) for path, category in sent],
            withheld=list(seen.fields.withheld),
            wording=_told(seen.wording, may_send=_may_send(seen, asked)) if seen.wording is not None else None,
        )
    )


def _may_send(seen: Preview, asked: Asked) -> bool:
    return includes(asked.actor.scopes, Scope(Area.CALLS, Verb.WRITE, tuple(seen.action.path.split("/"))))


def _told(said: Wording, *, may_send: bool) -> WordingAnswer:
    """The words are the caller's own data, so whoever could send them may see them."""
    return WordingAnswer(
        template=said.template,
        version=said.version,
        language=said.language,
        length=len(said.text),
        encoding=said.encoding,
        segments=said.segments,
        text=said.text if may_send else None,
        parameters=parameters_of(said) if may_send else [],
    )


OPERATIONS = (
    Operation(
        method="POST", path="/v1/decisions", act=decide, needs=_READ, body=CallBody, answer=DecisionAnswer,
        summary="What would become of a call, with every reason; nothing is sent or recorded", problems=(404,),
    ),
)  # fmt: skip
