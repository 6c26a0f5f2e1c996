"""/v1/families: the order in which vendors are tried is the clinic's, checked and recorded."""

from __future__ import annotations

from gateway.app import House
from tests.gateway.house import Clinic, entries_of
from tests.gateway.web.conftest import Api, problem


async def test_a_family_is_tried_as_it_was_connected_until_the_clinic_says_otherwise(
    api: Api, house: House, clinic: Clinic
) -> None:
    (payments,) = [each for each in (await api.get("/v1/families")).json()["items"] if each["family"] == "payments"]
    assert payments["order"] == ["payments/stripe"]
    response = await api.ask("PUT", "/v1/families/payments", json={"order": ["payments/stripe"]})
    assert response.json() == {**payments, "order": ["payments/stripe"]}
    entry = (await entries_of(house, clinic.tenant))[-1]
    assert (entry["kind"], entry["connector"], entry["features"]) == ("grant", "payments", ["order:payments/stripe"])


async def test_an_order_names_vendors_of_the_family_each_once(api: Api, clinic: Clinic) -> None:
    for order in (["payments/nobody"], ["payments/stripe", "payments/stripe"], []):
        problem(await api.ask("PUT", "/v1/families/payments", json={"order": order}), 400, "invalid_request")
    problem(await api.ask("PUT", "/v1/families/nobody", json={"order": ["payments/stripe"]}), 404, "not_found")
