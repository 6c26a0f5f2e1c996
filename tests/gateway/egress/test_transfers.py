"""The driver under the engine: sockets that come, stay and go, timers, and how a transfer ends from outside."""

import asyncio
from collections.abc import Iterator

import pycurl
import pytest

from gateway.egress.transfers import Transfers
from tests.gateway.egress.conftest import Start
from tests.gateway.egress.vendor import Vendor


@pytest.fixture
def transfers() -> Iterator[Transfers]:
    transfers = Transfers(most_kept=1)
    yield transfers
    if not transfers.closed:
        transfers.close(pycurl.E_ABORTED_BY_CALLBACK)


def to(vendor: Vendor, transfers: Transfers) -> pycurl.Curl:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, f"http://127.0.0.1:{vendor.port}/")
    curl.setopt(pycurl.PROXY, "")
    curl.setopt(pycurl.WRITEFUNCTION, lambda part: None)

    def opened(socket: int, _purpose: int) -> int:
        transfers.opened(socket)
        return pycurl.SOCKOPT_OK

    curl.setopt(pycurl.SOCKOPTFUNCTION, opened)
    return curl


async def carried(transfers: Transfers, curl: pycurl.Curl) -> int:
    async with asyncio.timeout(5):
        return await transfers.carry(curl)


async def test_a_connection_is_kept_for_the_next_transfer(transfers: Transfers, vendor: Vendor) -> None:
    curl = to(vendor, transfers)
    assert [await carried(transfers, curl) for _ in range(3)] == [0, 0, 0]
    assert vendor.connections == 1


async def test_a_connection_that_libcurl_dropped_leaves_its_number_to_the_next(
    transfers: Transfers, start: Start
) -> None:
    one, other = await start(), await start()
    curls = [to(one, transfers), to(other, transfers)]
    for _ in range(4):  # only one is kept, so each new connection closes one, whose number is given out again
        for curl in curls:
            assert await carried(transfers, curl) == 0
    assert len(one.requests) == len(other.requests) == 4


async def test_a_kept_connection_that_the_vendor_closes_costs_nothing_more(
    transfers: Transfers, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await asyncio.sleep(0.05)

    vendor.answers = [hang_up]
    assert await carried(transfers, to(vendor, transfers)) == 0
    looks = 0
    select = transfers._sockets.select

    def counted(timeout: float | None = None) -> list[object]:
        nonlocal looks
        looks += 1
        return list(select(timeout))

    monkeypatch.setattr(transfers._sockets, "select", counted)
    await asyncio.sleep(0.2)
    assert looks == 1


async def test_a_transfer_ends_by_libcurls_own_clock(transfers: Transfers, vendor: Vendor) -> None:
    vendor.delay_seconds = 5
    slow, fast = to(vendor, transfers), to(vendor, transfers)
    slow.setopt(pycurl.TIMEOUT_MS, 400)
    fast.setopt(pycurl.TIMEOUT_MS, 100)  # the timer that is set for the slow one must not be waited for
    began = asyncio.get_running_loop().time()
    first = asyncio.create_task(carried(transfers, slow))
    assert await carried(transfers, fast) == pycurl.E_OPERATION_TIMEDOUT
    assert 0.08 < asyncio.get_running_loop().time() - began < 0.3
    assert await first == pycurl.E_OPERATION_TIMEDOUT
    assert 0.38 < asyncio.get_running_loop().time() - began < 0.8


async def test_a_cancelled_transfer_is_over_and_its_connection_closed(transfers: Transfers, vendor: Vendor) -> None:
    gone = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()

    vendor.answers = [wait]
    curl = to(vendor, transfers)
    task = asyncio.create_task(carried(transfers, curl))
    while not vendor.requests:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(gone.wait(), 2)
    vendor.answers = [b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]
    assert await carried(transfers, curl) == 0


async def test_closing_ends_what_is_under_way_with_a_code(transfers: Transfers, vendor: Vendor) -> None:
    vendor.delay_seconds = 5
    task = asyncio.create_task(carried(transfers, to(vendor, transfers)))
    while not vendor.requests:
        await asyncio.sleep(0.01)
    transfers.close(pycurl.E_ABORTED_BY_CALLBACK)
    assert await task == pycurl.E_ABORTED_BY_CALLBACK
