"""Passages through the door: over an engine that connects to nothing, and over real sockets on loopback."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import pytest

from gateway.egress import Credential, CurlEngine, Door, Passage, Route
from scopes.vocabulary import Repeat
from tests.gateway.egress.certificates import Authority
from tests.gateway.egress.doubles import Clock, Names, Script, received
from tests.gateway.egress.vendor import Vendor

API = Route(frozenset({"api.vendor.test"}), "https://api.vendor.test")
Start = Callable[..., Awaitable[Vendor]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a vendor, with TLS where a context is given."""
    vendors: list[Vendor] = []

    async def _start(context: ssl.SSLContext | None = None) -> Vendor:
        vendors.append(Vendor())
        await vendors[-1].open(context)
        return vendors[-1]

    yield _start
    for vendor in vendors:
        vendor.close()


@pytest.fixture
async def vendor(start: Start) -> Vendor:
    return await start()


@pytest.fixture
def names() -> Names:
    public = ["93.184.215.14", "2606:2800:21f:cb07::14"]
    return Names({"vendor.test": [["127.0.0.1"]], "api.vendor.test": [public]})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def script() -> Script:
    return Script([received(200, b"{}")])


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.new(tmp_path_factory.mktemp("authority"))


class Scripted(Protocol):
    """Make a passage to api.vendor.test over the script."""

    def __call__(
        self,
        repeat: Repeat = Repeat.IF_UNSENT,
        *,
        route: Route = API,
        credential: Credential | None = None,
        account: str | None = None,
    ) -> Passage: ...


@pytest.fixture
def scripted(script: Script, names: Names, clock: Clock) -> Scripted:
    door = Door(script, resolver=names, clock=clock, sleep=clock.sleep, chance=lambda: 1.0)

    def _passage(
        repeat: Repeat = Repeat.IF_UNSENT,
        *,
        route: Route = API,
        credential: Credential | None = None,
        account: str | None = None,
    ) -> Passage:
        return door.through(route, credential=credential, idempotency_key="key_1", account=account, repeat=repeat)

    return _passage


class Real(Protocol):
    """Make a passage to the vendor over real sockets; only the resolver knows where vendor.test is."""

    def __call__(
        self, repeat: Repeat = Repeat.IF_UNSENT, *, timeout_seconds: float = 5.0, max_answer_bytes: int = 1 << 20
    ) -> Passage: ...


@pytest.fixture
async def real(vendor: Vendor, names: Names) -> AsyncIterator[Real]:
    engine = CurlEngine(connect_seconds=1.0, read_seconds=5.0)
    door = Door(engine, resolver=names, loopback_hosts=frozenset({"vendor.test"}), chance=lambda: 0.0)

    def _passage(
        repeat: Repeat = Repeat.IF_UNSENT, *, timeout_seconds: float = 5.0, max_answer_bytes: int = 1 << 20
    ) -> Passage:
        route = Route(
            frozenset({"vendor.test"}),
            f"http://vendor.test:{vendor.port}",
            timeout_seconds=timeout_seconds,
            max_answer_bytes=max_answer_bytes,
        )
        return door.through(route, credential=None, idempotency_key="key_1", repeat=repeat)

    yield _passage
    await door.close()
