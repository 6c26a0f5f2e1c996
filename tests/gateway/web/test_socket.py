"""The API over a real socket: large, slow, broken and vanishing clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import orjson
import pytest

from gateway.app import House
from gateway.calls import Actor
from gateway.demo import EVERYTHING
from gateway.serve import listening, serving
from tests.gateway.egress.vendor import Vendor, answer
from tests.gateway.house import PAYMENT, Clinic, OpenHouse, entries_of
from tests.gateway.web.conftest import BODY

SLOW = 0.4


class Line:
    """One connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        self.reader, self.writer, self.key = reader, writer, key

    def head(self, method: str, path: str, *more: str) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", "Host: gateway", f"Authorization: Bearer {self.key}", *more]
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    async def send(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def call(self, body: bytes) -> None:
        head = self.head("POST", "/v1/calls", "Content-Type: application/json", f"Content-Length: {len(body)}")
        await self.send(head + body)

    async def answered(self) -> tuple[int, dict[str, object]]:
        """The status and the document of one answer."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        length = next(int(line[16:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length: "))
        return int(head.split()[1]), orjson.loads(await asyncio.wait_for(self.reader.readexactly(length), 10))

    async def is_fine(self) -> None:
        """The same connection carries the next request."""
        await self.send(self.head("GET", "/healthz"))
        assert await self.answered() == (200, {"status": "ok"})


Connect = Callable[[], Awaitable[Line]]


@pytest.fixture
async def house(open_house: OpenHouse) -> House:
    """A gateway that waits for no slow body."""
    return await open_house(body_seconds=SLOW)


@pytest.fixture
async def connect(house: House, clinic: Clinic) -> AsyncIterator[Connect]:
    """Open connections to the gateway, with a key that may do everything."""
    operator = Actor("system", "test", clinic.tenant, ())
    key, _ = await house.rooms.callers.create_key(operator, "a test", EVERYTHING)
    listener = listening("127.0.0.1", 0)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving(house.web, listener))

        async def open_one() -> Line:
            reader, writer = await asyncio.open_connection(*listener.getsockname()[:2])
            stack.callback(writer.close)
            return Line(reader, writer, key)

        yield open_one


@pytest.mark.parametrize("path", ["/v1/calls", "/v1/keys", "/v1/disclosures/search"])
async def test_ten_megabytes_are_413_and_the_connection_is_fine(connect: Connect, path: str) -> None:
    line = await connect()
    head = line.head("POST", path, "Content-Type: application/json", "Content-Length: 10485760")
    sent = asyncio.create_task(line.send(head + b" " * 10_485_760))
    status, told = await line.answered()
    assert (status, told["code"]) == (413, "body_too_large")
    await sent
    await line.is_fine()


async def test_so_are_ten_megabytes_that_were_not_announced(connect: Connect) -> None:
    line = await connect()
    await line.send(line.head("POST", "/v1/calls", "Content-Type: application/json", "Transfer-Encoding: chunked"))

    async def in_chunks() -> None:
        for _ in range(160):
            await line.send(b"10000\r\n" + b" " * 65_536 + b"\r\n")
        await line.send(b"0\r\n\r\n")

    sent = asyncio.create_task(in_chunks())
    status, told = await line.answered()
    assert (status, told["code"]) == (413, "body_too_large")
    await sent
    await line.is_fine()


async def test_a_client_that_waits_for_leave_to_send_too_much_is_not_given_it(connect: Connect) -> None:
    line = await connect()
    more = ("Content-Type: application/json", "Content-Length: 10485760", "Expect: 100-continue")
    await line.send(line.head("POST", "/v1/calls", *more))
    status, _ = await line.answered()
    assert status == 413


@pytest.mark.parametrize("path", ["/v1/calls", "/v1/keys"])
async def test_a_body_that_drips_is_cut_off(connect: Connect, path: str) -> None:
    line = await connect()
    await line.send(line.head("POST", path, "Content-Type: application/json", "Content-Length: 1000") + b"{")

    async def drip() -> None:
        while True:
            await asyncio.sleep(SLOW / 8)
            await line.send(b" ")

    dripping = asyncio.create_task(drip())
    status, told = await line.answered()
    dripping.cancel()
    assert (status, told["code"]) == (408, "body_too_slow")


async def test_a_body_in_many_small_pieces_is_read(connect: Connect) -> None:
    line, body = await connect(), orjson.dumps(BODY)
    head = line.head("POST", "/v1/calls", "Content-Type: application/json", f"Content-Length: {len(body)}")
    await line.send(head)
    for at in range(0, len(body), 40):
        await line.send(body[at : at + 40])
        await asyncio.sleep(0.001)
    status, told = await line.answered()
    assert (status, told["outcome"]) == (200, "accepted")


async def test_broken_json_and_wrong_types_leave_the_connection_fine(connect: Connect) -> None:
    line = await connect()
    for body in (b"{", b"[]", b"\xff", b"7"):
        await line.call(body)
        status, _ = await line.answered()
        assert status == 400
    await line.send(line.head("POST", "/v1/calls", "Content-Type: text/xml", "Content-Length: 2") + b"{}")
    assert (await line.answered())[0] == 415
    await line.send(line.head("GET", "/v1/nothing"))
    assert (await line.answered())[0] == 404
    await line.is_fine()


async def test_a_client_that_hangs_up_while_sending_is_forgotten(
    connect: Connect, house: House, clinic: Clinic
) -> None:
    before = len(await entries_of(house, clinic.tenant))
    line = await connect()
    await line.send(line.head("POST", "/v1/calls", "Content-Type: application/json", "Content-Length: 1000") + b"{")
    line.writer.transport.abort()
    await (await connect()).is_fine()
    assert len(await entries_of(house, clinic.tenant)) == before


async def test_a_client_that_hangs_up_during_its_call_does_not_undo_it(
    connect: Connect, house: House, clinic: Clinic, vendor: Vendor
) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await go_on.wait()
        writer.write(answer(200, orjson.dumps(PAYMENT)))
        await writer.drain()

    vendor.answers[:] = [slowly]
    line = await connect()
    await line.call(orjson.dumps(BODY))
    await asyncio.wait_for(reached.wait(), 10)
    line.writer.transport.abort()
    await asyncio.sleep(0.05)
    go_on.set()
    for _ in range(500):
        last = (await entries_of(house, clinic.tenant))[-1]
        if last["kind"] == "outcome":
            break
        await asyncio.sleep(0.02)
    assert last["outcome"] == "accepted"


async def test_two_requests_sent_at_once_get_two_answers(connect: Connect) -> None:
    line, body = await connect(), orjson.dumps(BODY)
    head = line.head("POST", "/v1/calls", "Content-Type: application/json", f"Content-Length: {len(body)}")
    await line.send((head + body) * 2)
    answers = [await line.answered() for _ in range(2)]
    assert [status for status, _ in answers] == [200, 200]
    assert answers[0][1]["id"] != answers[1][1]["id"]


async def test_a_head_answer_has_no_body(connect: Connect) -> None:
    line = await connect()
    await line.send(line.head("HEAD", "/v1/catalog"))
    head = await asyncio.wait_for(line.reader.readuntil(b"\r\n\r\n"), 10)
    assert head.startswith(b"HTTP/1.1 200")
    await line.is_fine()


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        b"POST /v1/calls HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/calls HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/calls HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n{}  ",
        b"GET /v1/catalog HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
        b"GET /v1/%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/catalog?%ff=%fe HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_what_is_hardly_http_gets_a_refusal_and_never_500(connect: Connect, raw: bytes) -> None:
    line = await connect()
    await line.send(raw)
    head = await asyncio.wait_for(line.reader.readline(), 10)
    assert head.split()[1][:1] == b"4", head
    await (await connect()).is_fine()
