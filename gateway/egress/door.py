"""The door, and the passage of one disclosure through it. Keeps no secret beyond the call and logs no value."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple

import httpx2

from connectors.contract import AnswerRefused, Certificate, ConnectorError, Unreachable
from gateway.egress.answer import accept
from gateway.egress.book import AddressBook, Resolver, resolve_by_system
from gateway.egress.credential import Credential
from gateway.egress.letter import Engine, Letter, Limits, Target, fits_a_header, place_of, write_letter
from gateway.egress.refused import RequestRefused
from gateway.egress.repeat import Ending, Policy, worth_repeating
from gateway.egress.route import Origin, Route
from gateway.egress.stream import Stream, body_of, may_go_again
from gateway.log import Log
from scopes.vocabulary import Repeat
from scopes.wording import Wording

_log = Log("gateway.egress")


class Hook(NamedTuple):
    """Where a connection's vendor may call, what it is to bring back where it signs nothing, and encrypt to where it is to."""

    url: str | None = None
    token: str | None = None
    certificate: Certificate | None = None


_NO_HOOK: Final = Hook()
_UNAUTHORIZED: Final = 401
_NO_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({})


class Door:
    """The only way out of one gateway. Loopback hosts are for the demo and for tests: nobody else may name them."""

    def __init__(
        self,
        engine: Engine,
        *,
        resolver: Resolver = resolve_by_system,
        loopback_hosts: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        today: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`clock` counts seconds and never goes back, `today` tells the time; `chance` spreads the waits (0 to 1)."""
        self.engine = engine
        self.book = AddressBook(resolver, loopback_hosts, clock)
        self.loopback_hosts = loopback_hosts
        self.clock = clock
        self.today = today
        self.policy = Policy(clock, sleep, chance)

    def through(
        self,
        route: Route,
        *,
        credential: Credential | None,
        idempotency_key: str,
        account: str | None = None,
        repeat: Repeat = Repeat.IF_UNSENT,
        settings: Mapping[str, str] = _NO_SETTINGS,
        hook: Hook = _NO_HOOK,
        wording: Wording | None = None,
    ) -> "Passage":
        """The passage of one disclosure, along the route of its connector."""
        return Passage(self, route, credential, repeat, idempotency_key, account, settings, hook, wording)

    async def close(self) -> None:
        """Let go of every connection."""
        await self.engine.close()


@dataclass(slots=True, repr=False, eq=False)
class Passage:
    """What a connector sees of the door (connectors.contract.Egress), and what the outcome records of it."""

    _door: Door
    _route: Route
    _credential: Credential | None
    _repeat: Repeat
    idempotency_key: str
    account: str | None
    settings: Mapping[str, str]
    _hook: Hook
    wording: Wording | None = None
    attempts: int = 0
    sent: bool = False  # whether any byte may have left
    sent_bytes: int = 0
    received_bytes: int = 0
    host: str | None = None
    method: str | None = None

    @property
    def base_url(self) -> str:
        """Where the vendor's API is; without a slash at the end."""
        return self._route.base_url

    @property
    def now(self) -> datetime:
        """What time it is: a connector reads no clock."""
        return self._door.today()

    @property
    def callback_url(self) -> str | None:
        """Where the vendor may tell what became of this."""
        return self._hook.url

    @property
    def callback_token(self) -> str | None:
        """What the vendor is to bring back with each message."""
        return self._hook.token

    @property
    def callback_certificate(self) -> Certificate | None:
        """What the vendor is to encrypt its messages with."""
        return self._hook.certificate

    async def send(self, request: httpx2.Request) -> httpx2.Response:
        """Carry one request, again where that is safe; an answer of any status comes back as it is, but no redirect.

        A body may be a stream, where the request says its exact content-length; it is sent again only from its start.
        Raises Unreachable, Ambiguous, AnswerRefused or RequestRefused.
        """
        deadline = self._door.clock() + self._route.timeout_seconds
        answer = await self._sent(request, deadline)
        if answer.status_code == _UNAUTHORIZED and self._credential is not None:
            # Whoever is not let in has done nothing: it is safe to send again. The new credential is renewed no more.
            another = await self._credential.another()
            if another is not None:
                self._credential = another
                return await self._sent(request, deadline)
        return answer

    async def _sent(self, request: httpx2.Request, deadline: float) -> httpx2.Response:
        body: bytes | Stream = b""
        try:
            try:
                origin, path = self._place(request)
                body = await body_of(request, self._route.timeout_seconds)
                letter = write_letter(request, body, url=origin.root + path, own=self._own_headers())
            except ConnectorError as refused:
                _log.warning("request_refused", code=refused.code, key=self.idempotency_key)
                raise
            self.host, self.method = origin.host, letter.method

            ending = await self._attempt(request, letter, origin, deadline)
            if isinstance(ending, ConnectorError) or worth_repeating(ending, self._repeat):
                attempt = partial(self._attempt, request, letter, origin, deadline)
                possible = partial(may_go_again, body)
                return await self._door.policy.again(
                    ending, attempt, repeat=self._repeat, deadline=deadline, possible=possible
                )
            return ending
        finally:
            if isinstance(body, Stream):
                await body.close()

    def _place(self, request: httpx2.Request) -> tuple[Origin, str]:
        origin, path = place_of(request, self._route)
        if origin.scheme != "https" and origin.host not in self._door.loopback_hosts:
            raise AnswerRefused("insecure_scheme")
        return origin, path

    def _own_headers(self) -> dict[str, str]:
        headers = {} if self._credential is None else dict([self._credential.header()])
        if self._route.account_header is not None and self.account is not None:
            if not fits_a_header(self.account):
                raise RequestRefused("account_unusable")
            headers[self._route.account_header.lower()] = self.account
        return headers

    async def _attempt(self, request: httpx2.Request, letter: Letter, origin: Origin, deadline: float) -> Ending:
        self.attempts += 1
        try:
            return await self._carry(request, letter, origin, deadline)
        except ConnectorError as failure:
            _log.warning(
                "attempt_failed",
                code=failure.code,
                host=origin.host,
                attempt=self.attempts,
                key=self.idempotency_key,
            )
            return failure

    async def _carry(self, request: httpx2.Request, letter: Letter, origin: Origin, deadline: float) -> httpx2.Response:
        door, route, sent_before = self._door, self._route, self.sent
        address = door.book.known(origin.host) or await door.book.look_up(origin.host, origin.port)
        seconds = deadline - door.clock()
        if self._repeat is Repeat.ALWAYS:
            seconds = min(seconds, route.timeout_seconds / 2)  # leaves time for a second attempt
        if seconds <= 0:
            raise Unreachable("deadline")
        if isinstance(letter.body, Stream):
            await letter.body.ready_again(seconds)
        target = Target(origin.scheme, origin.host, origin.port, address, route.min_tls)
        self.sent = True
        try:
            received = await door.engine.send(letter, target, Limits(seconds, route.max_answer_bytes))
        except (Unreachable, RequestRefused):  # not a byte left
            self.sent = sent_before
            door.book.pass_over(origin.host, address)
            raise
        self.sent_bytes += letter.body.taken if isinstance(letter.body, Stream) else len(letter.body)
        self.received_bytes += len(received.body)
        return accept(received, request, route.max_answer_bytes)
