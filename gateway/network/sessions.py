"""The gateway's session at a network: one token for all clinics and all gateways, asked for by one of them at a time.

A network locks a registration that is refused a few times in a row, and says the same thing then as before. So:
1. take the turn among all gateways, and look again: somebody may have been faster;
2. count the login as refused, in a transaction of its own, before it is made: one whose answer is lost counts;
3. log in;
4. store the token and forget the count, or note what came instead.
After three in a row nobody logs in for ten minutes, in any gateway, whoever calls; then once, and the ten minutes begin anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from connectors.errors import ConnectorError, Unreachable
from connectors.network import Session, SessionRefused
from gateway.connections import OPERATOR, Connections
from gateway.errors import Unavailable
from gateway.log import Log
from gateway.network.lines import Line
from gateway.store import network as rows
from gateway.store.pool import Store

log = Log("gateway.network")

MOST_REFUSED: Final = 3
LOCKED: Final = timedelta(minutes=10)
AHEAD: Final = timedelta(seconds=30)
_FIRST_PAUSE: Final = timedelta(seconds=2)
_LONGEST_PAUSE: Final = timedelta(minutes=2)
_JUST_CAME: Final = timedelta(minutes=1)
_SEALED_AS: Final = "network_session"
_UNANSWERED: Final = "unanswered"

Turn = Callable[[UUID], AbstractAsyncContextManager[None]]


class Login(NamedTuple):
    """Who the gateway is at a network."""

    id: str
    secret: str


class NoSession(Unavailable):
    """The network gives no session at the moment; nothing was sent."""

    code = "no_session"
    title = "The network does not let the gateway in just now, so nothing was sent; repeat the request in a moment"


class LockedOut(NoSession):
    """The network refused the registration several times in a row: nobody asks it for a while, so that it locks nothing."""

    code = "network_locked_out"
    title = "The network refuses the gateway's registration, so nobody asks it for a while; nothing was sent"


@dataclass(frozen=True, slots=True)
class Held:
    """A session's token, opened."""

    token: str = field(repr=False)
    expires_at: datetime
    received_at: datetime
    generation: int

    def lasts(self, now: datetime) -> bool:
        """Whether it outlasts a request that is made now."""
        return self.expires_at - now > AHEAD


def locked_until(row: rows.SessionRow, now: datetime) -> datetime | None:
    """Until when nobody logs in, where too many logins in a row were not taken."""
    if row.refused < MOST_REFUSED or row.asked_at is None:
        return None
    until = max(row.asked_at + LOCKED, row.retry_at or row.asked_at)
    return until if now < until else None


class Sessions:
    """Gives tokens, and gets the next one where that is due."""

    def __init__(
        self,
        store: Store,
        connections: Connections,
        lines: Callable[[str], Line],
        login_of: Callable[[str], Awaitable[Login]],
        *,
        turn: Turn,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._connections = connections
        self._lines = lines
        self._login_of = login_of
        self._turn = turn
        self._clock = clock
        self._known: dict[str, Held] = {}
        self._renewals: dict[str, asyncio.Task[Held]] = {}

    async def token(self, line: str) -> str:
        """The token for one request. Raises NoSession, and Conflict where the gateway is not registered there."""
        known = self._known.get(line)
        if known is not None and known.lasts(self._clock()):
            return known.token
        return (await self._once(line, None)).token

    async def renewed(self, line: str, refused: str) -> str | None:
        """Another token in place of one that the network did not take; None where that one has only just come."""
        known = self._known.get(line)
        if known is not None and known.token == refused:
            if self._clock() - known.received_at < _JUST_CAME:
                return None  # a newer one would be refused as well: it is no matter of its age
            del self._known[line]
        elif known is not None and known.lasts(self._clock()):
            return known.token
        held = await self._once(line, refused)
        return None if held.token == refused else held.token

    async def anew(self, line: str) -> None:
        """Log in now whatever is kept: for a network that is known to have forgotten us. Raises NoSession and Conflict."""
        async with self._turn(uuid5(NAMESPACE_URL, f"network:{line}")):
            self._known[line] = await self._logged_in(line, await self._row(line))

    async def _row(self, line: str) -> rows.SessionRow | None:
        async with self._store.tenant(OPERATOR) as session:
            return await rows.session(session, OPERATOR, line)

    async def _once(self, line: str, refused: str | None) -> Held:
        """Renew, or wait for the renewal that is under way here: of many callers one asks."""
        task = self._renewals.get(line)
        if task is None:
            task = self._renewals[line] = asyncio.ensure_future(self._renew(line, refused))
            task.add_done_callback(lambda ended: self._ended(line, ended))
        return await asyncio.shield(task)

    def _ended(self, line: str, ended: asyncio.Task[Held]) -> None:
        self._renewals.pop(line, None)
        if not ended.cancelled():
            ended.exception()  # taken note of, also where every caller has given up

    async def close(self) -> None:
        """Let renewals that are under way end."""
        if self._renewals:
            await asyncio.wait(set(self._renewals.values()), timeout=5)

    async def _renew(self, line: str, refused: str | None) -> Held:
        row = await self._row(line)
        held = await self._opened(line, row)
        if not self._good(held, refused):
            self._check(line, row)  # nobody waits for a turn in which nothing may be asked
            async with self._turn(uuid5(NAMESPACE_URL, f"network:{line}")):
                row = await self._row(line)
                held = await self._opened(line, row)
                if not self._good(held, refused):
                    self._check(line, row)
                    held = await self._logged_in(line, row)
        assert held is not None
        self._known[line] = held
        return held

    def _good(self, held: Held | None, refused: str | None) -> bool:
        """Whether a token may be used. One that was refused just after it came is no older for being renewed."""
        now = self._clock()
        if held is None or not held.lasts(now):
            return False
        return held.token != refused or now - held.received_at < _JUST_CAME

    def _check(self, line: str, row: rows.SessionRow | None) -> None:
        """Raise where nobody may log in now."""
        if row is None:
            return
        now = self._clock()
        if (until := locked_until(row, now)) is not None:
            raise LockedOut(
                f"{line} did not take the gateway's registration {row.refused} times in a row ({row.code}), "
                f"so nobody asks until {until:%H:%M:%S} UTC",
                fix=f"Compare the registration of {line} with the network's own, and add it anew with `gateway clients add`.",
            )
        if row.retry_at is not None and now < row.retry_at:
            raise NoSession

    async def _opened(self, line: str, row: rows.SessionRow | None) -> Held | None:
        if row is None or row.sealed is None or row.expires_at is None or row.received_at is None:
            return None
        keyring = await self._connections.operator()
        token = keyring.open(row.sealed, purpose=_SEALED_AS, row=line).decode()
        return Held(token, row.expires_at, row.received_at, row.generation)

    async def _logged_in(self, line: str, row: rows.SessionRow | None) -> Held:
        place, login = self._lines(line), await self._login_of(line)
        now = self._clock()
        async with self._store.tenant(OPERATOR) as session:
            await rows.begin_login(session, OPERATOR, line, now)
        request = place.network.session_request(place.base_url, *login, request_id=str(uuid4()), now=now)
        try:
            answer = place.network.read_session(await place.through()(request))
        except SessionRefused as refusal:
            await self._refused(line, refusal.code, row)
            raise NoSession from None
        except ConnectorError as trouble:
            await self._troubled(line, trouble, row)
            raise NoSession from None
        return await self._kept(line, answer)

    async def _kept(self, line: str, answer: Session) -> Held:
        keyring, now = await self._connections.operator(), self._clock()
        sealed = keyring.seal(answer.token.encode(), purpose=_SEALED_AS, row=line)
        expires_at = now + timedelta(seconds=answer.lasts_seconds)
        async with self._store.tenant(OPERATOR) as session:
            generation = await rows.keep_session(session, OPERATOR, line, sealed=sealed, at=now, expires_at=expires_at)
        log.info("network_session_renewed", line=line, generation=generation)
        return Held(answer.token, expires_at, now, generation)

    async def _refused(self, line: str, code: str, row: rows.SessionRow | None) -> None:
        """Put the next login off, and from the third on sound the alarm."""
        count, now = (row.refused if row is not None else 0) + 1, self._clock()
        locks = count >= MOST_REFUSED
        retry_at = now + (LOCKED if locks else _FIRST_PAUSE * 2**count)
        async with self._store.tenant(OPERATOR) as session:
            await rows.refuse_login(session, OPERATOR, line, code=code, retry_at=retry_at)
        log.warning("network_login_refused", line=line, code=code, in_a_row=count)
        if locks:
            log.error("network_locked_out", line=line, code=code, in_a_row=count, until=retry_at.isoformat())

    async def _troubled(self, line: str, trouble: ConnectorError, row: rows.SessionRow | None) -> None:
        """Put the next login off: a little at first, where the network is out of order."""
        troubles = row.troubles if row is not None else 0
        retry_at = self._clock() + min(_FIRST_PAUSE * 2 ** min(troubles, 10), _LONGEST_PAUSE)
        async with self._store.tenant(OPERATOR) as session:
            await rows.put_login_off(session, OPERATOR, line, code=trouble.code, retry_at=retry_at)
        unsent = isinstance(trouble, Unreachable)
        log.warning("network_session_trouble", line=line, code=trouble.code, unsent=unsent)
