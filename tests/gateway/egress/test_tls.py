"""The name on the certificate, the floor of the protocol, the authorities that are trusted: over the pinned address."""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from connectors.contract import Unreachable
from gateway.egress import CurlEngine, Door, Route
from tests.gateway.egress.certificates import Authority
from tests.gateway.egress.doubles import Names
from tests.gateway.egress.vendor import Vendor, ask

Start = Callable[..., Awaitable[Vendor]]


async def exchange(vendor: Vendor, names: Names, trust_pem: bytes | None, min_tls: str = "1.2") -> int:
    """One request to https://vendor.test, of which only the resolver knows the address."""
    engine = CurlEngine(connect_seconds=0.5, trust_pem=trust_pem)
    door = Door(engine, resolver=names, loopback_hosts=frozenset({"vendor.test"}), chance=lambda: 0.0)
    route = Route(frozenset({"vendor.test"}), f"https://vendor.test:{vendor.port}", timeout_seconds=5.0)
    if min_tls == "1.3":
        route = replace(route, min_tls="1.3")
    passage = door.through(route, credential=None, idempotency_key="key_1")
    arrived = len(vendor.requests)
    try:
        return (await passage.send(ask(passage))).status_code
    finally:
        assert passage.sent is (len(vendor.requests) > arrived)
        await door.close()


async def test_the_name_is_asked_for_and_checked_at_the_pinned_address(
    start: Start, names: Names, authority: Authority
) -> None:
    asked: list[str | None] = []
    context = authority.context("vendor.test")
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    vendor = await start(context)

    assert await exchange(vendor, names, authority.pem) == 200
    assert asked == ["vendor.test"]
    assert vendor.header("host") == [f"vendor.test:{vendor.port}"]
    assert names.asked == ["vendor.test"]


async def test_a_certificate_for_another_name_is_refused_before_a_byte_leaves(
    start: Start, names: Names, authority: Authority
) -> None:
    vendor = await start(authority.context("other.test"))
    with pytest.raises(Unreachable) as failed:
        await exchange(vendor, names, authority.pem)
    assert failed.value.code == "tls_failed"
    assert vendor.requests == []


async def test_a_certificate_of_an_unknown_authority_is_refused(
    start: Start, names: Names, authority: Authority
) -> None:
    vendor = await start(authority.context("vendor.test"))
    with pytest.raises(Unreachable) as failed:
        await exchange(vendor, names, None)
    assert failed.value.code == "tls_failed"
    assert vendor.requests == []


async def test_the_floor_of_the_protocol_is_the_routes(start: Start, names: Names, authority: Authority) -> None:
    old = await start(authority.context("vendor.test", newest=ssl.TLSVersion.TLSv1_2))
    new = await start(authority.context("vendor.test"))

    assert await exchange(old, names, authority.pem) == 200
    assert await exchange(new, names, authority.pem, "1.3") == 200
    with pytest.raises(Unreachable) as failed:
        await exchange(old, names, authority.pem, "1.3")
    assert failed.value.code == "tls_failed"
    assert len(old.requests) == 1


async def test_a_server_that_speaks_no_tls_gets_no_request(vendor: Vendor, names: Names, authority: Authority) -> None:
    with pytest.raises(Unreachable):
        await exchange(vendor, names, authority.pem)
    assert vendor.requests == []
