"""/v1/templates: texts are registered, listed, shown beforehand and removed; every fault is named; each clinic has its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.calls import Actor
from gateway.demo import EVERYTHING
from scopes.consent import Channel
from scopes.scope import Scope
from tests.gateway.house import entries_of
from tests.gateway.messaging import BODY, INDIA, US, Texts, texting
from tests.gateway.web.conftest import Api, problem

TEXT: dict[str, Any] = {"action": "messaging/send_reminder", "channel": "sms", "language": "en", "body": BODY}
DLT = {
    "entity_id": "1101234567890123456", "header": "CLINIC", "template_id": "1107123456789012345",
    "text": "Hi {#var#}, see you on {#var#} at {#var#}.",
}  # fmt: skip
WHERE, PREVIEW = "/v1/templates/reminder", "/v1/templates/preview"
PAYLOAD = {"phone": US, "starts_at": "2026-11-27T10:30:00+05:30", "given_name": "Asha"}


@pytest.fixture
async def texts(dsn: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Texts]:
    async with texting(dsn, tmp_path, getattr(request, "param", Channel.SMS)) as texts:
        yield texts


@pytest.fixture
async def client(texts: Texts) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=texts.house.web)
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


async def with_scopes(texts: Texts, client: httpx2.AsyncClient, *scopes: str, actor: Actor | None = None) -> Api:
    held = tuple(map(Scope.parse, scopes)) or EVERYTHING
    key, _ = await texts.house.rooms.callers.create_key(actor or texts.actor, "test", held, expires_at=None)
    return Api(client, key)


@pytest.fixture
async def api(texts: Texts, client: httpx2.AsyncClient) -> Api:
    return await with_scopes(texts, client)


@pytest.fixture
async def other(texts: Texts, client: httpx2.AsyncClient) -> Api:
    tenant = await texts.house.rooms.connections.create_tenant("another clinic")
    return await with_scopes(texts, client, actor=Actor("system", "test", tenant, EVERYTHING))


async def put(api: Api, **given: Any) -> Any:
    response = await api.ask("PUT", WHERE, json={**TEXT, **given})
    assert response.status_code == 200, response.text
    return response.json()


async def shown(api: Api, **given: Any) -> Any:
    response = await api.post(PREVIEW, {**TEXT, **given})
    assert response.status_code == 200, response.text
    return response.json()


def faults(response: httpx2.Response) -> list[str]:
    return [fault["path"] for fault in problem(response, 400, "invalid_request")["faults"]]


async def test_a_text_is_registered_read_listed_and_removed(api: Api) -> None:
    told = await put(api, dlt=DLT)
    assert (told["name"], told["version"], told["language"], told["dlt"], told["whatsapp"]) == (
        "reminder", 1, "en", DLT, None,
    )  # fmt: skip
    assert [(gap["placeholder"], gap["category"], gap["required"]) for gap in told["placeholders"]] == [
        ("{given_name|there}", "identity", False),
        ("{starts_at:date}", "appointment", True),
        ("{starts_at:time}", "appointment", True),
    ]
    assert await put(api, dlt=DLT) == told
    second = await put(api, body="New: {starts_at:time}", language="EN-in")
    assert (second["version"], second["language"]) == (2, "en-IN")
    assert (await api.get(WHERE)).json() == {"items": [told, second]}
    page = (await api.get("/v1/templates?limit=1")).json()
    assert page["items"] == [told]
    assert (await api.get(f"/v1/templates?cursor={page['next_cursor']}")).json() == {
        "items": [second], "next_cursor": None,
    }  # fmt: skip
    assert (await api.ask("DELETE", f"{WHERE}?language=en-IN")).status_code == 204
    assert (await api.get(WHERE)).json()["items"] == [told]
    problem(await api.ask("DELETE", f"{WHERE}?channel=whatsapp"), 404, "not_found")
    assert (await api.ask("DELETE", WHERE)).status_code == 204
    for response in (await api.get(WHERE), await api.ask("DELETE", WHERE)):
        problem(response, 404, "not_found")
    assert (await put(api))["version"] == 3


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"action": "messaging/send"}, "action"),
        ({"action": "payments/refund"}, "action"),
        ({"action": "messaging/acme/send_reminder"}, "action"),
        ({"channel": "voice"}, "channel"),
        ({"channel": "pigeon"}, "channel"),
        ({"language": "english"}, "language"),
        ({"language": "tlh"}, "language"),
        ({"body": ""}, "body"),
        ({"body": "Hi {patient}"}, "body"),
        ({"body": "Hi {given_name}"}, "body"),
        ({"body": "At {starts_at}"}, "body"),
        ({"body": "At {starts_at:date}\u202e"}, "body"),
        ({"dlt": {**DLT, "entity_id": "110"}}, "dlt.entity_id"),
        ({"dlt": {**DLT, "header": "VM-CLINIC"}}, "dlt.header"),
        ({"dlt": {**DLT, "text": "Hi {#var#}"}}, "dlt.text"),
        ({"whatsapp": {"name": "reminder_1", "language": "en_US"}}, "whatsapp"),
        ({"canary": 1}, "canary"),
    ],
)
async def test_a_text_that_cannot_be_sent_is_told_where_it_is_wrong(api: Api, given: dict[str, Any], path: str) -> None:
    response = await api.ask("PUT", WHERE, json={**TEXT, **given})
    assert path in faults(response)
    assert (await api.get("/v1/templates")).json()["items"] == []


async def test_a_fault_names_what_is_known(api: Api) -> None:
    response = await api.ask("PUT", WHERE, json={**TEXT, "body": "Hi {patient}"})
    (fault,) = problem(response, 400, "invalid_request")["faults"]
    assert "{starts_at:date}" in fault["message"]
    assert "{given_name|...}" in fault["message"]
    response = await api.ask("PUT", WHERE, json={**TEXT, "action": "messaging/send"})
    assert "messaging/send_reminder" in problem(response, 400, "invalid_request")["faults"][0]["message"]


async def test_a_name_of_another_action_is_in_conflict(api: Api) -> None:
    await put(api)
    given = {**TEXT, "action": "messaging/send_notice", "body": "Closed.", "language": "hi"}
    problem(await api.ask("PUT", WHERE, json=given), 409, "conflict")


@pytest.mark.parametrize("name", ["Reminder", "re-minder", "1", "a" * 65, "canary%20x"])
async def test_a_name_of_another_form_is_nobodys(api: Api, name: str) -> None:
    for method, given in (("GET", {}), ("PUT", {"json": TEXT}), ("DELETE", {})):
        response = await api.ask(method, f"/v1/templates/{name}", **given)
        problem(response, 404, "not_found")
        assert "canary" not in response.text


async def test_a_preview_says_what_would_be_said_and_stores_nothing(api: Api, texts: Texts) -> None:
    before = await entries_of(texts.house, texts.tenant)
    told = await shown(api)
    assert told["text"] == "Hi Meenakshi, see you on Thu, Jan 15, 2026 at 9:30 AM."
    assert (told["length"], told["encoding"], told["segments"], told["faults"]) == (len(told["text"]), "gsm7", 1, [])
    told = await shown(api, values={"starts_at": "2026-11-27T10:30:00+05:30"})
    assert told["text"] == "Hi there, see you on Fri, Nov 27, 2026 at 10:30 AM."
    told = await shown(api, body="नमस्ते {given_name|जी} " * 6, language="hi", values={"given_name": "मीनाक्षी"})
    assert (told["encoding"], told["segments"]) == ("ucs2", 2)
    assert (await api.get("/v1/templates")).json()["items"] == []
    assert await entries_of(texts.house, texts.tenant) == before


async def test_a_preview_names_every_fault_that_registering_would_meet(api: Api) -> None:
    told = await shown(api, body="Hi {patient}", dlt={**DLT, "header": "x"})
    assert told["text"] is None
    assert [fault["path"] for fault in told["faults"]] == ["body", "dlt.header"]
    told = await shown(api, dlt={**DLT, "text": "Hi {#var#}"})
    assert (told["text"] is not None, [fault["path"] for fault in told["faults"]]) == (True, ["dlt.text"])
    told = await shown(api, values={"starts_at": "tomorrow", "given_name": "Canary 1"})
    assert [fault["path"] for fault in told["faults"]] == ["values.starts_at", "values.given_name"]
    assert "Canary" not in str(told)
    told = await shown(api, values={"phone": INDIA})
    assert told["text"] is None
    assert "no DLT registration" in told["faults"][0]["message"]
    assert (await shown(api, values={"phone": INDIA, "given_name": "Asha"}, dlt=DLT))["text"].startswith("Hi Asha,")


async def test_a_decision_tells_the_words_only_to_who_may_send_them(
    api: Api, texts: Texts, client: httpx2.AsyncClient
) -> None:
    await put(api)
    asked = {
        "connector": "messaging", "action": "send_reminder", "purpose": "HOPERAT", "subject": "patient-4711",
        "payload": PAYLOAD,
    }  # fmt: skip
    words = "Hi Asha, see you on Fri, Nov 27, 2026 at 10:30 AM."
    told = (await api.post("/v1/decisions", asked)).json()
    assert told["wording"] == {
        "template": "reminder", "version": 1, "language": "en", "length": len(words), "encoding": "gsm7", "segments": 1,
        "text": words, "parameters": [],
    }  # fmt: skip
    for scopes in (("calls:read",), ("calls:read", "calls:write:payments")):
        response = await (await with_scopes(texts, client, *scopes)).post("/v1/decisions", asked)
        assert response.json()["wording"] == {**told["wording"], "text": None}
        assert "Asha" not in response.text
    may = await with_scopes(texts, client, "calls:read", "calls:write:messaging/acme/send_reminder")
    assert (await may.post("/v1/decisions", asked)).json()["wording"]["text"] == words
    await api.ask("DELETE", WHERE)
    told = (await api.post("/v1/decisions", asked)).json()
    assert (told["allowed"], told["wording"]) == (False, None)
    assert [reason["code"] for reason in told["reasons"]] == ["template_unregistered"]
    assert "PUT /v1/templates" in told["reasons"][0]["fix"]


async def test_a_call_without_a_text_is_refused_as_a_problem(api: Api) -> None:
    call = {
        "connector": "messaging", "action": "send_reminder", "purpose": "HOPERAT", "subject": "patient-4711",
        "payload": PAYLOAD,
    }  # fmt: skip
    refused = problem(await api.post("/v1/calls", call), 403, "refused")
    assert [reason["code"] for reason in refused["reasons"]] == ["template_unregistered"]
    await put(api)
    assert (await api.post("/v1/calls", call)).json()["outcome"] == "accepted"


async def test_each_scope_opens_its_own_half(texts: Texts, client: httpx2.AsyncClient) -> None:
    reads = await with_scopes(texts, client, "templates:read")
    writes = await with_scopes(texts, client, "templates:write")
    problem(await reads.ask("PUT", WHERE, json=TEXT), 403, "forbidden")
    problem(await writes.get("/v1/templates"), 403, "forbidden")
    problem(await writes.post(PREVIEW, TEXT), 403, "forbidden")
    await put(writes)
    assert len((await reads.get(WHERE)).json()["items"]) == 1
    problem(await reads.ask("DELETE", WHERE), 403, "forbidden")


async def test_texts_are_each_clinics_own(api: Api, other: Api) -> None:
    await put(api)
    problem(await other.get(WHERE), 404, "not_found")
    problem(await other.ask("DELETE", WHERE), 404, "not_found")
    assert (await other.get("/v1/templates")).json()["items"] == []
    mine = await put(other, body="Ours: {starts_at:time}")
    assert mine["version"] == 1
    assert (await api.get(WHERE)).json()["items"][0]["body"] == BODY
    cursor = (await api.get("/v1/templates?limit=1")).json()["next_cursor"]
    assert cursor is None
    assert [item["body"] for item in (await other.get("/v1/templates")).json()["items"]] == [mine["body"]]


# What WhatsApp keeps itself -----------------------------------------------------------------------------------------------

ON_WHATSAPP = pytest.mark.parametrize("texts", [Channel.WHATSAPP], indirect=True)
KEPT: dict[str, Any] = {"name": "clinic_reminder", "language": "en_US"}
APPROVED = {**TEXT, "channel": "whatsapp", "whatsapp": KEPT}
LINK = {
    "action": "messaging/send_payment_link", "channel": "whatsapp", "language": "en", "body": "Please pay {amount}: {url}",
}  # fmt: skip
BUTTON = {"component": "button:0", "kind": "url", "placeholder": "{url}", "base": "https://pay.example.com/l/"}


@ON_WHATSAPP
async def test_a_vendors_template_gets_the_gaps_in_order_unless_it_is_said_otherwise(api: Api) -> None:
    told = await put(api, **APPROVED)
    given = [parameter["placeholder"] for parameter in told["whatsapp"]["parameters"]]
    assert given == ["{given_name|there}", "{starts_at:date}", "{starts_at:time}"]
    chosen = [
        {"component": "header", "kind": "date_time", "placeholder": "{starts_at:date}"},
        {"component": "body", "placeholder": "{given_name|you}"},
    ]
    await put(api, **{**APPROVED, "whatsapp": {**KEPT, "parameters": chosen}})
    asked = {
        "connector": "messaging", "action": "send_reminder", "purpose": "HOPERAT", "subject": "patient-4711",
        "payload": {**PAYLOAD, "given_name": None},
    }  # fmt: skip
    told = (await api.post("/v1/decisions", asked)).json()
    assert told["allowed"], told
    assert told["wording"]["parameters"] == [
        {"component": "header", "kind": "date_time", "text": "Fri, Nov 27, 2026", "path": "starts_at"},
        {"component": "body", "kind": "text", "text": "you", "path": "given_name"},
    ]


@ON_WHATSAPP
async def test_an_indian_number_over_whatsapp_needs_no_registration(api: Api) -> None:
    await put(api, **APPROVED)
    asked = {
        "connector": "messaging", "action": "send_reminder", "purpose": "HOPERAT", "subject": "patient-4711",
        "payload": {**PAYLOAD, "phone": INDIA},
    }  # fmt: skip
    assert (await api.post("/v1/decisions", asked)).json()["allowed"]


@ON_WHATSAPP
async def test_a_button_takes_what_follows_its_fixed_address(api: Api) -> None:
    amount = {"component": "body", "kind": "currency", "placeholder": "{amount}"}
    link = {**LINK, "whatsapp": {**KEPT, "parameters": [amount, BUTTON]}}
    told = (await api.post(PREVIEW, link)).json()
    assert told["text"] == "Please pay €42.50: https://pay.example.com/l/7Hq2ZkW9"
    assert [(each["text"], each["path"]) for each in told["parameters"]] == [
        ("€42.50", "amount_minor"), ("7Hq2ZkW9", "url"),
    ]  # fmt: skip
    told = (await api.post(PREVIEW, {**link, "values": {"url": "https://elsewhere.example/7Hq2ZkW9"}})).json()
    assert (told["text"], told["faults"][0]["path"]) == (None, "values")


@ON_WHATSAPP
@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"whatsapp": None}, "whatsapp"),
        ({"dlt": DLT}, "dlt"),
        (
            {"whatsapp": {**KEPT, "parameters": [{"component": "body", "placeholder": "Hi"}]}},
            "parameters[0].placeholder",
        ),
        ({"whatsapp": {**KEPT, "parameters": [{"component": "body", "placeholder": "{patient}"}]}}, "[0].placeholder"),
        (
            {"whatsapp": {**KEPT, "parameters": [{"component": "body", "placeholder": "{given_name|}"}]}},
            "[0].placeholder",
        ),
        (
            {
                "whatsapp": {
                    **KEPT,
                    "parameters": [{"component": "body", "kind": "currency", "placeholder": "{place|x}"}],
                }
            },
            "parameters[0].kind",
        ),
        (
            {"whatsapp": {**KEPT, "parameters": [{"component": "button:0", "placeholder": "{place|x}"}]}},
            "parameters[0].kind",
        ),
        (
            {"whatsapp": {**KEPT, "parameters": [{**BUTTON, "component": "body", "placeholder": "{place|x}"}]}},
            "parameters[0].kind",
        ),
        ({"whatsapp": {**KEPT, "parameters": [{"component": "footer", "placeholder": "{place|x}"}]}}, "[0].component"),
        ({"whatsapp": {**KEPT, "language": "english"}}, "whatsapp.language"),
    ],
)
async def test_a_vendors_template_that_cannot_be_filled_is_told_where(
    api: Api, given: dict[str, Any], path: str
) -> None:
    response = await api.ask("PUT", WHERE, json={**APPROVED, **given})
    assert [each for each in faults(response) if each.endswith(path)], response.text
