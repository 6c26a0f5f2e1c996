"""What a payment request takes and what it refuses: amounts, currencies, addresses, ids."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.payments import actions
from connectors.payments.stripe.codes import from_stripe, to_stripe
from scopes.field import shape_of
from scopes.minimize import InvalidPayload, Minimized, minimize
from scopes.money import MINOR_DIGITS

CHECKOUT = shape_of(actions.CreateCheckout)
INTENT = shape_of(actions.CreatePaymentIntent)
REFUND = shape_of(actions.Refund)
GOOD: dict[str, Any] = {
    "reference": "inv_7Hq2ZkW9",
    "amount_minor": 4250,
    "currency": "EUR",
    "product": "appointment",
    "success_url": "https://clinic.example/pay/done",
}
METHOD = "pm_1MqLiJLkdIwHu7ixUEgbFdYF"


def checkout(**changed: Any) -> Minimized:
    return minimize(CHECKOUT, {**GOOD, **changed})


def intent(**changed: Any) -> Minimized:
    return minimize(INTENT, {name: GOOD[name] for name in ("reference", "amount_minor", "currency")} | changed)


@pytest.mark.parametrize("amount", [0, -1, 100_000_000, 42.5, "4250", True, None, 10**20])
def test_an_amount_is_a_positive_whole_number_of_at_most_eight_digits(amount: object) -> None:
    with pytest.raises(InvalidPayload, match="amount_minor"):
        checkout(amount_minor=amount)


@pytest.mark.parametrize("currency", ["", "EU", "EURO", "XXX", "XAU", "MGA", "€", "eu1", 978])
def test_a_currency_is_one_whose_minor_unit_is_known(currency: object) -> None:
    with pytest.raises(InvalidPayload, match="currency"):
        checkout(currency=currency)


def test_a_currency_may_be_written_small() -> None:
    assert checkout(currency="inr").values["currency"] == "INR"


@pytest.mark.parametrize("currency", [code for code, digits in MINOR_DIGITS.items() if digits == 3])
def test_a_third_decimal_is_zero(currency: str) -> None:
    checkout(amount_minor=5120, currency=currency)
    intent(amount_minor=5120, currency=currency)
    for build in (checkout, intent):
        with pytest.raises(InvalidPayload):
            build(amount_minor=5124, currency=currency)
    with pytest.raises(InvalidPayload):
        minimize(
            REFUND,
            {"reference": "ref_9Kd3Xw7Q", "payment": "pi_3MtwBwLkdIwHu7ix28a3tqPa"}
            | {"amount_minor": 5, "currency": currency},
        )


def test_the_currencies_without_a_minor_unit_are_those_of_stripe_and_the_two_it_counts_in_hundredths() -> None:
    stripe_s_own = ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
    assert {code for code, digits in MINOR_DIGITS.items() if digits == 0} == {*stripe_s_own, "ISK", "UGX"}
    assert {code for code, digits in MINOR_DIGITS.items() if digits == 3} == {"BHD", "JOD", "KWD", "OMR", "TND"}
    assert len(MINOR_DIGITS) > 120


@given(st.sampled_from(sorted(MINOR_DIGITS)), st.integers(1, 99_999_999))
def test_an_amount_comes_back_from_stripe_as_it_was_sent(currency: str, amount_minor: int) -> None:
    sent = to_stripe(amount_minor, currency)
    assert sent == amount_minor * (100 if currency in ("ISK", "UGX") else 1)
    assert from_stripe(sent, currency.lower()) == amount_minor


@pytest.mark.parametrize(
    "url",
    [
        "https://clinic.example",
        "https://clinic.example/pay/done?session_id={CHECKOUT_SESSION_ID}",
        "https://pay.clinic.example/back?ref=inv_7Hq2ZkW9&lang=de-DE&status=cancelled",
    ],
)
def test_a_return_address_may_carry_what_says_nothing_about_a_person(url: str) -> None:
    assert checkout(success_url=url).values["success_url"] == url


@pytest.mark.parametrize(
    "url",
    [
        "http://clinic.example/done",
        "https://clinic.example:8443/done",
        "https://jane:roe@clinic.example/done",
        "https://clinic.example/done#jane",
        "https://clinic.example/done?name=Jane",
        "https://clinic.example/done?ref=Jane%20Roe",
        "https://clinic.example/done?ref=pat_JaneRoe",
        "https://clinic.example/done?session_id=Jane",
        "https://clinic.example/done?lang=Jane",
        "https://clinic.example/done?lang=de&lang=Jane",
        "https://clinic.example/done?Jane",
        "https://clinic.example/jane%20roe",
        "https://clinic.example/done?lang=de;name=Jane",
        "https://127.0.0.1/done",
        "https://localhost/done",
        "https://[::1]/done",
        "https://[::1",
        "javascript:alert(1)",
        "//clinic.example/done",
        "https:///done",
        "https://clinic.example/done\r\nX: 1",
        "https://clinic.example/do\nne",
        "https://clinic.example/do\tne",
        "https://\u212aane.example/done",
        "https://j\u00e4ne.example/done",
        "",
    ],
)
def test_a_return_address_has_no_room_for_a_person(url: str) -> None:
    for name in ("success_url", "cancel_url"):
        with pytest.raises(InvalidPayload, match=name) as refused:
            checkout(**{name: url})
        assert "ane" not in str(refused.value)


@pytest.mark.parametrize("product", ["Psychotherapy session", "", "Appointment", {"name": "x"}])
def test_a_product_is_a_word_of_the_list(product: object) -> None:
    with pytest.raises(InvalidPayload, match="product"):
        checkout(product=product)


@pytest.mark.parametrize(
    "mail", ["Jane <jane@clinic.example>", "jane", "a@b", "a b@c.example", "a@c.example\nBcc: x@y.example"]
)
def test_a_receipt_goes_to_one_plain_address(mail: str) -> None:
    with pytest.raises(InvalidPayload, match="receipt_email"):
        checkout(receipt_email=mail)


def test_an_absent_payer_needs_a_saved_card() -> None:
    intent(off_session=True, payment_method=METHOD)
    with pytest.raises(InvalidPayload, match="payment_method"):
        intent(off_session=True)


def test_part_of_a_payment_names_its_currency() -> None:
    whole = {"reference": "ref_9Kd3Xw7Q", "payment": "pi_3MtwBwLkdIwHu7ix28a3tqPa"}
    minimize(REFUND, whole)
    minimize(REFUND, {**whole, "amount_minor": 100, "currency": "EUR"})
    for half in ({"amount_minor": 100}, {"currency": "EUR"}):
        with pytest.raises(InvalidPayload, match="both amount_minor and currency"):
            minimize(REFUND, {**whole, **half})


def test_a_refund_is_never_called_fraudulent() -> None:
    """Stripe puts the payer's card and e-mail address on block lists for that word."""
    with pytest.raises(InvalidPayload, match="reason"):
        minimize(
            REFUND, {"reference": "ref_9Kd3Xw7Q", "payment": "pi_3MtwBwLkdIwHu7ix28a3tqPa", "reason": "fraudulent"}
        )
