"""Whether a letter is the network's: its token's key, algorithm, issuer, owner and age, and nothing else, is trusted."""

import hmac
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import RSAKey

from connectors.abdm import network
from connectors.contract import CallbackRefused
from connectors.network import Key, Letter
from tests.connectors.abdm.played import played

NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
OURS = RSAKey.generate_key(2048, {"kid": "k1"}, private=True)
OTHER = RSAKey.generate_key(2048, {"kid": "k1"}, private=True)
PUBLIC = Key("k1", "RS256", OURS.as_pem(private=False))
CLAIMS: dict[str, Any] = {
    "iss": "https://dev.abdm.gov.in/auth/realms/central-registry",
    "aud": "account",
    "azp": "gateway",
    "clientId": "gateway",
    "typ": "Bearer",
    "iat": int(NOW.timestamp()) - 60,
    "exp": int(NOW.timestamp()) + 1140,
}
HEADERS = {"REQUEST-ID": "0b3f7c2d-9a41-4e8b-8c55-6d2e1f0a9b83", "X-HIP-ID": "IN2710001234_1"}


def token(key: RSAKey = OURS, *, algorithm: str = "RS256", kid: str = "k1", **changed: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not None}
    return jwt.encode({"alg": algorithm, "kid": kid}, claims, key, algorithms=[algorithm])


def outside(bearer: str, **changed: str) -> Letter:
    return network.outside("/api/v3/x", {**HEADERS, "Authorization": f"Bearer {bearer}", **changed})


def verify(bearer: str, *keys: Key, now: datetime = NOW) -> float:
    return network.verify(outside(bearer), keys or (PUBLIC,), now=now)


def refused(bearer: str, *keys: Key, now: datetime = NOW) -> str:
    with pytest.raises(CallbackRefused) as raised:
        verify(bearer, *keys, now=now)
    assert bearer not in str(raised.value)
    return raised.value.code


def test_a_token_of_the_gateway_s_is_taken_and_is_not_late() -> None:
    assert verify(token()) == 0.0


def test_a_token_that_is_over_counts_for_half_an_hour_and_says_how_late_it_is() -> None:
    end = NOW + timedelta(seconds=1140)
    assert verify(token(), now=end + timedelta(seconds=963)) == 963.0
    assert verify(token(), now=end + timedelta(minutes=30)) == 1800.0
    assert refused(token(), now=end + timedelta(minutes=30, seconds=1)) == "token_expired"


def test_a_token_of_another_participant_s_is_none_although_the_same_key_signed_it() -> None:
    assert refused(token(azp="SBX_000123", clientId="SBX_000123")) == "token_of_another"
    assert refused(token(azp="SBX_000123")) == "token_of_another"
    assert refused(token(clientId="SBX_000123")) == "token_of_another"
    assert refused(token(azp=None, clientId=None)) == "token_of_another"


async def test_our_own_session_proves_no_letter() -> None:
    world = await played()
    with pytest.raises(CallbackRefused) as raised:
        network.verify(outside(world.token), await world.keys(), now=world.now)
    assert raised.value.code == "token_of_another"


@pytest.mark.parametrize("issuer", [
    None, 7, "", "https://dev.abdm.gov.in.evil.example/auth/realms/central-registry", "https://evilabdm.gov.in/auth/realms/x",
    "http://dev.abdm.gov.in/auth/realms/central-registry", "https://dev.abdm.gov.in/auth/realms/central-registry/../x",
    "https://dev.abdm.gov.in/auth/realms/central-registry\n",
])  # fmt: skip
def test_a_token_of_another_issuer_is_none(issuer: Any) -> None:
    assert refused(token(iss=issuer)) == "token_of_another"


def test_production_s_issuer_is_one() -> None:
    assert verify(token(iss="https://apis.abdm.gov.in/auth/realms/central-registry")) == 0.0


def test_whom_a_token_is_for_is_not_looked_at() -> None:
    """The network writes `account`; who expects the own client id there refuses every letter."""
    assert verify(token(aud="account")) == 0.0
    assert verify(token(aud=None)) == 0.0


def test_a_key_of_another_name_or_another_s_of_the_same_is_refused() -> None:
    assert refused(token(kid="k2")) == "key_unknown"
    assert refused(token(OTHER)) == "bad_signature"


def test_the_algorithm_is_the_key_s_and_never_the_token_s() -> None:
    """RS512 signs link tokens, of which every facility has some: none of them may prove a letter."""
    link = token(algorithm="RS512")
    with pytest.raises(CallbackRefused):
        outside(link)
    rs512 = Key("k1", "RS512", PUBLIC.pem)
    assert refused(token(), rs512) == "algorithm_refused"


def test_no_signature_and_a_public_key_as_a_secret_are_refused() -> None:
    head, body, _ = token().split(".")
    with pytest.raises(CallbackRefused):
        outside(f"{head}.{body}.")
    symmetric = ".".join(
        urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"HS256","kid":"k1"}', b"{}")
    )
    mac = hmac.digest(PUBLIC.pem, symmetric.encode(), "sha256")
    with pytest.raises(CallbackRefused):
        outside(f"{symmetric}aaaaaaaaaa.{urlsafe_b64encode(mac).decode().rstrip('=')}")
    changed = token()[:-8] + "AAAAAAAA"
    assert refused(changed) == "bad_signature"


@pytest.mark.parametrize("exp", [None, "soon", True, -1, 10**30])
def test_a_token_without_an_end_is_refused(exp: Any) -> None:
    assert refused(token(exp=exp)) in ("token_without_end", "bad_signature")


def test_a_token_of_the_future_is_refused_but_for_a_few_minutes() -> None:
    later = int(NOW.timestamp())
    assert verify(token(iat=later + 299)) == 0.0
    assert refused(token(iat=later + 301)) == "token_not_yet"
    assert refused(token(iat=None, nbf=later + 301)) == "token_not_yet"


@pytest.mark.parametrize("missing", ["Authorization", "REQUEST-ID", "X-HIP-ID"])
def test_an_outside_without_one_of_its_parts_is_refused(missing: str) -> None:
    headers = {**HEADERS, "Authorization": f"Bearer {token()}"}
    with pytest.raises(CallbackRefused):
        network.outside("/x", {name: value for name, value in headers.items() if name != missing})


def test_headers_are_found_in_any_spelling_and_one_that_is_there_twice_counts_for_nothing() -> None:
    headers = {"authorization": f"bearer {token()}", "request-id": HEADERS["REQUEST-ID"], "x-hip-id": "IN2710001234_1"}
    assert network.outside("/x", headers).account == "IN2710001234_1"
    with pytest.raises(CallbackRefused):
        network.outside("/x", {**headers, "X-HIP-ID": "IN9999999999_1"})


def test_when_it_was_sent_is_read_where_it_can_be() -> None:
    assert outside(token(), TIMESTAMP="2026-01-15T09:29:59.123Z").sent_at == datetime(
        2026, 1, 15, 9, 29, 59, 123000, tzinfo=UTC
    )
    assert outside(token(), TIMESTAMP="yesterday").sent_at is None


@given(st.dictionaries(st.sampled_from(["Authorization", "REQUEST-ID", "X-HIP-ID", "TIMESTAMP"]), st.text()))
def test_whatever_an_outside_is_it_is_read_or_refused(headers: dict[str, str]) -> None:
    try:
        letter = network.outside("/x", headers)
        network.verify(letter, (PUBLIC,), now=NOW)
    except CallbackRefused:
        return
    raise AssertionError("nobody signed that")


@given(st.binary(max_size=300))
def test_whatever_the_header_of_a_token_is_it_is_refused(raw: bytes) -> None:
    head = urlsafe_b64encode(raw).decode().rstrip("=")
    with pytest.raises(CallbackRefused):
        network.verify(outside(f"{head}.{token().split('.', 1)[1]}"), (PUBLIC,), now=NOW)
