"""Google's own documents of its methods: which one a request is, whether it fits, which scopes it takes. No fixtures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2

PREFIX = "https://www.googleapis.com/auth/"
FILES = ("calendar.v3", "gmail.v1", "sheets.v4", "drive.v3", "meet.v2")
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str, "boolean": bool, "integer": int, "object": dict, "array": list, "any": object,
}  # fmt: skip


@dataclass(frozen=True)
class Method:
    """One method, with the document that it stands in."""

    document: Mapping[str, Any]
    written: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.written["id"])

    @property
    def scopes(self) -> frozenset[str]:
        """By the names that our manifest has."""
        return frozenset(scope.removeprefix(PREFIX) for scope in self.written.get("scopes", ()))

    def takes(self, request: httpx2.Request) -> bool:
        """Whether a request is for this method."""
        place = urlsplit(str(request.url))
        root = urlsplit(self.document["rootUrl"])
        pattern = re.sub(
            r"\\\{\\?\+?[A-Za-z]+\\\}", "[^/]+", re.escape(self.document["servicePath"] + self.written["path"])
        )
        fits = place.hostname == root.hostname and re.fullmatch(f"/{pattern}", place.path) is not None
        return fits and request.method == self.written["httpMethod"]

    def faults(self, request: httpx2.Request) -> Iterator[str]:
        """Where a request does not fit."""
        known = {**self.document["parameters"], **self.written.get("parameters", {})}
        for name, value in parse_qsl(urlsplit(str(request.url)).query, keep_blank_values=True):
            if name not in known or known[name].get("location") == "path":
                yield f"unknown parameter {name}"
            elif value not in known[name].get("enum", [value]):
                yield f"{name} may not be {value}"
        expected = self.written.get("request")
        if expected is None and request.content:
            yield "has a body"
        elif expected is not None:
            yield from self._body(json.loads(request.content), expected, "body")

    def _body(self, value: Any, schema: Mapping[str, Any], where: str) -> Iterator[str]:
        if "$ref" in schema:
            schema = self.document["schemas"][schema["$ref"]]
        kind = schema.get("type", "any")
        if not isinstance(value, _TYPES[kind]) or (kind == "integer" and isinstance(value, bool)):
            yield f"{where} is no {kind}"
        elif value not in schema.get("enum", [value]):
            yield f"{where} may not be {value}"
        elif schema.get("readOnly"):
            yield f"{where} is Google's to write"
        elif kind == "array":
            for at, each in enumerate(value):
                yield from self._body(each, schema["items"], f"{where}[{at}]")
        elif kind == "object":
            for name, each in value.items():
                inner = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
                if inner is None:
                    yield f"{where}.{name} is unknown"
                else:
                    yield from self._body(each, inner, f"{where}.{name}")


@cache
def methods(specs: Path) -> tuple[Method, ...]:
    """Every method of the services that we use."""
    found = []
    for name in FILES:
        document = json.loads((specs / "google" / f"{name}.json").read_text())
        found += [Method(document, written) for written in _methods(document)]
    return tuple(found)


def method_of(request: httpx2.Request, specs: Path) -> Method:
    """The one method that a request is for."""
    (found,) = [each for each in methods(specs) if each.takes(request)]
    return found


def reached(scope: str, specs: Path) -> frozenset[str]:
    """The methods that a scope is enough for."""
    return frozenset(each.id for each in methods(specs) if scope in each.scopes)


def _methods(resource: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from resource.get("methods", {}).values()
    for inner in resource.get("resources", {}).values():
        yield from _methods(inner)
