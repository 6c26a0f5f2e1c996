"""A body that is made while it is sent: looked at before a byte leaves, whole only where it is as announced. Knows no engine."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import suppress
from typing import Final, cast

import httpx2

from connectors.wire import Anew
from gateway.egress.refused import RequestRefused
from gateway.log import Log

_log = Log("gateway.egress")
_AHEAD_BYTES: Final = 128 << 10  # what is fetched before it is wanted; a body that ends within it is sent as any other
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")

Source = AsyncIterable[bytes] | Iterable[bytes]


class Stream:
    """One body in pieces. The last of it is kept back until its source has come to its end at the announced length.

    So whoever receives it has all of it only where all of it is right. It begins anew where its source says that it can; what
    is half sent is never gone on with.
    """

    def __init__(self, source: Source, length: int) -> None:
        """Nothing is fetched yet."""
        self._source = source
        self._length = length
        self._pump: asyncio.Task[None] | None = None
        self._go_on: Callable[[], None] | None = None
        self._begin()

    def _begin(self) -> None:
        self._pieces = aiter(self._source) if isinstance(self._source, AsyncIterable) else _one_by_one(self._source)
        self._ready: deque[memoryview] = deque()
        self._fetched = 0
        self.taken = 0
        """How many bytes the engine took."""
        self._ended = self._starving = self.begun = self.broken = False
        self._wanted = asyncio.Event()

    def __len__(self) -> int:
        """The announced length."""
        return self._length

    @property
    def anew(self) -> bool:
        """Whether its source can begin again."""
        return isinstance(self._source, Anew)

    async def look_ahead(self, seconds: float) -> bytes | None:
        """Fetch the first pieces; gives the body where that is all of it. Raises RequestRefused where it is none."""
        try:
            async with asyncio.timeout(seconds):
                while not self._ended and self._fetched < _AHEAD_BYTES:
                    await self._fetch()
            return b"".join(self._ready) if self._ended else None
        except TimeoutError:
            pass
        raise RequestRefused("body_slow")

    async def ready_again(self, seconds: float) -> None:
        """Make sure that the next byte is the first one."""
        if self.begun:
            await self.close()
            self._begin()
            await self.look_ahead(seconds)

    def feeds(self, go_on: Callable[[], None]) -> None:
        """`go_on` is called when there is something to read again after there was not."""
        self._go_on = go_on

    def read(self, size: int) -> bytes | None:
        """The next bytes, at most so many; none at the end. None where there are no more yet, or never (`broken`)."""
        if not self.begun:
            self.begun = True
            self._pump = asyncio.get_running_loop().create_task(self._fill())
        parts: list[memoryview] = []
        while self._ready and size:
            head = self._ready.popleft()
            if len(head) > size:
                self._ready.appendleft(head[size:])
                head = head[:size]
            size -= len(head)
            self.taken += len(head)
            parts.append(head)
        self._wanted.set()
        if parts or self._ended:
            return b"".join(parts)
        self._starving = True
        return None

    async def close(self) -> None:
        """Let the source go."""
        self._go_on = None
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait([self._pump])
        closing = getattr(self._pieces, "aclose", None)
        if closing is not None:
            with suppress(Exception):  # a source that cannot even end well has nothing to say about what was sent
                await closing()

    async def _fill(self) -> None:
        """Fetch what is wanted, a little ahead."""
        while not (self._ended or self.broken):
            if self._fetched - self.taken >= _AHEAD_BYTES:
                self._wanted.clear()
                await self._wanted.wait()
                continue
            try:
                await self._fetch()
            except RequestRefused:
                self.broken = True
            if self._starving and self._go_on is not None:
                self._starving = False
                self._go_on()

    async def _fetch(self) -> None:
        """Fetch one piece; the one that makes it whole only where nothing comes after it."""
        piece = await self._next()
        if piece:
            self._fetched += len(piece)
        elif self._fetched != self._length:
            raise RequestRefused("length_wrong")
        if self._fetched >= self._length:
            if self._fetched > self._length or (piece and await self._next()):
                raise RequestRefused("length_wrong")
            self._ended = True
        if piece:
            self._ready.append(memoryview(piece))

    async def _next(self) -> bytes:
        """The next piece that is not empty; an empty one at the end."""
        try:
            async for piece in self._pieces:
                if not isinstance(piece, bytes):
                    raise TypeError
                if piece:
                    return piece
            return b""
        except Exception as error:
            _log.warning("body_broken", error=type(error).__name__)
        raise RequestRefused("body_broken")  # outside the block: the cause may quote what it was made of


async def body_of(request: httpx2.Request, seconds: float) -> bytes | Stream:
    """What a request carries: bytes, or a stream where that is long. Raises RequestRefused where it cannot be sent."""
    try:
        return request.content
    except httpx2.RequestNotRead:
        pass
    if isinstance(request.stream, httpx2.ByteStream):
        return await request.aread()
    stream = Stream(cast("Source", request.stream), _announced(request))
    try:
        whole = await stream.look_ahead(seconds)
    except BaseException:
        await stream.close()
        raise
    if whole is None:
        return stream
    await stream.close()
    return whole


def may_go_again(body: bytes | Stream) -> bool:
    """Whether a body can be sent from its start, once more."""
    return not isinstance(body, Stream) or not body.begun or body.anew


def _announced(request: httpx2.Request) -> int:
    said = [value for name, value in request.headers.raw if name.lower() == b"content-length"]
    if len(said) != 1 or not _LENGTH.fullmatch(said[0]):
        raise RequestRefused("length_missing")
    return int(said[0])


async def _one_by_one(source: Iterable[bytes]) -> AsyncIterator[bytes]:
    pieces = iter(source)
    try:
        for piece in pieces:
            yield piece
    finally:
        closing = getattr(pieces, "close", None)
        if closing is not None:
            closing()
