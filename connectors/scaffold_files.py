"""The texts of a new connector's files, with gaps. Fills nothing in; scaffold.py does."""

from string import Template
from typing import Final

ACTIONS: Final = Template('''\
"""What a $family vendor may be told and what is kept of its answers. One declaration for every vendor of the family."""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from connectors.contract import Exchange
from scopes.field import Disclosed, discloses
from scopes.opaque import OpaqueReference
from scopes.vocabulary import Category

_Id = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,64}$$"), Field(examples=["msg_7Hq2ZkW9"])]
_Word = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$$"), Field(examples=["accepted"])]


class Send(Disclosed):
    """One request. Declare a field here and it may leave; leave it out and it never does."""

    reference: Annotated[OpaqueReference, discloses(Category.IDENTIFIER, "finding the request again")]


class Sent(Disclosed):
    """What is kept of the answer."""

    id: Annotated[_Id, discloses(Category.IDENTIFIER, "the vendor's id")]
    status: Annotated[_Word | None, discloses(Category.OPERATIONAL, "how far it is")] = None


ACTIONS: Final = {"send": Exchange(Send, Sent)}
''')

MANIFEST: Final = Template("""\
# $title as a recipient. Read by the registry; a clinic sees these words on its settings page.

title = "$title"
hosts = ["api.$host.example"]
api_base = "https://api.$host.example"

[recipient]
legal_name = "$title (its legal name)"
role = "processor"
country = "DE"
regions = ["DE"]
transfer = "none, the data stays in the European Union"
privacy_url = "https://$host.example/privacy"

[agreements]
needed = true
services = ["api"]
why = "The vendor works on the clinic's behalf, so an agreement must be on file first."

[credential]
kind = "api_key"
apply = "bearer"

[[credential.accepts]]
pattern = "${vendor}_(live|test)_[0-9A-Za-z]{16,128}"
title = "an API key"

[callback]
deadline_seconds = 5

[limits]
per_second = 10
$features""")

FEATURE: Final = Template("""
[features.$name]
title = "$words"
why = "What the clinic gets by switching this on"
actions = ["$name"]

[actions.$name]
purposes = ["HOPERAT"]
service = "api"
repeat = "always"
$channel""")

CLIENT: Final = Template('''\
"""One coroutine per action: our fields to a request, the answer to ours. No credential, no retry, no SDK."""

from typing import Any

import orjson

from connectors.contract import Egress, VendorAnswer
${family_import}from connectors.wire import build_request, error_for, object_in$wording_import
${own_import}
$functions

async def _send(egress: Egress, path: str, fields: dict[str, Any]) -> VendorAnswer:
    """Send one request and read its answer. Raises the contract's errors."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": egress.idempotency_key}
    content = orjson.dumps(fields)
    response = await egress.send(build_request("POST", egress.base_url + path, headers=headers, content=content))
    if error := error_for(response.status_code, response.headers):
        raise error
    body = object_in(response)
    reference = body.get("id")
    return VendorAnswer(body, reference if isinstance(reference, str) else None, response.status_code)
''')

FUNCTION: Final = Template('''
async def $name(fields: $model, egress: Egress) -> VendorAnswer:
    """$words."""
    return await _send(egress, "/v1/$name", $body)
''')

CALLBACK: Final = Template('''\
"""The vendor's messages to us: verify the raw bytes, then read them under our names. Keeps nothing, quotes nothing."""

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from connectors.contract import CallbackEvent, CallbackRefused
${family_import}from connectors.wire import parse_object
from scopes.field import Shape, shape_of
from scopes.minimize import minimize_answer
${own_import}
TOLERANCE_SECONDS: Final = 300
_HEADER: Final = re.compile(r"t=([1-9][0-9]{0,11}),v1=([0-9a-f]{64})")
_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,80}")
_LAST_SECOND: Final = 253_402_300_799  # the last of the year 9999

KNOWN: Final = frozenset({"$event"})
EVENTS: Final[Mapping[str, Shape]] = {"$event": shape_of($model)}


def verify(raw_body: bytes, headers: Mapping[str, str], url: str, secrets: Sequence[str], *, now: datetime) -> None:
    """Raise CallbackRefused unless a secret signed these bytes within five minutes of now."""
    header = next((value for name, value in headers.items() if name.lower() == "x-signature"), "")
    found = _HEADER.fullmatch(header)
    if not found:
        raise CallbackRefused("signature_missing")
    if abs(now.timestamp() - int(found[1])) > TOLERANCE_SECONDS:
        raise CallbackRefused("not_fresh")
    genuine = False
    for secret in secrets:
        expected = hmac.digest(secret.encode(), f"{found[1]}.".encode() + raw_body, "sha256").hex()
        genuine |= bool(secret.strip()) and hmac.compare_digest(expected, found[2])
    if not genuine:
        raise CallbackRefused("bad_signature")


def identity(raw_body: bytes) -> str:
    """The event's id, which the vendor repeats when it sends the event again."""
    return _id(_event(raw_body))


def translate(raw_body: bytes, url: str) -> tuple[CallbackEvent, ...]:
    """The event under our names; none where its type is not used."""
    event = _event(raw_body)
    kind, created, data = event.get("type"), event.get("created"), event.get("data")
    if not isinstance(kind, str):
        raise CallbackRefused("malformed_event")
    if kind not in KNOWN:
        return ()
    if type(created) is not int or not 0 <= created <= _LAST_SECOND or not isinstance(data, dict):
        raise CallbackRefused("malformed_event")
    occurred_at = datetime.fromtimestamp(created, UTC)
    return (CallbackEvent(kind, _id(data), None, occurred_at, minimize_answer(EVENTS[kind], data)),)


def _event(raw_body: bytes) -> dict[str, Any]:
    event = parse_object(raw_body)
    if event is None:
        raise CallbackRefused("not_an_event")
    return event


def _id(found: Mapping[str, Any]) -> str:
    value = found.get("id")
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise CallbackRefused("malformed_event")
    return value
''')

SANDBOX: Final = Template('''\
"""A small emulator of $title for the demo and the tests. Emulates what we use; never imported in production."""

import json
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CREDENTIAL: Final = "${vendor}_test_0123456789abcdef"

#: What each action may send, and what it is answered.
FIELDS: Final[dict[str, set[str]]] = $fields
ANSWERS: Final[dict[str, dict[str, Any]]] = $answers


def create() -> Starlette:
    """The sandbox as an ASGI application."""
    app = Starlette(routes=[Route("/v1/{action}", _answer, methods=["POST"])])
    app.state.saved = {}
    return app


async def _answer(request: Request) -> Response:
    if request.headers.get("authorization") != f"Bearer {CREDENTIAL}":
        return JSONResponse({"error": "unauthorized"}, 401)
    action = request.path_params["action"]
    given = json.loads(await request.body())
    if action not in FIELDS or not given.keys() <= FIELDS[action]:
        return JSONResponse({"error": "unknown_field"}, 422)
    first = request.app.state.saved.setdefault(request.headers.get("idempotency-key"), (action, given))
    if first != (action, given):
        return JSONResponse({"error": "key_used_for_another_request"}, 422)
    return JSONResponse(ANSWERS[action])
''')

README: Final = Template("""# $title

What a clinic gets from this connector, in one sentence.

## Recipient

$title (its legal name): where it sits, what it is in law, who works for it.

## What leaves

| action | request | what is sent |
| --- | --- | --- |
$rows

Of the answers we keep what the answer models declare; everything else is dropped.

## How to revoke

Revoke the connection in the gateway: its sealed key is destroyed at once. Then delete the key at the vendor.

## Known limits

What the vendor can't do, and what that means for a clinic.
""")

ROW: Final = Template("| `$name` | `POST /v1/$name` | $fields |")
