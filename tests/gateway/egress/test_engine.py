"""The engine over real sockets: what each ending of an exchange says about the request."""

import asyncio
import gzip
import inspect
import os
import random
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pycurl
import pytest

from connectors.contract import Ambiguous, AnswerRefused, ConnectorError, Unreachable
from gateway.egress import CurlEngine, Letter, Limits, Received, RequestRefused, Target
from gateway.egress.engine import meaning
from tests.gateway.egress.certificates import Authority
from tests.gateway.egress.conftest import Start
from tests.gateway.egress.vendor import Behaviour, Vendor, answer

LIMITS = Limits(2.0, 10_000)


@pytest.fixture
async def engine() -> AsyncIterator[CurlEngine]:
    engine = CurlEngine(connect_seconds=0.5, read_seconds=1.0)
    yield engine
    await engine.close()


def to(port: int, path: str = "/v1") -> tuple[Letter, Target]:
    letter = Letter("POST", f"http://vendor.test:{port}{path}", [("x-a", "b")], b"a=1")
    return letter, Target("http", "vendor.test", port, "127.0.0.1", "1.2")


async def ending(engine: CurlEngine, port: int, limits: Limits = LIMITS) -> tuple[type[Exception], str]:
    """The error that a sending ends with."""
    with pytest.raises(ConnectorError) as failed:
        await engine.send(*to(port), limits)
    assert failed.value.__context__ is None
    assert failed.value.__cause__ is None
    return type(failed.value), failed.value.code


async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def says(*parts: bytes, pause: float = 0.0) -> Behaviour:
    """Say some bytes, with pauses between, and hang up."""

    async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return _say


HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n"


async def test_an_answer_comes_back_whole_and_not_decoded(engine: CurlEngine, vendor: Vendor) -> None:
    vendor.answers = [answer(402, b"\x1f\x8bno gzip", content_encoding="gzip", request_id="req_1")]
    received = await engine.send(*to(vendor.port), LIMITS)
    assert received[:3] == (402, "gzip", b"\x1f\x8bno gzip")
    assert ("request-id", "req_1") in received.headers()


async def test_an_answer_in_chunks_comes_back_whole(engine: CurlEngine, vendor: Vendor) -> None:
    vendor.answers = [
        says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n")
    ]
    assert (await engine.send(*to(vendor.port), LIMITS)).body == b"abcde"


async def test_connections_are_kept_between_requests(engine: CurlEngine, vendor: Vendor) -> None:
    for _ in range(5):
        await engine.send(*to(vendor.port), LIMITS)
    assert (vendor.connections, len(vendor.requests)) == (1, 5)


async def test_the_port_of_the_address_is_the_port_that_is_reached(engine: CurlEngine, vendor: Vendor) -> None:
    letter = Letter("GET", "http://vendor.test/v1", [], b"")  # port 80 by the address, another by the target
    await engine.send(letter, Target("http", "vendor.test", vendor.port, "127.0.0.1", "1.2"), LIMITS)
    assert vendor.header("host") == ["vendor.test"]


@contextmanager
def deaf() -> Iterator[int]:
    """A port that takes no connection and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for one in waiting:
            one.close()


@contextmanager
def closed() -> Iterator[int]:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


async def test_a_refused_connection_left_nothing(engine: CurlEngine) -> None:
    with closed() as port:
        assert await ending(engine, port) == (Unreachable, "connect_failed")


async def test_a_connection_that_is_never_made_left_nothing(engine: CurlEngine) -> None:
    with deaf() as port:
        assert await ending(engine, port) == (Unreachable, "connect_timeout")


async def test_a_deadline_that_passes_while_connecting_left_nothing(engine: CurlEngine) -> None:
    with deaf() as port:
        assert await ending(engine, port, Limits(0.2, 100)) == (Unreachable, "connect_timeout")


async def test_silence_after_the_request_is_in_doubt(engine: CurlEngine, vendor: Vendor) -> None:
    vendor.answers = [never]
    assert await ending(engine, vendor.port, Limits(0.3, 100)) == (Ambiguous, "timeout")
    assert await ending(engine, vendor.port, Limits(5.0, 100)) == (Ambiguous, "timeout")  # by the read timeout
    assert len(vendor.requests) == 2


@pytest.mark.parametrize("parts", [(b"",), (b"HTTP/1.1 200",), (HEAD,), (HEAD + b"abc",)])
async def test_a_connection_that_breaks_after_the_request_is_in_doubt(
    parts: tuple[bytes, ...], engine: CurlEngine, vendor: Vendor
) -> None:
    vendor.answers = [says(*parts)]
    kind, _ = await ending(engine, vendor.port)
    assert kind is Ambiguous
    assert len(vendor.requests) == 1


def hangs_up(how: str) -> Behaviour:
    """Take the request and end the connection without a word: in good order, or by a reset."""

    async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if how == "reset":
            taken = writer.get_extra_info("socket")
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    return _hang_up


@pytest.mark.parametrize("how", ["closed", "reset"])
@pytest.mark.parametrize("kept", [1, 3])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
async def test_a_kept_connection_that_breaks_before_the_answer_is_in_doubt_and_asked_once(
    method: str, kept: int, how: str, engine: CurlEngine, vendor: Vendor
) -> None:
    letter, target = Letter(method, f"http://vendor.test:{vendor.port}/v1", [], b""), to(vendor.port)[1]
    vendor.answers = [*[answer(200)] * kept, hangs_up(how)]
    vendor.delay_seconds = 0.1  # so that they need a connection each
    await asyncio.gather(*(engine.send(letter, target, LIMITS) for _ in range(kept)))
    with pytest.raises(Ambiguous):
        await engine.send(letter, target, LIMITS)
    await asyncio.sleep(0.05)
    # Neither on a new connection nor on another kept one: an attempt asks once.
    assert (vendor.connections, len(vendor.requests)) == (kept, kept + 1)


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("kept", [1, 3])
@pytest.mark.parametrize("pause", [0.0, 0.02, 1.1])
async def test_a_kept_connection_that_the_vendor_closed_meanwhile_is_not_used(
    pause: float, kept: int, secure: bool, start: Start, authority: Authority
) -> None:
    vendor = await start(authority.context("vendor.test") if secure else None)
    scheme = "https" if secure else "http"
    letter = Letter("POST", f"{scheme}://vendor.test:{vendor.port}/v1", [], b"a=1")
    target = Target(scheme, "vendor.test", vendor.port, "127.0.0.1", "1.2")
    engine = CurlEngine(trust_pem=authority.pem)
    vendor.answers = [*[says(b"", answer(200, b"1"), pause=0.1)] * kept, answer(200, b"2")]
    await asyncio.gather(*(engine.send(letter, target, LIMITS) for _ in range(kept)))
    await asyncio.sleep(0.15 + pause)
    for _ in range(kept):
        assert (await engine.send(letter, target, LIMITS)).body == b"2"
    assert len(vendor.requests) == 2 * kept
    await engine.close()


async def test_a_transfer_that_waits_for_the_next_letter_keeps_nothing_of_the_last(
    engine: CurlEngine, vendor: Vendor
) -> None:
    letter, target = to(vendor.port, "/secret")
    body = b"secret-%d" % vendor.port
    held = sys.getrefcount(body)
    await engine.send(letter._replace(body=body), target, LIMITS)
    (transfer,) = engine._free
    assert sys.getrefcount(body) == held
    assert (transfer._parts, transfer._lines) == ([], [])
    with pytest.raises(pycurl.error) as failed:
        transfer.curl.perform()
    assert failed.value.args[0] == pycurl.E_URL_MALFORMAT
    transfer.begin(on_a_new_connection=True)
    transfer.curl.setopt(pycurl.URL, letter.url)
    await asyncio.to_thread(transfer.curl.perform)
    assert vendor.header("x-a", 0) == ["b"]
    assert vendor.header("x-a", 1) == []


@pytest.mark.parametrize(
    "bytes_",
    [
        b"SSH-2.0-server\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 2_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: a\r\n" * 5000 + b"\r\n",
    ],
    ids=["ssh", "status", "colon", "lengths", "negative", "chunks", "big-head", "many-headers"],
)
async def test_an_answer_that_is_no_http_is_in_doubt(bytes_: bytes, engine: CurlEngine, vendor: Vendor) -> None:
    vendor.answers = [says(bytes_, pause=0.1)]
    assert (await ending(engine, vendor.port))[0] is Ambiguous


@pytest.mark.parametrize("name", [b"x-odd", b"content-encoding", b"set-cookie"])
async def test_a_header_that_is_no_text_is_left_out(name: bytes, engine: CurlEngine, vendor: Vendor) -> None:
    vendor.answers = [b"HTTP/1.1 200 OK\r\nx-good: 1\r\n" + name + b": \xff\xfe\r\ncontent-length: 2\r\n\r\nok"]
    received = await engine.send(*to(vendor.port), LIMITS)
    assert ("x-good", "1") in received.headers()
    assert received.coding == ("unreadable" if name == b"content-encoding" else None)


async def test_a_body_that_drips_is_cut_off_at_the_deadline(engine: CurlEngine, vendor: Vendor) -> None:
    vendor.answers = [says(HEAD, *[b"x"] * 200, pause=0.05)]
    began = time.monotonic()
    assert await ending(engine, vendor.port, Limits(0.5, 10_000)) == (AnswerRefused, "too_slow")
    assert time.monotonic() - began < 5  # all of it takes ten


async def test_a_body_that_stops_is_cut_off_by_the_read_timeout(engine: CurlEngine, vendor: Vendor) -> None:
    vendor.answers = [says(HEAD, b"x", pause=30)]
    began = time.monotonic()
    assert await ending(engine, vendor.port, Limits(20.0, 10_000)) == (AnswerRefused, "too_slow")
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("announced", [True, False])
async def test_an_answer_beyond_the_limit_is_cut_off_while_it_comes(
    announced: bool, engine: CurlEngine, vendor: Vendor
) -> None:
    written = 0
    gone = asyncio.Event()
    size = 1_000_000_000

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        head = f"content-length: {size}" if announced else "connection: close"
        writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
        try:
            while written < size:
                writer.write(bytes(65_536))
                written += 65_536
                await writer.drain()
        finally:
            gone.set()

    vendor.answers = [flood]
    assert await ending(engine, vendor.port, Limits(10.0, 1 << 20)) == (AnswerRefused, "too_large")
    await asyncio.wait_for(gone.wait(), 5)
    assert written < 50_000_000  # what the sockets hold, not what the vendor has


async def test_an_answer_of_just_the_limit_is_taken(engine: CurlEngine, vendor: Vendor) -> None:
    vendor.answers = [answer(200, bytes(10_000)), answer(200, bytes(10_001))]
    assert len((await engine.send(*to(vendor.port), LIMITS)).body) == 10_000
    assert await ending(engine, vendor.port) == (AnswerRefused, "too_large")


@pytest.mark.parametrize(
    "letter",
    [
        Letter("POST", "http://", [], b""),
        Letter("PO ST", "http://vendor.test/", [], b""),
        Letter("POST", "http://vendor.test/", [("x a", "b")], b""),
        Letter("POST", "http://vendor.test/", [("x", "a\r\nb")], b""),
    ],
)
async def test_a_letter_that_cannot_be_written_is_refused(letter: Letter, engine: CurlEngine) -> None:
    with pytest.raises(RequestRefused) as refused:
        await engine.send(letter, to(1)[1], LIMITS)
    assert (refused.value.code, refused.value.__context__) == ("request_unreadable", None)


async def test_a_secure_target_is_never_spoken_to_in_the_clear(engine: CurlEngine, vendor: Vendor) -> None:
    with pytest.raises(RequestRefused):
        await engine.send(to(vendor.port)[0], Target("https", "vendor.test", vendor.port, "127.0.0.1", "1.2"), LIMITS)
    assert vendor.connections == 0


@pytest.mark.parametrize("begun", [b"", HEAD + b"abc"])
async def test_a_caller_that_gives_up_is_let_go_at_once_and_the_connection_ends(
    begun: bytes, engine: CurlEngine, vendor: Vendor
) -> None:
    gone = asyncio.Event()

    async def wait_for_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        await reader.read()
        gone.set()

    vendor.answers = [wait_for_the_end, answer(200, b"next")]
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(engine.send(*to(vendor.port), Limits(10.0, 10_000)), 0.2)
    await asyncio.wait_for(gone.wait(), 5)
    assert time.monotonic() - began < 8  # the limit would end it after ten
    assert (await engine.send(*to(vendor.port), LIMITS)).body == b"next"


async def test_an_engine_that_closes_leaves_what_is_under_way_in_doubt(engine: CurlEngine, vendor: Vendor) -> None:
    vendor.answers = [never]
    sending = asyncio.create_task(ending(engine, vendor.port))
    await asyncio.sleep(0.1)
    await engine.close()
    assert await sending == (Ambiguous, "broken_connection")
    assert await ending(engine, vendor.port) == (Unreachable, "engine_closed")
    assert len(vendor.requests) == 1


async def test_kept_connections_are_bounded_and_what_is_under_way_is_not_cut(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.egress.engine._KEPT", 2)
    engine = CurlEngine()
    vendor.answers = [says(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", b"ok", pause=0.3), answer(200)]

    async def send(host: str) -> Received:
        letter = Letter("GET", f"http://{host}:{vendor.port}/", [], b"")
        return await engine.send(letter, Target("http", host, vendor.port, "127.0.0.1", "1.2"), LIMITS)

    slow = asyncio.create_task(send("a.test"))
    await asyncio.sleep(0.1)
    vendor.delay_seconds = 0.05
    await asyncio.gather(*(send(f"{name}.test") for name in "bcdefg"))
    assert (await slow).body == b"ok"
    assert len(ends(vendor.port)) <= 2
    assert len(engine._free) <= 2
    await engine.close()
    assert ends(vendor.port) == []


def ends(port: int) -> list[int]:
    """Our own ports of the connections to a port."""
    open_ones = [one for one in psutil.Process().net_connections() if one.status == psutil.CONN_ESTABLISHED]
    return [one.laddr.port for one in open_ones if one.raddr and one.raddr.port == port]


async def test_a_kept_connection_serves_only_the_address_that_it_leads_to(engine: CurlEngine, vendor: Vendor) -> None:
    letter, target = to(vendor.port)
    await engine.send(letter, target, LIMITS)
    with pytest.raises(Unreachable):  # the same name, of which another address was checked since; nobody listens there
        await engine.send(letter, target._replace(address="127.0.0.2"), LIMITS)
    await engine.send(letter, target, LIMITS)
    assert (vendor.connections, len(vendor.requests)) == (1, 2)


async def test_many_exchanges_at_once_do_not_mix(engine: CurlEngine, vendor: Vendor) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        said = vendor.requests[-1]
        await asyncio.sleep(random.random() / 20)
        return answer(200, said.partition(b"\r\n\r\n")[2], x_path=said.split()[1].decode())

    async def send(number: int) -> None:
        letter, target = to(vendor.port, f"/{number}")
        received = await engine.send(letter._replace(body=b"%d" % number), target, LIMITS)
        assert received.body == b"%d" % number
        assert ("x-path", f"/{number}") in received.headers()

    vendor.answers = [echo]
    for _ in range(2):
        await asyncio.gather(*(send(number) for number in range(100)))


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [
        ("GET", b"", []),
        ("HEAD", b"", []),
        ("DELETE", b"", []),
        ("DELETE", b"a=1", ["3"]),
        ("POST", b"", ["0"]),
        ("PUT", b"\x00\xff", ["2"]),
        ("PATCH", b"a=1", ["3"]),
        ("POST", bytes(2_000_000), ["2000000"]),
    ],
)
async def test_a_letter_leaves_as_it_is_written(
    method: str, body: bytes, length: list[str], engine: CurlEngine, vendor: Vendor
) -> None:
    headers = [("x-a", "b"), ("x-a", "c"), ("x-empty", ""), ("content-encoding", "gzip")]
    url = f"http://vendor.test:{vendor.port}/a/./b%2F?c=%20&d=[e]"
    target = to(vendor.port)[1]
    for _ in range(2):  # the second by the same transfer
        await engine.send(
            Letter("POST", f"http://vendor.test:{vendor.port}/", [("x-other", "1")], b"z"), target, LIMITS
        )
        await engine.send(Letter(method, url, headers, body), target, LIMITS)
        assert vendor.lines()[0] == f"{method} /a/./b%2F?c=%20&d=[e] HTTP/1.1"
        assert (vendor.header("x-a"), vendor.header("x-empty"), vendor.header("x-other")) == (["b", "c"], [""], [])
        assert (vendor.header("content-length"), vendor.header("accept-encoding")) == (length, ["identity"])
        for name in ("content-type", "expect", "transfer-encoding", "connection", "upgrade"):
            assert vendor.header(name) == []
        assert vendor.requests[-1].partition(b"\r\n\r\n")[2] == body


async def test_an_answer_without_a_body_may_announce_one(engine: CurlEngine, vendor: Vendor) -> None:
    vendor.answers = [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"]
    letter, target = to(vendor.port)
    assert (await engine.send(letter._replace(method="HEAD", body=b""), target, LIMITS))[::2] == (200, b"")


async def test_only_the_last_head_of_an_answer_counts(engine: CurlEngine, vendor: Vendor) -> None:
    vendor.answers = [
        b"HTTP/1.1 100 Continue\r\nx-one: 1\r\n\r\nHTTP/1.1 103 Early\r\ncontent-encoding: gzip\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nx-two: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-three: 3\r\n\r\n"
    ]
    received = await engine.send(*to(vendor.port), LIMITS)
    assert received[:3] == (200, None, b"ok")
    assert received.headers() == [("x-two", "2"), ("transfer-encoding", "chunked")]


async def test_a_coding_of_the_transfer_that_nobody_asked_for_is_not_undone(engine: CurlEngine, vendor: Vendor) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n"
    vendor.answers = [says(head, b"%x\r\n" % len(bomb) + bomb + b"\r\n0\r\n\r\n")]
    began = time.process_time()
    kind, _ = await ending(engine, vendor.port)
    assert kind in (Ambiguous, AnswerRefused)
    assert time.process_time() - began < 0.5


def test_the_keys_of_connections_are_not_written_where_the_environment_says(tmp_path: Path) -> None:
    program = "import gateway.egress, pycurl, os; assert 'SSLKEYLOGFILE' not in os.environ"
    log = tmp_path / "keys"
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "SSLKEYLOGFILE": str(log)}, check=True)
    assert not log.exists()


CODES = sorted({code for name, code in vars(pycurl).items() if name.startswith("E_") and code != pycurl.E_OK})


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("code", [*CODES, 10_000])
def test_every_error_of_the_engine_after_the_request_left_is_in_doubt_or_about_the_answer(
    code: int, answered: bool
) -> None:
    about_the_answer = {(pycurl.E_OPERATION_TIMEDOUT, True): "too_slow", **dict.fromkeys(TOO_LARGE, "too_large")}
    said = meaning(code, left=True, answered=answered)
    if (code, answered) in about_the_answer:
        assert (type(said), said.code) == (AnswerRefused, about_the_answer[code, answered])
    else:
        assert type(said) is Ambiguous


TOO_LARGE = [(pycurl.E_FILESIZE_EXCEEDED, answered) for answered in (False, True)]


@pytest.mark.parametrize("code", [*CODES, 10_000])
def test_every_error_of_the_engine_before_the_request_left_leaves_no_doubt(code: int) -> None:
    unwritable = code in (pycurl.E_URL_MALFORMAT, pycurl.E_UNSUPPORTED_PROTOCOL)
    said = meaning(code, left=False, answered=False)
    assert type(said) is (RequestRefused if unwritable else Unreachable)
    assert said.outcome == "failed"


def test_the_engine_has_one_kind_of_error() -> None:
    kinds = [kind for _, kind in inspect.getmembers(pycurl, inspect.isclass) if issubclass(kind, BaseException)]
    assert kinds == [pycurl.error]
