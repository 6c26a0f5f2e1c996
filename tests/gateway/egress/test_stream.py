"""Bodies that are made while they are sent, over real sockets: whole or not at all, from their start or not again."""

import asyncio
import hashlib
import io
import random
import socket
import ssl
import struct
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import psutil
import pytest

from connectors.contract import Ambiguous, AnswerRefused, ConnectorError, Unreachable
from connectors.wire import build_streamed
from gateway.egress import CurlEngine, Door, Passage, RequestRefused, Route
from scopes.vocabulary import Repeat
from tests.gateway.egress.certificates import Authority
from tests.gateway.egress.conftest import Real, Scripted
from tests.gateway.egress.doubles import Names, Script, received
from tests.gateway.egress.vendor import Vendor, answer, ask

KB, MB = 1 << 10, 1 << 20
PIECE = random.Random(5).randbytes(64 * KB)
LONG = 4 * MB  # more than any socket's buffers hold on loopback together with what is fetched ahead
OK = answer(200, b"{}")
# What a receiver does with a request whose head it has read; where it returns nothing, it hangs up.
Taking = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes | None]]


@dataclass
class Receiver:
    """A vendor that keeps no body: only how many bytes of each came, and their hash."""

    taking: Taking
    port: int = 0
    connections: int = 0
    heads: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                said = await self.taking(length_in(head), reader, writer)
                if said is None:
                    break
                writer.write(said)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()


def length_in(head: bytes) -> int:
    (line,) = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(line.partition(b":")[2])


@asynccontextmanager
async def receiving(taking: Taking, context: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver(taking)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    yield receiver
    server.close()


@asynccontextmanager
async def passage_to(
    port: int,
    repeat: Repeat = Repeat.IF_UNSENT,
    *,
    scheme: str = "http",
    timeout_seconds: float = 30.0,
    read_seconds: float = 5.0,
    trust_pem: bytes | None = None,
) -> AsyncIterator[Passage]:
    engine = CurlEngine(connect_seconds=1.0, read_seconds=read_seconds, trust_pem=trust_pem)
    names = Names({"vendor.test": [["127.0.0.1"]]})
    door = Door(engine, resolver=names, loopback_hosts=frozenset({"vendor.test"}), chance=lambda: 0.0)
    route = Route(frozenset({"vendor.test"}), f"{scheme}://vendor.test:{port}", timeout_seconds=timeout_seconds)
    yield door.through(route, credential=None, idempotency_key="key_1", repeat=repeat)
    await door.close()


@dataclass
class Source:
    """A body of one piece over and over, which knows how often it was begun, how far it came and whether it was let go."""

    size: int
    piece: bytes = PIECE
    begun: int = 0
    given: int = 0
    let_go: int = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        self.begun += 1
        left = self.size
        try:
            while left:
                part = bytes(memoryview(self.piece)[:left])  # bytes of its own, so that whoever keeps it is found out
                left -= len(part)
                self.given += len(part)
                yield part
                await asyncio.sleep(0)
        finally:
            self.let_go += 1

    def request(self, passage: Passage, length: int | None = None) -> httpx2.Request:
        """A request that can begin anew."""
        size = self.size if length is None else length
        return build_streamed("POST", passage.base_url + "/push", headers={"x-a": "b"}, length=size, chunks=self.chunks)

    def once(self, passage: Passage) -> httpx2.Request:
        """A request that cannot."""
        headers = {"content-length": str(self.size)}
        return httpx2.Request("POST", passage.base_url + "/push", headers=headers, content=self.chunks())

    def whole(self) -> bytes:
        return (self.piece * (self.size // len(self.piece) + 1))[: self.size]


def sums() -> tuple[Taking, list[tuple[int, str]]]:
    """Take each body to its end; how many bytes came of each, and their hash."""
    came: list[tuple[int, str]] = []

    async def take(length: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        digest, left = hashlib.sha256(), length
        while left and (part := await reader.read(min(left, 256 * KB))):
            digest.update(part)
            left -= len(part)
        came.append((length - left, digest.hexdigest()))
        return OK

    return take, came


def hashed(source: Source) -> tuple[int, str]:
    return source.size, hashlib.sha256(source.whole()).hexdigest()


async def failure(passage: Passage, request: httpx2.Request) -> tuple[type[Exception], str]:
    with pytest.raises(ConnectorError) as failed:
        await passage.send(request)
    assert failed.value.__cause__ is None
    return type(failed.value), failed.value.code


# Whole


async def test_fifty_megabytes_arrive_whole_and_memory_stays_flat() -> None:
    source = Source(50 * MB)
    expected = hashed(source)
    take, came = sums()
    async with receiving(take) as receiver, passage_to(receiver.port) as passage:
        resident = psutil.Process().memory_info().rss
        tracemalloc.start()
        assert (await passage.send(source.request(passage))).status_code == 200
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        grown = psutil.Process().memory_info().rss - resident
    assert came == [expected]
    assert most < 4 * MB
    assert grown < 24 * MB
    assert (passage.sent, passage.sent_bytes, source.let_go) == (True, 50 * MB, 1)


@pytest.mark.parametrize("size", [0, 1, 64 * KB, 128 * KB - 1, 128 * KB, 128 * KB + 1, 300_001])
@pytest.mark.parametrize("piece", [PIECE, PIECE[:1000]], ids=["64K", "1000"])
async def test_a_body_of_any_size_arrives_with_its_length_and_in_one_coding(size: int, piece: bytes) -> None:
    source = Source(size, piece)
    take, came = sums()
    async with receiving(take) as receiver, passage_to(receiver.port) as passage:
        assert (await passage.send(source.request(passage))).status_code == 200
    assert came == [hashed(source)]
    (head,) = receiver.heads
    assert head.startswith(b"POST /push HTTP/1.1\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines.count(b"content-length: %d" % size) == 1
    assert b"x-a: b" in lines
    assert not any(line.startswith((b"transfer-encoding", b"expect", b"content-type")) for line in lines)


class Twice(Iterable[bytes]):
    """Pieces that are not a generator."""

    def __iter__(self) -> Iterator[bytes]:
        return iter([PIECE] * 5)


@pytest.mark.parametrize(
    "content",
    [lambda: (PIECE for _ in range(5)), lambda: Twice(), lambda: io.BytesIO(PIECE * 5), lambda: [PIECE * 5]],
    ids=["generator", "iterable", "file", "one piece"],
)
async def test_a_body_that_is_no_coroutines_arrives_too(content: Callable[[], Iterable[bytes]]) -> None:
    take, came = sums()
    async with receiving(take) as receiver, passage_to(receiver.port) as passage:
        headers = {"content-length": str(5 * len(PIECE))}
        request = httpx2.Request("PUT", passage.base_url + "/push", headers=headers, content=content())
        assert (await passage.send(request)).status_code == 200
    assert came == [hashed(Source(5 * len(PIECE)))]
    assert receiver.heads[0].startswith(b"PUT ")


async def test_a_source_that_is_slower_than_the_network_is_waited_for() -> None:
    async def slowly() -> AsyncIterator[bytes]:
        for number in range(8):
            await asyncio.sleep(0.02 if number else 0)
            yield PIECE

    take, came = sums()
    async with receiving(take) as receiver, passage_to(receiver.port) as passage:
        request = build_streamed("POST", passage.base_url + "/push", headers={}, length=8 * len(PIECE), chunks=slowly)
        assert (await passage.send(request)).status_code == 200
    assert came == [hashed(Source(8 * len(PIECE)))]


async def test_a_receiver_that_takes_slowly_is_not_silent() -> None:
    async def slowly(length: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        left = length
        while left:
            left -= len(await reader.read(128 * KB))
            await asyncio.sleep(0.02)
        return OK

    source = Source(24 * MB)
    async with receiving(slowly) as receiver, passage_to(receiver.port, read_seconds=1.5) as passage:
        began = asyncio.get_running_loop().time()
        assert (await passage.send(source.request(passage))).status_code == 200
        assert asyncio.get_running_loop().time() - began > 2.5


async def test_many_bodies_at_once_do_not_mix() -> None:
    take, came = sums()
    async with receiving(take) as receiver, passage_to(receiver.port) as passage:
        sources = [Source(200_000 + number, random.Random(number).randbytes(30_000)) for number in range(64)]
        answers = await asyncio.gather(*(passage.send(source.request(passage)) for source in sources))
    assert {one.status_code for one in answers} == {200}
    assert sorted(came) == sorted(hashed(source) for source in sources)


async def test_a_body_goes_through_tls(authority: Authority) -> None:
    source = Source(2 * MB)
    take, came = sums()
    async with (
        receiving(take, authority.context("vendor.test")) as receiver,
        passage_to(receiver.port, scheme="https", trust_pem=authority.pem) as passage,
    ):
        assert (await passage.send(source.request(passage))).status_code == 200
    assert came == [hashed(source)]


async def test_requests_of_either_kind_follow_each_other_on_one_connection() -> None:
    take, came = sums()
    async with receiving(take) as receiver, passage_to(receiver.port) as passage:
        source = Source(MB)
        for _ in range(3):
            await passage.send(source.request(passage))
            await passage.send(ask(passage))
    assert came == [hashed(source), (3, hashlib.sha256(b"a=1").hexdigest())] * 3
    assert receiver.connections == 1


async def test_a_body_is_not_touched_by_a_kept_connection_that_was_closed_meanwhile() -> None:
    take, came = sums()

    async def and_hang_up(length: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await take(length, reader, writer))

    async with receiving(and_hang_up) as receiver, passage_to(receiver.port) as passage:
        sources = [Source(MB) for _ in range(3)]
        for source in sources:
            await passage.send(source.request(passage))
            await asyncio.sleep(0.02)
    assert came == [hashed(sources[0])] * 3
    assert [source.begun for source in sources] == [1, 1, 1]
    assert receiver.connections == 3


# Not a byte


@pytest.mark.parametrize("said", [None, "", "-1", "+5", "1e3", "5.0", " ", "9" * 16, "0x10"])
async def test_a_body_without_an_exact_length_is_refused(said: str | None, real: Real, vendor: Vendor) -> None:
    passage, source = real(), Source(LONG)
    headers = {} if said is None else {"content-length": said}
    request = httpx2.Request("POST", passage.base_url + "/push", headers=headers, content=source.chunks())
    assert await failure(passage, request) == (RequestRefused, "length_missing")
    assert (vendor.connections, passage.attempts, passage.sent, source.begun) == (0, 0, False, 0)


async def test_a_body_with_two_lengths_is_refused(real: Real, vendor: Vendor) -> None:
    passage = real()
    headers = [("content-length", "5"), ("content-length", "5")]
    request = httpx2.Request("POST", passage.base_url + "/push", headers=headers, content=iter([b"12345"]))
    assert await failure(passage, request) == (RequestRefused, "length_missing")
    assert vendor.connections == 0


async def test_a_body_that_names_a_coding_of_its_own_is_refused(real: Real, vendor: Vendor) -> None:
    passage, source = real(), Source(LONG)
    headers = {"content-length": str(LONG), "transfer-encoding": "chunked"}
    request = httpx2.Request("POST", passage.base_url + "/push", headers=headers, content=source.chunks())
    assert await failure(passage, request) == (RequestRefused, "header_refused")
    assert (vendor.connections, source.let_go) == (0, 1)


@pytest.mark.parametrize("size", [0, 1, 1000, 100 * KB])
@pytest.mark.parametrize("other", [-1, 1, 10 * MB])
async def test_a_wrong_length_is_refused_before_a_byte_leaves(
    size: int, other: int, real: Real, vendor: Vendor
) -> None:
    passage, source = real(), Source(size)
    if size + other < 0:
        source.size, other = 1, -1
    assert await failure(passage, source.request(passage, source.size + other)) == (RequestRefused, "length_wrong")
    assert (vendor.connections, passage.attempts, passage.sent) == (0, 0, False)
    assert source.let_go == 1


async def test_a_long_body_that_soon_is_too_long_is_refused_before_a_byte_leaves(real: Real, vendor: Vendor) -> None:
    passage, source = real(), Source(LONG)
    assert await failure(passage, source.request(passage, 100 * KB)) == (RequestRefused, "length_wrong")
    assert (vendor.connections, source.let_go) == (0, 1)
    assert source.given < 300 * KB


@pytest.mark.parametrize("after", [0, 64 * KB])
async def test_a_source_that_fails_at_once_is_refused_before_a_byte_leaves(
    after: int, real: Real, vendor: Vendor
) -> None:
    async def fails() -> AsyncIterator[bytes]:
        if after:
            yield bytes(after)
        raise ValueError("name of a patient")

    passage = real()
    request = build_streamed("POST", passage.base_url + "/push", headers={}, length=LONG, chunks=fails)
    with pytest.raises(RequestRefused) as refused:
        await passage.send(request)
    assert refused.value.code == "body_broken"
    assert refused.value.__context__ is None
    assert (vendor.connections, passage.sent) == (0, False)


async def test_a_source_that_gives_no_bytes_is_refused(real: Real, vendor: Vendor) -> None:
    passage = real()
    for wrong in ("text", 5, bytearray(5)):
        request = httpx2.Request(
            "POST", passage.base_url + "/push", headers={"content-length": "5"}, content=iter([wrong])
        )
        assert await failure(passage, request) == (RequestRefused, "body_broken")
    assert vendor.connections == 0


async def test_a_source_that_gives_nothing_for_too_long_is_refused(real: Real, vendor: Vendor) -> None:
    passage = real(timeout_seconds=0.2)

    async def hangs() -> AsyncIterator[bytes]:
        yield PIECE
        await asyncio.sleep(60)

    request = build_streamed("POST", passage.base_url + "/push", headers={}, length=LONG, chunks=hangs)
    assert await failure(passage, request) == (RequestRefused, "body_slow")
    assert vendor.connections == 0


async def test_a_body_for_a_private_address_stays_here(scripted: Scripted, names: Names, script: Script) -> None:
    names.answers["api.vendor.test"] = [["10.0.0.7"]]
    passage, source = scripted(), Source(LONG)
    assert await failure(passage, source.request(passage)) == (AnswerRefused, "private_address")
    assert (script.sent, passage.sent, source.let_go) == ([], False, 1)


async def test_a_body_for_a_host_that_is_not_named_is_not_even_begun(scripted: Scripted, script: Script) -> None:
    passage, source = scripted(), Source(LONG)
    request = build_streamed("POST", "https://other.test/push", headers={}, length=LONG, chunks=source.chunks)
    assert await failure(passage, request) == (AnswerRefused, "host_not_allowed")
    assert (script.sent, source.begun) == ([], 0)


# Never whole


@pytest.mark.parametrize("other", [-1, 1, -64 * KB, 64 * KB])
async def test_a_long_body_that_is_not_as_long_as_announced_never_arrives_whole(other: int) -> None:
    source = Source(LONG)
    take, came = sums()
    async with receiving(take) as receiver, passage_to(receiver.port, Repeat.IF_UNSENT) as passage:
        failed = await failure(passage, source.request(passage, LONG + other))
        await asyncio.sleep(0.05)
    assert failed == (Ambiguous, "body_broken")
    ((size, _),) = came
    assert 0 < size < LONG + other
    assert (passage.attempts, passage.sent, source.begun, source.let_go) == (1, True, 1, 1)


async def test_a_source_that_fails_on_the_way_never_arrives_whole() -> None:
    async def fails() -> AsyncIterator[bytes]:
        for _ in range(LONG // len(PIECE)):
            yield PIECE
        raise ValueError("name of a patient")

    take, came = sums()
    async with receiving(take) as receiver, passage_to(receiver.port) as passage:
        request = build_streamed("POST", passage.base_url + "/push", headers={}, length=LONG, chunks=fails)
        assert await failure(passage, request) == (Ambiguous, "body_broken")
        await asyncio.sleep(0.05)
    ((size, _),) = came
    assert 0 < size < LONG


async def test_a_source_that_hangs_on_the_way_is_ended_by_the_deadline() -> None:
    hung = asyncio.Event()

    async def hangs() -> AsyncIterator[bytes]:
        try:
            for _ in range(10):
                yield PIECE
            await asyncio.sleep(60)
        finally:
            hung.set()

    take, came = sums()
    async with receiving(take) as receiver, passage_to(receiver.port, timeout_seconds=0.5) as passage:
        request = build_streamed("POST", passage.base_url + "/push", headers={}, length=LONG, chunks=hangs)
        assert await failure(passage, request) == (Ambiguous, "timeout")
        await asyncio.sleep(0.05)
    assert hung.is_set()
    ((size, _),) = came
    assert size == 10 * len(PIECE)


async def test_a_caller_that_gives_up_in_the_middle_ends_the_connection_and_the_source() -> None:
    source = Source(50 * MB)
    take, came = sums()
    begun = asyncio.Event()

    async def take_and_tell(length: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        await reader.readexactly(MB)
        begun.set()
        return await take(length - MB, reader, writer)

    async with receiving(take_and_tell) as receiver, passage_to(receiver.port) as passage:
        sending = asyncio.create_task(passage.send(source.request(passage)))
        await begun.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert source.let_go == 1
        given = source.given
        await asyncio.sleep(0.1)
        assert source.given == given < 50 * MB
        assert came[0][0] < 49 * MB
        receiver.taking = take
        assert (await passage.send(Source(MB).request(passage))).status_code == 200
    assert receiver.connections == 2


@pytest.mark.parametrize("reset", [False, True], ids=["closes", "resets"])
async def test_a_receiver_that_closes_early_leaves_doubt(reset: bool) -> None:
    async def close(length: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(MB)
        if reset:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    source = Source(50 * MB)
    async with receiving(close) as receiver, passage_to(receiver.port) as passage:
        kind, _ = await failure(passage, source.request(passage))
    assert kind is Ambiguous
    assert (passage.attempts, source.begun, source.let_go) == (1, 1, 1)
    assert source.given < 50 * MB


async def test_a_receiver_that_takes_no_more_is_given_up() -> None:
    async def stop(length: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(MB)
        await asyncio.sleep(3)

    source = Source(50 * MB)
    async with receiving(stop) as receiver, passage_to(receiver.port, read_seconds=0.5) as passage:
        assert await failure(passage, source.request(passage)) == (Ambiguous, "timeout")
    assert source.let_go == 1
    assert source.given < 50 * MB


# An answer before the end


def answers_early(words: bytes) -> Taking:
    """Say something after a part, and go on reading."""

    async def _answer(length: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(MB)
        writer.write(words)
        await writer.drain()
        while await reader.read(MB):
            pass

    return _answer


@pytest.mark.parametrize("status", [400, 413, 503])
async def test_a_refusal_before_the_end_is_the_answer_and_the_rest_stays_here(status: int) -> None:
    source = Source(50 * MB)
    async with receiving(answers_early(answer(status, b"too much"))) as receiver, passage_to(receiver.port) as passage:
        said = await passage.send(source.request(passage))
        assert (said.status_code, said.content) == (status, b"too much")
        assert source.given < 50 * MB
        assert source.let_go == 1
        assert passage.sent_bytes < 50 * MB
        receiver.taking, _ = sums()
        assert (await passage.send(ask(passage))).status_code == 200
    assert receiver.connections == 2


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_a_yes_before_the_end_from_a_receiver_that_takes_no_more_is_no_yes_to_the_whole(status: int) -> None:
    source = Source(50 * MB)
    words = answer(status, connection="close")
    async with receiving(answers_early(words)) as receiver, passage_to(receiver.port) as passage:
        assert await failure(passage, source.request(passage)) == (Ambiguous, "early_answer")
    assert (passage.attempts, source.let_go) == (1, 1)
    assert source.given < 50 * MB


async def test_a_receiver_that_says_yes_and_closes_leaves_doubt() -> None:
    async def accept(length: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(MB)
        writer.write(OK)
        await writer.drain()

    source = Source(50 * MB)
    async with receiving(accept) as receiver, passage_to(receiver.port) as passage:
        kind, _ = await failure(passage, source.request(passage))
    assert kind is Ambiguous


async def test_a_receiver_that_says_yes_first_and_takes_the_rest_has_all_of_it() -> None:
    source = Source(50 * MB)
    async with receiving(answers_early(OK)) as receiver, passage_to(receiver.port) as passage:
        assert (await passage.send(source.request(passage))).status_code == 200
    assert passage.sent_bytes == 50 * MB


async def test_a_redirect_before_the_end_is_not_followed() -> None:
    source = Source(50 * MB)
    words = answer(307, location="http://vendor.test:1/")
    async with receiving(answers_early(words)) as receiver, passage_to(receiver.port) as passage:
        assert await failure(passage, source.request(passage)) == (AnswerRefused, "redirect")
    assert len(receiver.heads) == 1


# Again


def in_turn(*answers: bytes) -> tuple[Taking, list[tuple[int, str]]]:
    """Take each body whole, and answer in turn."""
    take, came = sums()
    left = list(answers)

    async def _take(length: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        await take(length, reader, writer)
        return left.pop(0)

    return _take, came


async def test_a_body_that_can_begin_anew_is_sent_again_from_its_start() -> None:
    source = Source(LONG)
    take, came = in_turn(answer(503), answer(503), OK)
    async with receiving(take) as receiver, passage_to(receiver.port, Repeat.ALWAYS) as passage:
        assert (await passage.send(source.request(passage))).status_code == 200
    assert came == [hashed(source)] * 3
    assert (source.begun, source.let_go, passage.attempts, passage.sent_bytes) == (3, 3, 3, 3 * LONG)


async def test_a_body_that_broke_half_way_is_sent_again_from_its_start() -> None:
    source = Source(LONG)
    take, came = sums()
    cut = [MB]

    async def cut_once(length: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
        if cut:
            await reader.readexactly(cut.pop())
            return None
        return await take(length, reader, writer)

    async with receiving(cut_once) as receiver, passage_to(receiver.port, Repeat.ALWAYS) as passage:
        assert (await passage.send(source.request(passage))).status_code == 200
    assert came == [hashed(source)]
    assert (source.begun, source.let_go) == (2, 2)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_body_that_cannot_begin_anew_is_sent_once(status: int) -> None:
    source = Source(LONG)
    take, came = in_turn(answer(status), OK)
    async with receiving(take) as receiver, passage_to(receiver.port, Repeat.ALWAYS) as passage:
        assert (await passage.send(source.once(passage))).status_code == status
    assert came == [hashed(source)]
    assert (source.begun, passage.attempts) == (1, 1)


async def test_a_body_that_cannot_begin_anew_and_broke_half_way_is_in_doubt() -> None:
    source = Source(LONG)

    async def cut(length: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(MB)

    async with receiving(cut) as receiver, passage_to(receiver.port, Repeat.ALWAYS) as passage:
        kind, _ = await failure(passage, source.once(passage))
    assert kind is Ambiguous
    assert (source.begun, source.let_go, receiver.connections) == (1, 1, 1)


async def test_a_body_of_which_nothing_was_taken_is_sent_all_the_same(scripted: Scripted, script: Script) -> None:
    """No connection, then one: it was looked at, but it still is at its start."""
    script.endings = [Unreachable("connect_failed"), received(200, b"{}")]
    passage, source = scripted(Repeat.IF_UNSENT), Source(LONG)
    assert (await passage.send(source.once(passage))).status_code == 200
    assert (len(script.sent), source.begun, source.let_go) == (2, 1, 1)


async def test_a_short_body_that_cannot_begin_anew_is_kept_and_sent_again() -> None:
    source = Source(1000)
    take, came = in_turn(answer(503), OK)
    async with receiving(take) as receiver, passage_to(receiver.port, Repeat.ALWAYS) as passage:
        assert (await passage.send(source.once(passage))).status_code == 200
    assert came == [hashed(source)] * 2
    assert source.begun == 1
