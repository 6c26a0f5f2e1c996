"""What a payment vendor may be told and what is kept of its answers. One declaration for every vendor of the family.

A payment vendor learns an opaque reference, an amount and a word from a short list, never who is treated for what:
these recipients sign no agreement for health data.
"""

from typing import Annotated, Final, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from connectors.contract import Content, Exchange
from connectors.payments.fields import (
    AmountMinor,
    Currency,
    EmailAddress,
    PayerId,
    PaymentId,
    PaymentMethodId,
    PaymentOrCheckoutId,
    Product,
    RefundReason,
    ReturnUrl,
)
from scopes.field import Disclosed, Unfit, discloses
from scopes.money import MINOR_DIGITS
from scopes.opaque import OpaqueReference
from scopes.vocabulary import Category

CONTENT: Final = Content(
    categories=frozenset({Category.BILLING, Category.OPERATIONAL, Category.IDENTIFIER, Category.CONTACT}),
    optional=frozenset({Category.CONTACT}),
    opaque_identifiers=True,
    why="Payment vendors sign no agreement for health data: opaque references, amounts and listed words only.",
)

Reference = Annotated[
    OpaqueReference, discloses(Category.IDENTIFIER, "finding the payment again; opaque, it names nobody")
]
ReceiptEmail = Annotated[EmailAddress | None, discloses(Category.CONTACT, "where the vendor mails the receipt")]
Payer = Annotated[PayerId | None, discloses(Category.IDENTIFIER, "the vendor's own id of the payer")]
For = Annotated[Product, discloses(Category.BILLING, "the line on the payment page, from a fixed list")]

# What answers and events hold. Ids and words are checked too: an answer is no place for surprises.
_Id = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,255}$"), Field(examples=["pi_3MtwBwLkdIwHu7ix28a3tqPa"])
]
_Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,39}$"), Field(examples=["succeeded"])]
_Url = Annotated[
    str,
    # Loopback: the demo's sandboxes.
    StringConstraints(pattern=r"^(https://|http://127\.0\.0\.1:)[^\s\"<>]{1,2000}$"),
    Field(examples=["https://checkout.stripe.com/c/pay/cs_test_a1b2c3"]),
]
_Amount = Annotated[int, Field(strict=True, ge=0, examples=[4250])]
_OurReference = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,80}$"), Field(examples=["inv_7Hq2ZkW9"])]

VendorId = Annotated[_Id, discloses(Category.IDENTIFIER, "the vendor's id")]
Status = Annotated[_Word | None, discloses(Category.BILLING, "how far the payment is")]
AnsweredAmount = Annotated[_Amount | None, discloses(Category.BILLING, "the amount, in the currency's minor unit")]
AnsweredCurrency = Annotated[Currency | None, discloses(Category.BILLING, "the currency")]
CreatedAt = Annotated[AwareDatetime | None, discloses(Category.OPERATIONAL, "when the vendor made it")]
AnsweredReference = Annotated[_OurReference | None, discloses(Category.IDENTIFIER, "the reference that was sent")]
AnsweredPayment = Annotated[_Id | None, discloses(Category.IDENTIFIER, "the vendor's id of the payment behind it")]
PageUrl = Annotated[_Url | None, discloses(Category.OPERATIONAL, "the page where the payer pays")]


class _Money(Disclosed):
    """An amount in the minor unit that ISO 4217 gives its currency: 4250 is EUR 42.50, JPY 4250 or KWD 4.250."""

    amount_minor: Annotated[AmountMinor, discloses(Category.BILLING, "the amount to pay, in the currency's minor unit")]
    currency: Annotated[Currency, discloses(Category.BILLING, "the currency of the amount")]

    @model_validator(mode="after")
    def _ends_in_zero_where_it_must(self) -> Self:
        # Card networks round the third decimal away, so the vendors ask for a zero there.
        if MINOR_DIGITS[self.currency] == 3 and self.amount_minor % 10:
            raise Unfit("amount_minor in a currency of three decimals must end in 0")
        return self


class CreateCustomer(Disclosed):
    """A payer who comes back: the vendor gets a reference and nothing else."""

    reference: Reference


class CreateCheckout(_Money):
    """A page of the vendor's where one payment is made."""

    reference: Reference
    product: For
    success_url: Annotated[ReturnUrl, discloses(Category.OPERATIONAL, "where the payer returns to after paying")]
    cancel_url: Annotated[ReturnUrl | None, discloses(Category.OPERATIONAL, "where the payer returns to instead")] = (
        None
    )
    payer: Payer = None
    receipt_email: ReceiptEmail = None


class CreatePaymentLink(_Money):
    """An address that can be sent to a payer and be paid once."""

    reference: Reference
    product: For
    success_url: Annotated[ReturnUrl | None, discloses(Category.OPERATIONAL, "where the payer lands after paying")] = (
        None
    )


class CreatePaymentIntent(_Money):
    """A payment to be collected; at once where a saved payment method is named."""

    reference: Reference
    payer: Payer = None
    payment_method: Annotated[
        PaymentMethodId | None, discloses(Category.IDENTIFIER, "the vendor's id of the saved card to charge now")
    ] = None
    off_session: Annotated[bool, discloses(Category.OPERATIONAL, "whether the payer is absent, for the bank")] = False
    receipt_email: ReceiptEmail = None

    @model_validator(mode="after")
    def _absent_payers_need_a_saved_card(self) -> Self:
        if self.off_session and not self.payment_method:
            raise Unfit("off_session needs a payment_method")
        return self


class Refund(Disclosed):
    """Money back, all of it or a part; a part names its currency, since minor units differ."""

    reference: Reference
    payment: Annotated[PaymentId, discloses(Category.IDENTIFIER, "the payment to give back")]
    amount_minor: Annotated[AmountMinor | None, discloses(Category.BILLING, "the part to give back")] = None
    currency: Annotated[Currency | None, discloses(Category.BILLING, "the currency of that part")] = None
    reason: Annotated[RefundReason | None, discloses(Category.BILLING, "why, from a fixed list")] = None

    @model_validator(mode="after")
    def _a_part_names_its_currency(self) -> Self:
        if (self.amount_minor is None) != (self.currency is None):
            raise Unfit("a part needs both amount_minor and currency; the whole needs neither")
        if self.amount_minor and self.currency and MINOR_DIGITS[self.currency] == 3 and self.amount_minor % 10:
            raise Unfit("amount_minor in a currency of three decimals must end in 0")
        return self


class GetPayment(Disclosed):
    """How a payment or a checkout stands."""

    payment: Annotated[PaymentOrCheckoutId, discloses(Category.IDENTIFIER, "the payment asked about")]


class Customer(Disclosed):
    """What is kept of a payer."""

    id: VendorId
    reference: AnsweredReference = None
    created_at: CreatedAt = None


class Payment(Disclosed):
    """What is kept of a payment; the client secret, the card and the payer's details are not."""

    id: VendorId
    status: Status = None
    amount_minor: AnsweredAmount = None
    currency: AnsweredCurrency = None
    reference: AnsweredReference = None
    created_at: CreatedAt = None


class PaymentPage(Payment):
    """What is kept of a checkout or a payment link."""

    url: PageUrl = None
    payment: AnsweredPayment = None
    payment_status: Annotated[_Word | None, discloses(Category.BILLING, "whether the page was paid")] = None


class RefundDone(Payment):
    """What is kept of a refund."""

    payment: AnsweredPayment = None


class Refunded(Payment):
    """What is kept of a charge that was given back."""

    payment: AnsweredPayment = None
    refunded_minor: Annotated[_Amount | None, discloses(Category.BILLING, "how much went back so far")] = None


class Disconnected(Disclosed):
    """What is kept of an account that cut the connection."""

    id: VendorId


ACTIONS: Final = {
    "create_customer": Exchange(CreateCustomer, Customer),
    "create_checkout": Exchange(CreateCheckout, PaymentPage),
    "create_payment_link": Exchange(CreatePaymentLink, PaymentPage),
    "create_payment_intent": Exchange(CreatePaymentIntent, Payment),
    "refund": Exchange(Refund, RefundDone),
    "get_payment": Exchange(GetPayment, PaymentPage),
}
