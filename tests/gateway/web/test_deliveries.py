"""Events and deliveries over HTTP: publish, list, read, replay; notices and retention; every clinic for itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.app import House
from gateway.flows.lane import work
from gateway.ids import new_id
from gateway.store import notices
from gateway.store.jobs import LaneJob
from tests.gateway.house import Clinic
from tests.gateway.listener import Listener, endpoint_at
from tests.gateway.web.conftest import Api, As, problem

BODY = {"type": "appointment.moved", "subject": "patient-4711", "data": {"id": "appt_7Hq2", "shoe_size": 44}}


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    """A listener that takes everything until it is told otherwise."""
    async with Listener().listening() as listener:
        yield listener


async def published(api: Api, **given: Any) -> dict[str, Any]:
    """Publish; gives the answer."""
    response = await api.post("/v1/events", {**BODY, **given})
    assert response.status_code == 202, response.text
    answer: dict[str, Any] = response.json()
    assert response.headers["location"] == f"/v1/events/{answer['id']}"
    return answer


async def test_an_event_is_published_once_under_its_key_and_read_without_what_it_said(
    house: House, clinic: Clinic, api: Api, listener: Listener
) -> None:
    endpoint = await endpoint_at(house, clinic, listener.url)
    headers = {"idempotency-key": "k1"}
    first = await api.post("/v1/events", BODY, headers=headers)
    again = await api.post("/v1/events", BODY, headers=headers)
    assert first.status_code == 202
    assert first.json() == again.json()
    assert first.json()["deliveries"] == 1
    assert first.json()["withheld"] == ["shoe_size"]
    event = (await api.get(f"/v1/events/{first.json()['id']}")).json()
    assert (event["type"], event["source"], event["sequence"], event["kept"]) == ("appointment.moved", "host", 1, True)
    assert "appt_7Hq2" not in str(event)
    assert "4711" not in str(event)
    await work(LaneJob(clinic.tenant, endpoint.id, None), house.rooms)
    assert len(listener.heard) == 1


async def test_deliveries_are_listed_newest_first_page_by_page_and_narrowed(
    house: House, clinic: Clinic, api: Api, listener: Listener
) -> None:
    listener.says(200, 500)
    endpoint = await endpoint_at(house, clinic, listener.url, events=["*"])
    ids = [(await published(api))["id"] for _ in range(3)]
    ids.append((await published(api, type="invoice.paid", data={"id": "inv_1"}))["id"])
    await work(LaneJob(clinic.tenant, endpoint.id, None), house.rooms)
    first = (await api.get("/v1/deliveries?limit=3")).json()
    rest = (await api.get(f"/v1/deliveries?limit=3&cursor={first['next_cursor']}")).json()
    listed = [item["event"] for item in (*first["items"], *rest["items"])]
    assert sorted(listed) == sorted(ids)
    assert listed[0][:13] >= listed[-1][:13]
    assert rest["next_cursor"] is None

    async def events(query: str) -> list[str]:
        response = await api.get(f"/v1/deliveries?{query}")
        assert response.status_code == 200, response.text
        return [item["event"] for item in response.json()["items"]]

    assert await events("type=invoice.paid") == [ids[3]]
    assert await events(f"event={ids[1]}") == [ids[1]]
    assert len(await events("state=waiting")) == 3
    assert await events("state=exhausted") == []
    assert len(await events(f"endpoint={endpoint.id}")) == 4
    assert await events(f"endpoint={new_id()}") == []
    now = datetime.now(UTC)
    assert len(await events(f"since={(now - timedelta(hours=1)).strftime('%Y-%m-%dT%H:%M:%SZ')}")) == 4
    assert await events(f"since={(now + timedelta(hours=1)).strftime('%Y-%m-%dT%H:%M:%SZ')}") == []
    assert await events(f"until={(now - timedelta(hours=1)).strftime('%Y-%m-%dT%H:%M:%SZ')}") == []


async def test_a_delivery_is_read_with_its_attempts_and_made_again(
    house: House, clinic: Clinic, api: Api, listener: Listener
) -> None:
    endpoint = await endpoint_at(house, clinic, listener.url)
    event = (await published(api))["id"]
    await work(LaneJob(clinic.tenant, endpoint.id, None), house.rooms)
    delivery = (await api.get(f"/v1/deliveries?event={event}")).json()["items"][0]
    detail = (await api.get(f"/v1/deliveries/{delivery['id']}")).json()
    assert [(each["number"], each["outcome"], each["status"]) for each in detail["tried"]] == [(1, "accepted", 200)]
    assert (detail["state"], detail["next_attempt_at"]) == ("delivered", None)
    disclosure = await api.get(f"/v1/disclosures/{detail['tried'][0]['disclosure']}")
    assert disclosure.json()["recipient"] == "Vendor Ltd"
    response = await api.post(f"/v1/deliveries/{delivery['id']}/replay")
    assert (response.status_code, response.json()["state"]) == (202, "waiting")
    await work(LaneJob(clinic.tenant, endpoint.id, None), house.rooms)
    since = {"since": "2020-01-01T00:00:00Z", "states": ["delivered"]}
    response = await api.post(f"/v1/endpoints/{endpoint.id}/replay", since)
    assert (response.status_code, response.json()) == (202, {"deliveries": 1})
    await work(LaneJob(clinic.tenant, endpoint.id, None), house.rooms)
    assert listener.ids == [event] * 3


async def test_nobody_reads_or_replays_what_is_another_clinics(
    house: House, clinic: Clinic, api: Api, other: Api, listener: Listener
) -> None:
    endpoint = await endpoint_at(house, clinic, listener.url)
    event = (await published(api))["id"]
    delivery = (await api.get("/v1/deliveries")).json()["items"][0]["id"]
    assert (await other.get("/v1/deliveries")).json()["items"] == []
    for path in (f"/v1/events/{event}", f"/v1/deliveries/{delivery}"):
        problem(await other.get(path), 404, "not_found")
    problem(await other.post(f"/v1/deliveries/{delivery}/replay"), 404, "not_found")
    body = {"since": "2020-01-01T00:00:00Z"}
    problem(await other.post(f"/v1/endpoints/{endpoint.id}/replay", body), 404, "not_found")


async def test_publishing_needs_the_scope_to_write_and_reading_the_one_to_read(clinic: Clinic, caller: As) -> None:
    reader, writer = await caller(clinic, "events:read"), await caller(clinic, "events:write")
    problem(await reader.post("/v1/events", BODY), 403, "forbidden")
    assert (await writer.post("/v1/events", BODY)).status_code == 202
    problem(await writer.get("/v1/deliveries"), 403, "forbidden")
    assert (await reader.get("/v1/deliveries")).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "endpoint.off"}, {"type": "nodots"}, {"data": {}}, {"data": {"id": "Ada Lovelace"}}, {"data": []},
        {"subject": ""}, {"when": "now"},
    ],
)  # fmt: skip
async def test_a_wrong_event_is_told_what_is_wrong_and_never_repeated(api: Api, wrong: dict[str, Any]) -> None:
    told = problem(await api.post("/v1/events", {**BODY, **wrong}), 400, "invalid_request")
    assert told["faults"]
    assert "Lovelace" not in str(told)


async def test_a_clinic_says_how_long_it_keeps_what_events_said(api: Api) -> None:
    assert (await api.get("/v1/retention")).json() == {"deliveries_days": 7}
    assert (await api.ask("PUT", "/v1/retention", json={"deliveries_days": 30})).json() == {"deliveries_days": 30}
    assert (await api.get("/v1/retention")).json() == {"deliveries_days": 30}
    problem(await api.ask("PUT", "/v1/retention", json={"deliveries_days": 91}), 400, "invalid_request")


async def test_notices_are_listed_newest_first(house: House, clinic: Clinic, api: Api, other: Api) -> None:
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        for percent in (50, 70):
            row = notices.NoticeRow(new_id(), datetime.now(UTC), "endpoint.failing", new_id(), {"percent": percent})
            await notices.add(connection, clinic.tenant, row)
    listed = (await api.get("/v1/notices")).json()["items"]
    assert sorted(item["detail"]["percent"] for item in listed) == [50, 70]
    assert (await other.get("/v1/notices")).json()["items"] == []
