"""One coroutine per action: our fields to a request to Stripe, its answer to ours. No credential, no retry, no SDK."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from connectors.contract import Egress, VendorAnswer
from connectors.payments.actions import (
    CreateCheckout,
    CreateCustomer,
    CreatePaymentIntent,
    CreatePaymentLink,
    GetPayment,
    Refund,
)
from connectors.payments.stripe import answers, form, params
from connectors.payments.stripe.codes import API_VERSION
from connectors.wire import build_request, object_in

_CHECKOUT: Final = "cs_"
_READS: Final = {"Stripe-Version": API_VERSION, "Accept": "application/json"}
_WRITES: Final = {**_READS, "Content-Type": "application/x-www-form-urlencoded"}

Reading = Callable[[Mapping[str, Any]], dict[str, Any]]


async def create_customer(fields: CreateCustomer, egress: Egress) -> VendorAnswer:
    """Keep a payer at Stripe under an opaque reference."""
    return await _ask(egress, "/v1/customers", params.customer(fields), answers.customer)


async def create_checkout(fields: CreateCheckout, egress: Egress) -> VendorAnswer:
    """Open a page where one payment is made."""
    return await _ask(egress, "/v1/checkout/sessions", params.checkout(fields), answers.page)


async def create_payment_link(fields: CreatePaymentLink, egress: Egress) -> VendorAnswer:
    """Make an address that can be paid once."""
    return await _ask(egress, "/v1/payment_links", params.payment_link(fields), answers.link)


async def create_payment_intent(fields: CreatePaymentIntent, egress: Egress) -> VendorAnswer:
    """Collect a payment, at once where a saved card is named."""
    return await _ask(egress, "/v1/payment_intents", params.payment_intent(fields), answers.payment)


async def refund(fields: Refund, egress: Egress) -> VendorAnswer:
    """Give a payment back."""
    return await _ask(egress, "/v1/refunds", params.refund(fields), answers.refund)


async def get_payment(fields: GetPayment, egress: Egress) -> VendorAnswer:
    """See how a payment or a checkout stands."""
    if fields.payment.startswith(_CHECKOUT):
        return await _ask(egress, f"/v1/checkout/sessions/{fields.payment}", None, answers.page)
    return await _ask(egress, f"/v1/payment_intents/{fields.payment}", None, answers.payment)


async def _ask(egress: Egress, path: str, parameters: Mapping[str, Any] | None, read: Reading) -> VendorAnswer:
    """Write parameters, or read where there are none, and take the answer apart. Raises the contract's errors."""
    if parameters is None:
        method, content, headers = "GET", None, dict(_READS)
    else:
        method, content = "POST", form.encode(parameters)
        headers = {**_WRITES, "Idempotency-Key": egress.idempotency_key}
    if egress.account:
        headers["Stripe-Account"] = egress.account
    response = await egress.send(build_request(method, egress.base_url + path, headers=headers, content=content))
    if refusal := answers.refusal_in(response):
        raise refusal
    body = read(object_in(response))
    reference = body.get("id")
    return VendorAnswer(body, reference if isinstance(reference, str) else None, response.status_code)
