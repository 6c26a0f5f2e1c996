"""What the rules work with: doors that capture, doors to a sandbox, and canaries for every spot that must not leave."""

import base64
import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any
from urllib.parse import quote, quote_plus
from uuid import uuid4

import httpx2

from connectors.contract import Action, Certificate, Egress, Manifest
from connectors.example import example_of, example_wording
from connectors.folder import Connector
from connectors.registry import Registry
from connectors.review import recordings
from scopes.field import Disclosed, Shape
from scopes.minimize import minimize
from scopes.wording import Wording

KEY = "disclosure-0198f2c4-7d1e-7b3a-9c55-0d6f1a2b3c4d"
CANARY = "CANARY"
NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
HOOK = "https://gateway.example/hooks/0190163d-8694-7a3c-8f0e-6c7f3e8f7a01"
TOKEN = "token-of-the-connection"
STAND_IN = "http://127.0.0.1:1"  # where the gateway itself finds a network's sandbox, as in the demo
#: Bodies of every unfriendly kind; each holds a canary where it can.
GARBAGE = (
    b"",
    b"null",
    b"[]",
    b'"CANARY"',
    b"CANARY <html>",
    b'{"CANARY',
    b"\xff\xfe\x00CANARY",
    b"[" * 5000,
    b'{"error": "CANARY"}',
    b'{"error": ["CANARY"]}',
    b'{"error": {"code": ["CANARY"], "type": {"CANARY": 1}, "message": "CANARY"}}',
    b'{"error": {"code": "CANARY", "type": "CANARY", "message": "CANARY", "param": "CANARY"}}',
)

Answering = Callable[[httpx2.Request], httpx2.Response]


@dataclass
class CapturingEgress:
    """A door that keeps every request and gives one kind of answer.

    What an action has to ask before it can say anything, such as a public key, the folder recorded in tests/prelude.json:
    such a request is answered from there, and counts as none of the action's own.
    """

    manifest: Manifest
    answering: Answering = lambda request: httpx2.Response(200, json={})
    account: str | None = None
    idempotency_key: str = KEY
    wording: Wording | None = None
    callback_url: str | None = HOOK
    callback_token: str | None = TOKEN
    callback_certificate: Certificate | None = None
    now: datetime = NOW
    requests: list[httpx2.Request] = field(default_factory=list)
    preludes: list[httpx2.Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._prelude = prelude_of(self.manifest.id)
        if self.account is None and self.manifest.credential.account_needed:
            self.account = self.manifest.credential.account_example

    @property
    def base_url(self) -> str:
        return self.manifest.base_url

    @property
    def settings(self) -> dict[str, str]:
        return settings_of(self.manifest)

    async def send(self, request: httpx2.Request) -> httpx2.Response:
        known = self._prelude.get(f"{request.method} {request.url.path}")
        if known is not None:
            self.preludes.append(request)
            return httpx2.Response(200, json=known)
        self.requests.append(request)
        return self.answering(request)


@dataclass
class DirectEgress:
    """A door without the gateway: adds what a door adds, the credential too, and sends by the client it was given."""

    manifest: Manifest
    client: httpx2.AsyncClient
    credential: str
    base_url: str
    log_in: Callable[[], Awaitable[str]] | None = None
    account: str | None = None
    idempotency_key: str = KEY
    wording: Wording | None = None
    callback_url: str | None = None
    callback_token: str | None = None
    callback_certificate: Certificate | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        if self.account is None and self.manifest.credential.account_needed:
            self.account = self.manifest.credential.account_example

    @property
    def settings(self) -> dict[str, str]:
        return settings_of(self.manifest)

    async def send(self, request: httpx2.Request) -> httpx2.Response:
        with_length(request)
        apply = self.manifest.credential.apply
        if self.log_in is not None and not self.credential:
            self.credential = await self.log_in()
        if apply == "bearer":
            request.headers["Authorization"] = f"Bearer {self.credential}"
        elif apply == "basic":
            request.headers["Authorization"] = f"Basic {base64.b64encode(self.credential.encode()).decode()}"
        else:
            request.headers[apply.removeprefix("header:")] = self.credential
        return await self.client.send(request)


@cache
def prelude_of(connector: str) -> dict[str, Any]:
    """What a folder's actions may have to ask first: method and path to the answer's body."""
    found = Registry.load().connectors.get(connector)
    return {} if found is None else recordings(found, "prelude") or {}


def carried(connector: Connector) -> list[Action]:
    """The actions that client.py makes; what goes elsewhere a flow of the gateway's makes."""
    return [action for action in connector.actions.values() if not action.elsewhere]


def settings_of(manifest: Manifest) -> dict[str, str]:
    """What a clinic might set, as the manifest's own examples say."""
    return {name: rule.example for name, rule in manifest.settings.items()}


def sandbox_egress(connector: Connector, **given: Any) -> DirectEgress:
    """A door into the connector's own sandbox, in this process."""
    sandbox = connector.module("sandbox")
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=sandbox.create()))
    usual: dict[str, Any] = {"base_url": connector.manifest.base_url}
    if connector.manifest.credential.session is None:
        usual["credential"] = sandbox.CREDENTIAL
    else:
        usual |= {"credential": "", "log_in": partial(logged_in, connector, client)}
    known = {"account": getattr(sandbox, "ACCOUNT", None)}
    if connector.manifest.callback is not None and connector.manifest.callback.token:
        known |= {"callback_url": HOOK, "callback_token": TOKEN}
    given = {**usual, **known, **given}
    return DirectEgress(manifest=connector.manifest, client=client, **given)


async def logged_in(connector: Connector, client: httpx2.AsyncClient) -> str:
    """A session at the sandbox, as the gateway's own registration gets it."""
    network, (client_id, secret) = connector.network, registration(connector)
    assert network is not None
    asked = network.session_request(STAND_IN, client_id, secret, request_id=str(uuid4()), now=datetime.now(UTC))
    return network.read_session(await client.send(with_length(asked))).token


def registration(connector: Connector) -> tuple[str, str]:
    """Who the gateway is at a network's sandbox: what it says is CREDENTIAL, id and secret with a colon between them."""
    client_id, _, secret = connector.module("sandbox").CREDENTIAL.partition(":")
    return client_id, secret


def with_length(request: httpx2.Request) -> httpx2.Request:
    """What the door adds to every request."""
    request.headers.update({"Host": request.url.netloc.decode("ascii"), "Content-Length": str(len(request.content))})
    return request


async def perform(action: Action, payload: Mapping[str, Any], egress: Egress) -> Any:
    """Minimize and perform, as the broker does."""
    return await performed(action, minimize(action.shape, payload).model, egress)


async def performed(action: Action, model: Disclosed, egress: Any) -> Any:
    """Perform, at a door that knows what a message says."""
    egress.wording = said(action, model)
    return await action.perform(model, egress)


def said(action: Action, model: Disclosed) -> Wording | None:
    """Invented words for a message; None where the action sends none."""
    return example_wording(action.name, model) if action.message else None


def answering(status: int, content: bytes, headers: Mapping[str, str] | None = None) -> Answering:
    """One kind of answer, whatever is asked."""
    return lambda _: httpx2.Response(status, content=content, headers=headers)


def payloads(action: Action) -> tuple[dict[str, Any], dict[str, Any]]:
    """An example with everything, and one with only what is required."""
    return example_of(action.shape), example_of(action.shape, optional=False)


def with_canaries(shape: Shape) -> dict[str, Any]:
    """An example with a canary in every spot that nobody declared, at every depth and under tempting names."""
    numbers = itertools.count()

    def planted(part: Shape, values: dict[str, Any]) -> dict[str, Any]:
        for inner in part.fields:
            if inner.shape and inner.name in values:
                held = values[inner.name]
                values[inner.name] = (
                    [planted(inner.shape, item) for item in held] if inner.many else planted(inner.shape, held)
                )
        declared = {inner.name for inner in part.fields}
        for name in tempting_names(declared):
            values[name] = f"{CANARY}{next(numbers)}"
        values["nested_undeclared"] = {"deep": [{"deeper": f"{CANARY}{next(numbers)}"}]}
        return values

    return planted(shape, example_of(shape))


def tempting_names(declared: set[str]) -> Iterator[str]:
    """Names that a careless connector may pick up, and near misses of the declared ones."""
    tempting = ["name", "email", "phone", "description", "metadata", "notes", "diagnosis", "__class__", "model_extra"]
    near = [changed for name in sorted(declared) for changed in (name.upper(), f" {name}", f"{name}_", f"{name}[0]")]
    yield from (name for name in [*tempting, *near] if name not in declared)


def everything_sent(requests: list[httpx2.Request]) -> str:
    """All that left, as text: addresses, header names and values, bodies."""
    parts = []
    for request in requests:
        parts += [request.method, str(request.url), *itertools.chain(*request.headers.multi_items())]
        parts.append(request.content.decode("utf-8", "replace"))
    return "\n".join(parts)


def spellings(text: str) -> set[str]:
    """A text as it may look once it is on its way."""
    raw = text.encode()
    return {text, quote(text, safe=""), quote_plus(text), raw.hex(), base64.b64encode(raw).decode(), text[::-1]}
