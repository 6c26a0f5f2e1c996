"""The sandbox behaves as Stripe does where it matters: keys, idempotency, declines, refunds, accounts, signed messages."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from connectors.contract import ConnectorError, ReconnectNeeded, Rejected, TryLater, VendorAnswer
from connectors.payments.stripe import callback, sandbox, sandbox_objects
from connectors.registry import Registry
from scopes.minimize import minimize_answer
from tests.conformance.harness import DirectEgress, perform

STRIPE = Registry.load().connector("payments/stripe")
PAYMENT = {"reference": "inv_7Hq2ZkW9", "amount_minor": 4250, "currency": "EUR"}
PAGE = {**PAYMENT, "product": "invoice", "success_url": "https://clinic.example/done?session_id={CHECKOUT_SESSION_ID}"}
CARD = "pm_card_visa"


class Shop:
    """One sandbox and a door to it."""

    def __init__(self, **given: Any) -> None:
        self.app = sandbox.create(**given)
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app), base_url="https://api.stripe.com")
        self.keys = 0

    def door(self, key: str | None = None, **given: Any) -> DirectEgress:
        self.keys += 1
        usual = {"credential": sandbox.CREDENTIAL, "base_url": "https://api.stripe.com"}
        key = key or f"key-{self.keys}"
        return DirectEgress(STRIPE.manifest, self.http, idempotency_key=key, **{**usual, **given})

    async def call(self, name: str, payload: Mapping[str, Any], key: str | None = None, **given: Any) -> dict[str, Any]:
        answer: VendorAnswer = await perform(STRIPE.actions[name], payload, self.door(key, **given))
        return minimize_answer(STRIPE.actions[name].answer, answer.body)

    async def post(self, path: str, form: Mapping[str, str], **headers: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {sandbox.CREDENTIAL}", **headers}
        return await self.http.post(path, data=dict(form), headers=headers)


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def refusal(work: Any) -> ConnectorError:
    with pytest.raises(ConnectorError) as raised:
        await work
    return raised.value


async def test_a_card_is_charged_refunded_in_parts_and_never_beyond(shop: Shop) -> None:
    paid = await shop.call("create_payment_intent", {**PAYMENT, "payment_method": CARD})
    assert paid["status"] == "succeeded"
    refund = {"reference": "ref_9Kd3Xw7Q", "payment": paid["id"]}
    part = await shop.call("refund", {**refund, "amount_minor": 1000, "currency": "EUR"})
    assert (part["amount_minor"], part["payment"], part["status"]) == (1000, paid["id"], "succeeded")
    assert isinstance(await refusal(shop.call("refund", {**refund, "amount_minor": 3251, "currency": "EUR"})), Rejected)
    rest = await shop.call("refund", refund)
    assert rest["amount_minor"] == 3250
    assert (await refusal(shop.call("refund", refund))).code == "charge_already_refunded"


async def test_a_payment_without_a_card_waits_and_cannot_be_refunded(shop: Shop) -> None:
    waiting = await shop.call("create_payment_intent", PAYMENT)
    assert waiting["status"] == "requires_payment_method"
    assert (await shop.call("get_payment", {"payment": waiting["id"]})) == waiting
    await refusal(shop.call("refund", {"reference": "ref_9Kd3Xw7Q", "payment": waiting["id"]}))


@pytest.mark.parametrize("method", [*sandbox_objects.DECLINES, *sorted(sandbox_objects.NEEDS_ACTION)])
async def test_stripe_s_test_cards_are_declined_as_published(shop: Shop, method: str) -> None:
    declined = await refusal(shop.call("create_payment_intent", {**PAYMENT, "payment_method": method}))
    code, _ = sandbox_objects.DECLINES.get(method, ("authentication_required", None))
    assert (type(declined), declined.code) == (Rejected, code)


async def test_one_key_gives_one_answer_the_decline_included(shop: Shop) -> None:
    first = await shop.call("create_payment_intent", {**PAYMENT, "payment_method": CARD}, "k1")
    assert await shop.call("create_payment_intent", {**PAYMENT, "payment_method": CARD}, "k1") == first
    declined = {**PAYMENT, "payment_method": "pm_card_chargeDeclined"}
    assert (await refusal(shop.call("create_payment_intent", declined, "k2"))).code == "card_declined"
    made = len(shop.app.state.sandbox.accounts["own"].objects)
    assert (await refusal(shop.call("create_payment_intent", declined, "k2"))).code == "card_declined"
    assert len(shop.app.state.sandbox.accounts["own"].objects) == made


async def test_one_key_for_two_requests_is_refused(shop: Shop) -> None:
    await shop.call("create_payment_intent", PAYMENT, "k1")
    changed = await refusal(shop.call("create_payment_intent", {**PAYMENT, "amount_minor": 1}, "k1"))
    assert changed.code == "idempotency_error"
    assert (
        await refusal(shop.call("create_customer", {"reference": "pat_7Hq2ZkW9"}, "k1"))
    ).code == "idempotency_error"


async def test_a_key_in_use_asks_for_patience(shop: Shop) -> None:
    await shop.http.post("/_sandbox/switches", json={"delay_seconds": 0.05})
    results = await asyncio.gather(
        *(shop.call("create_payment_intent", PAYMENT, "k1") for _ in range(3)), return_exceptions=True
    )
    late = [result for result in results if isinstance(result, Exception)]
    assert [(type(each), each.code) for each in late] == [(TryLater, "idempotency_key_in_use")] * 2  # type: ignore[attr-defined]


async def test_what_did_not_run_is_not_kept_under_the_key(shop: Shop) -> None:
    assert (await shop.post("/v1/customers", {"surprise": "1"}, **{"Idempotency-Key": "k1"})).status_code == 400
    assert (await shop.post("/v1/customers", {}, **{"Idempotency-Key": "k1"})).status_code == 200


@pytest.mark.parametrize(
    ("path", "form", "code"),
    [
        ("/v1/customers", {"name": "Jane"}, "parameter_unknown"),
        ("/v1/customers", {"metadata": "x"}, "parameter_unknown"),
        ("/v1/customers", {"metadata[a][b]": "x"}, "parameter_unknown"),
        ("/v1/customers", {"metadata[ref": "x"}, "parameter_unknown"),
        ("/v1/payment_intents", {"amount": "100"}, "parameter_missing"),
        ("/v1/payment_intents", {"amount": "1.5", "currency": "eur"}, "parameter_invalid_integer"),
        ("/v1/payment_intents", {"amount": "100000000", "currency": "eur"}, "amount_too_large"),
        ("/v1/payment_intents", {"amount": "1", "currency": "eur", "customer": "cus_none"}, "resource_missing"),
        ("/v1/refunds", {"payment_intent": "pi_none"}, "resource_missing"),
        (
            "/v1/checkout/sessions",
            {"mode": "payment", "success_url": "x", "line_items[0][quantity]": "1"},
            "parameter_missing",
        ),
    ],
)
async def test_parameters_are_checked_as_stripe_checks_them(shop: Shop, path: str, form: Any, code: str) -> None:
    answer = await shop.post(path, form)
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["code"] == code


async def test_a_wrong_key_and_too_many_requests_are_told_apart(shop: Shop) -> None:
    customer = {"reference": "pat_7Hq2ZkW9"}
    assert isinstance(
        await refusal(shop.call("create_customer", customer, credential="rk_test_wrong")), ReconnectNeeded
    )
    await shop.http.post("/_sandbox/switches", json={"rate_limited": True})
    late = await refusal(shop.call("create_customer", customer))
    assert isinstance(late, TryLater)
    assert late.retry_after_seconds == 1


async def test_accounts_do_not_see_each_other(shop: Shop) -> None:
    made = await shop.call("create_payment_intent", PAYMENT, account="acct_1RkT2vLkdIwHu7ix")
    for stranger in (None, "acct_2RkT2vLkdIwHu7ix"):
        assert (
            await refusal(shop.call("get_payment", {"payment": made["id"]}, account=stranger))
        ).code == "resource_missing"
    assert await shop.call("get_payment", {"payment": made["id"]}, account="acct_1RkT2vLkdIwHu7ix") == made


async def test_a_checkout_is_paid_on_its_page_and_then_says_so(shop: Shop) -> None:
    page = await shop.call("create_checkout", PAGE)
    assert (page["status"], page["payment_status"]) == ("open", "unpaid")
    assert "4250 EUR" in (await shop.http.get(page["url"])).text
    back = await shop.http.post(page["url"])
    assert back.headers["location"] == f"https://clinic.example/done?session_id={page['id']}"
    paid = await shop.call("get_payment", {"payment": page["id"]})
    assert (paid["status"], paid["payment_status"]) == ("complete", "paid")
    assert (await shop.call("get_payment", {"payment": paid["payment"]}))["reference"] == "inv_7Hq2ZkW9"
    assert (await shop.http.post(page["url"])).status_code == 400


async def test_a_link_opens_a_page_once(shop: Shop) -> None:
    link = await shop.call("create_payment_link", {name: PAGE[name] for name in PAGE if name != "success_url"})
    page = (await shop.http.get(link["url"])).headers["location"]
    assert (await shop.http.post(page)).status_code == 303
    assert (await shop.http.get(link["url"])).status_code == 400


async def test_what_happens_is_told_in_signed_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[bytes, Mapping[str, str]]] = []

    def hear(request: httpx2.Request) -> httpx2.Response:
        heard.append((request.content, request.headers))
        return httpx2.Response(200)

    shop = Shop(callback_url="https://gateway.example/hooks/1", callback_secret="whsec_sandbox123")
    monkeypatch.setattr(httpx2, "AsyncClient", lambda **_: _Hearing(hear))
    paid = await shop.call(
        "create_payment_intent", {**PAYMENT, "payment_method": CARD}, account="acct_1RkT2vLkdIwHu7ix"
    )
    await shop.call("refund", {"reference": "ref_9Kd3Xw7Q", "payment": paid["id"]}, account="acct_1RkT2vLkdIwHu7ix")
    for body, headers in heard:
        callback.verify(body, headers, "https://gateway.example/hooks/1", ["whsec_sandbox123"], now=datetime.now(UTC))
    events = [event for body, _ in heard for event in callback.translate(body, "")]
    assert [event.type for event in events] == ["payment_intent.created", "payment_intent.succeeded", "charge.refunded"]
    assert {event.account for event in events} == {"acct_1RkT2vLkdIwHu7ix"}
    assert events[-1].data["refunded_minor"] == 4250


class _Hearing:
    """Stands for the client that carries messages."""

    def __init__(self, hear: Any) -> None:
        self.client = _CLIENT(transport=httpx2.MockTransport(hear))

    async def __aenter__(self) -> Any:
        return self.client

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()


_CLIENT = httpx2.AsyncClient
