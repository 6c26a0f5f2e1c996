"""What each action says to Stripe, in Stripe's parameters and types. Sends nothing."""

from typing import TYPE_CHECKING, Final, cast

from connectors.payments.actions import CreateCheckout, CreateCustomer, CreatePaymentIntent, CreatePaymentLink, Refund
from connectors.payments.fields import Product
from connectors.payments.stripe.codes import to_stripe

if TYPE_CHECKING:  # the package takes half a second to import; only its types are needed here
    from stripe.params import (
        CustomerCreateParams,
        PaymentIntentCreateParams,
        PaymentLinkCreateParams,
        PaymentLinkCreateParamsLineItem,
        RefundCreateParams,
    )
    from stripe.params.checkout import SessionCreateParams, SessionCreateParamsLineItem

#: What the payer reads. The specialty, the doctor and the treatment are not in it.
PRODUCT_NAMES: Final = {
    Product.APPOINTMENT: "Appointment",
    Product.DEPOSIT: "Deposit",
    Product.INVOICE: "Invoice",
    Product.MEMBERSHIP: "Membership",
    Product.OTHER: "Payment to the clinic",
}


def customer(fields: CreateCustomer) -> "CustomerCreateParams":
    """A customer is a reference; name, email, phone and address are parameters that we never use."""
    return {"metadata": {"ref": fields.reference}}


def checkout(fields: CreateCheckout) -> "SessionCreateParams":
    """A checkout session for one line of one price."""
    made: SessionCreateParams = {
        "mode": "payment",
        "client_reference_id": fields.reference,
        "metadata": {"ref": fields.reference},
        "line_items": [cast("SessionCreateParamsLineItem", _line(fields))],
        "payment_intent_data": {"metadata": {"ref": fields.reference}},
        "success_url": fields.success_url,
    }
    if fields.cancel_url:
        made["cancel_url"] = fields.cancel_url
    if fields.payer:
        made["customer"] = fields.payer
    if fields.receipt_email:
        made["payment_intent_data"]["receipt_email"] = fields.receipt_email
    return made


def payment_link(fields: CreatePaymentLink) -> "PaymentLinkCreateParams":
    """A link that can be paid once."""
    made: PaymentLinkCreateParams = {
        "line_items": [cast("PaymentLinkCreateParamsLineItem", _line(fields))],
        "metadata": {"ref": fields.reference},
        "payment_intent_data": {"metadata": {"ref": fields.reference}},
        "restrictions": {"completed_sessions": {"limit": 1}},
    }
    if fields.success_url:
        made["after_completion"] = {"type": "redirect", "redirect": {"url": fields.success_url}}
    return made


def payment_intent(fields: CreatePaymentIntent) -> "PaymentIntentCreateParams":
    """A payment intent, confirmed at once where a saved card is named."""
    made: PaymentIntentCreateParams = {
        "amount": to_stripe(fields.amount_minor, fields.currency),
        "currency": fields.currency.lower(),
        "metadata": {"ref": fields.reference},
    }
    if fields.payer:
        made["customer"] = fields.payer
    if fields.payment_method:
        # Cards only: other methods send the payer to another page.
        made["payment_method"] = fields.payment_method
        made["allowed_payment_method_types"] = ["card"]
        made["confirm"] = True
        # A bank that wants the payer to act gets a clear no: there is nobody to show its page to.
        made["off_session" if fields.off_session else "error_on_requires_action"] = True
    if fields.receipt_email:
        made["receipt_email"] = fields.receipt_email
    return made


def refund(fields: Refund) -> "RefundCreateParams":
    """A refund of a payment intent; without an amount, of all that is left."""
    made: RefundCreateParams = {"payment_intent": fields.payment, "metadata": {"ref": fields.reference}}
    if fields.amount_minor is not None and fields.currency is not None:
        made["amount"] = to_stripe(fields.amount_minor, fields.currency)
    if fields.reason:
        made["reason"] = fields.reason.value
    return made


def _line(fields: CreateCheckout | CreatePaymentLink) -> dict[str, object]:
    return {
        "quantity": 1,
        "price_data": {
            "currency": fields.currency.lower(),
            "unit_amount": to_stripe(fields.amount_minor, fields.currency),
            "product_data": {"name": PRODUCT_NAMES[fields.product]},
        },
    }
