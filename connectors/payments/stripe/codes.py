"""Stripe's words that we pass on or react to. Closed lists: a word that is not here is not repeated to anyone."""

from typing import Final

from scopes.money import MINOR_DIGITS

#: The version that every request names; the installed `stripe` package types its parameters by it.
API_VERSION: Final = "2026-10-28.endive"

_ERROR_CODES: Final = """
account_closed account_invalid amount_too_large amount_too_small api_key_expired authentication_required
balance_insufficient capability_not_active card_decline_rate_limit_exceeded card_declined charge_already_refunded
charge_disputed charge_exceeds_transaction_limit charge_not_refundable country_unsupported debit_not_authorized
email_invalid expired_card expired_payment_method idempotency_key_in_use incorrect_cvc incorrect_number
insufficient_funds intent_invalid_state invalid_card_type invalid_charge_amount invalid_characters invalid_cvc
invalid_expiry_month invalid_expiry_year invalid_number livemode_mismatch lock_timeout missing parameter_invalid_empty
parameter_invalid_integer parameter_missing parameter_unknown parameters_exclusive payment_intent_action_required
payment_intent_authentication_failure payment_intent_incompatible_payment_method payment_intent_invalid_parameter
payment_intent_payment_attempt_failed payment_intent_unexpected_state payment_method_customer_decline
payment_method_invalid_parameter payment_method_not_available payment_method_provider_decline
payment_method_unexpected_state platform_api_key_expired processing_error rate_limit refund_disputed_payment
request_blocked resource_already_exists resource_missing secret_key_required status_transition_invalid
"""
#: Error codes a host can act on; all are in Stripe's published list.
ERROR_CODES: Final = frozenset(_ERROR_CODES.split())

#: Stripe takes and gives these in hundredths although ISO 4217 knows no smaller unit.
_HUNDREDTHS: Final = frozenset({"ISK", "UGX"})


def to_stripe(amount_minor: int, currency: str) -> int:
    """The amount as Stripe counts it."""
    return amount_minor * 100 if currency in _HUNDREDTHS else amount_minor


def from_stripe(amount: object, currency: object) -> int | None:
    """The amount in ISO 4217 minor units; None unless it is a whole number of a currency that we know."""
    if not isinstance(amount, int) or isinstance(amount, bool) or not isinstance(currency, str):
        return None
    if currency.upper() not in MINOR_DIGITS:
        return None
    return amount // 100 if currency.upper() in _HUNDREDTHS else amount
