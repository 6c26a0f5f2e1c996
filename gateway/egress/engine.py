"""Carry one letter with libcurl: the only file that knows it. Follows, repeats, decodes and resolves nothing."""

import asyncio
import os
import re
import select
from collections.abc import Callable
from functools import partial
from tempfile import NamedTemporaryFile
from typing import IO, Any, Final

import certifi

os.environ.pop("SSLKEYLOGFILE", None)  # libcurl, once it is loaded, would write there the keys of every connection
import pycurl

from connectors.contract import Ambiguous, AnswerRefused, ConnectorError, Unreachable
from gateway.egress.letter import Header, Letter, Limits, Received, Target, fits_a_header
from gateway.egress.refused import RequestRefused
from gateway.egress.stream import Stream
from gateway.egress.transfers import Transfers

_KEPT: Final = 256  # connections, and transfers to use again
_HEADERS: Final = 256  # lines of an answer's head; libcurl bounds their length
_IDLE_SECONDS: Final = 20  # shorter than vendors keep a silent connection, so that a request seldom meets a closed one
_ALWAYS: Final = {
    pycurl.NOSIGNAL: 1,
    pycurl.FOLLOWLOCATION: 0,
    pycurl.NETRC: 0,
    pycurl.PROXY: "",  # none, whatever the environment says
    pycurl.NOPROXY: "*",
    pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
    pycurl.HTTP09_ALLOWED: 0,
    pycurl.PATH_AS_IS: 1,
    pycurl.SSL_VERIFYPEER: 1,
    pycurl.SSL_VERIFYHOST: 2,
    pycurl.MAXAGE_CONN: _IDLE_SECONDS,
    pycurl.USERAGENT: "clinic-gateway",
}
_PROTOCOLS: Final = {"https": pycurl.PROTO_HTTPS, "http": pycurl.PROTO_HTTP}
_FLOORS: Final = {"1.2": pycurl.SSLVERSION_TLSv1_2, "1.3": pycurl.SSLVERSION_TLSv1_3}
# A name without a value takes back what libcurl would write by itself.
_OWN_LINES: Final = ("accept-encoding: identity", "content-type:", "expect:")
_METHOD: Final = re.compile(r"[A-Z]+")
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_LINES: Final = re.compile(r"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:;|: [ -~]+)\n)*")  # RFC 9110 5.1, 5.5
_CODING: Final = "content-encoding"
# What our functions say to libcurl.
_YES: Final = 0  # SOCKOPT_OK, PREREQFUNC_OK
_NO: Final = 1  # SOCKOPT_ERROR, PREREQFUNC_ABORT
_STOP: Final = -1  # not the length of what was written
_UNWRITABLE: Final = frozenset({pycurl.E_URL_MALFORMAT, pycurl.E_UNSUPPORTED_PROTOCOL})
_TLS: Final = frozenset(
    getattr(pycurl, name) for name in dir(pycurl) if name.startswith("E_SSL_") or name == "E_PEER_FAILED_VERIFICATION"
)
_UNREADABLE: Final = frozenset(
    {
        pycurl.E_BAD_CONTENT_ENCODING,
        pycurl.E_UNSUPPORTED_PROTOCOL,
        pycurl.E_FTP_WEIRD_SERVER_REPLY,  # in spite of its name for any protocol
        pycurl.E_WRITE_ERROR,
    }
)


class CurlEngine:
    """One set of kept connections: each to a checked address, under one name and one TLS floor."""

    def __init__(
        self, *, connect_seconds: float = 5.0, read_seconds: float = 20.0, trust_pem: bytes | None = None
    ) -> None:
        """`trust_pem` holds certificates of the operator's own authorities, trusted besides the public ones."""
        self._transfers = Transfers(most_kept=_KEPT)
        self._read_seconds = read_seconds
        # A file and not a value: libcurl reads a file once for all connections.
        self._trusted = None if trust_pem is None else _file(certifi.contents().encode() + b"\n" + trust_pem)
        authorities = certifi.where() if self._trusted is None else self._trusted.name
        connecting = {pycurl.CONNECTTIMEOUT_MS: _milliseconds(connect_seconds), pycurl.CAINFO: authorities}
        self._settings = {**_ALWAYS, **connecting}
        self._free: list[_Transfer] = []
        self._under_way: set[_Transfer] = set()
        self._look: asyncio.TimerHandle | None = None
        self._kept = _Kept()

    async def send(self, letter: Letter, target: Target, limits: Limits) -> Received:
        """One attempt; raises Unreachable, Ambiguous, AnswerRefused or RequestRefused, never what pycurl raises."""
        if self._transfers.closed:
            raise Unreachable("engine_closed")
        transfer = self._free.pop() if self._free else _Transfer(self._settings, self._kept, self._transfers.opened)
        transfer.write(letter, target, limits)
        ending = await self._carried(transfer)
        if transfer.met_a_closed_connection:
            ending = await self._carried(transfer, on_a_new_connection=True)
        if isinstance(ending, ConnectorError):
            raise ending  # outside of any block: libcurl's error quotes the address
        transfer.forget()
        if len(self._free) < _KEPT:
            self._free.append(transfer)
        return ending

    async def close(self) -> None:
        """Close every connection; what is still under way ends in doubt."""
        self._free.clear()
        if self._look is not None:
            self._look.cancel()
        if not self._transfers.closed:
            self._transfers.close(pycurl.E_ABORTED_BY_CALLBACK)
        if self._trusted is not None:
            self._trusted.close()

    async def _carried(self, transfer: "_Transfer", *, on_a_new_connection: bool = False) -> Received | ConnectorError:
        transfer.begin(on_a_new_connection=on_a_new_connection)
        if transfer.stream is not None:
            transfer.stream.feeds(partial(self._transfers.go_on, transfer.curl))
        self._under_way.add(transfer)
        if self._look is None:
            self._look = asyncio.get_running_loop().call_later(self._read_seconds, self._end_silent)
        try:
            code = await self._transfers.carry(transfer.curl)
        finally:
            self._under_way.discard(transfer)
        return transfer.failure(code) if code else transfer.received()

    def _end_silent(self) -> None:
        """End each transfer whose vendor says nothing for too long; look again when the next one may be silent so long."""
        self._look = None
        latest = [self._read_seconds - transfer.silent_seconds() for transfer in self._under_way]
        for transfer, left in zip(list(self._under_way), latest, strict=True):
            if left <= 0:
                self._transfers.end(transfer.curl, pycurl.E_OPERATION_TIMEDOUT)
        if waits := [left for left in latest if left > 0]:
            self._look = asyncio.get_running_loop().call_later(min(waits), self._end_silent)


class _Kept:
    """The sockets of kept connections, each found by the addresses and ports of its two ends."""

    def __init__(self) -> None:
        self._polls: dict[tuple[object, ...], select.poll] = {}

    def add(self, ends: tuple[object, ...], socket: int) -> None:
        """Keep the socket of a new connection; a connection whose socket was dropped counts as closed."""
        self._polls.pop(ends, None)
        poll = self._polls[ends] = select.poll()
        poll.register(socket, select.POLLIN)
        if len(self._polls) > 4 * _KEPT:
            del self._polls[next(iter(self._polls))]

    def is_open(self, ends: tuple[object, ...]) -> bool:
        """Whether the vendor has neither closed a connection nor said anything unasked on it."""
        poll = self._polls.get(ends)
        return poll is not None and not poll.poll(0)


class _Transfer:
    """One transfer of libcurl's, used again and again, and what came in by it."""

    def __init__(self, settings: dict[int, Any], kept: _Kept, opened: Callable[[int], None]) -> None:
        self._kept = kept
        self._opened = opened
        self.curl = pycurl.Curl()
        for option, value in settings.items():
            self.curl.setopt(option, value)
        # libcurl repeats a request by itself where a kept connection breaks. We do not: one attempt asks once.
        self.curl.setopt(pycurl.SOCKOPTFUNCTION, self._connects)
        self.curl.setopt(pycurl.PREREQFUNCTION, self._asks)
        self._lines: list[bytes] = []
        self.curl.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._heard_part)
        self.curl.setopt(pycurl.READFUNCTION, self._gives)
        self.stream: Stream | None = None
        self._target: Target | None = None
        self._anew = False
        self._clock = asyncio.get_running_loop().time

    def write(self, letter: Letter, target: Target, limits: Limits) -> None:
        """Make ready for one letter; raises RequestRefused where it cannot be written."""
        self._max_bytes = limits.answer_bytes
        lines = [f"{name}: {value}" if value.strip() else f"{name};" for name, value in letter.headers]
        readable = _METHOD.fullmatch(letter.method) and _LINES.fullmatch("\n".join([*lines, ""]))
        try:
            if readable:
                return self._set(letter, [*lines, *_OWN_LINES], target, limits)
        except (ValueError, TypeError, pycurl.error):
            pass
        raise RequestRefused("request_unreadable")

    def _set(self, letter: Letter, lines: list[str], target: Target, limits: Limits) -> None:
        put = self.curl.setopt
        if target != self._target:
            address = f"[{target.address}]" if ":" in target.address else target.address
            put(pycurl.CONNECT_TO, [f"::{address}:{target.port}"])
            put(pycurl.PROTOCOLS, _PROTOCOLS[target.scheme])
            put(pycurl.SSLVERSION, _FLOORS[target.min_tls])
            self._target = target
        put(pycurl.URL, letter.url)
        put(pycurl.HTTPHEADER, lines)
        put(pycurl.MAXFILESIZE_LARGE, limits.answer_bytes)
        put(pycurl.TIMEOUT_MS, _milliseconds(limits.seconds))
        self.stream = None
        if isinstance(letter.body, Stream):
            self.stream = letter.body
            put(pycurl.UPLOAD, 1)
            put(pycurl.INFILESIZE_LARGE, len(letter.body))
        elif letter.body or letter.method in _WITH_BODY:
            put(pycurl.POST, 1)
            put(pycurl.POSTFIELDS, letter.body)
        else:
            put(pycurl.HTTPGET, 1)
            put(pycurl.NOBODY, letter.method == "HEAD")
        put(pycurl.CUSTOMREQUEST, letter.method)

    def begin(self, *, on_a_new_connection: bool) -> None:
        """Make ready to hear an answer."""
        if on_a_new_connection != self._anew:
            self.curl.setopt(pycurl.FRESH_CONNECT, on_a_new_connection)
            self._anew = on_a_new_connection
        self._lines.clear()
        self._parts: list[bytes] = []
        self._bytes = self._lines_seen = 0
        self._socket: int | None = None
        self._asked = self.met_a_closed_connection = False
        self._moved = self._clock()

    def forget(self) -> None:
        """Keep nothing of the letter, its credential above all."""
        self._lines.clear()
        self._parts = []
        self.stream = None
        self.curl.unsetopt(pycurl.HTTPHEADER)
        self.curl.setopt(pycurl.POSTFIELDS, b"")
        self.curl.setopt(pycurl.URL, "")

    def silent_seconds(self) -> float:
        """How long the vendor has said nothing."""
        now = self._clock()
        if len(self._lines) != self._lines_seen:
            self._lines_seen, self._moved = len(self._lines), now
        return now - self._moved

    def failure(self, code: int) -> ConnectorError:
        """What an error of libcurl's says about this request."""
        if self._bytes > self._max_bytes:
            return AnswerRefused("too_large")
        left = self._asked or self.curl.getinfo(pycurl.REQUEST_SIZE) > 0
        if self.stream is not None and self.stream.broken:
            return Ambiguous("body_broken") if left else RequestRefused("body_broken")
        return meaning(code, left=left, answered=bool(_head(self._lines)))

    def received(self) -> Received | ConnectorError:
        """The answer, once it is whole."""
        if len(self._lines) > _HEADERS:
            return Ambiguous("unreadable_answer")
        lines = self._lines.copy()
        status: int = self.curl.getinfo(pycurl.RESPONSE_CODE)
        if self.stream is not None and status < 300 and self.curl.getinfo(pycurl.SIZE_UPLOAD_T) < len(self.stream):
            return Ambiguous("early_answer")  # it says yes to what it does not have
        return Received(status, _coding(lines), b"".join(self._parts), partial(_headers, lines))

    def _connects(self, socket: int, _purpose: int) -> int:
        self._socket = socket
        self._opened(socket)
        return _NO if self._asked else _YES

    def _asks(self, *ends: object) -> int:
        if self._asked:
            return _NO
        if self._socket is not None:
            self._kept.add(ends, self._socket)
        elif not self._kept.is_open(ends):  # libcurl itself looks only once in a second
            self.met_a_closed_connection = True
            return _NO
        self._asked, self._moved = True, self._clock()
        return _YES

    def _gives(self, size: int) -> bytes | int:
        """The next bytes of a body that is made while it is sent."""
        assert self.stream is not None
        self._moved = self._clock()
        given = self.stream.read(size)
        if given is not None:
            return given
        return int(pycurl.READFUNC_ABORT if self.stream.broken else pycurl.READFUNC_PAUSE)

    def _heard_part(self, part: bytes) -> int | None:
        self._moved = self._clock()
        self._bytes += len(part)
        if self._bytes > self._max_bytes:
            return _STOP
        self._parts.append(part)
        return None


def meaning(code: int, *, left: bool, answered: bool) -> ConnectorError:
    """What an error of libcurl's says about a request of which a byte may have left, and whose answer has begun."""
    if not left:
        return _unsent(code)
    if code == pycurl.E_FILESIZE_EXCEEDED:
        return AnswerRefused("too_large")
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return AnswerRefused("too_slow") if answered else Ambiguous("timeout")
    return Ambiguous("unreadable_answer" if code in _UNREADABLE else "broken_connection")


def _unsent(code: int) -> ConnectorError:
    if code in _UNWRITABLE:
        return RequestRefused("request_unreadable")
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return Unreachable("connect_timeout")
    return Unreachable("tls_failed" if code in _TLS else "connect_failed")


def _coding(lines: list[bytes]) -> str | None:
    if b"\ncontent-encoding" not in b"".join(lines).lower():
        return None
    said = [value if fits_a_header(value) else "unreadable" for name, value in _pairs(lines) if name == _CODING]
    return ", ".join(said) or None


def _headers(lines: list[bytes]) -> list[Header]:
    """The headers that are text; the others are left out."""
    return [(name, value) for name, value in _pairs(lines) if fits_a_header(value)]


def _pairs(lines: list[bytes]) -> list[Header]:
    parts = [line.decode("latin-1").partition(":") for line in _head(lines)[1:]]
    return [(name.strip().lower(), value.strip().replace("\t", " ")) for name, colon, value in parts if colon]


def _head(lines: list[bytes]) -> list[bytes]:
    """The head that counts, once it is whole: interim ones come before it (RFC 9110 15.2), trailers after it (6.5)."""
    start = 0
    for end, line in enumerate(lines):
        if line.isspace():
            if not lines[start].split()[1].startswith(b"1"):
                return lines[start:end]
            start = end + 1
    return []


def _file(content: bytes) -> IO[bytes]:
    file = NamedTemporaryFile(suffix=".pem")  # noqa: SIM115  # closed with the engine
    file.write(content)
    file.flush()
    return file


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
