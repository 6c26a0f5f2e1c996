"""A small emulator of Stripe for the demo and the tests. Emulates what we use, strictly; never imported in production.

It refuses unknown parameters and bad keys, keeps accounts apart, repeats answers by idempotency key, declines Stripe's
test cards and signs its messages. For trouble: `POST /_sandbox/switches {"rate_limited": true, "delay_seconds": 2}`.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final
from urllib.parse import parse_qsl

import httpx2
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from connectors.payments.stripe.codes import API_VERSION
from connectors.payments.stripe.form import split_name
from connectors.payments.stripe.sandbox_objects import Object, Refused, Store, shown

CREDENTIAL: Final = "rk_test_sandboxClinicGateway"
CALLBACK_SECRET: Final = "whsec_sandboxClinicGateway"  # noqa: S105 (opens nothing but this sandbox)

_ANY: Final = {"*": ""}
_PRICE: Final = {"currency": "!", "unit_amount": "!", "product_data": {"name": "!"}}
_LINES: Final = {"*": {"quantity": "!", "price_data": _PRICE}}
_PAYMENT_DATA: Final = {"metadata": _ANY, "receipt_email": ""}
#: The parameters of each path; "!" marks a needed one, "*" any name. Anything else is refused, as Stripe does.
PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "/v1/customers": {"metadata": _ANY},
    "/v1/checkout/sessions": {
        "mode": "!",
        "client_reference_id": "",
        "metadata": _ANY,
        "line_items": _LINES,
        "payment_intent_data": _PAYMENT_DATA,
        "success_url": "!",
        "cancel_url": "",
        "customer": "",
    },
    "/v1/payment_links": {
        "line_items": _LINES,
        "metadata": _ANY,
        "payment_intent_data": {"metadata": _ANY},
        "restrictions": {"completed_sessions": {"limit": "!"}},
        "after_completion": {"type": "!", "redirect": {"url": ""}},
    },
    "/v1/payment_intents": {
        "amount": "!",
        "currency": "!",
        "metadata": _ANY,
        "customer": "",
        "payment_method": "",
        "allowed_payment_method_types": _ANY,
        "confirm": "",
        "error_on_requires_action": "",
        "off_session": "",
        "receipt_email": "",
    },
    "/v1/refunds": {"payment_intent": "!", "metadata": _ANY, "amount": "", "reason": ""},
}


@dataclass
class Sandbox:
    """The sandbox's state: accounts with their objects, saved answers, switches."""

    credentials: frozenset[str]
    callback_url: str | None
    callback_secret: str
    clock: Callable[[], float]
    accounts: dict[str, Store] = field(default_factory=dict)
    saved: dict[tuple[str, str], tuple[bytes, Response | None]] = field(default_factory=dict)
    switches: dict[str, Any] = field(default_factory=lambda: {"rate_limited": False, "delay_seconds": 0})

    def store(self, account: str) -> Store:
        """The objects of one account, at the present second."""
        if account not in self.accounts:
            self.accounts[account] = Store(int(self.clock())).seeded()
        self.accounts[account].now = int(self.clock())
        return self.accounts[account]


def create(
    *,
    credentials: frozenset[str] = frozenset({CREDENTIAL}),
    callback_url: str | None = None,
    callback_secret: str = CALLBACK_SECRET,
    clock: Callable[[], float] = time.time,
) -> Starlette:
    """The sandbox as an ASGI application; with `callback_url` it sends signed events there."""
    sandbox = Sandbox(credentials, callback_url, callback_secret, clock)
    routes = [Route(path, _create_object, methods=["POST"]) for path in PARAMETERS]
    routes += [
        Route("/v1/payment_intents/{id}", _get_object, methods=["GET"]),
        Route("/v1/checkout/sessions/{id}", _get_object, methods=["GET"]),
        Route("/pay/{account}/{id}", _page, methods=["GET", "POST"]),
        Route("/link/{account}/{id}", _link, methods=["GET"]),
        Route("/_sandbox/switches", _switch, methods=["POST"]),
    ]
    app = Starlette(routes=routes, exception_handlers={Refused: _refusal, 404: _no_such_path})
    app.state.sandbox = sandbox
    return app


async def _create_object(request: Request) -> Response:
    """Check the caller, the key and the parameters; make the object; keep the answer under the key."""
    sandbox, account = _admit(request)
    body = await request.body()
    key = (account, request.headers.get("idempotency-key", ""))
    fingerprint = hashlib.sha256(request.url.path.encode() + b"\0" + body).digest()
    if key[1]:
        if replayed := _replay(sandbox, key, fingerprint):
            return replayed
        sandbox.saved[key] = (fingerprint, None)
    answer: Response | None = None
    try:
        given = _parameters(request.url.path, body)
        await asyncio.sleep(sandbox.switches["delay_seconds"])
        answer = _execute(request, sandbox.store(account), given)
    finally:
        if answer is None:
            sandbox.saved.pop(key, None)  # nothing ran: Stripe keeps nothing either
        elif key[1]:
            sandbox.saved[key] = (fingerprint, answer)
    return _with_events(sandbox, account, answer)


def _execute(request: Request, store: Store, given: Object) -> Response:
    account = request.headers.get("stripe-account", "own")
    make: dict[str, Callable[[], Object]] = {
        "/v1/customers": lambda: store.customer(given),
        "/v1/checkout/sessions": lambda: store.checkout(given, f"{request.base_url}pay/{account}/"),
        "/v1/payment_links": lambda: store.payment_link(given, f"{request.base_url}link/{account}/"),
        "/v1/payment_intents": lambda: store.payment_intent(given),
        "/v1/refunds": lambda: store.refund(given),
    }
    try:
        return JSONResponse(shown(make[request.url.path]()))
    except Refused as refused:
        if not refused.executed:
            raise
        return JSONResponse({"error": refused.error}, refused.status)


async def _get_object(request: Request) -> Response:
    sandbox, account = _admit(request)
    kind = "payment_intent" if "payment_intents" in request.url.path else "checkout.session"
    return JSONResponse(shown(sandbox.store(account).find(kind, request.path_params["id"])))


async def _page(request: Request) -> Response:
    """The payer's page: shows the sum, and pays it with a test card."""
    sandbox: Sandbox = request.app.state.sandbox
    account = request.path_params["account"]
    session = sandbox.store(account).find("checkout.session", request.path_params["id"])
    if request.method == "GET":
        return HTMLResponse(
            f"<!doctype html><html lang=en><title>Sandbox payment</title><h1>Pay {session['amount_total']} "
            f"{escape(session['currency'].upper())}</h1><p>This is a sandbox; no money moves.</p>"
            "<form method=post><button>Pay</button></form>"
        )
    form = dict(parse_qsl((await request.body()).decode()))
    sandbox.store(account).pay(session, form.get("payment_method", "pm_card_visa"))
    target = (session["success_url"] or "/").replace("{CHECKOUT_SESSION_ID}", session["id"])
    return _with_events(sandbox, account, RedirectResponse(target, 303))


async def _link(request: Request) -> Response:
    """A payment link opens a page of its own, once."""
    sandbox: Sandbox = request.app.state.sandbox
    account = request.path_params["account"]
    store = sandbox.store(account)
    link = store.find("payment_link", request.path_params["id"])
    if not link["active"]:
        raise Refused(400, "This link has been used.", code="intent_invalid_state")
    link["active"] = False
    given = {**link["_given"], "success_url": link["_given"].get("after_completion", {}).get("redirect", {}).get("url")}
    session = store.checkout(given, f"{request.base_url}pay/{account}/")
    return RedirectResponse(session["url"], 303)


async def _switch(request: Request) -> Response:
    sandbox: Sandbox = request.app.state.sandbox
    wanted = await request.json()
    sandbox.switches.update({name: wanted[name] for name in sandbox.switches.keys() & wanted.keys()})
    return JSONResponse(sandbox.switches)


def _admit(request: Request) -> tuple[Sandbox, str]:
    """The account that the caller may use, or Stripe's 401, 403 or 429."""
    sandbox: Sandbox = request.app.state.sandbox
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or credential not in sandbox.credentials:
        raise Refused(401, "Invalid API Key provided.")
    if sandbox.switches["rate_limited"]:
        raise Refused(429, "Too many requests.", code="rate_limit")
    account = request.headers.get("stripe-account", "own")
    if account != "own" and not account.startswith("acct_"):
        raise Refused(403, "The provided key does not have access to this account.", code="account_invalid")
    return sandbox, account


def _replay(sandbox: Sandbox, key: tuple[str, str], fingerprint: bytes) -> Response | None:
    """The saved answer of a key; Stripe's 400 for other parameters, its 409 while the first request runs."""
    if key not in sandbox.saved:
        return None
    first, answer = sandbox.saved[key]
    if first != fingerprint:
        refused = Refused(400, "Keys for idempotent requests can only be used with the same parameters.")
        refused.error["type"] = "idempotency_error"
        raise refused
    if answer is None:
        raise Refused(409, "Another request with this key is in progress.", code="idempotency_key_in_use")
    return Response(answer.body, answer.status_code, {"Idempotent-Replayed": "true"}, media_type="application/json")


def _parameters(path: str, body: bytes) -> Object:
    """The form as nested parameters. Refuses unknown, repeated and missing ones."""
    given: Object = {}
    for name, value in parse_qsl(body.decode(), keep_blank_values=True):
        try:
            steps = split_name(name)
        except ValueError:
            raise _unknown(name) from None
        _put(given, PARAMETERS[path], steps, (name, value))
    _check_needed(given, PARAMETERS[path], "")
    return given


def _put(given: Object, known: dict[str, Any], steps: tuple[str, ...], pair: tuple[str, str]) -> None:
    first, *rest = steps
    inner = known.get(first, known.get("*"))
    if inner is None or isinstance(inner, dict) != bool(rest):
        raise _unknown(pair[0])
    if rest:
        _put(given.setdefault(first, {}), inner, tuple(rest), pair)
    elif first in given:
        raise Refused(400, f"Repeated parameter: {pair[0]}", code="parameters_exclusive", param=pair[0])
    else:
        given[first] = pair[1]


def _check_needed(given: Object, known: dict[str, Any], prefix: str) -> None:
    for name, inner in known.items():
        path = f"{prefix}[{name}]" if prefix else name
        if isinstance(inner, dict):
            for key in given if name == "*" else given.keys() & {name}:
                _check_needed(given[key], inner, path)
        elif inner == "!" and not given.get(name):
            raise Refused(400, f"Missing required param: {path}.", code="parameter_missing", param=path)


def _unknown(name: str) -> Refused:
    return Refused(400, f"Received unknown parameter: {name[:80]}", code="parameter_unknown", param=name[:80])


async def _refusal(request: Request, error: Exception) -> Response:
    refused = error if isinstance(error, Refused) else Refused(500, "An error on the sandbox's side.")
    headers = {"Retry-After": "1"} if refused.status == 429 else None
    return JSONResponse({"error": refused.error}, refused.status, headers)


async def _no_such_path(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": {"type": "invalid_request_error", "message": "Unrecognized request URL."}}, 404)


def sign(raw_body: bytes, secret: str, timestamp: int) -> str:
    """The Stripe-Signature header of a message."""
    signature = hmac.digest(secret.encode(), f"{timestamp}.".encode() + raw_body, "sha256").hex()
    return f"t={timestamp},v1={signature}"


def event_body(kind: str, about: Object, account: str, now: int) -> bytes:
    """A message in Stripe's shape about one object."""
    event = {
        "id": f"evt_{secrets.token_hex(12)}",
        "object": "event",
        "api_version": API_VERSION,
        "created": now,
        "data": {"object": shown(about)},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
    return json.dumps({**event, "account": account} if account != "own" else event).encode()


def _with_events(sandbox: Sandbox, account: str, answer: Response) -> Response:
    """The answer, and behind it the account's new events on their way to the callback address."""
    store = sandbox.store(account)
    events, store.events = [event_body(kind, about, account, store.now) for kind, about in store.events], []
    if sandbox.callback_url and events:
        answer.background = BackgroundTask(_deliver, sandbox, events)
    return answer


async def _deliver(sandbox: Sandbox, events: list[bytes]) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        for raw_body in events:
            headers = {
                "Content-Type": "application/json",
                "Stripe-Signature": sign(raw_body, sandbox.callback_secret, int(sandbox.clock())),
            }
            await client.post(str(sandbox.callback_url), content=raw_body, headers=headers)
