"""A small emulator of WhatsApp's Cloud API for the demo and the tests, strict where Meta is; never imported in production.

It takes the templates that it holds, signs webhooks with the app secret, and shows under `/phone` what a person would read,
with a box to answer in. One more template: `POST /_sandbox/templates {"name", "language", "body"}`. For trouble there are
numbers (`FAILS_LATER`, `FAILS_AT_ONCE`) and `POST /_sandbox/switches {"rate_limited": true, "delay_seconds": 2}`.
"""

import asyncio
import hmac
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

import httpx2
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from connectors.messaging.whatsapp import sandbox_phone
from connectors.messaging.whatsapp.sandbox_store import Bubble, Store, Webhook, wamid
from connectors.messaging.whatsapp.sandbox_templates import Refused, Template, Templates, held, read_of

_PERSON_DAY_HOUR: Final = (
    ("body", "text", "{given_name|there}", ""),
    ("body", "text", "{starts_at:date}", ""),
    ("body", "text", "{starts_at:time}", ""),
)
CREDENTIAL: Final = "EAASandboxClinicGatewaySandboxClinicGatewaySandbox"
CALLBACK_SECRET: Final = "5a4d6b0c5a4d6b0c5a4d6b0c5a4d6b0c"  # noqa: S105 (opens nothing but this sandbox)
ACCOUNT: Final = "106540352242922"
SETTINGS: Final[dict[str, str]] = {}
PHONE: Final = "/phone"
#: What the demo's clinic says on WhatsApp: name, action, language, words, and the template that the sandbox holds for it:
#: its name and language there, and its values (component, kind, placeholder, the fixed beginning of a button's address).
TEXTS: Final = (
    (
        "reminder", "send_reminder", "en",
        "Hello {given_name|there}, your appointment is on {starts_at:date} at {starts_at:time}.",
        ("appointment_reminder", "en_US", _PERSON_DAY_HOUR),
    ),
    (
        "confirmation_request", "send_confirmation_request", "en",
        "Hello {given_name|there}, your appointment is on {starts_at:date} at {starts_at:time}. Will you come?",
        ("appointment_confirmation", "en_US", _PERSON_DAY_HOUR),
    ),
    (
        "payment_link", "send_payment_link", "en", "Hello {given_name|there}, {amount} is waiting to be paid: {url}",
        ("payment_link", "en_US", (
            ("body", "text", "{given_name|there}", ""), ("body", "text", "{amount}", ""),
            ("button:0", "url", "{url}", "https://pay.example.com/l/"),
        )),
    ),
    (
        "notice", "send_notice", "en", "{note|We are closed tomorrow.}",
        ("clinic_notice", "en_US", (("body", "text", "{note|We are closed tomorrow.}", ""),)),
    ),
)  # fmt: skip

#: Numbers that are taken and then fail, and numbers that are refused: the code, and the HTTP status of a refusal.
FAILS_LATER: Final = {"14155550126": 131026, "14155550149": 131049}
FAILS_AT_ONCE: Final = {
    "14155550130": (400, 131030, "Recipient phone number not in allowed list"),
    "14155550147": (400, 131047, "Re-engagement message"),
    "14155550156": (400, 131056, "(Business Account, Consumer Account) pair rate limit hit"),
    "14155550129": (429, 130429, "Rate limit hit"),
}
_KEYS: Final = frozenset(["messaging_product", "recipient_type", "to", "type", "template", "biz_opaque_callback_data"])
_NUMBER: Final = re.compile(r"[1-9][0-9]{6,14}")
_ATTEMPTS: Final = 5
_LONGEST_TEXT: Final = 4096


@dataclass
class Sandbox:
    """The sandbox's state: conversations, where webhooks go, switches."""

    credentials: frozenset[str]
    store: Store
    callback_url: str | None
    callback_secret: str
    clock: Callable[[], float]
    pause_seconds: float
    templates: Templates = field(default_factory=held)
    switches: dict[str, Any] = field(default_factory=lambda: {"rate_limited": False, "delay_seconds": 0})

    @property
    def now(self) -> int:
        """The present second."""
        return int(self.clock())


def create(
    *,
    credentials: frozenset[str] = frozenset({CREDENTIAL}),
    account: str = ACCOUNT,
    callback_url: str | None = None,
    callback_secret: str = CALLBACK_SECRET,
    clock: Callable[[], float] = time.time,
    pause_seconds: float = 0.2,
) -> Starlette:
    """The sandbox as an ASGI application; with `callback_url` it sends signed webhooks there, a pause between two."""
    app = Starlette(
        routes=[
            Route("/v23.0/{account}/messages", _send, methods=["POST"]),
            Route("/{account}/messages", _send, methods=["POST"]),
            Route("/phone", _phones),
            Route("/phone/{number}", _phone),
            Route("/phone/{number}/reply", _reply, methods=["POST"]),
            Route("/_sandbox/switches", _switch, methods=["POST"]),
            Route("/_sandbox/templates", _add_template, methods=["POST"]),
        ],
        exception_handlers={Refused: _refusal, 404: _no_such_path},
    )
    app.state.sandbox = Sandbox(credentials, Store(account), callback_url, callback_secret, clock, pause_seconds)
    return app


async def _send(request: Request) -> Response:
    """Take one template message, or refuse it as Meta does; then tell how far it comes."""
    sandbox = await _admitted(request)
    given = _body(await request.body())
    number = str(given["to"]).removeprefix("+")
    if not _NUMBER.fullmatch(number):
        raise Refused(400, 131009, "Parameter value is not valid", f"{given['to']} is no phone number")
    if number in FAILS_AT_ONCE:
        raise Refused(*FAILS_AT_ONCE[number])
    template = given["template"]
    name, language = str(template.get("name")), str((template.get("language") or {}).get("code"))
    read = read_of(sandbox.templates, name, language, template.get("components", []))
    bubble = Bubble(
        wamid(number),
        sandbox.now,
        read,
        from_clinic=True,
        key=given.get("biz_opaque_callback_data"),
        template=f"{name} ({language})",
    )
    sandbox.store.add(number, bubble)
    answer = {
        "messaging_product": "whatsapp",
        "contacts": [{"input": given["to"], "wa_id": number}],
        "messages": [{"id": bubble.id, "message_status": "accepted"}],
    }
    return JSONResponse(answer, background=BackgroundTask(_carry, sandbox, number, bubble))


async def _admitted(request: Request) -> Sandbox:
    """The sandbox for a caller with the right token and phone number, or Meta's refusal."""
    sandbox: Sandbox = request.app.state.sandbox
    await asyncio.sleep(sandbox.switches["delay_seconds"])
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or credential not in sandbox.credentials:
        raise Refused(401, 190, "Invalid OAuth access token - Cannot parse access token")
    if request.path_params["account"] != sandbox.store.account:
        raise Refused(400, 100, "Unsupported post request. Object does not exist or cannot be loaded")
    if sandbox.switches["rate_limited"]:
        raise Refused(429, 130429, "Rate limit hit")
    return sandbox


def _body(raw_body: bytes) -> dict[str, Any]:
    """The request, if it is a template message with nothing else in it."""
    try:
        given = json.loads(raw_body)
    except ValueError:
        raise Refused(400, 100, "Invalid parameter", "the body is no JSON") from None
    if not isinstance(given, dict) or given.get("messaging_product") != "whatsapp":
        raise Refused(400, 100, "The parameter messaging_product is required.")
    if unknown := given.keys() - _KEYS:
        raise Refused(400, 100, "Invalid parameter", f"Unexpected key {sorted(unknown)[0]!r}")
    if given.get("recipient_type", "individual") != "individual" or not isinstance(given.get("to"), str):
        raise Refused(400, 131008, "Required parameter is missing", "to")
    if given.get("type") != "template" or not isinstance(given.get("template"), dict):
        raise Refused(400, 131009, "Parameter value is not valid", "this sandbox takes templates only")
    key = given.get("biz_opaque_callback_data", "")
    if not isinstance(key, str) or len(key) > 512:
        raise Refused(400, 100, "Invalid parameter", "biz_opaque_callback_data is too long")
    return given


async def _phones(request: Request) -> Response:
    sandbox: Sandbox = request.app.state.sandbox
    return HTMLResponse(sandbox_phone.chats(sandbox.store.talks), headers=sandbox_phone.HEADERS)


async def _phone(request: Request) -> Response:
    """One person's phone, with the conversation on it."""
    sandbox: Sandbox = request.app.state.sandbox
    number = request.path_params["number"]
    if not _NUMBER.fullmatch(number):
        return _unknown()
    page = sandbox_phone.talk(number, sandbox.store.talks.get(number, []))
    return HTMLResponse(page, headers=sandbox_phone.HEADERS)


async def _reply(request: Request) -> Response:
    """What the person writes or presses, on its way to the clinic as a signed webhook."""
    sandbox: Sandbox = request.app.state.sandbox
    number = request.path_params["number"]
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    pressed, written = form.get("button", [""])[0], form.get("text", [""])[0].strip()
    text = (pressed or written)[:_LONGEST_TEXT]
    if not _NUMBER.fullmatch(number):
        return _unknown()
    if text:
        webhook = sandbox.store.message(number, text, sandbox.now, button=bool(pressed))
        sandbox.store.talks[number][-1].status = "delivered" if await _tell(sandbox, [webhook]) else "failed"
    return RedirectResponse(f"/phone/{number}", 303)


async def _switch(request: Request) -> Response:
    sandbox: Sandbox = request.app.state.sandbox
    wanted = await request.json()
    sandbox.switches.update({name: wanted[name] for name in sandbox.switches.keys() & wanted.keys()})
    return JSONResponse(sandbox.switches)


async def _add_template(request: Request) -> Response:
    """Hold one more template: its name, its language and, where it is to be read, its body."""
    sandbox: Sandbox = request.app.state.sandbox
    given = await request.json()
    template = Template(str(given["name"]), str(given["language"]), given.get("body"))
    sandbox.templates[template.name, template.language] = template
    return JSONResponse({"status": "APPROVED"})


async def _carry(sandbox: Sandbox, number: str, bubble: Bubble) -> None:
    """Let a message come as far as it does, and tell of every step."""
    code = FAILS_LATER.get(number)
    for status in ("failed",) if code else ("sent", "delivered", "read"):
        await asyncio.sleep(sandbox.pause_seconds)
        await _tell(sandbox, [sandbox.store.status(number, bubble, status, sandbox.now, code)])


def sign(raw_body: bytes, secret: str) -> str:
    """The X-Hub-Signature-256 header of a webhook."""
    return f"sha256={hmac.digest(secret.encode(), raw_body, 'sha256').hex()}"


async def _tell(sandbox: Sandbox, webhooks: Sequence[Webhook]) -> bool:
    """Send webhooks, each again until it is taken, as Meta does (for days); whether all were."""
    if not sandbox.callback_url:
        return False
    taken = True
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        for webhook in webhooks:
            raw_body = json.dumps(webhook, ensure_ascii=True).encode()
            headers = {
                "Content-Type": "application/json",
                "X-Hub-Signature-256": sign(raw_body, sandbox.callback_secret),
            }
            taken &= await _told(client, sandbox, raw_body, headers)
    return taken


async def _told(client: httpx2.AsyncClient, sandbox: Sandbox, raw_body: bytes, headers: dict[str, str]) -> bool:
    for attempt in range(_ATTEMPTS):
        try:
            answer = await client.post(str(sandbox.callback_url), content=raw_body, headers=headers)
        except httpx2.HTTPError:
            pass
        else:
            if answer.status_code == 200:
                return True
        await asyncio.sleep(sandbox.pause_seconds * 2**attempt)
    return False


async def _refusal(request: Request, error: Exception) -> Response:
    refused = error if isinstance(error, Refused) else Refused(500, 131000, "Something went wrong")
    headers = {"Retry-After": "1"} if refused.status == 429 else None
    return JSONResponse({"error": refused.error}, refused.status, headers)


async def _no_such_path(request: Request, error: Exception) -> Response:
    return _unknown()


def _unknown() -> Response:
    return JSONResponse({"error": Refused(404, 100, "Unknown path components").error}, 404)
