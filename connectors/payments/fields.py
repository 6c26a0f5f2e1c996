"""The kinds of value that a payment request may hold. Words come from lists, ids have forms; free text has no place here."""

import re
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from scopes.field import Unfit
from scopes.money import AmountMinor, Currency
from scopes.opaque import check_opaque

_QUERY: Final = {
    "session_id": re.compile(r"\{CHECKOUT_SESSION_ID\}"),  # Stripe fills it in
    "status": re.compile(r"success|cancelled"),
    "lang": re.compile(r"[a-z]{2}(-[A-Z]{2})?"),
}
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]{1,64}){0,8}/?")
_HOST: Final = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.IGNORECASE | re.ASCII)


class Product(StrEnum):
    """What a payment is for, in words that fit any clinic. What was treated is nobody's business but the clinic's."""

    APPOINTMENT = "appointment"
    DEPOSIT = "deposit"
    INVOICE = "invoice"
    MEMBERSHIP = "membership"
    OTHER = "other"


class RefundReason(StrEnum):
    """Why money goes back; a vendor's fraud list is left out on purpose."""

    DUPLICATE = "duplicate"
    REQUESTED = "requested_by_customer"


def _check_return_url(url: str) -> str:
    """Raise Unfit unless the address is https and its query can't carry a person's data along."""
    if not url.isascii() or not url.isprintable():  # urlsplit drops line breaks without a word
        raise Unfit("must be plain ASCII without spaces or line breaks")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Unfit("must be an address") from None
    if parts.scheme != "https" or port not in (None, 443) or parts.username is not None or parts.fragment:
        raise Unfit("must be https://host/path without a port, a user or a fragment")
    if not _HOST.fullmatch(parts.hostname or "") or not _PATH.fullmatch(parts.path):
        raise Unfit("must have a public host name and a plain path without percent signs")
    for name, value in parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)):
        _check_query(name, value)
    return url


def _check_query(name: str, value: str) -> None:
    """Raise Unfit for a parameter beyond the short list."""
    if name == "ref":
        check_opaque(value)
    elif name not in _QUERY or not _QUERY[name].fullmatch(value):
        raise Unfit(
            "may hold in its query ref (opaque), session_id={CHECKOUT_SESSION_ID}, status and lang, nothing else"
        )


def _vendor_id(*prefixes: str) -> StringConstraints:
    """Ids as the payment vendors make them: a known prefix and an unbroken run of letters and digits."""
    return StringConstraints(pattern=rf"^({'|'.join(prefixes)})_[0-9A-Za-z]{{14,128}}$")


ReturnUrl = Annotated[
    str,
    StringConstraints(max_length=500),
    AfterValidator(_check_return_url),
    Field(examples=["https://clinic.example/pay/done?session_id={CHECKOUT_SESSION_ID}"]),
]
EmailAddress = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$", max_length=254),
    Field(examples=["payer@clinic.example"]),
]
PayerId = Annotated[str, _vendor_id("cus", "cust"), Field(examples=["cus_Nff9Kx3PqLmT2b"])]
PaymentId = Annotated[str, _vendor_id("pi", "pay"), Field(examples=["pi_3MtwBwLkdIwHu7ix28a3tqPa"])]
#: A payment, or the checkout that may have led to one.
PaymentOrCheckoutId = Annotated[
    str, _vendor_id("pi", "pay", "cs_test", "cs_live"), Field(examples=["pi_3MtwBwLkdIwHu7ix28a3tqPa"])
]
PaymentMethodId = Annotated[
    str,
    # pm_card_...: Stripe's test cards.
    StringConstraints(pattern=r"^(pm_[0-9A-Za-z]{14,128}|pm_card_[0-9A-Za-z_]{2,60})$"),
    Field(examples=["pm_1MqLiJLkdIwHu7ixUEgbFdYF"]),
]

__all__ = [
    "AmountMinor",
    "Currency",
    "EmailAddress",
    "PayerId",
    "PaymentId",
    "PaymentMethodId",
    "PaymentOrCheckoutId",
    "Product",
    "RefundReason",
    "ReturnUrl",
]
