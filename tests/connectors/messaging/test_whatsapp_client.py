"""What is posted to WhatsApp: a template that Meta keeps, in the shape of Meta's own examples, or nothing at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from connectors.contract import Ambiguous, ConnectorError, Rejected
from connectors.messaging.whatsapp import codes
from connectors.registry import Registry
from scopes.consent import Channel
from scopes.minimize import minimize
from scopes.wording import Encoding, Parameter, Wording
from tests.conformance.harness import CapturingEgress, answering
from tests.connectors.messaging.whatsapp_corpus import MESSAGES, examples, fits

WHATSAPP = Registry.load().connector("messaging/whatsapp")
PHONE = "+14155550123"
STARTS_AT = "2026-11-27T10:30:00+05:30"
KEY = "cg_0198f2c47d1e7b3a9c550d6f1a2b3c4d"
TAKEN = {"messaging_product": "whatsapp", "contacts": [{"input": PHONE, "wa_id": "14155550123"}],
         "messages": [{"id": "wamid.HBgLMTQx=", "message_status": "accepted"}]}  # fmt: skip
PAY = {"phone": PHONE, "url": "https://pay.example.com/l/7Hq2ZkW9", "amount_minor": 4250, "currency": "inr"}
PAYLOADS: dict[str, dict[str, Any]] = {
    "send_reminder": {"phone": PHONE, "starts_at": STARTS_AT, "given_name": "Meenakshi"},
    "send_confirmation_request": {"phone": PHONE, "starts_at": STARTS_AT},
    "send_payment_link": PAY,
    "send_notice": {"phone": PHONE},
}


def worded(*parameters: Parameter, **given: Any) -> Wording:
    """The clinic's words, as a template that Meta keeps."""
    held: dict[str, Any] = {
        "template": "reminder", "version": 3, "language": "en", "channel": Channel.WHATSAPP, "text": "free words",
        "parameters": parameters, "vendor_name": "appointment_reminder", "vendor_language": "en_US", "segments": 1,
        "encoding": Encoding.GSM7,
    }  # fmt: skip
    return Wording(**{**held, **given})


def value(component: str, kind: str, text: str, path: str = "given_name") -> Parameter:
    return Parameter(component, kind, text, path)


BODY = (
    value("body", "text", "Meenakshi"),
    value("body", "date_time", "27 November", "starts_at"),
    value("body", "text", "10:30", "starts_at"),
)
PAGE = value("button:0", "url", "7Hq2ZkW9", "url")
AMOUNT = value("body", "currency", "₹42.50", "amount_minor")
#: Every form that a message of ours can have.
FORMS: dict[str, tuple[str, Wording]] = {
    "no values": ("send_notice", worded()),
    "a body": ("send_reminder", worded(*BODY)),
    "a body with texts only": ("send_confirmation_request", worded(*BODY[:1], BODY[2])),
    "an amount": ("send_payment_link", worded(AMOUNT)),
    "an amount and a button": ("send_payment_link", worded(value("body", "text", "Meenakshi"), PAGE)),
    "a header": ("send_reminder", worded(value("header", "text", "Lakeview"), *BODY)),
    "a button": ("send_payment_link", worded(PAGE)),
    "two buttons": ("send_payment_link", worded(PAGE, replace(PAGE, component="button:1"))),
}


async def sent(action: str, wording: Wording | None, payload: dict[str, Any] | None = None) -> dict[str, Any]:
    """The body of the one request that an action makes."""
    egress = door(wording)
    fields = minimize(WHATSAPP.actions[action].shape, payload or PAYLOADS[action]).model
    await WHATSAPP.actions[action].perform(fields, egress)
    (request,) = egress.requests
    assert str(request.url) == "https://graph.facebook.com/v23.0/106540352242922/messages"
    return dict(orjson.loads(request.content))


def door(wording: Wording | None, status: int = 200, body: Any = TAKEN) -> CapturingEgress:
    return CapturingEgress(
        WHATSAPP.manifest, answering(status, orjson.dumps(body)), idempotency_key=KEY, wording=wording
    )


async def refused(action: str, egress: CapturingEgress) -> ConnectorError:
    with pytest.raises(ConnectorError) as raised:
        await WHATSAPP.actions[action].perform(minimize(WHATSAPP.actions[action].shape, PAYLOADS[action]).model, egress)
    return raised.value


@pytest.mark.parametrize("form", FORMS)
async def test_each_message_of_ours_has_the_shape_of_one_of_meta_s_examples(specs: Path, form: str) -> None:
    found = await sent(*FORMS[form])
    assert found["biz_opaque_callback_data"] == KEY  # in Meta's reference, and in none of its examples of messages
    corpus = examples(specs, MESSAGES)
    assert len(corpus) == 50
    assert [name for name, example in corpus.items() if fits(found, example)], f"{form} looks like none of Meta's"


async def test_the_comparison_of_shapes_tells_a_foreign_key_a_wrong_kind_and_a_foreign_component(specs: Path) -> None:
    corpus = examples(specs, MESSAGES).values()
    found = await sent(*FORMS["a body"])
    assert any(fits(found, example) for example in corpus)
    template = found["template"]
    for spoilt in (
        {**found, "note": "x"},
        {**found, "to": 14155550123},
        {name: held for name, held in found.items() if name != "to"},
        {**found, "template": {**template, "language": "en_US"}},
        {**found, "template": {**template, "components": {}}},
        {**found, "template": {**template, "components": [{"type": "body", "parameters": [{"words": "x"}]}]}},
    ):
        assert not any(fits(spoilt, example) for example in corpus)


async def test_a_message_names_its_template_and_fills_its_placeholders_in_order() -> None:
    values = (PAGE, value("header", "text", "Lakeview"), *BODY)
    found = await sent("send_reminder", worded(*values))
    assert {name: found[name] for name in ("messaging_product", "recipient_type", "to", "type")} == {
        "messaging_product": "whatsapp", "recipient_type": "individual", "to": PHONE, "type": "template",
    }  # fmt: skip
    assert found["template"] == {
        "name": "appointment_reminder",
        "language": {"code": "en_US"},
        "components": [
            {"type": "header", "parameters": [{"type": "text", "text": "Lakeview"}]},
            {
                "type": "body",
                "parameters": [
                    {"type": "text", "text": "Meenakshi"},
                    {"type": "date_time", "date_time": {"fallback_value": "27 November"}},
                    {"type": "text", "text": "10:30"},
                ],
            },
            {
                "type": "button",
                "sub_type": "url",
                "index": "0",
                "parameters": [{"type": "text", "text": "7Hq2ZkW9"}],
            },
        ],
    }


@pytest.mark.parametrize(
    ("currency", "minor", "thousandths"), [("inr", 4250, 42_500), ("JPY", 4250, 4_250_000), ("KWD", 4250, 4_250)]
)
async def test_an_amount_is_counted_in_thousandths_of_its_currency(currency: str, minor: int, thousandths: int) -> None:
    found = await sent("send_payment_link", worded(AMOUNT), {**PAY, "currency": currency, "amount_minor": minor})
    (parameter,) = found["template"]["components"][0]["parameters"]
    assert parameter["currency"] == {
        "fallback_value": "₹42.50",
        "code": currency.upper(),
        "amount_1000": thousandths,
    }


@pytest.mark.parametrize(
    ("wording", "code"),
    [
        (None, "wording_missing"),
        (worded(vendor_name=None), "template_unregistered"),
        (worded(vendor_language=None), "template_unregistered"),
        (worded(value("footer", "text", "x")), "wording_unfit"),
        (worded(value("button:10", "url", "x")), "wording_unfit"),
        (worded(value("button:", "url", "x")), "wording_unfit"),
        (worded(value("button:0", "text", "x")), "wording_unfit"),
        (worded(value("body", "url", "x")), "wording_unfit"),
        (worded(value("body", "image", "x")), "wording_unfit"),
        (worded(value("body", "currency", "₹1")), "wording_unfit"),  # a reminder has no amount
    ],
)
async def test_what_meta_keeps_no_template_for_is_not_sent(wording: Wording | None, code: str) -> None:
    egress = door(wording)
    error = await refused("send_reminder", egress)
    assert (type(error), error.code, egress.requests) == (Rejected, code, [])


async def test_without_a_phone_number_id_nothing_is_sent() -> None:
    egress = door(worded())
    egress.account = None
    assert (await refused("send_notice", egress)).code == "account_missing"
    assert egress.requests == []


async def test_free_words_never_leave() -> None:
    assert b"free words" not in orjson.dumps(await sent("send_reminder", worded(*BODY)))


async def test_the_ledger_gets_no_id_since_whatsapp_s_ids_spell_the_number() -> None:
    fields = minimize(WHATSAPP.actions["send_notice"].shape, PAYLOADS["send_notice"]).model
    answer = await WHATSAPP.actions["send_notice"].perform(fields, door(worded()))
    assert answer.reference is None
    assert answer.body == {"id": "wamid.HBgLMTQx=", "status": "accepted"}


@pytest.mark.parametrize(
    "body", [{}, {"messages": None}, {"messages": [None]}, {"messages": [{"id": 7}]}, {"messages": [{"id": "a b"}]},
             {"error": {"code": 131026}}]
)  # fmt: skip
async def test_a_success_that_names_no_message_is_no_success(body: Any) -> None:
    assert isinstance(await refused("send_notice", door(worded(), body=body)), Ambiguous)


@pytest.mark.parametrize(("number", "word"), sorted(codes.WORDS.items()))
@pytest.mark.parametrize("status", [400, 404, 503])
async def test_each_listed_number_has_its_word_and_a_server_s_error_is_never_a_refusal(
    status: int, number: int, word: str
) -> None:
    error = await refused("send_notice", door(worded(), status, {"error": {"code": number, "message": "CANARY"}}))
    assert error.code == word
    assert "CANARY" not in repr(vars(error)) + str(error)
    assert isinstance(error, Ambiguous) == (status == 503 or number in codes.UNCLEAR)


@pytest.mark.parametrize("number", ["131056", 131056.0, True, None, [131056], 10**30, 1310567])
async def test_another_number_is_not_repeated(number: Any) -> None:
    content = (
        orjson.dumps({"error": {"code": number}}) if number != 10**30 else b'{"error": {"code": 1%s}}' % (b"0" * 30)
    )
    egress = CapturingEgress(WHATSAPP.manifest, lambda _: httpx2.Response(400, content=content), wording=worded())
    assert (await refused("send_notice", egress)).code == "rejected"
