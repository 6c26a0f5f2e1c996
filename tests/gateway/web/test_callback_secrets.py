"""/v1/connections/{id}/callback over HTTP: where the vendor calls, and secrets that go in and never come out."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gateway.app import House
from tests.gateway.callbacks import OTHER, SECRET
from tests.gateway.house import Clinic, OpenHouse, connected, entries_of
from tests.gateway.web.conftest import Api, As, problem

THIRD = "whsec_third1234567890"
NOWHERE = "/v1/connections/0190163d-8694-7a3c-8f0e-6c7f3e8f7a01/callback"


@pytest.fixture
def where(clinic: Clinic) -> str:
    """The callback of the clinic's connection."""
    return f"/v1/connections/{clinic.connection.id}/callback"


async def given(api: Api, where: str, secret: str) -> dict[str, Any]:
    response = await api.post(where, {"secret": secret})
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    return told


async def test_a_connection_begins_without_a_secret_and_says_where_its_vendor_calls(
    api: Api, clinic: Clinic, where: str
) -> None:
    told = (await api.get(where)).json()
    assert re.fullmatch("[0-9a-f]{40}", told.pop("verify_token"))
    assert told == {"path": f"/hooks/{clinic.connection.id}", "url": None, "secrets": []}


async def test_the_address_is_whole_once_the_operator_has_named_it(open_house: OpenHouse) -> None:
    house = await open_house(public_url="https://gw.clinic.example/")
    assert house.rooms.callbacks.public_url == "https://gw.clinic.example"


async def test_the_answer_names_the_address_to_give_to_the_vendor(
    api: Api, house: House, clinic: Clinic, where: str
) -> None:
    house.rooms.callbacks.public_url = "https://gw.clinic.example"
    assert (await api.get(where)).json()["url"] == f"https://gw.clinic.example/hooks/{clinic.connection.id}"


async def test_two_secrets_count_at_once_and_a_third_has_to_wait(api: Api, where: str) -> None:
    first = await given(api, where, SECRET)
    assert len(first["secrets"]) == 1
    assert len((await given(api, where, OTHER))["secrets"]) == 2
    problem(await api.post(where, {"secret": THIRD}), 409, "conflict")
    old = first["secrets"][0]["id"]
    assert (await api.ask("DELETE", f"{where}/{old}")).status_code == 204
    told = await given(api, where, THIRD)
    assert len(told["secrets"]) == 2
    assert old not in str(told)
    assert (await api.get(where)).json() == told


async def test_the_same_secret_again_changes_nothing(api: Api, where: str) -> None:
    first = await given(api, where, SECRET)
    assert await given(api, where, SECRET) == first


async def test_a_secret_never_comes_out_and_its_coming_and_going_is_recorded(
    api: Api, where: str, house: House, clinic: Clinic
) -> None:
    said = await api.post(where, {"secret": SECRET}, headers={"idempotency-key": "a"})
    again = await api.post(where, {"secret": SECRET}, headers={"idempotency-key": "a"})
    assert again.json() == said.json()
    (secret,) = said.json()["secrets"]
    removed = await api.ask("DELETE", f"{where}/{secret['id']}")
    log = await entries_of(house, clinic.tenant)
    assert [(each["state"], each["connector"]) for each in log if each.get("key") == secret["id"]] == [
        ("created", "payments/stripe"), ("revoked", "payments/stripe"),
    ]  # fmt: skip
    async with house.rooms.store.tenant(clinic.tenant) as connection:
        kept = await connection.fetch("SELECT sealed FROM callback_secrets WHERE tenant = $1", clinic.tenant)
    listed = await api.get(where)
    for text in (said.text, removed.text, listed.text, str(log), str(kept)):
        assert SECRET.removeprefix("whsec_") not in text


@pytest.mark.parametrize(
    "body",
    [
        {"secret": "whsec_short"}, {"secret": "sk_test_Lovelace12345"}, {"secret": "whsec_Lovelace 12345"}, {"secret": ""},
        {"secret": "whsec_Lovelace" + "x" * 5000}, {"secret": f"{SECRET}\n"}, {"secret": ["whsec_Lovelace12345"]}, {},
        {"secret": None},
    ],
)  # fmt: skip
async def test_what_is_no_secret_of_this_vendor_s_is_refused_and_not_repeated(
    api: Api, where: str, body: dict[str, Any]
) -> None:
    response = await api.post(where, body)
    told = problem(response, 400, "invalid_request")
    assert [fault["path"] for fault in told["faults"]] == ["secret"]
    assert "Lovelace" not in response.text
    assert (await api.get(where)).json()["secrets"] == []


async def test_another_clinic_s_connection_is_not_there(api: Api, other: Api, where: str, house: House) -> None:
    (secret,) = (await given(api, where, SECRET))["secrets"]
    for path in (where, NOWHERE):
        problem(await other.get(path), 404, "not_found")
        problem(await other.post(path, {"secret": OTHER}), 404, "not_found")
        problem(await other.ask("DELETE", f"{path}/{secret['id']}"), 404, "not_found")
    assert len((await api.get(where)).json()["secrets"]) == 1


async def test_a_secret_of_another_connection_is_not_there(api: Api, where: str, caller: As, house: House) -> None:
    second = await connected(house)
    theirs = await caller(second)
    (secret,) = (await given(theirs, f"/v1/connections/{second.connection.id}/callback", SECRET))["secrets"]
    problem(await api.ask("DELETE", f"{where}/{secret['id']}"), 404, "not_found")


async def test_a_revoked_connection_has_no_secrets_and_takes_none(api: Api, clinic: Clinic, where: str) -> None:
    await given(api, where, SECRET)
    assert (await api.ask("DELETE", f"/v1/connections/{clinic.connection.id}")).status_code == 204
    assert (await api.get(where)).json()["secrets"] == []
    problem(await api.post(where, {"secret": OTHER}), 409, "conflict")


async def test_whoever_may_only_read_sees_and_changes_nothing(caller: As, clinic: Clinic, where: str) -> None:
    reader = await caller(clinic, "connections:read")
    assert (await reader.get(where)).status_code == 200
    problem(await reader.post(where, {"secret": SECRET}), 403, "forbidden")
