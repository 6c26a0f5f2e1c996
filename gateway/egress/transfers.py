"""Carry transfers of libcurl's on asyncio's loop. Knows nothing of what they carry.

pycurl has such a driver of its own (AsyncCurlMulti). This one costs two thirds of it: one watcher for all sockets, which stays
with a kept connection; one timer, set anew only where it would ring too late; an answer is told in the turn in which it is there.
"""

import asyncio
import selectors
from typing import Final

import pycurl

# The numbers are the same on both sides: pycurl.POLL_IN and CSELECT_IN are EVENT_READ, POLL_OUT and CSELECT_OUT are EVENT_WRITE.
_EVENTS: Final = selectors.EVENT_READ | selectors.EVENT_WRITE
_NEVER: Final = float("inf")
_TICK_SECONDS: Final = 0.001


class Transfers:
    """The transfers under way and the connections kept between them. Belongs to the loop in which the first one is carried."""

    def __init__(self, *, most_kept: int) -> None:
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, most_kept)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._wake_in)
        self._sockets = selectors.DefaultSelector()
        self._busy: set[int] = set()  # the sockets that a transfer waits for
        self._under_way: dict[pycurl.Curl, asyncio.Future[int]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._soon = False
        self._rings_at = self._wanted_at = _NEVER

    @property
    def closed(self) -> bool:
        """Whether nothing is carried any more."""
        return bool(self._multi.closed)

    async def carry(self, curl: pycurl.Curl) -> int:
        """Carry one transfer; gives libcurl's code for how it ended. Cancelled, it closes its connection."""
        loop = self._loop or self._begin()
        future: asyncio.Future[int] = loop.create_future()
        self._under_way[curl] = future
        try:
            self._multi.add_handle(curl)
            self._ask_soon(loop)
            return await future
        finally:
            if self._under_way.pop(curl, None) is not None:
                self._multi.remove_handle(curl)

    def go_on(self, curl: pycurl.Curl) -> None:
        """Go on with a transfer that waited for more to send."""
        if curl in self._under_way:
            curl.pause(pycurl.PAUSE_CONT)
            self._ask_soon(asyncio.get_running_loop())

    def end(self, curl: pycurl.Curl, code: int) -> None:
        """End a transfer from outside."""
        future = self._under_way.get(curl)
        if future is not None and not future.done():
            future.set_result(code)

    def opened(self, socket: int) -> None:
        """A new connection has this socket; an earlier one with its number is closed, of which libcurl says nothing."""
        if socket in self._sockets.get_map():
            self._sockets.unregister(socket)

    def close(self, code: int) -> None:
        """End every transfer with this code, and close every connection."""
        for curl in list(self._under_way):
            self.end(curl, code)
            self._multi.remove_handle(curl)
        self._under_way.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._loop is not None:
            self._loop.remove_reader(self._sockets)
        self._multi.close()
        self._sockets.close()

    def _begin(self) -> asyncio.AbstractEventLoop:
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sockets, self._read)
        return self._loop

    def _watch(self, what: int, socket: int, _multi: object, _ours: object) -> None:
        """libcurl wants to hear of a socket, or no longer."""
        events = what & _EVENTS
        if not events:
            self._busy.discard(socket)  # it stays watched: the next request on this connection is not far
            return
        self._busy.add(socket)
        known = self._sockets.get_map().get(socket)
        if known is None:
            self._sockets.register(socket, events)
        elif known.events != events:
            self._sockets.modify(socket, events)

    def _wake_in(self, milliseconds: int) -> None:
        """libcurl wants to be driven after so long, or not at all."""
        assert self._loop is not None
        self._wanted_at = _NEVER if milliseconds < 0 else self._loop.time() + milliseconds / 1000

    def _read(self) -> None:
        for key, events in self._sockets.select(0):
            if key.fd in self._busy:
                self._drive(key.fd, events)
            else:  # a vendor hung up, or spoke unasked
                self._sockets.unregister(key.fd)
        self._set_timer()

    def _ask_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._soon:
            self._soon = True
            loop.call_soon(self._ask)

    def _ask(self) -> None:
        """Let every request go that was handed over in this turn: one after the other they cost less than each by itself."""
        self._soon = False
        if not self.closed:
            self._drive(pycurl.SOCKET_TIMEOUT, 0)
            self._set_timer()

    def _ring(self) -> None:
        assert self._loop is not None
        self._timer, self._rings_at = None, _NEVER
        now = self._loop.time()
        if now >= self._wanted_at:
            self._drive(pycurl.SOCKET_TIMEOUT, 0)
            if now >= self._wanted_at:  # by libcurl's finer clock it is not time yet
                self._wanted_at = now + _TICK_SECONDS
        self._set_timer()

    def _set_timer(self) -> None:
        """A timer that rings too early costs less than one that is moved with every request."""
        if self._wanted_at >= self._rings_at:
            return
        assert self._loop is not None
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._rings_at = self._loop.call_at(self._wanted_at, self._ring), self._wanted_at

    def _drive(self, socket: int, events: int) -> None:
        _, running = self._multi.socket_action(socket, events)
        if running == len(self._under_way):
            return
        _, well, badly = self._multi.info_read()
        for curl in well:
            self._settle(curl, 0)
        for curl, code, _ in badly:
            self._settle(curl, code)

    def _settle(self, curl: pycurl.Curl, code: int) -> None:
        self._multi.remove_handle(curl)
        future = self._under_way.pop(curl)
        if not future.done():
            future.set_result(code)
