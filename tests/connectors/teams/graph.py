"""The Teams connector, its sandbox and a door between them; and Microsoft's list of permissions as sets. No fixtures."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx2

from connectors.contract import VendorAnswer
from connectors.registry import Registry
from connectors.teams import sandbox
from connectors.teams.sandbox_directory import Directory
from scopes.minimize import minimize_answer
from tests.conformance.harness import HOOK, TOKEN, DirectEgress, perform

TEAMS: Final = Registry.load().connector("teams")
BASE: Final = TEAMS.manifest.base_url
Method = tuple[str, str]


class Graph:
    """One sandbox and a door to it; what left is in `requests`."""

    def __init__(self, **given: Any) -> None:
        self.app = sandbox.create(**given)
        self.requests: list[httpx2.Request] = []
        self.http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app), base_url=BASE, event_hooks={"request": [self._note]}
        )

    async def _note(self, request: httpx2.Request) -> None:
        self.requests.append(request)

    @property
    def directory(self) -> Directory:
        """What is there."""
        held: Directory = self.app.state.sandbox.directory
        return held

    def door(self, **given: Any) -> DirectEgress:
        usual = {"credential": sandbox.CREDENTIAL, "base_url": BASE, "callback_url": HOOK, "callback_token": TOKEN}
        return DirectEgress(TEAMS.manifest, self.http, **{**usual, **given})

    async def call(self, name: str, payload: Mapping[str, Any], **given: Any) -> dict[str, Any]:
        answer: VendorAnswer = await perform(TEAMS.actions[name], payload, self.door(**given))
        return minimize_answer(TEAMS.actions[name].answer, answer.body)


class Permissions:
    """Microsoft's permissions.json: which method and path each permission reaches, by scheme."""

    def __init__(self, specs: Path) -> None:
        self._held = json.loads((specs / "graph" / "permissions.json").read_text(encoding="utf-8"))["permissions"]

    def reached(self, name: str, scheme: str) -> frozenset[str]:
        """What one permission reaches, as `GET /me/presence`."""
        return frozenset(f"{method} {path}" for method, path, _ in self._paths(name, scheme))

    def enough(self, method: str, path: str, scheme: str) -> frozenset[str]:
        """The permissions each of which is enough for a request."""
        return frozenset(name for name in self._held if f"{method} {path.lower()}" in self.reached(name, scheme))

    def least(self, method: str, path: str, scheme: str) -> frozenset[str]:
        """Those of them that Microsoft marks as the least."""
        return frozenset(
            name
            for name in self._held
            for each, at, marks in self._paths(name, scheme)
            if (each, at) == (method, path.lower()) and scheme in _marked(marks)
        )

    def _paths(self, name: str, scheme: str) -> list[tuple[str, str, str]]:
        return [
            (method, path.lower(), marks)
            for each in self._held[name]["pathSets"]
            if scheme in each["schemeKeys"]
            for path, marks in each["paths"].items()
            for method in each["methods"]
        ]


def _marked(marks: str) -> set[str]:
    """The schemes for which `least=` stands: `least=DelegatedWork,Application;AlsoRequires=...`."""
    for part in marks.split(";"):
        if part.startswith("least="):
            return set(part.removeprefix("least=").split(","))
    return set()


def pattern_of(request: httpx2.Request) -> Method:
    """The method and path of a request, with {id} for what stands for one thing, as permissions.json has them."""
    path = request.url.path.removeprefix("/v1.0")
    named = r"(?<=/)([0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|SHFT_[0-9A-Za-z_-]+)(?=/|$)"
    return request.method, re.sub(named, "{id}", path)
