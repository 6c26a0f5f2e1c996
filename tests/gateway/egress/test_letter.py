"""What leaves, header by header."""

import base64

import httpx2
import pytest

from connectors.contract import ConnectorError
from gateway.egress import Credential, RequestRefused, Route
from tests.gateway.egress.conftest import Real, Scripted
from tests.gateway.egress.doubles import Script
from tests.gateway.egress.vendor import Vendor, ask

ACCOUNT_ROUTE = Route(frozenset({"api.vendor.test"}), "https://api.vendor.test", account_header="Vendor-Account")


async def test_a_request_leaves_as_the_connector_wrote_it(scripted: Scripted, script: Script) -> None:
    passage = scripted()
    await passage.send(ask(passage, "/v1/a%20b?c=d", Content_Type="text/plain", Idempotency_Key="key_1"))

    letter, target, _ = script.sent[0]
    assert (letter.method, letter.url, letter.body) == ("POST", "https://api.vendor.test/v1/a%20b?c=d", b"a=1")
    assert letter.headers == [("content-type", "text/plain"), ("idempotency-key", "key_1")]
    assert target == ("https", "api.vendor.test", 443, "93.184.215.14", "1.2")


@pytest.mark.parametrize(
    ("credential", "header"),
    [
        (Credential("bearer", "sk_1"), ("authorization", "Bearer sk_1")),
        (Credential("bearer", b"sk_1"), ("authorization", "Bearer sk_1")),
        (Credential("basic", "AC1:token"), ("authorization", "Basic " + base64.b64encode(b"AC1:token").decode())),
        (
            Credential("basic", "AC1:tökén"),
            ("authorization", "Basic " + base64.b64encode("AC1:tökén".encode()).decode()),
        ),
        (Credential("header:X-Api-Key", "k"), ("x-api-key", "k")),
    ],
)
async def test_the_credential_is_added_as_the_manifest_says(
    credential: Credential, header: tuple[str, str], scripted: Scripted, script: Script
) -> None:
    passage = scripted(credential=credential)
    request = ask(passage)
    response = await passage.send(request)

    assert header in script.sent[0][0].headers
    assert header[0] not in request.headers
    assert header[0] not in response.request.headers
    assert "sk_1" not in repr(credential)


@pytest.mark.parametrize(
    "credential",
    [
        Credential("bearer", ""),
        Credential("bearer", "a\r\nx-evil: 1"),
        Credential("header:X-Key", "a\nb"),
        Credential("bearer", "schlüssel"),
        Credential("somehow", "a"),
    ],
)
async def test_a_secret_that_cannot_stand_in_a_header_does_not_leave(
    credential: Credential, scripted: Scripted, script: Script
) -> None:
    passage = scripted(credential=credential)
    with pytest.raises(RequestRefused) as refused:
        await passage.send(ask(passage))
    assert refused.value.code == "credential_unusable"
    assert script.sent == []


async def test_a_connector_cannot_write_the_credential_itself(scripted: Scripted, script: Script) -> None:
    passage = scripted(credential=Credential("bearer", "sk_1"))
    with pytest.raises(RequestRefused):
        await passage.send(ask(passage, Authorization="Bearer other"))
    assert script.sent == []


async def test_the_account_is_named_once_also_where_the_connector_named_it(scripted: Scripted, script: Script) -> None:
    passage = scripted(route=ACCOUNT_ROUTE, account="acct_1")
    await passage.send(ask(passage))
    await passage.send(ask(passage, Vendor_Account="acct_1"))
    assert [letter.headers for letter, _, _ in script.sent] == [[("vendor-account", "acct_1")]] * 2

    with pytest.raises(RequestRefused):
        await passage.send(ask(passage, Vendor_Account="acct_2"))


async def test_an_account_that_breaks_the_header_does_not_leave(scripted: Scripted, script: Script) -> None:
    passage = scripted(route=ACCOUNT_ROUTE, account="acct_1\r\nx-evil: 1")
    with pytest.raises(RequestRefused):
        await passage.send(ask(passage))
    assert script.sent == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-a", "b\r\nx-evil: 1"),
        ("x-a", "b\nc"),
        ("x-a", "b\x00c"),
        ("x-a", "b\tc"),
        ("x-a", "ü"),
        ("x-a: b\r\nx-evil", "1"),
        ("x a", "b"),
        ("", "b"),
        ("cookie", "session=1"),
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("TE", "trailers"),
        ("upgrade", "h2c"),
        ("proxy-authorization", "Basic x"),
        ("expect", "100-continue"),
    ],
)
async def test_a_header_that_could_do_more_than_its_name_says_is_refused(
    name: str, value: str, scripted: Scripted, script: Script
) -> None:
    passage = scripted()
    request = httpx2.Request("POST", passage.base_url + "/v1", headers=[(name.encode(), value.encode())], content=b"a")
    with pytest.raises(RequestRefused) as refused:
        await passage.send(request)
    assert refused.value.code == "header_refused"
    assert refused.value.outcome == "failed"
    assert (passage.attempts, passage.sent, script.sent) == (0, False, [])


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "OPTIONS", "GE T", "", "GET\r\nx: y"])
async def test_a_method_that_no_connector_needs_is_refused(method: str, scripted: Scripted, script: Script) -> None:
    passage = scripted()
    with pytest.raises(RequestRefused):
        await passage.send(httpx2.Request(method, passage.base_url + "/v1"))
    assert script.sent == []


async def test_a_foreign_host_header_never_leaves(real: Real, vendor: Vendor) -> None:
    passage = real()
    await passage.send(ask(passage, Host="evil.test", Accept_Encoding="gzip", User_Agent="connector/1"))

    assert vendor.header("host") == [f"vendor.test:{vendor.port}"]
    assert vendor.header("accept-encoding") == ["identity"]
    assert vendor.header("user-agent") == ["connector/1"]
    assert vendor.header("content-length") == ["3"]
    assert vendor.lines()[0] == "POST /v1/things HTTP/1.1"


async def test_only_the_headers_that_were_written_leave(real: Real, vendor: Vendor) -> None:
    passage = real()
    await passage.send(ask(passage, "/v1?a=b", "GET"))

    names = sorted(line.partition(":")[0].lower() for line in vendor.lines()[1:])
    assert names == ["accept", "accept-encoding", "host", "user-agent"]


async def test_a_body_in_parts_is_put_together(scripted: Scripted, script: Script) -> None:
    passage = scripted()
    await passage.send(httpx2.Request("POST", passage.base_url + "/v1", files={"file": ("a.txt", b"hello")}))
    assert b"hello" in script.sent[0][0].body


def test_every_refusal_of_the_door_is_one_of_the_contracts_errors() -> None:
    assert issubclass(RequestRefused, ConnectorError)
