"""Read Stripe's answers and events under our field names. Keeps only what the family declares; quotes nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from connectors.errors import ConnectorError, ReconnectNeeded, Rejected, TryLater
from connectors.payments.stripe.codes import ERROR_CODES, from_stripe
from connectors.wire import error_for, parse_object, retry_after_seconds

if TYPE_CHECKING:
    import httpx2

_LAST_SECOND: Final = 253_402_300_799  # 9999-12-31, the last that a datetime holds


def customer(found: Mapping[str, Any]) -> dict[str, Any]:
    """A customer: id, reference, date."""
    return {"id": found.get("id"), "reference": _reference(found), "created_at": moment(found.get("created"))}


def payment(found: Mapping[str, Any], amount: str = "amount") -> dict[str, Any]:
    """A payment intent; for other objects, `amount` names the key that holds the amount."""
    currency = found.get("currency")
    return {
        **customer(found),
        "status": found.get("status"),
        "amount_minor": from_stripe(found.get(amount), currency),
        "currency": currency,
    }


def page(found: Mapping[str, Any]) -> dict[str, Any]:
    """A checkout session; an expanded payment is cut down to its id."""
    return {
        **payment(found, "amount_total"),
        "url": found.get("url"),
        "payment": _id_of(found.get("payment_intent")),
        "payment_status": found.get("payment_status"),
    }


def link(found: Mapping[str, Any]) -> dict[str, Any]:
    """A payment link; Stripe gives no amount for it and says `active` where others have a status."""
    return {
        **payment(found),
        "status": "active" if found.get("active") is True else "inactive",
        "url": found.get("url"),
    }


def refund(found: Mapping[str, Any]) -> dict[str, Any]:
    """A refund and the payment that it gives back."""
    return {**payment(found), "payment": _id_of(found.get("payment_intent"))}


def refunded_charge(found: Mapping[str, Any]) -> dict[str, Any]:
    """A charge after a refund: how much of it went back so far."""
    return {**refund(found), "refunded_minor": from_stripe(found.get("amount_refunded"), found.get("currency"))}


def moment(seconds: object) -> datetime | None:
    """Stripe's seconds as a point in time; None where it is none."""
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds <= _LAST_SECOND:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def refusal_in(response: "httpx2.Response") -> ConnectorError | None:
    """What Stripe's answer means where it is no success; None where it is one. Only listed codes are repeated."""
    status = response.status_code
    if 200 <= status < 300:
        return None
    found = (parse_object(response.content) or {}).get("error")
    error = found if isinstance(found, Mapping) else {}
    code = _listed(error.get("code"))
    if code == "account_invalid" and status == 403:
        return ReconnectNeeded(code)  # the account took its access back
    if status == 409 or (status == 400 and code == "rate_limit"):
        return TryLater(retry_after_seconds(response.headers), code)
    if status == 400 and error.get("type") == "idempotency_error":
        return Rejected("idempotency_error")
    if status == 402:
        return Rejected(code or "card_declined")
    return error_for(status, response.headers, code)


def _listed(code: object) -> str | None:
    return code if isinstance(code, str) and code in ERROR_CODES else None


def _reference(found: Mapping[str, Any]) -> object:
    metadata = found.get("metadata")
    return metadata.get("ref") if isinstance(metadata, dict) else None


def _id_of(found: object) -> object:
    return found.get("id") if isinstance(found, dict) else found
