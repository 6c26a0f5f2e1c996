"""The sandbox behaves as the Cloud API does where it matters: templates, refusals, signed webhooks, and a phone to look at."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from connectors.contract import CallbackEvent, ConnectorError, ReconnectNeeded, Rejected, TryLater, Wish
from connectors.messaging.whatsapp import callback, sandbox
from connectors.registry import Registry
from scopes.minimize import minimize
from scopes.wording import Wording
from tests.conformance.harness import DirectEgress
from tests.connectors.messaging.test_whatsapp_client import BODY, PAGE, PAYLOADS, PHONE, value, worded

WHATSAPP = Registry.load().connector("messaging/whatsapp")
NUMBER = PHONE.removeprefix("+")
KEY = "cg_0198f2c47d1e7b3a9c550d6f1a2b3c4d"
HOOK = "https://gateway.example/hooks/1"


class Phone:
    """One sandbox, a door to it, and what it tells the gateway."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **given: Any) -> None:
        self.app = sandbox.create(pause_seconds=0, callback_url=HOOK, **given)
        transport = httpx2.ASGITransport(app=self.app)
        self.http = httpx2.AsyncClient(transport=transport, base_url="https://graph.facebook.com")
        self.heard: list[CallbackEvent] = []
        self.answers: list[int] = []
        monkeypatch.setattr(httpx2, "AsyncClient", lambda **_: _Hearing(self._hear))

    async def send(self, action: str, wording: Wording, to: str = PHONE, **given: Any) -> Any:
        """One message of ours."""
        usual: dict[str, Any] = {
            "credential": sandbox.CREDENTIAL, "base_url": WHATSAPP.manifest.base_url, "account": sandbox.ACCOUNT,
            "idempotency_key": KEY, "wording": wording,
        }  # fmt: skip
        egress = DirectEgress(WHATSAPP.manifest, self.http, **{**usual, **given})
        fields = minimize(WHATSAPP.actions[action].shape, {**PAYLOADS[action], "phone": to}).model
        return await WHATSAPP.actions[action].perform(fields, egress)

    async def refusal(self, wording: Wording, action: str = "send_reminder", **given: Any) -> ConnectorError:
        """One message that is refused."""
        with pytest.raises(ConnectorError) as raised:
            await self.send(action, wording, **given)
        return raised.value

    async def post(self, body: Any, path: str = f"/v23.0/{sandbox.ACCOUNT}/messages") -> tuple[int, int]:
        """Something posted by hand: the status and the number of the error."""
        answer = await self.http.post(path, json=body, headers={"Authorization": f"Bearer {sandbox.CREDENTIAL}"})
        return answer.status_code, answer.json()["error"]["code"]

    async def page(self, number: str = NUMBER) -> str:
        """What is on somebody's phone."""
        return str((await self.http.get(f"/phone/{number}")).text)

    def _hear(self, request: httpx2.Request) -> httpx2.Response:
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            callback.verify(request.content, request.headers, HOOK, [sandbox.CALLBACK_SECRET], now=datetime.now(UTC))
            assert callback.identity(request.content)
            self.heard += callback.translate(request.content, HOOK)
        return httpx2.Response(status)


class _Hearing:
    """Stands for the client that carries webhooks."""

    def __init__(self, hear: Any) -> None:
        self.client = _CLIENT(transport=httpx2.MockTransport(hear))

    async def __aenter__(self) -> Any:
        return self.client

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()


_CLIENT = httpx2.AsyncClient


@pytest.fixture
def phone(monkeypatch: pytest.MonkeyPatch) -> Phone:
    return Phone(monkeypatch)


async def test_a_message_is_taken_and_comes_as_far_as_being_read(phone: Phone) -> None:
    answer = await phone.send("send_reminder", worded(*BODY))
    assert answer.body["status"] == "accepted"
    assert NUMBER.encode() in base64.b64decode(answer.body["id"].removeprefix("wamid."))  # as WhatsApp's own ids
    assert [event.type for event in phone.heard] == ["message.sent", "message.delivered", "message.read"]
    assert {event.vendor_id for event in phone.heard} == {answer.body["id"]}
    assert {event.settles.key for event in phone.heard if event.settles} == {KEY}
    assert {event.account for event in phone.heard} == {sandbox.ACCOUNT}


@pytest.mark.parametrize(("number", "code"), sandbox.FAILS_LATER.items())
async def test_some_numbers_never_get_it(phone: Phone, number: str, code: int) -> None:
    await phone.send("send_reminder", worded(*BODY), f"+{number}")
    (event,) = phone.heard
    assert event.settles is not None
    assert event.settles.code == f"undelivered.{code}"


@pytest.mark.parametrize(
    ("number", "kind", "word"),
    [
        ("14155550130", Rejected, "recipient_not_allowed"),
        ("14155550147", Rejected, "re_engagement_needed"),
        ("14155550156", TryLater, "pair_rate_limited"),
        ("14155550129", TryLater, "rate_limited"),
    ],
)
async def test_some_numbers_are_refused_at_once(phone: Phone, number: str, kind: type, word: str) -> None:
    error = await phone.refusal(worded(*BODY), to=f"+{number}")
    assert (type(error), error.code, phone.heard) == (kind, word, [])


@pytest.mark.parametrize(
    ("wording", "word"),
    [
        (worded(*BODY, vendor_name="unknown"), "template_unknown"),
        (worded(*BODY, vendor_language="de"), "template_unknown"),
        (worded(*BODY[:2]), "template_parameter_count"),
        (worded(*BODY, BODY[0]), "template_parameter_count"),
        (worded(*BODY, value("header", "text", "x")), "template_parameter_count"),
        (worded(*BODY, PAGE), "template_parameter_count"),
        (worded(*BODY[:2], value("body", "text", "a\nb")), "parameter_invalid"),
        (worded(*BODY[:2], value("body", "text", "a      b")), "parameter_invalid"),
        (worded(*BODY[:2], value("body", "text", "x" * 2000)), "template_too_long"),
        (worded(*BODY[:2], value("body", "text", "")), "template_parameter_format"),
    ],
)
async def test_a_template_is_filled_as_it_was_registered_or_refused(phone: Phone, wording: Wording, word: str) -> None:
    assert (await phone.refusal(wording)).code == word


async def test_a_wrong_token_number_or_rate_is_refused(phone: Phone) -> None:
    assert isinstance(await phone.refusal(worded(*BODY), credential="EAA" + "x" * 40), ReconnectNeeded)
    assert (await phone.refusal(worded(*BODY), account="99999")).code == "parameter_invalid"
    await phone.http.post("/_sandbox/switches", json={"rate_limited": True, "other": 1})
    late = await phone.refusal(worded(*BODY))
    assert isinstance(late, TryLater)
    assert late.retry_after_seconds == 1


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"surprise": 1}, (400, 100)),
        ({"messaging_product": "sms"}, (400, 100)),
        ({"recipient_type": "group"}, (400, 131008)),
        ({"to": 14155550123}, (400, 131008)),
        ({"to": "somebody"}, (400, 131009)),
        ({"type": "text"}, (400, 131009)),
        ({"template": "hello_world"}, (400, 131009)),
        ({"biz_opaque_callback_data": "x" * 513}, (400, 100)),
        ({"template": {"name": "hello_world", "language": {"code": "en_US"}, "components": {}}}, (400, 100)),
        ({"template": {"name": "hello_world", "language": None}}, (404, 132001)),
        (
            {"template": {"name": "hello_world", "language": {"code": "en_US"}, "components": [{"type": "x"}]}},
            (400, 100),
        ),
    ],
)
async def test_a_request_of_another_form_is_refused_as_meta_does(
    phone: Phone, change: dict[str, Any], answer: tuple[int, int]
) -> None:
    good = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": PHONE, "type": "template",
            "template": {"name": "hello_world", "language": {"code": "en_US"}}}  # fmt: skip
    assert await phone.post({**good, **change}) == answer
    assert await phone.post(good, f"/v22.0/{sandbox.ACCOUNT}/messages") == (404, 100)


async def test_the_phone_shows_what_the_patient_would_read(phone: Phone) -> None:
    assert "Nothing was sent" in await phone.page()
    await phone.send("send_confirmation_request", worded(*BODY, vendor_name="appointment_confirmation"))
    await phone.send(
        "send_payment_link", worded(BODY[0], value("body", "text", "₹42.50"), PAGE, vendor_name="payment_link")
    )
    page = await phone.page()
    assert "Hello Meenakshi, your appointment is on 27 November at 10:30. Will you come?" in page
    assert 'href="https://pay.example.com/l/7Hq2ZkW9"' in page
    assert page.count("<article") == 2
    assert f"+{NUMBER}" in (await phone.http.get("/phone")).text
    for outside in ("<script", " src=", "@import", "url(", "http-equiv"):
        assert outside not in page
    headers = (await phone.http.get(f"/phone/{NUMBER}")).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")


async def test_of_a_template_without_words_the_phone_shows_name_and_values(phone: Phone) -> None:
    await phone.send("send_reminder", worded(*BODY, vendor_name="example_template", vendor_language="en"))
    page = await phone.page()
    assert "<h2>example_template</h2>" in page
    assert "Meenakshi\n27 November\n10:30" in page
    assert (await phone.refusal(worded(BODY[0], vendor_name="mine", vendor_language="de"))).code == "template_unknown"
    added = {"name": "mine", "language": "de", "body": "Guten Tag {{1}}."}
    assert (await phone.http.post("/_sandbox/templates", json=added)).status_code == 200
    await phone.send("send_reminder", worded(BODY[0], vendor_name="mine", vendor_language="de"))
    assert "Guten Tag Meenakshi." in await phone.page()


async def test_what_is_written_cannot_break_out_of_the_page(phone: Phone) -> None:
    hostile = "<b>\"'&</b><script>alert(1)</script>"
    await phone.send("send_notice", worded(value("body", "text", hostile), vendor_name="clinic_notice"))
    await phone.http.post(f"/phone/{NUMBER}/reply", data={"text": hostile})
    for path in (f"/phone/{NUMBER}", "/phone"):
        page = (await phone.http.get(path)).text
        assert "<script" not in page
        assert "&lt;script&gt;" in page
    for number in ("0", "<script>", "1" * 30, "%2e%2e"):
        assert (await phone.http.get(f"/phone/{number}")).status_code == 404
        assert (await phone.http.post(f"/phone/{number}/reply", data={"text": "x"})).status_code == 404


@pytest.mark.parametrize(
    ("form", "means", "wish"),
    [({"text": "STOP"}, "stop", Wish.STOP), ({"text": "hello"}, "other", None), ({"button": "Yes"}, "confirm", None)],
)
async def test_an_answer_on_the_phone_reaches_the_gateway(
    phone: Phone, form: dict[str, str], means: str, wish: Wish | None
) -> None:
    await phone.send("send_confirmation_request", worded(*BODY, vendor_name="appointment_confirmation"))
    phone.heard.clear()
    back = await phone.http.post(f"/phone/{NUMBER}/reply", data=form)
    assert (back.status_code, back.headers["location"]) == (303, f"/phone/{NUMBER}")
    replied, text = phone.heard
    assert replied.answered is not None
    assert (replied.data["meaning"], replied.answered.address, replied.answered.wish) == (means, PHONE, wish)
    assert text.data["text"] == next(iter(form.values()))
    assert 'class="bubble mine"' in await phone.page()


async def test_nothing_is_sent_where_nothing_is_written(phone: Phone) -> None:
    await phone.http.post(f"/phone/{NUMBER}/reply", data={"text": "   "})
    assert phone.heard == []


async def test_a_webhook_that_is_not_taken_comes_again(phone: Phone) -> None:
    phone.answers = [503, 500]
    await phone.http.post(f"/phone/{NUMBER}/reply", data={"text": "STOP"})
    assert [event.type for event in phone.heard] == ["message.replied", "message.reply_text"]
    phone.answers = [503] * 5
    await phone.http.post(f"/phone/{NUMBER}/reply", data={"text": "again"})
    assert "not delivered" in await phone.page()
