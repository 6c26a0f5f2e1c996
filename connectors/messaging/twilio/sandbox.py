"""A small emulator of Twilio's messages for the demo and the tests. Emulates what we use, strictly; never imported in production.

It refuses unknown parameters and wrong keys, answers Twilio's test numbers as Twilio does, keeps opt-outs, and signs what
it tells us. `/phone` shows what patients would read, and lets them answer (sandbox_phone.py). To +15005550005 nothing is
ever delivered. For trouble: `POST /_sandbox/switches {"rate_limited": true, "failing": true, "losing": true,
"delay_seconds": 2}`; a losing one takes messages and answers as if it had not.
"""

import asyncio
import base64
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

import httpx2
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.messaging import words
from connectors.messaging.twilio import form, sandbox_phone
from connectors.messaging.twilio.sandbox_messages import Held, Refused, checked, shown

ACCOUNT: Final = "AC0123456789abcdef0123456789abcdef"
CREDENTIAL: Final = "SK0123456789abcdef0123456789abcdef:sandboxClinicGatewaySecret012345"
CALLBACK_SECRET: Final = "5a4db0c5a4db0c5a4db0c5a4db0c5a4d"  # noqa: S105 (opens nothing but this sandbox)
SETTINGS: Final = {"sender": "+15005550006", "redaction": "on"}
PHONE: Final = "/phone"
#: What the demo's clinic says by SMS: name, action, language, words.
_WHEN: Final = "Hello {given_name|there}, your appointment is on {starts_at:date} at {starts_at:time}."
TEXTS: Final = (
    ("reminder", "send_reminder", "en", f"{_WHEN} Reply STOP to get no more messages."),
    ("confirmation_request", "send_confirmation_request", "en", f"{_WHEN} Will you come? Reply YES, NO or STOP."),
    ("payment_link", "send_payment_link", "en", "Hello {given_name|there}, {amount} is waiting to be paid: {url}"),
    (
        "notice",
        "send_notice",
        "en",
        "Hello {given_name|there}, a word from your clinic: {note|we are closed tomorrow}.",
    ),
    (
        "code",
        "send_code",
        "en",
        "{code} is your code to link your records. It holds for ten minutes. Tell it to nobody.",
    ),
)

#: How the code's text would be registered with India's operators (DLT): numbers there get no text without.
REGISTERED: Final = {
    "code": {
        "entity_id": "1101234567890123456", "header": "CLINIC", "template_id": "1107123456789012345",
        "text": "{#var#} is your code to link your records. It holds for ten minutes. Tell it to nobody.",
    }
}  # fmt: skip

UNDELIVERED: Final = "+15005550005"
_MOST_MESSAGES: Final = 500
_TIMEOUT_SECONDS: Final = 15
_STOPPED: Final = (
    "You have successfully been unsubscribed. You will not receive any more messages. Reply START to resubscribe."
)
_STARTED: Final = "You have successfully been re-subscribed to messages from this number. Reply STOP to unsubscribe."


@dataclass
class Sandbox:
    """The sandbox's state: messages in the order of time, opt-outs, switches."""

    credentials: frozenset[str]
    account: str
    callback_url: str | None
    callback_secret: str
    clock: Callable[[], float]
    pace_seconds: float
    transport: httpx2.AsyncBaseTransport | None
    messages: list[Held] = field(default_factory=list)
    stopped: set[tuple[str, str]] = field(default_factory=set)
    switches: dict[str, Any] = field(
        default_factory=lambda: {"rate_limited": False, "failing": False, "losing": False, "delay_seconds": 0}
    )

    def keep(self, message: Held) -> Held:
        """Keep a message; the oldest ones are forgotten."""
        self.messages = [*self.messages[-_MOST_MESSAGES:], message]
        return message

    def thread(self, number: str) -> list[Held]:
        """What one phone sent and received."""
        return [held for held in self.messages if number == (held.sender if held.inbound else held.to)]

    async def advance(self, message: Held) -> None:
        """Let a message travel, telling of each step."""
        last = "undelivered" if message.to == UNDELIVERED else "delivered"
        for status in ("sent", last):
            await asyncio.sleep(self.pace_seconds)
            message.status = status
            message.error_code = 30003 if status == "undelivered" else None
            await self.tell(message.callback or self.callback_url, message.told())

    async def answer(self, number: str, text: str) -> int | None:
        """A person's answer to the last message on their phone; the status of the gateway's acknowledgement."""
        last = next((held for held in reversed(self.thread(number)) if not held.inbound), None)
        ours = last.sender if last is not None else SETTINGS["sender"]
        answered = self.keep(Held(self.account, ours, number, text, self.clock(), inbound=True, status="received"))
        if words.is_carrier_stop(text):
            self.stopped.add((ours, number))
            self._own(ours, number, _STOPPED)
        elif words.plain(text) in ("start", "unstop", "yes") and (ours, number) in self.stopped:
            self.stopped.discard((ours, number))
            self._own(ours, number, _STARTED)
        return await self.tell(self.callback_url, answered.heard())

    def _own(self, sender: str, number: str, text: str) -> None:
        self.keep(Held(self.account, number, sender, text, self.clock(), status="delivered", carriers=True))

    async def tell(self, url: str | None, parameters: Mapping[str, str]) -> int | None:
        """Post signed parameters to the gateway, as Twilio would; the status, or None where nobody answered."""
        if url is None:
            return None
        headers = {"X-Twilio-Signature": form.sign(url, parameters, self.callback_secret)}
        client = httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False, transport=self.transport)
        async with client:
            try:
                return (await client.post(url, data=dict(parameters), headers=headers)).status_code
            except httpx2.HTTPError:
                return None


def create(
    *,
    credentials: frozenset[str] = frozenset({CREDENTIAL}),
    account: str = ACCOUNT,
    callback_url: str | None = None,
    callback_secret: str = CALLBACK_SECRET,
    clock: Callable[[], float] = time.time,
    pace_seconds: float = 0.3,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> Starlette:
    """The sandbox as an ASGI application; `callback_url` hears answers, and the status of messages that name no address."""
    account_path = "/2010-04-01/Accounts/{account}"
    routes = [
        Route(f"{account_path}/Messages.json", _create_message, methods=["POST"]),
        Route(f"{account_path}/Messages/{{sid}}.json", _get_message, methods=["GET"]),
        Route("/_sandbox/switches", _switch, methods=["POST"]),
        *sandbox_phone.ROUTES,
    ]
    app = Starlette(routes=routes, exception_handlers={Refused: _refusal, 404: _no_such_path})
    app.state.sandbox = Sandbox(credentials, account, callback_url, callback_secret, clock, pace_seconds, transport)
    return app


async def _create_message(request: Request) -> Response:
    """Check the caller and the parameters, keep the message, let it travel once it is answered."""
    sandbox = _admit(request)
    if sandbox.switches["failing"]:
        raise Refused(500, 20500, "An internal server error has occurred")
    pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True)
    given = checked(pairs)
    await asyncio.sleep(sandbox.switches["delay_seconds"])
    sender = given.get("MessagingServiceSid") or given["From"]
    if (sender, given["To"]) in sandbox.stopped:
        raise Refused(400, 21610, "Attempt to send to unsubscribed recipient")
    message = Held(
        sandbox.account,
        given["To"],
        sender,
        given["Body"],
        sandbox.clock(),
        callback=given.get("StatusCallback"),
        discards=given.get("ContentRetention") == "discard",
        obfuscates=given.get("AddressRetention") == "obfuscate",
    )
    sandbox.keep(message)
    lost = Refused(502, 20502, "Bad gateway").body if sandbox.switches["losing"] else None
    answer = JSONResponse(lost or shown(message), 502 if lost else 201)
    answer.background = BackgroundTask(sandbox.advance, message)
    return answer


async def _get_message(request: Request) -> Response:
    """A message as Twilio keeps it. A key that may only create does not see it."""
    sandbox = _admit(request)
    if _credential(request) in sandbox.credentials:
        raise Refused(403, 70051, "Authorization error: the key lacks /twilio/messaging/messages/read")
    found = next((held for held in sandbox.messages if held.sid == request.path_params["sid"]), None)
    if found is None:
        raise Refused(404, 20404, "The requested resource was not found")
    return JSONResponse(shown(found))


async def _switch(request: Request) -> Response:
    sandbox: Sandbox = request.app.state.sandbox
    wanted = await request.json()
    sandbox.switches.update({name: wanted[name] for name in sandbox.switches.keys() & wanted.keys()})
    return JSONResponse(sandbox.switches)


def _admit(request: Request) -> Sandbox:
    """The sandbox for a caller with a key of the account, or Twilio's 401 or 429."""
    sandbox: Sandbox = request.app.state.sandbox
    owner = f"{sandbox.account}:{sandbox.callback_secret}"
    if request.path_params["account"] != sandbox.account or _credential(request) not in {*sandbox.credentials, owner}:
        raise Refused(401, 20003, "Authenticate")
    if sandbox.switches["rate_limited"]:
        raise Refused(429, 20429, "Too Many Requests")
    return sandbox


def _credential(request: Request) -> str:
    match = re.fullmatch(r"basic ([A-Za-z0-9+/=]{1,400})", request.headers.get("authorization", ""), re.IGNORECASE)
    try:
        return base64.b64decode(match[1], validate=True).decode() if match else ""
    except ValueError:
        return ""


async def _refusal(_: Request, error: Exception) -> Response:
    refused = error if isinstance(error, Refused) else Refused(500, 20500, "An error on the sandbox's side.")
    headers = {"Retry-After": "1"} if refused.status == 429 else None
    return JSONResponse(refused.body, refused.status, headers)


async def _no_such_path(_: Request, __: Exception) -> Response:
    return JSONResponse(Refused(404, 20404, "The requested resource was not found").body, 404)
