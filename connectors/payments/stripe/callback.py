"""Stripe's messages to us: verify the raw bytes, then read them under our names. Keeps nothing, quotes nothing.

The `stripe` package's own check raises TypeError on some hostile headers, takes timestamps from the future and keeps
the body in its exception, so this one stands on its own; the package is its oracle in the tests.
"""

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connectors.contract import CallbackEvent, CallbackRefused
from connectors.payments import actions
from connectors.payments.stripe import answers
from connectors.payments.stripe.events import FIRST_WORDS
from connectors.wire import parse_object
from scopes.field import Disclosed, Shape, shape_of
from scopes.minimize import minimize_answer

TOLERANCE_SECONDS: Final = 300
_LONGEST_HEADER: Final = 4096
_MOST_SIGNATURES: Final = 16  # Stripe sends one, two while a secret is rolled
_TIMESTAMP: Final = re.compile(r"[1-9][0-9]{0,11}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}")
_EVENT_ID: Final = re.compile(r"evt_[0-9A-Za-z_]{8,250}")
_ACCOUNT: Final = re.compile(r"acct_[0-9A-Za-z]{6,64}")
_OBJECT_ID: Final = re.compile(r"[0-9A-Za-z_]{3,255}")
_TYPE: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){1,4}")

_Reading = Callable[[Mapping[str, Any]], dict[str, Any]]

_USED: Final[dict[str, tuple[_Reading, type[Disclosed]]]] = {
    **dict.fromkeys(
        (
            "payment_intent.amount_capturable_updated",
            "payment_intent.canceled",
            "payment_intent.created",
            "payment_intent.partially_funded",
            "payment_intent.payment_failed",
            "payment_intent.processing",
            "payment_intent.requires_action",
            "payment_intent.succeeded",
        ),
        (answers.payment, actions.Payment),
    ),
    **dict.fromkeys(
        (
            "checkout.session.async_payment_failed",
            "checkout.session.async_payment_succeeded",
            "checkout.session.completed",
            "checkout.session.expired",
        ),
        (answers.page, actions.PaymentPage),
    ),
    "charge.refunded": (answers.refunded_charge, actions.Refunded),
}
#: An account cut the connection; its event is about the account, not about an object.
_GONE: Final = "account.application.deauthorized"

KNOWN: Final = frozenset({*_USED, _GONE})
EVENTS: Final[Mapping[str, Shape]] = {
    **{name: shape_of(model) for name, (_, model) in _USED.items()},
    _GONE: shape_of(actions.Disconnected),
}


def verify(raw_body: bytes, headers: Mapping[str, str], url: str, secrets: Sequence[str], *, now: datetime) -> None:
    """Raise CallbackRefused unless a secret signed these bytes within five minutes of now. The URL is not signed."""
    timestamp, signatures = _read_header(headers)
    if abs(now.timestamp() - timestamp) > TOLERANCE_SECONDS:
        raise CallbackRefused("not_fresh")
    signed = f"{timestamp}.".encode() + raw_body
    genuine = False
    for secret in secrets:
        if not secret.strip():
            continue
        expected = hmac.digest(secret.encode(), signed, "sha256").hex()
        for signature in signatures:  # every pair is compared: the time taken says nothing
            genuine |= hmac.compare_digest(expected, signature)
    if not genuine:
        raise CallbackRefused("bad_signature")


def identity(raw_body: bytes) -> str:
    """The event's id, which Stripe repeats when it sends the event again."""
    return _text(_event(raw_body), "id", _EVENT_ID)


def translate(raw_body: bytes, url: str) -> tuple[CallbackEvent, ...]:
    """The event under our names; none where it is Stripe's and of a type that is not used. The URL says nothing."""
    event = _event(raw_body)
    kind = _text(event, "type", _TYPE)
    if kind not in KNOWN:
        if kind.partition(".")[0] in FIRST_WORDS:
            return ()
        raise CallbackRefused("unknown_event")
    account = None if event.get("account") is None else _text(event, "account", _ACCOUNT)
    occurred_at = answers.moment(event.get("created"))
    if occurred_at is None:
        raise CallbackRefused("malformed_event")
    vendor_id, data = _about(kind, event, account)
    return (CallbackEvent(kind, vendor_id, account, occurred_at, data),)


def _about(kind: str, event: Mapping[str, Any], account: str | None) -> tuple[str, Mapping[str, Any]]:
    """What the event is about: its id and its declared fields."""
    if kind == _GONE:
        if account is None:
            raise CallbackRefused("malformed_event")
        return account, {"id": account}
    holder = event.get("data")
    found = holder.get("object") if isinstance(holder, Mapping) else None
    if not isinstance(found, Mapping):
        raise CallbackRefused("malformed_event")
    read, _ = _USED[kind]
    return _text(found, "id", _OBJECT_ID), minimize_answer(EVENTS[kind], read(found))


def _read_header(headers: Mapping[str, str]) -> tuple[int, list[str]]:
    """The first timestamp and the signatures of Stripe-Signature; other schemes and forms are passed over."""
    header = next((value for name, value in headers.items() if name.lower() == "stripe-signature"), "")
    if not header:
        raise CallbackRefused("signature_missing")
    if len(header) > _LONGEST_HEADER:
        raise CallbackRefused("header_too_long")
    items = [item.partition("=") for item in header.split(",")]
    timestamp = next((value for name, _, value in items if name == "t"), "")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise CallbackRefused("timestamp_missing")
    signatures = [value for name, _, value in items if name == "v1" and _SIGNATURE.fullmatch(value)]
    if len(signatures) > _MOST_SIGNATURES:
        raise CallbackRefused("too_many_signatures")
    return int(timestamp), signatures


def _event(raw_body: bytes) -> Mapping[str, Any]:
    event = parse_object(raw_body)
    if event is None or event.get("object") not in ("event", "v2.core.event"):
        raise CallbackRefused("not_an_event")
    return event


def _text(found: Mapping[str, Any], key: str, form: re.Pattern[str]) -> str:
    value = found.get(key)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise CallbackRefused("malformed_event")
    return value
