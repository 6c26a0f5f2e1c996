"""Our Stripe requests and error readings, held against the `stripe` package and Stripe's own specification."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st
from stripe import params as stripe_params
from stripe._encode import _api_encode
from stripe.params import checkout as stripe_checkout_params

from connectors.contract import Ambiguous, ProviderScopeMissing, ReconnectNeeded, Rejected, TryLater
from connectors.example import example_of
from connectors.payments.stripe import answers, form, params
from connectors.payments.stripe.callback import KNOWN
from connectors.payments.stripe.codes import API_VERSION, ERROR_CODES
from connectors.payments.stripe.events import FIRST_WORDS
from connectors.registry import Registry
from scopes.minimize import minimize
from tests.conformance.harness import KEY, CapturingEgress
from tests.connectors.payments.oracle import Capturing, client, declared_paths

STRIPE = Registry.load().connector("payments/stripe")
PACKAGE = Path(stripe.__file__).parent

Saying = Callable[[stripe.StripeClient, Any, Any], Any]
#: How the package says the same, and the type of its parameters.
SAME: dict[str, tuple[Saying, Any, Any]] = {
    "create_customer": (
        lambda c, p, o: c.v1.customers.create(p, o),
        params.customer,
        stripe_params.CustomerCreateParams,
    ),
    "create_checkout": (
        lambda c, p, o: c.v1.checkout.sessions.create(p, o),
        params.checkout,
        stripe_checkout_params.SessionCreateParams,
    ),
    "create_payment_link": (
        lambda c, p, o: c.v1.payment_links.create(p, o),
        params.payment_link,
        stripe_params.PaymentLinkCreateParams,
    ),
    "create_payment_intent": (
        lambda c, p, o: c.v1.payment_intents.create(p, o),
        params.payment_intent,
        stripe_params.PaymentIntentCreateParams,
    ),
    "refund": (lambda c, p, o: c.v1.refunds.create(p, o), params.refund, stripe_params.RefundCreateParams),
}


def test_the_pinned_version_is_the_package_s() -> None:
    assert stripe.api_version == API_VERSION


@pytest.mark.parametrize("account", [None, "acct_1RkT2vLkdIwHu7ix"])
@pytest.mark.parametrize("optional", [True, False])
@pytest.mark.parametrize("name", SAME)
async def test_we_send_what_the_package_sends(name: str, optional: bool, account: str | None) -> None:
    action = STRIPE.actions[name]
    model = minimize(action.shape, example_of(action.shape, optional=optional)).model
    ours = CapturingEgress(STRIPE.manifest, lambda _: httpx2.Response(200, json={"id": "x"}), account=account)
    await action.perform(model, ours)
    theirs = Capturing()
    say, build, _ = SAME[name]
    say(client(theirs, account=account), build(model), {"idempotency_key": KEY})
    (sent,), (seen,) = ours.requests, theirs.seen
    assert (sent.method.lower(), str(sent.url)) == (seen.method, seen.url)
    assert parse_qsl(sent.content.decode(), strict_parsing=True) == seen.form
    for header in ("Stripe-Version", "Idempotency-Key", "Stripe-Account", "Content-Type"):
        assert sent.headers.get(header) == seen.headers.get(header), header


@pytest.mark.parametrize("payment", ["pi_3MtwBwLkdIwHu7ix28a3tqPa", "cs_test_a1B2c3D4e5F6g7H8i9J0k1L2"])
async def test_we_ask_as_the_package_asks(payment: str) -> None:
    action = STRIPE.actions["get_payment"]
    ours = CapturingEgress(STRIPE.manifest, lambda _: httpx2.Response(200, json={"id": "x"}))
    await action.perform(minimize(action.shape, {"payment": payment}).model, ours)
    theirs = Capturing()
    service = client(theirs).v1.checkout.sessions if payment.startswith("cs_") else client(theirs).v1.payment_intents
    service.retrieve(payment)
    (sent,), (seen,) = ours.requests, theirs.seen
    assert (sent.method.lower(), str(sent.url)) == (seen.method, seen.url)
    assert sent.headers["Stripe-Version"] == seen.headers["Stripe-Version"]
    assert sent.content == b""


_WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_NAMES = st.from_regex(r"[a-z_]{1,10}", fullmatch=True)
_VALUES = st.recursive(
    _WORDS | st.integers() | st.booleans() | st.none(),
    # The package writes booleans and None in lists as Python does; nobody sends those, so they are not compared.
    lambda inner: (
        st.lists(inner.filter(lambda each: each is not None and not isinstance(each, bool)), max_size=3)
        | st.dictionaries(_NAMES, inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(_NAMES, _VALUES, max_size=4))
def test_forms_are_written_as_the_package_writes_them(given_parameters: dict[str, Any]) -> None:
    theirs = [(name, str(value)) for name, value in _api_encode(given_parameters)]
    assert parse_qsl(form.encode(given_parameters).decode(), keep_blank_values=True) == theirs


@pytest.mark.parametrize("name", SAME)
def test_every_parameter_is_one_of_the_pinned_version(name: str) -> None:
    """The published specification is older: it still has payment_method_types, which this version took away."""
    action = STRIPE.actions[name]
    _, build, typed = SAME[name]
    known = declared_paths(typed)
    assert "payment_method_types[]" not in declared_paths(stripe_params.PaymentIntentCreateParams)
    for written, _ in parse_qsl(form.encode(build(minimize(action.shape, example_of(action.shape)).model)).decode()):
        generic = re.sub(r"\[\d+\]", "[]", written)
        assert re.sub(r"(metadata\]?)\[[^]]*\]$", r"\1[*]", generic) in known, written


def test_every_path_is_in_the_specification(specs: Path) -> None:
    paths = _specification(specs)["paths"]
    for name in SAME:
        assert "post" in paths[_path_of(name)]
    assert "get" in paths["/v1/payment_intents/{intent}"]
    assert "get" in paths["/v1/checkout/sessions/{session}"]


def _path_of(name: str) -> str:
    theirs = Capturing()
    action = STRIPE.actions[name]
    say, build, _ = SAME[name]
    say(client(theirs), build(minimize(action.shape, example_of(action.shape)).model), {})
    return urlsplit(theirs.seen[0].url).path


def _specification(specs: Path) -> Any:
    file = specs / "stripe" / "spec3-2022-04-12.json"
    if not file.is_file():
        pytest.skip(f"no {file}")
    return json.loads(file.read_bytes())


#: What each of the package's own errors is to us.
OURS: dict[type[stripe.StripeError], type[Exception]] = {
    stripe.CardError: Rejected,
    stripe.InvalidRequestError: Rejected,
    stripe.IdempotencyError: Rejected,
    stripe.AuthenticationError: ReconnectNeeded,
    stripe.PermissionError: ProviderScopeMissing,
    stripe.RateLimitError: TryLater,
}


@pytest.mark.parametrize("kind", ["card_error", "invalid_request_error", "idempotency_error", "api_error"])
@pytest.mark.parametrize("code", ["card_declined", "rate_limit", "resource_missing", "of_tomorrow", None])
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 429])
def test_errors_are_read_as_the_package_reads_them(status: int, kind: str, code: str | None) -> None:
    body = json.dumps({"error": {"type": kind, "code": code, "message": "m"}})
    with pytest.raises(stripe.StripeError) as raised:
        client(Capturing(status, body)).v1.customers.create({})
    ours = answers.refusal_in(httpx2.Response(status, content=body.encode()))
    assert type(ours) is OURS[type(raised.value)], type(raised.value)


@pytest.mark.parametrize(("status", "ours"), [(409, TryLater), (500, Ambiguous), (502, Ambiguous), (503, Ambiguous)])
def test_where_the_package_only_says_api_error_we_say_what_to_do(status: int, ours: type[Exception]) -> None:
    body = json.dumps({"error": {"type": "api_error", "message": "m"}})
    with pytest.raises(stripe.APIError):
        client(Capturing(status, body)).v1.customers.create({})
    assert type(answers.refusal_in(httpx2.Response(status, content=body.encode()))) is ours


def test_an_account_that_took_its_access_back_must_be_connected_again() -> None:
    """Stripe answers 403 as for a missing permission; only the code tells."""
    body = {"error": {"type": "invalid_request_error", "code": "account_invalid", "message": "m"}}
    assert type(answers.refusal_in(httpx2.Response(403, json=body))) is ReconnectNeeded


def test_the_error_codes_and_event_types_are_stripe_s() -> None:
    published = set(re.findall(r'"([a-z_0-9]+)"', (PACKAGE / "_setup_intent.py").read_text()))
    assert published >= ERROR_CODES, ERROR_CODES - published
    text = (PACKAGE / "_event.py").read_text()
    types = set(re.findall(r'"([a-z_0-9]+(?:\.[a-z_0-9]+)+)"', text[text.index("    type:") :]))
    assert types >= KNOWN
    assert {kind.partition(".")[0] for kind in types} <= FIRST_WORDS
