"""The connector, and doors for it. No fixtures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from connectors.contract import Action
from connectors.registry import Registry
from scopes.minimize import minimize
from tests.conformance.harness import CapturingEgress

GOOGLE = Registry.load().connector("google")
OWN = "c_1f3a9c55e4@group.calendar.google.com"
EVENT = "0i6v8c3n2q1k5m7p9r4t0a2b6d"
TIMES = {"starts_at": "2026-01-15T09:30:00Z", "ends_at": "2026-01-15T10:00:00Z"}
BOOKING = {**TIMES, "reference": "appt_7Hq2ZkW9"}


@dataclass
class Door(CapturingEgress):
    """A capturing door whose clinic set what a test says, and whose vendor gives one answer after the other."""

    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        return dict(self.given)


def door(*answers: httpx2.Response | Exception, **given: str) -> Door:
    """A door that gives these answers in turn."""
    left = list(answers)

    def answer(_: httpx2.Request) -> httpx2.Response:
        following = left.pop(0)
        if isinstance(following, Exception):
            raise following
        return following

    return Door(GOOGLE.manifest, answer, given=given)


async def act(name: str, payload: Mapping[str, Any], egress: Any) -> Any:
    """Minimize and perform."""
    action: Action = GOOGLE.actions[name]
    return await action.perform(minimize(action.shape, payload).model, egress)


def said(status: int, body: Any = None) -> httpx2.Response:
    """One answer of Google's."""
    return httpx2.Response(status) if body is None else httpx2.Response(status, json=body)


def refused(status: int, reason: str) -> httpx2.Response:
    """One refusal in Calendar's form."""
    return said(status, {"error": {"code": status, "errors": [{"domain": "global", "reason": reason}]}})
