"""/v1/endpoints and /v1/events/types over HTTP: register, read, grant, rotate, test, suspend, resume, remove."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from jsonschema import Draft202012Validator
from standardwebhooks import Webhook

from gateway.app import House
from gateway.web.api.endpoint_answers import EndpointAnswer, EndpointPage, NewEndpointAnswer
from tests.gateway.egress.vendor import answer
from tests.gateway.house import Clinic, entries_of
from tests.gateway.receiver import Receiver
from tests.gateway.web.conftest import Api, As, problem
from tests.gateway.web.test_openapi import checked

RECIPIENT = {"name": "Vendor Ltd", "country": "DE"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.open()
    yield receiver
    receiver.close()


@pytest.fixture
def body(receiver: Receiver) -> dict[str, Any]:
    """The least that a host sends."""
    return {"url": receiver.url, "events": ["appointment.*"], "purpose": "TREAT", "recipient": RECIPIENT}


async def test_the_least_that_a_host_sends_registers_a_thin_endpoint(
    api: Api, body: dict[str, Any], receiver: Receiver
) -> None:
    response = await api.post("/v1/endpoints", body)
    assert response.status_code == 201, response.text
    told = NewEndpointAnswer.model_validate(response.json())
    assert {name: response.json()[name] for name in body} == body
    assert (told.status, told.code, told.signing) == ("active", None, "v1")
    assert (told.categories, told.fields, told.public_keys, told.agreement) == ([], [], [], None)
    assert told.secret.startswith("whsec_")
    Webhook(told.secret).verify(receiver.body(), receiver.headers())
    assert response.headers["location"] == f"/v1/endpoints/{told.id}"
    again = (await api.get(response.headers["location"])).json()
    assert {**again, "secret": told.secret, "code": None} == response.json()


async def test_everything_that_may_be_said_is_kept(api: Api, body: dict[str, Any]) -> None:
    more = {
        "categories": ["appointment", "location"], "fields": ["appointment.booked:starts_at", "appointment.moved:*"],
        "agreement": "dpa-2026-7", "signing": "v1a",
    }  # fmt: skip
    told = (await api.post("/v1/endpoints", {**body, **more})).json()
    assert {name: told[name] for name in more} == more
    assert told["secret"].startswith("whsk_")
    (public,) = told["public_keys"]
    assert public.startswith("whpk_")


async def test_one_that_does_not_echo_stays_pending_until_a_test_proves_it(
    api: Api, body: dict[str, Any], receiver: Receiver
) -> None:
    receiver.answers = [answer(200, b"{}"), receiver.honest]
    response = await api.post("/v1/endpoints", body)
    told = response.json()
    assert (response.status_code, told["status"], told["code"]) == (201, "pending", "challenge_not_echoed")
    tested = (await api.post(f"/v1/endpoints/{told['id']}/test")).json()
    assert tested == {"id": told["id"], "status": "active", "code": None, "event": None}
    tested = (await api.post(f"/v1/endpoints/{told['id']}/test")).json()
    assert (tested["status"], tested["code"]) == ("active", None)
    assert tested["event"] is not None


async def test_a_secret_comes_out_once_and_stands_in_no_other_answer_and_in_no_entry(
    api: Api, body: dict[str, Any], house: House, clinic: Clinic
) -> None:
    told = (await api.post("/v1/endpoints", body)).json()
    where = f"/v1/endpoints/{told['id']}"
    rotated = (await api.post(f"{where}/rotate")).json()
    assert rotated["secret"] != told["secret"]
    others = [await api.get(where), await api.get("/v1/endpoints"), await api.post(f"{where}/test")]
    others += [await api.post(f"{where}/suspend"), await api.post(f"{where}/resume")]
    everything = "".join(other.text for other in others) + str(await entries_of(house, clinic.tenant))
    for secret in (told["secret"], rotated["secret"]):
        assert secret.removeprefix("whsec_") not in everything


async def test_a_repeat_under_one_key_registers_once(api: Api, body: dict[str, Any], receiver: Receiver) -> None:
    headers = {"idempotency-key": "register-1"}
    first, second = [await api.post("/v1/endpoints", body, headers=headers) for _ in range(2)]
    assert first.content == second.content
    assert len((await api.get("/v1/endpoints")).json()["items"]) == len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"url": "http://vendor.example/hooks"}, "url"),
        ({"url": "https://10.0.0.1/hooks"}, "url"),
        ({"url": "x" * 501}, "url"),
        ({"url": None}, "url"),
        ({"events": []}, "events"),
        ({"events": "*"}, "events"),
        ({"events": ["*", "Ada Lovelace"]}, "events[1]"),
        ({"purpose": "HMARKT"}, "purpose"),
        ({"purpose": "FUN"}, "purpose"),
        ({"recipient": "Vendor"}, "recipient"),
        ({"recipient": {"name": "Vendor"}}, "recipient.country"),
        ({"recipient": {"name": "", "country": "DE"}}, "recipient.name"),
        ({"recipient": {"name": "Vendor\nLtd", "country": "DE"}}, "recipient.name"),
        ({"recipient": {"name": "Vendor", "country": "Germany"}}, "recipient.country"),
        ({"categories": ["everything"]}, "categories[0]"),
        ({"fields": ["appointment.booked:Ada"]}, "fields[0]"),
        ({"signing": "none"}, "signing"),
        ({"secret": "whsec_mine"}, "secret"),
    ],
)
async def test_what_does_not_fit_is_named_and_nobody_is_called(
    api: Api, body: dict[str, Any], receiver: Receiver, given: dict[str, Any], path: str
) -> None:
    response = await api.post("/v1/endpoints", {**body, **given})
    told = problem(response, 400, "invalid_request")
    assert [fault["path"] for fault in told["faults"]] == [path]
    assert "Ada" not in response.text
    assert receiver.requests == []
    assert (await api.get("/v1/endpoints")).json()["items"] == []


async def test_a_grant_replaces_what_was_there(api: Api, body: dict[str, Any]) -> None:
    made = (await api.post("/v1/endpoints", body)).json()
    where = f"/v1/endpoints/{made['id']}/grant"
    wanted = {"events": ["invoice.paid"], "categories": ["billing"], "fields": ["invoice.paid:amount_minor"]}
    told = (await api.ask("PUT", where, json=wanted)).json()
    assert {name: told[name] for name in wanted} == wanted
    assert told["grant_version"] == 2
    response = await api.ask("PUT", where, json={**wanted, "fields": ["invoice.paid:secret"]})
    assert [fault["path"] for fault in problem(response, 400, "invalid_request")["faults"]] == ["fields[0]"]
    response = await api.ask("PUT", where, json={"events": ["*"]})
    assert {fault["path"] for fault in problem(response, 400, "invalid_request")["faults"]} == {"categories", "fields"}
    assert (await api.get(f"/v1/endpoints/{made['id']}")).json() == {**told, "changed_at": told["changed_at"]}


async def test_suspended_is_paused_and_removed_is_final(api: Api, body: dict[str, Any], house: House) -> None:
    made = (await api.post("/v1/endpoints", body)).json()
    where = f"/v1/endpoints/{made['id']}"
    suspended = (await api.post(f"{where}/suspend")).json()
    assert (suspended["status"], suspended["why"]) == ("suspended", "clinic")
    problem(await api.post(f"{where}/test"), 409, "conflict")
    resumed = (await api.post(f"{where}/resume")).json()
    assert (resumed["status"], resumed["why"]) == ("active", None)
    for _ in range(2):
        gone = await api.ask("DELETE", where)
        assert (gone.status_code, gone.content) == (204, b"")
    assert (await api.get(where)).json()["status"] == "removed"
    for verb in ("test", "rotate", "suspend", "resume"):
        problem(await api.post(f"{where}/{verb}"), 409, "conflict")


async def test_what_is_not_there_is_not_found(api: Api) -> None:
    where = f"/v1/endpoints/{uuid4()}"
    problem(await api.get(where), 404, "not_found")
    problem(await api.ask("DELETE", where), 404, "not_found")
    for verb in ("test", "rotate", "suspend", "resume"):
        problem(await api.post(f"{where}/{verb}"), 404, "not_found")


async def test_another_clinic_sees_and_changes_nothing(api: Api, other: Api, body: dict[str, Any]) -> None:
    made = (await api.post("/v1/endpoints", body)).json()
    where = f"/v1/endpoints/{made['id']}"
    before = (await api.get(where)).json()
    problem(await other.get(where), 404, "not_found")
    problem(await other.ask("DELETE", where), 404, "not_found")
    for verb in ("test", "rotate", "suspend", "resume"):
        problem(await other.post(f"{where}/{verb}"), 404, "not_found")
    grant = {"events": ["*"], "categories": [], "fields": []}
    problem(await other.ask("PUT", f"{where}/grant", json=grant), 404, "not_found")
    assert (await other.get("/v1/endpoints")).json()["items"] == []
    assert (await api.get(where)).json() == before


async def test_a_caller_needs_the_scope(caller: As, clinic: Clinic, body: dict[str, Any]) -> None:
    reader = await caller(clinic, "endpoints:read")
    assert (await reader.get("/v1/endpoints")).status_code == 200
    problem(await reader.post("/v1/endpoints", body), 403, "forbidden")
    stranger = await caller(clinic, "calls:write")
    problem(await stranger.get("/v1/endpoints"), 403, "forbidden")
    problem(await stranger.get("/v1/events/types"), 403, "forbidden")


async def test_endpoints_are_listed_page_by_page_oldest_first(api: Api, body: dict[str, Any]) -> None:
    ids = [(await api.post("/v1/endpoints", body)).json()["id"] for _ in range(5)]
    found, cursor = [], ""
    while cursor is not None:
        response = await api.get("/v1/endpoints", params={"limit": "2", **({"cursor": cursor} if cursor else {})})
        page = EndpointPage.model_validate(response.json())
        found += [str(item.id) for item in page.items]
        assert len(page.items) <= 2
        cursor = page.next_cursor
    assert found == ids


async def test_the_catalogue_says_of_each_field_what_it_is_and_why(api: Api) -> None:
    items = {item["type"]: item for item in (await api.get("/v1/events/types")).json()["items"]}
    booked = items["appointment.booked"]
    fields = {field["path"]: field for field in booked["fields"]}
    assert (fields["id"]["required"], fields["starts_at"]["required"]) == (True, False)
    assert (fields["starts_at"]["category"], fields["starts_at"]["reduction"]) == ("appointment", "Only to the minute.")
    assert all(field["why"] for item in items.values() for field in item["fields"])
    assert items["payments.stripe.payment_intent.succeeded"]["source"] == "payments/stripe"
    for item in items.values():
        Draft202012Validator(item["data_schema"]).validate(item["example"])


async def test_what_is_answered_is_what_is_described(api: Api, body: dict[str, Any]) -> None:
    document = (await api.client.get("/openapi.json")).json()
    assert checked(document, "EndpointBody", body) == []
    made = await api.post("/v1/endpoints", body)
    where = f"/v1/endpoints/{made.json()['id']}"
    answers = {
        "NewEndpointAnswer": made,
        "RotatedAnswer": await api.post(f"{where}/rotate"),
        "TestedAnswer": await api.post(f"{where}/test"),
        "EndpointAnswer": await api.get(where),
        "EndpointPage": await api.get("/v1/endpoints"),
        "EventTypesAnswer": await api.get("/v1/events/types"),
    }
    assert {name: wrong for name, told in answers.items() if (wrong := checked(document, name, told.json()))} == {}
    EndpointAnswer.model_validate(answers["EndpointAnswer"].json())
