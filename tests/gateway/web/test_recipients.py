"""/v1/recipients/{id}/fields: what is declared for a recipient, beside what left for it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.app import House
from gateway.flows.lane import work
from gateway.store.jobs import LaneJob
from gateway.webhooks.endpoints import Hearing, Status
from scopes.vocabulary import Category
from tests.gateway.egress.vendor import Vendor
from tests.gateway.house import CALL, Clinic
from tests.gateway.listener import Listener, endpoint_at, happened
from tests.gateway.web.conftest import Api, problem

STRIPE = "/v1/recipients/payments/stripe/fields"


async def fields_of(api: Api, path: str = STRIPE, **query: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The fields that are told, by action and path."""
    response = await api.get(path, params=query)
    assert response.status_code == 200, response.text
    return {(item["action"], item["path"]): item for item in response.json()["items"]}


async def test_every_declared_field_is_there_with_how_often_it_left(api: Api, vendor: Vendor, house: House) -> None:
    for _ in range(2):
        await api.call()
    await api.call(payload={**CALL, "amount_minor": 1, "patient": "not declared"})
    await api.call(purpose="TREAT")  # refused: nothing left
    response = await api.get(STRIPE)
    told = response.json()
    assert told["recipient"] == "payments/stripe"
    assert told["counted"]["index"] == told["counted"]["size"]
    actions = house.rooms.registry.connector("payments/stripe").actions.values()
    declared = [(action.name, field.path) for action in actions for field in action.shape.walk()]
    assert [(item["action"], item["path"]) for item in told["items"]] == declared
    found = {(item["action"], item["path"]): item for item in told["items"]}
    amount = found["create_payment_intent", "amount_minor"]
    assert (amount["category"], amount["required"], amount["off"], amount["declared"]) == ("billing", True, False, True)
    assert (amount["count"], amount["failed"]) == (3, 0)
    assert amount["why"]
    assert {item["count"] for (action, _), item in found.items() if action != "create_payment_intent"} == {0}


async def test_what_does_not_leave_is_told_so(api: Api, clinic: Clinic) -> None:
    connection = (await api.get("/v1/connections")).json()["items"][0]
    free = [path for path in (await fields_of(api)).items() if path[1]["category"] == "free_text"]
    assert all(item["off"] for _, item in free)
    catalogue = (await api.get("/v1/catalog")).json()["connectors"]
    features = {each["id"]: each["features"] for each in catalogue}["payments/stripe"]
    one = features[0]
    optional = next(
        key for key, item in (await fields_of(api)).items() if key[0] in one["actions"] and not item["required"]
    )
    grant = {"features": [one["name"]], "withheld": [optional[1]]}
    response = await api.ask("PUT", f"/v1/connections/{connection['id']}/grant", json=grant)
    assert response.status_code == 200, response.text
    found = await fields_of(api)
    assert found[optional]["withheld"]
    assert {action for (action, _), item in found.items() if not item["off"]} == set(one["actions"])
    await api.ask("DELETE", f"/v1/connections/{connection['id']}")
    assert all(item["off"] for item in (await fields_of(api)).values())


async def test_a_connection_that_is_gone_leaves_what_left(api: Api, clinic: Clinic) -> None:
    await api.call()
    await api.ask("DELETE", f"/v1/connections/{clinic.connection.id}")
    assert (await fields_of(api))["create_payment_intent", "amount_minor"]["count"] == 1


async def test_a_call_that_did_not_arrive_is_counted_apart(api: Api, vendor: Vendor) -> None:
    vendor.close()
    assert (await api.call()).json()["outcome"] == "failed"
    amount = (await fields_of(api))["create_payment_intent", "amount_minor"]
    assert (amount["count"], amount["failed"]) == (1, 1)


async def test_a_field_that_is_declared_no_more_is_told_last(api: Api, house: House) -> None:
    await api.call()
    connector = house.rooms.registry.connector("payments/stripe")
    action = connector.actions["create_payment_intent"]
    was = action.shape.fields
    try:
        object.__setattr__(action.shape, "fields", tuple(field for field in was if field.path != "currency"))
        items = (await api.get(STRIPE)).json()["items"]
    finally:
        object.__setattr__(action.shape, "fields", was)
    assert [(item["action"], item["path"], item["count"]) for item in items if not item["declared"]] == [
        ("create_payment_intent", "currency", 1)
    ]
    assert items[-1]["why"] is None
    assert all(item["declared"] for item in (await fields_of(api)).values())


async def test_an_endpoint_has_the_fields_that_it_was_granted(
    api: Api, house: House, clinic: Clinic, vendor: Vendor
) -> None:
    async with Listener().listening() as listener:
        endpoint = await endpoint_at(
            house, clinic, listener.url, events=["appointment.booked"], categories=frozenset({Category.APPOINTMENT}),
            fields=frozenset({"appointment.booked:starts_at"}),
        )  # fmt: skip
        twin = await endpoint_at(house, clinic, listener.url, events=["appointment.*"])
        await happened(house, clinic, type_="appointment.booked", starts_at="2027-01-04T10:00:00Z")
        for each in (endpoint, twin):
            await work(LaneJob(clinic.tenant, each.id, None), house.rooms)
    found = await fields_of(api, f"/v1/recipients/{endpoint.id}/fields")
    assert {action for action, _ in found} == {"appointment.booked", "endpoint.test"}
    on = {
        path: item["count"] for (action, path), item in found.items() if not item["off"] and action != "endpoint.test"
    }
    assert on == {"id": 1, "starts_at": 1}
    assert found["appointment.booked", "id"]["required"]
    thin = await fields_of(api, f"/v1/recipients/{twin.id}/fields")
    assert {path: item["count"] for (_, path), item in thin.items() if item["count"]} == {"id": 1}
    await happened(house, clinic, type_="appointment.moved_by_us")
    await work(LaneJob(clinic.tenant, twin.id, None), house.rooms)
    made_up = await fields_of(api, f"/v1/recipients/{twin.id}/fields")
    assert [
        (item["count"], item["declared"]) for key, item in made_up.items() if key[0] == "appointment.moved_by_us"
    ] == [(1, True)]
    await house.rooms.endpoints.regrant(clinic.actor, endpoint.id, Hearing(events=("patient.*",)))
    later = await fields_of(api, f"/v1/recipients/{endpoint.id}/fields")
    gone = {path for (action, path), item in later.items() if not item["declared"]}
    assert gone == {"id", "starts_at"}
    await house.rooms.endpoints.set_state(clinic.actor, twin.id, Status.SUSPENDED)
    assert all(item["off"] for item in (await fields_of(api, f"/v1/recipients/{twin.id}/fields")).values())


async def test_only_days_of_the_period_count(api: Api, house: House) -> None:
    await api.call()
    today = house.rooms.clock().date().isoformat()
    amount = ("create_payment_intent", "amount_minor")
    assert (await fields_of(api, **{"from": "2001-01-01", "until": today}))[amount]["count"] == 0
    assert (await fields_of(api, **{"from": today}))[amount]["count"] == 1
    told = problem(await api.get(f"{STRIPE}?from=2026-01-02&until=2026-01-02"), 400, "invalid_request")
    assert [fault["path"] for fault in told["faults"]] == ["until"]
    for wrong in ("yesterday", "1700000000", "2026-02-30", "2026-01-01T00:00:00Z"):
        told = problem(await api.get(STRIPE, params={"from": wrong}), 400, "invalid_request")
        assert [fault["path"] for fault in told["faults"]] == ["from"], wrong
        assert wrong not in str(told)


@pytest.mark.parametrize(
    "recipient",
    ["payments", "payments/strip", "canary", "canary%00", "canary%ff", "a/b/c", "7D444840-9DC0-11D1-B245-5FFDCE74FAD2"],
)
async def test_the_fields_of_nobody_are_not_found(api: Api, recipient: str) -> None:
    response = await api.get(f"/v1/recipients/{recipient}/fields")
    problem(response, 404, "not_found")
    assert "canary" not in response.text
