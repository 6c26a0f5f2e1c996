"""Fields are encrypted with the right one of two keys, in the one padding that is read, with a key that is not too old."""

from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connectors.abdm import certificates
from connectors.abdm.certificates import ENROLMENT_AND_PROFILE, PHR, encrypted, forget
from connectors.contract import Ambiguous, ConnectorError, Rejected
from tests.conformance.harness import CapturingEgress
from tests.connectors.abdm.played import ABDM

NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
ALGORITHM = "RSA/ECB/OAEPWithSHA-1AndMGF1Padding"
KEYS = {
    ENROLMENT_AND_PROFILE: rsa.generate_private_key(public_exponent=65537, key_size=3072),
    PHR: rsa.generate_private_key(public_exponent=65537, key_size=2048),
}


def der(key: Any) -> bytes:
    found: bytes = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return found


class Service:
    """Gives keys, and counts how often it is asked."""

    def __init__(self, **changed: Any) -> None:
        self.changed = changed
        self.asked: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        path = request.url.path.removeprefix("/abha/api")
        shown = {"publicKey": b64encode(der(KEYS[path])).decode(), "encryptionAlgorithm": ALGORITHM}
        return httpx2.Response(200, json={key: v for key, v in {**shown, **self.changed}.items() if v is not None})


@pytest.fixture(autouse=True)
def nothing_held() -> None:
    certificates._held.clear()


def door(service: Any, now: datetime = NOW) -> CapturingEgress:
    made = CapturingEgress(ABDM.manifest, service, now=now)
    made._prelude = {}
    return made


def opened(value: str, path: str, digest: Any = SHA1) -> str:
    return KEYS[path].decrypt(b64decode(value), OAEP(MGF1(digest()), digest(), None)).decode()


@pytest.mark.parametrize("path", [ENROLMENT_AND_PROFILE, PHR])
async def test_a_value_is_readable_with_the_key_of_its_part_and_sha_1_alone(path: str) -> None:
    value = await encrypted("234123412346", path, door(Service()))
    assert opened(value, path) == "234123412346"
    other = PHR if path == ENROLMENT_AND_PROFILE else ENROLMENT_AND_PROFILE
    with pytest.raises((ValueError, InvalidKey)):
        opened(value, other)
    with pytest.raises((ValueError, InvalidKey)):
        opened(value, path, SHA256)


async def test_a_key_is_asked_for_once_an_hour_and_each_part_s_by_itself() -> None:
    service = Service()
    for _ in range(3):
        await encrypted("1", ENROLMENT_AND_PROFILE, door(service))
        await encrypted("1", PHR, door(service))
    assert len(service.asked) == 2
    await encrypted("1", PHR, door(service, NOW + timedelta(minutes=59)))
    assert len(service.asked) == 2
    await encrypted("1", PHR, door(service, NOW + timedelta(minutes=61)))
    assert len(service.asked) == 3
    await encrypted("1", PHR, door(service, NOW - timedelta(minutes=5)))  # a clock that went back proves no age
    assert len(service.asked) == 4


async def test_a_key_whose_value_was_refused_is_asked_for_anew() -> None:
    service = Service()
    await encrypted("1", PHR, door(service))
    forget(PHR, door(service))
    await encrypted("1", PHR, door(service))
    assert len(service.asked) == 2


async def test_a_refused_login_id_forgets_the_key() -> None:
    from tests.conformance.harness import perform

    certificates._held.clear()
    refusing = CapturingEgress(ABDM.manifest, lambda _: httpx2.Response(400, json={"loginId": "Invalid LoginId"}))
    asked = {"by": "mobile", "identifier": "9876543210", "code_to": "mobile"}
    for _ in range(2):
        with pytest.raises(Rejected):
            await perform(ABDM.actions["request_login_code"], asked, refusing)
    assert len(refusing.preludes) == 2


@pytest.mark.parametrize("name", ["RSA/ECB/PKCS1Padding", "RSA/ECB/OAEPWithSHA-256AndMGF1Padding", "", 7])
async def test_an_algorithm_that_we_do_not_know_is_refused(name: Any) -> None:
    with pytest.raises(Rejected) as refused:
        await encrypted("1", PHR, door(Service(encryptionAlgorithm=name)))
    assert refused.value.code == "encryption_unknown"
    assert certificates._held == {}


async def test_a_certificate_that_says_no_algorithm_is_of_the_one_that_there_is() -> None:
    assert opened(await encrypted("1", PHR, door(Service(encryptionAlgorithm=None))), PHR) == "1"


async def test_a_key_in_armour_is_read_too() -> None:
    pem = KEYS[PHR].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert opened(await encrypted("1", PHR, door(Service(publicKey=pem))), PHR) == "1"


@pytest.mark.parametrize("key", [
    None, 7, "", "!!!", b64encode(b"\x30\x03\x02\x01\x01").decode(),
    b64encode(der(ec.generate_private_key(ec.SECP256R1()))).decode(),
    b64encode(der(rsa.generate_private_key(public_exponent=65537, key_size=1024))).decode(), "A" * 20_000,
])  # fmt: skip
async def test_a_key_that_is_none_or_too_short_encrypts_nothing(key: Any) -> None:
    with pytest.raises(Ambiguous):
        await encrypted("1", PHR, door(Service(publicKey=key)))


@pytest.mark.parametrize("status", [401, 403, 404, 500])
async def test_a_service_that_gives_no_key_is_an_error_before_any_value_leaves(status: int) -> None:
    with pytest.raises(ConnectorError):
        await encrypted("234123412346", PHR, door(lambda _: httpx2.Response(status)))
