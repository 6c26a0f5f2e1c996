"""Stripe's messages: what is taken, what is refused, and how the `stripe` package judges the same ones."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import CallbackRefused
from connectors.payments.stripe import callback, sandbox

NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
STAMP = int(NOW.timestamp())
SECRET = "whsec_oneTwoThree123"
OTHER = "whsec_another4567890"
BODY = json.dumps({"id": "evt_1RkT2vLkdIwHu7ix", "object": "event", "type": "charge.refunded"}).encode()
URL = "https://gateway.example/hooks/1"


def verify(header: str | None, body: bytes = BODY, secrets: Any = (SECRET,), now: datetime = NOW) -> None:
    callback.verify(body, {} if header is None else {"Stripe-Signature": header}, URL, secrets, now=now)


def refusal(*given: Any, **named: Any) -> str:
    with pytest.raises(CallbackRefused) as refused:
        verify(*given, **named)
    return refused.value.code


def signature(body: bytes = BODY, secret: str = SECRET, stamp: int = STAMP) -> str:
    return sandbox.sign(body, secret, stamp).partition("v1=")[2]


GOOD = f"t={STAMP},v1={signature()}"


def test_the_published_example_of_a_signature_is_made_and_taken() -> None:
    """Secret whsec_x, body {"a":1} at 1700000000: the same from the packages for Python and Node."""
    made = sandbox.sign(b'{"a":1}', "whsec_x", 1_700_000_000)
    assert made.startswith("t=1700000000,v1=b3438763")
    verify(made, b'{"a":1}', ("whsec_x",), datetime.fromtimestamp(1_700_000_000, UTC))


def test_what_the_package_signs_is_taken() -> None:
    verify(stripe.WebhookSignature.generate_signature_header(BODY.decode(), SECRET, STAMP))


def test_what_we_sign_is_taken_by_the_package() -> None:
    assert stripe.WebhookSignature.verify_header(BODY.decode(), GOOD, SECRET)


@pytest.mark.parametrize("seconds", [-300, -1, 0, 1, 300])
def test_five_minutes_either_way_are_fresh(seconds: int) -> None:
    verify(GOOD, now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-86_400, -301, 301, 86_400])
def test_more_than_five_minutes_either_way_are_not(seconds: int) -> None:
    """The package takes any time of the future."""
    assert refusal(GOOD, now=NOW + timedelta(seconds=seconds)) == "not_fresh"


def test_each_of_several_secrets_and_signatures_is_tried() -> None:
    wrong = "0" * 64
    verify(GOOD, secrets=(OTHER, SECRET))
    verify(f"t={STAMP},v1={wrong},v1={signature()}")
    verify(f"t={STAMP},v1={wrong},v1={signature(secret=OTHER)}", secrets=(SECRET, OTHER))
    verify(f"t={STAMP},v0={wrong},v1={signature()},v2=x")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "signature_missing"),
        ("", "signature_missing"),
        (f"v1={signature()}", "timestamp_missing"),
        (f"t=,v1={signature()}", "timestamp_missing"),
        (f"t=-{STAMP},v1={signature()}", "timestamp_missing"),
        (f"t= {STAMP},v1={signature()}", "timestamp_missing"),
        (f"t=0{STAMP},v1={signature()}", "timestamp_missing"),
        (f"t={STAMP}.0,v1={signature()}", "timestamp_missing"),
        (f"t={'9' * 500},v1={signature()}", "timestamp_missing"),
        (f"t=٣,v1={signature()}", "timestamp_missing"),
        (f"t={STAMP - 400},t={STAMP},v1={signature()}", "not_fresh"),
        (f"t={STAMP}", "bad_signature"),
        (f"t={STAMP},v1=", "bad_signature"),
        (f"t={STAMP},v1=é{signature()[1:]}", "bad_signature"),
        (f"t={STAMP},v1={signature().upper()}", "bad_signature"),
        (f"t={STAMP},v0={signature()}", "bad_signature"),
        (f"t={STAMP},v1={signature()}0", "bad_signature"),
        (f"t={STAMP},v1={signature(secret=OTHER)}", "bad_signature"),
        (f"t={STAMP + 1},v1={signature()}", "bad_signature"),
        (f"t={STAMP}" + f",v1={'0' * 64}" * 17, "too_many_signatures"),
        (f"t={STAMP},v1={signature()}" + ",x=y" * 2000, "header_too_long"),
    ],
)
def test_a_header_of_another_form_is_refused_by_name(header: str | None, code: str) -> None:
    assert refusal(header) == code


@pytest.mark.parametrize("secrets", [(), ("",), ("  ",), [OTHER]])
def test_without_the_right_secret_nothing_is_taken(secrets: Any) -> None:
    blank = f"t={STAMP},v1={signature(secret='')}"
    assert refusal(GOOD, secrets=secrets) == "bad_signature"
    assert refusal(blank, secrets=secrets) == "bad_signature"


def test_the_bytes_are_signed_not_what_they_mean() -> None:
    assert refusal(GOOD, BODY.replace(b" ", b"")) == "bad_signature"
    broken = b"\xff\xfe{"
    verify(f"t={STAMP},v1={signature(broken)}", broken)  # the package raises UnicodeDecodeError here


def test_the_header_s_name_may_be_written_in_any_case() -> None:
    callback.verify(BODY, {"x": "y", "STRIPE-signature": GOOD}, URL, (SECRET,), now=NOW)


@given(st.text(max_size=200), st.binary(max_size=200), st.lists(st.text(max_size=20), max_size=3))
def test_whatever_comes_is_refused_and_breaks_nothing(header: str, body: bytes, secrets: list[str]) -> None:
    for written in (header, f"t={STAMP},v1={header}", f"t={header},v1={'0' * 64}"):
        try:
            verify(written, body, [secret.encode("utf-8", "ignore").decode() for secret in secrets])
        except CallbackRefused:
            continue
        raise AssertionError("taken")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@given(st.sampled_from(sorted(callback.KNOWN)), _JSON, _JSON, _JSON)
def test_whatever_an_event_holds_is_read_or_refused(kind: str, about: Any, created: Any, account: Any) -> None:
    event = {
        "object": "event",
        "id": "evt_1RkT2vLkdIwHu7ix",
        "type": kind,
        "created": created,
        "data": {"object": about},
    }
    for body in (event, {**event, "account": account}, {**event, "data": about}):
        try:
            callback.translate(json.dumps(body).encode(), "")
        except CallbackRefused:
            continue


def event(kind: str, **more: Any) -> bytes:
    about = {"id": "pi_3RkT2vLkdIwHu7ix0aB1cD2e", "amount": 100, "currency": "eur", "status": "succeeded"}
    held = {"object": "event", "id": "evt_1RkT2vLkdIwHu7ix", "type": kind, "created": STAMP, "data": {"object": about}}
    return json.dumps({**held, **more}).encode()


def test_an_unused_event_of_stripe_s_is_told_from_what_stripe_never_sends() -> None:
    assert callback.translate(event("customer.updated"), "") == ()
    assert callback.translate(event("v2.core.account.closed", object="v2.core.event"), "") == ()
    for kind in ("reminder.sent", "whatsapp.message.read", "Jane Roe", "x", ""):
        with pytest.raises(CallbackRefused) as refused:
            callback.translate(event(kind), "")
        assert refused.value.code in ("unknown_event", "malformed_event")


def test_an_event_names_the_account_it_is_about() -> None:
    (own,) = callback.translate(event("payment_intent.succeeded"), "")
    (other,) = callback.translate(event("payment_intent.succeeded", account="acct_1RkT2vLkdIwHu7ix"), "")
    assert own.account is None
    assert other.account == "acct_1RkT2vLkdIwHu7ix"
    with pytest.raises(CallbackRefused):
        callback.translate(event("payment_intent.succeeded", account="Jane Roe"), "")


def test_a_cut_connection_is_about_the_account_and_needs_one() -> None:
    (cut,) = callback.translate(event("account.application.deauthorized", account="acct_1RkT2vLkdIwHu7ix"), "")
    assert (cut.vendor_id, dict(cut.data)) == ("acct_1RkT2vLkdIwHu7ix", {"id": "acct_1RkT2vLkdIwHu7ix"})
    with pytest.raises(CallbackRefused):
        callback.translate(event("account.application.deauthorized"), "")


def test_one_event_sent_twice_has_one_identity() -> None:
    first = event("payment_intent.succeeded")
    again = event("payment_intent.succeeded", pending_webhooks=0)
    assert callback.identity(first) == callback.identity(again) == "evt_1RkT2vLkdIwHu7ix"
    assert callback.identity(event("payment_intent.succeeded", id="evt_2RkT2vLkdIwHu7ix")) != callback.identity(first)
