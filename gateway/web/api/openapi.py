"""GET /openapi.json: the API described (OpenAPI 3.1), from the same models and operations that serve it, and every action."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any, Final

import orjson
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from connectors.contract import Action
from connectors.registry import Registry
from gateway.web.api.answers import CallAnswer, ProblemDocument
from gateway.web.api.models import CallBody, Given
from gateway.web.api.operation import JSON, Asked, Operation, Reply
from gateway.web.api.waiting_answers import ParkedAnswer
from gateway.web.problems import MEDIA_TYPE
from scopes.scope import Area, Scope, Verb

PATH: Final = "/openapi.json"
_REF: Final = "#/components/schemas/{model}"
_PARAMETER: Final = re.compile(r"{(\w+)(?::(\w+))?}")
_ALWAYS: Final = (400, 429, 500, 503)
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_REPEATS: Final = {
    True: "A repeat under the same key within 24 hours gets the first reply again; another request under it is 422.",
    False: "Taken and without effect: this changes nothing.",
}
_CALL_REPEATS: Final = (
    "A repeat under the same key gets the first call's answer and discloses nothing; another call under it is 422."
)
_ABOUT: Final = (
    "The tenant follows from the bearer token (an API key, or a JWT of a trusted issuer). Errors are problem documents "
    "(RFC 9457) that never repeat a value. Hashes are base64. Of a JSON name that is given twice the last one counts. "
    "`X-Request-Id` is taken where it is a UUID, a ULID or 32 hexadecimal digits, and always answered."
)


def operation_of(operations: Sequence[Operation], registry: Registry) -> Operation:
    """The operation that serves the document of these operations and itself.

    The document is written when it is first asked for, beside the loop: it takes half a second, and few ask for it.
    """

    @cache
    def document() -> bytes:
        return described((*operations, operation), registry)

    async def read(asked: Asked) -> Reply:
        return Reply(await asyncio.to_thread(document))

    operation = Operation(method="GET", path=PATH, summary="This description", act=read, needs=None)
    return operation


def described(operations: Sequence[Operation], registry: Registry) -> bytes:
    """The document for these operations, POST /v1/calls and every action of every connector."""
    actions = [action for each in registry.connectors.values() for action in each.actions.values()]
    schemas = _schemas(operations, actions)
    paths: dict[str, dict[str, Any]] = {"/v1/calls": {"post": _call(actions)}}
    for operation in operations:
        path = _PARAMETER.sub(r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, schemas)
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "Clinic Gateway", "version": "1", "description": _ABOUT},
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            },
            "security": [{"bearer": []}],
        }
    )


def _schemas(operations: Iterable[Operation], actions: Iterable[Action]) -> dict[str, Any]:
    """Every model once; an action's two models under the action's own name."""
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {
        (CallBody, "validation"): None,
        (CallAnswer, "serialization"): None,
        (ParkedAnswer, "serialization"): None,
        (ProblemDocument, "serialization"): None,
    }
    for operation in operations:
        for given in filter(None, (operation.body, operation.query)):
            wanted[given, "validation"] = None
        if operation.answer is not None:
            wanted[operation.answer, "serialization"] = None
    found = _definitions(list(wanted))
    for action in actions:
        found[_name(action, "payload")] = _own_schema(action.shape.model)
        found[_name(action, "answer")] = _own_schema(action.answer.model)
    return found


def _definitions(models: Sequence[tuple[type[BaseModel], JsonSchemaMode]]) -> dict[str, Any]:
    _, found = models_json_schema(models, ref_template=_REF)
    schemas: dict[str, Any] = found["$defs"]
    return schemas


def _own_schema(model: type[BaseModel]) -> Any:
    """One action's model with what it needs inside it: two connectors may use one name for two things."""
    schema = model.model_json_schema(ref_template="#/$defs/{model}")
    return _inlined(schema, schema.pop("$defs", {}))


def _inlined(node: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema without references; shapes are finite, so this ends."""
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        beside = {name: value for name, value in node.items() if name != "$ref"}
        return {**_inlined(definitions[node["$ref"].rpartition("/")[2]], definitions), **_inlined(beside, definitions)}
    return {name: _inlined(value, definitions) for name, value in node.items()}


def _name(action: Action, part: str) -> str:
    return f"{action.path.replace('/', '.')}.{part}"


def _call(actions: Sequence[Action]) -> dict[str, Any]:
    """POST /v1/calls: the body says for every action what its payload is."""
    of_action = [
        {
            "title": action.path,
            "properties": {
                "connector": {"enum": [action.connector, action.manifest.family]},
                "action": {"const": action.name},
                "purpose": {"enum": sorted(map(str, action.purposes))},
                "payload": {"$ref": _REF.format(model=_name(action, "payload"))},
            },
        }
        for action in actions
    ]
    body: dict[str, Any] = {"$ref": _REF.format(model="CallBody")}
    if of_action:
        body["anyOf"] = of_action
    needs = Scope(Area.CALLS, Verb.WRITE)
    return {
        "operationId": "call",
        "summary": "Hand data to a recipient: checked, minimized, recorded, sent, answered",
        "description": "200 means that the ledger holds the intent and the outcome, whatever the vendor said: read "
        f"`outcome`. 202 means that it waits, as the clinic's policy lets it, and is decided anew at `until`. "
        f"Needs a scope {needs}:<connector>/<action>.",
        "parameters": [{**_KEY, "description": _CALL_REPEATS}],
        "requestBody": {"required": True, "content": {JSON: {"schema": body}}},
        "responses": {
            "200": _answer("What came of the call", JSON, _REF.format(model="CallAnswer")),
            "202": _answer("It waits until it may go", JSON, _REF.format(model="ParkedAnswer")),
            **_problems((401, 403, 404, 408, 409, 413, 415, 422)),
        },
        "x-scope": f"{needs}:<connector>/<action>",
    }


def _operation(operation: Operation, schemas: Mapping[str, Any]) -> dict[str, Any]:
    parameters = [_path_parameter(name, kind) for name, kind in _PARAMETER.findall(operation.path)]
    if operation.query is not None:
        parameters += _query_parameters(operation.query, schemas)
    if operation.method == "POST":
        parameters.append({**_KEY, "description": _REPEATS[operation.keeps_reply]})
    written: dict[str, Any] = {
        "operationId": _operation_id(operation),
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {str(operation.status): _success(operation), **_problems(_codes(operation))},
    }
    if operation.needs is None:
        written["security"] = []
    else:
        written["x-scope"] = str(operation.needs)
        written["description"] = f"Needs the scope {operation.needs}."
    if operation.body is not None:
        content = {JSON: {"schema": {"$ref": _REF.format(model=operation.body.__name__)}}}
        written["requestBody"] = {"required": True, "content": content}
    return written


def _codes(operation: Operation) -> set[int]:
    codes = {*operation.problems}
    if operation.needs is not None:
        codes |= {401, 403}
    if operation.body is not None:
        codes |= {408, 413, 415}
    return codes | {409, 422} if operation.keeps_reply else codes


def _success(operation: Operation) -> dict[str, Any]:
    said = HTTPStatus(operation.status).phrase
    if operation.status == HTTPStatus.NO_CONTENT:
        return {"description": said}
    if operation.answer is None:
        schema = {"type": "string"} if operation.media.startswith("text/") else {}
        return {"description": said, "content": {operation.media: {"schema": schema}}}
    return _answer(said, operation.media, _REF.format(model=operation.answer.__name__))


def _answer(said: str, media: str, reference: str) -> dict[str, Any]:
    return {"description": said, "content": {media: {"schema": {"$ref": reference}}}}


def _problems(codes: Iterable[int]) -> dict[str, Any]:
    reference = _REF.format(model="ProblemDocument")
    return {str(code): _answer(HTTPStatus(code).phrase, MEDIA_TYPE, reference) for code in sorted({*codes, *_ALWAYS})}


def _path_parameter(name: str, kind: str) -> dict[str, Any]:
    schema = {"type": "string", "format": "uuid"} if kind == "uuid" else {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(query: type[Given], schemas: Mapping[str, Any]) -> list[dict[str, Any]]:
    schema = schemas[query.__name__]
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": described_field}
        for name, described_field in schema["properties"].items()
    ]


def _operation_id(operation: Operation) -> str:
    words = re.findall(r"[a-z]+", _PARAMETER.sub("one", operation.path.removeprefix("/v1")))
    return "_".join((operation.method.lower(), *words))
