"""The attack cases on the way out, 1 to 10 of the security notes, each with its number. Real sockets, loopback only."""

import asyncio
import gzip
import logging
import re
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx2
import psutil
import pytest

from connectors.contract import Ambiguous, AnswerRefused, ConnectorError, Unreachable
from gateway.egress import Credential, CurlEngine, Door, RequestRefused, Route
from scopes.vocabulary import Repeat
from tests.gateway.egress.conftest import Real, Scripted
from tests.gateway.egress.doubles import Clock, Names, Script
from tests.gateway.egress.vendor import Vendor, answer, ask

Start = Callable[..., Awaitable[Vendor]]
CANARY = "canary-4f1d"


async def refusal(scripted: Scripted, script: Script, request: httpx2.Request, route: Route | None = None) -> str:
    """The code that a request is refused with; the engine never hears of it."""
    passage = scripted(route=route) if route else scripted()
    with pytest.raises(ConnectorError) as refused:
        await passage.send(request)
    assert script.sent == []
    assert not passage.sent
    assert refused.value.outcome == "failed"
    return refused.value.code


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("POST", "https://graph.test/beta/users"),
        ("POST", "https://graph.test/v1.0/../beta/users"),
        ("POST", "https://graph.test/v1.0/%2e%2e/beta/users"),
        ("CONNECT", "https://graph.test/v1.0/users"),
        ("TRACE", "https://graph.test/v1.0/users"),
    ],
)
async def test_case_1_a_path_or_method_beyond_the_base_address_does_not_leave(
    method: str, url: str, scripted: Scripted, script: Script
) -> None:
    route = Route(frozenset({"graph.test"}), "https://graph.test/v1.0")
    code = await refusal(scripted, script, httpx2.Request(method, url), route)
    assert code in ("path_not_allowed", "method_not_allowed")


@pytest.mark.parametrize("repeat", Repeat)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_case_2_a_redirect_is_not_followed(
    status: int, repeat: Repeat, real: Real, vendor: Vendor, start: Start
) -> None:
    thief = await start()
    vendor.answers = [answer(status, b"", location=f"http://127.0.0.1:{thief.port}/take")]
    passage = real(repeat)
    with pytest.raises(AnswerRefused) as refused:
        await passage.send(ask(passage))
    assert (refused.value.code, refused.value.outcome) == ("redirect", "failed")
    assert (len(vendor.requests), thief.connections) == (1, 0)


async def test_case_3_a_name_that_turns_private_later_is_refused_then(
    scripted: Scripted, script: Script, names: Names, clock: Clock
) -> None:
    names.answers["api.vendor.test"] = [["93.184.215.14"], ["169.254.169.254"]]
    passage = scripted()
    await passage.send(ask(passage))
    clock.now += 31
    with pytest.raises(AnswerRefused) as refused:
        await passage.send(ask(passage))
    assert refused.value.code == "private_address"
    assert [target.address for _, target, _ in script.sent] == ["93.184.215.14"]


async def test_case_3_the_address_that_was_checked_is_the_one_connected_to(
    real: Real, vendor: Vendor, names: Names
) -> None:
    names.answers["vendor.test"] = [["127.0.0.1"], ["127.0.0.2"]]  # no other resolver knows the name at all
    for _ in range(3):
        passage = real()
        await passage.send(ask(passage))
    assert names.asked == ["vendor.test"]
    assert vendor.connections == 1


@pytest.mark.parametrize(
    "host",
    [
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "0.0.0.0",
        "0",
        "[::]",
        "100.64.0.1",
        "127.0.0.1",
        "localhost",
    ],
)
async def test_case_4_an_address_in_disguise_does_not_leave(host: str, scripted: Scripted, script: Script) -> None:
    try:
        request = httpx2.Request("GET", f"https://{host}/latest/meta-data")
    except httpx2.InvalidURL:
        return
    assert await refusal(scripted, script, request) == "host_not_allowed"


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "100.64.0.1", "127.0.0.1", "[::ffff:169.254.169.254]", "[64:ff9b::7f00:1]"]
)
async def test_case_4_not_even_a_manifest_can_name_a_private_address(
    host: str, scripted: Scripted, script: Script
) -> None:
    route = Route(frozenset({host}), f"https://{host}")
    assert await refusal(scripted, script, httpx2.Request("GET", f"https://{host}/"), route) == "private_address"


@pytest.mark.parametrize(
    "url",
    [
        "https://api.vendor.test@evil.test/",
        "https://user:secret@api.vendor.test/",
        "https://evil.test\\@api.vendor.test/",
        "https://api.vendor.test\\.evil.test/",
        "https://api.vendor.test./",
        "https://api.vendоr.test/",  # a Cyrillic o
        "https://xn--api-vendr-xyz.test/",
        "https://api.vendor.test:8443/",
        "https://api.vendor.test%00.evil.test/",
        "https://api.vendor.test%2f@evil.test/",
        "https:api.vendor.test/",
    ],
)
async def test_case_5_a_host_that_only_looks_allowed_does_not_leave(
    url: str, scripted: Scripted, script: Script
) -> None:
    try:
        request = httpx2.Request("GET", url)
    except httpx2.InvalidURL:
        return
    assert await refusal(scripted, script, request) == "host_not_allowed"


@pytest.mark.parametrize("answers", [["10.0.0.1"], ["93.184.215.14", "fd00::1"], ["fe80::1%eth0"], ["64:ff9b::a00:1"]])
async def test_case_6_a_name_that_leads_to_a_private_address_is_refused(
    answers: list[str], scripted: Scripted, script: Script, names: Names
) -> None:
    names.answers["api.vendor.test"] = [answers]
    request = httpx2.Request("GET", "https://api.vendor.test/")
    assert await refusal(scripted, script, request) == "private_address"


@pytest.mark.parametrize("no_proxy", ["", "vendor.test"])
async def test_case_7_proxies_and_netrc_of_the_environment_are_ignored(
    no_proxy: str, start: Start, vendor: Vendor, names: Names, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy = await start()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine vendor.test login stolen password stolen\ndefault login stolen password stolen\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))

    engine = CurlEngine(connect_seconds=0.5)
    door = Door(engine, resolver=names, loopback_hosts=frozenset({"vendor.test"}), chance=lambda: 0.0)
    plain = Route(frozenset({"vendor.test"}), f"http://vendor.test:{vendor.port}")
    secure = Route(frozenset({"vendor.test"}), f"https://vendor.test:{vendor.port}", timeout_seconds=5.0)
    passage = door.through(plain, credential=None, idempotency_key="key_1")
    await passage.send(ask(passage))
    with pytest.raises(Unreachable):  # no TLS there; what matters is who was asked
        await door.through(secure, credential=None, idempotency_key="key_1").send(
            httpx2.Request("GET", secure.base_url + "/")
        )
    await door.close()

    assert proxy.connections == 0
    assert vendor.header("authorization") == []


async def test_case_8_nothing_else_is_connected_to(real: Real, vendor: Vendor) -> None:
    before = reached()
    passage = real()
    await passage.send(ask(passage))
    opened = reached() - before

    assert ("127.0.0.1", vendor.port) in opened
    assert {address for address, _ in opened} == {"127.0.0.1"}  # the vendor's own end of it is in this program too


def reached() -> set[tuple[str, int]]:
    """Where this program's sockets lead to."""
    return {tuple(one.raddr) for one in psutil.Process().net_connections() if one.raddr}


async def test_case_9_a_bomb_is_not_unpacked(real: Real, vendor: Vendor) -> None:
    vendor.answers = [answer(200, gzip.compress(bytes(100_000_000)), content_encoding="gzip")]
    passage = real()
    began = time.process_time()
    with pytest.raises(AnswerRefused) as refused:
        await passage.send(ask(passage))
    assert refused.value.code == "too_large"
    assert time.process_time() - began < 1


async def test_case_9_an_answer_of_10_mb_is_cut_off(real: Real, vendor: Vendor) -> None:
    vendor.answers = [answer(200, bytes(10_000_000))]
    passage = real()
    with pytest.raises(AnswerRefused) as refused:
        await passage.send(ask(passage))
    assert (refused.value.code, refused.value.outcome) == ("too_large", "failed")
    assert passage.sent


@pytest.mark.parametrize("repeat", Repeat)
async def test_case_9_an_answer_that_drips_is_cut_off_and_not_asked_for_again(
    repeat: Repeat, real: Real, vendor: Vendor
) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    vendor.answers = [drip]
    passage = real(repeat, timeout_seconds=1.0)
    began = time.monotonic()
    with pytest.raises(AnswerRefused) as refused:
        await passage.send(ask(passage))
    assert (refused.value.code, refused.value.outcome, len(vendor.requests)) == ("too_slow", "failed", 1)
    assert time.monotonic() - began < 2


async def test_case_9_a_vendor_that_says_nothing_leaves_doubt_within_the_deadline(real: Real, vendor: Vendor) -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    vendor.answers = [silence]
    began = time.monotonic()
    for repeat in Repeat:
        passage = real(repeat, timeout_seconds=1.0)
        with pytest.raises(Ambiguous) as failed:
            await passage.send(ask(passage))
        assert (failed.value.outcome, passage.sent) == ("unknown", True)
    assert time.monotonic() - began < 5
    assert len(vendor.requests) == len(Repeat) + 1  # twice where it may be repeated, once where it may not


async def failing(door: Door, port: int, path: str) -> ConnectorError:
    """The failure of one request that carries the canary wherever a value can stand."""
    route = Route(frozenset({"vendor.test"}), f"http://vendor.test:{port}", timeout_seconds=1.0)
    passage = door.through(
        route, credential=Credential("bearer", f"{CANARY}-secret"), idempotency_key="key_1", repeat=Repeat.ALWAYS
    )
    request = httpx2.Request(
        "POST", passage.base_url + path, headers={"x-note": CANARY}, content=f"name={CANARY}".encode()
    )
    with pytest.raises(ConnectorError) as failed:
        await passage.send(request)
    return failed.value


async def test_case_10_no_word_of_request_or_answer_reaches_logs_or_errors(
    vendor: Vendor, names: Names, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 " + CANARY.encode())

    caplog.set_level(logging.DEBUG)
    door = Door(
        CurlEngine(connect_seconds=0.3),
        resolver=names,
        loopback_hosts=frozenset({"vendor.test"}),
        chance=lambda: 0.0,
    )
    failures = []
    for said in (
        hang_up,
        answer(302, CANARY.encode(), location=f"https://{CANARY}.test/?{CANARY}"),
        answer(200, bytes(2_000_000), x_echo=CANARY),
        answer(200, CANARY.encode(), content_encoding=CANARY),
        f"HTTP/9 {CANARY}\r\n\r\n".encode(),
    ):
        vendor.answers = [said]
        failures.append(await failing(door, vendor.port, f"/v1/{CANARY}?q={CANARY}"))
    failures.append(await failing(door, 1, f"/v1/{CANARY}"))  # nobody listens there
    failures.append(await failing(door, vendor.port, f"/v1/{CANARY}/../%2e%2e/{CANARY}"))
    await door.close()

    assert CANARY in vendor.requests[0].decode()  # it did leave, to whom it was meant for
    for failure in failures:
        assert (failure.__cause__, failure.__context__) == (None, None)
        assert CANARY not in "".join(traceback.format_exception(failure)) + repr(failure) + repr(vars(failure))
    written = caplog.text + "".join(str(vars(record)) for record in caplog.records) + "".join(capfd.readouterr())
    assert CANARY not in written
    assert "attempt_failed" in written
    assert not re.search(r"/v1|\?q=", written)


async def test_case_10_an_answer_does_not_carry_the_credential(real: Real, vendor: Vendor) -> None:
    vendor.answers = [answer(500, b"{}")]
    passage = real()
    response = await passage.send(ask(passage))
    with pytest.raises(httpx2.HTTPStatusError) as failed:
        response.raise_for_status()
    assert "authorization" not in failed.value.request.headers


async def test_a_host_in_the_clear_is_for_the_demo_only(script: Script, names: Names) -> None:
    door = Door(script, resolver=names)
    route = Route(frozenset({"api.vendor.test"}), "http://api.vendor.test")
    with pytest.raises(AnswerRefused) as refused:
        await door.through(route, credential=None, idempotency_key="key_1").send(
            httpx2.Request("GET", "http://api.vendor.test/")
        )
    assert refused.value.code == "insecure_scheme"
    assert script.sent == []


async def test_requests_are_refused_before_the_name_is_even_asked_for(scripted: Scripted, names: Names) -> None:
    passage = scripted()
    with pytest.raises(RequestRefused):
        await passage.send(ask(passage, "/v1/../x%2f..", X_Note="a\nb"))
    assert names.asked == []
