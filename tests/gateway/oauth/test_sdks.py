"""Vendors' SDKs: imported at the first use, in a thread; everything that they send goes by the door; no repeats of their own."""

from __future__ import annotations

import asyncio
import datetime as time
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from connectors.contract import Ambiguous, Unreachable
from connectors.oauth import OAuthRule
from gateway.oauth.answer import GrantEnded, TokenTrouble
from gateway.oauth.asking import Vendor
from gateway.oauth.clients import Client
from gateway.oauth.identity import claims_of
from tests.connectors.test_oauth import DIRECTORY, rule

NOW = time.datetime(2027, 1, 4, 9, 0, tzinfo=time.UTC)
COLD = """
import asyncio, importlib.abc, sys, threading
from tests.gateway.oauth.test_sdks import asked, vendor
assert not {"msal", "google.oauth2", "requests"} & set(sys.modules), "an SDK is imported before it is used"
seen = []
class Watch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name in ("msal", "google.oauth2.credentials"):
            seen.append((name, threading.current_thread() is threading.main_thread()))
        return None
sys.meta_path.insert(0, Watch())

async def main():
    ticks = 0
    async def beat():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.005)
    beating = asyncio.create_task(beat())
    for library in ("msal", "google-auth"):
        await asked(vendor(library, lambda request: answer()))
    beating.cancel()
    return ticks

def answer():
    import httpx2
    return httpx2.Response(200, json={"access_token": "a", "token_type": "Bearer", "expires_in": 60})

ticks = asyncio.run(main())
assert sorted(seen) == [("google.oauth2.credentials", False), ("msal", False)], seen
assert ticks > 6, f"the loop stood still: {ticks}"  # on the loop itself each import would be one
"""


def vendor(library: str | None, answering: Any, client: Client | None = None, **given: Any) -> Vendor:
    """A vendor whose door answers as told."""

    async def send(request: httpx2.Request) -> httpx2.Response:
        found = answering(request)
        if isinstance(found, Exception):
            raise found
        return found

    issuer = {"issuer": "https://accounts.calendar.example/directory"} if library == "msal" else {}
    declared: OAuthRule = rule("calendar", library=library, **issuer, **given)
    return Vendor(declared, None, client or Client("client", "secret"), send)


async def asked(found: Vendor) -> Any:
    """Refresh once."""
    return await found.by_refresh("old", scopes=frozenset({"events"}), now=NOW)


def test_sdks_are_imported_at_their_first_use_in_a_thread_while_the_loop_goes_on() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COLD], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3]
    )
    assert done.returncode == 0, done.stderr


def test_a_gateway_that_opens_imports_no_sdk() -> None:
    sdks = "{'msal', 'requests', 'google.oauth2'}"
    program = f"import sys, gateway.app, gateway.jobs, gateway.demo; assert not {sdks} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


LIBRARIES = pytest.mark.parametrize("library", [None, "google-auth", "msal"])


@LIBRARIES
async def test_what_is_sent_is_one_form_to_the_manifest_s_address(library: str | None) -> None:
    sent: list[httpx2.Request] = []

    def answering(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        told = {"access_token": "new", "token_type": "bearer", "expires_in": 1800, "refresh_token": "next"}
        return httpx2.Response(200, json=told)

    answer = await asked(vendor(library, answering))
    (request,) = sent
    assert str(request.url) == "https://tokens.calendar.example/o/token"
    form = dict(httpx2.QueryParams(request.content.decode()).multi_items())
    assert (form["grant_type"], form["refresh_token"], form["client_id"]) == ("refresh_token", "old", "client")
    assert (answer.access, answer.refresh) == ("new", "next")
    assert answer.expires_at == NOW + time.timedelta(minutes=30)


@LIBRARIES
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_vendor_in_trouble_is_asked_once(library: str | None, status: int) -> None:
    asked_times = 0

    def answering(request: httpx2.Request) -> httpx2.Response:
        nonlocal asked_times
        asked_times += 1
        return httpx2.Response(status, json={"error": "internal_failure"})

    with pytest.raises(TokenTrouble) as trouble:
        await asked(vendor(library, answering))
    assert trouble.value.code == "vendor_unavailable"
    assert asked_times == 1


@LIBRARIES
@pytest.mark.parametrize(("failure", "unsent"), [(Unreachable("dns_failed"), True), (Ambiguous("timeout"), False)])
async def test_what_the_door_says_comes_through(library: str | None, failure: Exception, unsent: bool) -> None:
    with pytest.raises(TokenTrouble) as trouble:
        await asked(vendor(library, lambda _: failure))
    assert trouble.value.unsent is unsent


@LIBRARIES
async def test_a_grant_that_has_ended_is_one_whoever_asks(library: str | None) -> None:
    refusal = {"error": "invalid_grant", "error_description": "Ada Lovelace revoked it"}
    with pytest.raises(GrantEnded) as ended:
        await asked(vendor(library, lambda _: httpx2.Response(400, json=refusal)))
    assert "Ada" not in str(ended.value)


@LIBRARIES
@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"<html>", b'{"access_token": 1}', b'{"access_token": "a\\nb"}', b"\xff"]
)
async def test_an_answer_that_nobody_can_read_is_trouble_and_no_crash(library: str | None, body: bytes) -> None:
    with pytest.raises(TokenTrouble):
        await asked(vendor(library, lambda _: httpx2.Response(200, content=body)))


@pytest.mark.parametrize("code", ["invalid_client", "unauthorized_client"])
async def test_what_is_the_operator_s_to_mend_ends_no_grant(code: str) -> None:
    with pytest.raises(TokenTrouble, match="client_refused"):
        await asked(vendor(None, lambda _: httpx2.Response(401, json={"error": code})))


async def test_a_secret_goes_by_basic_where_the_manifest_says_so() -> None:
    sent: list[httpx2.Request] = []

    def answering(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200, json={"access_token": "a"})

    await asked(vendor(None, answering, Client("the client", "s:c%t"), client_auth="basic"))
    assert sent[0].headers["authorization"] == "Basic dGhlJTIwY2xpZW50OnMlM0FjJTI1dA=="
    assert b"client_secret" not in sent[0].content


async def test_a_certificate_proves_who_the_gateway_is_without_a_secret_leaving() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    client = Client("client", None, _pem(key), _certificate(key))
    sent: list[httpx2.Request] = []

    async def send(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        claims = {"roles": ["Roster.Read.All"], "tid": DIRECTORY}
        return httpx2.Response(
            200, json={"access_token": _unsigned(claims), "token_type": "Bearer", "expires_in": 3599}
        )

    answer = await Vendor(rule("roster"), DIRECTORY, client, send).by_client(now=NOW)
    assert answer.granted == {"application:Roster.Read.All"}
    form = dict(httpx2.QueryParams(sent[0].content.decode()).multi_items())
    assert "client_secret" not in form
    assert "PRIVATE" not in sent[0].content.decode()
    proof = claims_of(form["client_assertion"])
    assert proof["aud"] == f"https://login.roster.example/{DIRECTORY}/oauth2/v2.0/token"
    assert (proof["iss"], proof["sub"]) == ("client", "client")


async def test_a_refusal_is_not_remembered_after_it_was_put_right() -> None:
    """msal keeps refusals for a minute; we ask anew each time."""
    answers = [
        httpx2.Response(400, json={"error": "invalid_grant"}),
        httpx2.Response(200, json={"access_token": "a", "token_type": "Bearer", "expires_in": 60}),
    ]
    found = vendor("msal", lambda _: answers.pop(0))
    with pytest.raises(GrantEnded):
        await asked(found)
    assert (await asked(found)).access == "a"


async def test_many_at_once_share_the_few_threads() -> None:
    async def one() -> str:
        return str((await asked(vendor("msal", lambda _: httpx2.Response(200, json={"access_token": "a"})))).access)

    assert await asyncio.gather(*(one() for _ in range(12))) == ["a"] * 12


def _pem(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _certificate(key: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + time.timedelta(days=1))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _unsigned(claims: dict[str, Any]) -> str:
    from base64 import urlsafe_b64encode

    return f"e30.{urlsafe_b64encode(orjson.dumps(claims)).rstrip(b'=').decode()}.x"
