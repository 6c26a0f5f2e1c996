"""Write the folder of a new connector, which keeps every rule as it stands. Knows no vendor; the texts are beside it."""

import importlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any, Final

from connectors import scaffold_files as texts
from connectors.contract import Exchange
from connectors.example import example_of, example_wording
from connectors.folder import HERE, package_of
from connectors.message import Message
from connectors.review import Finding, check
from scopes.field import Shape, shape_of

__all__ = ["Finding", "ScaffoldError", "check", "write_connector"]

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}/[a-z][a-z0-9_]{0,39}")
_RECORDED_AT: Final = 1_768_469_400
_ID: Final = "new_7Hq2ZkW9"
_FIELDS: Final = 'fields.model_dump(mode="json", exclude_none=True)'
_MESSAGE: Final = '{"to": fields.phone, "text": wording_of(egress).text}'


class ScaffoldError(Exception):
    """A connector that can't be begun; the message says why."""


def write_connector(root: Path, name: str) -> list[Path]:
    """Write the folder `root/FAMILY/VENDOR`, and the family's models where it is new. Raises ScaffoldError."""
    if not _NAME.fullmatch(name):
        raise ScaffoldError("name it FAMILY/VENDOR in small letters, digits and underscores, such as payments/acme_pay")
    family, vendor = name.split("/")
    folder = root / family / vendor
    if folder.exists():
        raise ScaffoldError(f"{name} exists already")
    files: dict[Path, str] = {}
    if not any((place / family / "actions.py").is_file() for place in (root, HERE)):
        files[root / family / "actions.py"] = texts.ACTIONS.substitute(family=family)
    _write(files)
    exchanges, models = _family(root, family)
    inside = _folder_files(vendor, exchanges, models)
    _write({folder / path: text for path, text in inside.items()})
    return [*files, *(folder / path for path in inside)]


def _family(root: Path, family: str) -> tuple[Mapping[str, Exchange], str]:
    """The family's models, and how a vendor's file names their module."""
    own = (root / family / "actions.py").is_file() and root.resolve() != HERE.resolve()
    module = importlib.import_module(f"{package_of(root) if own else 'connectors'}.{family}.actions")
    exchanges: Mapping[str, Exchange] = module.ACTIONS
    return exchanges, "..actions" if own else f"connectors.{family}.actions"


def _folder_files(vendor: str, exchanges: Mapping[str, Exchange], models: str) -> dict[str, str]:
    title = vendor.replace("_", " ").title()
    shapes = {name: (shape_of(exchange.request), shape_of(exchange.answer)) for name, exchange in exchanges.items()}
    first = next(iter(exchanges))
    event = f"{first}.changed"
    common = {"title": title, "vendor": vendor, "host": vendor.replace("_", "-")}
    return {
        "manifest.toml": texts.MANIFEST.substitute(common, features=_each(texts.FEATURE, shapes)),
        "client.py": texts.CLIENT.substitute(
            **_import(models, {request.model.__name__ for request, _ in shapes.values()}),
            wording_import=", wording_of" if any(_is_message(request) for request, _ in shapes.values()) else "",
            functions="\n".join(_filled(texts.FUNCTION, name, request) for name, (request, _) in shapes.items()),
        ),
        "callback.py": texts.CALLBACK.substitute(
            **_import(models, {shapes[first][1].model.__name__}),
            event=event,
            model=shapes[first][1].model.__name__,
        ),
        "sandbox.py": texts.SANDBOX.substitute(
            common,
            fields=_literal({name: set(_sent(name, request)) for name, (request, _) in shapes.items()}),
            answers=_literal({name: example_of(answer) for name, (_, answer) in shapes.items()}),
        ),
        "README.md": texts.README.substitute(common, rows=_rows(shapes)),
        **{f"tests/{name}.json": _json(_recorded(name, *pair)) for name, pair in shapes.items()},
        "tests/callback.json": _json([_recorded_event(event, shapes[first][1])]),
    }


def _recorded(name: str, request: Shape, answer: Shape) -> dict[str, Any]:
    """A good and a bad exchange, made from the examples."""
    payload, body = example_of(request, optional=False), example_of(answer)
    asked = {"method": "POST", "path": f"/v1/{name}", "json": _sent(name, request, optional=False)}
    given = {"reference": body.get("id"), "answer": body}
    refused = {"error": "Rejected", "code": "rejected"}
    return {
        "good": [{"payload": payload, "request": asked, "answer": {"status": 200, "body": body}, "gives": given}],
        "bad": [{"payload": payload, "request": asked, "answer": {"status": 422, "body": {}}, "gives": refused}],
    }


def _sent(name: str, request: Shape, *, optional: bool = True) -> dict[str, Any]:
    """What an example sends: its fields, or for a message the number and the words."""
    model = request.model.model_validate(example_of(request, optional=optional))
    fields: dict[str, Any] = json.loads(model.model_dump_json(exclude_none=True))
    return {"to": fields["phone"], "text": example_wording(name, model).text} if _is_message(request) else fields


def _is_message(request: Shape) -> bool:
    return issubclass(request.model, Message)


def _recorded_event(event: str, answer: Shape) -> dict[str, Any]:
    data = {**example_of(answer), "id": example_of(answer).get("id", _ID)}
    kept = {name: data[name] for name in example_of(answer)}
    given = {
        "type": event,
        "vendor_id": data["id"],
        "account": None,
        "occurred_at": "2026-01-15T09:30:00+00:00",
        "data": kept,
    }
    body = {"id": "evt_7Hq2ZkW9", "type": event, "created": _RECORDED_AT, "data": {**data, "surplus": "dropped"}}
    return {"event": body, "gives": [given]}


def _rows(shapes: Mapping[str, tuple[Shape, Shape]]) -> str:
    rows = {
        name: ", ".join(leaf.path.replace("_", " ") for leaf in request.walk()) for name, (request, _) in shapes.items()
    }
    return "\n".join(texts.ROW.substitute(name=name, fields=fields) for name, fields in rows.items())


def _each(text: Template, shapes: Mapping[str, tuple[Shape, Shape]]) -> str:
    return "".join(_filled(text, name, request) for name, (request, _) in shapes.items())


def _filled(text: Template, name: str, request: Shape) -> str:
    message = _is_message(request)
    return text.substitute(
        name=name,
        model=request.model.__name__,
        words=name.replace("_", " ").capitalize(),
        channel='channel = "sms"\n' if message else "",
        body=_MESSAGE if message else _FIELDS,
    )


def _import(module: str, names: set[str]) -> dict[str, str]:
    """The import of the models in its place among the others: a relative one stands apart, at the end."""
    line = f"from {module} import {', '.join(sorted(names))}"
    if len(line) > 120:
        line = "\n".join([f"from {module} import (", *(f"    {name}," for name in sorted(names)), ")"])
    own = module.startswith(".")
    return {"own_import": f"\n{line}\n" if own else "", "family_import": "" if own else f"{line}\n"}


def _literal(value: Any, indent: str = "") -> str:
    """A value as source, one item a line."""
    inside = f"{indent}    "
    if isinstance(value, dict):
        lines = [f"{inside}{_literal(key)}: {_literal(held, inside)},\n" for key, held in value.items()]
        return f"{{\n{''.join(lines)}{indent}}}"
    if isinstance(value, set | list):
        lines = [
            f"{inside}{_literal(held, inside)},\n" for held in (sorted(value) if isinstance(value, set) else value)
        ]
        opening, closing = "{}" if isinstance(value, set) else "[]"
        return f"{opening}\n{''.join(lines)}{indent}{closing}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


def _write(files: Mapping[Path, str]) -> None:
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    importlib.invalidate_caches()
