"""A connector without manners sends all it can reach, and still only what is declared arrives, in the declared form."""

import json
from typing import Any

import httpx2
import pytest

from scopes.minimize import Minimized, minimize
from tests.conformance.harness import CANARY, CapturingEgress
from tests.conformance.test_every_connector import FOUND

SAY = FOUND.action("echo/echo", "say")
FULL: dict[str, Any] = {
    "reference": "appt_7Hq2ZkW9",
    "phone": "+4915112345678",
    "given_name": "Ada",
    "note": "Call ada@clinic.example or +49 151 12345678.",
    "starts_at": "2026-11-17T10:30:47+01:00",
    "born": "1985-12-10",
    "urgency": "urgent",
    "items": [{"code": "A1", "amount_minor": 100}, {"code": "A2"}],
    "place": {"country": "DE"},
}


async def sent(minimized: Minimized) -> Any:
    egress = CapturingEgress(SAY.manifest, lambda _: httpx2.Response(200, json={"id": "msg_1"}))
    await SAY.perform(minimized.model, egress)
    (request,) = egress.requests
    return json.loads(request.content)


async def test_what_arrives_is_reduced_before_the_connector_sees_it() -> None:
    body = await sent(minimize(SAY.shape, FULL))
    assert body["fields"]["starts_at"] == "2026-11-17T10:30:00+01:00"
    assert body["fields"]["born"] == "1985-01-01"
    text = json.dumps(body)
    for gone in ("10:30:47", "12-10", "ada@clinic.example", "+49 151 12345678"):
        assert gone not in text, gone


async def test_undeclared_values_are_out_of_reach_at_every_depth() -> None:
    surplus = {
        **FULL,
        "diagnosis": f"{CANARY}1",
        "PHONE": f"{CANARY}2",
        "items": [{"code": "A1", "name": f"{CANARY}3", "more": {"x": [f"{CANARY}4"]}}, {"code": "A2", CANARY: 1}],
        "place": {"country": "DE", "street": f"{CANARY}5"},
        f"{CANARY}6": {"x": f"{CANARY}7"},
    }
    minimized = minimize(SAY.shape, surplus)
    assert CANARY not in json.dumps(await sent(minimized))
    assert {"diagnosis", "PHONE", "place.street", "items[].name", "items[].more"} <= set(minimized.withheld)


@pytest.mark.parametrize("path", sorted({leaf.path for leaf in SAY.shape.nodes()} - SAY.shape.required_paths))
async def test_what_the_clinic_withholds_is_out_of_reach(path: str) -> None:
    marked = {
        "given_name": "Qwertzuiop",
        "note": "Qwertzuiop",
        "starts_at": "2031-07-09T05:04:00+02:00",
        "born": "1931-01-01",
        "urgency": "urgent",
        "items": [{"code": "Qwertzuiop", "amount_minor": 987654321}],
        "place": {"country": "IN"},
    }
    body = await sent(minimize(SAY.shape, {**FULL, **marked}, frozenset({path})))
    held: Any = body["fields"]
    for step in path.split("."):
        name = step.removesuffix("[]")
        if name not in held:
            break
        held = held[name][0] if step.endswith("[]") else held[name]
    else:
        raise AssertionError(f"{path} arrived")
    value = {"items[].amount_minor": "987654321", "born": "1931", "starts_at": "2031, 7, 9"}.get(path)
    assert value is None or value not in json.dumps(body["loot"])
