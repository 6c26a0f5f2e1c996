"""Ask a network something in the gateway's session; where the session is not taken, once more in a new one. Keeps nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import uuid4

from connectors.errors import ConnectorError, ReconnectNeeded
from connectors.network import Bridge, Key
from gateway.errors import Unavailable
from gateway.network.lines import Line
from gateway.network.sessions import Sessions

if TYPE_CHECKING:
    import httpx2

_UNAUTHORIZED: Final = 401
_Read = TypeVar("_Read")


class NotTold(Unavailable):
    """The network does not answer, or not so that it can be read."""

    code = "network_silent"
    title = "The network does not answer just now; repeat the request in a moment"


class Asking:
    """The questions that the gateway has on its own behalf."""

    def __init__(self, sessions: Sessions, lines: Callable[[str], Line], *, clock: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._lines = lines
        self._clock = clock

    async def keys(self, line: str) -> tuple[Key, ...]:
        """The network's public keys. Raises NoSession or NotTold."""
        place = self._lines(line)
        return await self._asked(
            line,
            lambda token: place.network.keys_request(
                place.base_url, token=token, request_id=str(uuid4()), now=self._clock()
            ),
            place.network.read_keys,
        )

    async def bridge(self, line: str) -> Bridge:
        """What the network has on file about us. Raises NoSession or NotTold."""
        place = self._lines(line)
        return await self._asked(
            line,
            lambda token: place.network.bridge_request(
                place.base_url, token=token, request_id=str(uuid4()), now=self._clock()
            ),
            place.network.read_bridge,
        )

    async def move(self, line: str, url: str) -> None:
        """Tell the network where to send everything. Raises NoSession or NotTold."""
        place = self._lines(line)
        await self._asked(
            line,
            lambda token: place.network.move_request(
                place.base_url, url, token=token, request_id=str(uuid4()), now=self._clock()
            ),
            place.network.read_moved,
        )

    async def _asked(
        self,
        line: str,
        build: Callable[[str], httpx2.Request],
        read: Callable[[httpx2.Response], _Read],
    ) -> _Read:
        token: str | None = await self._sessions.token(line)
        try:
            while token is not None:
                answer = await self._lines(line).through()(build(token))
                try:
                    if answer.status_code != _UNAUTHORIZED:
                        return read(answer)
                except ReconnectNeeded:
                    pass
                token = await self._sessions.renewed(line, token)
        except ConnectorError as failure:
            raise NotTold(f"{line} does not answer as it should ({failure.code})") from None
        raise NotTold(f"{line} does not take a session that it has only just given")
