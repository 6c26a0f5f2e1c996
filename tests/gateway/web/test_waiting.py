"""202 and /v1/waiting: what a caller is told of a message that waits, and of what became of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from gateway.calls import Actor
from gateway.demo import EVERYTHING
from gateway.flows import due
from gateway.store.jobs import WaitingJob
from scopes.scope import Scope
from tests.gateway.house import connected
from tests.gateway.listener import Clock
from tests.gateway.message import CONNECTOR, Message, messaging
from tests.gateway.web.conftest import Api, problem

EVENING = datetime(2027, 1, 4, 22, 0, tzinfo=UTC)
MORNING = datetime(2027, 1, 5, 2, 30, tzinfo=UTC)  # eight in Kolkata
CALL: dict[str, Any] = {
    "connector": CONNECTOR, "action": "send", "purpose": "HOPERAT", "subject": "patient-4711",
    "payload": {"reference": "inv_7Hq2ZkW9", "diagnosis": "Canary"},
}  # fmt: skip
CONSENT = {
    "subject": "patient-4711", "purposes": ["HOPERAT"], "channels": ["email"], "time_zone": "Asia/Kolkata",
    "evidence": {"how": "on paper", "when": "2026-01-15T09:30:00Z", "wording": "sms-1"},
}  # fmt: skip
POLICY: dict[str, Any] = {
    "jurisdiction": None, "allowed_regions": None, "time_zone": "Europe/Oslo",
    "quiet_hours": {"from": "21:00", "until": "08:00", "otherwise": "wait"},
    "caps": [{"channel": "email", "most": 3, "hours": 24, "otherwise": "refuse"}],
}  # fmt: skip


@pytest.fixture
async def clock() -> Clock:
    return Clock(EVENING)


@pytest.fixture
async def message(dsn: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Message]:
    async with messaging(dsn, tmp_path, clock=clock) as message:
        yield message


@pytest.fixture
async def api(message: Message) -> AsyncIterator[Api]:
    """The clinic's caller, with its policy set and a person's consent recorded."""
    transport = httpx2.ASGITransport(app=message.house.web)
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        key, _ = await message.house.rooms.callers.create_key(
            Actor("system", "test", message.tenant, ()), "a key of a test", EVERYTHING
        )
        api = Api(client, key)
        assert (await api.ask("PUT", "/v1/policy", json=POLICY)).status_code == 200
        assert (await api.post("/v1/consents", CONSENT)).json()["time_zone"] == "Asia/Kolkata"
        yield api


async def waits(api: Api, **headers: str) -> Any:
    response = await api.post("/v1/calls", CALL, headers=headers)
    assert response.status_code == 202, response.text
    assert "Canary" not in response.text
    return response.json()


async def test_a_message_at_night_is_answered_202_and_told_of_until_it_is_sent(
    api: Api, message: Message, clock: Clock
) -> None:
    told = await waits(api)
    assert (told["state"], told["until"], told["withheld"]) == ("waiting", "2027-01-05T02:30:00Z", ["diagnosis"])
    (reason,) = told["reasons"]
    assert (reason["code"], reason["what"]) == ("quiet_hours", "email from 21:00 until 08:00, the person's time")
    listed = await api.get("/v1/waiting?state=waiting")
    (item,) = listed.json()["items"]
    assert (item["id"], item["state"], item["connector"], item["until"]) == (
        told["id"], "waiting", CONNECTOR, told["until"],
    )  # fmt: skip
    for value in ("inv_7Hq2ZkW9", "patient-4711", "Canary", "Kolkata"):
        assert value not in listed.text
    clock.now = MORNING
    await due.carry_due(WaitingJob(message.tenant, item_id(told), MORNING), message.house.rooms)
    after = (await api.get(f"/v1/waiting/{told['id']}")).json()
    assert after["state"] == "carried"
    detail = (await api.get(f"/v1/disclosures/{after['disclosure']}")).json()
    assert (detail["outcome"], detail["entries"][0]["entry"]["call"]) == ("accepted", told["id"])
    assert (await api.get("/v1/waiting?state=waiting")).json()["items"] == []


def item_id(told: Any) -> UUID:
    return UUID(told["id"])


async def test_a_repeat_gets_202_while_it_waits_and_200_after(api: Api, message: Message, clock: Clock) -> None:
    key = str(uuid4())
    told = await waits(api, **{"Idempotency-Key": key})
    assert await waits(api, **{"Idempotency-Key": key}) == told
    clock.now = MORNING
    await due.carry_due(WaitingJob(message.tenant, item_id(told), MORNING), message.house.rooms)
    response = await api.post("/v1/calls", CALL, headers={"Idempotency-Key": key})
    assert (response.status_code, response.json()["outcome"]) == (200, "accepted")
    assert response.json()["withheld"] == ["diagnosis"]
    assert len(message.vendor.requests) == 1


async def test_a_decision_says_until_when_it_would_wait_and_lets_nothing_wait(api: Api) -> None:
    told = (await api.post("/v1/decisions", CALL)).json()
    assert (told["allowed"], told["waits_until"]) == (False, "2027-01-05T02:30:00Z")
    assert (await api.get("/v1/waiting")).json()["items"] == []
    told = (await api.post("/v1/decisions", {**CALL, "purpose": "TREAT"})).json()
    assert told["waits_until"] is None


async def test_a_message_is_called_back(api: Api, message: Message, clock: Clock) -> None:
    told = await waits(api)
    for _ in range(2):
        assert (await api.ask("DELETE", f"/v1/waiting/{told['id']}")).status_code == 204
    assert (await api.get(f"/v1/waiting/{told['id']}")).json()["state"] == "cancelled"
    clock.now = MORNING
    await due.carry_due(WaitingJob(message.tenant, item_id(told), MORNING), message.house.rooms)
    assert message.vendor.requests == []


async def test_one_that_is_carried_is_not_called_back(api: Api, message: Message, clock: Clock) -> None:
    told = await waits(api)
    clock.now = MORNING
    await due.carry_due(WaitingJob(message.tenant, item_id(told), MORNING), message.house.rooms)
    problem(await api.ask("DELETE", f"/v1/waiting/{told['id']}"), 409, "conflict")


async def test_where_the_cap_says_refuse_it_is_refused(api: Api, clock: Clock) -> None:
    clock.now = MORNING + timedelta(hours=1)
    for _ in range(3):
        assert (await api.post("/v1/calls", CALL)).status_code == 200
    told = problem(await api.post("/v1/calls", CALL), 403, "refused")
    assert [(reason["code"], reason["what"]) for reason in told["reasons"]] == [("frequency_cap", "email: 3 in 24 h")]


async def test_a_list_is_paged_newest_first_and_a_look_at_one_subject_is_recorded(api: Api, message: Message) -> None:
    ids = [(await waits(api))["id"] for _ in range(3)][::-1]
    first = (await api.get("/v1/waiting?limit=2")).json()
    second = (await api.get(f"/v1/waiting?limit=2&cursor={first['next_cursor']}")).json()
    assert [item["id"] for page in (first, second) for item in page["items"]] == ids
    assert second["next_cursor"] is None
    subject = first["items"][0]["subject"]
    assert len((await api.get(f"/v1/waiting?subject={subject}")).json()["items"]) == 3
    (looked,) = await message.log("access")
    assert (looked["what"], looked["query"], looked["count"]) == ("waiting", {"subject": subject}, 3)


async def test_nobody_sees_or_calls_back_what_waits_at_another_clinic(api: Api, message: Message) -> None:
    told = await waits(api)
    other = await connected(message.house)
    key, _ = await message.house.rooms.callers.create_key(other.actor, "a key of another", EVERYTHING)
    stranger = Api(api.client, key)
    assert (await stranger.get("/v1/waiting")).json()["items"] == []
    for method in ("GET", "DELETE"):
        problem(await stranger.ask(method, f"/v1/waiting/{told['id']}"), 404, "not_found")
    assert (await api.get(f"/v1/waiting/{told['id']}")).json()["state"] == "waiting"


async def test_a_policy_says_its_limits_as_they_were_given(api: Api, message: Message) -> None:
    assert (await api.get("/v1/policy")).json() == {**POLICY, "version": 1}
    (entry,) = [entry for entry in await message.log("grant") if entry["connector"] == "policy"]
    assert entry["features"] == [
        "regions:any", "time_zone:Europe/Oslo", "quiet_hours:21:00 until 08:00:wait", "cap:email:3 in 24 h:refuse",
    ]  # fmt: skip
    assert (await api.ask("PUT", "/v1/policy", json=POLICY)).json()["version"] == 1
    bare = {"jurisdiction": None, "allowed_regions": None}
    told = (await api.ask("PUT", "/v1/policy", json=bare)).json()
    assert (told["quiet_hours"], told["caps"], told["time_zone"], told["version"]) == (None, [], "UTC", 2)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"time_zone": "Europe/Atlantis"}, "time_zone"),
        ({"time_zone": "posix/Europe/Oslo"}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"time_zone": None}, "time_zone"),
        ({"quiet_hours": {"from": "21:00", "until": "21:00"}}, "quiet_hours"),
        ({"quiet_hours": {"from": "24:00", "until": "08:00"}}, "quiet_hours.from"),
        ({"quiet_hours": {"from": "21:00", "until": "8:00"}}, "quiet_hours.until"),
        ({"quiet_hours": {"from": "21:00", "until": "08:00", "otherwise": "drop"}}, "quiet_hours.otherwise"),
        ({"caps": [{"most": 0, "hours": 24}]}, "caps[0].most"),
        ({"caps": [{"most": 1, "hours": 8785}]}, "caps[0].hours"),
        ({"caps": [{"most": 1, "hours": 1.5}]}, "caps[0].hours"),
        ({"caps": [{"channel": "pigeon", "most": 1, "hours": 1}]}, "caps[0].channel"),
        ({"caps": [{"most": 1, "hours": 1}] * 21}, "caps"),
    ],
)
async def test_wrong_limits_are_refused_by_path(api: Api, given: dict[str, Any], path: str) -> None:
    told = problem(await api.ask("PUT", "/v1/policy", json={**POLICY, **given}), 400, "invalid_request")
    assert path in [fault["path"] for fault in told["faults"]]
    assert (await api.get("/v1/policy")).json()["version"] == 1


async def test_a_consent_with_a_place_that_is_none_is_refused(api: Api) -> None:
    told = problem(await api.post("/v1/consents", {**CONSENT, "time_zone": "Europe/Canary"}), 400, "invalid_request")
    assert [fault["path"] for fault in told["faults"]] == ["time_zone"]
    assert "Canary" not in str(told)


async def test_the_register_says_how_long_an_agreement_still_holds(api: Api, clock: Clock) -> None:
    path = f"/v1/agreements/{CONNECTOR}"
    for days, expiring in ((31, False), (29.5, True), (0.5, True), (-1, False)):
        until = (clock.now + timedelta(days=days)).isoformat()
        body = {"kind": "dpa", "services": ["api"], "from": "2026-01-15T09:30:00Z", "until": until}
        assert (await api.ask("PUT", path, json=body)).status_code == 200
        (item,) = (await api.get("/v1/recipients")).json()["items"]
        signed = item["agreement"]
        assert (signed["expires_in_days"], signed["expiring"]) == (max(int(days), 0), expiring)
    register = (await api.get("/v1/recipients")).json()
    clock.move(days=1)
    again = (await api.get("/v1/recipients")).json()
    assert (again["version"], again["hash"]) == (register["version"], register["hash"]), "a day more is no new register"


async def test_reading_and_calling_back_need_their_scopes(api: Api, message: Message) -> None:
    told = await waits(api)
    key, _ = await message.house.rooms.callers.create_key(message.actor, "reads", (Scope.parse("calls:read"),))
    reader = Api(api.client, key)
    assert (await reader.get("/v1/waiting")).status_code == 200
    problem(await reader.ask("DELETE", f"/v1/waiting/{told['id']}"), 403, "forbidden")
