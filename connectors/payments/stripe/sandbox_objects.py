"""What the sandbox keeps and how its objects behave: customers, payments, pages, links, refunds. Speaks no HTTP.

Stripe's published shapes, including the parts that we never keep, so that dropping them is tried all the time.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

#: Stripe's documented test payment methods, and the decline that each brings.
DECLINES: Final = {
    "pm_card_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_visa_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_visa_chargeDeclinedLostCard": ("card_declined", "lost_card"),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", None),
    "pm_card_chargeDeclinedIncorrectCvc": ("incorrect_cvc", None),
    "pm_card_chargeDeclinedProcessingError": ("processing_error", None),
}
NEEDS_ACTION: Final = frozenset({"pm_card_authenticationRequired", "pm_card_threeDSecure2Required"})
#: Ids that the models' examples name; they exist in a fresh sandbox.
EXAMPLE_CUSTOMER: Final = "cus_Nff9Kx3PqLmT2b"
EXAMPLE_METHOD: Final = "pm_1MqLiJLkdIwHu7ixUEgbFdYF"
EXAMPLE_PAYMENT: Final = "pi_3MtwBwLkdIwHu7ix28a3tqPa"

Object = dict[str, Any]


class Refused(Exception):
    """An error as Stripe answers it. `executed` tells whether the answer is kept under an idempotency key."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, param: str | None = None, executed: bool = False
    ) -> None:
        """`more` can be filled with what else the error object holds."""
        super().__init__(message)
        self.status, self.executed = status, executed
        kind = "card_error" if status == 402 else "invalid_request_error"
        self.error: Object = {"type": kind, "message": message}
        self.error.update({name: value for name, value in (("code", code), ("param", param)) if value})


@dataclass
class Store:
    """One account's objects by id, and the events that have come about."""

    now: int = 0
    objects: dict[str, Object] = field(default_factory=dict)
    events: list[tuple[str, Object]] = field(default_factory=list)

    def seeded(self) -> "Store":
        """The same, with the objects that the examples name."""
        self.objects[EXAMPLE_CUSTOMER] = {
            "id": EXAMPLE_CUSTOMER,
            "object": "customer",
            "metadata": {},
            "created": self.now,
        }
        paid = self.payment_intent({"amount": 4250, "currency": "eur", "metadata": {"ref": "inv_20260001"}})
        del self.objects[paid["id"]]
        paid["id"] = EXAMPLE_PAYMENT
        self.objects[EXAMPLE_PAYMENT] = paid
        self._charge(paid, "pm_card_visa")
        self.events.clear()
        return self

    def find(self, kind: str, wanted: str) -> Object:
        """The object of that kind and id, or Stripe's 404."""
        found = self.objects.get(wanted)
        if found is None or found["object"] != kind:
            raise Refused(404, f"No such {kind}: '{wanted}'", code="resource_missing", param="id")
        return found

    def customer(self, given: Object) -> Object:
        """A new customer."""
        return self._made("customer", "cus_", given, email=None, name=None, phone=None)

    def payment_intent(self, given: Object) -> Object:
        """A new payment; charged at once where it is confirmed."""
        self._check_payer(given)
        made = self._made(
            "payment_intent",
            "pi_3",
            given,
            amount=whole(given, "amount"),
            currency=given["currency"].lower(),
            customer=given.get("customer"),
            latest_charge=None,
            payment_method=None,
            receipt_email=given.get("receipt_email"),
            status="requires_payment_method",
        )
        made["client_secret"] = f"{made['id']}_secret_{secrets.token_hex(12)}"
        self.events.append(("payment_intent.created", made))
        if given.get("confirm") == "true":
            if "payment_method" not in given:
                raise Refused(
                    400, "A payment method is needed to confirm.", code="parameter_missing", param="payment_method"
                )
            strict = "true" in (given.get("off_session"), given.get("error_on_requires_action"))
            if strict and given["payment_method"] in NEEDS_ACTION:
                self._decline(made, "authentication_required", "authentication_required")
            self._charge(made, given["payment_method"])
        return made

    def checkout(self, given: Object, page_url: str) -> Object:
        """A new page for one payment."""
        self._check_payer(given)
        amount, currency = priced(given)
        made = self._made(
            "checkout.session",
            "cs_test_",
            given,
            amount_total=amount,
            currency=currency,
            cancel_url=given.get("cancel_url"),
            client_reference_id=given.get("client_reference_id"),
            customer=given.get("customer"),
            customer_details=None,
            payment_intent=None,
            payment_status="unpaid",
            status="open",
            success_url=given.get("success_url"),
        )
        made["url"] = f"{page_url}{made['id']}"
        made["_payment"] = given.get("payment_intent_data", {})
        return made

    def payment_link(self, given: Object, link_url: str) -> Object:
        """A new link that can be paid once."""
        amount, currency = priced(given)
        made = self._made("payment_link", "plink_1", given, active=True, currency=currency)
        made.update(url=f"{link_url}{made['id']}", _amount=amount, _given=given)
        return made

    def pay(self, session: Object, method: str) -> Object:
        """Complete a page with a payment method, as its payer would."""
        if session["status"] != "open":
            raise Refused(400, "This page has been paid or has expired.", code="intent_invalid_state")
        data = session["_payment"]
        paid = self.payment_intent(
            {
                "amount": str(session["amount_total"]),
                "currency": session["currency"],
                "metadata": data.get("metadata", {}),
                "receipt_email": data.get("receipt_email"),
            }
        )
        self._charge(paid, method)
        session.update(status="complete", payment_status="paid", payment_intent=paid["id"])
        session["customer_details"] = {"email": "typed.by.payer@clinic.example", "name": "Typed By Payer"}
        self.events.append(("checkout.session.completed", session))
        return session

    def refund(self, given: Object) -> Object:
        """Give a payment back: all that is left, or a part that is no more than that."""
        payment = self.find("payment_intent", given["payment_intent"])
        if payment["status"] != "succeeded":
            raise Refused(400, "This PaymentIntent has no successful charge to refund.", executed=True)
        charge = self.objects[payment["latest_charge"]]
        left = charge["amount"] - charge["amount_refunded"]
        amount = whole(given, "amount") if "amount" in given else left
        if not left:
            raise Refused(400, "The charge has been refunded already.", code="charge_already_refunded", executed=True)
        if amount > left:
            raise Refused(400, "The refund is greater than what is left of the charge.", param="amount", executed=True)
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        self.events.append(("charge.refunded", charge))
        return self._made(
            "refund",
            "re_3",
            given,
            amount=amount,
            charge=charge["id"],
            currency=payment["currency"],
            payment_intent=payment["id"],
            reason=given.get("reason"),
            status="succeeded",
        )

    def _charge(self, payment: Object, method: str) -> None:
        if method in DECLINES:
            self._decline(payment, *DECLINES[method])
        if method in NEEDS_ACTION:
            payment.update(status="requires_action", payment_method=method, next_action={"type": "redirect_to_url"})
            self.events.append(("payment_intent.requires_action", payment))
            return
        if not re.fullmatch(r"pm_card_[0-9A-Za-z_]+", method) and method != EXAMPLE_METHOD:
            raise Refused(404, f"No such PaymentMethod: '{method}'", code="resource_missing", param="payment_method")
        charge = self._made(
            "charge",
            "ch_3",
            payment,
            amount=payment["amount"],
            amount_refunded=0,
            billing_details={"email": None, "name": "Jenny Sandbox", "phone": None},
            currency=payment["currency"],
            payment_intent=payment["id"],
            payment_method_details={
                "card": {"brand": "visa", "fingerprint": "sandbox", "last4": "4242"},
                "type": "card",
            },
            refunded=False,
            status="succeeded",
        )
        payment.update(status="succeeded", payment_method=method, latest_charge=charge["id"])
        self.events.append(("payment_intent.succeeded", payment))

    def _decline(self, payment: Object, code: str, decline_code: str | None) -> None:
        payment["last_payment_error"] = {"type": "card_error", "code": code, "decline_code": decline_code}
        self.events.append(("payment_intent.payment_failed", payment))
        refused = Refused(402, "Your card was declined.", code=code, executed=True)
        refused.error.update(decline_code=decline_code, payment_intent=shown(payment))
        raise refused

    def _check_payer(self, given: Object) -> None:
        if "customer" in given:
            self.find("customer", given["customer"])

    def _made(self, kind: str, prefix: str, given: Mapping[str, Any], **more: Any) -> Object:
        made = {
            "id": f"{prefix}{secrets.token_hex(12)}",
            "object": kind,
            "created": self.now,
            "livemode": False,
            "metadata": dict(given.get("metadata") or {}),
            **more,
        }
        self.objects[made["id"]] = made
        return made


def shown(found: Object) -> Object:
    """An object as it is answered: without the sandbox's own notes."""
    return {name: value for name, value in found.items() if not name.startswith("_")}


def whole(given: Mapping[str, Any], name: str) -> int:
    """A positive whole number of a form, of at most eight digits, or Stripe's 400."""
    value = str(given[name])
    if not re.fullmatch(r"[0-9]+", value):
        raise Refused(400, f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    if int(value) < 1:
        raise Refused(400, "The amount must be at least 1.", code="parameter_invalid_integer", param=name)
    if len(value) > 8:
        raise Refused(400, "The amount must be no more than 99999999.", code="amount_too_large", param=name)
    return int(value)


def priced(given: Mapping[str, Any]) -> tuple[int, str]:
    """The sum and the currency of the lines of a page."""
    lines = given.get("line_items", {}).values()
    if not lines or not all("price_data" in line for line in lines):
        raise Refused(400, "A line needs price_data.", code="parameter_missing", param="line_items")
    total = sum(whole(line["price_data"], "unit_amount") * int(line["quantity"]) for line in lines)
    return total, next(iter(lines))["price_data"]["currency"].lower()
