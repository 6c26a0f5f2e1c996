"""POST /v1/calls: the hot route, straight on ASGI without a framework around it. Reads, lets in, calls the broker, answers.

The status is 200 whatever the vendor said: it means that the ledger holds the intent and the outcome. It is 202 where the
call waits until it may go. A caller that hangs up meanwhile changes nothing: the call is finished and recorded.
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from pydantic import ValidationError
from starlette.types import Receive, Send
from starlette.types import Scope as Asgi

from connectors.registry import UnknownAction
from gateway.calls import Actor, Answer, Call, Parked
from gateway.errors import Forbidden, InvalidRequest, NotFound
from gateway.flows.family import carry
from gateway.flows.rooms import Rooms
from gateway.web.answering import HEADERS, answer, header_list
from gateway.web.api.answers import base64_of
from gateway.web.api.models import CallBody
from gateway.web.api.waiting_answers import waiting_answer
from gateway.web.faults import validated
from gateway.web.problems import told
from gateway.web.reading import ClientGone, Headers, Limits, json_of, request_id
from scopes.fault import Fault
from scopes.scope import Area, Scope, Verb, includes, touches

PATH: Final = "/v1/calls"
_JSON: Final = (*HEADERS, (b"content-type", b"application/json"))
_ANY_CALL: Final = Scope(Area.CALLS, Verb.WRITE)


class CallEndpoint:
    """The ASGI application behind POST /v1/calls."""

    def __init__(self, rooms: Rooms, limits: Limits) -> None:
        self._rooms = rooms
        self._limits = limits
        self._needed = {
            action.path: Scope(Area.CALLS, Verb.WRITE, tuple(action.path.split("/")))
            for connector in rooms.registry.connectors.values()
            for action in connector.actions.values()
        }

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """Answer one request."""
        asked = request_id(scope["headers"])
        try:
            call = await self._call(scope, receive, asked)
            told_of = await self._carried(call)
        except ClientGone:
            return
        except Exception as failure:
            problem = told(failure, asked)
            await answer(send, problem.status, header_list(problem), problem.body, asked)
        else:
            if isinstance(told_of, Parked):
                await answer(send, 202, _JSON, waiting_answer(told_of).model_dump_json().encode(), asked)
            else:
                await answer(send, 200, _JSON, body_of(told_of), asked)

    async def _call(self, scope: Asgi, receive: Receive, asked: str) -> Call:
        """Read the request; who may not call at all is told so before the body is read."""
        headers = Headers(scope["headers"])
        actor = await self._rooms.callers.caller(headers.authorization)
        if not touches(actor.scopes, _ANY_CALL):
            raise Forbidden("this needs a scope calls:write:<connector>/<action>")
        if scope["query_string"]:
            raise InvalidRequest("this takes no parameters in the address")
        headers.check_json()
        key = headers.idempotency_key
        body = _body(json_of(await headers.body(receive, self._limits)))
        self._let_in(actor, body)
        return Call(actor, body.connector, body.action, body.purpose, body.payload, asked, body.subject, key)

    def _let_in(self, actor: Actor, body: CallBody) -> None:
        """Raise Forbidden unless the actor holds the scope of this very action, whatever name it was called by.

        Of a family it needs the scope of the action at each vendor that has it.
        """
        try:
            actions = self._rooms.registry.offered(body.connector, body.action)
        except UnknownAction as unknown:
            fix = "GET /v1/catalog lists the connectors and their actions."
            raise NotFound(str(unknown), fix=fix) from None
        for action in actions:
            needed = self._needed[action.path]
            if not includes(actor.scopes, needed):
                raise Forbidden(f"this needs the scope {needed}")

    async def _carried(self, call: Call) -> Answer | Parked:
        try:
            return await carry(call, self._rooms)
        except InvalidRequest as invalid:
            faults = [Fault(f"payload.{fault.path}".rstrip("."), fault.message) for fault in invalid.faults]
            raise InvalidRequest(invalid.detail, faults=faults, fix=invalid.fix) from None


def body_of(answer: Answer) -> bytes:
    """An answer as CallAnswer has it; written by hand, since this is on every call's way."""
    document: dict[str, Any] = {
        "id": str(answer.id),
        "outcome": answer.outcome,
        "answer": answer.answer,
        "withheld": answer.withheld,
        "ledger": {"index": answer.index, "leaf": base64_of(answer.leaf)},
    }
    if answer.code is not None:
        document["code"] = answer.code
    if answer.tried:
        document["tried"] = [
            {
                "connector": each.connector,
                "id": str(each.id) if each.id is not None else None,
                "outcome": each.outcome,
                "reasons": each.reasons,
            }
            for each in answer.tried
        ]
    return orjson.dumps(document)


def _body(given: Any) -> CallBody:
    try:
        return CallBody.__pydantic_validator__.validate_python(given)  # type: ignore[no-any-return]
    except ValidationError:
        return validated(CallBody, given, what="the body")  # raises, naming what is wrong
